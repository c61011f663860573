"""Every learner notices that it has diverged, and what is not finite is never saved."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from learners.contract import LearnerContract
from learners.divergence import require_finite_losses
from learners.objective import ActorStep
from pymarl.learners import learner_of
from tests.data.dropin import PlainQLearner
from tests.make import (
    continuous_args,
    full_scheme,
    make_args,
    make_batch,
    make_learner,
    make_mac,
    on_policy_args,
    policy_args,
    quiet_logger,
)
from utils.errors import DivergedError

IN_TURNS = ("happo_learner", "a2po_learner", "hatrpo_learner", "khappo_learner")
CEM = {"learner": "cq_learner", "mac": "cem_mac", "agent": "cem", "action_selector": None}
ON_POLICY = ("mappo_learner", "ippo_learner", "coma_learner", "kmappo_learner", *IN_TURNS)
OFF_POLICY = ("facmac_learner", "kfacmac_learner", "maddpg_learner", "kmaddpg_learner")


def settings_of(**changes: Any) -> dict[str, SimpleNamespace]:
    """One for every learner, and for continuous actions where it knows both."""
    valued = {
        "iql": {"mixer": None},
        "vdn": {"mixer": "vdn"},
        "qmix": {"mixer": "qmix"},
        "qtran": {"learner": "qtran_learner", "mixer": "qtran_base"},
    }
    found = {name: make_args(**given, **changes) for name, given in valued.items()}
    for name, mixer in {"comix": "qmix", "covdn": "vdn"}.items():
        found[name] = continuous_args(**{**CEM, "mixer": mixer, **changes})
    for make, names in ((policy_args, OFF_POLICY), (on_policy_args, ON_POLICY)):
        for name in names:
            mixer = "qmix" if "facmac" in name else None
            share = name not in IN_TURNS
            given = {"learner": name, "mixer": mixer, "share_parameters": share, **changes}
            found[name] = make(**given)
            if name != "coma_learner":
                found[f"{name}, continuous"] = make(True, **given)
    return found


def train(learner: Any, args: SimpleNamespace) -> None:
    """Four updates, each of which logs."""
    batch = make_batch(args)
    for update in range(4):
        learner.train(batch, t_env=10**6 * update, episode_num=update)


TOO_FAST = settings_of(lr=1e20, critic_lr=1e20)


@pytest.mark.parametrize("name", TOO_FAST)
def test_a_step_that_is_too_long_is_noticed(name: str) -> None:
    args = TOO_FAST[name]
    made = make_learner(args)
    logged: list[float] = []
    made.logger.log_stat = lambda key, value, t_env: logged.append(value)

    with pytest.raises(DivergedError, match="learning has diverged"):
        train(made, args)
    assert torch.tensor(logged).isfinite().all()  # what was no number was not logged


@pytest.mark.parametrize("name", ["iql", "qmix", "facmac_learner", "kfacmac_learner"])
def test_a_gradient_too_long_to_clip_is_noticed(name: str) -> None:
    """Its norm is infinite, so that clipping makes zeros of it: nothing is learned, unseen."""
    args = settings_of()[name]
    made, batch = make_learner(args), make_batch(args)
    before = made.largest_norm.clone()
    made.train(batch, t_env=0, episode_num=0)
    made.require_sound()
    batch["reward"][:] = 1e30
    made.train(batch, t_env=1, episode_num=1)  # logs nothing
    batch["reward"][:] = 0.0
    made.train(batch, t_env=2, episode_num=2)

    assert before == 0
    with pytest.raises(DivergedError, match="gradients"):
        made.require_sound()


class Foreign:
    """Holds its networks as learners of others may."""

    def train(self, batch: object, t_env: int, episode_num: int) -> None: ...

    def save_models(self, path: str) -> None: ...

    def load_models(self, path: str) -> None: ...

    def __init__(self) -> None:
        self.networks = {"critics": [nn.Linear(2, 2), nn.Linear(2, 2)]}
        self.mac = SimpleNamespace(agent=nn.Linear(2, 2))
        self.parameters = [nn.Parameter(torch.zeros(3))]
        network = nn.Linear(2, 2)
        network.register_buffer("mask", torch.full((2,), -torch.inf))  # as those of attention
        self.optimiser = torch.optim.Adam(network.parameters())
        network(torch.ones(2)).sum().backward()
        self.optimiser.step()
        self.network, self.best, self.args = network, -torch.inf, SimpleNamespace()


def adapted(learner: Any) -> LearnerContract:
    return learner_of(learner, "theirs", quiet_logger().console_logger)


def test_weights_are_found_wherever_a_foreign_learner_holds_them() -> None:
    adapted(Foreign()).require_sound()
    places = {
        "list": lambda it: it.networks["critics"][1].weight,
        "mac": lambda it: it.mac.agent.bias,
        "parameter": lambda it: it.parameters[0],
        "network": lambda it: it.network.weight,
        "optimiser": lambda it: it.optimiser.state[it.network.weight]["exp_avg_sq"],
    }
    for place, find in places.items():
        for value in (torch.nan, torch.inf):
            broken = Foreign()
            find(broken).data.view(-1)[-1] = value
            with pytest.raises(
                DivergedError, match="optimiser" if place == "optimiser" else "weights"
            ):
                adapted(broken).require_sound()


def test_a_learner_written_for_pymarl_is_watched_too() -> None:
    args = make_args(mixer="vdn", lr=1e20)
    made = PlainQLearner(make_mac(args), full_scheme(args), quiet_logger(), args)
    adapted(made).require_sound()
    train(made, args)

    with pytest.raises(DivergedError, match="weights"):
        adapted(made).require_sound()
    batch = make_batch(args)
    batch["reward"][:] = torch.inf
    made.train(batch, t_env=10**7, episode_num=0)
    with pytest.raises(DivergedError, match="'loss'"):
        require_finite_losses(made.logger.stats)


def test_what_an_environment_measured_is_no_sign_of_divergence() -> None:
    require_finite_losses({"loss_mean": [(0, torch.nan)], "k/cosine": [(0, torch.nan)]})
    require_finite_losses({"loss": [(0, 1e30)], "grad_norm": [(0, 0.0)]})


def test_levels_tell_the_norm_of_their_step(monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_learner(policy_args(learner="kfacmac_learner", mixer="qmix"))
    endless = ActorStep(torch.zeros(()), torch.tensor(torch.inf))
    monkeypatch.setattr(made.levels, "step", lambda *_: endless)
    made.step_actors(None, None, 0, False)

    with pytest.raises(DivergedError, match="gradients"):
        made.require_sound()
