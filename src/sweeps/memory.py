"""How much memory the runs of a sweep are reckoned with: as told, or as runs like them took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.replay.memory import human
from records.memory_use import MemoryUse, read_use
from records.resume import identity, models_folder, read_run, run_ids
from sweeps.plan import PlannedRun
from utils.settings import Settings, is_seed

# What the memory of a run depends on beside its networks.
SIZES = ("env", "env_args", "runner", "runner_scope", "batch_size_run", "test_batch_size_run",
         "batch_size", "buffer_size", "buffer_fill", "rollout_length", "use_cuda")  # fmt: skip
WAYS_OUT = (
    "Make the runs smaller (buffer_size, batch_size, batch_size_run), or say yourself what one "
    "takes: --memory=2GB; --memory=0 leaves memory out of it."
)


@dataclass(frozen=True)
class Need:
    """Memory of one run, and where the number is from."""

    size: int | None  # bytes; None: nobody knows, so its cores' share of a machine
    why: str

    def __str__(self) -> str:
        return f"{human(self.size)}, {self.why}" if self.size else self.why


LEFT_OUT = Need(0, "left out of it by --memory=0")
UNKNOWN = Need(None, "not known before the first such run; reckoned as its cores' share")


def needs(runs: Sequence[PlannedRun], told: int | None, results: Path) -> dict[str, Need]:
    """Of each run, by its identity; `told` is the order's `memory`."""
    if told is not None:
        need = Need(told, "as --memory says") if told else LEFT_OUT
        return {run.identity: need for run in runs}
    known = EarlierUses(results)
    return {run.identity: known.need(run.config) for run in runs}


class EarlierUses:
    """What the runs of a results folder took, finished or not."""

    def __init__(self, results: Path) -> None:
        self._same: dict[str, dict[str, MemoryUse]] = {}  # by all settings but the seed: id -> use
        self._alike: dict[str, dict[str, MemoryUse]] = {}  # by what memory depends on most
        for run_id in run_ids(results):
            run = read_run(results, run_id)
            if run is None:
                continue
            use = read_use(models_folder(results, run.config))
            if use is not None:
                self._same.setdefault(_kind(run.config), {})[run_id] = use
                self._alike.setdefault(_kind(_sizes(run.config)), {})[run_id] = use

    def need(self, config: Settings) -> Need:
        """The most that a run of the same settings took, else one of the same sizes."""
        for uses, how in (
            (self._same.get(_kind(config)), ""),
            (self._alike.get(_kind(_sizes(config))), " on the same task with other settings"),
        ):
            if uses:
                sizes = {run_id: use.at(config["t_max"]) for run_id, use in uses.items()}
                largest = max(sizes, key=lambda run_id: sizes[run_id])
                return Need(sizes[largest], f"by what run {largest} took{how}")
        return UNKNOWN


def _sizes(config: Settings) -> Settings:
    return {key: config.get(key) for key in SIZES}


def _kind(config: Settings) -> str:
    """The same for runs that differ in their seeds alone."""
    env_args = {key: 0 if is_seed(key) else v for key, v in (config["env_args"] or {}).items()}
    return identity({**config, "seed": 0, "env_args": env_args})


def said(runs: Sequence[PlannedRun], needed: dict[str, Need]) -> list[str]:
    """What is reckoned with and why: a line for each setting, one for all if they are alike."""
    of_group = {run.group: needed[run.identity] for run in runs}
    if not of_group:
        return []
    if len(set(of_group.values())) == 1:
        return [f"memory of a run: {next(iter(of_group.values()))}"]
    width = max(map(len, of_group))
    return [f"memory of a run: {group:<{width}}  {need}" for group, need in of_group.items()]
