"""Variants of the look-ahead, each equal to the plain one where it has nothing to change."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from configuration import load_config
from learners.klevel_guard import NormGuard
from learners.klevel_trace import Trace
from learners.surrogate import Surrogate, shuffled
from tests.learners import test_kmappo, test_turns
from tests.learners.test_klevel import ends_by_level
from tests.make import double_batch, flat, make_learner, on_policy_args, rows_of
from theory.ascent import Ascent, sgd
from theory.games import matrix_game, penalty
from utils.errors import UserError

pytestmark = pytest.mark.usefixtures("double_precision")

ONE_STEP = {"epochs": 1, "minibatches": 1}


def ends(learner: str, updates: int = 2, **settings: Any) -> list[Tensor]:
    """Parameters, optimiser states and random numbers after some updates."""
    share = learner != "khappo_learner"
    made = test_kmappo.learner_of(learner, share_parameters=share, **settings)
    torch.manual_seed(5)
    for update in range(updates):
        made.train(double_batch(made.args, seed=update), update, update)
    return test_kmappo.everything(made)


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


# ---------------------------------------------------------------- the horizon


@pytest.mark.parametrize("learner", ["kmappo_learner", "khappo_learner"])
def test_in_a_round_of_one_step_the_horizon_is_that_step_bit_for_bit(learner: str) -> None:
    """In longer ones it is not: else this would compare a thing with itself."""
    for steps, equal in ((ONE_STEP, True), ({"epochs": 2, "minibatches": 1}, False)):
        plain, horizon = (ends(learner, k_lookahead_scale=s, **steps) for s in (1.0, "round"))
        assert same(plain, horizon) is equal


@pytest.mark.parametrize("learner", ["kmappo_learner", "khappo_learner"])
@pytest.mark.parametrize(("minibatches", "parts"), [(1, 1), (2, 2), (9, 4)])
def test_others_are_expected_at_the_end_of_the_round(
    learner: str, minibatches: int, parts: int
) -> None:
    """A round of four episodes has at most as many minibatches."""
    of = test_turns.learner_of if learner == "khappo_learner" else test_kmappo.learner_of
    made = of(learner, k_lookahead_scale="round", epochs=3, minibatches=minibatches)
    scales: list[float] = []
    levels, begin = made.levels, made.levels._begin

    def noted(level: int) -> Any:
        scales.append(levels.scale)
        return begin(level)

    levels._begin = noted
    for update in range(2):
        made.train(double_batch(made.args, seed=update), update, update)

    assert scales == 2 * list(range(3 * parts, 0, -1))


def test_a_horizon_is_that_many_steps() -> None:
    levels = test_kmappo.learner_of("kmappo_learner", k_lookahead_scale="round").levels
    gradients, start = [torch.randn_like(param) for param in levels.params], flat(levels.params)
    ahead = []
    for horizon in (1, 5):
        levels.horizon = horizon
        levels.mover(1, 2)([each.clone() for each in gradients])  # a step may shorten them
        ahead.append(flat(levels.shadow_params) - start)

    torch.testing.assert_close(ahead[1], 5 * ahead[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("--config=kfacmac --env-config=grid with k_lookahead_scale=round", "takes one on each"),
        ("--config=kmappo --env-config=grid with k_lookahead_scale=rund", "cannot be"),
        ("--config=kmappo --env-config=grid with k_lookahead_scale=-1", "cannot be"),
        ("--config=kmappo --env-config=grid with k_others=False", "True, shuffled"),
    ],
)
def test_what_cannot_be_is_answered(words: str, answer: str) -> None:
    with pytest.raises(UserError, match=answer):
        load_config(words.split())


def test_the_settings_file_differs_from_kmappo_in_the_horizon_alone() -> None:
    one, other = (
        load_config([f"--config={name}", "--env-config=grid"]).config
        for name in ("kmappo", "kmappo_round")
    )

    assert {key for key in one if one[key] != other[key]} == {"name", "k_lookahead_scale"}


def test_exact_games_look_ahead_by_the_same_scale() -> None:
    """Scaled to nothing, level 2 is level 1; a midpoint lies between levels 1 and 2."""
    theta = torch.randn(4, 2, 3)

    def after(K: int, scale: float) -> Tensor:
        return Ascent(matrix_game(penalty()), theta, sgd(0.01), K, scale=scale).step()

    assert torch.equal(after(2, 0.0), after(1, 1.0))
    middle = (after(1, 1.0) + after(2, 1.0)) / 2
    off, apart = (after(2, 0.5) - middle).norm(), (after(2, 1.0) - after(1, 1.0)).norm()
    assert off < 0.1 * apart


# ---------------------------------------------------------------- the others' weight


def test_one_level_is_mappo_whatever_the_variant_bit_for_bit() -> None:
    variants = {
        "k_lookahead_scale": "round",
        "k_keep_norm": True,
        "k_others": "shuffled",
        "kmappo_weight": "mean_one",
    }
    settings = {"k_level": 1, "epochs": 2, "minibatches": 2}

    assert same(ends("mappo_learner", **settings), ends("kmappo_learner", **settings, **variants))


@pytest.mark.parametrize("variant", [{"kmappo_weight": "mean_one"}, {"k_others": "shuffled"}])
def test_weights_of_one_are_neither_scaled_nor_moved(variant: dict[str, Any]) -> None:
    """With a scale of 0 the others are expected to stay, and M is 1 everywhere."""
    plain, other = (
        ends("kmappo_learner", updates=1, k_lookahead_scale=0.0, **ONE_STEP, **more)[0]
        for more in ({}, variant)
    )

    assert torch.equal(plain, other)


def weights(**settings: Any) -> tuple[Tensor, Tensor, Tensor]:
    """M_i of random answers; where agents decide, and which steps are real. (R, L, N)"""
    args = on_policy_args(learner="kmappo_learner", **settings)
    made = make_learner(args)
    played = rows_of(made, double_batch(args))
    own = torch.zeros_like(played.log_probs, requires_grad=True)
    surrogate = Surrogate(own, torch.zeros_like(own), played, args)
    torch.manual_seed(3)
    surrogate.against(0.3 * torch.randn_like(own))
    assert surrogate._others is not None
    return surrogate._others, played.deciding, played.valid


def test_scaled_weights_have_a_mean_of_one_and_keep_their_proportions() -> None:
    raw, deciding, _ = weights()
    scaled, _, _ = weights(kmappo_weight="mean_one")

    assert float((scaled * deciding).sum() / deciding.sum()) == pytest.approx(1)
    torch.testing.assert_close(scaled * (raw[0, 0, 0] / scaled[0, 0, 0]), raw)


def test_shuffled_weights_are_those_of_other_real_steps() -> None:
    raw, _, valid = weights()
    moved, _, _ = weights(k_others="shuffled")
    real = valid[..., 0] > 0

    assert not torch.equal(raw, moved)
    assert torch.equal(raw[~real], moved[~real])
    assert sorted(map(tuple, raw[real].tolist())) == sorted(map(tuple, moved[real].tolist()))


def test_a_single_step_has_nobody_to_change_places_with() -> None:
    values, valid = torch.rand(1, 4, 3), torch.zeros(1, 4, 3)
    valid[0, 2] = 1

    assert torch.equal(shuffled(values, valid), values)


# ---------------------------------------------------------------- the norm


def test_a_kept_norm_changes_nothing_where_levels_are_equal_bit_for_bit() -> None:
    first, *others = ends_by_level((1, 2, 3), mixer="vdn", k_keep_norm=True)

    assert all(torch.equal(first, other) for other in others)


def test_the_last_gradient_gets_the_first_ones_norm_or_gives_way() -> None:
    """Parameters without a gradient have none afterwards; each agent's are compared alone."""
    guard = NormGuard()
    guard.noted([torch.tensor([3.0, 4.0]), None, None])
    guard.noted([None, None, torch.tensor([1.0])])

    turned = guard.kept([torch.tensor([0.0, 2.0]), None, None])
    opposed = guard.kept([None, None, torch.tensor([-7.0])])
    nothing = guard.kept([torch.zeros(2), None, None])

    assert [None if g is None else g.tolist() for g in turned] == [[0.0, 5.0], None, None]
    assert [None if g is None else g.tolist() for g in opposed] == [None, None, [1.0]]
    assert nothing[0] is not None
    assert nothing[0].tolist() == [3.0, 4.0]


@pytest.mark.parametrize("learner", ["kmappo_learner", "khappo_learner"])
def test_higher_levels_then_take_gradients_of_the_first_ones_norm(learner: str) -> None:
    of = test_turns.learner_of if learner == "khappo_learner" else test_kmappo.learner_of
    kept, free = (
        test_turns.trained(of(learner, k_level=3, k_keep_norm=keep, lr=0.05, **ONE_STEP), rounds=1)
        for keep in (True, False)
    )

    assert kept["k/norm_ratio"] == pytest.approx(1, rel=1e-6)
    assert free["k/norm_ratio"] != pytest.approx(1, rel=1e-3)


# ---------------------------------------------------------------- what is measured


@pytest.mark.parametrize("scale", [1.0, 0.5, 6.0, 0.0])
def test_contraction_compares_steps_at_full_length(scale: float) -> None:
    args = SimpleNamespace(k_opt_state="rollback", k_clip_each_level=True)
    start, (a, b, c) = torch.randn(5), torch.randn(3, 5)
    trace = Trace([start], args, scale)
    for theta in (start + scale * a, start + scale * b, start + c):
        trace.note_gradients([theta])
        trace.note_step(theta.norm(), [theta])
    found = trace.summary()

    if scale == 0:  # nothing is left of the lower levels' steps
        assert "contraction" not in found
    else:
        expected = float((c - b).norm() / (b - a).norm())
        assert float(found["contraction"]) == pytest.approx(expected)
