"""What a run says on screen: a short head, one live line, one line with the result."""

from __future__ import annotations

import logging
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from utils.settings import Change, Settings

TASK_KEYS = ("map_name", "scenario_name", "key")  # of env_args that name a task
SIZE_KEYS = ("n_agents", "n_actions", "maxval")  # of env_args that replace a named task's own
WIDTH, LEAST_WIDTH = 20, 5  # cells of the bar; with less room it is left out
USUAL_COLUMNS = 80  # of a terminal that does not say how wide it is
REDRAW_SECONDS = 0.5
SHARE, BAR = "{:4.0%} ", "|{}| "  # at the beginning of the live line
SHARE_WIDTH = len(SHARE.format(1))
SPARED = ("speed", "best", "steps", "left")  # of the live line where it is narrow, first one first
PLAIN_SECONDS = 30.0  # between two lines when the output is not a terminal


def head_lines(
    config: Settings,
    changed: list[Change],
    run_dir: Path | None,
    facts: list[str],
) -> list[str]:
    """What runs, what differs from the defaults and who set it, where to look."""
    title = [f"{config['name']} on {task_name(config)}", f"seed {config['seed']}", *facts]
    by_origin: dict[str, list[str]] = {}
    for key, value, origin in changed:
        by_origin.setdefault(origin, []).append(f"{key} {value}")
    lines = [" · ".join(title)]
    lines += [f"  {origin}: {', '.join(settings)}" for origin, settings in by_origin.items()]
    lines.append(f"  results in {run_dir}" if run_dir else "  nothing is recorded (unobserved run)")
    return lines


def test_line(config: Settings) -> str:
    """How a run is tested, and what ± means behind its results."""
    every = human(config["test_interval"])
    return (
        f"  tests: {config['test_nepisode']} episodes every {every} steps; ± is the standard error "
        "of their mean"
    )


test_line.__test__ = False  # type: ignore[attr-defined]  # not a test case


def task_name(config: Settings) -> str:
    """ "sc2/corridor", "two_step": the environment and, if it has several, its map or scenario.

    Sizes that replace those of the map make it another task: "coordsum/2x5-8 n_agents=3".
    """
    env_args = config["env_args"]
    named = next((env_args[key] for key in TASK_KEYS if env_args.get(key)), None)
    if named is None:
        return str(config["env"])
    sizes = [f"{key}={env_args[key]}" for key in SIZE_KEYS if env_args.get(key) is not None]
    return " ".join([f"{config['env']}/{named}", *sizes])


@dataclass
class TestResult:
    """The headline of one evaluation."""

    __test__ = False  # not a test case, whatever pytest thinks of the name

    metric: str
    value: float
    spread: float | None  # standard error over the test episodes; None if unknown
    t_env: int

    def __str__(self) -> str:
        text = f"{short_name(self.metric)} {self.value:.2f}"
        return text if self.spread is None else f"{text} ±{self.spread:.2f}"


def short_name(metric: str) -> str:
    """ "test_battle_won_mean" -> "test win"."""
    text = metric.removesuffix("_mean").replace("battle_won", "win")
    return text.replace("_", " ")


class Progress:
    """One live line on a terminal; a plain line now and then anywhere else."""

    def __init__(self, t_start: int, t_max: int, console: logging.Logger) -> None:
        self._t_start, self._t_max, self._console = t_start, t_max, console
        self._began = self._shown = time.monotonic()
        self._stream = sys.__stderr__  # past Sacred's capture: a live line is no log
        self._live = self._stream is not None and self._stream.isatty() and not is_dumb()
        self._drawn = 0  # length of the line now on screen

    def show(self, t_env: int, last: TestResult | None, best: float) -> None:
        """Redraw, unless that was done a moment ago."""
        now = time.monotonic()
        if now - self._shown < (REDRAW_SECONDS if self._live else PLAIN_SECONDS):
            return
        self._shown = now
        if self._live:
            columns = self._columns()
            self._draw(self._line(t_env, last, best, columns), columns)
        else:
            self._console.info(self._line(t_env, last, best))

    def __enter__(self) -> Progress:
        self._console.addFilter(self._make_way)
        return self

    def __exit__(self, *exc: object) -> None:
        self._console.removeFilter(self._make_way)
        self.clear()

    def _make_way(self, record: logging.LogRecord) -> bool:
        """Other lines stand above the live one."""
        self.clear()
        return True

    def clear(self) -> None:
        if self._live and self._drawn:
            self._draw("", self._columns())
            assert self._stream is not None
            self._stream.write("\r")

    def _columns(self) -> int:
        """Those that can be written to now; the last one is left free, as some terminals break
        the line there."""
        assert self._stream is not None
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            columns = 0
        return (columns or USUAL_COLUMNS) - 1

    def _draw(self, line: str, columns: int) -> None:
        """In place of the line that is there; below it, if the terminal has become too narrow for
        that one: only some terminals have then laid it out anew, in two lines."""
        assert self._stream is not None
        back = "\r" if self._drawn <= columns + 1 else "\n"
        self._stream.write(back + line.ljust(min(self._drawn, columns)))
        self._stream.flush()
        self._drawn = len(line)

    def _line(
        self, t_env: int, last: TestResult | None, best: float, columns: int = sys.maxsize
    ) -> str:
        """As much as fits: first the bar becomes shorter, then what matters least goes."""
        share = min(1.0, t_env / max(1, self._t_max))
        words = self._words(t_env, last, best)
        text = "  ".join(words.values())
        for spared in SPARED:
            if len(text) + SHARE_WIDTH <= columns:
                break
            words.pop(spared, None)
            text = "  ".join(words.values())
        cells = min(WIDTH, columns - len(text) - SHARE_WIDTH - len(BAR.format("")))
        bar = BAR.format(f"{'█' * int(share * cells):<{cells}}") if cells >= LEAST_WIDTH else ""
        return (SHARE.format(share) + bar + text)[:columns]

    def _words(self, t_env: int, last: TestResult | None, best: float) -> dict[str, str]:
        """What stands to the right of the bar."""
        speed = (t_env - self._t_start) / max(1e-9, time.monotonic() - self._began)
        left = max(0, self._t_max - t_env) / speed if speed > 0 else float("inf")
        words = {
            "steps": f"{human(min(t_env, self._t_max))}/{human(self._t_max)}",
            "speed": f"{speed:.0f} steps/s",
            "left": f"left {duration(left)}",
        }
        return words if last is None else {**words, "test": str(last), "best": f"best {best:.2f}"}


def is_dumb() -> bool:
    """Whether the terminal says that it cannot go back in a line."""
    return os.environ.get("TERM") == "dumb"


def human(number: float) -> str:
    """840000 -> "840k", 2050000 -> "2.05M"."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"


def duration(seconds: float) -> str:
    """5700 -> "1h35m"."""
    if seconds == float("inf"):
        return "?"
    minutes, secs = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{secs:02d}s" if minutes else f"{secs}s"
