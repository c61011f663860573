"""`runner: ray` plays what `runner: parallel` plays, and outlives machines."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import PATIENCE, Results, play

pytest.importorskip("ray")

from ray import exceptions

from envs.vector.ray_actors import ActorHandle
from envs.vector.workers import WorkerLost
from runners.vector_runner import VectorRunner
from tests.ray_cluster import kill_second_node, two_nodes
from tests.runners.test_rollout import lit, make_runner, rounds, same
from utils.errors import UserError


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with two_nodes() as cluster:
        yield cluster


def test_a_cluster_that_is_not_there_says_what_to_type() -> None:
    with pytest.raises(UserError, match=r"(?s)127\.0\.0\.1:9.*ray start --head"):
        make_runner("ray", ray_address="127.0.0.1:9")


def ray_runner(cluster: Any, **settings: Any) -> VectorRunner:
    return make_runner("ray", ray_address=cluster.address, **settings)


@pytest.mark.parametrize("env", ["grid", "meet_up"])
def test_the_same_episodes_as_parallel_bit_for_bit(cluster: Any, env: str) -> None:
    settings: dict[str, Any] = {"env": env, "batch_size_run": 2}
    if env == "meet_up":
        settings["action_selector"] = "gaussian"
    parallel = rounds(make_runner("parallel", **settings), "train test train")
    played = rounds(ray_runner(cluster, **settings), "train test train")

    assert same(parallel, played)


def test_a_run_is_the_same_as_one_without_processes(cluster: Any, tmp_path: Path) -> None:
    words = ["--config=qmix", "--env-config=grid", "with", "seed=5", "t_max=100", "batch_size=4"]
    words += ["test_nepisode=3", "test_interval=50", "log_interval=50", "learner_log_interval=50"]
    plain, played = Results(tmp_path / "plain"), Results(tmp_path / "ray")
    play(plain, *words)
    play(played, *words, "runner=ray", f"ray_address={cluster.address}")

    assert played.metrics() == plain.metrics()


@pytest.mark.parametrize("fault", ["kill", "hang"])
def test_a_broken_environment_is_replaced_and_its_episode_played_again(
    cluster: Any, tmp_path: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    env_args = {"fault": fault, "fuse": lit(tmp_path)}
    made = ray_runner(
        cluster, env="Fragile", env_args=env_args, batch_size_run=2, env_step_timeout=2.0
    )
    try:
        with caplog.at_level(logging.WARNING):
            batch = made.run()
    finally:
        made.close_env()

    assert made.env_restarts == 1
    assert "played again" in caplog.text
    assert batch["state"][:, :, 0].tolist() == [[0, 1, 2, 3, 4, 5]] * 2
    assert made.t_env == 10


def test_an_environment_that_cannot_be_made_says_why(cluster: Any) -> None:
    with pytest.raises(UserError, match=r"(?s)Environment 0 did not start.*nowhere"):
        ray_runner(cluster, env="Fragile", plugins=["nowhere"])


class MortalActors:
    """Stands in for Ray where it matters: actors that die before they answer, so many of them."""

    def __init__(self, deaths: int, after: int = 0) -> None:
        self.exceptions = exceptions
        self.begun, self._deaths, self._after = 0, deaths, after
        self.obey = self  # handle, method and answer in one

    def begin(self) -> MortalActors:
        self.begun += 1
        return self

    def remote(self, *command: Any) -> str:
        return str(command[1])

    def get(self, answer: str, timeout: float) -> tuple[str, str, dict[str, Any]]:
        self._after -= 1
        if self._after < 0 and self._deaths > 0:
            self._deaths -= 1
            raise exceptions.ActorDiedError
        return "done", answer, {}


def test_an_actor_that_dies_before_its_first_answer_is_begun_once_more() -> None:
    """Ray may send it to a machine that it does not know to be gone."""
    for deaths, begun in ((0, 1), (1, 2)):
        actors = MortalActors(deaths)
        handle = ActorHandle(actors, actors.begin, 0, {})  # type: ignore[arg-type]
        handle.send(0, "build")
        assert handle.receive(time.monotonic() + 1) == {0: ("done", "build")}
        assert actors.begun == begun


@pytest.mark.parametrize(("deaths", "after", "begun"), [(2, 0, 2), (1, 1, 1)])
def test_one_that_dies_again_or_later_is_lost(deaths: int, after: int, begun: int) -> None:
    actors = MortalActors(deaths, after)
    handle = ActorHandle(actors, actors.begin, 0, {})  # type: ignore[arg-type]
    for _ in range(after):
        handle.send(0, "build")
        handle.receive(time.monotonic() + 1)
    handle.send(0, "attach")
    with pytest.raises(WorkerLost, match="its machine is gone"):
        handle.receive(time.monotonic() + 1)
    assert actors.begun == begun


def nodes_of(made: VectorRunner) -> list[str]:
    """Where each row's actor lives."""
    import ray

    def here(actor: Any) -> str:
        return ray.get_runtime_context().get_node_id()

    workers: Any = made._train.vector
    return ray.get([each._actor.__ray_call__.remote(here) for each in workers._workers])


def test_a_lost_node_costs_the_episodes_that_it_played(cluster: Any) -> None:
    """Each once, so a limit of two is not reached. The last test here: it uses the cluster up."""
    (second,) = cluster.worker_nodes
    lost = 0
    while not lost:  # where actors live is for Ray to say
        made = ray_runner(cluster, env="Fragile", batch_size_run=4, env_restart_limit=2)
        made.run()
        lost = nodes_of(made).count(second.node_id)
        if not lost:
            made.close_env()
    rounds_played, deadline = 1, time.monotonic() + PATIENCE
    try:
        kill_second_node(cluster)
        while made.env_restarts < lost and time.monotonic() < deadline:  # they die a little later
            batch = made.run()
            rounds_played += 1
    finally:
        made.close_env()

    assert made.env_restarts == lost
    assert batch["state"][:, :, 0].tolist() == [[0, 1, 2, 3, 4, 5]] * 4
    assert made.t_env == 20 * rounds_played
