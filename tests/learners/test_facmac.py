"""FACMAC and MADDPG against their definitions, computed step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from components.episode_buffer import EpisodeBatch
from components.minibatch import Minibatch, Steps
from modules.critics.facmac import FACMACCritic
from modules.mixers import REGISTRY as MIXERS
from modules.mixers.qmix import QMixer
from pymarl.critics import critic_of
from pymarl.mixers import mixer_of
from tests.make import (
    N,
    all_at_once,
    full_scheme,
    make_args,
    make_batch,
    make_learner,
    policy_args,
    step_by_step,
)
from utils.errors import UserError

FACMAC_SMAC = {
    "learner": "facmac_learner_discrete",
    "mixer": "qmix",
    "hypernet_layers": 2,
    "td_lambda": 0.8,
    "lr": 0.0025,
    "critic_lr": 0.0005,
    "optimizer": "adam",
    "optimizer_epsilon": 1e-7,
}


def masks(batch: EpisodeBatch) -> Tensor:
    """m_t = filled_t (1 - d_(t-1)) for t < T. (B, T)"""
    filled, ends = batch["filled"][:, :-1, 0].float(), batch["terminated"][:, :-1, 0].float()
    mask = filled.clone()
    for t in range(1, mask.shape[1]):
        mask[:, t] = filled[:, t] * (1 - ends[:, t - 1])
    return mask


def joint_value(critic: Any, mixer: Any, batch: EpisodeBatch, actions: Tensor, t: int) -> Tensor:
    """f(s_t; Q(o_t^i, a^i)), one agent at a time. actions (B, N, A) -> (B,)"""
    utilities = [critic(batch["obs"][:, t, i], actions[:, i])[0][:, 0] for i in range(N)]
    stacked = torch.stack(utilities, dim=1)[:, None]  # (B, 1, N)
    return mixer(stacked, batch["state"][:, t : t + 1])[:, 0, 0]


def lambda_returns(learner: Any, batch: EpisodeBatch, following: Tensor, mask: Tensor) -> Tensor:
    """Section 4.4, step 3. following (B, T + 1) -> (B, T)"""
    gamma, lam = learner.args.gamma, learner.args.td_lambda
    reward, ends = batch["reward"][:, :, 0], batch["terminated"][:, :, 0].float()
    T = mask.shape[1]
    returns = torch.zeros_like(following)
    returns[:, T] = following[:, T] * (1 - ends[:, :T].sum(dim=1))
    for t in reversed(range(T)):
        one_step = reward[:, t] + (1 - lam) * gamma * following[:, t + 1] * (1 - ends[:, t])
        returns[:, t] = lam * gamma * returns[:, t + 1] + mask[:, t] * one_step
    return returns[:, :T]


def one_hots(values: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(values.argmax(dim=-1), values.shape[-1]).float()


def test_discrete_facmac_equals_a_step_by_step_reference() -> None:
    learner, reference = (make_learner(policy_args(**FACMAC_SMAC)) for _ in range(2))
    batch = make_batch(learner.args, lengths=(6, 6, 4, 6))
    batch["terminated"][:, -2] = 1  # all end by a terminal, where FACMAC's mask is exact
    batch["terminated"][2] = 0
    batch["terminated"][2, 3] = 1
    T = batch.max_seq_length - 1
    mask = masks(batch)
    masked = batch["avail_actions"] == 0

    # Critic: greedy target actions, lambda-returns, mean squared error, one joint clip.
    critic, mixer = reference.critic, reference.mixer
    logits = step_by_step(reference.target_policy, batch, T + 1)
    greedy = one_hots(logits.masked_fill(masked, -1e10))
    following = [
        joint_value(reference.target_critic, reference.target_mixer, batch, greedy[:, t], t)
        for t in range(T + 1)
    ]
    targets = lambda_returns(reference, batch, torch.stack(following, dim=1).detach(), mask)
    replayed = batch["actions_onehot"]
    taken = torch.stack(
        [joint_value(critic, mixer, batch, replayed[:, t], t) for t in range(T)], dim=1
    )
    loss = (mask * (taken - targets)).square().sum() / mask.sum()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(reference.critic_params, 10)
    expected_critic_gradient = gradient(reference.critic_params)
    reference.critic_optimiser.step()

    # Actor: all agents' fresh actions through the critic as it is now.
    torch.manual_seed(3)
    logits = step_by_step(reference.policy, batch, T).masked_fill(masked[:, :T], -1e10)
    steps = Steps(mask.unsqueeze(2))
    uniform = torch.rand_like(steps.take(logits))
    gumbel = steps.put(-torch.log(-torch.log(uniform)))
    soft = torch.softmax(torch.log_softmax(logits, dim=-1) + gumbel, dim=-1)
    drawn = one_hots(soft) - soft.detach() + soft
    climbed = torch.stack(
        [joint_value(critic, mixer, batch, drawn[:, t], t) for t in range(T)], dim=1
    )
    pg_loss = -(mask * climbed).sum() / mask.sum()
    for param in reference.agent_params:
        param.grad = None
    pg_loss.backward()
    torch.nn.utils.clip_grad_norm_(reference.agent_params, 10)

    seen: dict[str, float] = {}
    learner.logger.log_stat = lambda key, value, t_env: seen.update({key: value})
    torch.manual_seed(3)
    learner.train(batch, t_env=0, episode_num=0)

    assert seen["critic_loss"] == pytest.approx(float(loss.detach()), rel=1e-5)
    assert seen["pg_loss"] == pytest.approx(float(pg_loss.detach()), rel=1e-5)
    assert seen["target_mean"] == pytest.approx(
        float((targets * mask).sum() / mask.sum() / N), rel=1e-5
    )
    close = {"rtol": 1e-4, "atol": 1e-6}
    torch.testing.assert_close(gradient(learner.critic_params), expected_critic_gradient, **close)
    torch.testing.assert_close(
        gradient(learner.agent_params), gradient(reference.agent_params), **close
    )


def gradient(params: Any) -> Tensor:
    return torch.cat([p.grad.reshape(-1) for p in params])


def test_continuous_facmac_is_unmasked_and_pulls_actions_to_zero() -> None:
    """As FACMAC's continuous learner: the mean over all slots, plus 1e-3 of the squared action."""
    settings = {"learner": "facmac_learner", "mixer": "qmix", "actor_mask": False}
    learner = make_learner(policy_args(continuous=True, action_l2=0.001, **settings))
    batch = make_batch(learner.args)
    T = batch.max_seq_length - 1
    own = learner.head.mode(all_at_once(learner.policy, batch, T), batch["avail_actions"])
    critic, mixer = learner.critic, learner.mixer
    learner.improve_critic = lambda *_: dict  # the critic stays as it is
    values = torch.stack([joint_value(critic, mixer, batch, own[:, t], t) for t in range(T)], dim=1)
    expected = -values.mean() + 0.001 * own.square().mean()

    seen: dict[str, float] = {}
    learner.logger.log_stat = lambda key, value, t_env: seen.update({key: value})
    learner.train(batch, t_env=0, episode_num=0)

    assert seen["pg_loss"] == pytest.approx(float(expected.detach()), rel=1e-5)


@pytest.mark.parametrize(
    ("learner", "agents_count"), [("kfacmac_learner", 1.0), ("kmaddpg_learner", 1 / N)]
)
@pytest.mark.parametrize("k_level", [1, 2])
def test_random_policies_are_rewarded_by_entropy_coef(
    learner: str, agents_count: float, k_level: int
) -> None:
    """The loss is less by entropy_coef H(pi_i) for each J_i that it adds up (or averages)."""
    losses, gradients = [], []
    for coef in (0.0, 0.5):
        settings = {"learner": learner, "mixer": "qmix", "k_level": k_level, "grad_norm_clip": 1e9}
        made = make_learner(policy_args(entropy_coef=coef, k_lookahead_scale=0.0, **settings))
        made.improve_critic = lambda *_: dict  # the critic stays as it is
        seen: dict[str, float] = {}
        made.logger.log_stat = lambda key, value, t_env, seen=seen: seen.update({key: value})
        batch = make_batch(made.args)
        entropies, mask = entropies_of(made, batch)
        bonus = 0.5 * (mask[:, :, None] * entropies).sum() / mask.sum() * agents_count
        of_bonus = torch.autograd.grad(bonus, made.agent_params)
        torch.manual_seed(3)
        made.train(batch, t_env=0, episode_num=0)
        losses.append(seen["pg_loss"])
        gradients.append(gradient(made.agent_params))
        choice = mask[:, :, None] * (batch["avail_actions"][:, :-1].sum(dim=3) > 1)
        mean = float(((choice * entropies).sum() / choice.sum()).detach())
        assert seen["entropy"] == pytest.approx(mean, rel=1e-5)

    assert losses[1] == pytest.approx(losses[0] - float(bonus.detach()), rel=1e-5)
    expected = gradients[0] - torch.cat([part.reshape(-1) for part in of_bonus])
    torch.testing.assert_close(gradients[1], expected, rtol=1e-4, atol=1e-6)


def entropies_of(learner: Any, batch: EpisodeBatch) -> tuple[Tensor, Tensor]:
    """The policies' entropies (B, T, N), and the mask of the steps (B, T)."""
    mask = masks(batch)
    T = mask.shape[1]
    logits = step_by_step(learner.policy, batch, T)
    logits = logits.masked_fill(batch["avail_actions"][:, :T] == 0, -1e10)
    return torch.distributions.Categorical(logits=logits).entropy(), mask


@pytest.mark.parametrize("learner", ["kfacmac_learner", "kmaddpg_learner"])
@pytest.mark.parametrize("continuous", [False, True])
def test_padding_changes_nothing(learner: str, continuous: bool) -> None:
    ends = []
    for slots in (7, 12):
        made = make_learner(policy_args(continuous, learner=learner, mixer="qmix", td_lambda=0.8))
        batch = make_batch(made.args, slots=slots)
        torch.manual_seed(0)
        made.train(batch, t_env=0, episode_num=0)
        ends.append(torch.cat([p.detach().reshape(-1) for p in made.agent_params]))

    torch.testing.assert_close(ends[0], ends[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("learner", ["facmac_learner", "kfacmac_learner", "kmaddpg_learner"])
def test_models_are_saved_and_loaded(learner: str, tmp_path: Path) -> None:
    settings = {"learner": learner, "mixer": "qmix"}
    first, second = (make_learner(policy_args(**settings), seed) for seed in (1, 2))
    first.train(make_batch(first.args), t_env=0, episode_num=0)
    first.save_models(str(tmp_path))
    second.load_models(str(tmp_path))

    def everything(of: Any) -> Tensor:
        params = [*of.mac.parameters(), *of.critic_params]
        return torch.cat([p.detach().reshape(-1) for p in params])

    assert torch.equal(everything(first), everything(second))
    files = {path.name for path in tmp_path.iterdir()}
    expected = {"agent.th", "critic.th", "agent_opt.th", "critic_opt.th"}
    assert files == expected | ({"mixer.th"} if "facmac" in learner else set())


def test_value_based_settings_get_one_list_of_what_is_missing() -> None:
    args = make_args(learner="kfacmac_learner", mixer="qmix")
    with pytest.raises(UserError) as refusal:
        make_learner(args)

    assert (
        "action_selector=gumbel agent_output_type=pi_logits epsilon_start=0.5 td_lambda=0.8 "
        "lr=0.0025 critic_lr=0.0005" in str(refusal.value)
    )
    assert "--config=kfacmac" in str(refusal.value)


def test_hard_targets_count_training_steps() -> None:
    learner = make_learner(policy_args(learner="facmac_learner", target_update_interval=3))
    batch = make_batch(learner.args)
    equal = []
    for update in range(6):
        learner.train(batch, t_env=update, episode_num=0)
        pairs = zip(learner.critic.parameters(), learner.target_critic.parameters(), strict=True)
        equal.append(all(torch.equal(a, b) for a, b in pairs))

    assert equal == [False, False, True, False, False, True]


def test_the_joint_critic_s_rows_are_those_of_whole_joint_actions() -> None:
    learner = make_learner(policy_args(learner="maddpg_learner"))
    B, T, A = 2, 3, learner.args.n_actions
    states = torch.randn(B, T, learner.args.state_shape)
    own, others = torch.randn(2, B, T, N, A)
    rows = learner.critic.counterfactual(states, own, others)
    for i in range(N):
        joint = others.clone()
        joint[:, :, i] = own[:, :, i]
        torch.testing.assert_close(rows[:, :, i : i + 1], learner.critic(states, joint)[0])


class WithoutAt(nn.Module):
    """QMIX as PyMARL's learners know it: rows of values and states, and nothing prepared."""

    def __init__(self, args: Any) -> None:
        super().__init__()
        self._qmix = QMixer(args)

    def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        return self._qmix(agent_qs, states)


def test_a_mixer_written_for_pymarl_gives_the_same_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `at`, the mixer is called on repeated states."""
    monkeypatch.setitem(MIXERS, "without_at", WithoutAt)  # type: ignore[arg-type]
    ends = []
    for mixer in ("qmix", "without_at"):
        learner = make_learner(policy_args(learner="kfacmac_learner", mixer=mixer, k_level=3))
        torch.manual_seed(0)
        learner.train(make_batch(learner.args), t_env=0, episode_num=0)
        ends.append(torch.cat([p.detach().reshape(-1) for p in learner.agent_params]))

    torch.testing.assert_close(*ends, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("continuous", [False, True])
def test_maddpg_s_joint_gradient_has_what_each_agent_s_own_would_have(continuous: bool) -> None:
    """One pass of the joint action, and N counterfactual ones against the same actions."""
    learner = make_learner(policy_args(continuous, learner="maddpg_learner"))
    batch = make_batch(learner.args)
    minibatch = Minibatch(batch, keep_padding=True)
    stored = learner.head.vector(minibatch.actions)
    own = torch.randn(*stored.shape, requires_grad=True)
    objective = learner.objective(minibatch, own)
    fast, plain = objective.base(), objective.against(own.detach())

    torch.testing.assert_close(fast, plain)
    torch.testing.assert_close(*(torch.autograd.grad(loss, own)[0] for loss in (fast, plain)))


def test_mixers_and_critics_that_override_one_method_are_asked_by_it() -> None:
    """What `at` of their base says is not theirs."""

    class Doubled(QMixer):
        def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
            return 2 * super().forward(agent_qs, states)

    class Negative(FACMACCritic):
        def forward(self, inputs: Tensor, actions: Tensor, hidden_state: Any = None) -> Any:
            utilities, hidden = super().forward(inputs, actions, hidden_state)
            return -utilities, hidden

    args = policy_args(mixer="qmix")
    batch = make_batch(args)
    mixer, critic = Doubled(args), Negative(full_scheme(args), args)
    state, obs, one_hots = batch["state"], batch["obs"], batch["actions_onehot"]
    utilities = critic_of(critic).at(obs)(one_hots)
    mixing = mixer_of(mixer).at(state)

    assert torch.equal(utilities, critic(obs, one_hots)[0].squeeze(-1))
    assert torch.equal(mixing(utilities), mixer(utilities, state))
