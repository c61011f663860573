"""An ordered policy takes one class: learners, levels, runners and rollouts need not know of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from components.minibatch import valid_steps
from components.parts import NOISE
from policies.ordered import OrderedPolicy as Ordered
from run import collect_episodes, collect_parts
from tests.data.ordered import OrderedPolicy
from tests.make import flat
from tests.runners.test_nonstop import session_of
from training.session import Session

MAPPO: dict[str, Any] = {"learner": "mappo_learner"}
DRAWN: dict[str, Any] = {**MAPPO, "mac": "ordered_mac", "agent_order": "random"}
KMAPPO: dict[str, Any] = {"learner": "kmappo_learner", "k_level": 2, "minibatches": 2}
BPPO: dict[str, Any] = {
    "learner": "bppo_learner",
    "mac": "ordered_mac",
    "turn_order": "reverse",
    "told_through": "projection",
    "share_parameters": False,
}
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
@pytest.mark.parametrize("learner", [MAPPO, KMAPPO, {"learner": "ippo_learner"}, DRAWN])
def test_learners_from_the_present_policy_need_not_know(
    learner: dict[str, Any], rollout_length: int | None, env: dict[str, Any], agent: str
) -> None:
    """The first ratios are 1, in whole episodes and parts of them; then actors move."""
    once = {"epochs": 1, "minibatches": 1, "chunk_length": 3}
    settings = {"mac": "ordered", **learner, **once, **env, "agent": agent}
    session = session_of(rollout_length=rollout_length, **settings)
    before = flat(session.mac.parameters())
    logged = trained(session)

    kind = OrderedPolicy if settings["mac"] == "ordered" else Ordered
    assert isinstance(session.learner.policy, kind)
    assert logged["approx_kl"] == pytest.approx(0, abs=1e-6)
    assert logged["clip_fraction"] == 0
    assert not torch.equal(flat(session.mac.parameters()), before)


@pytest.mark.parametrize("env", [{}, MEET])
@pytest.mark.parametrize("rollout_length", [None, 7])
def test_who_is_heard_learns_last_and_is_pulled(
    rollout_length: int | None, env: dict[str, Any]
) -> None:
    session = session_of(rollout_length=rollout_length, **BPPO, **env, minibatches=2)
    before = flat(session.mac.parameters())
    logged = trained(session)

    agents = range(session.args.n_agents)
    assert [logged[f"turns/agent_{i + 1}"] for i in agents] == list(reversed(agents))
    assert 0 < logged["turns/pull"] < 10
    assert not torch.equal(flat(session.mac.parameters()), before)


def test_nothing_is_gone_through_slot_by_slot() -> None:
    """Acting asks the networks once a slot, and what is heard once a turn; learning never does."""
    session = session_of(**KMAPPO, mac="ordered", rollout_length=7)
    policy, calls = session.learner.policy, {"forward": 0}
    session.mac.agent.register_forward_hook(lambda *_: calls.update(forward=calls["forward"] + 1))
    trained(session, rounds=1)

    assert policy.packs
    assert calls["forward"] == 7 + 1  # and once for the slots after the last


@pytest.mark.parametrize("settings", [{**MAPPO, "mac": "ordered"}, DRAWN])
def test_runners_play_the_same_ordered_episodes(settings: dict[str, Any]) -> None:
    found = []
    for runner in ("episode", "batched", "parallel"):
        session = session_of(runner, **settings)
        found.append([session.runner.run().data.transition_data for _ in range(2)])
        session.runner.close_env()

    for one, *others in zip(*found, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one for other in others)


@pytest.mark.parametrize("rollout_length", [None, 7])
def test_drawn_orders_are_kept_with_the_actions_that_they_led_to(
    rollout_length: int | None,
) -> None:
    """With large weights what is heard decides: only the order that was drawn explains actions."""
    session = session_of(**DRAWN, rollout_length=rollout_length)
    policy = session.learner.policy
    with torch.no_grad():
        for teller in policy.agent.tellers:
            teller.fc.weight.mul_(1000)
    batch = session.runner.run()
    session.runner.close_env()
    T = batch.max_seq_length - 1
    where = valid_steps(batch["filled"], batch["terminated"]).squeeze(2).bool()  # (B, T)

    def mean_log_prob() -> float:
        avail, actions = batch["avail_actions"][:, :T], batch["actions"][:, :T]
        log_probs, _ = policy.evaluate(policy.whole(batch, T), avail, actions)
        return float(log_probs.detach()[where].mean())

    as_drawn = mean_log_prob()
    batch[NOISE].copy_(batch[NOISE].flip(2))

    assert as_drawn > -1.0
    assert mean_log_prob() < -10.0
