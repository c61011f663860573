"""What a run is reckoned with: by runs like it, by those on its task, by its cores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from records.memory_use import MemoryUse
from sweeps.memory import Need, needs, said
from sweeps.order import read_order
from sweeps.plan import PlannedRun, make_plan
from sweeps.room import Room
from utils.errors import UserError

MB = 10**6
GB = 10**9
USE = MemoryUse(peak=500 * MB, replay=100 * MB, replay_full=250 * MB, steps=1000)
UNKNOWN = Need(None, "")
WORDS = "--env-config=grid with t_max=1000"
MACHINE = {"CPU": 4, "memory": 8 * GB}


def planned(words: str) -> list[PlannedRun]:
    return make_plan(read_order(f"{words} {WORDS}".split())).runs


def write_run(results: Path, run_id: int, run: PlannedRun, use: MemoryUse) -> None:
    record, models = results / "sacred" / str(run_id), results / "models" / f"t{run_id}"
    for folder in (record, models):
        folder.mkdir(parents=True)
    (record / "config.json").write_text(json.dumps({**run.config, "unique_token": f"t{run_id}"}))
    use.write(models)


def reckoned(results: Path, words: str) -> Any:
    (run,) = planned(words)
    return needs([run], None, results)[run.identity]


@pytest.mark.parametrize(
    ("t_max", "expected"), [(1000, 500 * MB), (2000, 600 * MB), (10**6, 650 * MB), (500, 450 * MB)]
)
def test_the_replay_grows_with_the_steps_until_it_is_full(t_max: int, expected: int) -> None:
    assert USE.at(t_max) == expected


def test_a_run_takes_what_the_largest_with_other_seeds_took(tmp_path: Path) -> None:
    for run_id, run in enumerate(planned("--config=qmix seed=1..2"), start=1):
        write_run(tmp_path, run_id, run, MemoryUse(run_id * GB, 0, 0, 1000))
    write_run(tmp_path, 3, planned("--config=vdn seed=1")[0], MemoryUse(3 * GB, 0, 0, 1000))

    assert reckoned(tmp_path, "--config=qmix seed=7") == Need(2 * GB, "by what run 2 took")
    assert reckoned(tmp_path, "--config=qmix seed=7 env_args.seed=1").size == 2 * GB
    other = reckoned(tmp_path, "--config=qmix seed=7 lr=0.1")
    assert other == Need(3 * GB, "by what run 3 took on the same task with other settings")
    assert reckoned(tmp_path, "--config=qmix seed=7 buffer_size=99").size is None


def test_what_is_told_is_believed(tmp_path: Path) -> None:
    runs = planned("--config=qmix seed=1")
    write_run(tmp_path, 1, runs[0], USE)

    assert needs(runs, 7 * GB, tmp_path)[runs[0].identity].size == 7 * GB
    assert needs(runs, 0, tmp_path)[runs[0].identity].size == 0


def test_a_torn_record_is_no_record(tmp_path: Path) -> None:
    runs = planned("--config=qmix seed=1")
    write_run(tmp_path, 1, runs[0], USE)
    (tmp_path / "models" / "t1" / "memory.json").write_text('{"peak": 1')

    assert reckoned(tmp_path, "--config=qmix seed=1").size is None


def test_each_setting_has_a_line_and_one_is_enough_if_they_are_alike(tmp_path: Path) -> None:
    write_run(tmp_path, 1, planned("--config=qmix seed=1")[0], USE)
    runs = planned("--config=qmix,iql seed=2..3 buffer_size=5000,77")
    lines = said(runs, needs(runs, None, tmp_path))
    assert len(lines) == 4
    assert lines[0].endswith("qmix grid buffer_size=5000  500.0 MB, by what run 1 took")
    assert "cores' share" in lines[-1]

    assert said(runs, needs(runs, 2 * GB, tmp_path)) == [
        "memory of a run: 2.0 GB, as --memory says"
    ]
    assert said([], {}) == []


@pytest.mark.parametrize(
    ("cpus", "need", "asked", "at_once"),
    [
        (1, Need(3 * GB, ""), 3 * GB, 2),
        (1, Need(0, ""), None, 4),
        (1, UNKNOWN, 2 * GB, 4),
        (2, UNKNOWN, 4 * GB, 2),
        (0.5, UNKNOWN, GB, 8),
    ],
)
def test_what_nobody_knows_is_bounded_by_the_cores(
    cpus: float, need: Need, asked: int | None, at_once: int
) -> None:
    room = Room([MACHINE], cpus, 0)

    assert room.memory_of(need) == asked
    assert room.at_once(asked or 0) == at_once


def test_the_smallest_share_of_several_machines_fits_them_all() -> None:
    room = Room([MACHINE, {"CPU": 8, "memory": 4 * GB}, {"memory": GB}], 1, 0)

    assert room.memory_of(UNKNOWN) == GB // 2


def test_a_run_that_fits_nowhere_is_refused_with_what_to_type() -> None:
    room = Room([MACHINE], 1, 0)
    with pytest.raises(UserError, match=r"room for big .*9\.0 GB, by run 3(.|\n)*--memory=0"):
        room.check({"small": Need(GB, ""), "big": Need(9 * GB, "by run 3")})

    with pytest.raises(UserError, match="--cpus=5") as refusal:
        Room([MACHINE], 5, 0).check({"big": UNKNOWN})
    assert "--memory=0" not in str(refusal.value)  # would not help


def test_memory_that_lets_fewer_runs_be_played_is_said() -> None:
    room = Room([MACHINE, MACHINE], 1, 0)
    assert room.check({str(n): Need(2 * GB, "") for n in range(9)}) == ""
    assert room.check({"a": Need(6 * GB, ""), "b": Need(5 * GB, "")}) == ""

    short = room.check({"a": Need(6 * GB, "by run 3"), "b": UNKNOWN, "c": Need(0, "")})
    assert "2 instead of 3. a takes 6.0 GB, by run 3" in short
