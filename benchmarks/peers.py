"""Imports from a peer's checkout, in a process of its own, with our settings in the peer's words.

FACMAC as published does not import any more; stand-ins for what is missing (gym, smac, two names)
are supplied here, its files are left alone.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import torch
import torch._dynamo  # optimisers do: it asks all modules for their files, so before they change
from batches import layout

QUIET = SimpleNamespace(
    log_stat=lambda *_: None, console_logger=SimpleNamespace(info=lambda *_: None)
)


class Box(SimpleNamespace):
    """Stands in for gym's."""


def become(tree: Path, args: SimpleNamespace) -> None:
    """Import from the peer's tree from here on, and speak its settings."""
    for module in [m for m in sys.modules if m.split(".")[0] in ("utils", "components")]:
        del sys.modules[module]
    sys.path[0] = str(tree / "src")
    for stand_in in ("smac", "smac.env", "gym", "gym.spaces"):
        sys.modules[stand_in] = types.ModuleType(stand_in)
    for name in ("MultiAgentEnv", "StarCraft2Env"):
        setattr(sys.modules["smac.env"], name, type(name, (), {}))
    sys.modules["gym.spaces"].Box = Box  # type: ignore[attr-defined]
    sys.modules["gym"].spaces = sys.modules["gym.spaces"]  # type: ignore[attr-defined]
    numpy.asscalar = lambda array: array.item()  # numpy had it once
    import components.action_selectors as selectors

    if not hasattr(selectors, "multinomial_entropy"):
        selectors.multinomial_entropy = None
    speak = {
        "q_learner": as_pymarl,
        "maddpg_learner": as_epymarl_maddpg,
        "mappo_learner": as_epymarl_mappo,
    }
    speak.get(args.learner, as_facmac)(args)


def as_pymarl(args: SimpleNamespace) -> None:
    """It has what it names."""


def as_epymarl_maddpg(args: SimpleNamespace) -> None:
    args.mac, args.critic_type = "maddpg_mac", "maddpg_critic"
    args.reg, args.target_update_interval_or_tau = 0.001, 200
    as_epymarl(args)


def as_epymarl_mappo(args: SimpleNamespace) -> None:
    args.learner, args.mac, args.critic_type = "ppo_learner", "basic_mac", "cv_critic"
    args.q_nstep, args.add_value_last_step, args.target_update_interval_or_tau = 5, True, 0.01
    as_epymarl(args)


def as_epymarl(args: SimpleNamespace) -> None:
    """Networks as wide as ours, and nothing standardised."""
    args.hidden_dim, args.use_rnn, args.common_reward = args.rnn_hidden_dim, True, True
    args.standardise_returns = args.standardise_rewards = args.obs_individual_obs = False


def as_facmac(args: SimpleNamespace) -> None:
    discrete = args.action_kind == "discrete"
    args.agent = "qmixrnn" if discrete else "mlp"
    args.mac = "basic_mac" if discrete else "cqmix_mac"
    args.learner = "facmac_learner_discrete" if discrete else "facmac_learner"
    args.action_selector = "gumbel" if discrete else None
    args.recurrent_critic = args.verbose = False
    if not discrete:
        box = Box(
            low=torch.tensor(args.action_low[0]).numpy(),
            high=torch.tensor(args.action_high[0]).numpy(),
            shape=(args.n_actions,),
        )
        args.action_spaces = [box] * args.n_agents


def player(
    tree: str, args: SimpleNamespace, make_env: Callable[[], Any], runner: str, slots: int
) -> SimpleNamespace:
    """The peer's own runner (`parallel` or `episode`), buffer, controller and learner."""
    become(Path(tree), args)
    sys.modules["envs"] = types.ModuleType("envs")
    sys.modules["envs"].REGISTRY = {"still": lambda **_: make_env()}  # type: ignore[attr-defined]
    from components.episode_buffer import ReplayBuffer
    from components.transforms import OneHot
    from controllers import REGISTRY as CONTROLLERS
    from learners import REGISTRY as LEARNERS

    made = getattr(importlib.import_module(f"runners.{runner}_runner"), f"{runner.title()}Runner")
    own_runner = made(args, QUIET)
    scheme, groups, preprocess = layout(args, OneHot)
    buffer = ReplayBuffer(
        scheme, groups, args.buffer_size, slots, preprocess=preprocess or {}, device="cpu"
    )
    mac = CONTROLLERS[args.mac](buffer.scheme, groups, args)
    own_runner.setup(scheme=scheme, groups=groups, preprocess=preprocess or {}, mac=mac)
    learner = LEARNERS[args.learner](mac, buffer.scheme, QUIET, args)
    learner.log_stats_t = 10**12  # no statistics: those are the logger's cost
    return SimpleNamespace(runner=own_runner, buffer=buffer, mac=mac, learner=learner)
