from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from components.action_selectors import REGISTRY as SELECTORS
from tests.make import (
    A,
    B,
    N,
    O,
    T,
    all_at_once,
    continuous_args,
    make_args,
    make_batch,
    make_mac,
    step_by_step,
)
from utils.errors import UserError


def test_it_speaks_for_its_policy_slot_by_slot() -> None:
    args = make_args()
    mac, batch = make_mac(args), make_batch(args)
    mac.init_hidden(B)
    said = torch.stack([mac.forward(batch, t) for t in range(T + 1)], dim=1)

    assert said.shape == (B, T + 1, N, A)
    assert torch.equal(said, step_by_step(mac.policy, batch))
    inputs = mac._build_inputs(batch, 1)
    assert inputs.shape == (B * N, O + A + N)
    assert torch.equal(inputs, mac.policy.inputs_at(batch, 1).flatten(0, 1))


def test_memory_after_a_slot_lies_as_pymarl_s_learner_of_qtran_reads_it() -> None:
    args = make_args()
    mac, batch, memories = make_mac(args), make_batch(args), []
    mac.init_hidden(B)
    for t in range(T + 1):
        mac.forward(batch, t)
        memories.append(mac.hidden_states)

    laid = torch.stack(memories, dim=1).reshape(B, N, T + 1, -1).transpose(1, 2)
    _, memory = mac.policy.unroll(mac.policy.whole(batch, T + 1))
    torch.testing.assert_close(laid, memory)


def test_an_episode_that_is_being_played_goes_on_while_its_policy_learns() -> None:
    args = make_args()
    mac, batch = make_mac(args), make_batch(args)
    mac.init_hidden(B)
    mac.select_actions(batch, t_ep=0, t_env=0)
    before = mac.hidden_states
    all_at_once(mac.policy, batch)

    assert mac.hidden_states is before


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
        assert actions.dtype == torch.float32  # FACMAC's learners give them to critics
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


class TheirSelector:
    """As PyMARL's: it is given values and knows `select_action`."""

    epsilon = 0.25

    def __init__(self, args: Any) -> None:
        self.given: list[torch.Tensor] = []

    def select_action(
        self, agent_inputs: torch.Tensor, avail: torch.Tensor, t_env: int, test_mode: bool = False
    ) -> torch.Tensor:
        self.given.append(agent_inputs)
        return avail.argmin(dim=2)


def test_a_selector_written_for_pymarl_chooses_and_is_found_as_it_was_registered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(SELECTORS, "theirs", TheirSelector)  # type: ignore[arg-type]
    args = make_args(action_selector="theirs")
    mac, batch = make_mac(args), make_batch(args)
    mac.init_hidden(B)
    actions = mac.select_actions(batch, t_ep=0, t_env=0)
    mac.init_hidden(B)

    assert isinstance(mac.action_selector, TheirSelector)
    assert mac.policy.epsilon == 0.25
    assert torch.equal(actions, batch["avail_actions"][:, 0].argmin(dim=2))
    assert torch.equal(mac.action_selector.given[0], mac.forward(batch, 0))


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
