"""What is wrong is said before a run starts, in one sentence and with its own exit code."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from doctor.command import main as doctor
from envs.sc2 import failures, installation, leftovers, processes, suites
from envs.sc2.failures import PreflightError
from envs.sc2.preflight import (
    check_map,
    check_memory,
    check_run,
    check_settings,
    plan_for,
    with_capabilities,
)
from envs.sc2.suites import SMAC, SMACV2
from envs.sc2.teams import Teams
from tests.envs.sc2.places import make_installation


def refused(suite: suites.Suite = SMAC, **env_args: Any) -> PreflightError:
    with pytest.raises(PreflightError) as error:
        check_run(suite, {"map_name": "3m", **env_args}, n_games=2)
    return error.value


@pytest.mark.usefixtures("fake_smac")
def test_a_sound_installation(game: Path) -> None:
    began = time.monotonic()
    facts = check_run(SMAC, {"map_name": "corridor", "game_version": "4.10"}, n_games=2)

    assert time.monotonic() - began < 5  # nothing was started
    assert facts.head == "StarCraft II 4.10 (build 75689)"
    assert facts.record["game_build"] == 75689
    assert "numpy" in facts.details
    assert facts.record["map_sha256"] == installation.sha256(
        game / "Maps" / "SMAC_Maps" / "corridor.SC2Map"
    )
    assert facts.record["packages"]["numpy"] == np.__version__
    assert ["is not the published file" in warning for warning in facts.warnings] == [True]
    digest = facts.record["map_sha256"][:8]
    assert facts.details.startswith(f"corridor, corridor.SC2Map {digest};")
    assert "published" not in facts.details


def test_without_smac(game: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suites.importlib.util, "find_spec", lambda name: None)
    error = refused()

    assert error.exit_code == failures.MISSING_PACKAGES
    assert "git+https://github.com/oxwhirl/smac.git" in str(error)
    assert "requirements/sc2.txt" in str(error)


def test_smacv2_has_a_command_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suites.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PreflightError, match=r"install_sc2\.sh --python-only --smacv2-maps"):
        SMACV2.check_installed()


def test_another_project_called_smac(
    game: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(suites.importlib.util, "find_spec", lambda name: found)

    assert "is not SMAC" in str(refused())


@pytest.mark.usefixtures("fake_smac")
class TestWithSmac:
    """What can be wrong with the game."""

    def test_no_game(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SC2PATH", str(tmp_path / "nowhere"))
        error = refused()

        assert error.exit_code == failures.MISSING_GAME
        for way_out in ("./install_sc2.sh", "export SC2PATH=", "--env-config=skirmish"):
            assert way_out in str(error)

    def test_a_folder_without_builds(self, game: Path) -> None:
        (game / "Versions" / "Base75689").rename(game / "elsewhere")
        assert refused().exit_code == failures.MISSING_GAME

    def test_a_folder_that_pysc2_cannot_read(self, game: Path) -> None:
        (game / "Versions" / "Base75689.bak").mkdir()
        error = refused()

        assert error.exit_code == failures.WRONG_VERSION
        assert "Base75689.bak" in str(error)

    def test_another_version_than_asked_for(self, game: Path) -> None:
        error = refused(game_version="4.6.2")
        assert error.exit_code == failures.WRONG_VERSION
        assert "--version 4.6.2 --dir" in str(error)
        assert "69232" in str(error)
        assert "75689" in str(error)

    def test_a_version_that_the_script_does_not_have(
        self, game: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(installation, "build_of", lambda game_version: 81433)
        error = refused(game_version="5.0.3")
        assert "81433" in str(error)
        assert "install_sc2.sh" not in str(error)

    def test_an_unknown_version(self, game: Path) -> None:
        assert refused(game_version="9.9").exit_code == failures.WRONG_VERSION

    def test_a_version_that_yaml_read_as_a_number(self, game: Path) -> None:
        error = refused(game_version=4.10)
        assert error.exit_code == failures.WRONG_VERSION
        assert 'game_version: "4.10"' in str(error)

    def test_the_latest_build_counts(self, game: Path) -> None:
        make_installation(game.with_name("newer"), build=81433)
        (game.with_name("newer") / "Versions" / "Base81433").rename(game / "Versions" / "Base81433")
        facts = check_run(SMAC, {"map_name": "3m"}, n_games=1)

        assert facts.head == "StarCraft II build 81433"
        assert any("not comparable" in warning for warning in facts.warnings)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (Path.unlink, "is missing"),
            (lambda path: path.chmod(0o644), "chmod +x"),
            (lambda path: path.write_bytes(b"<html>"), "--version 4.10"),
            (lambda path: path.write_bytes(b"\x7fELF" + bytes(9)), "no Linux program"),
            (lambda path: path.write_bytes(b"\x7fELF" + bytes(14) + b"\xb7\0"), "x86_64 only"),
        ],
    )
    def test_a_broken_binary(self, game: Path, change: Any, said: str) -> None:
        change(game / "Versions" / "Base75689" / "SC2_x64")
        if "chmod" in said and os.access(game / "Versions" / "Base75689" / "SC2_x64", os.X_OK):
            pytest.skip("this user may execute everything")
        error = refused()

        assert error.exit_code == failures.BROKEN_BINARY
        assert said in str(error)

    @pytest.mark.parametrize(
        "wrong", [{"difficulty": "Z"}, {"difficulty": 7}, {"obs_timestep_number": True}]
    )
    def test_settings_that_cannot_work(self, game: Path, wrong: dict[str, Any]) -> None:
        error = refused(**wrong)
        assert error.exit_code == failures.WRONG_SETTING
        assert next(iter(wrong)) in str(error)

    def test_an_unknown_map(self, game: Path) -> None:
        error = refused(map_name="coridor")
        assert error.exit_code == failures.UNKNOWN_MAP
        assert "Did you mean 'corridor'?" in str(error)

    def test_a_map_of_the_other_suite(self, game: Path) -> None:
        assert "--env-config=sc2v2" in str(refused(map_name="10gen_zerg"))

    def test_a_map_of_one_s_own(self, game: Path) -> None:
        (game / "Maps" / "SMAC_Maps" / "mine.SC2Map").write_bytes(b"mine")
        assert check_run(SMAC, {"map_name": "mine"}, n_games=1).warnings == []

    def test_missing_map_files(self, game: Path) -> None:
        (game / "Maps" / "SMAC_Maps" / "3m.SC2Map").unlink()
        error = refused()

        assert error.exit_code == failures.MISSING_MAP
        assert str(error).endswith(f"./install_sc2.sh --maps-only --dir {game}")

    def test_the_map_of_smacv2(self, game: Path) -> None:
        (game / "Maps" / "SMAC_Maps" / "32x32_flat.SC2Map").unlink()
        with pytest.raises(PreflightError, match="--maps-only --smacv2-maps --dir") as error:
            check_map(plan_for(SMACV2, {"map_name": "10gen_zerg"}))
        assert error.value.exit_code == failures.MISSING_MAP

    def test_maps_alone_do_not_hide_a_game(
        self, game: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = tmp_path / "3rdparty" / "StarCraftII"
        (own / "Maps" / "SMAC_Maps").mkdir(parents=True)
        monkeypatch.setattr(installation, "OWN_FOLDER", own)
        monkeypatch.delenv("SC2PATH")
        monkeypatch.setattr(installation, "USUAL_FOLDERS", {"Linux": str(game)})
        assert installation.game_folder() == game
        (own / "Versions").mkdir()
        assert installation.game_folder() == own

    def test_no_temporary_folder(self, game: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", None)  # else it remembers
        monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere/at/all"])
        error = refused()

        assert error.exit_code == failures.NO_TEMPORARY_FOLDER
        assert "TMPDIR=" in str(error)

    @pytest.mark.parametrize("method", ["is_dir", "iterdir", "read_bytes"])
    def test_a_game_that_may_not_be_read(
        self, method: str, game: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = getattr(Path, method)

        def denied(path: Path) -> Any:
            if path.is_relative_to(game):
                raise PermissionError(13, "Permission denied", str(path))
            return original(path)

        installation.sha256.cache_clear()
        monkeypatch.setattr(Path, method, denied)
        error = refused()
        assert error.exit_code == failures.MISSING_GAME
        assert "Permission denied" in str(error)


def test_every_fault_has_an_exit_code_of_its_own() -> None:
    codes = [value for name, value in vars(failures).items() if name.isupper()]
    assert len(codes) == len(set(codes)) == 9
    assert min(codes) > 2


@pytest.mark.usefixtures("fake_smac", "game")
def test_doctor_says_that_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(["with", "env_args.map_name=3m"]) == 0
    assert "4.10 (build 75689)" in capsys.readouterr().out


@pytest.mark.usefixtures("fake_smac", "game")
def test_doctor_tries_the_game(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert doctor(["--launch", "with", "env_args.launch_spacing=0"]) == 0
    assert "steps/s" in capsys.readouterr().out
    monkeypatch.setenv("GAME_LATE", "-1")
    words = ["--launch", "with", "env_args.launch_spacing=0", "env_args.reset_timeout=0.2"]
    monkeypatch.setattr("envs.sc2.adapter.BACK_OFF", (0.0,))
    assert doctor(words) == failures.LAUNCH_FAILED


@pytest.mark.usefixtures("game")
@pytest.mark.parametrize(
    ("free", "warning", "said"),
    [(7 * 10**9, False, "7.0 GB are free"), (10**9, True, "lower batch_size_run"),
     (None, False, "does not say")],
)  # fmt: skip
def test_games_are_weighed_against_memory(
    free: int | None, warning: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envs.sc2.preflight.available_bytes", lambda: free)
    found = check_memory(plan_for(SMAC, {"map_name": "3m"}, n_games=6))

    assert found.warning == warning
    assert "6 games may take 6.0 GB (a guess" in found.text
    assert said in found.text


@pytest.mark.usefixtures("fake_smac", "game")
@pytest.mark.parametrize(
    ("words", "games"),
    [
        ([], "2 games"),
        (["batch_size_run=4"], "8 games"),
        (["batch_size_run=4", "test_batch_size_run=1"], "5 games"),
        (["batch_size_run=4", "testing_on=False"], "4 games"),
        (["--config=mappo"], "128 games"),
    ],
)
def test_doctor_counts_the_games_of_the_run(
    words: list[str], games: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ["with", "env_args.map_name=3m", *(word for word in words if word[0] != "-")]
    assert doctor([*(word for word in words if word[0] == "-"), *settings]) == 0
    assert f" {games} may take " in capsys.readouterr().out


@pytest.mark.usefixtures("fake_smac")
def test_doctor_goes_on_after_a_fault(game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (game / "Versions" / "Base75689" / "SC2_x64").unlink()
    assert doctor(["with", "env_args.map_name=nonsense"]) == failures.BROKEN_BINARY
    assert "Unknown map 'nonsense'" in capsys.readouterr().out


@pytest.mark.parametrize("map_name", ["3m", "nonsense"])
def test_doctor_on_a_fresh_machine(
    map_name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(suites.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("SC2PATH", str(tmp_path / "nowhere"))
    assert doctor(["with", f"env_args.map_name={map_name}"]) == failures.MISSING_PACKAGES
    said = capsys.readouterr().out
    assert said.count("One of three ways out") == 1
    assert "SC2Map" not in said
    assert "memory" in said


@pytest.mark.usefixtures("fake_smac")
def test_a_fault_is_not_told_twice(game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (game / "Versions" / "Base75689.bak").mkdir()
    assert doctor(["with", "env_args.map_name=3m"]) == failures.WRONG_VERSION
    assert capsys.readouterr().out.count("confuses pysc2") == 1


def test_proxies_are_passed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "example.org, example.com")
    suites.pass_by_proxies()
    suites.pass_by_proxies()
    everywhere = "example.org,example.com,127.0.0.1,localhost"
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == everywhere

    monkeypatch.setenv("NO_PROXY", "*")
    suites.pass_by_proxies()
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "*"


@pytest.mark.parametrize(
    ("version", "forced"), [("3.20.3", None), ("6.33.0", "python"), (None, None)]
)
def test_new_protobuf_reads_old_messages(
    version: str | None, forced: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"
    monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(suites, "version_of", lambda distribution: version)
    monkeypatch.delitem(sys.modules, "google.protobuf", raising=False)
    suites.allow_new_protobuf()

    assert os.environ.get(name) == forced


@pytest.mark.usefixtures("fake_smac", "game")
def test_one_suite_a_process() -> None:
    SMAC.load()
    with pytest.raises(PreflightError, match="cannot be used in one process"):
        SMACV2.load()


def test_published_scenarios_of_smacv2() -> None:
    made = with_capabilities({"map_name": "10gen_zerg", "n_units": 10, "n_enemies": 11})

    config = made["capability_config"]
    assert (config["n_units"], config["n_enemies"]) == (10, 11)
    assert config["team_gen"]["unit_types"] == ["zergling", "hydralisk", "baneling"]
    assert config["team_gen"]["exception_unit_types"] == ["baneling"]
    assert "n_units" not in made
    own = {"n_units": 3, "n_enemies": 3, "team_gen": {"dist_type": "fixed"}}
    assert with_capabilities({"map_name": "any", "capability_config": own}) == {
        "map_name": "any",
        "capability_config": own,
    }
    del own["n_units"]
    unsized = with_capabilities({"map_name": "any", "n_units": 4, "capability_config": own})
    assert unsized["capability_config"] == {**own, "n_units": 4}
    partly = with_capabilities({"map_name": "10gen_zerg", "capability_config": {"n_units": 7}})
    assert partly["capability_config"]["n_units"] == 7
    assert partly["capability_config"]["n_enemies"] == 5


def test_sizes_that_are_ignored_are_told() -> None:
    given = {"map_name": "10gen_zerg", "n_units": 5, "capability_config": {"n_units": 7}}
    found = check_settings(plan_for(SMACV2, given))
    assert found.warning
    assert "n_units=7; env_args.n_units is ignored" in found.text
    assert not check_settings(plan_for(SMACV2, {**given, "n_units": 7})).warning


def test_smacv2_refuses_maps_of_smac() -> None:
    with pytest.raises(PreflightError, match="--env-config=sc2"):
        with_capabilities({"map_name": "3m"})


def test_teams_follow_a_seed_and_disturb_nothing() -> None:
    import random

    class Distribution:
        def __init__(self) -> None:
            self.rng = np.random.default_rng()
            self.inner: Any = None

        def generate(self) -> list[float]:
            return [self.rng.random(), self.inner.rng.random(), random.random()]

    drawing = Distribution()
    drawing.inner = Distribution()
    teams = Teams(SimpleNamespace(env_key_to_distribution_map={"team_gen": drawing}))
    before = random.getstate()
    drawn = []
    for seed in (3, 3, 4):
        with teams(seed):
            drawn.append(drawing.generate())

    assert drawn[0] == drawn[1]
    assert not set(drawn[0]) & set(drawn[2])
    assert random.getstate() == before
    assert drawn[0][0] != drawn[0][1]


def test_launches_of_one_machine_keep_their_distance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes.tempfile, "gettempdir", lambda: str(tmp_path))
    slept: list[float] = []
    monkeypatch.setattr(processes.time, "sleep", slept.append)
    for _ in range(3):
        processes.take_turn(5.0)
    processes.take_turn(0.0)

    assert len(slept) == 2
    assert all(4.0 < seconds <= 5.0 for seconds in slept)


def test_a_launch_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(processes, "TURN_SECONDS", 0.1)
    with (tmp_path / f"pymarlk-launch-{os.getuid()}").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        began = time.monotonic()
        processes.take_turn(5.0)
    assert time.monotonic() - began >= 0.1


def test_a_run_in_somebody_s_child_process_is_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: object())
    assert not processes.in_worker()


def test_leftovers_are_found_by_their_traces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "PROC", tmp_path / "proc")
    monkeypatch.setattr(leftovers.tempfile, "gettempdir", lambda: str(tmp_path))
    (tmp_path / "sc-dead").mkdir()
    (tmp_path / "sc-alive").mkdir()
    for pid, parent, command in (
        (70, 1, f"/g/SC2_x64\0-tempDir\0{tmp_path}/sc-alive/"),
        (71, 70, "/g/SC2_x64"),
        (72, 1, "/bin/sleep"),
        (80, 1, "/lib/systemd/systemd\0--user"),
        (81, 80, "/g/SC2_x64"),
        (90, 1, "python3\0main.py"),
        (91, 90, "/g/SC2_x64"),
    ):
        folder = tmp_path / "proc" / str(pid)
        folder.mkdir(parents=True)
        (folder / "cmdline").write_bytes(command.encode())
        (folder / "stat").write_text(f"{pid} (a game) S {parent} 0")

    assert sorted(leftovers.orphans()) == [70, 81]
    assert leftovers.dead_folders() == [tmp_path / "sc-dead"]

    (tmp_path / "proc" / "1").mkdir()
    (tmp_path / "proc" / "1" / "cmdline").write_bytes(b"python\0src/main.py")
    (tmp_path / "proc" / "1" / "stat").write_text("1 (python) S 0 0")
    assert leftovers.orphans() == [81]  # a container, whose first process is a run

    monkeypatch.setattr(leftovers, "PROC", tmp_path / "none")
    assert leftovers.orphans() == leftovers.dead_folders() == []


@pytest.mark.usefixtures("fake_smac")
def test_the_game_s_last_words(game: Path) -> None:
    made = processes.Game()
    made.start(["/bin/sh", "-c", "echo GLIBC_2.18 not found"], None, None).wait()

    assert made.last_words() == "GLIBC_2.18 not found"
    made.forget()
    assert made.last_words() == ""
