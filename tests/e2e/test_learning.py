"""Each learner finds the value that its theory says it can, on the two-step game."""

from __future__ import annotations

import pytest

from tests.support import Command, Results


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "optimum"), [("qmix", 8.0), ("qtran", 8.0), ("vdn", 7.0), ("iql", 7.0)]
)
def test_two_step_game(run_main: Command, results: Results, algorithm: str, optimum: float) -> None:
    """Always exploring, as in the QMIX paper: an additive value then fits the 8 as 6.5."""
    run_main(
        f"--config={algorithm}", "--env-config=two_step", "with", "seed=1", "epsilon_finish=1.0"
    )

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
        "lr=0.002",
        "target_update_interval=50",
    )

    assert results.last("test_solved_mean") >= 0.9
