"""Following a metrics.csv equals reading it whole, however it grew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from records.run_files import RunFiles
from reporting.following import CsvFollower
from reporting.records import read_record
from tests.dashboard.runs import make_run

HEAD = "t_env,name,value,seconds\n"
ROWS = "".join(f"{t},loss,{t * 0.1},{t}.5\n{t},k/cosine,{1 / t},{t}.5\n" for t in range(1, 60))


def assert_as_whole(follower: CsvFollower) -> None:
    whole = read_record(follower.path.parent).metrics
    followed = follower.read().series
    assert followed.keys() == whole.keys()
    for name, series in whole.items():
        for ours, theirs in zip(followed[name], series, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.fixture
def follower(tmp_path: Path) -> CsvFollower:
    return CsvFollower(RunFiles(make_run(tmp_path / "1", [])))


@pytest.mark.parametrize("piece", [7, 100, 10_000])
def test_pieces_of_any_size(follower: CsvFollower, piece: int) -> None:
    """Pieces end in the middle of lines, as a buffered writer's do."""
    follower.path.write_text(HEAD)
    for start in range(0, len(ROWS), piece):
        with follower.path.open("a") as file:
            file.write(ROWS[start : start + piece])
        follower.read()
    assert_as_whole(follower)
    assert len(follower.read().series["loss"].steps) == 59


def test_a_line_counts_once_it_is_whole(follower: CsvFollower) -> None:
    follower.path.write_text(HEAD + "10,loss,0.5,1.0\n20,loss,0.2")
    assert follower.read().series["loss"].steps.tolist() == [10]
    with follower.path.open("a") as file:
        file.write("5,2.0\n")
    assert follower.read().series["loss"].values.tolist() == [0.5, 0.25]


def test_a_file_that_was_cut_is_read_anew(follower: CsvFollower) -> None:
    """A resumed run cuts it back to its checkpoint and goes on, perhaps beyond where it was."""
    follower.path.write_text(HEAD + ROWS)
    follower.read()
    other = ROWS[:200].rpartition("\n")[0] + "\n" + "999,loss,7.0,1.0\n" * 300
    with follower.path.open("r+") as file:  # in place: the same inode
        file.truncate()
        file.write(HEAD + other)
    assert_as_whole(follower)
    assert follower.read().series["loss"].values[-1] == 7.0


def test_a_file_that_was_replaced_is_read_anew(follower: CsvFollower) -> None:
    follower.path.write_text(HEAD + ROWS)
    follower.read()
    draft = follower.path.with_suffix(".part")
    draft.write_text(HEAD + "1,gain,2.0,3.0\n")
    draft.replace(follower.path)
    assert list(follower.read().series) == ["gain"]


def test_what_cannot_be_read_is_not_taken_for_read(follower: CsvFollower) -> None:
    """Neither the lines before it nor those after are lost or counted twice."""
    follower.path.write_text(HEAD + ROWS)
    whole = follower.read().series["loss"].values.tolist()
    good = follower.path.read_text()
    with follower.path.open("a") as file:
        file.write(f"100,loss,1.0,1.0\n{2**70},loss,2.0,2.0\n")
    for _ in range(2):
        with pytest.raises(OverflowError):
            follower.read()
    with follower.path.open("r+") as file:
        file.write(good + "200,loss,3.0,2.0\n")
        file.truncate()
    assert follower.read().series["loss"].values.tolist() == [*whole, 3.0]


def test_steps_out_of_order_are_sorted(follower: CsvFollower) -> None:
    follower.path.write_text(HEAD + "20,loss,2.0,2.0\n10,loss,1.0,1.0\n")
    assert_as_whole(follower)
