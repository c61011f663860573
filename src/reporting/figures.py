"""The pictures of a report. Each is drawn from results alone and returned, not written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from reporting.grouping import Group
from reporting.results import Result, by_label, curve_of, normalised
from reporting.statistics import iqm, profile
from utils.console import human, short_name
from utils.errors import UserError
from utils.headlines import is_rate
from utils.program import install

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import Locator

# Okabe and Ito's colours, which stay apart for the colour-blind; lines repeat them in other dashes.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", ":", "-.")
PANEL = (3.4, 2.5)  # inches
COLUMNS = 4
DIRECT = 4  # so many lines can be named at their ends
GAP = 0.09  # between two names, of the panel's height
LEVEL_METRICS = ("k/cosine", "k/contraction", "k/norm_ratio", "k/changed", "k/others_ratio")
STYLE: Any = {  # matplotlib types each key for itself
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.formatter.useoffset": False,  # numbers as they are
    "grid.alpha": 0.25,
    "legend.frameon": False,
}


class Style(TypedDict):
    """The look of an algorithm."""

    color: str
    linestyle: str


Styles = dict[str, Style]  # by label


def figures(results: Sequence[Result], metric: str) -> dict[str, Figure]:
    """Name -> picture; those that the runs have nothing for are left out."""
    groups = [result.group for result in results]
    styles = _styles(groups)
    drawn = {
        "curves": _panels(groups, metric, "steps", styles),
        "curves_over_time": _panels(groups, metric, "seconds", styles),
        "final": _intervals(results, metric, styles),
        "profiles": _profiles(results, metric, styles),
    }
    for name in LEVEL_METRICS:
        drawn[name.replace("/", "_")] = _panels(groups, name, "steps", styles)
    return {name: figure for name, figure in drawn.items() if figure is not None}


def write(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=150)


def close(figure: Figure) -> None:
    """pyplot remembers its figures until it is told not to."""
    pyplot().close(figure)


def pyplot() -> ModuleType:
    try:
        import matplotlib
    except ImportError as error:
        raise UserError(
            f"The pictures need a package: {install('plots')}\n"
            "A report can do without: --no-figures"
        ) from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update(STYLE)
    return pyplot


def _styles(groups: Sequence[Group]) -> Styles:
    """One look for each algorithm, the same in all pictures."""
    labels = sorted({group.label for group in groups})
    return {
        label: {
            "color": COLOURS[i % len(COLOURS)],
            "linestyle": DASHES[i // len(COLOURS) % len(DASHES)],
        }
        for i, label in enumerate(labels)
    }


def _panels(groups: Sequence[Group], metric: str, axis: str, styles: Styles) -> Figure | None:
    """One panel for each task, one curve for each algorithm."""
    curves = {(g.task, g.label): curve_of(g, metric, axis) for g in groups}
    drawn = {key: curve for key, curve in curves.items() if curve is not None}
    tasks = sorted({task for task, _ in drawn})
    if not tasks:
        return None
    figure, panels = grid(len(tasks))
    unit, size = _unit(axis, max(curve.x[-1] for curve in drawn.values()))
    for panel, task in zip(panels, tasks, strict=True):
        for (where, label), curve in drawn.items():
            if where != task:
                continue
            panel.plot(curve.x / size, curve.middle, label=label, **styles[label])
            panel.fill_between(curve.x / size, curve.low, curve.high,
                               color=styles[label]["color"], alpha=0.18, linewidth=0)  # fmt: skip
        panel.set_title(task, loc="left")
        if axis == "steps":
            panel.xaxis.set_major_formatter(lambda value, _: human(value))
        panel.xaxis.set_major_locator(_locator(integer=axis == "steps"))
        if is_rate(metric):
            panel.set_ylim(-0.03, 1.03)
    for panel in panels[-COLUMNS:]:
        panel.set_xlabel(unit)
    for panel in panels[::COLUMNS]:
        panel.set_ylabel(_named(metric))
    _name_lines(figure, panels)
    return figure


def grid(count: int) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels."""
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    size = max(PANEL[0] * columns, 5.0), PANEL[1] * rows + 0.6
    figure, axes = pyplot().subplots(rows, columns, figsize=size, squeeze=False,
                                      layout="constrained")  # fmt: skip
    panels = list(axes.flat)
    for spare in panels[count:]:
        spare.remove()
    return figure, panels[:count]


def _name_lines(figure: Figure, panels: Sequence[Axes]) -> None:
    """At the lines' ends where there are few, else in a legend above all panels."""
    if max(len(panel.get_lines()) for panel in panels) > DIRECT:
        _legend(figure, panels)
        return
    for panel in panels:
        _name_ends(panel)


def _name_ends(panel: Axes) -> None:
    """In the line's colour, to the right of the panel, at its height or as near as it fits."""
    low, high = panel.get_ylim()
    lines = sorted(panel.get_lines(), key=lambda line: float(np.asarray(line.get_ydata())[-1]))
    ends = [float(np.asarray(line.get_ydata())[-1]) for line in lines]
    wanted = np.array([(end - low) / (high - low) for end in ends])
    places = wanted.copy()
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + GAP)
    places -= np.mean(places - wanted)
    places -= max(0.0, places[-1] - 1)
    for line, place in zip(lines, places, strict=True):
        panel.text(1.02, place, str(line.get_label()), color=line.get_color(), va="center",
                   transform=panel.transAxes)  # fmt: skip


def _legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """Once for all panels, above them."""
    known: dict[str, Artist] = {}
    for panel in panels:
        handles, labels = panel.get_legend_handles_labels()
        known |= dict(zip(labels, handles, strict=True))
    names = sorted(known)
    figure.legend([known[name] for name in names], names, loc="outside upper left",
                  ncols=max(1, min(4, len(names))))  # fmt: skip


def _locator(most: int = 5, integer: bool = True) -> Locator:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(most, integer=integer)


def _named(metric: str) -> str:
    return f"{short_name(metric)} rate" if is_rate(metric) else short_name(metric)


def _unit(axis: str, longest: float) -> tuple[str, float]:
    """The axis' name, and what one of its unit is in steps or seconds."""
    if axis == "steps":
        return "environment steps", 1.0
    if longest < 120:
        return "time (seconds)", 1.0
    return ("time (minutes)", 60.0) if longest < 7200 else ("time (hours)", 3600.0)


def _intervals(results: Sequence[Result], metric: str, styles: Styles) -> Figure:
    """Final scores: IQM as a point, its interval as a bar, and every run as a small mark."""
    tasks = sorted({result.group.task for result in results})
    figure, panels = grid(len(tasks))
    for panel, task in zip(panels, tasks, strict=True):
        own = sorted((r for r in results if r.group.task == task), key=lambda r: r.group.label)
        for row, result in enumerate(own):
            colour = styles[result.group.label]["color"]
            estimate = iqm([result.final])
            panel.plot([estimate.low, estimate.high], [row, row], color=colour, linewidth=6,
                       alpha=0.3, solid_capstyle="butt")  # fmt: skip
            panel.plot(result.final, np.full(len(result.final), row - 0.28), "|", color=colour,
                       markersize=5)  # fmt: skip
            panel.plot(estimate.value, row, "o", color=colour, markersize=5)
        panel.set_yticks(range(len(own)), [r.group.label for r in own])
        panel.set_ylim(len(own) - 0.4, -0.6)
        panel.set_title(task, loc="left")
        panel.grid(visible=False, axis="y")
        if is_rate(metric):
            panel.set_xlim(-0.03, 1.03)
        else:
            panel.xaxis.set_major_locator(_locator(4, integer=False))
    for panel in panels[-COLUMNS:]:
        panel.set_xlabel(f"final {_named(metric)}")
    return figure


def _profiles(results: Sequence[Result], metric: str, styles: Styles) -> Figure | None:
    """Performance profiles over the tasks that all algorithms played."""
    scores = by_label(normalised(results, metric))
    if len(scores) < 2:
        return None
    figure, (panel,) = grid(1)
    levels = np.linspace(0, 1, 101)
    for label, own in scores.items():
        share, low, high = profile([result.final for result in own], levels)
        panel.plot(levels, share, label=label, **styles[label])
        panel.fill_between(levels, low, high, color=styles[label]["color"], alpha=0.18, linewidth=0)
    scale = "" if is_rate(metric) else ", scaled to 0..1 within each task"
    panel.set(xlabel=f"final {_named(metric)}{scale}", ylabel="share of runs above",
              ylim=(-0.03, 1.03))  # fmt: skip
    _legend(figure, [panel])  # their ends all meet at zero
    return figure
