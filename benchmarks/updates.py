"""Whole updates: of K levels beside FACMAC's, of QMIX beside PyMARL's. Run by `run.py`.

Every update is a full `train()` call. With a peer's checkout the same batch also goes through its
own learner, in a process of its own and in turn with ours. FACMAC as published does not import any
more; stand-ins for what is missing (gym, smac, two names) are supplied here, its files are left
alone.
"""

from __future__ import annotations

import os
import sys
import time
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]

import interleave  # noqa: E402 - after the number of threads
import numpy  # noqa: E402
import torch  # noqa: E402
from interleave import Case, Job  # noqa: E402

LEVELS = (1, 2, 5)
BATCHES = 4  # of other lengths each; a turn takes all, for a process that has waited is cold
# name: agents, actions, observation, state, limit; lengths spread over 40 to 100 % if ragged
SMAC = {
    "3m": (3, 9, 30, 48, 60),
    "2s3z": (5, 11, 80, 120, 60),
    "corridor": (6, 30, 156, 282, 60),
    "MMM2": (10, 18, 176, 322, 60),
}
MUJOCO = {"HalfCheetah-2x3": (2, 3, 13, 17), "HalfCheetah-6x1": (6, 1, 9, 17)}


def settings_of(name: str, algorithm: str, k_level: int) -> SimpleNamespace:
    """Settings as a run would have them, for either tree."""
    sys.path.insert(0, str(ROOT / "src"))
    from utils.config import default_config

    args = default_config()
    if name in SMAC:
        n_agents, n_actions, obs, state, limit = SMAC[name]
        args |= {"agent_output_type": "pi_logits", "action_selector": "gumbel", "td_lambda": 0.8}
        args |= {"lr": 0.0025, "critic_lr": 0.0005, "batch_size": 32, "action_kind": "discrete"}
    else:
        n_agents, n_actions, obs, state = MUJOCO[name]
        limit = 1
        args |= {"action_selector": "gaussian", "agent": "mlp", "rnn_hidden_dim": 400}
        args |= {"runner_scope": "transition"}
        args |= {"lr": 0.001, "critic_lr": 0.001, "batch_size": 100, "action_kind": "continuous"}
        args |= {"obs_last_action": False, "obs_agent_id": False, "grad_norm_clip": 0.5}
        args |= {"mixing_embed_dim": 64, "target_update_mode": "soft", "action_l2": 0.001}
        args |= {"action_low": [[-1.0] * n_actions] * n_agents}
        args |= {"action_high": [[1.0] * n_actions] * n_agents}
    if algorithm == "q_learner":
        args |= {"agent_output_type": "q", "action_selector": "epsilon_greedy", "td_lambda": 0.0}
        args |= {"lr": 0.0005}
    args |= {"mixer": "qmix", "hypernet_layers": 2, "learner": algorithm, "k_level": k_level}
    args |= {"optimizer": "adam", "actor_optimizer": "rmsprop", "buffer_size": 5000}
    args |= {"n_agents": n_agents, "n_actions": n_actions, "obs_shape": obs, "state_shape": state}
    args |= {"episode_limit": limit, "device": "cpu", "learner_log_interval": 10**9}
    return SimpleNamespace(**args)


def make_batch(args: SimpleNamespace, classes: Any, seed: int) -> Any:
    """A random batch in the tree's own EpisodeBatch; discrete episodes have different lengths."""
    B, T, N, A = args.batch_size, args.episode_limit, args.n_agents, args.n_actions
    discrete = args.action_kind == "discrete"
    scheme: dict[str, Any] = {
        "state": {"vshape": args.state_shape},
        "obs": {"vshape": args.obs_shape, "group": "agents"},
        "actions": {
            "vshape": (1,) if discrete else (A,),
            "group": "agents",
            "dtype": torch.long if discrete else torch.float32,
        },
        "avail_actions": {"vshape": (A,), "group": "agents", "dtype": torch.int},
        "reward": {"vshape": (1,)},
        "terminated": {"vshape": (1,), "dtype": torch.uint8},
    }
    one_hot = {"actions": ("actions_onehot", [classes.OneHot(out_dim=A)])}
    batch = classes.EpisodeBatch(
        scheme, {"agents": N}, B, T + 1, preprocess=one_hot if discrete else None
    )
    random = torch.Generator().manual_seed(seed)
    for row in range(B):
        length = T if row == 0 else int(T * (0.4 + 0.6 * float(torch.rand(1, generator=random))))
        length = max(1, length)
        here = {"bs": slice(row, row + 1)}
        avail = (torch.rand(1, length + 1, N, A, generator=random) < 0.5).int()
        avail[..., 0] = 1
        drawn = torch.multinomial(avail.reshape(-1, A).float(), 1, generator=random)
        actions = (
            drawn.reshape(1, length + 1, N, 1)
            if discrete
            else torch.rand(1, length + 1, N, A, generator=random) * 2 - 1
        )
        seen = {
            "state": torch.randn(1, length + 1, args.state_shape, generator=random),
            "obs": torch.randn(1, length + 1, N, args.obs_shape, generator=random),
            "avail_actions": avail,
        }
        batch.update(seen, ts=slice(0, length + 1), **here)
        batch.update({"actions": actions}, ts=slice(0, length + 1), mark_filled=False, **here)
        ends = torch.zeros(1, length, 1, dtype=torch.uint8)
        ends[0, -1] = 1 if discrete else 0
        paid = {"reward": torch.randn(1, length, 1, generator=random), "terminated": ends}
        batch.update(paid, ts=slice(0, length), mark_filled=False, **here)
    return batch


def serve(tree: str, name: str, algorithm: str, k_level: int) -> None:
    """A child: build the learner in `tree`, then time a few updates for each line on stdin."""
    ours = tree == "ours"
    args = settings_of(name, algorithm, k_level)
    if ours:
        from utils.allocation import keep_freed_memory

        keep_freed_memory()  # as a run does
    else:
        become(Path(tree), args)
    from components.episode_buffer import EpisodeBatch
    from components.transforms import OneHot
    from controllers import REGISTRY as CONTROLLERS
    from learners import REGISTRY as LEARNERS

    torch.set_num_threads(1)
    torch.manual_seed(0)
    classes = SimpleNamespace(EpisodeBatch=EpisodeBatch, OneHot=OneHot)
    batches = [make_batch(args, classes, seed) for seed in range(BATCHES)]
    scheme = batches[0].scheme
    mac = CONTROLLERS[args.mac](scheme, {"agents": args.n_agents}, args)
    quiet = SimpleNamespace(info=lambda *_: None)
    logger = SimpleNamespace(log_stat=lambda *_: None, console_logger=quiet)
    learner = LEARNERS[args.learner](mac, scheme, logger, args)
    learner.log_stats_t = 10**12  # no statistics: those are the logger's cost
    for update, batch in enumerate(2 * batches):
        learner.train(batch, update, update)

    def work() -> float:
        began = time.process_time()
        for batch in batches:
            learner.train(batch, 1000, 1000)
        return (time.process_time() - began) / BATCHES

    interleave.serve(work)


def become(tree: Path, args: SimpleNamespace) -> None:
    """Import from FACMAC's tree from here on, and speak its settings."""
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
    if args.learner == "q_learner":
        return  # PyMARL has what it names
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


class Box(SimpleNamespace):
    """Stands in for gym's."""


def cases(algorithm: str, names: Sequence[str], peers: Mapping[str, str]) -> list[Case]:
    """Our levels on each problem, beside FACMAC's update where a checkout is given."""
    found = []
    for name in names:
        jobs = {f"K={k}": Job(__file__, ("ours", name, algorithm, k)) for k in LEVELS}
        if "facmac" in peers and "facmac" in algorithm:
            jobs["FACMAC"] = Job(__file__, (peers["facmac"], name, algorithm, 1))
        title = f"{name} {algorithm.removesuffix('_learner')}"
        found.append(Case(title, jobs, "FACMAC" if "FACMAC" in jobs else "K=1"))
    return found


def q_cases(names: Sequence[str], peers: Mapping[str, str]) -> list[Case]:
    """QMIX's update, beside PyMARL's."""
    found = []
    for name in names:
        jobs = {"ours": Job(__file__, ("ours", name, "q_learner", 1))}
        if "pymarl" in peers:
            jobs["PyMARL"] = Job(__file__, (peers["pymarl"], name, "q_learner", 1))
        found.append(Case(f"{name} qmix", jobs, "PyMARL"))
    return found


if __name__ == "__main__":
    interleave.be_child(serve)
