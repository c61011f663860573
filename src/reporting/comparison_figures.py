"""Pictures of comparisons: forest plots, and scores against a key."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from reporting.comparison import Difference, Sensitivity, order_key
from reporting.figures import COLOURS, COLUMNS, grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST_RATIO = 4  # of the largest value to the smallest, from which on an axis is logarithmic


def forest(found: Sequence[Difference], against: str) -> Figure | None:
    """A row for each difference in AUC: its mean, its interval, and where 0 is."""
    drawn = [each for each in found if each.measure == "AUC"]
    tasks = sorted({each.task for each in drawn})
    if not tasks:
        return None
    figure, panels = grid(len(tasks))
    for panel, task in zip(panels, tasks, strict=True):
        own = [each for each in drawn if each.task == task]
        for row, each in enumerate(own):
            colour = COLOURS[0] if each.low > 0 else COLOURS[1] if each.high < 0 else "#666666"
            panel.plot([each.low, each.high], [row, row], color=colour, linewidth=1.5)
            panel.plot(each.mean, row, "o", color=colour, markersize=5)
        panel.axvline(0, color="black", linewidth=0.8)
        panel.set_yticks(range(len(own)), [f"{each.label} (n = {each.n})" for each in own])
        panel.set_ylim(len(own) - 0.4, -0.6)
        panel.set_title(task, loc="left")
        panel.set_xlabel(f"difference in AUC to {against}")
        panel.grid(visible=False, axis="y")
    longest = max(sum(each.task == task for each in drawn) for task in tasks)
    figure.set_figheight(-(-len(tasks) // COLUMNS) * (0.35 * longest + 1.1))
    return figure


def sensitivity(found: Sequence[Sensitivity], key: str) -> Figure | None:
    """AUC against a key: one panel for each task, one line for each algorithm."""
    tasks = sorted({each.task for each in found})
    if not tasks:
        return None
    figure, panels = grid(len(tasks))
    labels = sorted({each.label for each in found})
    for panel, task in zip(panels, tasks, strict=True):
        values = sorted({each.value for each in found if each.task == task}, key=order_key)
        places = _places(values)
        for label, colour in zip(labels, np.resize(COLOURS, len(labels)), strict=True):
            own = [each for each in found if (each.task, each.label) == (task, label)]
            spread = [0.0 if math.isnan(each.half) else each.half for each in own]
            panel.errorbar([places[each.value] for each in own], [each.mean for each in own],
                           yerr=spread, label=label, color=colour, marker="o", markersize=4,
                           linewidth=1.2, capsize=2)  # fmt: skip
        if _logarithmic(values):
            panel.set_xscale("log")
        panel.set_xticks([places[value] for value in values], [str(value) for value in values])
        panel.minorticks_off()
        panel.set_title(task, loc="left")
        panel.set_xlabel(key)
    panels[0].set_ylabel("AUC")
    panels[-1].legend(loc="best")
    return figure


def _places(values: Sequence[object]) -> dict[object, float]:
    """Numbers where they are; of anything else, the first is at 0, the next at 1 ..."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return {value: float(str(value)) for value in values}
    return {value: float(place) for place, value in enumerate(values)}


def _logarithmic(values: Sequence[object]) -> bool:
    """Where they are numbers; the first of anything else is at 0."""
    places = _places(values).values()
    return min(places) > 0 and max(places) / min(places) >= LEAST_RATIO
