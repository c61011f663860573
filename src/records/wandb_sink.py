"""Weights & Biases as one more sink: the same names, a row for each environment step."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from configuration.mongo import masked
from utils.console import task_name
from utils.errors import UserError
from utils.logging import get_logger
from utils.program import install
from utils.settings import Settings

STEP = "t_env"  # the x-axis of all curves
START_SECONDS = 20.0  # for the service to answer; then the run is kept on disk


class WandbSink:
    """One run at W&B, or in `results/wandb` for `wandb sync`. A resumed run goes on in its own."""

    def __init__(self, config: Settings, results: Path) -> None:
        self._run = _start(config, results)
        self._run.define_metric(STEP, hidden=True)
        self._run.define_metric("*", step_metric=STEP)
        self._row: dict[str, float] = {}

    def write(self, key: str, value: float, t_env: int, seconds: float) -> None:
        """Values of one step are one row; the next step, or a second value, ends it."""
        if key in self._row or self._row.get(STEP, t_env) != t_env:
            self._send()
        self._row.update({key: value, STEP: t_env})

    def close(self) -> None:
        self._send()
        in_error = sys.exception() is not None  # the sinks are closed however a run ends
        self._run.finish(exit_code=int(in_error))

    def _send(self) -> None:
        if self._row:
            self._run.log(self._row)
        self._row = {}


def _start(config: Settings, results: Path) -> Any:
    """The run, online if that was asked for and is possible."""
    try:
        import wandb
    except ImportError as error:
        raise UserError(f"use_wandb needs a package: {install('wandb')}") from error
    offline = config["wandb_mode"] == "offline"
    if not offline:
        try:
            return _init(wandb, config, results, "online")
        except wandb.errors.Error as error:
            get_logger().warning(
                f"Warning: W&B is not available ({str(error).splitlines()[0]}). "
                "The run goes on and is kept on disk."
            )
            wandb.teardown()  # else its service goes on trying, and keeps the run's id
    run = _init(wandb, config, results, "offline")
    folder = Path(run.dir).parent
    get_logger().info(f"  W&B: on disk only. To upload it later: wandb sync {folder}")
    return run


def _init(wandb: Any, config: Settings, results: Path, mode: str) -> Any:
    """Under an id of its own, so that a resumed run is the same run there, too."""
    with _words_without_passwords():
        return wandb.init(
            project=config["wandb_project"],
            entity=config["wandb_team"],
            mode=mode,
            dir=str(results),
            id=re.sub(r"[^\w-]", "-", config["unique_token"]),
            resume="allow" if mode == "online" else None,
            name=f"{config['name']} {task_name(config)} seed {config['seed']}",
            group=f"{config['name']} {task_name(config)}",
            tags=[config["label"]],
            config=config,
            settings=wandb.Settings(silent=True, console="off", init_timeout=START_SECONDS),
        )


@contextmanager
def _words_without_passwords() -> Iterator[None]:
    """W&B keeps the command line, in which a database's address may stand."""
    words = sys.argv
    sys.argv = [masked(word) for word in words]
    try:
        yield
    finally:
        sys.argv = words
