"""What a machine of the cluster does for one run, without a cluster."""

from __future__ import annotations

import _thread
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from configuration import load_config
from machine import warm_process
from machine.warm_process import NotForkedError, WarmProcess
from records.resume import identity
from sweeps import task
from sweeps.book import Attempt, RunPages
from sweeps.fleet import failure
from sweeps.task import Job, RunFailed, play
from tests.support import Results
from tests.support import play as play_alone

PATIENT = "import time; time.sleep(60)"  # in place of main.py


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A run whose settings file is named relative to where the sweep was typed."""
    here, results = tmp_path / "here", tmp_path / "results"
    here.mkdir()
    pages = results / "sweeps" / "mine" / "runs" / "a1"
    pages.mkdir(parents=True)
    words = ("--config=own.yaml", "--env-config=grid", "with", "seed=1", "t_max=50")
    return Job(words, "a1", 50, pages, results, str(here))


@pytest.fixture
def said(job: Job, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has main.py replaced by the given text."""

    def put(text: str) -> None:
        path = Path(job.cwd) / "main.py"
        path.write_text(text)
        monkeypatch.setattr(task, "MAIN", path)

    return put


def test_a_failure_has_the_exit_code_and_the_last_words(job: Job, said: Any) -> None:
    said("print('no game'); raise SystemExit(3)")
    with pytest.raises(RunFailed, match="exit code 3: no game"):
        play(job)
    (attempt,) = RunPages(job.pages).attempts
    assert attempt.exit_code == 3
    assert attempt.ended is not None


def test_a_run_is_told_to_leave_however_early_its_task_is_cancelled(
    job: Job, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CancelledAtOnce(task.Guardian):
        def watch(self, pid: int) -> None:
            _thread.interrupt_main()  # as Ray cancels a task; here the run has just been started
            super().watch(pid)

    monkeypatch.setattr(task, "Guardian", CancelledAtOnce)
    started: list[Any] = []
    popen = task.subprocess.Popen

    def noted(*args: Any, **options: Any) -> Any:
        started.append(popen(*args, **options))
        return started[-1]

    monkeypatch.setattr(task.subprocess, "Popen", noted)
    said(PATIENT)
    with pytest.raises(KeyboardInterrupt):
        play(job)

    run = next(process for process in started if str(task.MAIN) in process.args)
    assert run.returncode is not None
    (attempt,) = RunPages(job.pages).attempts
    assert attempt.ended is not None


def test_a_repeated_task_finds_the_finished_run_wherever_its_worker_was_started(
    job: Job, said: Any
) -> None:
    config = load_config(
        ["--config=qmix", "--env-config=grid", "with", "seed=1", "t_max=50"]
    ).config
    folder = job.results / "sacred" / "1"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({**config, "unique_token": "t1"}))
    (folder / "run.json").write_text(json.dumps({"status": "COMPLETED"}))
    RunPages(job.pages).write_attempts([Attempt("lost", 1.0)])
    said("raise SystemExit('must not be played')")

    assert os.getcwd() != job.cwd
    play(replace(job, identity=identity(config)))
    with pytest.raises(RunFailed, match="must not be played"):
        play(replace(job, identity=identity(config), t_max=60))


def test_runs_of_one_worker_are_those_that_are_played_alone(tmp_path: Path) -> None:
    """Forked one after the other from one process; the last one goes on with the first."""
    together, alone = Results(tmp_path / "together"), Results(tmp_path / "alone")
    words = ("--config=kmappo_round", "--env-config=team_game", "with", "batch_size_run=8",
             "rnn_hidden_dim=8", "curve_interval=20", "lr_anneal=False")  # fmt: skip
    for i, own in enumerate(
        (("seed=1", "t_max=20"), ("seed=2", "t_max=20"), ("seed=1", "t_max=30"))
    ):
        pages = tmp_path / str(i)
        pages.mkdir()
        given = (*words, *own, f"local_results_path={together.root}")
        play(Job(given, "", 30, pages, together.root, str(tmp_path), goes_on=i == 2, warm=True))
    play_alone(alone, *words, "seed=2", "t_max=20")

    assert [RunPages(tmp_path / str(i)).attempts[0].exit_code for i in range(3)] == [0, 0, 0]
    logged, expected = (
        [row for row in results.metrics(run_id) if row[1] != "k/seconds"]
        for results, run_id in ((together, 2), (alone, 1))
    )
    assert logged == expected
    one, other = weights_of(together, 2), weights_of(alone, 1)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    facts = [together.json("config.json", run_id) for run_id in (1, 2)]
    assert [(each["seed"], each["t_max"]) for each in facts] == [(1, 30), (2, 20)]
    assert [together.status(run_id) for run_id in (1, 2)] == ["COMPLETED", "COMPLETED"]
    assert len(list((together.root / "sacred").glob("[0-9]*"))) == 2


def test_a_run_that_cannot_be_forked_is_started_anew(
    job: Job, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*given: Any, **options: Any) -> None:
        raise NotForkedError("its server was killed")

    monkeypatch.setattr(task, "WarmRun", lost)
    said("print('played')")
    play(replace(job, warm=True))

    assert RunPages(job.pages).last_line == "played"


def test_a_server_that_was_killed_forks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it asked again."""
    monkeypatch.setattr(warm_process, "SERVER", Path(os.devnull))  # which ends at once
    monkeypatch.setattr(warm_process, "SERVERS", {})
    with pytest.raises(NotForkedError):
        WarmProcess([sys.executable, "script.py"])
    (server,) = warm_process.SERVERS.values()
    server._process.wait()

    assert server.ended
    assert warm_process.server_of(*next(iter(warm_process.SERVERS))) is not server


def weights_of(results: Results, run_id: int) -> dict[str, torch.Tensor]:
    """The agents' of its last checkpoint."""
    models = results.root / "models" / results.json("config.json", run_id)["unique_token"]
    last = max(
        (path for path in models.iterdir() if path.name.isdigit()), key=lambda p: int(p.name)
    )
    return torch.load(last / "agent.th")


def test_a_worker_s_variables_are_not_the_run_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_JOB_ID", "1")
    for given, kept in ((str(task.MAIN.parent), None), (f"{task.MAIN.parent}:/mine", "/mine")):
        monkeypatch.setenv("PYTHONPATH", given)
        assert task.environment().get("PYTHONPATH") == kept
        assert "RAY_JOB_ID" not in task.environment()


def test_pages_that_were_torn_count_as_empty(job: Job) -> None:
    (job.pages / "attempts.json").write_text('[{"host": "lo')
    assert RunPages(job.pages).attempts == []


def test_failures_are_told_without_rays_traceback() -> None:
    ray = pytest.importorskip("ray")
    errors = ray.exceptions

    class Broken:
        exceptions = errors

        def get(self, error: Exception) -> None:
            raise error

    def of_a_task(cause: Exception) -> Exception:
        return errors.RayTaskError("play", "ray::play()\nTraceback", cause).as_instanceof_cause()

    here: Any = Broken()
    assert failure(here, of_a_task(RunFailed("exit code 3: no game"))) == "exit code 3: no game"
    assert failure(here, of_a_task(OSError(2, "No such file", "/home/x"))) == (
        "FileNotFoundError: [Errno 2] No such file: '/home/x'"
    )
    assert "worker was lost" in failure(here, errors.WorkerCrashedError())
