"""An ordered policy takes one class: learners, levels, runners and rollouts need not know of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from run import collect_episodes, collect_parts
from tests.data.ordered import OrderedPolicy
from tests.make import flat
from tests.runners.test_nonstop import session_of
from training.session import Session

MAPPO: dict[str, Any] = {"learner": "mappo_learner"}
KMAPPO: dict[str, Any] = {"learner": "kmappo_learner", "k_level": 2, "minibatches": 2}
MEET: dict[str, Any] = {"env": "meet_up", "env_args": {"episode_limit": 5}, "continuous": True}


def trained(session: Session, rounds: int = 2) -> dict[str, float]:
    """What is logged of the last of some rounds."""
    seen: dict[str, float] = {}
    session.logger.log_stat = lambda key, value, t_env: seen.update({key: value})  # type: ignore[method-assign]
    collect = collect_parts if session.args.rollout_length else collect_episodes
    try:
        for _ in range(rounds):
            session.learner.log_stats_t = -(10**9)
            collect(session)
    finally:
        session.runner.close_env()
    return seen


@pytest.mark.parametrize("agent", ["rnn", "mlp"])
@pytest.mark.parametrize("env", [{}, MEET])
@pytest.mark.parametrize("rollout_length", [None, 7])
@pytest.mark.parametrize("learner", [MAPPO, KMAPPO, {"learner": "ippo_learner"}])
def test_learners_from_the_present_policy_need_not_know(
    learner: dict[str, Any], rollout_length: int | None, env: dict[str, Any], agent: str
) -> None:
    """The first ratios are 1, in whole episodes and parts of them; then actors move."""
    once = {"epochs": 1, "minibatches": 1, "chunk_length": 3}
    settings = {**learner, **once, **env, "mac": "ordered", "agent": agent}
    session = session_of(rollout_length=rollout_length, **settings)
    before = flat(session.mac.parameters())
    logged = trained(session)

    assert isinstance(session.learner.policy, OrderedPolicy)
    assert logged["approx_kl"] == pytest.approx(0, abs=1e-6)
    assert logged["clip_fraction"] == 0
    assert not torch.equal(flat(session.mac.parameters()), before)


def test_nothing_is_gone_through_slot_by_slot() -> None:
    """Acting asks the networks once a slot, and what is heard once a turn; learning never does."""
    session = session_of(**KMAPPO, mac="ordered", rollout_length=7)
    policy, calls = session.learner.policy, {"forward": 0}
    session.mac.agent.register_forward_hook(lambda *_: calls.update(forward=calls["forward"] + 1))
    trained(session, rounds=1)

    assert policy.packs
    assert calls["forward"] == 7 + 1  # and once for the slots after the last


def test_runners_play_the_same_ordered_episodes() -> None:
    found = []
    for runner in ("episode", "batched"):
        session = session_of(runner, **MAPPO, mac="ordered")
        found.append([session.runner.run().data.transition_data for _ in range(2)])
        session.runner.close_env()

    for one, other in zip(*found, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)
