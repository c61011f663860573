"""`python src/main.py curve [RUN] [metric=NAME]`: how a run went, as text and as a picture."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from reporting.results import finite
from reporting.series import Series
from utils.console import human, short_name, task_name
from utils.errors import UserError, did_you_mean
from utils.headlines import headline, is_rate
from viewing.runs import ChosenRun, choose

BLOCKS = "▁▂▃▄▅▆▇█"
COLUMNS = 60


def main(argv: list[str]) -> int:
    chosen, words = choose(argv)
    record = chosen.record()
    metrics = record.metrics
    metric = _metric(chosen, metrics, words)
    logged = len(metrics[metric].steps)
    series = finite(metrics[metric])
    points = list(zip(series.steps.tolist(), series.values.tolist(), strict=True))
    if not points:
        raise UserError(
            f"All {logged} values of {metric} are NaN or infinite, so there is no curve. "
            "Type another: curve [RUN] metric=NAME"
        )
    values = [value for _, value in points]
    best = max(range(len(values)), key=values.__getitem__)
    sys.stdout.write(
        f"{_title(chosen)}\n{sparkline(values)}\n"
        f"{short_name(metric)} from {values[0]:.2f} to {values[-1]:.2f} at {human(points[-1][0])}"
        f" steps; highest {values[best]:.2f} at {human(points[best][0])}\n"
    )
    for notice in record.notices:
        sys.stdout.write(f"note: {notice}\n")
    if len(points) < logged:
        left_out = logged - len(points)
        sys.stdout.write(f"left out: {left_out} of {logged} values, NaN or infinite\n")
    path = chosen.folder / f"{metric.replace('/', '_')}.png"
    draw(points, metric, _title(chosen), path)
    sys.stdout.write(f"drawn: {path}\n")
    return 0


def sparkline(values: list[float]) -> str:
    """At most COLUMNS blocks between the lowest and the highest value."""
    step = max(1, -(-len(values) // COLUMNS))
    groups = [values[i : i + step] for i in range(0, len(values), step)]
    means = [sum(group) / len(group) for group in groups]
    low, high = min(means), max(means)
    span = (high - low) or 1.0
    return "".join(BLOCKS[round((mean - low) / span * (len(BLOCKS) - 1))] for mean in means)


def draw(points: list[tuple[int, float]], metric: str, title: str, path: Path) -> None:
    try:
        import matplotlib
    except ImportError as error:
        raise UserError(
            "The picture needs a package: pip install -r requirements/plots.txt"
        ) from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 4), layout="constrained")
    steps, values = zip(*points, strict=True)
    axes.plot(steps, values, ".-", color="tab:blue")
    if is_rate(metric):
        axes.set_ylim(-0.03, 1.03)
    axes.set(xlabel="environment steps", ylabel=short_name(metric), title=title)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _metric(chosen: ChosenRun, known: Mapping[str, Series], words: list[str]) -> str:
    """The one that is typed, else the one that the run's live line shows."""
    run_id = chosen.run.run_id
    if not known:
        raise UserError(f"Run {run_id} has logged nothing yet.")
    for word in words:
        name = word.removeprefix("metric=")
        if name == word:
            raise UserError(f"curve knows nothing like '{word}'. Type: curve [RUN] [metric=NAME]")
        if name not in known:
            raise UserError(
                f"Run {run_id} has no metric '{name}'.{did_you_mean(name, known)} "
                f"Known: {', '.join(sorted(known))}."
            )
        return name
    return headline(known, chosen.config.get("best_metric")) or next(iter(known))


def _title(chosen: ChosenRun) -> str:
    config = chosen.config
    return f"{config['name']} on {task_name(config)}, seed {config['seed']}"
