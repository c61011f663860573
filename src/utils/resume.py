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
from typing import Any

from utils.checkpoint import STATE_FILE, checkpoint_steps
from utils.errors import UserError
from utils.tracking import read_json

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


@dataclass(frozen=True)
class EarlierRun:
    """A run in the results folder that can be continued."""

    run_id: str
    config: dict[str, Any]
    status: str
    checkpoint: Path | None

    def completed(self, t_max: int | None) -> bool:
        """Whether it reached `t_max`, or else its own end."""
        enough = t_max is None or self.config["t_max"] >= t_max
        return self.status == "COMPLETED" and enough


def with_seed(config: dict[str, Any], seed: int) -> dict[str, Any]:
    """The settings with that seed, and the environment's where that was left open."""
    env_args = dict(config["env_args"])
    if env_args.get("seed") is None:
        env_args["seed"] = seed
    return {**config, "seed": seed, "env_args": env_args}


def identity(config: dict[str, Any]) -> str:
    """The same for runs that learn the same: of all settings but those that are free."""
    settings = with_seed(config, config["seed"])
    deciding = {key: value for key, value in settings.items() if key not in FREE_KEYS}
    text = json.dumps(deciding, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def models_folder(results: Path, config: dict[str, Any]) -> Path:
    return results / "models" / config["unique_token"]


def read_run(results: Path, run_id: str) -> EarlierRun | None:
    """The run in `results/sacred/<run_id>`, if that is a run of ours."""
    folder = results / "sacred" / run_id
    config = read_json(folder / "config.json")
    if "unique_token" not in config:
        return None
    models = models_folder(results, config)
    resumable = [s for s in checkpoint_steps(models) if (models / str(s) / STATE_FILE).exists()]
    checkpoint = models / str(resumable[-1]) if resumable else None
    status = read_json(folder / "run.json").get("status", "?")
    return EarlierRun(run_id, config, status, checkpoint)


def find_named(results: Path, wanted: str) -> EarlierRun:
    """The run that `resume=<id or folder>` names; an error says which there are."""
    run_id = Path(wanted).name
    run = read_run(results, run_id)
    if run is not None and run.checkpoint is not None:
        return run
    known = [i for i in run_ids(results) if (r := read_run(results, i)) and r.checkpoint]
    listed = ", ".join(known[:20]) or "none yet"
    why = "has no checkpoint" if run is not None else "does not exist"
    if run is None and (results / "sacred" / run_id).is_dir():
        why = "has no config.json that can be read"
    raise UserError(
        f"resume={wanted}: run {run_id} {why} in {results / 'sacred'}. "
        f"Runs that can be resumed: {listed}. Or type resume=latest."
    )


def find_latest(
    results: Path, config: dict[str, Any] | None = None, t_max: int | None = None
) -> EarlierRun | None:
    """The newest unfinished run (with these settings); None if there is none to continue."""
    for run_id in run_ids(results):
        run = read_run(results, run_id)
        if run is None or run.checkpoint is None or run.completed(t_max):
            continue
        if config is not None and differences(run.config, config):
            continue
        if not is_running(models_folder(results, run.config)):
            return run
    return None


def environments_so_far(folder: Path) -> list[dict[str, Any]]:
    """What the environment of the run in `folder` was in its sessions; the latest last."""
    for name in ("info.json", "info.before_resume.json"):
        info = read_json(folder / name)
        if "environment" in info:
            return [*info.get("earlier_environments", []), info["environment"]]
    return []


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """ "game_build 75689 -> 69232", for every entry that differs."""
    old, new = dict(_entries(before)), dict(_entries(now))
    return [
        f"{key} {old.get(key)} -> {new.get(key)}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def _entries(record: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All that is in a nested record: ("packages.pysc2", "4.0.0")."""
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _entries(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def differences(earlier: dict[str, Any], config: dict[str, Any]) -> list[str]:
    """Keys that decide the outcome and differ; a seed left open matches any seed."""
    if config["seed"] is not None:
        earlier, config = (with_seed(settings, settings["seed"]) for settings in (earlier, config))
    free = FREE_KEYS | ({"seed"} if config["seed"] is None else set())
    open_env_seed = config["env_args"].get("seed") is None
    return sorted(
        key
        for key in earlier.keys() | config.keys()
        if key not in free
        and _settings(key, earlier, open_env_seed) != _settings(key, config, open_env_seed)
    )


def _settings(key: str, config: dict[str, Any], seed_is_open: bool) -> Any:
    value = config.get(key)
    if key == "env_args" and isinstance(value, dict) and seed_is_open:
        return {name: v for name, v in value.items() if name != "seed"}
    return value


def run_ids(results: Path) -> list[str]:
    """Numbered runs, newest first."""
    folder = results / "sacred"
    if not folder.is_dir():
        return []
    return sorted((p.name for p in folder.iterdir() if p.name.isdigit()), key=int, reverse=True)


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
