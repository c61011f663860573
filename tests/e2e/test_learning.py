"""Each learner solves a task that its theory says it can."""

from __future__ import annotations

import pytest

from tests.support import Command, Results

# Mean value of a random action, over both steps and halved as PyMARL's log does. The second step is
# worth (7 + 2.5) / 2; the first one, of agent 1's action A 0.99 * 7, of B 0.99 times the best that
# the learner sees in 2B: 8 for QMIX and QTRAN, 6.5 for VDN, and for IQL agent 1's own 4.5.
EIGHT_AT_ONCE = "runner=batched batch_size_run=8 updates_per_episode=0.25"  # so a run takes seconds
MEAN_VALUES = {"qmix": 3.04, "vdn": 2.86, "iql": 2.61}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "optimum"), [("qmix", 8.0), ("qtran", 8.0), ("vdn", 7.0), ("iql", 7.0)]
)
def test_two_step_game(run_main: Command, results: Results, algorithm: str, optimum: float) -> None:
    """Always exploring, as in the QMIX paper: an additive value then fits the 8 as 6.5."""
    run_main(
        f"--config={algorithm}",
        "--env-config=two_step",
        "with",
        "seed=1",
        "epsilon_finish=1.0",
        "t_max=3000",
        "lr=0.003",
        "target_update_interval=60",
        "learner_log_interval=100",
        "test_nepisode=2",
        *EIGHT_AT_ONCE.split(),
    )

    assert results.last("test_return_mean") == optimum
    if algorithm == "qtran":
        assert lately(results, "td_chosen_qs") == pytest.approx(2 * MEAN_VALUES["qmix"], abs=0.4)
    else:
        assert lately(results, "q_taken_mean") == pytest.approx(MEAN_VALUES[algorithm], abs=0.2)


def lately(results: Results, key: str, of: int = 15) -> float:
    """The mean of the last values, for each alone wavers."""
    values = [float(value) for _, name, value in results.metrics() if name == key]
    return sum(values[-of:]) / of


@pytest.mark.slow
def test_agents_learn_to_meet_on_the_grid(run_main: Command, results: Results) -> None:
    """Recurrent agents that share a network; others meet below."""
    run_main(
        "--config=vdn",
        "--env-config=grid",
        "with",
        "seed=1",
        "env_args.size=3",
        "lr=0.003",
        "t_max=4000",
        "epsilon_anneal_time=1500",
        "test_interval=500",
        "target_update_interval=40",
        "runner=batched",
        "batch_size_run=4",
    )

    assert lately(results, "test_solved_mean", of=4) >= 0.5  # untrained agents: 0.1


@pytest.mark.slow
def test_walkers_meet(run_main: Command, results: Results) -> None:
    """Continuous actions. A random walk costs 10 an episode, meeting at once next to nothing."""
    run_main(
        "--config=kmaddpg",
        "--env-config=meet_up",
        "with",
        "seed=1",
        "action_selector=gaussian",
        "agent=mlp",
        "t_max=2000",
        "start_steps=600",
        "test_interval=500",
        "td_lambda=0",
        "gamma=0.5",
        "lr=0.001",
        "critic_lr=0.005",
        "test_nepisode=8",
        "act_noise=0.5",
        "target_update_mode=soft",
        "target_update_tau=0.05",
        "runner=batched",
        "batch_size_run=2",
    )

    assert lately(results, "test_return_mean", of=3) > -1.5


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["kfacmac", "maddpg"])
def test_policies_learn_the_two_step_game(
    run_main: Command, results: Results, algorithm: str
) -> None:
    """Discrete actions. Greedy ones may be worth 7 from the start, so those of training count."""
    run_main(
        f"--config={algorithm}",
        "--env-config=two_step",
        "with",
        "seed=1",
        "t_max=2000",
        "lr=0.002",
        "critic_lr=0.005",
        "epsilon_anneal_time=1200",
        "target_update_interval=40",
        "runner_log_interval=250",
        "testing_on=False",
        *EIGHT_AT_ONCE.split(),
    )

    assert lately(results, "return_mean", of=3) >= 6.3  # random actions: 4.75


@pytest.mark.slow
def test_comix_meets(run_main: Command, results: Results) -> None:
    run_main("--config=covdn", "--env-config=meet_up", "with", "seed=1", "agent=cem", "t_max=2500",
             "test_interval=2500", "test_nepisode=8", "runner=batched", "batch_size_run=2",
             "updates_per_episode=0.5")  # fmt: skip

    assert results.last("test_return_mean") > -0.5


ON_POLICY = "batch_size_run=32 batch_size=32 buffer_size=32 minibatches=1 epochs=4"


@pytest.mark.slow
def test_sampled_policies_meet_on_the_grid(run_main: Command, results: Results) -> None:
    """With levels; what MAPPO learns without is seen on the matrix games."""
    run_main(
        "--config=kmappo",
        "--env-config=grid",
        "with",
        "seed=1",
        "env_args.size=3",
        "t_max=13000",
        "test_interval=1500",
        "test_nepisode=16",
        "agent=mlp",
        "lr=0.004",
        *ON_POLICY.split(),
    )

    assert lately(results, "test_solved_mean", of=3) >= 0.8


@pytest.mark.slow
def test_coma_learns_the_two_step_game(run_main: Command, results: Results) -> None:
    run_main(
        "--config=coma",
        "--env-config=two_step",
        "with",
        "seed=1",
        "runner=batched",
        "batch_size_run=8",
        "t_max=2200",
        "lr=0.005",
        "critic_lr=0.005",
        "epsilon_anneal_time=1200",
        "target_update_interval=20",
        "runner_log_interval=250",
        "testing_on=False",
    )

    assert lately(results, "return_mean", of=3) >= 6.5  # random actions: 4.75
