"""Every second belongs to one phase, the innermost."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from utils import profile
from utils.errors import UserError


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(profile.time, "perf_counter", lambda: clock.now)
    return clock


class Learner:
    def __init__(self, clock: SimpleNamespace) -> None:
        self.clock = clock

    def improve_critic(self) -> None:
        self.clock.now += 3.0

    def train(self, after: float) -> str:
        self.improve_critic()
        self.clock.now += after
        return "trained"


def test_a_phase_within_another_takes_its_time_from_it(clock: SimpleNamespace) -> None:
    learner = profile.in_sections(Learner, profile.OF_LEARNERS)(clock)
    with profile.running() as measured:
        clock.now += 4.0
        with profile.section("other learning"):
            assert learner.train(after=1.0) == "trained"

        assert measured.lines() == [
            "  the rest                  4.0 s  50%",
            "  critic                    3.0 s  38%",
            "  other learning            1.0 s  12%",
        ]


def test_all_that_a_test_does_is_a_test(clock: SimpleNamespace) -> None:
    with profile.running() as measured:
        with profile.section(profile.TESTS):
            clock.now += 1.0
            with profile.section("environment"):
                clock.now += 2.0
        with profile.section("environment"):
            clock.now += 4.0

    assert measured.seconds == {"the rest": 0.0, "tests": 3.0, "environment": 4.0}


def test_an_error_ends_its_section(clock: SimpleNamespace) -> None:
    def break_off() -> None:
        with profile.section("replay"):
            clock.now += 1.0
            raise ValueError("broken")

    with profile.running() as measured:
        with pytest.raises(ValueError, match="broken"):
            break_off()
        clock.now += 2.0

        assert measured.lines()[0].split()[:3] == ["the", "rest", "2.0"]


def test_nothing_is_measured_unless_a_profile_runs(clock: SimpleNamespace) -> None:
    with profile.running() as measured:
        pass
    learner = profile.in_sections(Learner, profile.OF_LEARNERS)(clock)
    learner.train(after=1.0)

    assert profile.section("replay") is profile.UNTIMED
    assert set(measured.seconds) <= {"the rest"}


def test_a_learner_in_sections_is_the_learner_otherwise() -> None:
    timed = profile.in_sections(Learner, profile.OF_LEARNERS)

    assert timed.__name__ == "Learner"
    assert timed.train is Learner.train
    assert not hasattr(timed, "improve_actors")  # who lacks it does not do it


def test_a_gpu_is_refused() -> None:
    with pytest.raises(UserError, match="use_cuda=False"):
        profile.require_cpu("cuda")
