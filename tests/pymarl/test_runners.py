"""Runners written for PyMARL: behind the contract of ours, or refused with a sentence."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from components.episode_buffer import EpisodeBatch
from configuration.fit import check_fit
from machine.signals import StopRequest
from pymarl.runners import ForeignRunner, is_ours, make_runner
from run import collect_episodes
from runners import REGISTRY as RUNNERS
from runners.contract import Runner
from runners.episode_runner import EpisodeRunner
from tests.data.plain_runner import PlainRunner
from tests.make import flat, make_args, quiet_logger
from training.build import build
from training.evaluation import run_test_episodes
from training.session import Session, collect_state
from utils.errors import UserError
from utils.seeding import restore_random_state, seed_everything
from utils.weights import save_tensors

SETTINGS: dict[str, Any] = {
    "env": "grid",
    "env_args": {"size": 2, "episode_limit": 6, "seed": 3},
    "runner": "plain",
    "batch_size_run": 2,
    "batch_size": 2,
    "test_nepisode": 4,
    "use_cuda": False,
    "epsilon_start": 0.5,
}


def session_of(**settings: Any) -> Session:
    args = make_args(**{**SETTINGS, **settings})
    seed_everything(args.seed)
    logger = quiet_logger()
    return build(args, logger, make_runner(args, logger))


def runner_of(kind: Any, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Runner:
    monkeypatch.setitem(RUNNERS, "own", kind)
    args = make_args(**{**SETTINGS, "runner": "own", **settings})
    return make_runner(args, quiet_logger())


def test_it_collects_and_tests_and_the_learner_learns() -> None:
    session = session_of()
    before = flat(session.mac.parameters()).clone()
    for _ in range(3):
        collect_episodes(session)
    stored = session.buffer.sample(6)["filled"]  # all
    with StopRequest() as stop:
        stop.signal = 2  # nothing can be undone, so the test is played to its end
        assert run_test_episodes(session, stop)
    session.runner.close_env()

    assert session.t_env == int(stored.sum()) - 6
    assert session.counters.updates == 3
    assert not torch.equal(before, flat(session.mac.parameters()))
    assert len(session.logger.stats["test_return_mean"]) == 1


def test_its_numbers_are_kept_and_the_rest_is_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        session = session_of(runner_log_interval=1000)
    warnings = [line for line in caplog.messages if "state_dict" in line]
    assert len(warnings) == 1
    assert "runner=plain has no state_dict" in warnings[0]
    assert "and not blank, envs." in warnings[0]

    collect_episodes(session)
    collect_episodes(session)
    save_tensors(collect_state(session)["runner"], tmp_path / "state.pt")
    other = session_of().runner
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))

    assert other.t_env == session.t_env > 0
    kept = other._runner.returns  # type: ignore[attr-defined]
    assert len(kept[""]) == 2  # those of the first round have been logged
    assert kept == session.runner._runner.returns  # type: ignore[attr-defined]


def test_what_it_says_itself_is_kept_as_it_says(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Keeping(PlainRunner):
        def state_dict(self) -> dict[str, Any]:
            return {"own": self.t_env}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.t_env = state["own"]

    with caplog.at_level(logging.WARNING):
        monkeypatch.setitem(RUNNERS, "own", Keeping)
        session = session_of(runner="own")
    session.runner.load_state_dict({"own": 5})

    assert session.runner.state_dict() == {"own": 5}
    assert session.t_env == 5
    assert "state_dict" not in caplog.text


def test_tests_of_whole_rounds_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        session = session_of(batch_size_run=3, batch_size=3, test_nepisode=8)
    with StopRequest() as stop:
        run_test_episodes(session, stop)

    assert "a test is 6 episodes, not test_nepisode=8." in caplog.text
    assert len(session.logger.stats["test_return_mean"]) == 1


def test_what_it_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Half:
        def __init__(self, args: SimpleNamespace, logger: Any) -> None: ...

        def run(self, test_mode: bool = False) -> None: ...

    with pytest.raises(UserError, match="runner=own lacks setup, get_env_info, close_env, t_env"):
        runner_of(Half, monkeypatch)
    with pytest.raises(UserError, match="runner=own has no save_replay"):
        runner_of(PlainRunner, monkeypatch, save_replay=True)


def test_a_round_that_is_no_batch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(PlainRunner):
        def run(self, test_mode: bool = False) -> None:
            super().run(test_mode)

    monkeypatch.setitem(RUNNERS, "own", Silent)
    session = session_of(runner="own")

    with pytest.raises(UserError, match="runner=own gave a NoneType from run"):
        collect_episodes(session)


def test_learning_between_steps_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    single = {**SETTINGS, "runner_scope": "transition", "obs_last_action": False, "agent": "mlp"}
    monkeypatch.setitem(RUNNERS, "plain", PlainRunner)
    with pytest.raises(UserError, match="runner=plain gives whole episodes only"):
        check_fit(vars(make_args(**single)))
    check_fit(vars(make_args(**{**single, "runner": "episode"})))


class Narrow(EpisodeRunner):
    """A subclass of ours, as it would be written for PyMARL's."""

    rounds = 0

    def run(self, test_mode: bool = False) -> EpisodeBatch:  # type: ignore[override]
        self.rounds += 1
        return super().run(test_mode=test_mode)


class Wide(EpisodeRunner):
    rounds = 0

    def run(self, *given: Any, **named: Any) -> EpisodeBatch:
        self.rounds += 1
        return super().run(*given, **named)


@pytest.mark.parametrize("kind", [Narrow, Wide])
def test_a_run_of_its_own_is_called_for_tests_too(
    monkeypatch: pytest.MonkeyPatch, kind: type[EpisodeRunner]
) -> None:
    monkeypatch.setitem(RUNNERS, "own", kind)
    session = session_of(runner="own", test_nepisode=5)
    collect_episodes(session)
    with StopRequest() as stop:
        assert run_test_episodes(session, stop)
    made: Any = session.runner if is_ours(kind) else session.runner._runner  # type: ignore[attr-defined]

    assert isinstance(session.runner, ForeignRunner) == (kind is Narrow)
    assert made.rounds == 1 + 3
    assert len(session.logger.stats["test_return_mean"]) == 1


@pytest.mark.parametrize("kind", [Narrow, Wide])
def test_a_subclass_of_ours_resumes_exactly(
    monkeypatch: pytest.MonkeyPatch, kind: type[EpisodeRunner]
) -> None:
    monkeypatch.setitem(RUNNERS, "own", kind)
    one, other = session_of(runner="own"), session_of(runner="own")
    one.runner.run()
    state = collect_state(one)
    expected = one.runner.run()["obs"]
    other.runner.load_state_dict(state["runner"])
    restore_random_state(state["random"])

    assert torch.equal(other.runner.run()["obs"], expected)
