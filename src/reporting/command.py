"""`python src/report.py PLACES...`: what the runs in some folders say together."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from configuration.parser import Parser
from records.run_files import UnreadableRunError
from reporting.comparison import differences, sensitivities, unpaired
from reporting.grouping import chosen, groups_of, one_environment_each, require_setting
from reporting.page import caption, page
from reporting.records import Record, find_records
from reporting.results import LAST_PART, Result, common_metric, notices, result_of
from reporting.tables import (
    Table,
    difference_table,
    final_table,
    improvement_table,
    overall_table,
)
from utils.errors import UserError
from utils.places import results_folder
from utils.program import REPORT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    Figures = dict[str, Figure]


COMPLETED = "COMPLETED"
EXAMPLES = f"""\
examples:
  {REPORT} results
  {REPORT} results --where env=skirmish --where status=COMPLETED --by name k_level
  {REPORT} mine theirs/results/sacred --metric test_return_mean --to figures
  {REPORT} results --where name=mappo,kmappo --against mappo --choose lr --last 0.2
"""


def main(argv: list[str]) -> int:
    options = _parser().options(argv)
    records, problems = find_records(options.places)
    records = chosen(records, options.where)
    records, tests = _trainings(records)
    records, empty = _with_numbers(records)
    records, replaced = _without_replaced(records)
    if not options.mix_versions:
        one_environment_each(records)
    metric = common_metric(records, options.metric)
    groups = groups_of(records, options.by)
    results = [result_of(group, metric, options.last) for group in groups]
    compared = _compared(options, records, metric)
    tables = [t for t in (final_table(results, metric), overall_table(results, metric),
                          improvement_table(results), compared.table) if t is not None]  # fmt: skip
    warnings = [*(f"left out: {problem}" for problem in [*problems, *tests, *empty, *replaced]),
                *(notice for record in records for notice in record.notices),
                *notices(results, metric), *compared.notices]  # fmt: skip
    for table in tables:
        sys.stdout.write(table.text() + "\n")
    for warning in warnings:
        sys.stdout.write(f"Note: {warning}\n")
    written = _write(options, results, metric, tables, warnings, compared.figures)
    sys.stdout.write(f"written: {', '.join(path.name for path in written)} in {options.to}\n")
    return 0


def _write(
    options: argparse.Namespace,
    results: Sequence[Result],
    metric: str,
    tables: Sequence[Table],
    warnings: Sequence[str],
    more_figures: Callable[[], Figures],
) -> list[Path]:
    to: Path = options.to
    to.mkdir(parents=True, exist_ok=True)

    def drawn() -> Figures:
        from reporting.figures import figures

        return {**figures(results, metric), **more_figures()}

    pictures = {} if options.no_figures else _draw(drawn, to, options.formats)
    title = options.title or f"{metric} of {sum(len(r.final) for r in results)} runs"
    texts = {
        "report.md": "\n".join([f"# {title}\n", *(f"- {warning}" for warning in warnings), "",
                                *(table.markdown() for table in tables),
                                *(f"![{caption(name)}]({path.name})"
                                  for name, path in pictures.items())]),
        "tables.tex": "\n".join(table.latex() for table in tables),
        "report.html": page(title, warnings, tables, pictures),
    }  # fmt: skip
    for name, text in texts.items():
        (to / name).write_text(text, encoding="utf-8")
    return [*(to / name for name in texts), *pictures.values()]


class Compared(NamedTuple):
    """What --against and --choose ask for."""

    table: Table | None
    notices: list[str]
    figures: Callable[[], Figures]


def _compared(options: argparse.Namespace, records: Sequence[Record], metric: str) -> Compared:
    against, key = options.against, options.choose
    groups = groups_of(records, options.by, but=key)
    if key is not None:
        require_setting("--choose", key, records)
    if key in options.by:
        raise UserError(f"--by {key} sets the values apart of which --choose {key} takes one.")
    found = differences(groups, metric, against, options.last, key) if against else []
    without_pairs = unpaired(groups, found, against) if against else []

    def draw() -> Figures:
        from reporting.comparison_figures import forest, sensitivity

        drawn = {"differences": forest(found, against) if against else None}
        if key is not None:
            drawn["sensitivity"] = sensitivity(sensitivities(groups, metric, key), key)
        return {name: figure for name, figure in drawn.items() if figure is not None}

    return Compared(difference_table(found, against, key), without_pairs, draw)


def _draw(figures: Callable[[], Figures], to: Path, formats: Sequence[str]) -> dict[str, Path]:
    """The PNG of each figure; it is written in the other formats as well."""
    from reporting.figures import close, write

    pictures = {}
    for name, figure in figures().items():
        for kind in dict.fromkeys(["png", *formats]):
            write(figure, to / f"{name}.{kind}")
        close(figure)
        pictures[name] = to / f"{name}.png"
    return pictures


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text} cannot be: it is above 0 and at most 1.")
    return share


def _trainings(records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """Those that learned, and what to say of the others; all where none learned."""
    tests = [r for r in records if r.config.get("evaluate") or r.config.get("save_replay")]
    if len(tests) == len(records):
        return list(records), []
    said = [f"{r.folder}: it tests networks (evaluate, save_replay)." for r in tests]
    return [record for record in records if record not in tests], said


def _with_numbers(records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """Those that have logged something, and what to say of the others."""
    kept, said = [], []
    for record in records:
        try:
            if record.metrics:
                record.environment  # noqa: B018 - read now, so that a torn file is told of here
                kept.append(record)
            else:
                said.append(f"{record.folder}: nothing logged ({record.status}).")
        except UnreadableRunError as error:
            said.append(str(error))
    return kept, said


def _without_replaced(records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """Those that did not end early only to be played to the end later, from the same seed."""
    said = {
        run.folder: f"run {run.run_id} ({run.status}), played to the end as run {again.run_id}"
        for group in groups_of(records)
        for run in group.runs
        for again in group.runs
        if run.status not in (COMPLETED, "RUNNING")
        and (again.status, again.seed) == (COMPLETED, run.seed)
        and again.config.get("t_max", 0) >= run.config.get("t_max", 0)
    }
    return [run for run in records if run.folder not in said], list(said.values())


def _parser() -> Parser:
    parser = Parser(
        REPORT,
        description="Curves, tables and intervals of many runs: ours, PyMARL's, EPyMARL's.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("places", nargs="*", type=Path, default=[results_folder()], help="folders (results)")
    add("--metric", help="what to compare; usually the test result that all runs have")
    add(
        "--by",
        nargs="+",
        default=[],
        metavar="KEY",
        help="settings that name an algorithm; usually its name and all that differs",
    )
    add(
        "--where",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="only such runs, or (!=) all others: a setting, status, task, run_id or "
        "environment.ENTRY; VALUE,VALUE is any of them",
    )
    add("--against", metavar="LABEL", help="paired differences to this algorithm, seed by seed")
    add(
        "--choose",
        metavar="KEY",
        help="for them, choose this setting on half of the seeds and "
        "judge on the other; also draw the score against it",
    )
    add(
        "--last",
        type=_share,
        default=LAST_PART,
        metavar="SHARE",
        help="of the steps, whose evaluations make the final score (0.1)",
    )
    add("--mix-versions", action="store_true", help="even of different environment versions")
    add(
        "--to",
        type=Path,
        default=results_folder() / "report",
        metavar="FOLDER",
        help="(results/report)",
    )
    add("--formats", nargs="+", default=["png"], choices=["png", "pdf", "svg"], help="of pictures")
    add("--no-figures", action="store_true", help="tables alone, which need no matplotlib")
    add("--title", help="of the page")
    return parser  # fmt: skip
