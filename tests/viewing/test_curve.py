"""Curves of runs that went wrong, or whose metrics have odd names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from utils.errors import UserError
from viewing import curve

HEAD = "t_env,name,value,seconds"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of run 1, without its numbers."""
    folder = tmp_path / "sacred" / "1"
    folder.mkdir(parents=True)
    config = {
        "name": "vdn",
        "env": "skirmish",
        "seed": 1,
        "t_max": 100,
        "unique_token": "t",
        "env_args": {"map_name": "3m"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "run.json").write_text(json.dumps({"status": "FAILED", "info": {}}))
    return folder


def show(folder: Path, *lines: str, metric: str | None = "loss") -> None:
    pytest.importorskip("matplotlib")
    (folder / "metrics.csv").write_text("\n".join([HEAD, *lines, ""]))
    curve.main([str(folder), *([f"metric={metric}"] if metric else [])])


def test_a_name_with_a_slash_becomes_a_file(folder: Path) -> None:
    show(folder, "10,k/cosine,0.5,1", "20,k/cosine,0.75,2", metric="k/cosine")

    assert (folder / "k_cosine.png").stat().st_size > 1000


def test_values_that_are_no_numbers_are_left_out_and_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show(folder, "1,loss,nan,1", "2,loss,0.5,1", "3,loss,inf,1", "4,loss,0.25,1", "5,loss,-inf,1")
    shown = capsys.readouterr().out

    assert "\n█▁\n" in shown
    assert "from 0.50 to 0.25 at 4 steps; highest 0.50 at 2" in shown
    assert "left out: 3 of 5 values" in shown


def test_nothing_but_nan_is_told(folder: Path) -> None:
    with pytest.raises(UserError, match="All 2 values of loss are NaN or infinite"):
        show(folder, "1,loss,nan,1", "2,loss,nan,1")


@pytest.mark.parametrize("broken", ["30", "30,lo", "30,loss,", "3x,loss,0.1,1", ""])
def test_half_a_line_is_skipped(
    folder: Path, capsys: pytest.CaptureFixture[str], broken: str
) -> None:
    show(folder, "10,loss,0.5,1", "20,loss,0.25,1", broken)

    assert "from 0.50 to 0.25 at 20 steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("best_metric", "shown"),
    [
        (None, "test solved"),
        ("test_ep_length_mean", "test ep length"),
        ("test_x_mean", "test solved"),
    ],
)
def test_the_curve_is_of_what_the_live_line_showed(
    folder: Path, capsys: pytest.CaptureFixture[str], best_metric: str | None, shown: str
) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "best_metric": best_metric}))
    lines = ["10,loss,1,1", "10,test_return_mean,2,1", "10,test_solved_mean,0,1"]
    show(folder, *lines, "10,test_ep_length_mean,7,1", metric=None)

    assert f"\n{shown} from " in capsys.readouterr().out
