"""Steps that are added to make a round number change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from components import minibatch
from tests.make import make_args, make_batch, make_learner, policy_args

SETTINGS: dict[str, dict[str, Any]] = {
    "facmac_learner": {"mixer": "qmix", "action_l2": 0.5},
    "kfacmac_learner": {"mixer": "qmix-nonmonotonic", "k_level": 3},
    "kmaddpg_learner": {"k_level": 2},
}


def trained(args: Any, round_up: Callable[[int], int], monkeypatch: pytest.MonkeyPatch) -> Tensor:
    monkeypatch.setattr(minibatch, "rounded_up", round_up)
    made = make_learner(args)
    for update in range(3):
        batch = make_batch(made.args, seed=update)
        torch.manual_seed(update)  # what is added draws noise, too, after all others
        made.train(batch, t_env=update, episode_num=update)
    networks = [made.mac, *([made.critic] if hasattr(made, "critic") else [])]
    return torch.cat([p.detach().reshape(-1) for n in networks for p in n.parameters()])


def compare(args: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = trained(args, int, monkeypatch)
    rounded = trained(args, lambda n: n + 5, monkeypatch)

    torch.testing.assert_close(rounded, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("agent", ["rnn", "mlp"])
@pytest.mark.parametrize("learner", SETTINGS)
def test_policies(
    learner: str, agent: str, continuous: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"learner": learner, "agent": agent, "td_lambda": 0.8, **SETTINGS[learner]}
    compare(policy_args(continuous, **settings), monkeypatch)


@pytest.mark.parametrize("mixer", [None, "vdn", "qmix"])
def test_values(mixer: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    compare(make_args(learner="q_learner", mixer=mixer), monkeypatch)
