"""Finding the run that `resume=latest`, `resume=<id>` or `resume=<folder>` means."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from records.checkpoint import STATE_FILE, checkpoint_steps, sound_state
from records.checksums import DamagedError
from records.run_files import RunFiles, UnreadableRunError
from utils.errors import UserError
from utils.json_values import JsonObject
from utils.places import is_number, run_place
from utils.settings import Settings, is_seed

# What a resumed run may change: nothing that decides what is learned or measured.
FREE_KEYS = frozenset(
    {
        "resume",
        "t_max",
        "checkpoint_interval",
        "checkpoint_minutes",
        "save_model",
        "save_model_interval",
        "log_interval",
        "curve_interval",  # what it says is said by the settings that follow it
        "use_tensorboard",
        "mongo",
        "use_wandb",
        "wandb_project",
        "wandb_team",
        "wandb_mode",
        "label",
        "local_results_path",
        "ray_address",
        "torch_threads",
        "profile",
        "unique_token",
    }
)


def deciding(config: Settings) -> Settings:
    """The settings on which it depends what a run learns.

    Learning rates that fall to 0 at the end differ at every step with where that is.
    """
    free = FREE_KEYS - {"t_max"} if config.get("lr_anneal") else FREE_KEYS
    return {key: value for key, value in config.items() if key not in free}


# Of config.json, what every command needs.
NEEDED = {"unique_token": str, "name": str, "env": str, "env_args": dict, "t_max": int, "seed": int}


@dataclass(frozen=True)
class EarlierRun:
    """A run in the results folder `results` that can be continued."""

    results: Path
    run_id: str
    config: Settings
    status: str
    checkpoints: tuple[Path, ...]  # with a state to go on from, the newest first
    told: tuple[str, ...] = ()  # what was damaged and could be done without

    @property
    def folder(self) -> Path:
        return self.results / "sacred" / self.run_id

    @property
    def checkpoint(self) -> Path | None:
        return self.checkpoints[0] if self.checkpoints else None

    def completed(self, t_max: int | None) -> bool:
        """Whether it reached `t_max`, or else its own end."""
        enough = t_max is None or self.config["t_max"] >= t_max
        return self.status == "COMPLETED" and enough


def with_seed(config: Settings, seed: int) -> Settings:
    """The settings with that seed, and the environment's where those were left open."""
    left_open = dict.fromkeys(open_seeds(config["env_args"]), seed)
    return {**config, "seed": seed, "env_args": {**config["env_args"], **left_open}}


def open_seeds(env_args: Settings) -> set[str]:
    """The environment's seeds that the run's stands in for."""
    return {name for name in {*env_args, "seed"} if is_seed(name) and env_args.get(name) is None}


def identity(config: Settings) -> str:
    """The same for runs that learn the same: of all settings but those that are free."""
    settings = deciding(with_seed(config, config["seed"]))
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def models_folder(results: Path, config: Settings) -> Path:
    return results / "models" / config["unique_token"]


def read_run(results: Path, run_id: str) -> EarlierRun | None:
    """The run in `results/sacred/<run_id>`, if that is a run of ours that can be read."""
    try:
        return known_run(results, run_id)
    except UnreadableRunError:
        return None


def known_run(results: Path, run_id: str) -> EarlierRun:
    """The run in `results/sacred/<run_id>`; UnreadableRunError says why there is none."""
    folder = results / "sacred" / run_id
    if not folder.is_dir():
        raise UnreadableRunError(f"run {run_id} does not exist in {results / 'sacred'}.")
    files = RunFiles(folder)
    config, told = files.settings()
    odd = [key for key, kind in NEEDED.items() if not isinstance(config.get(key), kind)]
    if odd:
        raise UnreadableRunError(
            f"run {run_id} has no config.json that can be used: {folder / 'config.json'} lacks "
            f"{', '.join(odd)}."
        )
    if not _names_a_folder(config["unique_token"]):
        raise UnreadableRunError(
            f"run {run_id} has no config.json that can be used: its unique_token "
            f"{config['unique_token']!r} would lead out of {results / 'models'}."
        )
    unverifiable = files.unverifiable()
    told = [*told, unverifiable] if unverifiable else told
    models = models_folder(results, config)
    steps = [s for s in checkpoint_steps(models) if (models / str(s) / STATE_FILE).exists()]
    try:
        status = str(files.object("run.json").get("status", "?"))
    except UnreadableRunError as error:
        status, told = "?", [*told, f"{error} So the status of the run is not known."]
    checkpoints = tuple(models / str(step) for step in reversed(steps))
    return EarlierRun(results, run_id, config, status, checkpoints, tuple(told))


class SoundRun(NamedTuple):
    """A run, and what it goes on from."""

    run: EarlierRun
    checkpoint: Path
    rows: int  # values that it had logged by then
    remarks: list[str]


def sound_run(run: EarlierRun) -> SoundRun:
    """The newest checkpoint that is what was written; says which ones are not, and why."""
    remarks = list(run.told)
    for folder in run.checkpoints:
        try:
            state = sound_state(folder)
        except UserError as error:
            remarks.append(f"checkpoint {folder.name} was skipped: {error}")
            continue
        return SoundRun(run, folder, state["logger"]["rows"], remarks)
    raise DamagedError(f"resume={run.run_id}: no checkpoint is sound.\n" + "\n".join(remarks))


def _names_a_folder(token: str) -> bool:
    """Whether checkpoints go below the results with it: a settings file may be from anywhere."""
    return token not in ("", "..") and Path(token).name == token


def find_named(results: Path, wanted: str) -> EarlierRun:
    """The run that `resume=<id or folder>` names; an error says which there are."""
    results, run_id = run_place(wanted, results)
    try:
        run = known_run(results, run_id)
        why = f"run {run_id} has no checkpoint in {results / 'models'}."
    except UnreadableRunError as error:
        run, why = None, f"run {run_id} cannot be continued: {error}"
    if run is not None and run.checkpoint is not None:
        return run
    known = [i for i in run_ids(results) if (r := read_run(results, i)) and r.checkpoint]
    listed = ", ".join(known[:20]) or "none yet"
    raise UserError(
        f"resume={wanted}: {why} Runs that can be resumed: {listed}. Or type resume=latest."
    )


def find_latest(
    results: Path, config: Settings | None = None, t_max: int | None = None
) -> EarlierRun | None:
    """The newest unfinished run (with these settings); None if there is none to continue."""
    for run_id in run_ids(results):
        run = read_run(results, run_id)
        if run is None or run.checkpoint is None or run.completed(t_max):
            continue
        if config is not None and differences(run.config, config):
            continue
        if t_max is not None and "t_max" in deciding(run.config) and run.config["t_max"] != t_max:
            continue  # its learning rates were others
        if not is_running(models_folder(results, run.config)):
            return run
    return None


def environments_so_far(folder: Path) -> list[JsonObject]:
    """What the environment of the run in `folder` was in its sessions; the latest last."""
    files = RunFiles(folder)
    for name in ("info.json", "info.before_resume.json"):
        info = files.object_or_nothing(name)
        if "environment" in info:
            return [*info.get("earlier_environments", []), info["environment"]]
    return []


def changes(before: JsonObject, now: JsonObject) -> list[str]:
    """ "game_build 75689 -> 69232", for every entry that differs."""
    old, new = dict(_entries(before)), dict(_entries(now))
    return [
        f"{key} {old.get(key)} -> {new.get(key)}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def _entries(record: JsonObject, prefix: str = "") -> Iterator[tuple[str, object]]:
    """All that is in a nested record: ("packages.pysc2", "4.0.0")."""
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _entries(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def differences(earlier: Settings, config: Settings) -> list[str]:
    """Keys that decide the outcome and differ; a seed left open matches any seed."""
    if config["seed"] is not None:
        earlier, config = (with_seed(settings, settings["seed"]) for settings in (earlier, config))
    free = FREE_KEYS | ({"seed"} if config["seed"] is None else set())
    left_open = open_seeds(config["env_args"])
    return sorted(
        key
        for key in earlier.keys() | config.keys()
        if key not in free
        and _settings(key, earlier, left_open) != _settings(key, config, left_open)
    )


def _settings(key: str, config: Settings, left_open: set[str]) -> object:
    value = config.get(key)
    if key == "env_args" and isinstance(value, dict):
        return {name: v for name, v in value.items() if name not in left_open}
    return value


def run_ids(results: Path) -> list[str]:
    """Numbered runs, newest first."""
    folder = results / "sacred"
    if not folder.is_dir():
        return []
    return sorted((p.name for p in folder.iterdir() if is_number(p.name)), key=int, reverse=True)


def is_running(models: Path) -> bool:
    """True while a living process holds the run's lock."""
    try:
        with locked(models):
            return False
    except UserError:
        return True


@contextmanager
def locked(models: Path) -> Iterator[None]:
    """Hold the run's lock; the kernel releases it however the process ends."""
    models.mkdir(parents=True, exist_ok=True)
    lock = models / ".lock"
    handle = os.open(lock, os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise UserError(
            f"The run of {models} is still going in another process. "
            "Wait for it, or stop it (it saves when it is interrupted), then resume."
        ) from error
    try:
        yield
    finally:
        os.close(handle)
        if list(models.iterdir()) == [lock]:  # nothing was ever saved
            lock.unlink()
            models.rmdir()
