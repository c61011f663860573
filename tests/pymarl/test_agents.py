"""Networks written for another repository's controller, under ours."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from components.minibatch import Minibatch
from controllers import REGISTRY as CONTROLLERS
from modules.agents import REGISTRY as AGENTS
from modules.agents.rnn_agent import RNNAgent
from pymarl.policies import policy_of
from tests.data.ordered import OrderedPolicy
from tests.make import (
    N,
    T,
    actors,
    all_at_once,
    double_batch,
    make_args,
    make_batch,
    make_learner,
    make_mac,
    on_policy_args,
    policy_args,
    step_by_step,
)
from utils.errors import UserError


class OnlyForward(nn.Module):
    """As PyMARL's: one slot at a time, and nothing to go through many with."""

    def __init__(self, input_shape: int, args: Any) -> None:
        super().__init__()
        self._agent = RNNAgent(input_shape, args)

    def init_hidden(self) -> Tensor:
        return self._agent.init_hidden()

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> Any:
        return self._agent(inputs, hidden_state)


class Louder(RNNAgent):
    """Says in the one method that PyMARL calls what the inherited `unroll` does not know."""

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> Any:
        outputs, hidden = super().forward(inputs, hidden_state)
        return 2 * outputs, hidden


class Remembering(RNNAgent):
    """Begins with a memory."""

    def init_hidden(self) -> Tensor:
        return super().init_hidden() + 1


class OfTeams(RNNAgent):
    """As PyMARL2's: inputs (B, N, F), answers (B, N, ...)."""

    def forward(self, inputs: Any, hidden_state: Any) -> Any:
        episodes, agents, _ = inputs.shape
        outputs, hidden = super().forward(inputs.flatten(0, 1), hidden_state)
        return outputs.reshape(episodes, agents, -1), hidden.reshape(episodes, agents, -1)


class InADict(RNNAgent):
    """As FACMAC's."""

    def forward(self, inputs: Any, hidden_state: Any) -> Any:
        outputs, hidden = super().forward(inputs, hidden_state)
        return {"actions": outputs, "hidden_state": hidden}


LEARNERS: dict[str, Callable[..., Any]] = {
    "q_learner": partial(make_args, mixer="qmix"),
    "qtran_learner": partial(make_args, mixer="qtran_base"),
    "kfacmac_learner": partial(policy_args, mixer="qmix", k_level=2),
    "kmaddpg_learner": partial(policy_args, k_level=2),
    "mappo_learner": partial(on_policy_args, chunk_length=3),
    "kmappo_learner": partial(on_policy_args, minibatches=2),
    "coma_learner": partial(on_policy_args, action_selector="multinomial"),
}


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize(
    ("learner", "mac"),
    [*((name, "basic_mac") for name in LEARNERS), ("kmappo_learner", "ordered")],
)
def test_a_network_that_only_steps_learns_what_one_that_unrolls_learns(
    learner: str, mac: str, share: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(AGENTS, "theirs", OnlyForward)  # type: ignore[arg-type]
    monkeypatch.setitem(CONTROLLERS, "ordered", OrderedPolicy)  # type: ignore[arg-type]
    ends = []
    for agent in ("rnn", "theirs"):
        settings = {"learner": learner, "mac": mac, "agent": agent, "share_parameters": share}
        made = make_learner(LEARNERS[learner](**settings))
        torch.manual_seed(0)
        for update in range(2):
            made.train(double_batch(made.args, seed=update), update, update)
        ends.append(actors(made))

    assert not made.policy.packs
    torch.testing.assert_close(*ends)


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("agent", [OnlyForward, Louder, Remembering])
def test_what_a_network_overrides_is_learned_with_as_it_acts(
    agent: type, share: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(AGENTS, "theirs", agent)
    args = make_args(agent="theirs", share_parameters=share)
    policy, batch = make_mac(args).policy, make_batch(args)
    minibatch, acting = Minibatch(batch), step_by_step(policy, batch)
    views = policy.views(minibatch)

    assert torch.equal(all_at_once(policy, batch), acting)
    assert torch.equal(policy.outputs(views.now), minibatch.steps.take(acting))
    assert torch.equal(policy.outputs(views.next), minibatch.steps.take(acting, first=1))


def mac_of(agent: type, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(AGENTS, "theirs", agent)
    return make_mac(make_args(agent="theirs"))


def test_networks_of_teams_act_and_learn_as_those_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    teams, rows = mac_of(OfTeams, monkeypatch).policy, make_mac(make_args()).policy
    batch = make_batch(make_args())

    torch.testing.assert_close(step_by_step(teams, batch), step_by_step(rows, batch))
    torch.testing.assert_close(all_at_once(teams, batch), all_at_once(rows, batch))


class Theirs:
    """A controller that is not ours: PyMARL2's, whose networks take what it builds."""

    def __init__(self, args: Any) -> None:
        self._ours = make_mac(args)
        self.args, self.n_agents, self.agent = args, N, self._ours.agent

    def _build_inputs(self, batch: Any, t: int) -> Tensor:
        return self._ours._build_inputs(batch, t).reshape(batch.batch_size, N, -1)

    def init_hidden(self, batch_size: int) -> None:
        self.hidden_states = self.agent.init_hidden().unsqueeze(0).expand(batch_size, N, -1)

    def forward(self, batch: Any, t: int, test_mode: bool = False) -> Tensor:
        outputs, self.hidden_states = self.agent(self._build_inputs(batch, t), self.hidden_states)
        return outputs

    def select_actions(
        self, batch: Any, t_ep: int, t_env: int, bs: Any = slice(None), test_mode: bool = False
    ) -> Tensor:
        return self.forward(batch, t_ep)[bs].argmax(dim=2)

    def parameters(self) -> Any:
        return self.agent.parameters()


def test_networks_of_teams_learn_with_the_controller_they_were_written_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(AGENTS, "theirs", OfTeams)
    args = policy_args(agent="theirs")
    batch, minibatch = make_batch(args), Minibatch(make_batch(args))
    policy, rows = policy_of(Theirs(args), reads="rows"), make_mac(policy_args()).policy

    expected = minibatch.steps.take(all_at_once(rows, batch))
    for each in (policy, copy.deepcopy(policy)):  # a target reads the views of another
        torch.testing.assert_close(each.outputs(policy.views(minibatch).now), expected)


class Forgetful(Theirs):
    """Remembers nothing: its networks' memory is always the first."""

    def init_hidden(self, batch_size: int) -> None:
        self.hidden_states: Any = None

    def forward(self, batch: Any, t: int, test_mode: bool = False) -> Tensor:
        super().init_hidden(batch.batch_size)
        outputs = super().forward(batch, t)
        self.init_hidden(batch.batch_size)
        return outputs


def test_a_controller_without_memory_is_learned_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(AGENTS, "theirs", OfTeams)
    args = make_args(agent="theirs")
    batch, mac = make_batch(args), Forgetful(args)
    expected = torch.stack([mac.forward(batch, t) for t in range(T + 1)], dim=1)

    assert torch.equal(all_at_once(policy_of(mac), batch), expected)


class WithTwoMemories(RNNAgent):
    """As an LSTM."""

    def forward(self, inputs: Any, hidden_state: Any) -> Any:
        outputs, hidden = super().forward(inputs, hidden_state[0])
        return outputs, (hidden, hidden)


class TheirsWithTwo(Theirs):
    def init_hidden(self, batch_size: int) -> None:
        super().init_hidden(batch_size)
        self.hidden_states = (self.hidden_states, self.hidden_states)


def test_networks_with_two_memories_take_rows() -> None:
    args, rows = policy_args(), make_mac(policy_args()).policy
    batch, mac = make_batch(args), TheirsWithTwo(args)
    mac.agent.__class__ = WithTwoMemories
    policy = policy_of(mac, reads="rows")

    torch.testing.assert_close(all_at_once(policy, batch), all_at_once(rows, batch))


def test_asking_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    teams = mac_of(OfTeams, monkeypatch)
    after = torch.rand(3)
    rows = make_mac(make_args())

    assert torch.equal(torch.rand(3), after)
    for theirs, ours in zip(teams.parameters(), rows.parameters(), strict=True):
        assert torch.equal(theirs, ours)


def test_another_kind_of_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"agent=theirs does not fit .*\n.* a dict of actions, hid"):
        mac_of(InADict, monkeypatch)
