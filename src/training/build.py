"""From settings and an environment to the parts of a run."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import torch

from components.episode_buffer import EpisodeBatch, ReplayBuffer
from components.parts import NOISE
from components.replay.memory import human as human_bytes
from components.scheme import FieldInfo, Scheme
from components.transforms import OneHot
from configuration.fit import check_fit
from controllers import REGISTRY as CONTROLLERS
from learners import REGISTRY as LEARNERS
from machine.resources import check_batches, weights_that_fit
from modules.kernels import layers_made_with
from pymarl.controllers import in_words, mac_of, noise_size
from pymarl.learners import is_ours, learner_of
from runners.contract import Runner
from training.kernels import choose_kernels
from training.session import Session
from training.task import TaskSizes
from utils.logging import Logger
from utils.needs import Given
from utils.profile import OF_LEARNERS, in_sections


def build(
    args: SimpleNamespace,
    logger: Logger,
    runner: Runner,
    recorded: dict[str, str] | None = None,
) -> Session:
    """Sizes from the environment, then buffer, controller and learner that fit them.

    `recorded` are the kernels of the run that goes on.
    """
    task = add_sizes(args, runner.get_env_info())
    logger.record("task", task.record())
    check_fit(vars(args))  # again, now that the environment has said what its actions are
    noise = noise_size(CONTROLLERS[args.mac], args)
    scheme, groups, preprocess = make_scheme(task, noise)
    slots = 2 if args.runner_scope == "transition" else task.episode_limit + 1
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
    kernels = choose_kernels(args, slots, recorded, logger)
    with weights_that_fit(), layers_made_with(kernels):
        mac = mac_of(CONTROLLERS[args.mac](buffer.scheme, groups, args))
    if said := in_words(mac):
        logger.console_logger.info(f"  {said}")
    runner.setup(scheme=scheme, groups=groups, preprocess=preprocess, mac=mac)
    with weights_that_fit(), layers_made_with(kernels):
        made = learner_class(args)(mac, buffer.scheme, logger, args)
        learner = learner_of(made, args.learner, logger.console_logger)
    if args.use_cuda:
        learner.cuda()
    if fills_replay:
        size = human_bytes(buffer.bytes_when_full(args.buffer_fill))
        logger.console_logger.info(
            f"  replay: {args.buffer_size:,} x {slots} slots, at most {size} when full"
        )
    return Session(args, logger, runner, mac, learner, buffer, kernels)


def learner_class(args: SimpleNamespace) -> Any:
    """Of a profile, critic and actors are phases of their own, where the learner is one of ours."""
    kind = LEARNERS[args.learner]
    return in_sections(kind, OF_LEARNERS) if args.profile and is_ours(kind) else kind


def batch_sizes(args: SimpleNamespace) -> dict[str, int]:
    """Episodes that are in memory at the same time, beside those in replay."""
    sizes = {"batch_size_run": args.batch_size_run}
    if not args.rollout_length:  # which cuts no tests and no samples
        sizes["batch_size"] = args.batch_size
        sizes["test_batch_size_run"] = args.test_batch_size_run or args.batch_size_run
    return sizes


def add_sizes(args: SimpleNamespace, info: Mapping[str, Any]) -> TaskSizes:
    """The task's sizes, which PyMARL's code expects on `args`, and FACMAC's a little more."""
    task = TaskSizes.from_env_info(info)
    task.put_on(args)
    args.action_spaces, args.actions_dtype = info.get("action_spaces"), info.get("actions_dtype")
    args.normalise_actions = info.get("normalise_actions", False)
    return task


Preprocess = dict[str, tuple[str, list[OneHot]]]  # field -> the field that is made of it, and how


def make_scheme(
    task: TaskSizes, noise: int = 0
) -> tuple[Scheme, dict[str, int], Preprocess | None]:
    """What a stored step consists of, with `noise` random numbers an agent that acting needed."""
    actions: FieldInfo = {"vshape": (task.n_actions,), "group": "agents", "dtype": torch.float32}
    if task.discrete:
        actions = {"vshape": (1,), "group": "agents", "dtype": torch.long}
    scheme: Scheme = {
        "state": {"vshape": task.state_shape},
        "obs": {"vshape": task.obs_shape, "group": "agents"},
        "actions": actions,
        "avail_actions": {"vshape": (task.n_actions,), "group": "agents", "dtype": torch.int},
        "reward": {"vshape": (1,)},
        "terminated": {"vshape": (1,), "dtype": torch.uint8},
    }
    if noise:
        scheme[NOISE] = {"vshape": (noise,), "group": "agents"}
    one_hot: Preprocess = {"actions": ("actions_onehot", [OneHot(out_dim=task.n_actions)])}
    return scheme, {"agents": task.n_agents}, one_hot if task.discrete else None
