"""Paired differences: seed by seed, with a key chosen on seeds that it is not judged on."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reporting.comparison import (
    Difference,
    Sensitivity,
    corrected,
    cross_fitted,
    difference,
    sensitivities,
)
from reporting.grouping import chosen, groups_of
from reporting.records import find_records
from reporting.results import auc_of, final_of
from reporting.series import series
from reporting.student import quantile, two_sided_p
from tests.reporting.conftest import MakeRun
from tests.reporting.test_report import ramp, report
from utils.errors import UserError

__all__ = ["report"]
Report = Callable[..., str]


def test_student_s_quantiles_are_those_of_the_tables() -> None:
    table = {1: 12.7062047, 2: 4.3026527, 4: 2.7764451, 10: 2.2281389, 40: 2.0210754}
    for df, expected in table.items():
        assert quantile(0.95, df) == pytest.approx(expected, rel=1e-7)
        assert two_sided_p(expected, df) == pytest.approx(0.05, rel=1e-6)
    assert quantile(0.95, 10**6) == pytest.approx(1.959966, abs=1e-5)
    assert two_sided_p(0.0, 3) == 1
    assert two_sided_p(math.inf, 3) == 0


def test_an_area_is_the_mean_height() -> None:
    flat, slope = (series([0, 30, 100], values, [0, 0, 0]) for values in ([2, 2, 2], [0, 30, 100]))

    assert auc_of(flat, 100) == 2
    assert auc_of(slope, 100) == 50
    assert auc_of(slope, 60) == pytest.approx(30)  # what lies between two evaluations is a line
    assert auc_of(slope, 0) == 0
    assert [final_of(slope, 100, last) for last in (0.1, 0.8, 1.0)] == [100, 65, 65]


def test_differences_are_taken_seed_by_seed() -> None:
    ours, theirs = {1: 3.0, 2: 5.0, 3: 10.0}, {2: 4.0, 3: 8.0, 1: 3.0, 9: 77.0}
    found = difference("task", "ours", "AUC", ours, theirs)

    assert found is not None
    assert (found.n, found.mean) == (3, 1)
    half = quantile(0.95, 2) * 1 / math.sqrt(3)  # of 0, 1, 2
    assert (found.low, found.high) == pytest.approx((1 - half, 1 + half))
    assert found.p == pytest.approx(two_sided_p(math.sqrt(3), 2))
    assert difference("task", "ours", "AUC", ours, {9: 1.0, 1: 1.0}) is None
    nothing = difference("task", "ours", "AUC", ours, ours)
    assert nothing is not None
    assert (nothing.mean, nothing.p) == (0, 1)


def test_holm_s_correction_never_falls() -> None:
    found = [Difference("t", str(p), "AUC", 9, 0, 0, 0, p) for p in (0.04, 0.01, 0.03, 0.9)]

    assert [each.holm for each in corrected(found)] == pytest.approx([0.09, 0.04, 0.09, 0.9])


def test_a_key_of_one_value_is_not_chosen() -> None:
    assert cross_fitted({0.1: {1: 3.0, 2: 4.0}}) == {1: 3.0, 2: 4.0}


def test_a_key_is_chosen_on_the_other_half_of_the_seeds() -> None:
    """Odd places favour the first value, even ones the second: each half is judged at the other's
    favourite, which is what its own scores speak against."""
    scores = {"a": {1: 9.0, 2: 1.0, 3: 9.0, 10: 1.0}, "b": {1: 2.0, 2: 8.0, 3: 2.0, 10: 8.0}}

    assert cross_fitted(scores) == {1: 2.0, 3: 2.0, 2: 1.0, 10: 1.0}


def test_a_value_that_lacks_seeds_is_not_chosen_by_those_it_has() -> None:
    """With its easy seed alone, b would look better on the even places."""
    scores = {"a": {1: 1.0, 2: 5.0, 3: 1.0, 4: 1.0}, "b": {1: 2.0, 2: 4.0, 3: 2.0}}

    assert cross_fitted(scores) == {1: 1.0, 3: 1.0, 2: 4.0}
    with pytest.raises(UserError, match="two seeds of each algorithm"):
        cross_fitted({"a": {1: 1.0}, "b": {1: 2.0}})


def test_values_of_a_key_are_in_the_order_of_numbers(make_run: MakeRun, tmp_path: Path) -> None:
    for scale in ("round", 4, 1.0, 0.5, 1.5):
        make_run("ours", ramp(1), k_lookahead_scale=scale, seed=1)
    groups = groups_of(find_records([tmp_path])[0], but="k_lookahead_scale")
    found = sensitivities(groups, "test_return_mean", "k_lookahead_scale")

    assert [each.value for each in found] == [0.5, 1, 1.5, 4, "round"]


def test_what_has_no_partner_is_named(make_run: MakeRun, report: Report) -> None:
    for name, seeds in (("vdn", (1, 2, 3)), ("qmix", (2, 3)), ("iql", (3, 4))):
        for seed in seeds:
            make_run("ours", ramp(seed), name=name, seed=seed)
    said = report("--against", "vdn")

    assert "Note: sc2/3m: qmix has 2 seeds, vdn has 3; 2 pairs are compared" in said
    assert "Note: sc2/3m: iql has 2 seeds, vdn has 3; nothing is compared" in said


def test_a_run_that_was_lost_and_played_again_cuts_nothing_short(
    make_run: MakeRun, report: Report
) -> None:
    """As a sweep leaves one that was killed before its first checkpoint."""
    for name in ("vdn", "qmix"):
        for seed in (1, 2):
            make_run("ours", ramp(seed), name=name, seed=seed)
    make_run("ours", {0: 0.0, 10: 9.0}, seed=2, status="LOST")
    make_run("ours", {0: 0.0, 90: 9.0}, seed=3, status="LOST", name="qmix")  # nobody did it again
    said = " ".join(report("--against", "vdn").split())

    assert "left out: run 5 (LOST), played to the end as run 2" in said
    assert "runs 6 (LOST, 90) end before" in said
    assert "seed 2 counts more than once" not in said


def test_runs_that_share_no_step_are_not_compared(make_run: MakeRun, report: Report) -> None:
    for seed in (1, 2):
        make_run("ours", {0: 1.0, 10: 2.0}, seed=seed)
        make_run("ours", {20: 1.0, 30: 2.0}, seed=seed, name="qmix")

    complaint = report("--against", "vdn", code=2)
    assert "at step 20, when another run of sc2/3m had ended (10)" in complaint
    assert "Leave it out: --where run_id!=" in complaint


def test_many_panels_keep_their_height() -> None:
    pytest.importorskip("matplotlib")
    from reporting.comparison_figures import forest, sensitivity
    from reporting.figures import close

    tasks = [f"t{i}" for i in range(5)]  # two rows of panels
    for draw in (
        lambda names: forest([Difference(t, "a", "AUC", 9, 0, -1, 1, 0.5) for t in names], "b"),
        lambda names: sensitivity([Sensitivity(t, "a", 1, 9, 0.0, 1.0) for t in names], "lr"),
    ):
        one, many = draw(tasks[:1]), draw(tasks)
        assert many.get_figheight() > 1.5 * one.get_figheight()
        close(one)
        close(many)


def test_a_report_compares_pairs_in_a_chosen_window(
    make_run: MakeRun, report: Report, tmp_path: Path
) -> None:
    for seed in range(1, 5):
        for lr, better in ((0.1, 0.0), (0.01, 1.0)):
            make_run("ours", ramp(seed), lr=lr, seed=seed)
            make_run("ours", ramp(seed + 1 + better), lr=lr, seed=seed, name="qmix")
    options = ("--against", "vdn", "--choose", "lr")
    said = report(*options, "--last", "0.5", "--draw")
    row = {line.split()[2]: line.split() for line in said.splitlines() if "[+" in line}

    # A ramp's area is half its height, and the last half of its points are at 75 % on average:
    # 60, 70, 80, 90 and 100 % are 80 % of it.
    assert row["AUC"][:5] == ["sc2/3m", "qmix", "AUC", "4", "+1.0000"]
    assert row["final"][:5] == ["sc2/3m", "qmix", "final", "4", "+1.6000"]
    assert "in the last 50% of the steps" in " ".join(said.split())
    assert "lr is cross-fitted" in " ".join(said.split())
    drawn = {path.name for path in (tmp_path / "report").glob("*.png")}
    assert {"differences.png", "sensitivity.png"} <= drawn

    complaint = report("--against=qmx", "--choose=lr", code=2)
    assert "no algorithm has that label. Did you mean 'qmix'" in complaint
    assert "--choose lrr: no run has that setting" in report("--choose=lrr", code=2)
    assert "above 0 and at most 1" in report("--last=0", code=2)
    assert "sets the values apart" in report("--choose=lr", "--by", "name", "lr", code=2)


def test_how_far_the_others_weigh_is_drawn(make_run: MakeRun, report: Report) -> None:
    folder = make_run("ours", ramp(1))
    with (folder / "metrics.csv").open("a") as file:
        file.writelines(f"{step},k/others_ratio,{step / 1000},1\n" for step in (0, 50, 100))

    assert "k_others_ratio.png" in report("--draw")


def test_either_of_several_values_is_wanted(make_run: MakeRun, tmp_path: Path) -> None:
    for name in ("vdn", "qmix", "iql"):
        make_run("ours", ramp(1), name=name, lr=0.5)
    records = find_records([tmp_path])[0]

    def names(condition: str) -> set[str]:
        return {record.name for record in chosen(records, [condition])}

    assert names("name=vdn,qmix") == {"vdn", "qmix"}
    assert names("name!=vdn,qmix") == {"iql"}
    assert names("lr=0.50,3") == {"vdn", "qmix", "iql"}


@pytest.mark.parametrize(("annealed", "groups"), [(False, 1), (True, 2)])
def test_annealed_runs_of_other_lengths_are_not_pooled(
    make_run: MakeRun, tmp_path: Path, annealed: bool, groups: int
) -> None:
    for t_max in (100, 200):
        make_run("ours", ramp(1), t_max=t_max, lr_anneal=annealed)

    found = groups_of(find_records([tmp_path])[0])
    assert len(found) == groups
    assert any("t_max=200" in group.label for group in found) is annealed


def test_games_of_other_seeds_are_seeds_of_one_task(make_run: MakeRun, tmp_path: Path) -> None:
    for seed in (1, 2):
        args = {"map_name": "3x4x8", "payoff_seed": seed, "seed": seed}
        make_run("ours", ramp(1), seed=seed, env="team_game", env_args=args)

    (group,) = groups_of(find_records([tmp_path])[0])
    assert (group.task, len(group.runs)) == ("team_game/3x4x8", 2)
    assert np.unique([run.seed for run in group.runs]).tolist() == [1, 2]
