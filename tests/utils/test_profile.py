"""Every second belongs to one phase, the innermost."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest

from utils import profile
from utils.errors import UserError


def test_a_phase_within_another_takes_its_time_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(profile.time, "perf_counter", lambda: clock.now)

    def spend(seconds: float) -> None:
        clock.now += seconds

    class Learner:
        def improve_critic(self) -> None:
            spend(3.0)

        def train(self, after: float) -> str:
            self.improve_critic()
            spend(after)
            return "trained"

    learner = Learner()
    watched = profile.Profile(SimpleNamespace(learner=learner))
    spend(4.0)

    assert learner.train(after=1.0) == "trained"
    assert watched.lines() == [
        "  tests and the rest        4.0 s  50%",
        "  critic                    3.0 s  38%",
        "  other learning            1.0 s  12%",
    ]


def test_a_copy_of_whom_is_watched_works_on_itself() -> None:
    """As rollouts act with copies of their controller."""

    class Buffer:
        drawn = 0

        def sample(self) -> None:
            self.drawn += 1

    buffer = Buffer()
    watched = profile.Profile(SimpleNamespace(buffer=buffer))
    other = copy.copy(buffer)
    other.sample()

    assert (buffer.drawn, other.drawn) == (0, 1)
    assert "replay" in watched.seconds


def test_a_gpu_is_refused() -> None:
    with pytest.raises(UserError, match="use_cuda=False"):
        profile.require_cpu("cuda")
