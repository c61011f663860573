"""One network that acts and judges: what it learns, and that nothing else is kept of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from components.episode_buffer import EpisodeBatch
from components.minibatch import valid_steps
from learners.advantages import gae
from tests.make import (
    N,
    T,
    double_batch,
    flat,
    make_learner,
    on_policy_args,
    step_by_step,
)

pytestmark = pytest.mark.usefixtures("double_precision")

NETWORKS = ["mat", "sable", "cmat"]
ONCE = {"epochs": 1, "minibatches": 1, "grad_norm_clip": 1e9}


def learner_of(agent: str, continuous: bool = False, **settings: Any) -> Any:
    sizes = {"rnn_hidden_dim": 8, "n_heads": 2}
    team = {"learner": "team_learner", "mac": "team_mac", "agent": agent, **sizes}
    made = make_learner(on_policy_args(continuous, **team, **settings))
    with torch.no_grad():
        for param in made.mac.parameters():
            param.add_(0.3 * torch.randn_like(param))
    made.target_policy.agent.load_state_dict(made.policy.agent.state_dict())
    return made


def train(learner: Any, batch: EpisodeBatch, t_env: int = 0) -> dict[str, float]:
    """One update; what it logs."""
    seen: dict[str, float] = {}
    learner.logger.log_stat = lambda key, value, t_env: seen.update({key: value})
    learner.train(batch, t_env, 0)
    return seen


def plain_gradient(learner: Any, batch: EpisodeBatch) -> Tensor:
    """Of the policy gradient and the squared error, from the network slot by slot."""
    args = learner.args
    mask = valid_steps(batch["filled"], batch["terminated"])  # (B, T, 1)
    values = learner.policy.judge(batch)
    rewards, ended = (batch[key][:, :T].double() for key in ("reward", "terminated"))
    known = values.detach()
    gained = gae(rewards, ended, mask.double(), known, args.gamma, args.gae_lambda)
    counts = mask * (batch["avail_actions"][:, :T].sum(dim=3) > 1)
    if args.action_kind == "continuous":
        counts = mask.expand_as(counts)
    mean = (gained * counts).sum() / counts.sum()
    spread = (((gained - mean) * counts).square().sum() / counts.sum()).sqrt()
    outputs = step_by_step(learner.policy, batch, T)
    avail, actions = (batch[key][:, :T] for key in ("avail_actions", "actions"))
    log_probs = learner.head.log_prob(outputs, avail, actions)
    of_actors = -((gained - mean) / (spread + 1e-8) * log_probs * counts).sum() / counts.sum()
    errors = F.mse_loss(values[:, :T], gained + known[:, :T], reduction="none")
    of_values = (errors * mask).sum() / mask.expand_as(errors).sum()
    loss = of_actors + args.critic_coef * of_values
    found = torch.autograd.grad(loss, learner.agent_params)
    return flat(found)


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("agent", NETWORKS)
def test_the_first_step_goes_up_both_plain_gradients(agent: str, continuous: bool) -> None:
    learner = learner_of(agent, continuous, value_norm=False, critic_coef=0.7, **ONCE)
    batch = double_batch(learner.args)
    expected = plain_gradient(learner, batch)

    logged = train(learner, batch)

    torch.testing.assert_close(flat([p.grad for p in learner.agent_params]), expected)
    assert logged["approx_kl"] == pytest.approx(0, abs=1e-12)
    assert logged["clip_fraction"] == 0


@pytest.mark.parametrize("chunk_length", [1, 2, 4])
def test_chunks_begin_with_the_memory_that_was_there(chunk_length: int) -> None:
    """The same log-probabilities and values wherever rows are cut, in tensors and in the log."""
    learner = learner_of("sable", chunk_length=chunk_length, value_norm=False, **ONCE)
    batch = double_batch(learner.args)
    logged = train(learner, batch)
    whole = train(learner_of("sable", value_norm=False, **ONCE), batch)

    assert logged["approx_kl"] == pytest.approx(0, abs=1e-12)
    for key in ("critic_loss", "pg_loss", "entropy"):
        assert logged[key] == pytest.approx(whole[key], abs=1e-12)


@pytest.mark.parametrize("agent", NETWORKS)
def test_longer_padding_changes_nothing(agent: str) -> None:
    ends = []
    for slots in (T + 1, T + 6):
        made = learner_of(agent)
        made.train(double_batch(made.args, slots=slots), 0, 0)
        ends.append(flat(made.agent_params))

    torch.testing.assert_close(*ends)


# ---------------------------------------------------------------- one ratio for the team


def batch_of_one_decision(args: Any) -> EpisodeBatch:
    """In every slot a single agent has more than one action, in turn."""
    batch = double_batch(args)
    actions = batch["actions"].clone()
    for i in range(N):
        others = torch.tensor([t % N != i for t in range(T + 1)])
        batch["avail_actions"][:, others, i] = 0
        batch["avail_actions"][:, others, i, 0] = 1
        batch["avail_actions"][:, ~others, i] = 1
        actions[:, others, i] = 0
    batch.update({"actions": actions}, mark_filled=False)
    return batch


@pytest.mark.parametrize("agent", NETWORKS)
def test_with_one_who_decides_one_ratio_is_that_of_each(agent: str) -> None:
    ends = []
    for ratio in ("each", "joint"):
        made = learner_of(agent, team_ratio=ratio, entropy_coef=0.1)
        made.train(batch_of_one_decision(made.args), 0, 0)
        ends.append(flat(made.agent_params))

    torch.testing.assert_close(*ends, rtol=0, atol=1e-12)


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("agent", NETWORKS)
def test_a_team_of_one_has_one_ratio_bit_for_bit(agent: str, continuous: bool) -> None:
    ends = []
    bounds = {"action_low": [[-1.0] * 5], "action_high": [[2.0] * 5]} if continuous else {}
    for ratio in ("each", "joint"):
        settings = {"n_agents": 1, "team_ratio": ratio, "entropy_coef": 0.1, "minibatches": 2}
        made = learner_of(agent, continuous, **settings, **bounds)
        before = flat(made.agent_params)
        torch.manual_seed(0)
        made.train(double_batch(made.args), 0, 0)
        ends.append(flat(made.agent_params))

    assert torch.equal(*ends)
    assert not torch.equal(ends[0], before)


def test_the_team_s_ratio_is_the_product_of_its_agents() -> None:
    """Of two agents that gain alike, one past the clip keeps both from going on."""
    learner = learner_of("mat", team_ratio="joint", **ONCE)
    rows = learner.in_rows(learner.look_back(double_batch(learner.args)))
    rows = rows._replace(advantages=torch.ones_like(rows.advantages), deciding=rows.valid)
    moved = rows.log_probs.clone()
    moved[..., 0] -= 1.0  # agent 0 has become much likelier than when it acted
    learner.args.critic_coef = 0.0

    learner.improve(rows._replace(log_probs=moved), 0, False)
    assert not flat([p.grad for p in learner.agent_params if p.grad is not None]).any()
    learner.args.team_ratio = "each"
    learner.improve(rows._replace(log_probs=moved), 0, False)
    assert flat([p.grad for p in learner.agent_params if p.grad is not None]).any()


# ---------------------------------------------------------------- one network, one optimiser


def test_returns_may_look_ahead_by_a_slow_copy() -> None:
    settings = {"critic_targets": True, "target_update_interval": 2, "value_norm": False, **ONCE}
    learner = learner_of("mat", **settings)
    batch = double_batch(learner.args)
    before = learner.policy.judge(batch)
    train(learner, batch)

    torch.testing.assert_close(learner.judge(batch).ahead, before)
    assert not torch.equal(learner.judge(batch).values, before)
    train(learner, batch)
    assert torch.equal(learner.judge(batch).ahead, learner.judge(batch).values)


def test_models_are_saved_and_loaded(tmp_path: Path) -> None:
    first, second = learner_of("mat"), learner_of("mat")
    first.train(double_batch(first.args), 0, 0)
    first.save_models(str(tmp_path))
    second.load_models(str(tmp_path))

    assert torch.equal(flat(first.agent_params), flat(second.agent_params))
    assert {path.name for path in tmp_path.iterdir()} == {
        "agent.th",
        "agent_opt.th",
        "value_norm.th",
    }


def test_the_learning_rate_falls_for_the_one_optimiser() -> None:
    learner = learner_of("mat", lr_anneal=True, t_max=100, lr=0.1, critic_lr=5.0)
    batch = double_batch(learner.args)
    steps = int(valid_steps(batch["filled"], batch["terminated"]).sum())

    assert train(learner, batch, t_env=50 + steps)["lr"] == pytest.approx(0.05)
    assert learner.agent_optimiser.param_groups[0]["lr"] == pytest.approx(0.05)
