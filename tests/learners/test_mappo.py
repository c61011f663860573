"""MAPPO against its definitions: returns, gradients, masks, rows and minibatches."""

from __future__ import annotations

import copy
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.minibatch import Steps, valid_steps
from learners.advantages import gae, n_step_returns
from learners.round import Judged
from tests.make import (
    B,
    N,
    T,
    actors,
    double_batch,
    flat,
    make_learner,
    make_mac,
    on_policy_args,
    rows_of,
    step_by_step,
)
from utils.errors import UserError
from utils.value_norm import ValueNorm

pytestmark = pytest.mark.usefixtures("double_precision")

LENGTHS = (T, 3, 1, T)  # of the episodes of `double_batch`; the last one is cut by a time limit
ONCE = {"epochs": 1, "minibatches": 1, "grad_norm_clip": 1e9}


def learner_of(learner: str = "mappo_learner", continuous: bool = False, **settings: Any) -> Any:
    made = make_learner(on_policy_args(continuous, learner=learner, **settings))
    with torch.no_grad():
        for param in made.mac.parameters():
            param.mul_(2)  # policies that differ from uniform ones
    return made


def train(learner: Any, batch: EpisodeBatch, t_env: int = 0) -> dict[str, float]:
    """One update; what it logs."""
    seen: dict[str, float] = {}
    learner.logger.log_stat = lambda key, value, t_env: seen.update({key: value})
    learner.train(batch, t_env, 0)
    return seen


def batch_with_a_dead_agent(args: Any, seed: int = 0) -> EpisodeBatch:
    """Agent 2 has nothing but action 0 from slot 2 on."""
    batch = double_batch(args, seed)
    batch["avail_actions"][:, 2:, 2, 1:] = 0
    actions = batch["actions"].clone()
    actions[:, 2:, 2] = 0
    batch.update({"actions": actions}, mark_filled=False)
    return batch


# ---------------------------------------------------------------- returns of episodes


def brute_force_advantages(batch: EpisodeBatch, values: Tensor, gamma: float, lam: float) -> Tensor:
    """The sum over l of (gamma lam)^l delta_(t+l), written out."""
    rewards, ends = batch["reward"][..., 0], batch["terminated"][..., 0].double()
    found = torch.zeros(B, T, N)
    for b, length in enumerate(LENGTHS):
        for t in range(length):
            for later in range(t, length):
                worth_after = values[b, later + 1] * (1 - ends[b, later])
                delta = rewards[b, later] + gamma * worth_after - values[b, later]
                found[b, t] += (gamma * lam) ** (later - t) * delta
    return found


@pytest.mark.parametrize("lam", [0.0, 0.7, 1.0])
def test_gae_equals_brute_force(lam: float) -> None:
    batch = double_batch(on_policy_args())
    values = torch.randn(B, T + 1, N)
    mask = valid_steps(batch["filled"], batch["terminated"]).double()
    rewards, ends = batch["reward"][:, :-1], batch["terminated"][:, :-1].double()

    found = gae(rewards, ends, mask, values, 0.9, lam)

    torch.testing.assert_close(found, brute_force_advantages(batch, values, 0.9, lam))


@pytest.mark.parametrize("n", [1, 2, 4, 20])
def test_n_step_returns_equal_brute_force(n: int) -> None:
    batch = double_batch(on_policy_args())
    values = torch.randn(B, T + 1, N)
    mask = valid_steps(batch["filled"], batch["terminated"]).double()
    rewards, ends = batch["reward"][:, :-1], batch["terminated"][:, :-1].double()

    found = n_step_returns(rewards, ends, mask, values, 0.9, n)

    for b, length in enumerate(LENGTHS):
        for t in range(length):
            last = min(t + n, length)
            worth = 0.9 ** (last - t) * values[b, last] * (1 - ends[b, last - 1])
            for step in range(t, last):
                worth = worth + 0.9 ** (step - t) * rewards[b, step]
            torch.testing.assert_close(found[b, t], worth)


def test_values_are_normalised_and_restored() -> None:
    norm, returns = ValueNorm(), 50 + 7 * torch.randn(4000)
    assert torch.equal(norm.normalise(returns), returns)
    norm.update(returns, torch.ones_like(returns))
    scaled = norm.normalise(returns)

    assert abs(float(scaled.mean())) < 1e-3
    assert float(scaled.std()) == pytest.approx(1, abs=1e-3)
    torch.testing.assert_close(norm.restore(scaled), returns)


# ---------------------------------------------------------------- the first step


def plain_policy_gradient(learner: Any, batch: EpisodeBatch) -> Tensor:
    """Minus the gradient of the mean of A log pi where there is a choice, slot by slot."""
    args = learner.args
    mask = valid_steps(batch["filled"], batch["terminated"])[..., 0].double()  # (B, T)
    values = torch.stack([learner.critic(batch, t)[:, 0, :, 0] for t in range(T + 1)], dim=1)
    advantages = brute_force_advantages(batch, values.detach(), args.gamma, args.gae_lambda)
    counts = mask[..., None].expand(-1, -1, N).clone()
    if args.action_kind == "discrete":
        counts *= batch["avail_actions"][:, :T].sum(dim=3) > 1
    mean = (advantages * counts).sum() / counts.sum()
    spread = (((advantages - mean) * counts).square().sum() / counts.sum()).sqrt()
    advantages = (advantages - mean) / (spread + 1e-8)
    outputs = step_by_step(learner.policy, batch, T)
    loss = torch.zeros(())
    for t in range(T):
        log_probs = learner.head.log_prob(
            outputs[:, t], batch["avail_actions"][:, t], batch["actions"][:, t]
        )
        loss = loss - (advantages[:, t] * log_probs * counts[:, t]).sum() / counts.sum()
    return flat(torch.autograd.grad(loss, learner.agent_params))


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("agent", ["rnn", "mlp"])
@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("critic", ["cv_critic", "cv_critic_ns", "ac_critic", "ac_critic_ns"])
def test_the_first_step_is_the_plain_policy_gradient(
    critic: str, share: bool, agent: str, continuous: bool
) -> None:
    settings = {"critic_type": critic, "share_parameters": share, "agent": agent, **ONCE}
    learner = learner_of(continuous=continuous, value_norm=False, **settings)
    batch = double_batch(learner.args)
    expected = plain_policy_gradient(learner, batch)
    played = rows_of(learner, batch)

    logged = train(learner, batch)

    torch.testing.assert_close(flat([p.grad for p in learner.agent_params]), expected)
    assert logged["approx_kl"] == pytest.approx(0, abs=1e-12)
    assert logged["clip_fraction"] == 0
    assert played.log_probs.shape == played.advantages.shape


@pytest.mark.parametrize("agent", ["rnn", "mlp"])
def test_ratios_of_the_first_step_are_one(agent: str) -> None:
    learner = learner_of(agent=agent)
    ratios = []

    def step_actors(surrogate: Any, *_: Any) -> Any:
        ratios.append(surrogate.ratio)
        raise StopIteration

    learner.step_actors = step_actors
    with pytest.raises(StopIteration):
        learner.train(double_batch(learner.args), 0, 0)

    # Whole episodes pass the network as they did before; steps without padding, in other rows.
    tolerance = 0.0 if agent == "rnn" else 1e-12
    torch.testing.assert_close(ratios[0], torch.ones_like(ratios[0]), rtol=0, atol=tolerance)


def test_the_critic_s_first_step_is_that_of_the_squared_error() -> None:
    learner = learner_of(value_norm=False, critic_coef=0.5, **ONCE)
    batch = double_batch(learner.args)
    mask = valid_steps(batch["filled"], batch["terminated"])
    values = learner.critic(batch)[..., 0]
    advantages = brute_force_advantages(batch, values.detach(), 0.99, 0.95)
    target = advantages + values.detach()[:, :T]
    loss = 0.5 * ((values[:, :T] - target).square() * mask).sum() / mask.sum() / N
    expected = flat(torch.autograd.grad(loss, learner.critic_params))

    logged = train(learner, batch)

    torch.testing.assert_close(flat([p.grad for p in learner.critic_params]), expected)
    assert logged["critic_loss"] == pytest.approx(2 * float(loss.detach()))


def test_a_clipped_value_has_nothing_to_gain() -> None:
    """Beyond eps_clip from the value at collection, and on the way to the return: no gradient."""
    learner = learner_of()
    played = rows_of(learner, double_batch(learner.args))
    values = learner.critic.values_of(played.critic_inputs).detach()
    far = played._replace(values=values - 1.0, returns=values + 0.1, valid=played.valid * 0 + 1)
    near = far._replace(values=values)
    gradients = []
    for part in (far, near):
        learner.improve_critic(part)
        gradients.append(flat([p.grad for p in learner.critic_params]).norm())

    assert gradients[0] == 0
    assert gradients[1] > 0


# ---------------------------------------------------------------- what must not count


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("agent", ["rnn", "mlp"])
@pytest.mark.parametrize("learner", ["mappo_learner", "ippo_learner", "kmappo_learner"])
def test_padding_has_exactly_no_gradient(learner: str, agent: str, continuous: bool) -> None:
    """Neither more of it nor what is written there changes a bit."""
    ends = []
    for garbage in (False, True):
        made = learner_of(learner, continuous, agent=agent)
        batch = double_batch(made.args)
        if garbage:
            for b, length in enumerate(LENGTHS[:-1]):
                batch["obs"][b, length + 1 :] = 1e3
                batch["state"][b, length + 1 :] = -1e3
                batch["reward"][b, length:] = 1e6
        torch.manual_seed(0)
        made.train(batch, 0, 0)
        ends.append(flat([*made.mac.parameters(), *made.critic_params]))

    assert torch.equal(ends[0], ends[1])


@pytest.mark.parametrize("agent", ["rnn", "mlp"])
def test_longer_padding_changes_nothing(agent: str) -> None:
    ends = []
    for slots in (T + 1, T + 6):
        made = learner_of(agent=agent)
        made.train(double_batch(made.args, slots=slots), 0, 0)
        ends.append(flat([*made.mac.parameters(), *made.critic_params]))

    torch.testing.assert_close(*ends)


@pytest.mark.parametrize("learner", ["mappo_learner", "kmappo_learner"])
def test_dead_agents_have_exactly_no_gradient(learner: str) -> None:
    """What a dead agent sees is nothing to its policy."""
    ends = []
    for garbage in (0.0, 5.0):
        made = learner_of(learner, agent="mlp", entropy_coef=0.1)
        batch = batch_with_a_dead_agent(made.args)
        batch["obs"][:, 2:, 2] += garbage
        made.train(batch, 0, 0)
        ends.append(actors(made))

    assert torch.equal(ends[0], ends[1])


def test_the_dead_count_in_no_mean() -> None:
    learner = learner_of()
    batch = batch_with_a_dead_agent(learner.args)
    played = rows_of(learner, batch)
    alive = batch["avail_actions"][:, :T].sum(dim=3) > 1
    mask = valid_steps(batch["filled"], batch["terminated"])

    assert torch.equal(played.deciding, alive * mask)
    assert float((played.advantages * played.deciding).sum()) == pytest.approx(0, abs=1e-9)
    learner.args.dead_mask = False
    assert torch.equal(rows_of(learner, batch).deciding, mask.expand(-1, -1, N))


# ---------------------------------------------------------------- rows


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("length", [T, 100])
def test_one_chunk_is_the_full_unroll_bit_for_bit(length: int, share: bool) -> None:
    ends = []
    for chunk_length in (None, length):
        learner = learner_of(chunk_length=chunk_length, share_parameters=share)
        learner.train(double_batch(learner.args), 0, 0)
        ends.append(actors(learner))

    assert torch.equal(*ends)


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("length", [1, 2, 4])
def test_chunks_equal_the_full_unroll_with_memory_cut(length: int, share: bool) -> None:
    """The same ratios; gradients as if the memory were a constant where a chunk begins."""
    learner = learner_of(chunk_length=length, share_parameters=share, **ONCE)
    batch = double_batch(learner.args)
    whole = learner_of(share_parameters=share)
    played = rows_of(whole, batch)
    policy = copy.deepcopy(learner.policy)
    memory, loss = policy.blank_memory(B), torch.zeros(())
    for t in range(T):
        if t % length == 0:
            memory = memory.detach()
        outputs, memory = policy.one_slot(policy.inputs_at(batch, t), memory)
        log_probs = learner.head.log_prob(
            outputs, batch["avail_actions"][:, t], batch["actions"][:, t]
        )
        gain = played.advantages[:, t] * log_probs * played.deciding[:, t]
        loss = loss - gain.sum() / played.deciding.sum()
    expected = flat(torch.autograd.grad(loss, list(policy.parameters())))

    logged = train(learner, batch)

    torch.testing.assert_close(flat([p.grad for p in learner.agent_params]), expected)
    assert logged["approx_kl"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("agent", ["rnn", "mlp"])
def test_minibatches_hold_every_row_once(agent: str) -> None:
    learner = learner_of(agent=agent, chunk_length=2)
    played = rows_of(learner, double_batch(learner.args))
    parts = list(played.minibatches(3))

    assert len(parts) == 3
    assert all(part.running is None for part in parts)  # nothing is laid end to end
    fields = ([each for each in part if each is not None] for part in (played, *parts))
    for whole, *split in zip(*fields, strict=True):
        together = torch.cat(split).flatten(1).double()
        assert together.shape == whole.flatten(1).shape
        torch.testing.assert_close(together.sum(dim=0), whole.flatten(1).double().sum(dim=0))
    assert sum(int(part.valid[..., 0].sum()) for part in parts) == sum(LENGTHS)


@pytest.mark.parametrize(("wanted", "found"), [(2, 2), (3, 3), (100, 4)])
def test_there_are_as_many_minibatches_as_rows_allow(wanted: int, found: int) -> None:
    learner = learner_of()
    played = rows_of(learner, double_batch(learner.args))
    sizes = [len(part.inputs) for part in played.minibatches(wanted)]

    assert len(sizes) == found
    assert sum(sizes) == B
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("share", [True, False])
def test_rows_laid_end_to_end_learn_what_padded_ones_do(
    monkeypatch: pytest.MonkeyPatch, share: bool
) -> None:
    ends = []
    for packs in (True, False):
        learner = learner_of("kmappo_learner", share_parameters=share, minibatches=2)
        batch = double_batch(learner.args)
        monkeypatch.setattr(Steps, "packs", staticmethod(lambda mask, packs=packs: packs))
        torch.manual_seed(0)
        part = next(iter(rows_of(learner, batch).minibatches(1))).packed()
        assert (part.running == [4, 3, 3, 2, 2, 2]) == packs
        learner.train(batch, 0, 0)
        ends.append(flat([*learner.mac.parameters(), *learner.critic_params]))

    torch.testing.assert_close(*ends)


@pytest.mark.parametrize("chunk_length", [None, 2])
@pytest.mark.parametrize("learner", ["mappo_learner", "ippo_learner", "kmappo_learner"])
def test_rows_of_agents_that_end_with_them_learn_what_whole_teams_do(
    learner: str, chunk_length: int | None
) -> None:
    ends, sizes = [], []
    for apart in (True, False):
        made = learner_of(learner, chunk_length=chunk_length, minibatches=2, entropy_coef=0.1)
        batch = batch_with_a_dead_agent(made.args)
        assert made.policy.agents_apart
        made.policy.agents_apart = apart
        rows = rows_of(made, batch)
        some = made.laid_out(rows, torch.arange(len(rows.valid) - 1))
        sizes.append(some.inputs.shape[1] * some.inputs.shape[2])
        assert some.inputs.shape[2] == (1 if apart else N)
        torch.manual_seed(0)
        logged = train(made, batch)
        ends.append(torch.cat([actors(made), flat(made.critic_params)]))
        assert logged["approx_kl"] > 0

    assert sizes[0] < sizes[1]
    torch.testing.assert_close(*ends)


@pytest.mark.parametrize("episodes", [None, [0, 3], [0, 1, 2]])
def test_what_agents_say_does_not_depend_on_how_rows_are_laid_out(
    episodes: list[int] | None,
) -> None:
    """With padding or without any, as of the first and the last episode."""
    learner = learner_of()
    rows = rows_of(learner, batch_with_a_dead_agent(learner.args))
    some = None if episodes is None else torch.tensor(episodes)
    found, wanted = (rows.packed(some, apart=apart) for apart in (True, False))

    assert found.asked is not None
    assert wanted.asked is None
    assert found.inputs.shape[1] < wanted.valid.sum()
    log_probs = [
        learner.policy.evaluate(each.view(), each.avail, each.actions)[0] * each.deciding
        for each in (found, wanted)
    ]
    torch.testing.assert_close(*log_probs)


def test_agents_that_never_decide_cost_no_row() -> None:
    learner = learner_of()
    batch = double_batch(learner.args)
    batch["avail_actions"][..., 1:] = 0
    batch.update({"actions": torch.zeros_like(batch["actions"])}, mark_filled=False)
    before = actors(learner)

    train(learner, batch)

    assert torch.equal(actors(learner), before)


# ---------------------------------------------------------------- the rest


def test_learning_rates_fall_to_zero() -> None:
    learner = learner_of(lr=0.1, critic_lr=0.2, lr_anneal=True, t_max=1000)
    batch = double_batch(learner.args)
    round_steps = int(valid_steps(batch["filled"], batch["terminated"]).sum())
    learner.train(batch, 250 + round_steps, 0)  # a quarter was over when the round began
    rates = [o.param_groups[0]["lr"] for o in (learner.agent_optimiser, learner.critic_optimiser)]
    before = actors(learner)
    learner.train(batch, 1000 + round_steps, 0)

    assert rates == pytest.approx([0.075, 0.15])
    assert torch.equal(actors(learner), before)


@pytest.mark.parametrize("learner", ["mappo_learner", "ippo_learner", "kmappo_learner"])
def test_what_is_logged(learner: str) -> None:
    made = learner_of(learner, minibatches=2, lr=0.01)
    logged = train(made, double_batch(made.args))

    expected = {"critic_loss", "critic_grad_norm", "td_error_abs", "q_taken_mean", "target_mean"}
    expected |= {"advantage_mean", "pg_loss", "agent_grad_norm", "pi_max", "lr"}
    expected |= {"approx_kl", "clip_fraction", "explained_variance", "entropy"}
    assert expected <= logged.keys()
    assert ("k/others_ratio" in logged) == (learner == "kmappo_learner")
    assert logged["approx_kl"] > 0
    assert 0 <= logged["clip_fraction"] <= 1
    assert logged["explained_variance"] <= 1


def test_a_critic_that_knows_the_returns_explains_them() -> None:
    learner = learner_of(value_norm=False, gamma=0.0)
    batch = double_batch(learner.args)
    rewards = batch["reward"].expand(-1, -1, N)
    learner.judge = lambda batch: Judged(learner.critic.inputs(batch), rewards, rewards)
    learner.improve_critic = lambda played: {}

    assert train(learner, batch)["explained_variance"] == pytest.approx(1)


def test_huge_changes_of_a_density_leave_numbers() -> None:
    learner = learner_of(continuous=True, lr=1.0, epochs=10, act_noise=0.01)
    learner.train(double_batch(learner.args), 0, 0)

    assert actors(learner).isfinite().all()


def test_models_are_saved_and_loaded(tmp_path: Path) -> None:
    first, second = (make_learner(on_policy_args(learner="mappo_learner"), seed) for seed in (1, 2))
    first.train(double_batch(first.args), 0, 0)
    first.save_models(str(tmp_path))
    second.load_models(str(tmp_path))

    for of in ("mac.agent", "critic"):
        one, other = (attrgetter(of)(learner).state_dict() for learner in (first, second))
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert {path.name for path in tmp_path.iterdir()} == {
        "agent.th",
        "critic.th",
        "value_norm.th",
        "agent_opt.th",
        "critic_opt.th",
    }


def test_replay_settings_get_one_list_of_what_is_missing() -> None:
    args = on_policy_args(learner="mappo_learner", action_selector="epsilon_greedy")
    args.buffer_size, args.updates_per_episode = 5000, 1.0
    with pytest.raises(UserError) as refusal:
        make_learner(args)

    listed = "action_selector=soft_policies batch_size_run=8 batch_size=8 buffer_size=8 "
    assert listed + "updates_per_episode=None" in str(refusal.value)


def test_a_floor_of_epsilon_is_refused_where_it_is_not_part_of_the_policy() -> None:
    with pytest.raises(UserError, match="action_selector=soft_policies"):
        make_learner(on_policy_args(learner="mappo_learner", action_selector="multinomial"))
    none = {"epsilon_start": 0.0, "epsilon_finish": 0.0}
    make_learner(on_policy_args(learner="mappo_learner", action_selector="multinomial", **none))


def test_stochastic_policies_act_as_they_are_scored() -> None:
    """Sampled actions have the probabilities that the learner computes for them."""
    args = on_policy_args(n_actions=3)
    policy, batch = make_mac(args).policy, double_batch(args)
    outputs = step_by_step(policy, batch, 1)[:, 0].detach()
    avail = batch["avail_actions"][:, 0]
    draws = torch.stack([policy.selector.choose(outputs, avail, 0)[..., 0] for _ in range(4000)])
    for action in range(3):
        chosen = torch.full((B, N, 1), action)
        expected = policy.head.log_prob(outputs, avail, chosen).exp() * avail[..., action]
        torch.testing.assert_close((draws == action).double().mean(0), expected, atol=0.04, rtol=0)
