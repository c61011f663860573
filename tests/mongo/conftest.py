"""A real server for the module, and runs made in this process: starting twenty takes minutes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launch import launch
from tests.mongo.server import Mongod, running
from tests.support import Results

RUN = (
    "--config=vdn",
    "--env-config=climbing",
    "-b",
    "0.1",  # seconds between heartbeats
    "with",
    "t_max=30",
    "test_interval=10",
    "test_nepisode=1",
    "batch_size=4",
    "buffer_size=20",
    "buffer_warmup=10",
    "log_interval=1",
    "rnn_hidden_dim=8",
    "learner_log_interval=5",
    "runner_log_interval=1",
    "use_cuda=False",
)

Train = Callable[..., int]


@pytest.fixture(scope="session")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    """Every test uses a database of its own name."""
    with running(tmp_path_factory.mktemp("mongod") / "data") as server:
        yield server


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


@pytest.fixture
def train(results: Results) -> Train:
    """train("seed=3", mongo="localhost:27017:db") -> exit code of a short run."""

    def run(*words: str, mongo: str | None = None, place: Results = results) -> int:
        more = [f"mongo={mongo}"] if mongo else []
        return launch([*RUN, *more, *words, f"local_results_path={place.root}"]).exit_code

    return run
