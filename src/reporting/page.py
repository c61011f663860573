"""The report as one HTML file that needs nothing else: pictures are inside."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path

from reporting.tables import Table

CAPTIONS = {
    "curves": "Learning curves: interquartile mean over seeds, with its 95 % bootstrap interval",
    "curves_over_time": "The same over the time that the runs took",
    "final": "Final scores: interquartile mean, 95 % interval, and every seed as a mark",
    "profiles": "Performance profiles: share of runs that end above a score",
    "k_cosine": "Cosine between the gradient of the highest level and that of level 1",
    "k_contraction": "Length of the last level's step over that of the one before: below 1 "
    "the levels converge",
    "k_norm_ratio": "Norm of the highest level's gradient, in units of level 1's",
    "k_changed": "Share of the other agents' likeliest actions that the levels changed",
    "k_others_ratio": "How far the others' joint ratio, which weighs a step, is from 1",
    "differences": "Paired differences of the area under the curve, with their 95 % intervals",
    "sensitivity": "Area under the curve at each value of a setting, with its 95 % interval",
}
STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
       color: #1c1c1c; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #ddd; }
th.name, td.name { text-align: left; }
.wide { overflow-x: auto; } .note, figcaption { color: #555; font-size: .87rem; max-width: 52rem; }
figure { margin: 1.5rem 0; } img { max-width: 100%; height: auto; }
ul.notices { background: #fff6e0; padding: .7rem 2rem; border-left: 4px solid #e69f00; }
"""


def page(
    title: str, notices: Sequence[str], tables: Sequence[Table], pictures: dict[str, Path]
) -> str:
    """`pictures` are PNG files by the name of the figure."""
    listed = "".join(f"<li>{html.escape(notice)}</li>" for notice in notices)
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<ul class=notices>{listed}</ul>" if notices else "",
        *(_figure(name, path) for name, path in pictures.items()),
        *(table.html() for table in tables),
    ]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        f'<meta name=viewport content="width=device-width"><style>{STYLE}</style>'
        + "\n".join(parts)
        + "</html>\n"
    )


def _figure(name: str, path: Path) -> str:
    content = base64.b64encode(path.read_bytes()).decode()
    text = html.escape(caption(name))
    return (
        f'<figure><img alt="{text}" src="data:image/png;base64,{content}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def caption(name: str) -> str:
    """What the figure of that name shows."""
    return CAPTIONS.get(name, name)
