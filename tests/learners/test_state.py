"""What a learner declares is what training changes, and is enough to go on bit for bit."""

from __future__ import annotations

import copy
import types
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from learners import REGISTRY as LEARNERS
from learners.q_learner import QLearner
from learners.state import declared
from records.checkpoint import load_state, save_state
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

CEM = {"learner": "cq_learner", "mac": "cem_mac", "agent": "cem", "action_selector": None}
OF_THE_RUN = ("args", "logger", "scheme")
SCRATCH = ("levels.shadow.", "levels.shadow_params.", "shadows.")  # set anew before each use
TEAM = {"learner": "team_learner", "mac": "team_mac", "mixer": None, "rnn_hidden_dim": 8}
GUIDED = {"learner": "magpo_learner", "mac": "guided_mac", "mixer": None, "rnn_hidden_dim": 8}
KLEVEL = {"k_level": 3, "k_opt_state": "per_level"}
APART = {"share_parameters": False, "turn_order": "semi_greedy"}
SETTINGS = {
    "iql": make_args(mixer=None),
    "qmix": make_args(mixer="qmix", target_update_mode="soft", target_update_tau=0.1),
    "qtran": make_args(learner="qtran_learner", mixer="qtran_base"),
    "comix": continuous_args(**{**CEM, "mixer": "qmix"}),
    "facmac": policy_args(learner="facmac_learner", mixer="qmix"),
    "kfacmac": policy_args(learner="kfacmac_learner", mixer="qmix", **KLEVEL),
    "maddpg": policy_args(learner="maddpg_learner", mixer=None),
    "kmaddpg": policy_args(True, learner="kmaddpg_learner", mixer=None, **KLEVEL),
    "coma": on_policy_args(learner="coma_learner", mixer=None),
    "ippo": on_policy_args(learner="ippo_learner", mixer=None, critic_targets=True),
    "mappo": on_policy_args(True, learner="mappo_learner", mixer=None, lr_anneal=True),
    "mat": on_policy_args(True, **TEAM, agent="mat", minibatches=2),
    "sable": on_policy_args(**TEAM, agent="sable", critic_targets=True, team_ratio="joint"),
    "magpo": on_policy_args(**GUIDED, minibatches=2, critic_targets=True),
    "ctds": on_policy_args(True, **GUIDED, guide_bound=None, guide_rl=0.0),
    "kmappo": on_policy_args(learner="kmappo_learner", mixer=None, minibatches=2, **KLEVEL),
    "happo": on_policy_args(learner="happo_learner", mixer=None, minibatches=2, **APART),
    "hatrpo": on_policy_args(learner="hatrpo_learner", mixer=None, **APART),
    "khappo": on_policy_args(
        learner="khappo_learner", mixer=None, k_level=3, k_opt_state="per_level", **APART
    ),
    "bppo": on_policy_args(learner="bppo_learner", mac="ordered_mac", mixer=None, **APART),
    "bnmappo": on_policy_args(
        learner="bnmappo_learner", mac="graph_mac", graph="learned", mixer=None
    ),
    "a2po": on_policy_args(True, learner="a2po_learner", mixer=None, critic_targets=True, **APART),
}


def train(learner: Any, args: SimpleNamespace, updates: range) -> None:
    """Updates that log, and that copy targets in between."""
    torch.manual_seed(updates.start)
    for update in updates:
        learner.train(make_batch(args, seed=update), t_env=10**5 * update, episode_num=150 * update)


def leaves(value: Any, path: str, above: tuple[int, ...] = ()) -> dict[str, Any]:
    """Every number, text and tensor that can be reached from a value, by its path."""
    if id(value) in above or isinstance(value, type | types.FunctionType | types.MethodType):
        return {}
    above = (*above, id(value))
    if isinstance(value, Tensor):
        return {path: value.detach().clone()}
    if isinstance(value, np.ndarray):
        return {path: torch.from_numpy(value.copy())}
    if isinstance(value, nn.Module | torch.optim.Optimizer):
        return leaves(value.state_dict(), path, above)
    if isinstance(value, dict):
        parts = [(str(key), each) for key, each in value.items()]
    elif isinstance(value, list | tuple):
        parts = [(str(i), each) for i, each in enumerate(value)]
    elif hasattr(value, "__dict__"):
        parts = list(vars(value).items())
    else:
        return {path: value}
    found = {}
    for name, each in parts:
        if name not in OF_THE_RUN:
            found |= leaves(each, f"{path}.{name}" if path else name, above)
    return found


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Paths at which two things are not the same to the bit."""
    paths = one.keys() | other.keys()
    return sorted(p for p in paths if not same(one.get(p), other.get(p)))


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.shape == other.shape and bool((one == other).all())
    return type(one) is type(other) and bool(one == other)


def not_brought_back(args: SimpleNamespace, make: Any, folder: Path) -> list[str]:
    """What training changes in a learner and its state does not give to another one."""
    trained, fresh = make(args, 1), make(args, 2)
    before = leaves(trained, "")
    train(trained, args, range(3))
    after = leaves(trained, "")
    changed = differing(before, after)
    assert any("exp_avg" in path or "square_avg" in path for path in changed)

    folder.mkdir(exist_ok=True)
    save_state({"learner": trained.state_dict()}, folder)
    fresh.load_state_dict(load_state(folder)["learner"])

    differs = set(differing(after, leaves(fresh, ""))) & set(changed)
    lost = sorted(path for path in differs if not path.startswith(SCRATCH))
    if not lost:
        train(trained, args, range(3, 5))
        train(fresh, args, range(3, 5))
        assert differing(leaves(trained, ""), leaves(fresh, "")) == []
    return lost


def test_every_learner_is_here() -> None:
    tested = {LEARNERS[args.learner] for args in SETTINGS.values()}
    known = {LEARNERS[name] for name in LEARNERS}
    assert tested == {kind for kind in known if kind.__module__.startswith("learners.")}


@pytest.mark.parametrize("name", SETTINGS)
def test_what_training_changes_is_declared_and_goes_on_bit_for_bit(
    name: str, tmp_path: Path
) -> None:
    assert not_brought_back(copy.copy(SETTINGS[name]), make_learner, tmp_path) == []


class Forgetful(QLearner):
    """Counts, and says nothing of it."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.batches = 0
        self.spread = nn.Linear(1, 1)

    def train(self, batch: Any, t_env: int, episode_num: int) -> None:
        super().train(batch, t_env, episode_num)
        self.batches += 1
        with torch.no_grad():
            self.spread.weight += 1


def make_forgetful(args: SimpleNamespace, seed: int) -> Forgetful:
    return Forgetful(make_mac(args, seed), full_scheme(args), quiet_logger(), args)


def test_a_forgotten_attribute_is_found(tmp_path: Path) -> None:
    args = make_args(mixer="vdn")
    assert not_brought_back(args, make_forgetful, tmp_path) == ["batches", "spread.weight"]


def test_what_classes_declare_is_what_they_and_their_bases_say() -> None:
    learner = make_learner(SETTINGS["kmappo"])
    assert declared(type(learner), "stateful") == [
        *("policy.agent", "target_policy.agent", "mixer", "target_mixer"),
        *("critic", "target_critic", "agent_optimiser", "critic_optimiser", "norm", "levels"),
    ]
    assert "mixer" not in learner.parts()  # it is None here
