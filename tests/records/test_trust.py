"""A run from elsewhere does not bring its programs along."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from main import main
from records.resume import EarlierRun
from records.tracking import REPOSITORY
from records.trust import check_plugins, is_own
from tests.records.test_bit_flips import RUN

PLUGIN = "from pathlib import Path\nPath(__file__).with_suffix('.ran').touch()\n"


def made(results: Path, *plugins: str) -> EarlierRun:
    return EarlierRun(results, "3", {"plugins": list(plugins)}, "COMPLETED", ())


def test_whose_a_run_is(tmp_path: Path) -> None:
    mine, elsewhere = made(REPOSITORY / "results"), made(tmp_path)
    assert is_own(mine, ["resume=3"])
    assert not is_own(elsewhere, [f"resume={tmp_path}/sacred/3"])
    assert is_own(elsewhere, ["resume=3", f"local_results_path={tmp_path}"])
    (tmp_path / "link").symlink_to(tmp_path / "there")
    assert is_own(made(tmp_path / "there"), [f"local_results_path={tmp_path / 'link'}"])
    assert not is_own(made(tmp_path / ".." / "x"), [f"local_results_path={tmp_path}"])


def test_a_link_among_ones_own_runs_is_no_own_run(tmp_path: Path) -> None:
    (tmp_path / "mine" / "sacred").mkdir(parents=True)
    (tmp_path / "mine" / "sacred" / "3").symlink_to(tmp_path / "theirs")

    assert not is_own(made(tmp_path / "mine"), [f"local_results_path={tmp_path / 'mine'}"])


def test_without_plugins_nothing_is_asked(tmp_path: Path) -> None:
    assert check_plugins(made(tmp_path), []) == []
    assert check_plugins(made(tmp_path, "a.py"), ["--trust"]) != []


def test_plugins_of_a_strangers_run_wait_for_trust(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Resumed or replayed; and the run goes on where it is, not where its settings say."""
    results, plugin = tmp_path / "theirs", tmp_path / "stranger.py"
    plugin.write_text(PLUGIN)
    ran, folder = plugin.with_suffix(".ran"), results / "sacred" / "1"
    assert main([*RUN, f"plugins={plugin}", f"local_results_path={results}"]) == 0
    ran.unlink()
    del sys.modules["plugin_stranger"]  # as in a new process
    moved = results.rename(tmp_path / "here")
    folder = moved / "sacred" / "1"

    for command in (["with", f"resume={folder}", "t_max=70"], ["replay", str(folder)]):
        assert main(command) == 2
        message = capsys.readouterr().err
        assert str(plugin) in message
        assert "--trust" in message
    assert not ran.exists()

    assert main(["--trust", "with", f"resume={folder}", "t_max=70"]) == 0
    assert ran.exists()
    assert json.loads((folder / "config.json").read_text())["local_results_path"] == str(moved)
    assert not results.exists()
