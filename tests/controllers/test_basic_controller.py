from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from components.minibatch import valid_steps
from components.steps import Steps
from controllers.basic_controller import BasicMAC
from learners.recall import Recall
from learners.retrace import actor_inputs, unrolled_inputs
from modules.agents import REGISTRY as AGENTS
from modules.agents.rnn_agent import RNNAgent
from tests.make import A, B, N, O, T, continuous_args, full_scheme, make_args, make_batch, make_mac
from utils.errors import UserError

KINDS = [("rnn", True), ("rnn", False), ("mlp", True), ("mlp", False)]


def step_by_step(mac: BasicMAC, batch) -> torch.Tensor:  # noqa: ANN001
    mac.init_hidden(batch.batch_size)
    return torch.stack([mac.forward(batch, t) for t in range(batch.max_seq_length)], dim=1)


@pytest.mark.parametrize(("agent", "share"), KINDS)
def test_unrolling_whole_episodes_equals_stepping_through_them(agent: str, share: bool) -> None:
    args = make_args(agent=agent, share_parameters=share)
    mac, batch = make_mac(args), make_batch(args)

    outputs = mac.unroll(batch).outputs

    assert outputs.shape == (B, T + 1, N, A)
    torch.testing.assert_close(outputs, step_by_step(mac, batch), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("agent", "share"), KINDS)
def test_both_ways_have_the_same_gradient(agent: str, share: bool) -> None:
    args = make_args(agent=agent, share_parameters=share)
    mac, batch = make_mac(args), make_batch(args)

    def gradients(outputs: torch.Tensor) -> list[torch.Tensor]:
        return list(torch.autograd.grad(outputs.square().sum(), list(mac.parameters())))

    whole, stepped = gradients(mac.unroll(batch).outputs), gradients(step_by_step(mac, batch))
    for one, other in zip(whole, stepped, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_an_agent_written_for_pymarl_is_unrolled_step_by_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Foreign(nn.Module):
        """No `unroll`, and a hidden state that matters."""

        def __init__(self, input_shape: int, args) -> None:  # noqa: ANN001
            super().__init__()
            self.cell = nn.GRUCell(input_shape, 4)
            self.out = nn.Linear(4, args.n_actions)

        def init_hidden(self) -> torch.Tensor:
            return self.out.weight.new_zeros(1, 4)

        def forward(self, inputs, hidden):  # noqa: ANN001, ANN202
            hidden = self.cell(inputs, hidden.reshape(-1, 4))
            return self.out(hidden), hidden

    monkeypatch.setitem(AGENTS, "foreign", Foreign)  # type: ignore[arg-type]
    for share in (True, False):
        args = make_args(agent="foreign", share_parameters=share)
        mac, batch = make_mac(args), make_batch(args)
        mac.init_hidden(B)
        before = mac.hidden_states

        unrolled = mac.unroll(batch)

        assert unrolled.features.shape == (B, T + 1, N, 4)
        assert mac.hidden_states is before  # an episode that is being played goes on
        assert torch.equal(unrolled.outputs, step_by_step(mac, batch))


class Louder(RNNAgent):
    """Says in the one method that PyMARL calls what the inherited `unroll` does not know."""

    def forward(self, inputs: torch.Tensor, hidden_state: torch.Tensor) -> Any:
        outputs, hidden = super().forward(inputs, hidden_state)
        return 2 * outputs, hidden


class Remembering(RNNAgent):
    """Begins with a memory."""

    def init_hidden(self) -> torch.Tensor:
        return super().init_hidden() + 1


class Squinting(BasicMAC):
    """Sees half."""

    def _build_inputs(self, batch: Any, t: int) -> torch.Tensor:
        return super()._build_inputs(batch, t) / 2


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize(
    ("agent", "mac_class"), [(Louder, BasicMAC), (Remembering, BasicMAC), (RNNAgent, Squinting)]
)
def test_what_a_subclass_overrides_is_learned_with_as_it_acts(
    agent: type, mac_class: type[BasicMAC], share: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(AGENTS, "changed", agent)  # type: ignore[arg-type]
    args = make_args(agent="changed", share_parameters=share)
    mac, batch = mac_class(full_scheme(args), {"agents": N}, args), make_batch(args)
    acting = step_by_step(mac, batch)

    steps = Steps(valid_steps(batch["filled"], batch["terminated"]))
    assert torch.equal(Recall(mac, batch, steps).now(mac), steps.take(acting))
    assert torch.equal(mac.unroll(batch).outputs, acting)
    assert torch.equal(unrolled_inputs(mac, *actor_inputs(mac, batch, T + 1))[0], acting)


def test_inputs_are_observation_last_action_and_agent_id_in_this_order() -> None:
    args = make_args()
    mac, batch = make_mac(args), make_batch(args)

    first, second = mac._build_inputs(batch, 0), mac._build_inputs(batch, 1)

    assert first.shape == (B * N, O + A + N)
    first, second = first.reshape(B, N, -1), second.reshape(B, N, -1)
    assert torch.equal(second[..., :O], batch["obs"][:, 1])
    assert torch.equal(first[..., O : O + A], torch.zeros(B, N, A))
    assert torch.equal(second[..., O : O + A], batch["actions_onehot"][:, 0])
    assert torch.equal(second[..., O + A :], torch.eye(N).expand(B, N, N))


@pytest.mark.parametrize("last_action", [True, False])
@pytest.mark.parametrize("agent_id", [True, False])
def test_inputs_for_all_slots_equal_those_for_each(last_action: bool, agent_id: bool) -> None:
    args = make_args(obs_last_action=last_action, obs_agent_id=agent_id)
    mac, batch = make_mac(args), make_batch(args)

    together = mac.build_all_inputs(batch, T + 1)

    for t in range(T + 1):
        assert torch.equal(together[:, t].reshape(B * N, -1), mac._build_inputs(batch, t))


def test_separate_networks_learn_only_from_their_own_agent() -> None:
    args = make_args(share_parameters=False)
    mac, batch = make_mac(args), make_batch(args)

    mac.unroll(batch).outputs[:, :, 1].sum().backward()

    moved = [any(p.grad.abs().sum() > 0 for p in net.parameters() if p.grad is not None)
             for net in mac.agent.agents]  # fmt: skip
    assert moved == [False, True, False]


def test_separate_networks_with_equal_weights_equal_a_shared_one() -> None:
    shared, separate = make_mac(make_args()), make_mac(make_args(share_parameters=False))
    for network in separate.agent.agents:
        network.load_state_dict(shared.agent.state_dict())
    batch = make_batch(make_args())

    torch.testing.assert_close(separate.unroll(batch).outputs, shared.unroll(batch).outputs)


def test_only_the_chosen_episodes_act_and_only_available_actions() -> None:
    args = make_args(epsilon_start=1.0, epsilon_finish=1.0)
    mac, batch = make_mac(args), make_batch(args)
    for _ in range(20):
        mac.init_hidden(B)
        actions = mac.select_actions(batch, t_ep=0, t_env=0, bs=[0, 3])
        avail = batch["avail_actions"][[0, 3], 0]
        assert actions.shape == (2, N)
        assert actions.dtype == torch.int64
        assert avail.gather(2, actions.unsqueeze(2)).all()


def test_tests_are_greedy_and_leave_the_training_epsilon_alone() -> None:
    args = make_args(epsilon_start=1.0, epsilon_finish=0.5, epsilon_anneal_time=100)
    mac, batch = make_mac(args), make_batch(args)
    mac.init_hidden(B)
    mac.select_actions(batch, t_ep=0, t_env=50)
    mac.init_hidden(B)
    actions = mac.select_actions(batch, t_ep=0, t_env=50, test_mode=True)

    mac.init_hidden(B)
    values = mac.forward(batch, 0).masked_fill(batch["avail_actions"][:, 0] == 0, -1e9)
    assert torch.equal(actions, values.argmax(dim=2))
    assert mac.action_selector.epsilon == 0.75


def test_policies_are_probabilities_with_a_floor_for_what_is_available() -> None:
    args = make_args(agent_output_type="pi_logits", action_selector="multinomial")
    args.epsilon_start = args.epsilon_finish = 0.4
    mac, batch = make_mac(args), make_batch(args)
    mac.init_hidden(B)

    probs = mac.forward(batch, 0)

    avail = batch["avail_actions"][:, 0]
    torch.testing.assert_close(probs.sum(dim=2), torch.ones(B, N))
    assert (probs[avail == 0] == 0).all()
    floor = (0.4 / avail.sum(dim=2, keepdim=True)).expand_as(probs)[avail == 1]
    assert (probs[avail == 1] >= floor).all()


def test_gumbel_policies_give_one_hots_of_available_actions() -> None:
    args = make_args(agent_output_type="pi_logits", action_selector="gumbel")
    mac, batch = make_mac(args), make_batch(args)
    for mode in ({"test_mode": True}, {"test_mode": False}, {"explore": False}):
        mac.init_hidden(B)
        actions = mac.select_actions(batch, t_ep=0, t_env=0, **mode)
        assert actions.shape == (B, N, A)
        assert torch.equal(actions.sum(dim=2), torch.ones(B, N))
        assert actions.requires_grad == ("explore" in mode)
        chosen = actions.argmax(dim=2, keepdim=True)
        assert batch["avail_actions"][:, 0].gather(2, chosen).all()


def test_gumbel_explores_with_epsilon_and_learns_without() -> None:
    args = make_args(agent_output_type="pi_logits", action_selector="gumbel")
    args.epsilon_start, args.epsilon_finish = 1.0, 0.0
    mac, batch = make_mac(args), make_batch(args)
    torch.nn.init.zeros_(mac.agent.fc2.weight)  # the policy: always the first action
    mac.agent.fc2.bias.data = torch.tensor([50.0] + [0.0] * (A - 1))

    def share_of_the_first(**mode: Any) -> float:
        mac.init_hidden(B)
        draws = [mac.select_actions(batch, t_ep=0, **mode) for _ in range(200)]
        return torch.stack(draws)[..., 0].mean(dtype=torch.float).item()

    available = batch["avail_actions"][:, 0].sum(dim=2)  # (B, N)
    uniform = (1 / available).mean().item()
    assert share_of_the_first(t_env=0) == pytest.approx(uniform, abs=0.05)
    assert mac.action_selector.epsilon == 1.0
    assert share_of_the_first(t_env=0, explore=False) == 1.0
    assert share_of_the_first(t_env=0, test_mode=True) == 1.0
    assert share_of_the_first(t_env=args.epsilon_anneal_time) == 1.0


def test_continuous_actions_stay_within_bounds() -> None:
    args = continuous_args(act_noise=5.0)
    mac, batch = make_mac(args), make_batch(args)
    mac.init_hidden(B)

    actions = mac.select_actions(batch, t_ep=0, t_env=0)

    assert actions.shape == (B, N, A)
    assert actions.min() == -1.0
    assert actions.max() == 2.0


def test_a_shallow_copy_shares_the_networks_and_not_the_memory() -> None:
    mac = make_mac(make_args())
    acting = copy.copy(mac)
    acting.init_hidden(2)

    assert acting.agent is mac.agent
    assert mac.hidden_states is None


def test_weights_travel_by_file_and_by_load_state(tmp_path: Path) -> None:
    first, second, third = (make_mac(make_args(), seed) for seed in (1, 2, 3))
    first.save_models(str(tmp_path))
    second.load_models(str(tmp_path))
    third.load_state(first)

    for other in (second, third):
        for one, two in zip(first.parameters(), other.parameters(), strict=True):
            assert torch.equal(one, two)


def test_agent_files_have_pymarl_parameter_names(tmp_path: Path) -> None:
    make_mac(make_args()).save_models(str(tmp_path))

    names = torch.load(tmp_path / "agent.th").keys()

    assert set(names) == {
        *(f"{layer}.{kind}" for layer in ("fc1", "fc2") for kind in ("weight", "bias")),
        *(f"rnn.{kind}_{way}" for kind in ("weight", "bias") for way in ("ih", "hh")),
    }


def test_a_file_of_another_shape_is_refused_with_the_settings_to_check(tmp_path: Path) -> None:
    make_mac(make_args(rnn_hidden_dim=8)).save_models(str(tmp_path))

    with pytest.raises(UserError, match="rnn_hidden_dim"):
        make_mac(make_args()).load_models(str(tmp_path))


def test_the_scheme_decides_the_input_size() -> None:
    args = continuous_args()
    assert make_mac(args)._get_input_shape(full_scheme(args)) == O + A + N
