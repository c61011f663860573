"""From settings and an environment to the parts of a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from components.episode_buffer import EpisodeBatch, ReplayBuffer
from components.replay.memory import human as human_bytes
from components.transforms import OneHot
from controllers import REGISTRY as CONTROLLERS
from learners import REGISTRY as LEARNERS
from pymarl.controllers import mac_of
from runners.contract import Runner
from training.session import Session
from utils.config.fit import check_fit
from utils.logging import Logger
from utils.needs import CONTINUOUS, DISCRETE, Given
from utils.profile import OF_LEARNERS, in_sections
from utils.resources import check_batches, weights_that_fit


def build(args: SimpleNamespace, logger: Logger, runner: Runner) -> Session:
    """Sizes from the environment, then buffer, controller and learner that fit them."""
    info = runner.get_env_info()
    add_sizes(args, info)
    check_fit(vars(args))  # again, now that the environment has said what its actions are
    scheme, groups, preprocess = make_scheme(args)
    slots = 2 if args.runner_scope == "transition" else args.episode_limit + 1
    fills_replay = not args.rollout_length and Given(vars(args)).learns
    buffer = ReplayBuffer(
        scheme,
        groups,
        args.buffer_size if fills_replay else 1,
        slots,
        preprocess=preprocess,
        device="cpu" if args.buffer_cpu_only else args.device,
    )
    if fills_replay:
        buffer.check_memory(args.buffer_fill)
    one_step = EpisodeBatch(scheme, groups, 1, 1, preprocess=preprocess)
    check_batches(batch_sizes(args), one_step.nbytes, (args.rollout_length or slots - 1) + 1)
    with weights_that_fit():
        mac = mac_of(CONTROLLERS[args.mac](buffer.scheme, groups, args))
    runner.setup(scheme=scheme, groups=groups, preprocess=preprocess, mac=mac)
    with weights_that_fit():
        learner = learner_class(args)(mac, buffer.scheme, logger, args)
    if args.use_cuda:
        learner.cuda()
    if fills_replay:
        size = human_bytes(buffer.bytes_when_full(args.buffer_fill))
        logger.console_logger.info(
            f"  replay: {args.buffer_size:,} x {slots} slots, at most {size} when full"
        )
    return Session(args, logger, runner, mac, learner, buffer)


def learner_class(args: SimpleNamespace) -> Any:
    kind = LEARNERS[args.learner]
    return in_sections(kind, OF_LEARNERS) if args.profile else kind


def batch_sizes(args: SimpleNamespace) -> dict[str, int]:
    """Episodes that are in memory at the same time, beside those in replay."""
    sizes = {"batch_size_run": args.batch_size_run}
    if not args.rollout_length:  # which cuts no tests and no samples
        sizes["batch_size"] = args.batch_size
        sizes["test_batch_size_run"] = args.test_batch_size_run or args.batch_size_run
    return sizes


def add_sizes(args: SimpleNamespace, info: dict[str, Any]) -> None:
    """The run-time fields that PyMARL code expects on `args`."""
    args.n_agents = int(info["n_agents"])
    args.n_actions = int(info["n_actions"])
    args.state_shape = plain_size(info["state_shape"])
    args.obs_shape = plain_size(info["obs_shape"])
    args.episode_limit = int(info["episode_limit"])
    spaces = info.get("action_spaces")
    args.action_kind = CONTINUOUS if spaces else DISCRETE
    args.action_spaces, args.actions_dtype = spaces, info.get("actions_dtype")
    args.normalise_actions = info.get("normalise_actions", False)
    args.action_low = [space.low.tolist() for space in spaces] if spaces else None
    args.action_high = [space.high.tolist() for space in spaces] if spaces else None


def plain_size(size: Any) -> int | tuple[int, ...]:
    """Environments compute sizes with numpy: a number or a shape, without its types."""
    return int(size) if np.ndim(size) == 0 else tuple(int(width) for width in size)


def make_scheme(
    args: SimpleNamespace,
) -> tuple[dict[str, Any], dict[str, int], dict[str, Any] | None]:
    """What a stored step consists of."""
    discrete = args.action_kind == DISCRETE
    actions = (1,) if discrete else (args.n_actions,)
    scheme = {
        "state": {"vshape": args.state_shape},
        "obs": {"vshape": args.obs_shape, "group": "agents"},
        "actions": {
            "vshape": actions,
            "group": "agents",
            "dtype": torch.long if discrete else torch.float32,
        },
        "avail_actions": {"vshape": (args.n_actions,), "group": "agents", "dtype": torch.int},
        "reward": {"vshape": (1,)},
        "terminated": {"vshape": (1,), "dtype": torch.uint8},
    }
    one_hot = {"actions": ("actions_onehot", [OneHot(out_dim=args.n_actions)])}
    return scheme, {"agents": args.n_agents}, one_hot if discrete else None
