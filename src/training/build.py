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
from training.session import Session
from utils.errors import UserError
from utils.logging import Logger
from utils.overrides import speaks_for
from utils.resources import check_batches, weights_that_fit

MEMORYLESS = {"rnn": "mlp", "cemrnn": "cem"}  # agents with a memory -> the same without


def build(args: SimpleNamespace, logger: Logger, runner: Any) -> Session:
    """Sizes from the environment, then buffer, controller and learner that fit them."""
    info = runner.get_env_info()
    add_sizes(args, info)
    scheme, groups, preprocess = make_scheme(args)
    slots = 2 if args.runner_scope == "transition" else args.episode_limit + 1
    buffer = ReplayBuffer(
        scheme,
        groups,
        args.buffer_size,
        slots,
        preprocess=preprocess,
        device="cpu" if args.buffer_cpu_only else args.device,
    )
    if not args.rollout_length:  # rollouts pass it by
        buffer.check_memory(args.buffer_fill)
    one_step = EpisodeBatch(scheme, groups, 1, 1, preprocess=preprocess)
    check_batches(batch_sizes(args), one_step.nbytes, (args.rollout_length or slots - 1) + 1)
    with weights_that_fit():
        mac = CONTROLLERS[args.mac](buffer.scheme, groups, args)
    if args.rollout_length:
        require_parts(args, runner, mac)
    if args.runner_scope == "transition":
        refuse_memory(args, mac)
    runner.setup(scheme=scheme, groups=groups, preprocess=preprocess, mac=mac)
    with weights_that_fit():
        learner = LEARNERS[args.learner](mac, buffer.scheme, logger, args)
    if args.use_cuda:
        learner.cuda()
    if not args.rollout_length:
        size = human_bytes(buffer.bytes_when_full(args.buffer_fill))
        logger.console_logger.info(
            f"  replay: {args.buffer_size:,} x {slots} slots, at most {size} when full"
        )
    return Session(args, logger, runner, mac, learner, buffer)


def batch_sizes(args: SimpleNamespace) -> dict[str, int]:
    """Episodes that are in memory at the same time, beside those in replay."""
    sizes = {"batch_size_run": args.batch_size_run}
    if not args.rollout_length:  # which cuts no tests and no samples
        sizes["batch_size"] = args.batch_size
        sizes["test_batch_size_run"] = args.test_batch_size_run or args.batch_size_run
    return sizes


def require_parts(args: SimpleNamespace, runner: Any, mac: Any) -> None:
    """Refuse `rollout_length` where somebody knows whole episodes only."""
    able = {
        f"learner={args.learner}": getattr(LEARNERS[args.learner], "learns_from_parts", False),
        f"runner={args.runner}": getattr(runner, "plays_on", False),
        f"mac={args.mac}": speaks_for(type(mac), "build_all_inputs", "_build_inputs"),
    }
    unable = [name for name, fit in able.items() if not fit]
    if unable:
        raise UserError(
            f"rollout_length={args.rollout_length} cuts episodes into parts, and "
            f"{' and '.join(unable)} knows whole episodes only. Type rollout_length=null, or "
            "start from --config=mappo, ippo, kmappo or coma."
        )


def refuse_memory(args: SimpleNamespace, mac: Any) -> None:
    """A replay of transitions knows nothing of what came before them."""
    remembers = {}
    if getattr(getattr(mac, "agent", None), "recurrent", False):
        remembers[f"agent={args.agent}"] = f"agent={MEMORYLESS.get(args.agent, 'mlp')}"
    if args.obs_last_action:
        remembers["obs_last_action=True"] = "obs_last_action=False"
    if remembers:
        raise UserError(
            f"runner_scope=transition learns from single steps, and {' and '.join(remembers)} "
            f"looks back. Type {' '.join(remembers.values())}, or runner_scope=episodic."
        )


def add_sizes(args: SimpleNamespace, info: dict[str, Any]) -> None:
    """The run-time fields that PyMARL code expects on `args`."""
    args.n_agents = int(info["n_agents"])
    args.n_actions = int(info["n_actions"])
    args.state_shape = plain_size(info["state_shape"])
    args.obs_shape = plain_size(info["obs_shape"])
    args.episode_limit = int(info["episode_limit"])
    spaces = info.get("action_spaces")
    args.action_kind = "continuous" if spaces else "discrete"
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
    discrete = args.action_kind == "discrete"
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
