"""The adapter on a pretended SMAC that has SMAC's faults: every one of them costs one episode."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from envs.sc2.adapter import SC2
from envs.sc2.failures import GameCrashed
from records.replays import ReplayNotSavedError
from runners.vector_runner import VectorRunner
from tests.envs.sc2.places import Fault
from tests.runners.test_rollout import make_runner
from utils.errors import UserError

QUICK = {"map_name": "3m", "launch_spacing": 0.0, "sc2_timeout": 1.0, "reset_timeout": 5.0}
REWARD = pytest.approx(44.0 * 20 / (2 * 10 + 200 + 2 * 45), abs=1e-5)  # of each step, scaled
pytestmark = pytest.mark.usefixtures("fake_smac", "game")


def make(runner: str = "episode", env_args: dict[str, Any] | None = None, **more: Any) -> Any:
    return make_runner(runner, env="sc2", env_args={**QUICK, **(env_args or {})}, **more)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envs.sc2.adapter.BACK_OFF", (0.0,))


def play(runner: VectorRunner, modes: str) -> list[Any]:
    try:
        return [runner.run(test_mode=mode == "test") for mode in modes.split()]
    finally:
        runner.close_env()


def check_whole(batches: list[Any]) -> None:
    """Only complete, won episodes with rewards of the right scale."""
    for batch in batches:
        filled = batch["filled"][:, :, 0].sum(dim=1)
        assert filled.tolist() == [5] * batch.batch_size  # four steps and the end
        rewards = batch["reward"][:, :4, 0].flatten()
        assert all(reward == REWARD for reward in rewards.tolist())
        steps = batch["state"][:, :5, 0]
        assert torch.equal(steps, torch.arange(5.0).expand_as(steps))


# An episode asks: ping, create_game, join_game (the first of a game only), or debug and step;
# then observe; then four times actions, step, observe.
IN_A_STEP = [
    f"{what}@{request}"
    for what in ("die", "error", "hang", "odd")
    for request in ("actions:2", "step:3", "observe:3")
]
IN_A_LATER_EPISODE = ["die@actions:6", "end@actions:6", "end@step:6", "end@observe:8"]
IN_A_LATER_RESET = ["die@debug:1", "die@step:5", "die@observe:6", "error@observe:6"]


@pytest.mark.parametrize("what", [*IN_A_STEP, *IN_A_LATER_EPISODE, *IN_A_LATER_RESET])
def test_a_crash_costs_one_episode_that_is_played_again(what: str, fault: Fault) -> None:
    fault(what)
    runner = make()
    batches = play(runner, "train train train")

    check_whole(batches)
    assert runner.env_restarts == 1
    assert runner.t_env == 12
    assert runner.logger.stats["battle_won_mean"]


def test_a_game_that_ends_itself_in_the_last_step_is_noticed(fault: Fault) -> None:
    fault("end@step:4")
    env = SC2(seed=1, **QUICK)
    env.reset()
    for _ in range(3):
        assert not env.step([1, 1])[1]
    with pytest.raises(GameCrashed, match="ended by itself"):
        env.step([1, 1])
    env.close()


@pytest.mark.parametrize(
    "what",
    ["die@ping:1", "error@create_game:1", "die@join_game:1", "die@observe:1", "error@observe:1",
     "hang@observe:1"],
)  # fmt: skip
def test_a_game_that_does_not_start_is_started_again(
    what: str, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    fault(what)
    runner = make()
    with caplog.at_level(logging.WARNING):
        batches = play(runner, "train")

    check_whole(batches)
    assert runner.env_restarts == 0
    assert "did not start" in caplog.text


@pytest.mark.parametrize("what", ["die@actions:2", "hang@step:3", "die@observe:1", "end@step:2"])
def test_workers_survive_as_well(what: str, fault: Fault) -> None:
    fault(what, times=1)
    runner = make("parallel", batch_size_run=2)
    batches = play(runner, "train train")

    check_whole(batches)
    assert runner.env_restarts == (0 if what == "die@observe:1" else 1)


def test_tests_count_exactly_as_many_episodes_as_asked(fault: Fault) -> None:
    fault("die@actions:7", "end@step:30", "error@observe:60")
    runner = make(test_nepisode=32)
    batches = play(runner, "test " * 32)

    check_whole(batches)
    assert runner.env_restarts == 3
    assert runner.logger.latest("test_battle_won_mean") == 1.0
    assert runner.logger.latest("env_restarts") == 3
    assert runner._tests[0].seats is not None
    assert runner._tests[0].episodes == [32 + 3]
    assert (
        runner._tests[0].seats.tally.episodes == 0
    )  # all 32 have been reported, and none is left over


def test_a_game_that_never_starts_ends_the_run(fault: Fault) -> None:
    fault(*[f"die@create_game:{n}" for n in range(1, 9)])
    runner = make(env_restart_limit=2, env_args={"launch_tries": 2})
    with pytest.raises(UserError, match=r"2 times in a row(.|\n)*did not start in 2 tries"):
        play(runner, "train")


def test_games_are_renewed_before_they_end_themselves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GAME_LOOPS", "200")
    monkeypatch.setenv("GAME_SEEDS", str(tmp_path / "seeds"))
    runner = make(env_args={"max_game_loops": 200})
    check_whole(play(runner, "train " * 12))

    assert runner.env_restarts == 0
    seeds = (tmp_path / "seeds").read_text().split()
    assert len(seeds) == len(set(seeds)) == 3  # 34 loops an episode; none that begins above 136


def test_no_two_games_have_the_same_seed(
    fault: Fault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GAME_SEEDS", str(tmp_path / "seeds"))
    fault("die@actions:2", "die@step:9")
    runner = make()
    play(runner, "train train train")

    assert runner.env_restarts == 2
    seeds = (tmp_path / "seeds").read_text().split()
    assert len(seeds) == len(set(seeds)) == 3


def test_room_for_one_episode_is_needed() -> None:
    with pytest.raises(UserError, match=r"max_game_loops=50 leaves no room"):
        make(env_args={"max_game_loops": 50})


def test_units_that_appear_late_do_not_change_the_reward_scale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GAME_LATE", "2")
    check_whole(play(make(), "train train"))


def test_a_reset_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAME_LATE", "-1")  # the last unit never comes
    runner = make(env_restart_limit=1, env_args={"reset_timeout": 0.3, "launch_tries": 1})
    with pytest.raises(UserError, match="Connection already closed"):
        play(runner, "train")


def test_statistics_before_the_first_battle() -> None:
    env = SC2(seed=1, **QUICK)
    assert env.get_stats() == {}
    env.reset()
    for _ in range(4):
        env.step([1, 1])
    assert "win_rate" in env.get_stats()
    env.close()


@pytest.mark.parametrize("runner", ["episode", "parallel"])
def test_replays_come_from_every_environment(runner: str, game: Path) -> None:
    made = make(runner, batch_size_run=2, env_args={"replay_dir": "mine"})
    try:
        made.run()
        written = made.save_replay()
    finally:
        made.close_env()

    assert len({Path(place).read_bytes() for place in written}) == 2  # none has overwritten another
    assert {Path(place).parent for place in written} == {game / "Replays" / "mine"}


@pytest.mark.parametrize("runner", ["episode", "parallel"])
@pytest.mark.parametrize("what", ["die@save_replay:1", "no place"])
def test_a_replay_that_cannot_be_saved(
    runner: str, what: str, game: Path, fault: Fault, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    fault(what if "@" in what else "die@ping:99", times=1)
    said = "probably crashed" if "@" in what else "env_args.replay_dir=/writable/place"
    made = make(runner, env_args={"replay_dir": str(tmp_path / "file")})
    try:
        made.run()
        with pytest.raises(ReplayNotSavedError, match=said) as error:
            made.save_replay()
    finally:
        made.close_env()
    assert len(str(error.value).splitlines()) == 1


def test_a_replay_needs_a_game() -> None:
    with pytest.raises(UserError, match="no game"):
        SC2(seed=1, **QUICK).save_replay()


def test_closing_twice_and_after_a_crash(fault: Fault) -> None:
    fault("die@actions:1")
    env = SC2(seed=1, **QUICK)
    env.reset()
    with pytest.raises(GameCrashed, match="probably crashed"):
        env.step([1, 1])
    env.close()
    env.close()


def test_resumed_runs_are_not_called_exact(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        make().close_env()
    assert "will not be exact" in caplog.text
