"""Networks written for another repository's controller, under ours."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from modules.agents import REGISTRY as AGENTS
from modules.agents.rnn_agent import RNNAgent
from tests.make import all_at_once, make_args, make_batch, make_mac, step_by_step
from utils.errors import UserError


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


def mac_of(agent: type, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(AGENTS, "theirs", agent)
    return make_mac(make_args(agent="theirs"))


def test_networks_of_teams_act_and_learn_as_those_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    teams, rows = mac_of(OfTeams, monkeypatch).policy, make_mac(make_args()).policy
    batch = make_batch(make_args())

    torch.testing.assert_close(step_by_step(teams, batch), step_by_step(rows, batch))
    torch.testing.assert_close(all_at_once(teams, batch), all_at_once(rows, batch))


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
