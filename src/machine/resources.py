"""What this machine can hold, against what a run asks for: too much is refused before it is built.

All bounds are the least that something takes, so what is refused could not have worked.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from components.replay.memory import available_bytes, human
from machine.processes import PROC, status_bytes
from utils.errors import UserError
from utils.needs import Given, needs_of
from utils.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

Item = TypeVar("Item")
STACK_BYTES = 8 * 2**20  # of a thread, where the system sets no limit
ENVIRONMENT_BYTES = 1_000  # two_step, the smallest, takes 2,000
WORKER_BYTES = 4_000_000  # a process forked from one that has numpy, before its environment
STEP_BYTES = 32  # of a rollout, an environment: reward, ends, state, observation, action
STORED_BYTES = 8  # of a step in replay: reward and observation
WEIGHT_BYTES = 4
OUR_PACKAGES = ("modules", "controllers", "learners")  # of parts that have weights
COPIES = 4  # of weights, while networks learn: themselves, target or old ones, gradient, optimiser
ELSEWHERE = "A larger machine can take more."


@dataclass(frozen=True)
class Demand:
    """So many of something, of which each takes at least so much."""

    setting: str  # as it was given
    wanted: int
    what: str
    bytes_each: int
    instead: str
    most: int | None = None  # that the system allows, whatever the memory

    def check(self, available: int | None) -> None:
        """A UserError if this machine cannot hold it; nothing is bound by what nobody knows."""
        needed = self.wanted * self.bytes_each
        if self.most is not None and self.wanted > self.most:
            why = (
                f"the system allows {self.most:,} of them (ulimit -u; threads-max and pid_max in "
                "/proc/sys/kernel)"
            )
        elif available is not None and needed > available:
            why = (
                f"they take {human(self.bytes_each)} each at least, {human(needed)} together, and "
                f"{human(available)} of memory are available"
            )
        else:
            return
        raise UserError(
            f"{self.setting} means {self.wanted:,} {self.what}: {why}.\n{self.instead} {ELSEWHERE}"
        )


def usable_cores() -> int:
    """Those that a batch system lets this process use, where it says so."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_sizes(config: Settings) -> None:
    """What the settings alone say, before there is an environment."""
    available = available_bytes()
    for demand in _demands(config):
        demand.check(available)


def _demands(config: Settings) -> Iterator[Demand]:
    if threads := config["torch_threads"]:
        yield Demand(
            *(f"torch_threads={threads}", threads, "threads", _stack_bytes()),
            "More threads than cores are slower: type torch_threads=1, or null for torch's choice.",
            _startable(),
        )
    for key in ("batch_size_run", "test_batch_size_run"):
        if count := config[key]:
            yield from _environments(config, f"{key}={count}", count)
    if length := config["rollout_length"]:
        yield Demand(
            f"rollout_length={length} batch_size_run={config['batch_size_run']}",
            *(length * config["batch_size_run"], "steps in a round", STEP_BYTES),
            "Type a smaller rollout_length.",
        )
    yield from _learning(config)
    yield from _widths(config)


def _learning(config: Settings) -> Iterator[Demand]:
    """Samples and replay, where the run has any."""
    if config["rollout_length"] or not Given(config).learns:
        return
    for key, where, bytes_each in (
        ("batch_size", "a sample", 2 * STEP_BYTES),  # a step, and the slot behind it
        ("buffer_size", "replay", STORED_BYTES),
    ):
        what, smaller = f"episodes or transitions in {where}", f"Type a smaller {key}."
        yield Demand(f"{key}={config[key]}", config[key], what, bytes_each, smaller)


def _widths(config: Settings) -> Iterator[Demand]:
    """One layer of every network that is known to have such a layer."""
    copies = COPIES if Given(config).learns else 1
    for keys, weights in _least_weights(config):
        setting = " ".join(f"{key}={config[key]}" for key in keys)
        smaller = f"Type a smaller {' or '.join(keys)}."
        yield Demand(setting, weights, "weights in one layer", WEIGHT_BYTES * copies, smaller)


def _least_weights(config: Settings) -> Iterator[tuple[tuple[str, ...], int]]:
    """(settings, weights of their layer): square in agents and critics, less in mixers."""
    from configuration.fit import chosen_parts, part_of  # which import torch

    kinds = {part.key: part.kind for part in chosen_parts(config)}
    agent = part_of("agent", config["agent"], "agents").kind
    if _is_ours(agent) and _is_ours(kinds["mac"]):
        yield ("rnn_hidden_dim",), config["rnn_hidden_dim"] ** 2
    if not _is_ours(kinds["learner"]):
        return
    used = {key: needs_of(kind).uses for key, kind in kinds.items() if _is_ours(kind)}
    if "critic_hidden_dim" in used.get("critic_type", ()):
        yield ("critic_hidden_dim",), config["critic_hidden_dim"] ** 2
    mixer = used.get("mixer", frozenset())
    if "mixing_embed_dim" in mixer:
        yield ("mixing_embed_dim",), config["mixing_embed_dim"]
    if "hypernet_embed" in mixer and config["hypernet_layers"] == 2:
        widths = ("hypernet_embed", "mixing_embed_dim")
        yield widths, config["hypernet_embed"] * config["mixing_embed_dim"]


def _is_ours(kind: object) -> bool:
    """Whether the class is the program's own, so that its layers are known."""
    return getattr(kind, "__module__", "").partition(".")[0] in OUR_PACKAGES


def _environments(config: Settings, setting: str, count: int) -> Iterator[Demand]:
    """Wherever they are, this process keeps a row of each; workers are processes besides."""
    smaller = f"Type a smaller {setting.partition('=')[0]}."
    yield Demand(setting, count, "environments", ENVIRONMENT_BYTES, smaller)
    runner = config["runner"]
    if runner == "parallel" or (runner == "ray" and not config["ray_address"]):
        processes = (config["env_processes"] or usable_cores()) if runner == "parallel" else count
        yield Demand(
            *(f"{setting} runner={runner}", min(processes, count), "processes"),
            WORKER_BYTES,
            f"{smaller} Or let environments share processes: runner=parallel env_processes=2.",
            _startable(),
        )


def check_batches(settings: dict[str, int], step_bytes: int, slots: int) -> None:
    """Batches of so many episodes of `slots` steps, now that the environment is known."""
    available = available_bytes()
    for key, episodes in settings.items():
        what = f"episodes of {slots:,} steps in a batch"
        demand = Demand(
            f"{key}={episodes}", episodes, what, step_bytes * slots, f"Type a smaller {key}."
        )
        demand.check(available)


def as_memory_allows(builders: Sequence[Item], n_envs: int) -> Iterator[Item]:
    """`builders`, one after the other, while `n_envs` would fit at the rate of those so far.

    The first is left out of that: it may import whole libraries. Not all environments need be
    built here: processes that share them are filled at the same time.
    """
    available, before = available_bytes(), 0
    for built, builder in enumerate(builders):
        if built == 1:
            before = _own_bytes()
        if built >= 64 and built & (built - 1) == 0:  # now and then: 64, 128, 256, ...
            each = (_own_bytes() - before) // (built - 1)
            setting = f"batch_size_run or test_batch_size_run={n_envs}"
            what = "environments like those so far"
            demand = Demand(setting, n_envs, what, each, "Type a smaller one.")
            demand.check(available)
        yield builder


@contextmanager
def weights_that_fit() -> Iterator[None]:
    """Refuses a network whose weights take more than there is, before any of them is written."""
    from torch.nn.modules.module import register_module_parameter_registration_hook

    available, taken = available_bytes(), 0

    def add(module: object, name: str, weight: Tensor | None) -> None:
        nonlocal taken
        taken += 0 if weight is None else weight.numel() * weight.element_size()
        if available is not None and taken * COPIES > available:
            raise UserError(
                f"Networks of more than {human(taken)} are too large: with gradients, the "
                f"optimiser's memory and targets they take {human(taken * COPIES)}, and "
                f"{human(available)} of memory are available.\nType smaller widths: "
                f"rnn_hidden_dim, mixing_embed_dim, hypernet_embed, critic_hidden_dim. {ELSEWHERE}"
            )

    hook = register_module_parameter_registration_hook(add)
    try:
        yield
    finally:
        hook.remove()


def _stack_bytes() -> int:
    """What the system reserves for a thread."""
    soft, _ = resource.getrlimit(resource.RLIMIT_STACK)
    return STACK_BYTES if soft == resource.RLIM_INFINITY else max(soft, 16384)


def _startable() -> int | None:
    """How many processes or threads the system allows; None where it does not say."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    limits = [] if soft == resource.RLIM_INFINITY else [soft]
    for name in ("threads-max", "pid_max"):
        try:
            limits.append(int(Path("/proc/sys/kernel", name).read_text()))
        except (OSError, ValueError):
            continue
    return min(limits, default=None)


def _own_bytes() -> int:
    return status_bytes(PROC / "self", "VmRSS") or 0
