"""The whole command: what it compares, what it says, what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from cli import guarded
from cli import report as write_report
from records.resume import FREE_KEYS
from reporting.grouping import INCIDENTAL, chosen, groups_of
from reporting.listing import main as list_runs
from reporting.page import caption
from reporting.records import find_records
from reporting.results import result_of
from tests.reporting.conftest import MakeRun, amend

WINS = "test_battle_won_mean"


Report = Callable[..., str]


@pytest.fixture
def report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Report:
    """`report(*options, code=0)`: what the command says; pictures are drawn with "--draw"."""

    def say(*options: str, code: int = 0) -> str:
        figures = () if "--draw" in options else ("--no-figures",)
        words = [str(tmp_path), "--to", str(tmp_path / "report"), *figures, *options]
        assert guarded(write_report, [word for word in words if word != "--draw"]) == code
        captured = capsys.readouterr()
        return captured.err if code else captured.out

    return say


def ramp(last: float) -> dict[int, float]:
    """Evaluations at 0, 10, ..., 100, on a line up to `last`."""
    return {step: last * step / 100 for step in range(0, 101, 10)}


def test_final_scores_are_those_of_the_last_tenth(make_run: MakeRun, report: Report) -> None:
    """(90, 100] holds the evaluation at 100 alone; 0.2, 0.4, 0.6, 0.8 have an IQM of 0.5."""
    for form, last in (("ours", 0.2), ("pymarl", 0.4), ("epymarl", 0.6), ("ours", 0.8)):
        make_run(form, ramp(last), WINS)
    said = report()

    row = next(line for line in said.splitlines() if "sc2/3m" in line).split()
    assert row[:4] == ["sc2/3m", "vdn", "4", "100"]
    assert row[4] == "0.50"
    assert "0.50 ± 0.26" in said
    assert "± sd: standard deviation over seeds" in " ".join(said.split())
    assert said.startswith("Final test win")


def test_runs_that_differ_in_a_setting_are_not_averaged(make_run: MakeRun, report: Report) -> None:
    for level in (1, 1, 2, 2):
        make_run("ours", ramp(level), k_level=level)
    said = report()

    assert "vdn k_level=1" in said
    assert "vdn k_level=2" in said
    assert "1.00 [1.00, 1.00]" in said  # level 2 beats level 1 in every pair
    assert "vdn k_level" not in report("--by", "name")


def test_one_number_written_in_two_ways_is_no_difference(make_run: MakeRun, tmp_path: Path) -> None:
    for written in (1, 1.0, 2):
        make_run("pymarl", ramp(1), q_nstep=written)
    records = find_records([tmp_path])[0]

    assert [len(group.runs) for group in groups_of(records)] == [2, 1]
    assert [len(group.runs) for group in groups_of(records, ["q_nstep"])] == [2, 1]
    for typed in ("1", "1.0"):
        assert len(chosen(records, [f"q_nstep={typed}"])) == 2


def test_versions_of_an_environment_are_not_mixed(make_run: MakeRun, report: Report) -> None:
    make_run("ours", ramp(1), environment={"engine": "1.0"})
    make_run("ours", ramp(2), environment={"engine": "1.1"})
    complaint = report(code=2)

    assert "engine 1.0: runs 1" in complaint
    assert "--where environment.engine=" in complaint
    assert " 1  " in report("--where", "environment.engine=1.1")
    assert "seed 1" not in report("--mix-versions")


def test_a_run_resumed_on_another_version_is_not_mixed_in(
    make_run: MakeRun, report: Report
) -> None:
    folder = make_run("ours", ramp(1), environment={"engine": "1.1"})
    amend(folder / "info.json", earlier_environments=[{"engine": "1.0"}])
    complaint = report(code=2)

    assert "engine 1.0: runs 1" in complaint
    assert "without runs 1, resumed on another version" in complaint
    assert "vdn" in report("--mix-versions")


def test_a_run_that_ended_early_cuts_its_group(make_run: MakeRun, report: Report) -> None:
    make_run("ours", ramp(1))
    make_run("ours", {0: 0.0, 10: 5.0}, status="FAILED")
    said = report()

    assert "runs 2 (FAILED, 10) end before the others' 100 steps" in said
    row = next(line for line in said.splitlines() if "sc2/3m" in line).split()
    assert row[3] == "10"
    assert "end before" not in report("--where", "status=COMPLETED")


def test_a_last_round_that_went_beyond_t_max_is_no_difference(
    make_run: MakeRun, report: Report
) -> None:
    make_run("ours", {0: 0.0, 101: 5.0}, t_max=100)
    make_run("ours", {0: 0.0, 120: 5.0}, t_max=100)
    make_run("ours", {0: 0.0, 110: 5.0}, t_max=100, name="qmix")
    said = report()
    assert "end before" not in said
    assert "different steps" not in said

    make_run("ours", {0: 0.0, 60: 5.0}, t_max=50, name="qmix")
    said = report()
    assert "runs 4 (COMPLETED, 50) end before the others' 100 steps" in said
    assert "status=COMPLETED" not in said  # which would not help
    assert "compared at different steps: qmix 50, vdn 100" in said


def test_a_curve_over_time_that_cannot_be_is_told(make_run: MakeRun, report: Report) -> None:
    make_run("ours", ramp(1))
    make_run("ours", ramp(2))
    assert "no curve over time" not in report()

    late = make_run("ours", ramp(1))
    path = late / "metrics.csv"
    head, *rows = path.read_text().splitlines()
    slow = [f"{row.rpartition(',')[0]},{500 + i}" for i, row in enumerate(rows)]
    path.write_text("\n".join([head, *slow]) + "\n")
    assert "vdn on sc2/3m: no curve over time, because one run had ended" in report()


def test_doubtful_seeds_are_told(make_run: MakeRun, report: Report) -> None:
    make_run("ours", ramp(1), seed=3)
    assert "one seed, so there is no interval" in report()
    make_run("ours", ramp(1), seed=3)
    assert "seed 3 counts more than once" in report()


@pytest.mark.parametrize("key", ["evaluate", "save_replay"])
def test_tests_of_networks_are_no_seeds(make_run: MakeRun, report: Report, key: str) -> None:
    make_run("ours", ramp(1))
    make_run("ours", ramp(1))
    tested = make_run("ours", {40: 9.0}, **{key: True})
    said = report()

    assert f"left out: {tested}: it tests networks" in said
    assert "vdn            2    100" in said
    assert "9.00" in report("--where", f"{key}=True")


def test_runs_from_trained_networks_are_no_seeds(make_run: MakeRun, report: Report) -> None:
    make_run("ours", ramp(1), checkpoint_path="")
    make_run("ours", ramp(2), checkpoint_path="models/1")

    assert "vdn checkpoint_path=models/1" in report()


def test_what_a_resume_may_change_makes_no_other_algorithm() -> None:
    assert FREE_KEYS <= INCIDENTAL


def test_a_run_is_left_out_by_its_id(make_run: MakeRun, report: Report) -> None:
    for last in (1, 2, 3):
        make_run("ours", ramp(last))

    assert "2.00 ± 1.41" in report("--where", "run_id!=2")


def test_a_run_that_begins_after_anothers_end_is_refused(make_run: MakeRun, report: Report) -> None:
    make_run("ours", ramp(1))
    make_run("ours", {500: 1.0, 900: 2.0})

    said = report(code=2)
    assert "first test_return_mean is at step 500" in said
    assert "--where run_id!=2" in said
    assert "one seed" in report("--where", "run_id!=2")


def test_values_that_are_no_numbers_are_told(make_run: MakeRun, report: Report) -> None:
    make_run("ours", ramp(1) | {50: float("nan")})
    make_run("ours", ramp(1))

    assert "values of runs 1 (1) are NaN or infinite: left out" in report()


def test_returns_of_several_tasks_are_scaled_within_each(make_run: MakeRun, report: Report) -> None:
    for task, factor in (("3m", 1), ("8m", 100)):
        for name, last in (("vdn", 1.0), ("vdn", 2.0), ("qmix", 3.0), ("qmix", 5.0)):
            make_run("ours", ramp(last * factor), name=name, env_args={"map_name": task})
    said = report()

    # qmix: (3-1)/4, 1 on both tasks: middle half of (.5, .5, 1, 1); vdn: 0, 1/4 twice
    assert "over all tasks" in said
    assert "0.75 [" in said.split("over all tasks")[1]
    assert "0.12 [" in said.split("over all tasks")[1]


def test_equal_runs_have_no_scale(make_run: MakeRun, report: Report) -> None:
    for task in ("3m", "8m"):
        for name in ("vdn", "qmix"):
            make_run("ours", ramp(1), name=name, env_args={"map_name": task})
    said = report()

    assert "over all tasks" not in said
    assert "Probability of improvement" in said


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--metric", "test_retrun_mean"), "Did you mean 'test_return_mean'?"),
        (("--by", "seeed"), "Did you mean 'seed'?"),
        (("--where", "seed=77"), "no run has that. seed is one of: 1"),
        (("--where", "seed"), "write key=value"),
    ],
)
def test_mistakes_are_answered(
    make_run: MakeRun,
    report: Report,
    options: tuple[str, ...],
    complaint: str,
) -> None:
    make_run("ours", ramp(1))

    assert complaint in report(*options, code=2)


def test_an_empty_folder_is_told(report: Report) -> None:
    assert "no run to report on" in report(code=2)


def test_a_torn_run_is_left_out_and_told(make_run: MakeRun, report: Report) -> None:
    make_run("ours", ramp(1))
    (make_run("epymarl", ramp(1)) / "metrics.json").write_text("{")
    said = report()

    assert "left out:" in said
    assert "metrics.json cannot be read" in said


def test_everything_is_written_and_the_page_stands_alone(
    make_run: MakeRun,
    report: Report,
    tmp_path: Path,
) -> None:
    pytest.importorskip("matplotlib")
    for name in ("vdn", "<qmix>"):
        for _ in range(2):
            make_run("ours", ramp(0.5), WINS, name=name)
    report("--draw", "--formats", "pdf")
    files = {path.name: path for path in (tmp_path / "report").iterdir()}

    assert {"report.md", "tables.tex", "report.html", "curves.png", "curves.pdf", "final.png",
            "curves_over_time.png", "profiles.png"} == files.keys() - {"final.pdf",
            "curves_over_time.pdf", "profiles.pdf"}  # fmt: skip
    page = files["report.html"].read_text()
    assert "data:image/png;base64," in page
    assert "&lt;qmix&gt;" in page
    assert "<qmix>" not in page
    assert "http" not in page.replace("https://", "http://").split("<style>")[0]
    assert r"\toprule" in files["tables.tex"].read_text()


@pytest.mark.parametrize(
    ("seconds", "label", "end"),
    [(30, "time (seconds)", 30), (600, "time (minutes)", 10), (36_000, "time (hours)", 10)],
)
def test_times_have_one_unit_and_their_labels_do_not_meet(
    make_run: MakeRun, tmp_path: Path, seconds: int, label: str, end: float
) -> None:
    pytest.importorskip("matplotlib")
    from reporting.figures import figures

    make_run("ours", {step: 1.0 for step in range(0, seconds * 10 + 1, seconds)})
    records, _ = find_records([tmp_path])
    results = [result_of(group, "test_return_mean") for group in groups_of(records)]
    figure = figures(results, "test_return_mean")["curves_over_time"]
    (panel,) = figure.axes
    figure.canvas.draw()

    assert panel.get_xlabel() == label
    assert panel.get_lines()[0].get_xdata()[-1] == end
    low, high = panel.get_xlim()
    boxes = [text.get_window_extent() for text in panel.get_xticklabels()
             if low <= text.get_position()[0] <= high]  # fmt: skip
    assert len(boxes) > 2
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_the_list_of_runs(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run("ours", {0: 0.0, 500: 0.9, 900: 0.4}, WINS, status="RUNNING")
    (make_run("ours", ramp(1)) / "config.json").write_text("{")
    list_runs([str(tmp_path)])
    said = capsys.readouterr().out

    row = next(line for line in said.splitlines() if "sc2/3m" in line).split()
    assert row[:9] == ["1", "vdn", "sc2/3m", "1", "LOST", "900/1k", "test", "win", "0.40"]
    assert row[9] == "0.90"
    assert "left out:" in said


def test_the_repositorys_own_results_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = Path(__file__).resolve().parents[2] / "docs" / "examples" / "demo_results"
    assert guarded(write_report, [str(demo), "--to", str(tmp_path), "--no-figures"]) == 0
    said = capsys.readouterr().out

    rows = [line.split()[:3] for line in said.splitlines() if line.startswith("  skirmish")]
    names = ("kmappo", "mappo", "qmix")
    assert rows == [[f"skirmish/{m}", name, "3"] for m in ("2s3z", "3m") for name in names]
    assert "Note:" not in said


def test_the_captions_of_the_levels_speak_of_gradients() -> None:
    """As docs/k-level.md does, and as `k/cosine` and `k/norm_ratio` are computed."""
    assert caption("k_cosine") == (
        "Cosine between the gradient of the highest level and that of level 1"
    )
    assert "gradient" in caption("k_norm_ratio")
    assert "step" in caption("k_contraction")
