"""A run writes down what memory it took."""

from __future__ import annotations

from pathlib import Path

import pytest

from records.memory_use import read_use
from tests.support import Command, Results

needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks into /proc")


@needs_proc
def test_a_run_writes_down_what_it_took(run_main: Command, results: Results) -> None:
    settings = ("seed=1", "t_max=200", "buffer_size=8", "batch_size=4", "test_nepisode=2")
    run_main("--config=qmix", "--env-config=two_step", "with", *settings)
    use = read_use(results.models)

    assert use is not None
    assert use.steps >= 200
    assert 0 < use.replay == use.replay_full < 10_000  # the last 8 episodes: it was full
    assert 50e6 < use.peak < 5e9  # torch and little else
