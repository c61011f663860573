"""On a GPU steps stay where they are, masked: the same update as with the valid ones end to end."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from components.minibatch import Steps
from tests.make import make_args, make_batch, make_learner, policy_args

SETTINGS: dict[str, dict[str, Any]] = {
    "facmac_learner": {"mixer": "qmix", "action_l2": 0.5},
    "kfacmac_learner": {"mixer": "qmix-nonmonotonic", "action_l2": 0.5, "k_level": 3},
    "kmaddpg_learner": {"action_l2": 0.5, "k_level": 2},
}


def trained(learner: str, in_place: bool, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    if in_place:
        monkeypatch.setattr(Steps, "packs", lambda *_: False)
    made = make_learner(policy_args(True, learner=learner, td_lambda=0.8, **SETTINGS[learner]))
    logged: dict[str, Any] = {}
    made.logger.log_stat = lambda key, value, t_env: logged.update({key: value})
    for update in range(3):
        made.train(make_batch(made.args, seed=update), t_env=10**6 * update, episode_num=update)
    logged.pop("k/seconds", None)
    logged["actors"] = parameters(made.mac)
    logged["critic"] = parameters(made.critic)
    return logged


def parameters(network: Any) -> Tensor:
    return torch.cat([p.detach().reshape(-1) for p in network.parameters()])


@pytest.mark.parametrize("learner", SETTINGS)
def test_masking_equals_picking(learner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Continuous policies, which draw nothing: numbers drawn for padding would shift the others."""
    packed = trained(learner, False, monkeypatch)
    in_place = trained(learner, True, monkeypatch)

    assert packed.keys() == in_place.keys()
    for key, value in packed.items():
        torch.testing.assert_close(value, in_place[key], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("learner", [*SETTINGS, "q_learner"])
def test_nothing_is_waited_for_between_logs(learner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs a number of the device on the host would stop a GPU's queue."""
    monkeypatch.setattr(Steps, "packs", lambda *_: False)
    valued = make_args(learner="q_learner", mixer="qmix")
    settings = SETTINGS.get(learner, {})
    args = valued if learner == "q_learner" else policy_args(True, learner=learner, **settings)
    made = make_learner(args)
    batch = make_batch(args)
    made.train(batch, t_env=0, episode_num=0)  # logs
    with Waits() as waits:
        made.train(batch, t_env=1, episode_num=1)

    assert waits.found == []


@pytest.mark.parametrize("learner", [*SETTINGS, "q_learner"])
def test_what_lies_in_a_gap_of_an_episode_does_not_matter(learner: str) -> None:
    """Steps before and after it count, and memory runs through it."""
    valued = make_args(learner="q_learner", mixer="qmix")
    settings = SETTINGS.get(learner, {})
    args = valued if learner == "q_learner" else policy_args(True, learner=learner, **settings)
    ends = []
    for garbage in (0.0, 1e3):
        made, batch = make_learner(args), make_batch(args)
        batch["filled"][0, 2] = 0  # neither the step to this slot nor that from it counts
        batch["reward"][0, 1:3] += garbage
        made.train(batch, t_env=0, episode_num=0)
        ends.append(parameters(made.mac))

    assert not torch.equal(ends[0], parameters(make_learner(args).mac))
    assert torch.equal(*ends)


class Waits(TorchDispatchMode):
    """Operations whose results have to be known on the host."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.split(".")[0]
        if name in self.WAITING:
            self.found.append(name)
        return func(*args, **(kwargs or {}))
