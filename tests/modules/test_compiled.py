"""The compiled GRU is the same function as the one that steps, and has the same gradients."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor

from machine.cache import cache_folder
from machine.compiler import compiler
from modules import compiled as of_compiled
from modules.compiled import CompiledGRU, compiled_gru, difference
from modules.gru import GRU
from modules.kernels import PLAIN, Kernels, layers_made_with
from modules.products import Products
from modules.recurrence import BySlots

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler")

Given = tuple[list[Tensor], Tensor, list[int]]  # rows, weights and biases; start; sizes


@pytest.fixture(scope="module")
def fast() -> CompiledGRU:
    return compiled_gru(8, cache_folder())


def given(sizes: list[int], F: int, H: int, more: int = 0) -> Given:
    """Random rows, `more` of which belong to no slot."""
    random = torch.Generator().manual_seed(len(sizes) + F + H)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    x, start = draw(sum(sizes) + more, F), draw(sizes[0] if sizes else 0, H)
    weights = [draw(3 * H, n) / n**0.5 for n in (F, H)]
    return [t.requires_grad_() for t in (x, *weights, draw(3 * H), draw(3 * H))], start, sizes


def walked(gru: CompiledGRU | BySlots, what: Given, times: int = 1) -> list[Tensor]:
    """Hidden states, and gradients of a weighted sum of them, computed so many times."""
    tensors, start, sizes = what
    hidden = gru(tensors[0], tensors[1:], start, sizes, Products())
    weight = torch.linspace(-1, 1, hidden.numel(), dtype=hidden.dtype).reshape(hidden.shape)
    loss = (hidden * weight).sum()
    found = [torch.autograd.grad(loss, tensors, retain_graph=True) for _ in range(times)]
    return [hidden.detach(), *(gradient for each in found for gradient in each)]


def in_double(what: Given) -> Given:
    tensors, start, sizes = what
    return [t.detach().double().requires_grad_() for t in tensors], start.double(), sizes


def close(found: list[Tensor], wanted: list[Tensor]) -> bool:
    """To 1e-6 of the largest number."""
    return all(
        (a - b).abs().max() <= 1e-6 * b.abs().max().clamp_min(1)
        for a, b in zip(found, wanted, strict=True)
    )


@pytest.mark.parametrize(
    ("sizes", "F", "H", "more"),
    [
        ([5, 5, 5], 8, 8, 0),  # all episodes alike
        ([9, 7, 7, 2, 1], 16, 32, 3),
        ([13, 4], 3, 7, 1),  # no width is one of whole vectors
        ([1], 1, 1, 0),
        ([3] * 40, 20, 17, 0),
        ([203, 150, 97, 96, 5], 9, 16, 2),  # several blocks of rows
    ],
)
def test_it_equals_the_one_that_steps(
    fast: CompiledGRU, sizes: list[int], F: int, H: int, more: int
) -> None:
    what = given(sizes, F, H, more)

    found, wanted = walked(fast, what), walked(BySlots(), in_double(what))

    assert close(found, wanted)
    assert (found[0][sum(sizes) :] == 0).all()
    assert (found[1][sum(sizes) :] == 0).all()


def test_no_rows_at_all(fast: CompiledGRU) -> None:
    hidden, *gradients = walked(fast, given([], 3, 5))

    assert hidden.shape == (0, 5)
    assert all((gradient == 0).all() for gradient in gradients)


def test_several_backward_passes_through_one_forward_are_the_same(fast: CompiledGRU) -> None:
    _, *found = walked(fast, given([9, 7, 2], 6, 8), times=3)

    for first, *later in zip(found[:5], found[5:10], found[10:], strict=True):
        assert all(torch.equal(each, first) for each in later)


def test_parts_of_the_gradient_are_parts_of_the_whole(fast: CompiledGRU) -> None:
    what = given([9, 7, 2], 6, 8)
    whole = walked(fast, what)[1:]
    (x, *weights), start, sizes = what

    frozen = walked_alone(fast, [x.detach(), *weights], start, sizes)
    of_x = walked_alone(fast, [x, *(w.detach() for w in weights)], start, sizes)

    assert all(torch.equal(a, b) for a, b in zip(frozen, whole[1:], strict=True))
    assert torch.equal(of_x[0], whole[0])


def walked_alone(
    gru: CompiledGRU, tensors: list[Tensor], start: Tensor, sizes: list[int]
) -> tuple[Tensor, ...]:
    """The gradients of those that have one."""
    hidden = gru(tensors[0], tensors[1:], start, sizes, Products())
    weight = torch.linspace(-1, 1, hidden.numel()).reshape(hidden.shape)
    return torch.autograd.grad((hidden * weight).sum(), [t for t in tensors if t.requires_grad])


def test_a_row_depends_on_no_other_and_nothing_on_being_differentiated(fast: CompiledGRU) -> None:
    (x, *weights), start, _ = given([110, 110], 4, 8)
    together = fast(x, weights, start, [110, 110], Products())
    for rows in (slice(0, 7), slice(7, 110)):
        n = len(range(110)[rows])
        own = torch.cat([x[:110][rows], x[110:][rows]])
        with torch.no_grad():
            alone = fast(own, weights, start[rows], [n, n], Products())
        assert torch.equal(alone, torch.cat([together[:110][rows], together[110:][rows]]))


def test_threads_share_the_rows(fast: CompiledGRU, monkeypatch: pytest.MonkeyPatch) -> None:
    what = given([100, 90, 40], 6, 8)
    alone = walked(fast, what)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    shared = walked(fast, what)

    assert torch.equal(shared[0], alone[0])
    assert torch.equal(shared[1], alone[1])
    assert close(shared, alone)


def test_double_precision_is_left_to_torch(fast: CompiledGRU) -> None:
    what = in_double(given([4, 3], 3, 5))

    found, wanted = walked(fast, what), walked(BySlots(), what)

    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_what_has_diverged_is_seen(fast: CompiledGRU) -> None:
    (x, *weights), start, sizes = given([3, 3], 4, 8)
    broken = x.detach().clone()
    broken[1, 0] = float("nan")

    hidden = fast(broken, weights, start, sizes, Products())

    assert hidden.isnan().any(dim=1).tolist() == [False, True, False, False, True, False]


def test_episodes_as_a_network_unrolls_them(fast: CompiledGRU) -> None:
    torch.manual_seed(0)
    with layers_made_with(Kernels(recurrence=fast)):
        ours = copy.deepcopy(pickle.loads(pickle.dumps(GRU(6, 8))))
    plain = GRU(6, 8)
    plain.load_state_dict(ours.state_dict())
    x, start = torch.randn(4, 5, 3, 6), torch.randn(4, 3, 8)  # not laid slot by slot

    assert (ours.kernels, plain.kernels) == (Kernels(recurrence=fast), PLAIN)
    for begin in (None, start):
        found, wanted = (gru.unroll(x, start=begin) for gru in (ours, plain))
        torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)


def test_the_check_on_first_use_finds_a_difference(
    fast: CompiledGRU, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong(BySlots):
        def __call__(self, x: Tensor, *given: object) -> Tensor:
            return super().__call__(x * 1.001, *given)  # type: ignore[arg-type]

    assert difference(fast, BySlots(), 8) < of_compiled.TOLERANCE / 10
    assert difference(Wrong(), BySlots(), 8) > of_compiled.TOLERANCE
    monkeypatch.setattr(of_compiled, "BySlots", Wrong)
    with pytest.raises(of_compiled.NotCompiledError, match="differs from torch's"):
        compiled_gru(8, cache_folder())
