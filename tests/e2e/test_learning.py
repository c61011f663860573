"""Each learner finds the value that its theory says it can, on the two-step game."""

from __future__ import annotations

import pytest

from tests.support import Command, Results


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "optimum"), [("qmix", 8.0), ("qtran", 8.0), ("vdn", 7.0), ("iql", 7.0)]
)
def test_two_step_game(run_main: Command, results: Results, algorithm: str, optimum: float) -> None:
    run_main(f"--config={algorithm}", "--env-config=two_step", "with", "seed=1")

    assert results.last("test_return_mean") == optimum


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["rnn", "mlp"])
@pytest.mark.parametrize("share", ["True", "False"])
def test_agents_learn_to_meet_on_the_grid(
    run_main: Command, results: Results, agent: str, share: str
) -> None:
    run_main(
        "--config=vdn",
        "--env-config=grid",
        "with",
        "seed=1",
        f"agent={agent}",
        f"share_parameters={share}",
        "env_args.size=3",
        "t_max=6000",
        "epsilon_anneal_time=3000",
    )

    assert results.last("test_solved_mean") >= 0.9
