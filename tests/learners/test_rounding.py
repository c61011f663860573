"""Steps that are added to make a round number change nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from modules.kernels import PLAIN, Kernels, layers_made_with
from modules.products import Products
from tests.make import make_args, make_batch, make_learner, on_policy_args, policy_args

SETTINGS: dict[str, dict[str, Any]] = {
    "facmac_learner": {"mixer": "qmix", "action_l2": 0.5},
    "kfacmac_learner": {"mixer": "qmix-nonmonotonic", "k_level": 3},
    "kmaddpg_learner": {"k_level": 2},
}


class FiveMore(Products):
    """Multiplies numbers of rows that are rounded up by five."""

    def rounded_up(self, rows: int) -> int:
        return rows + 5


def trained(args: Any, kernels: Kernels) -> Tensor:
    with layers_made_with(kernels):
        made = make_learner(args)
    for update in range(3):
        batch = make_batch(made.args, seed=update)
        torch.manual_seed(update)  # what is added draws noise, too, after all others
        made.train(batch, t_env=update, episode_num=update)
    networks = [made.mac, *([made.critic] if hasattr(made, "critic") else [])]
    return torch.cat([p.detach().reshape(-1) for n in networks for p in n.parameters()])


def compare(args: Any) -> None:
    plain, rounded = trained(args, PLAIN), trained(args, Kernels(FiveMore()))

    torch.testing.assert_close(rounded, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("agent", ["rnn", "mlp"])
@pytest.mark.parametrize("learner", SETTINGS)
def test_policies(learner: str, agent: str, continuous: bool) -> None:
    settings = {"learner": learner, "agent": agent, "td_lambda": 0.8, **SETTINGS[learner]}
    compare(policy_args(continuous, **settings))


@pytest.mark.parametrize("mixer", [None, "vdn", "qmix"])
def test_values(mixer: str | None) -> None:
    compare(make_args(learner="q_learner", mixer=mixer))


@pytest.mark.parametrize("learner", ["mappo_learner", "ippo_learner", "kmappo_learner"])
def test_rounds(learner: str) -> None:
    compare(on_policy_args(learner=learner, lr=0.001, epochs=2))
