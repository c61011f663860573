"""Tables, made once and written as text, Markdown, LaTeX or HTML."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reporting.comparison import Difference
from reporting.results import LAST_PART, Result, by_label, normalised
from reporting.statistics import Estimate, improvement, iqm
from utils.console import human, short_name
from utils.headlines import is_rate

NOTE_WIDTH = 96  # columns of a note below a table on screen
LATEX_SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {"~": r"\textasciitilde{}", "^": r"\^{}"}
LATEX_SPECIAL |= {"\\": r"\textbackslash{}", "±": r"$\pm$", "–": "--"}


@dataclass(frozen=True)
class Table:
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    names: int = 1  # columns, from the left, that are no numbers

    def text(self) -> str:
        columns = list(zip(self.head, *self.rows, strict=True))
        widths = [max(len(cell) for cell in column) for column in columns]
        lines = [
            "  ".join(
                cell.ljust(w) if i < self.names else cell.rjust(w) for i, (cell, w) in cells
            ).rstrip()
            for row in (self.head, *self.rows)
            for cells in [enumerate(zip(row, widths, strict=True))]
        ]
        note = textwrap.wrap(self.note, NOTE_WIDTH)
        return "\n".join([self.title, *(f"  {line}" for line in [*lines, *note])]) + "\n"

    def markdown(self) -> str:
        line = ("---",) * self.names + ("--:",) * (len(self.head) - self.names)
        rows = [self.head, line, *self.rows]
        lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
        return "\n".join([f"### {self.title}", "", *lines, "", self.note]).rstrip() + "\n"

    def latex(self) -> str:
        """For the package booktabs."""
        body = [" & ".join(_latex(cell) for cell in row) + r" \\" for row in self.rows]
        return "\n".join(
            [
                r"\begin{table}",
                rf"  \caption{{{_latex(self.title)}. {_latex(self.note)}}}",
                rf"  \begin{{tabular}}{{{'l' * self.names}{'r' * (len(self.head) - self.names)}}}",
                r"    \toprule",
                "    " + " & ".join(_latex(cell) for cell in self.head) + r" \\",
                r"    \midrule",
                *(f"    {line}" for line in body),
                r"    \bottomrule",
                r"  \end{tabular}",
                r"\end{table}",
                "",
            ]
        )

    def html(self) -> str:
        head = self._html_row("th", self.head)
        rows = "".join(self._html_row("td", row) for row in self.rows)
        return (
            f"<h2>{html.escape(self.title)}</h2><div class=wide><table>"
            f"<thead>{head}</thead><tbody>{rows}</tbody></table></div>"
            f"<p class=note>{html.escape(self.note)}</p>"
        )

    def _html_row(self, kind: str, row: Sequence[str]) -> str:
        cells = (
            f"<{kind}{' class=name' if i < self.names else ''}>{html.escape(cell)}</{kind}>"
            for i, cell in enumerate(row)
        )
        return f"<tr>{''.join(cells)}</tr>"


def _latex(text: str) -> str:
    return "".join(LATEX_SPECIAL.get(character, character) for character in text)


def shown(estimate: Estimate, digits: int = 2) -> str:
    value = f"{estimate.value:.{digits}f}"
    if not estimate.has_interval:
        return value
    return f"{value} [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"


def final_table(results: Sequence[Result], metric: str) -> Table:
    rows = []
    for result in results:
        middle = float(np.median(result.final))
        rows.append(
            (
                result.group.task,
                result.group.label,
                str(len(result.final)),
                human(result.end),
                shown(iqm([result.final])),
                f"{middle:.2f}",
                f"{result.final.mean():.2f} ± {_spread(result.final)}",
                f"{iqm([result.best]).value:.2f}",
                f"{result.auc.mean():.3f}",
            )
        )
    return Table(
        f"Final {short_name(metric)}",
        (
            "task",
            "algorithm",
            "seeds",
            "steps",
            "IQM [95 %]",
            "median",
            "mean ± sd",
            "best IQM",
            "AUC",
        ),
        tuple(rows),
        f"A run's final score is the mean of its evaluations in the last {_share(results)} of the "
        "steps that all seeds of its group reached; best is its highest single evaluation. IQM: "
        "mean of the middle half of the runs, with the 95 % interval of 2,000 stratified bootstrap "
        "samples; ± sd: standard deviation over seeds. AUC: area under the curve over its length, "
        "mean over seeds.",
        names=2,
    )


def _share(results: Sequence[Result]) -> str:
    return "tenth" if results[0].last == LAST_PART else f"{results[0].last:.0%}"


def difference_table(found: Sequence[Difference], against: str, key: str | None) -> Table | None:
    """Paired differences to one algorithm; None where no two seeds are shared."""
    if not found:
        return None
    rows = tuple(
        (d.task, d.label, d.measure, str(d.n), f"{d.mean:+.4f}", f"[{d.low:+.4f}, {d.high:+.4f}]",
         _p(d.p), _p(d.holm)) for d in found
    )  # fmt: skip
    chosen = (
        f" {key} is cross-fitted: a seed is judged at the value that is best on the other half of "
        "the seeds."
        if key
        else ""
    )
    return Table(
        f"Differences to {against}",
        ("task", "algorithm", "measure", "seeds", "difference", "95 %", "p", "Holm's p"),
        rows,
        "Means over the seeds that both have, up to the step that all runs of the task reached, "
        "with Student's interval and two-sided p of the paired differences; Holm's p is corrected "
        f"for all rows of its measure.{chosen}",
        names=3,
    )


def _p(p: float) -> str:
    return "<.0001" if p < 1e-4 else f"{p:.4f}"


def _spread(values: np.ndarray) -> str:
    return f"{values.std(ddof=1):.2f}" if len(values) > 1 else "?"


def overall_table(results: Sequence[Result], metric: str) -> Table | None:
    """Across tasks; None where there is one task, or no algorithm that played all of them."""
    scores = by_label(normalised(results, metric))
    tasks = {result.group.task for result in results}
    if len(tasks) < 2 or not scores:
        return None
    rows = tuple((label, shown(iqm([r.final for r in own]))) for label, own in scores.items())
    note = f"Over {len(tasks)} tasks, for algorithms that were run on all of them."
    if not is_rate(metric):
        note += " Scores are scaled within a task: 0 is its lowest run of all, 1 its highest."
    return Table(f"{short_name(metric).capitalize()} over all tasks", ("algorithm", "IQM [95 %]"),
                 rows, note)  # fmt: skip


def improvement_table(results: Sequence[Result]) -> Table | None:
    """Each algorithm of a row against each of a column, over the tasks that all played."""
    scores = by_label(results)
    if len(scores) < 2:
        return None
    finals = {label: [result.final for result in own] for label, own in scores.items()}
    rows = tuple(
        (row, *("–" if row == column else shown(improvement(finals[row], finals[column]))
                for column in finals))
        for row in finals
    )  # fmt: skip
    return Table(
        "Probability of improvement",
        ("", *finals),
        rows,
        "How probable it is that a run of the row's algorithm ends higher than one of the "
        "column's: mean over tasks, ties count half.",
    )
