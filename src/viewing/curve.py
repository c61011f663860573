"""`python src/main.py curve [RUN] [metric=NAME]`: how a run went, as text and as a picture."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from reporting.results import finite
from reporting.series import Series
from utils.console import human, short_name, task_name
from utils.errors import UserError, did_you_mean
from utils.headlines import headline, is_rate
from utils.program import install
from viewing.runs import ChosenRun, choose

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLOCKS = "▁▂▃▄▅▆▇█"
COLUMNS = 60


@dataclass(frozen=True)
class Curve:
    """One metric of one run. Its text is a line of blocks and its key values; notebooks show the
    picture.
    """

    metric: str
    title: str
    points: Series  # finite ones
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        steps, values = self.points.steps.tolist(), self.points.values.tolist()
        best = max(range(len(values)), key=values.__getitem__)
        key_values = (
            f"{short_name(self.metric)} from {values[0]:.2f} to {values[-1]:.2f} at "
            f"{human(steps[-1])} steps; highest {values[best]:.2f} at {human(steps[best])}"
        )
        return "\n".join([self.title, sparkline(values), key_values, *self.remarks])

    def figure(self) -> Figure:
        """Made without pyplot, so that a program's own pictures stay as they are."""
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise UserError(f"The picture needs a package: {install('plots')}") from error
        figure = Figure(figsize=(6.4, 4), layout="constrained")
        axes = figure.subplots()
        axes.plot(self.points.steps, self.points.values, ".-", color="tab:blue")
        if is_rate(self.metric):
            axes.set_ylim(-0.03, 1.03)
        axes.set(xlabel="environment steps", ylabel=short_name(self.metric), title=self.title)
        axes.grid(alpha=0.3)
        return figure

    def save(self, target: str | Path | IO[bytes]) -> None:
        self.figure().savefig(target, dpi=120)

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.save(content)
        return content.getvalue()


def main(argv: list[str]) -> int:
    chosen, words = choose(argv)
    curve = curve_of(chosen, _typed(words))
    sys.stdout.write(f"{curve}\n")
    path = chosen.folder / f"{curve.metric.replace('/', '_')}.png"
    curve.save(path)
    sys.stdout.write(f"drawn: {path}\n")
    return 0


def curve_of(chosen: ChosenRun, wanted: str | None = None) -> Curve:
    """Of the metric that is wanted, else of the one that the run's live line shows."""
    record = chosen.record()
    metric = _metric(chosen, record.metrics, wanted)
    logged = len(record.metrics[metric].steps)
    points = finite(record.metrics[metric])
    left_out = logged - len(points.steps)
    if left_out == logged:
        raise UserError(
            f"All {logged} values of {metric} are NaN or infinite, so there is no curve. "
            "Type another: curve [RUN] metric=NAME"
        )
    remarks = [f"note: {notice}" for notice in record.notices]
    if left_out:
        remarks.append(f"left out: {left_out} of {logged} values, NaN or infinite")
    return Curve(metric, _title(chosen), points, tuple(remarks))


def sparkline(values: list[float]) -> str:
    """At most COLUMNS blocks between the lowest and the highest value."""
    step = max(1, -(-len(values) // COLUMNS))
    groups = [values[i : i + step] for i in range(0, len(values), step)]
    means = [sum(group) / len(group) for group in groups]
    low, high = min(means), max(means)
    span = (high - low) or 1.0
    return "".join(BLOCKS[round((mean - low) / span * (len(BLOCKS) - 1))] for mean in means)


def _typed(words: list[str]) -> str | None:
    """The metric that the words name."""
    for word in words:
        name = word.removeprefix("metric=")
        if name == word:
            raise UserError(f"curve knows nothing like '{word}'. Type: curve [RUN] [metric=NAME]")
        return name
    return None


def _metric(chosen: ChosenRun, known: Mapping[str, Series], wanted: str | None) -> str:
    run_id = chosen.run.run_id
    if not known:
        raise UserError(f"Run {run_id} has logged nothing yet.")
    if wanted is None:
        return headline(known, chosen.config.get("best_metric")) or next(iter(known))
    if wanted not in known:
        raise UserError(
            f"Run {run_id} has no metric '{wanted}'.{did_you_mean(wanted, known)} "
            f"Known: {', '.join(sorted(known))}."
        )
    return wanted


def _title(chosen: ChosenRun) -> str:
    config = chosen.config
    return f"{config['name']} on {task_name(config)}, seed {config['seed']}"
