"""Where statistics go: one `log_stat` call, any number of sinks.

The CSV file is the run's memory: every row is on disk when `log_stat` returns, and a resumed run
reads it back, cuts it at the checkpoint and fills the other sinks from it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Protocol, SupportsFloat, TextIO, TypedDict

from utils.files import read_bytes
from utils.json_values import JsonObject
from utils.metrics_csv import Lines, Row, head_line, text_of, write_rows
from utils.profile import section

WINDOW = 5  # PyMARL's console shows the mean of the last five values


def get_logger() -> logging.Logger:
    """The one console logger; DEBUG of other libraries stays out of it."""
    logger = logging.getLogger("pymarlk")
    if not logger.handlers:
        handler = logging.StreamHandler(_CurrentStdout())
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return logger


class _CurrentStdout:
    """Writes to whatever sys.stdout is now: Sacred replaces it while it captures the output."""

    def write(self, text: str) -> int:
        with contextlib.suppress(BrokenPipeError):  # nobody reads on; the run goes on
            return sys.stdout.write(text)
        return 0

    def flush(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.flush()


class Sink(Protocol):
    """Something that keeps statistics."""

    def write(self, key: str, value: float, t_env: int, seconds: float) -> None: ...

    def close(self) -> None: ...


class SacredRun(Protocol):
    """What Sacred hands to a run as `_run`, as far as numbers go into it."""

    info: JsonObject

    def log_scalar(self, metric_name: str, value: float, step: int) -> None: ...


class LoggerState(TypedDict):
    """What a checkpoint keeps of the logger."""

    rows: int  # of the CSV file
    seconds: float
    stats: dict[str, list[tuple[int, float]]]  # the last values, with their steps


class SacredSink:
    """PyMARL's `info.json` lists (`K` and `K_T`) and Sacred's own metrics, both always."""

    def __init__(self, run: SacredRun) -> None:
        self._run = run

    def write(self, key: str, value: float, t_env: int, seconds: float) -> None:
        name = key.replace(".", "_").lstrip("$")  # MongoDB refuses these in keys
        self._run.info.setdefault(name, []).append(value)
        self._run.info.setdefault(f"{name}_T", []).append(t_env)
        self._run.log_scalar(name, value, t_env)

    def record(self, name: str, facts: JsonObject) -> None:
        self._run.info[name] = facts

    def close(self) -> None:
        """Sacred flushes at the end of the run."""


class CsvSink:
    """One row a value: t_env, name, value, seconds since the run began, and a checksum."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._file: TextIO = path.open("a", encoding="utf-8", newline="")
        if path.stat().st_size == 0:
            self._write(head_line())

    def write(self, key: str, value: float, t_env: int, seconds: float) -> None:
        self._write(text_of(Row(key, t_env, value, seconds)))
        self.rows += 1

    def cut(self, rows: int) -> list[Row]:
        """Keep the first `rows` rows only, and return them."""
        self._file.close()
        kept = list(islice(Lines().rows(read_bytes(self.path)), rows))
        write_rows(self.path, kept)
        self._file = self.path.open("a", encoding="utf-8", newline="")
        self.rows = len(kept)
        return kept

    def close(self) -> None:
        self._file.close()

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()


class TensorBoardSink:
    """Scalars under the same names, at step t_env."""

    def __init__(self, folder: Path, purge_step: int | None = None) -> None:
        from torch.utils.tensorboard import SummaryWriter  # optional package

        self._writer = SummaryWriter(str(folder), purge_step=purge_step)

    def write(self, key: str, value: float, t_env: int, seconds: float) -> None:
        self._writer.add_scalar(key, value, t_env)

    def close(self) -> None:
        self._writer.close()


class Spare:
    """A sink that a run can do without: its first failure is said, and is its end."""

    def __init__(self, sink: Sink, name: str) -> None:
        self._sink, self._name, self._failed = sink, name, False

    def write(self, key: str, value: float, t_env: int, seconds: float) -> None:
        self._attempt(lambda: self._sink.write(key, value, t_env, seconds))

    def close(self) -> None:
        self._attempt(self._sink.close)

    def _attempt(self, act: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            act()
        except Exception as error:  # whatever it is, the run has its own files
            self._failed = True
            get_logger().warning(
                f"Warning: {self._name} has failed ({error!r}) and gets nothing more of this "
                "run, which goes on: its folder has everything."
            )


class Logger:
    """PyMARL's logger: `log_stat(key, value, t_env)`, `console_logger`, `print_recent_stats()`."""

    def __init__(self, console_logger: logging.Logger) -> None:
        self.console_logger = console_logger
        self.stats: dict[str, deque[tuple[int, float]]] = defaultdict(lambda: deque(maxlen=WINDOW))
        self.csv: CsvSink | None = None
        self._sinks: list[Sink] = []
        self._sacred: SacredSink | None = None
        self._began = time.monotonic()

    def setup_sacred(self, run: SacredRun) -> None:
        self._sacred = SacredSink(run)

    def record(self, name: str, facts: JsonObject) -> None:
        """Something that holds for the whole run, into its info.json."""
        if self._sacred is not None:
            self._sacred.record(name, facts)

    def setup_csv(self, path: Path) -> None:
        self.csv = CsvSink(path)
        self._sinks.append(self.csv)

    def add_sink(self, sink: Sink, name: str) -> None:
        """One beside the run's own files, which have everything should it fail."""
        self._sinks.append(Spare(sink, name))

    def setup_tb(self, folder: str | Path, purge_step: int | None = None) -> None:
        self.add_sink(TensorBoardSink(Path(folder), purge_step), "TensorBoard")

    def log_stat(self, key: str, value: SupportsFloat, t_env: int, to_sacred: bool = True) -> None:
        """Record `value` under `key` at environment step `t_env`, in every sink."""
        number = float(value)
        self.stats[key].append((t_env, number))
        with section("logging"):
            for sink in self._sinks:
                sink.write(key, number, t_env, self.seconds)
            if to_sacred and self._sacred is not None:
                self._sacred.write(key, number, t_env, self.seconds)

    @property
    def seconds(self) -> float:
        """Wall time of the run so far, earlier sessions of a resumed run included."""
        return time.monotonic() - self._began

    def latest(self, key: str) -> float:
        """The last value of `key`; NaN if there is none."""
        return self.stats[key][-1][1] if self.stats.get(key) else math.nan

    def print_recent_stats(self) -> None:
        """PyMARL's "Recent Stats" block: means of the last values, four to a line."""
        t_env, episode = self.stats["episode"][-1]
        lines = [f"Recent Stats | t_env: {t_env:>10} | Episode: {int(episode):>8}"]
        shown = sorted(key for key in self.stats if key != "episode")
        cells = [f"{key + ':':<25}{self._recent(key):>9.4f}" for key in shown]
        lines += ["  ".join(cells[i : i + 4]) for i in range(0, len(cells), 4)]
        self.console_logger.info("\n".join(lines))

    def state_dict(self) -> LoggerState:
        return {
            "rows": self.csv.rows if self.csv else 0,
            "seconds": self.seconds,
            "stats": {key: list(values) for key, values in self.stats.items()},
        }

    def load_state_dict(self, state: LoggerState) -> None:
        """Continue where `state` was taken: later rows go, earlier ones fill Sacred's files."""
        self._began = time.monotonic() - state["seconds"]
        for key, values in state["stats"].items():
            self.stats[key].extend((t_env, value) for t_env, value in values)
        rows = self.csv.cut(state["rows"]) if self.csv else []
        for row in rows:
            if self._sacred is not None:
                self._sacred.write(row.name, row.value, row.step, row.seconds)

    def close(self) -> None:
        for sink in self._sinks:
            sink.close()

    def _recent(self, key: str) -> float:
        values = [value for _, value in self.stats[key]]
        return values[-1] if key == "epsilon" else sum(values) / len(values)
