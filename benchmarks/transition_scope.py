"""Training steps a second in the transition scope: act, step, insert, update, after every step.

Run by `run.py`.

The environment costs nothing: it hands out numbers that were drawn before, in the shapes of the
named task. With a checkout of it, FACMAC's own runner, buffer, controller and learner do the same,
each tree in its own process and in turn; its environment lives in a worker, whose time is not
counted.
"""

from __future__ import annotations

import logging
import sys
import time
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from interleave import Case, Job
from updates import MUJOCO, become, settings_of

import interleave  # isort: skip
import numpy  # isort: skip - after the number of threads
import torch  # isort: skip

STEPS = 100  # an episode, which is what is timed
BUFFER = 20_000  # transitions; both trees take as long with more
LEVELS = (1, 2, 3)
WARM_UP = 3  # episodes


class Still:
    """An environment of given shapes whose steps cost nothing."""

    def __init__(self, shape: tuple[int, int, int, int], **_: Any) -> None:
        self.n_agents, self._n_actions, self._obs_size, self._state_size = shape
        self.episode_limit, self._t = STEPS, 0
        random = numpy.random.default_rng(0)
        sizes = (STEPS + 1, self.n_agents, self._obs_size), (STEPS + 1, self._state_size)
        self._obs, self._states = (random.normal(size=size).astype("float32") for size in sizes)
        self._avail = numpy.ones((self.n_agents, self._n_actions))

    def reset(self) -> None:
        self._t = 0

    def step(self, actions: Any) -> tuple[float, bool, dict[str, Any]]:
        self._t += 1
        over = self._t == STEPS
        return 0.1, over, {"episode_limit": True} if over else {}

    def get_obs(self) -> list[Any]:
        return list(self._obs[self._t])

    def get_state(self) -> Any:
        return self._states[self._t]

    def get_avail_actions(self) -> Any:
        return self._avail

    def get_stats(self) -> dict[str, Any]:
        return {}

    def close(self) -> None: ...

    def get_env_info(self) -> dict[str, Any]:
        box = SimpleNamespace(low=-numpy.ones(self._n_actions), high=numpy.ones(self._n_actions))
        return {
            "state_shape": self._state_size,
            "obs_shape": self._obs_size,
            "n_actions": self._n_actions,
            "n_agents": self.n_agents,
            "episode_limit": STEPS,
            "action_spaces": [box] * self.n_agents,
            "actions_dtype": numpy.float32,
        }


def prepare(name: str, algorithm: str, k_level: int) -> SimpleNamespace:
    """The paper's schedule, with learning from the first hundred transitions on."""
    args = settings_of(name, algorithm, k_level)
    args.runner_scope, args.runner, args.batch_size_run = "transition", "episode", 1
    args.buffer_size, args.buffer_warmup, args.start_steps = BUFFER, 100, 0
    args.env, args.env_args, args.seed, args.use_cuda = "still", {}, 1, False
    args.log_interval = args.runner_log_interval = 10**9
    return args


def ours(name: str, algorithm: str, k_level: int) -> Callable[[], Any]:
    """What plays one episode in this tree, learning after every step."""
    args = prepare(name, algorithm, k_level)
    from envs import REGISTRY as ENVS
    from run import build, collect_transitions
    from runners import REGISTRY as RUNNERS
    from utils.allocation import keep_freed_memory
    from utils.logging import Logger

    ENVS["still"] = lambda: Still(MUJOCO[name])
    logger = Logger(logging.getLogger("quiet"))
    logger.console_logger.setLevel(logging.ERROR)
    keep_freed_memory()  # as a run does
    session = build(args, logger, RUNNERS[args.runner](args=args, logger=logger))
    session.learner.log_stats_t = 10**12  # no statistics: those are the logger's cost
    return lambda: collect_transitions(session)


def theirs(tree: str, name: str) -> Callable[[], Any]:
    """The same by FACMAC."""
    args = prepare(name, "facmac_learner", 1)
    become(Path(tree), args)
    sys.modules["envs"] = types.ModuleType("envs")
    sys.modules["envs"].REGISTRY = {  # type: ignore[attr-defined]
        "still": lambda **_: Still(MUJOCO[name])
    }
    from components.episode_buffer import ReplayBuffer
    from controllers import REGISTRY as CONTROLLERS
    from learners import REGISTRY as LEARNERS
    from runners.parallel_runner import ParallelRunner

    logger = SimpleNamespace(log_stat=lambda *_: None, console_logger=None)
    runner = ParallelRunner(args, logger)
    scheme = {
        "state": {"vshape": args.state_shape},
        "obs": {"vshape": args.obs_shape, "group": "agents"},
        "actions": {"vshape": (args.n_actions,), "group": "agents", "dtype": torch.float32},
        "avail_actions": {"vshape": (args.n_actions,), "group": "agents", "dtype": torch.int},
        "reward": {"vshape": (1,)},
        "terminated": {"vshape": (1,), "dtype": torch.uint8},
    }
    groups = {"agents": args.n_agents}
    buffer = ReplayBuffer(scheme, groups, BUFFER, 2, preprocess={}, device="cpu")
    mac = CONTROLLERS[args.mac](buffer.scheme, groups, args)
    runner.setup(scheme=scheme, groups=groups, preprocess={}, mac=mac)
    learner = LEARNERS[args.learner](mac, buffer.scheme, logger, args)
    learner.log_stats_t = 10**12
    return lambda: runner.run(test_mode=False, buffer=buffer, learner=learner, episode=0)


def serve(tree: str, name: str, algorithm: str, k_level: int) -> None:
    """A child: times one episode at a turn, in seconds a step."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    play = ours(name, algorithm, k_level) if tree == "ours" else theirs(tree, name)
    for _ in range(WARM_UP):
        play()

    def work() -> float:
        began = time.process_time()
        play()
        return (time.process_time() - began) / STEPS

    interleave.serve(work)


def cases(names: Sequence[str], peers: Mapping[str, str]) -> list[Case]:
    """Our levels on each task, beside FACMAC where a checkout is given."""
    found = []
    for name in names:
        jobs = {"K=1": Job(__file__, ("ours", name, "facmac_learner", 1))}
        jobs |= {f"K={k}": Job(__file__, ("ours", name, "kfacmac_learner", k)) for k in LEVELS[1:]}
        if "facmac" in peers:
            jobs["FACMAC"] = Job(__file__, (peers["facmac"], name, "facmac_learner", 1))
        found.append(Case(f"{name} steps", jobs, "FACMAC" if "FACMAC" in jobs else "K=1"))
    return found


if __name__ == "__main__":
    interleave.be_child(serve)
