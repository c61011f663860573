"""HATRPO: one trust-region step for each agent, in turns."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from components.episode_buffer import EpisodeBatch
from learners import REGISTRY as LEARNERS
from learners.round import Round
from tests.learners.test_turns import (
    batch_of,
    learner_of,
    log_probs,
    mask_of,
    trained,
)
from tests.make import N, T, actors, flat
from tests.pairs import every_pair
from utils.errors import UserError
from utils.needs import Given, require

pytestmark = pytest.mark.usefixtures("double_precision")


def hatrpo(continuous: bool = False, **settings: Any) -> Any:
    """KL limits in reach of the line search; no entropy, as in the paper."""
    given = {"entropy_coef": 0.0, "turn_order": "cyclic", "kl_limit": 0.02, **settings}
    return learner_of("hatrpo_learner", continuous, **given)


def outputs_of(learner: Any, batch: EpisodeBatch) -> Tensor:
    """By one pass over whole episodes. (B, T, N, A)"""
    found: Tensor = learner.policy.unroll(learner.policy.whole(batch, T))[0]
    return found


def deciding(learner: Any, batch: EpisodeBatch) -> Tensor:
    return mask_of(batch) * learner.head.has_choice(batch["avail_actions"][:, :T])


def divergences(learner: Any, batch: EpisodeBatch, old: Tensor) -> Tensor:
    """Of each agent's policy from `old`, the mean over its decisions. (N)"""
    where, avail = deciding(learner, batch), batch["avail_actions"][:, :T]
    apart = learner.head.kl(old, outputs_of(learner, batch), avail).detach()
    return (apart * where).sum(dim=(0, 1)) / where.sum(dim=(0, 1))


# ---------------------------------------------------------------- the step


def written_out(learner: Any, batch: EpisodeBatch, episodes: Round, i: int) -> None:
    """TRPO's step of agent i, by double backward, weighted by the others' joint ratio."""
    args, head = learner.args, learner.head
    params: list[nn.Parameter] = learner.own_params[i]
    avail, actions = batch["avail_actions"][:, :T], batch["actions"][:, :T]
    where, before = deciding(learner, batch)[..., i], episodes.log_probs
    weight = (log_probs(learner, batch) - before).sum(dim=2).clamp(-5, 5).exp()
    advantages = learner.advantages(episodes)[..., i]
    old = outputs_of(learner, batch).detach()

    def mean(values: Tensor) -> Tensor:
        return (values * where).sum() / where.sum()

    def gain() -> Tensor:
        now = head.log_prob(outputs_of(learner, batch), avail, actions)
        return mean(weight * (now - before)[..., i].exp() * advantages)

    def divergence() -> Tensor:
        return mean(head.kl(old, outputs_of(learner, batch), avail)[..., i])

    def product(v: Tensor) -> Tensor:
        slope = torch.autograd.grad(divergence(), params, create_graph=True)
        along = torch.cat([part.flatten() for part in slope]) @ v
        return flat(torch.autograd.grad(along, params)) + args.fisher_damping * v

    g = flat(torch.autograd.grad(gain(), params))
    x, r, p = torch.zeros_like(g), g.clone(), g.clone()
    for _ in range(args.cg_steps):
        image, size = product(p), r @ r
        x, r = x + size / (p @ image) * p, r - size / (p @ image) * image
        p = r + (r @ r) / size * p
    full = (2 * args.kl_limit / (x @ product(x))).sqrt() * x
    start, was, share = flat(params), gain().item(), 1.0
    for _ in range(args.search_steps):
        nn.utils.vector_to_parameters(start + share * full, params)
        gained = gain().item() - was
        enough = gained > args.search_accept * share * float(full @ g) and gained > 0
        if enough and divergence().item() < args.kl_limit:
            return
        share *= args.search_shrink
    nn.utils.vector_to_parameters(start, params)


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("n_agents", [1, N])
def test_it_is_trpo_written_out(n_agents: int, continuous: bool) -> None:
    """With one agent TRPO itself; with more, each in turn with the ratio of those before it."""
    sizes: dict[str, Any] = {"n_agents": n_agents, "agent": "mlp", "cg_steps": 5}
    if continuous:
        sizes |= {"action_low": [[-1.0] * 5] * n_agents, "action_high": [[2.0] * 5] * n_agents}
    fast, naive = hatrpo(continuous, **sizes), hatrpo(continuous, **sizes)
    batch, start = batch_of(fast), actors(fast)
    fast.train(batch, 0, 0)
    episodes = naive.look_back(batch)
    for i in range(n_agents):
        written_out(naive, batch, episodes, i)

    assert (actors(fast) - start).norm() > 0.01
    assert (actors(fast) - actors(naive)).norm() < 1e-5 * (actors(fast) - start).norm()


@pytest.mark.parametrize(
    ("agent", "continuous", "kl_limit"), every_pair(["rnn", "mlp"], [False, True], [1e-4, 0.5])
)
def test_no_agent_moves_beyond_the_limit(agent: str, continuous: bool, kl_limit: float) -> None:
    learner = hatrpo(continuous, agent=agent, kl_limit=kl_limit, turn_order="random")
    moved = 0
    for seed in range(3):
        batch = batch_of(learner, seed)
        old = outputs_of(learner, batch).detach()
        learner.train(batch, 0, 0)
        found = divergences(learner, batch, old)
        assert (found <= kl_limit).all()
        moved += int((found > 0.1 * kl_limit).sum())
    assert moved > 3  # of 9


@pytest.mark.parametrize("agent", ["rnn", "mlp"])
def test_a_failed_search_leaves_the_actors_to_the_last_bit(agent: str) -> None:
    """Here no step gains fifty times what its gradient promises; the critic learns all the same."""
    learner = hatrpo(agent=agent, search_accept=50.0)
    before = [param.detach().numpy().tobytes() for param in learner.agent_params]
    critic = flat(learner.critic_params)
    logged = trained(learner)

    assert [param.detach().numpy().tobytes() for param in learner.agent_params] == before
    assert not torch.equal(flat(learner.critic_params), critic)
    assert logged["trust/moved"] == logged["trust/kl"] == logged["trust/length"] == 0


def test_only_agents_that_decide_move_and_padding_teaches_nothing() -> None:
    learner, twin = hatrpo(), hatrpo()
    batch, other = batch_of(learner), batch_of(twin)
    for each in (batch, other):
        each.data.transition_data["avail_actions"][:, :, 1] = 0
        each.data.transition_data["avail_actions"][:, :, 1, 0] = 1
        each.data.transition_data["actions"][:, :, 1] = 0
    hidden = mask_of(batch)[..., 0] == 0
    other.data.transition_data["obs"][:, :T][hidden] += 3.0  # where nothing was played
    still = flat(learner.own_params[1])
    learner.train(batch, 0, 0)
    twin.train(other, 0, 0)

    assert torch.equal(flat(learner.own_params[1]), still)
    assert torch.equal(actors(learner), actors(twin))


# ---------------------------------------------------------------- the round


def test_the_critic_takes_its_epochs_and_each_actor_one_step() -> None:
    learner = hatrpo(epochs=3)
    steps = {"critic": 0, "actor": 0}

    def counting(name: str, work: Any) -> Any:
        def counted(*given: Any) -> Any:
            steps[name] += 1
            return work(*given)

        return counted

    learner.improve_critic = counting("critic", learner.improve_critic)
    learner.improve_agent = counting("actor", learner.improve_agent)
    learner.train(batch_of(learner), 0, 0)

    assert steps == {"critic": 3, "actor": N}
    assert not learner.agent_optimiser.state


def test_what_is_logged() -> None:
    logged = trained(hatrpo())

    assert 0 < logged["trust/kl"] < 0.02
    assert logged["trust/gain"] > 0
    assert 0 < logged["trust/length"] <= 1
    assert 0 < logged["trust/moved"] <= 1
    assert {f"turns/approx_kl_{place}" for place in range(1, N + 1)} <= set(logged)
    assert all(math.isfinite(value) for value in logged.values())


@pytest.mark.parametrize(("key", "usual"), [("kl_limit", 0.01), ("fisher_damping", 0.1)])
def test_limits_within_which_nobody_moves_are_refused(key: str, usual: float) -> None:
    given = {**vars(hatrpo().args), key: 0.0}

    with pytest.raises(UserError, match=f"type {key}={usual}"):
        require(LEARNERS["hatrpo_learner"], Given(given))


def test_minibatches_are_refused() -> None:
    learner = hatrpo()
    given = {**vars(learner.args), "minibatches": 2}

    with pytest.raises(UserError, match="Add: minibatches=1"):
        require(type(learner), Given(given))
