"""The rollout loop: the same episodes wherever environments live, and none from a broken one."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from components.episode_buffer import EpisodeBatch
from components.minibatch import Minibatch
from learners.returns import td_targets
from runners.vector_runner import VectorRunner
from tests.runners.support import make_runner
from utils.errors import DivergedError, UserError


def rounds(runner: VectorRunner, modes: str) -> list[dict[str, torch.Tensor]]:
    """The training batches of rounds like "train test train"."""
    try:
        batches = [(mode, runner.run(test_mode=mode == "test")) for mode in modes.split()]
    finally:
        runner.close_env()
    return [batch.data.transition_data for mode, batch in batches if mode == "train"]


def same(one: list[dict[str, torch.Tensor]], other: list[dict[str, torch.Tensor]]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(a[key], b[key]) for a, b in zip(one, other, strict=True) for key in a
    )


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("env", ["grid", "meet_up"])
def test_runners_play_the_same_episodes_bit_for_bit(rows: int, env: str) -> None:
    settings = {"env": env, "batch_size_run": rows}
    if env == "meet_up":
        settings["action_selector"] = "gaussian"
    plain, parallel, batched = (
        rounds(make_runner(name, **settings), "train train test train")
        for name in ("episode", "parallel", "batched")
    )

    assert same(plain, parallel)
    assert same(plain, batched)


def test_environments_play_the_same_episodes_in_however_many_processes() -> None:
    alone, *shared = (
        rounds(make_runner("parallel", batch_size_run=5, env_processes=n), "train train")
        for n in (5, 1, 2, 3)
    )

    assert all(same(alone, each) for each in shared)


def test_where_there_is_no_eventfd_the_episodes_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {"batch_size_run": 3, "env_processes": 2}
    usual = rounds(make_runner("parallel", **settings), "train train")
    monkeypatch.delattr(os, "eventfd", raising=False)

    assert same(usual, rounds(make_runner("parallel", **settings), "train train"))


@pytest.mark.parametrize("fault", ["raise", "kill"])
def test_a_shared_process_takes_all_its_episodes_with_it_and_no_other(
    tmp_path: Path, fault: str
) -> None:
    env_args = {"fault": fault, "fuse": lit(tmp_path), "fail_at": "step"}
    settings = {"env": "Fragile", "env_args": env_args, "batch_size_run": 4, "env_processes": 2}
    made = make_runner("parallel", **settings)
    try:
        batches = [made.run(), made.run()]
        pids = {handle.pid for handle in made._train.vector._workers}
    finally:
        made.close_env()

    assert made.env_restarts == 2
    assert len(pids) == 2
    for batch in batches:
        assert batch["filled"].sum(dim=1).tolist() == [[6]] * 4
        assert batch["state"][:, :, 0].tolist() == [[0, 1, 2, 3, 4, 5]] * 4


def test_testing_changes_no_training_episode() -> None:
    settings = {"batch_size_run": 2, "epsilon_start": 0.5}
    without = rounds(make_runner(**settings), "train train train")
    with_tests = rounds(make_runner(**settings), "test train test test train train test")

    assert same(without, with_tests)


def test_rows_play_different_episodes() -> None:
    runner = make_runner(batch_size_run=4)
    starts = [tuple(state) for _ in range(3) for state in runner.run()["state"][:, 0].tolist()]

    assert len(set(starts)) > 8


def test_slots_are_laid_out_as_pymarl_lays_them_out() -> None:
    runner = make_runner("episode", env="Fragile", batch_size_run=2)
    batch = runner.run()

    assert batch.max_seq_length == 6
    assert batch["filled"].sum(dim=1).tolist() == [[6], [6]]
    assert batch["state"][:, :, 0].tolist() == [[0, 1, 2, 3, 4, 5]] * 2
    taken = batch["actions"][:, :5, :, 0].sum(dim=2).float()
    assert torch.equal(batch["reward"][:, :5, 0], taken)
    assert torch.equal(batch["obs"][:, 1:, :, 1], batch["actions"][:, :5, :, 0].float())
    assert batch["terminated"][:, :, 0].tolist() == [[0, 0, 0, 0, 1, 0]] * 2
    assert (batch["actions_onehot"].sum(dim=3) == 1).all()
    assert runner.t_env == 10


def test_episodes_of_different_lengths_leave_zeros_behind() -> None:
    runner = make_runner(batch_size_run=8, env_args={"size": 2, "episode_limit": 12})
    batch = runner.run()
    filled = batch["filled"][:, :, 0].bool()

    lengths = filled.sum(dim=1)
    assert len(set(lengths.tolist())) > 2
    assert runner.t_env == int((lengths - 1).sum())
    for key in batch.scheme:
        assert not batch[key][~filled].any()
    terminated = batch["terminated"][:, :, 0].bool()
    solved = terminated.any(dim=1)
    assert torch.equal(terminated.int().argmax(dim=1)[solved] + 2, lengths[solved])


@pytest.mark.parametrize(("env", "by_time"), [("particle", True), ("Fragile", False)])
def test_learning_after_each_step_bootstraps_where_time_ends_an_episode(
    env: str, by_time: bool
) -> None:
    settings = {"action_selector": "gaussian"} if env == "particle" else {}
    limit = {"env_args": {"episode_limit": 5}} if env == "particle" else {}
    runner = make_runner(env=env, runner_scope="transition", **settings, **limit)
    pairs: list[EpisodeBatch] = []
    runner.run(on_transition=pairs.append)

    assert len(pairs) == 5
    for number, pair in enumerate(pairs, start=1):
        following = torch.full((1, 1, 1), 10.0)
        target = td_targets(Minibatch(pair), following, gamma=0.9, td_lambda=0.0)
        follows = 9.0 if by_time or number < 5 else 0.0
        torch.testing.assert_close(target, pair["reward"][:, :1] + follows)


def test_acting_keeps_no_graph() -> None:
    runner = make_runner()
    runner.run()

    assert runner.mac.policy.recurrent
    assert not runner._train.memory.requires_grad


def lit(tmp_path: Path) -> str:
    fuse = tmp_path / "fuse"
    fuse.touch()
    return str(fuse)


@pytest.mark.parametrize("fail_at", ["step", "reset"])
@pytest.mark.parametrize(
    ("runner", "fault"),
    [("episode", "raise"), ("parallel", "raise"), ("parallel", "kill"), ("parallel", "exit"),
     ("parallel", "hang"), ("parallel", "stop")],
)  # fmt: skip
def test_a_broken_environment_is_replaced_and_its_episode_played_again(
    tmp_path: Path, runner: str, fault: str, fail_at: str, caplog: pytest.LogCaptureFixture
) -> None:
    env_args = {"fault": fault, "fuse": lit(tmp_path), "fail_at": fail_at}
    waits_for_reset = fault in ("hang", "stop") and fail_at == "reset"
    # The shorter time must be enough to start the process, too.
    timeouts = {"env_step_timeout": 3.0, "env_start_timeout": 8.0 if waits_for_reset else 60.0}
    sizes = {"batch_size_run": 2, "env_processes": 2}
    made = make_runner(runner, env="Fragile", env_args=env_args, **sizes, **timeouts)
    try:
        with caplog.at_level(logging.WARNING):
            batch = made.run()
        again = made.run()
    finally:
        made.close_env()

    assert made.env_restarts == 1
    assert "played again" in caplog.text
    for each in (batch, again):
        assert each["filled"].sum(dim=1).tolist() == [[6], [6]]
        assert each["state"][:, :, 0].tolist() == [[0, 1, 2, 3, 4, 5]] * 2
    assert made.t_env == 20


@pytest.mark.parametrize("runner", ["episode", "parallel"])
def test_an_environment_that_never_works_ends_the_run_with_its_traceback(runner: str) -> None:
    made = make_runner(runner, env="Stubborn", env_restart_limit=3)
    try:
        with pytest.raises(
            UserError, match=r"\(env=Stubborn\) failed 3 times in a row(.|\n)*no more mem"
        ):
            made.run()
    finally:
        made.close_env()


@pytest.mark.parametrize("rollout_length", [None, 3])
def test_environments_are_not_given_what_is_no_number(rollout_length: int | None) -> None:
    """They would break, and be blamed for it."""
    runner = make_runner(
        env="cts_matrix_game", action_selector="gaussian", rollout_length=rollout_length
    )
    for parameter in runner.mac.parameters():
        parameter.data.fill_(torch.nan)

    with pytest.raises(DivergedError, match=r"actions hold NaN"):
        runner.run()


@pytest.mark.parametrize("runner", ["episode", "parallel"])
def test_an_environment_without_reseed_is_named(
    runner: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")
    made = make_runner(runner, env="NoReseed")
    made.close_env()

    assert "env=NoReseed has no reseed(seed)" in caplog.text


@pytest.mark.parametrize("runner", ["episode", "parallel"])
def test_what_is_no_number_in_an_info_harms_nobody(runner: str) -> None:
    made = make_runner(runner, env="Talkative")
    try:
        made.run()
        assert made.env_restarts == 0
    finally:
        made.close_env()


def test_a_test_that_was_broken_off_leaves_no_trace() -> None:
    plain, broken = make_runner(test_batch_size_run=2), make_runner(test_batch_size_run=2)
    rounds_of_plain = [plain.run(test_mode=True)["obs"] for _ in range(2)]
    assert not broken.test(5, stop=lambda: True)
    again = [broken.run(test_mode=True)["obs"] for _ in range(2)]
    plain.close_env()
    broken.close_env()

    assert all(torch.equal(a, b) for a, b in zip(rounds_of_plain, again, strict=True))


def test_a_test_is_whole_rounds_and_a_partial_one() -> None:
    runner = make_runner(test_batch_size_run=2, test_nepisode=5)
    asked: list[bool] = []

    assert runner.test(5, stop=lambda: bool(asked.append(True)))
    assert len(asked) == 2  # not after the last round
    assert runner._tests[0].seats is not None
    assert runner._tests[0].episodes == [3, 2]
    assert "test_return_mean" in runner.logger.stats


def test_tests_that_act_as_in_training_leave_everything_else_alone() -> None:
    logged = []
    for sampled in (False, True):
        runner = make_runner(
            env="climbing", epsilon_start=1.0, test_batch_size_run=2, test_nepisode=5,
            test_sampled=sampled,
        )  # fmt: skip
        trained = [runner.run()]
        assert runner.test(5, stop=lambda: False)
        trained.append(runner.run())
        assert runner.test(5, stop=lambda: False)
        runner.close_env()
        logged.append(({key: list(v) for key, v in runner.logger.stats.items()}, trained))
    (plain, before), (both, after) = logged

    assert all(torch.equal(a["obs"], b["obs"]) for a, b in zip(before, after, strict=True))
    assert {key: both[key] for key in plain} == plain
    new = both.keys() - plain.keys()
    assert {f"test_sampled_{key}" for key in ("return_mean", "ep_length_mean")} <= new
    assert all(key.startswith("test_sampled_") for key in new)
    assert both["test_sampled_return_mean"] != both["test_return_mean"]


def test_a_sampled_test_that_was_broken_off_leaves_no_trace() -> None:
    settings = {"test_batch_size_run": 2, "test_nepisode": 2, "test_sampled": True}
    plain, broken = make_runner(**settings), make_runner(**settings)
    assert not broken.test(2, stop=lambda: True)  # between the sampled round and the greedy one
    for runner in (plain, broken):
        assert runner.test(2, stop=lambda: False)
        runner.close_env()

    key = "test_sampled_return_mean"
    assert plain.logger.stats[key] == broken.logger.stats[key]
    assert plain.state_dict()["tests"][1]["episodes"] == [1, 1]


def test_workers_do_not_share_numpy_s_global_stream() -> None:
    runner = make_runner("parallel", env="FromGlobal", batch_size_run=3, env_processes=3)
    try:
        drawn = runner.run()["state"][:, 0, 1]
    finally:
        runner.close_env()

    assert len(set(drawn.tolist())) == 3


def test_statistics_have_pymarl_names() -> None:
    runner = make_runner(batch_size_run=2, test_nepisode=3, runner_log_interval=1)
    runner.run()
    trained = set(runner.logger.stats)
    runner.run(test_mode=True)
    assert not any(key.startswith("test_") for key in runner.logger.stats)
    runner.run(test_mode=True, rows=1)

    common = {"return_mean", "return_std", "ep_length_mean", "solved_mean"}
    assert trained - {"episode_limit_mean"} == common | {"epsilon", "env_restarts"}
    tested = {key for key in runner.logger.stats if key.startswith("test_")}
    assert tested - {"test_episode_limit_mean"} == {f"test_{key}" for key in common}
    assert all(isinstance(v, float) for values in runner.logger.stats.values() for _, v in values)


def test_returns_and_lengths_are_right() -> None:
    runner = make_runner(env="Fragile", batch_size_run=2)
    batch = runner.run()

    returns = batch["reward"].sum(dim=(1, 2))
    assert runner.logger.latest("return_mean") == pytest.approx(float(returns.mean()))
    assert runner.logger.latest("return_std") == pytest.approx(float(returns.std(correction=0)))
    assert runner.logger.latest("ep_length_mean") == 5
    assert runner.logger.latest("pid_mean") > 0


@pytest.mark.parametrize("env", ["grid", "meet_up"])
def test_start_steps_are_random_and_available(env: str) -> None:
    selector = {"action_selector": "gaussian"} if env == "meet_up" else {}
    runner = make_runner(env=env, start_steps=10**6, batch_size_run=8, **selector)
    batch = runner.run()

    if env == "grid":
        real = batch["filled"][:, :, 0].bool()
        avail, actions = batch["avail_actions"][real], batch["actions"][real]
        assert avail.gather(2, actions).all()
        assert len(actions.unique()) == 5
    else:
        assert batch["actions"].abs().max() <= 1
        assert batch["actions"].std() > 0.3


def test_transitions_are_announced_step_by_step() -> None:
    runner = make_runner(env="Fragile", batch_size_run=2, runner_scope="transition")
    pairs, clock = [], []

    def note(pair: EpisodeBatch) -> None:
        assert torch.is_grad_enabled()
        clock.append(runner.t_env)
        pairs.append({key: tensor.clone() for key, tensor in pair.data.transition_data.items()})

    batch = runner.run(on_transition=note)

    assert clock == [2, 4, 6, 8, 10]
    for t, pair in enumerate(pairs):
        assert torch.equal(pair["state"], batch["state"][:, t : t + 2])
        assert torch.equal(pair["reward"][:, 0], batch["reward"][:, t])
        assert pair["filled"].all()
    assert pairs[-1]["terminated"][:, 0].all()


@pytest.mark.parametrize(
    ("runner", "rollout_length"), [("episode", None), ("parallel", None), ("parallel", 4)]
)
def test_a_runner_s_state_continues_its_episodes(
    monkeypatch: pytest.MonkeyPatch, runner: str, rollout_length: int | None
) -> None:
    """Also on a machine with other cores."""
    settings = {"batch_size_run": 3, "rollout_length": rollout_length}
    monkeypatch.setattr("envs.build.usable_cores", lambda: 1)
    one = make_runner(runner, **settings)
    one.run()
    state, seed = one.state_dict(), torch.get_rng_state()
    (expected,) = rounds(one, "train")
    monkeypatch.setattr("envs.build.usable_cores", lambda: 2)
    other = make_runner(runner, **settings)
    other.load_state_dict(state)
    torch.set_rng_state(seed)
    (found,) = rounds(other, "train")

    assert all(torch.equal(expected[key], found[key]) for key in expected)
    assert other.t_env == one.t_env


def test_environments_that_save_no_replays_say_so() -> None:
    with pytest.raises(UserError, match="saves no replays"):
        make_runner(env="Fragile").save_replay()


def test_float_actions_reach_the_environment_as_rows_of_numbers() -> None:
    runner = make_runner(env="cts_matrix_game", action_selector="gaussian", batch_size_run=4)
    batch = runner.run()
    x, y = np.asarray(batch["actions"][:, 0, :, 0]).T.astype(float)

    expected = -0.1 * (x**2 + y**2)
    apart = abs(x - y) >= 0.01
    assert np.asarray(batch["reward"][:, 0, 0])[apart] == pytest.approx(expected[apart], abs=1e-5)
