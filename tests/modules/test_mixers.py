from __future__ import annotations

import pytest
import torch
from torch import Tensor

from modules.mixers import REGISTRY as MIXERS
from modules.mixers.sums import VDNMixer
from pymarl.mixers import mixer_of
from tests.make import B, N, S, T, make_args, make_batch
from utils.errors import UserError

VALUE_MIXERS = ["vdn", "vdn-s", "qmix", "qmix-nonmonotonic"]


def sample(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(B, T, N, generator=random), torch.randn(B, T, S, generator=random)


def slopes(mixer: torch.nn.Module) -> torch.Tensor:
    """dQtot / dQ_i. (B, T, N)"""
    qs, states = sample()
    qs.requires_grad_()
    return torch.autograd.grad(mixer(qs, states).sum(), qs)[0]


@pytest.mark.parametrize("name", VALUE_MIXERS)
@pytest.mark.parametrize("layers", [1, 2])
def test_shapes(name: str, layers: int) -> None:
    mixer = MIXERS[name](make_args(hypernet_layers=layers))

    assert mixer(*sample()).shape == (B, T, 1)


@pytest.mark.parametrize("name", VALUE_MIXERS)
def test_every_step_is_mixed_on_its_own(name: str) -> None:
    mixer, (qs, states) = MIXERS[name](make_args()), sample()

    together = mixer(qs, states)

    alone = mixer(qs[1:2, 2:3], states[1:2, 2:3])
    torch.testing.assert_close(together[1:2, 2:3], alone)


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("skip", [True, False])
def test_qmix_is_monotonic(gated: bool, skip: bool) -> None:
    torch.manual_seed(0)
    mixer = MIXERS["qmix"](make_args(gated=gated, skip_connections=skip))

    assert (slopes(mixer) >= 0).all()


def test_without_the_constraint_slopes_have_both_signs() -> None:
    torch.manual_seed(0)
    found = slopes(MIXERS["qmix-nonmonotonic"](make_args()))

    assert (found > 0).any()
    assert (found < 0).any()


def test_both_qmix_variants_agree_where_all_weights_are_positive() -> None:
    args = make_args()
    qmix, free = MIXERS["qmix"](args), MIXERS["qmix-nonmonotonic"](args)
    with torch.no_grad():
        for network in (qmix.hyper_w_1, qmix.hyper_w_final):
            network.weight.zero_()
            network.bias.abs_()
    free.load_state_dict(qmix.state_dict())

    assert torch.equal(qmix(*sample()), free(*sample()))


def test_the_skip_connection_adds_the_sum() -> None:
    plain, skipping = (MIXERS["qmix"](make_args(skip_connections=s)) for s in (False, True))
    skipping.load_state_dict(plain.state_dict())
    qs, states = sample()

    difference = skipping(qs, states) - plain(qs, states)

    torch.testing.assert_close(difference, qs.sum(dim=2, keepdim=True))


def test_vdn_is_the_sum_and_needs_no_settings() -> None:
    qs, states = sample()

    assert torch.equal(VDNMixer()(qs, states), qs.sum(dim=2, keepdim=True))


@pytest.mark.parametrize("name", VALUE_MIXERS)
def test_values_may_lie_as_facmac_s_learners_lay_them(name: str) -> None:
    mixer, (qs, states) = MIXERS[name](make_args()), sample()

    expected = mixer(qs, states)

    laid = qs.reshape(B * T, N, 1) if name == "vdn" else qs.reshape(B, T * N, 1)
    assert torch.equal(mixer(laid, states), expected)


def test_vdn_s_adds_a_value_of_the_state_alone() -> None:
    mixer, (qs, states) = MIXERS["vdn-s"](make_args()), sample()

    value = mixer(qs, states) - qs.sum(dim=2, keepdim=True)

    torch.testing.assert_close(value, mixer(torch.zeros_like(qs), states), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("layers", [1, 2])
def test_nonzero_initialisation_spreads_the_last_bias(layers: int) -> None:
    torch.manual_seed(0)
    args = make_args(hyper_initialization_nonzeros=4, hypernet_layers=layers, mixing_embed_dim=999)
    mixer = MIXERS["qmix"](args)
    last = mixer.hyper_w_1 if layers == 1 else mixer.hyper_w_1[-1]

    assert float(last.bias.detach().std()) == pytest.approx(0.5, rel=0.1)


def test_parameter_names_are_those_of_pymarl() -> None:
    names = MIXERS["qmix"](make_args(hypernet_layers=2)).state_dict().keys()

    assert {name.split(".")[0] for name in names} == {
        "hyper_w_1",
        "hyper_w_final",
        "hyper_b_1",
        "V",
    }
    assert "hyper_w_1.2.bias" in names


def test_qtran_values_the_agents_as_a_set() -> None:
    args = make_args(mixer="qtran_base")
    mixer = MIXERS["qtran_base"](args)
    features = torch.randn(B, T, N, args.rnn_hidden_dim)
    actions, states = torch.randn(B, T, N, args.n_actions), torch.randn(B, T, S)
    order = [2, 0, 1]

    joint, value = mixer.values(states, features, actions)
    swapped, _ = mixer.values(states, features[:, :, order], actions[:, :, order])

    assert joint.shape == value.shape == (B, T, 1)
    torch.testing.assert_close(joint, swapped)


def test_unknown_names_are_answered() -> None:
    with pytest.raises(UserError, match="Did you mean 'qmix'"):
        MIXERS["qmx"]
    with pytest.raises(UserError, match="1 or 2"):
        MIXERS["qmix"](make_args(hypernet_layers=3))


def test_qtran_answers_pymarl_s_learner() -> None:
    """Which gives it the batch, and has a row for each step."""
    args = make_args(mixer="qtran_base")
    mixer, batch = MIXERS["qtran_base"](args), make_batch(args)[:, :-1]
    features = torch.randn(B, T, N, args.rnn_hidden_dim)
    taken = batch["actions_onehot"].float()

    joint, value = mixer(batch, features)
    other, _ = mixer(batch, hidden_states=features, actions=taken.flip(-1))

    expected = mixer.values(batch["state"], features, taken)
    torch.testing.assert_close((joint, value), tuple(each.reshape(B * T, 1) for each in expected))
    assert not torch.equal(joint, other)


class AddingSteps(torch.nn.Module):
    """FACMAC's VDN, which its learners give (B*T, N, 1)."""

    def forward(self, qs: Tensor, states: Tensor) -> Tensor:
        return qs.sum(dim=1, keepdim=True)


@pytest.mark.parametrize("steps", [N, T])
def test_a_mixer_that_adds_over_steps_is_refused(steps: int) -> None:
    """With as many steps as agents, too, where the numbers would be as many."""
    mixer = mixer_of(AddingSteps())
    assert mixer is not None

    with pytest.raises(UserError, match=r"AddingSteps gave a tensor \(1, 1, 3\).*adds over"):
        mixer(torch.ones(1, steps, N), torch.ones(1, steps, S))
