"""MAGPO and CTDS against PPO, MAT and the losses as they are printed."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import Adam

from components.experience import Experience
from components.minibatch import View
from learners.magpo_learner import Bounded
from learners.surrogate import Surrogate
from modules.agents import REGISTRY as AGENTS
from modules.agents.mlp_agent import MLPAgent
from modules.agents.team import Decoded, Encoded, TeamNetwork
from policies.guided import GUIDE_FILE, Pair
from policies.team import Evaluated
from tests.make import N, T, double_batch, flat, make_learner, on_policy_args, rows_of
from utils.errors import UserError

pytestmark = pytest.mark.usefixtures("double_precision")

ONCE = {"epochs": 1, "minibatches": 1, "grad_norm_clip": 1e9}
SMALL = {"rnn_hidden_dim": 8, "n_heads": 2, "optimizer_epsilon": 1e-5}
CTDS = {"guide_bound": None, "guide_rl": 0.0}


def learner_of(continuous: bool = False, seed: int = 0, shake: float = 0.3, **settings: Any) -> Any:
    """With weights that are `shake` away from where they begin."""
    parts = {"learner": "magpo_learner", "mac": "guided_mac", "guide_agent": "mat"}
    made = make_learner(on_policy_args(continuous, **{**parts, **SMALL, **settings}), seed)
    with torch.no_grad():
        for param in [*made.agent_params, *made.critic_params]:
            param.add_(shake * torch.randn_like(param))
    return made


def train(learner: Any, seed: int = 3, updates: int = 1) -> dict[str, float]:
    """What the last update logs."""
    seen: dict[str, float] = {}
    learner.logger.log_stat = lambda key, value, t_env: seen.update({key: value})
    torch.manual_seed(seed)
    for update in range(updates):
        learner.train(double_batch(learner.args, seed=update), 10**6 * update, 0)
    return seen


def gradients(params: list[Any]) -> Tensor:
    return flat([torch.zeros_like(p) if p.grad is None else p.grad for p in params])


# ---------------------------------------------------------------- a guide that is the learner


class Deaf(TeamNetwork):
    """Says what agents say who decide apart, with their network."""

    def __init__(
        self, n_inputs: int, n_actions: int, n_outputs: int, args: SimpleNamespace
    ) -> None:
        super().__init__(n_inputs, n_actions, n_outputs, args)
        args = SimpleNamespace(**{**vars(args), "n_actions": n_outputs})
        self.base, self.value = MLPAgent(n_inputs, args), torch.nn.Linear(n_inputs, 1)

    def encode(self, own: Tensor, start: Tensor | None = None) -> Encoded:
        return Encoded(self.base.unroll(own)[0], lambda: self.value(own).squeeze(-1))

    def decode(self, encoded: Encoded, actions: Tensor) -> Decoded:
        return Decoded(encoded.features)


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setitem(AGENTS, "deaf", Deaf)
    return {"guide_agent": "deaf", "agent": "mlp"}


@pytest.mark.parametrize("bound", [1.0, 1.5, None])
@pytest.mark.parametrize("continuous", [False, True])
def test_beside_agents_that_are_like_it_the_guide_s_loss_is_ppo_s(
    continuous: bool, bound: float | None, deaf: dict[str, Any]
) -> None:
    """Bit for bit; and nothing is left for the agents to learn from it."""
    learner = learner_of(continuous, guide_bound=bound, guide_rl=0.0, **deaf, **ONCE)
    learner.critic.base.load_state_dict(learner.policy.agent.state_dict())
    rows = rows_of(learner, double_batch(learner.args))
    rows = rows._replace(log_probs=rows.log_probs + 0.3 * torch.randn_like(rows.log_probs))
    pair = learner.policy.evaluate_both(View(rows.inputs, rows.memory), rows.avail, rows.actions)
    entropy = learner.head.entropy(pair.guide.outputs, rows.avail)

    found = learner.guide_loss(pair, entropy, rows)
    plain = Surrogate(pair.guide.log_probs, entropy, rows, learner.args).base()
    assert not found.surrogate.outside.any()
    assert float(found.far.detach()) == 0
    assert torch.equal(found.gain, plain)
    for one, other in zip(*(slopes(loss, learner) for loss in (found.gain, plain)), strict=True):
        assert torch.equal(one, other)
    found_slopes = torch.autograd.grad(learner.agents_loss(pair, rows), learner.agent_params)
    assert flat(found_slopes).abs().max() < 1e-15


def slopes(loss: Tensor, learner: Any) -> list[Tensor]:
    base = list(learner.critic.base.parameters())
    return list(torch.autograd.grad(loss, base, retain_graph=True))


# ---------------------------------------------------------------- the losses as printed


def printed(
    mu: Tensor, pi: Tensor, old: Tensor, advantages: Tensor, delta: float, clip: float
) -> Tensor:
    """The first term of Eq. 9 as released, for log-probabilities of guide and agents."""
    limit = torch.tensor(delta).log()
    pi = pi.detach()
    rho, doubly = (mu - old).exp(), ((mu - pi).clamp(-limit, limit) + pi - old).exp()
    return torch.min(rho * advantages, doubly.clamp(1 - clip, 1 + clip) * advantages)


@pytest.mark.parametrize("delta", [1.0, 1.2, 3.0])
def test_the_guide_gains_what_the_released_code_says(delta: float) -> None:
    args = SimpleNamespace(entropy_coef=0.0, eps_clip=0.2, guide_bound=delta)
    old, pi, advantages = (torch.randn(5, 40, N) for _ in range(3))
    mu = (old + 0.5 * torch.randn_like(old)).requires_grad_()
    everywhere = torch.ones_like(old)
    unused = dict.fromkeys(Experience._fields[:-3], everywhere)
    played = Experience(**{**unused, "log_probs": old, "advantages": advantages})
    guide = Evaluated(mu, mu, mu)
    surrogate = Bounded(Pair(guide, pi, pi), torch.zeros_like(old), played, args)

    expected = printed(mu, pi, old, advantages, delta, 0.2)
    torch.testing.assert_close(surrogate.base(), -expected.mean())
    found, wanted = (
        torch.autograd.grad(loss, mu)[0] for loss in (surrogate.base(), -expected.mean())
    )
    torch.testing.assert_close(found, wanted)
    assert torch.equal(surrogate.outside, (mu - pi).abs() > torch.tensor(delta).log())
    if delta == 1.0:  # wherever the second branch is the smaller one, the guide stays
        moves = (mu - old).exp() * advantages == expected
        assert torch.equal(found != 0, moves)
        assert 0 < moves.double().mean() < 1


@pytest.mark.parametrize("continuous", [False, True])
def test_both_steps_go_down_the_printed_losses(continuous: bool) -> None:
    """Their gradients, where both have moved from what was played and half leave the bound."""
    weight, shake = 2.0, 0.02 if continuous else 0.3
    # Narrow densities of actions that nobody drew would be beyond any number.
    settings = {"act_noise": 1.0, "guide_rl": weight, "critic_coef": 0.7, "entropy_coef": 0.1}
    learner = learner_of(continuous, shake=shake, value_clip=False, **settings, **ONCE)
    rows = rows_of(learner, double_batch(learner.args))
    rows = rows._replace(log_probs=rows.log_probs + 0.3 * torch.randn_like(rows.log_probs))
    policy, head, guide = learner.policy, learner.head, learner.policy.guide
    own = rows.inputs[..., : policy.n_inputs]
    outputs = policy.agent.unroll(own, torch.zeros(len(own), N, 8))[0]
    encoded, decoded = guide.agent.both(rows.inputs, None)
    mu, pi = (head.log_prob(out, rows.avail, rows.actions) for out in (decoded.outputs, outputs))
    A, where, old = rows.advantages, rows.deciding, rows.log_probs

    def mean(values: Tensor, mask: Tensor = where) -> Tensor:
        return values[mask > 0].mean()

    delta = float((mu - pi).detach()[where > 0].abs().median().exp())
    learner.args.guide_bound = delta
    far = (mu - pi).abs() > torch.tensor(delta).log()
    of_guide = (
        -mean(printed(mu, pi, old, A, delta, 0.2))
        + mean(far * head.kl(decoded.outputs, outputs.detach(), rows.avail))
        - 0.1 * mean(head.entropy(decoded.outputs, rows.avail))
        + 0.7 * mean((encoded.values() - rows.returns).square(), rows.valid)
    )
    ratio = (pi - old).exp()
    gain = torch.min(ratio * A, ratio.clamp(0.8, 1.2) * A)
    of_agents = mean(head.kl(decoded.outputs.detach(), outputs, rows.avail)) - weight * mean(gain)
    expected = [
        torch.autograd.grad(of_guide, learner.critic_params),
        torch.autograd.grad(of_agents, learner.agent_params),
    ]
    assert 0 < mean(far.double()) < 1

    logged = learner.improve(rows, 0, True)
    torch.testing.assert_close(gradients(learner.critic_params), flat(expected[0]))
    torch.testing.assert_close(gradients(learner.agent_params), flat(expected[1]))
    assert logged["guide/outside"] == pytest.approx(float(mean(far.double())))
    assert logged["guide/kl"] >= 0
    assert logged["agents_loss"] == pytest.approx(float(of_agents.detach()))


# ---------------------------------------------------------------- CTDS


@pytest.mark.parametrize("agent", ["rnn", "mlp"])
@pytest.mark.parametrize("continuous", [False, True])
def test_ctds_is_mat_and_agents_that_copy_it_bit_for_bit(continuous: bool, agent: str) -> None:
    settings = {"epochs": 2, "minibatches": 2, "entropy_coef": 0.1, "grad_norm_clip": 0.5}
    learner = learner_of(continuous, agent=agent, **CTDS, **settings)
    student = copy.deepcopy(learner.policy.agent)
    team = {"learner": "team_learner", "mac": "team_mac", "agent": "mat"}
    teacher = make_learner(on_policy_args(continuous, **SMALL, **settings, **team))
    for network in (teacher.policy.agent, teacher.target_policy.agent):
        network.load_state_dict(learner.critic.state_dict())
    teacher.policy.recurrent = learner.policy.recurrent  # rows are cut as the agents need them
    before = flat(student.parameters())
    copying(teacher, student)

    train(teacher, updates=2)
    train(learner, updates=2)

    assert torch.equal(flat(learner.critic_params), flat(teacher.agent_params))
    assert torch.equal(flat(learner.agent_params), flat(student.parameters()))
    assert not torch.equal(before, flat(student.parameters()))


def copying(teacher: Any, student: Any) -> None:
    """Lets the student take a step down KL(teacher || student) beside each of the teacher's."""
    params, improve = list(student.parameters()), teacher.improve
    optimiser = Adam(params, lr=teacher.args.lr, eps=1e-5, fused=True)

    def improve_both(played: Experience, t_env: int, diagnose: bool) -> Any:
        rows = played.memory.shape[0]
        view = View(played.inputs, played.memory, played.running)
        wanted = teacher.policy.evaluate(view, played.avail, played.actions)[1].detach()
        inputs = played.inputs[..., : teacher.policy.n_inputs]
        outputs = student.unroll(inputs, torch.zeros(rows, N, 8), played.running)[0]
        kl = teacher.head.kl(wanted, outputs, played.avail)
        loss = (kl * played.deciding).sum() / played.deciding.sum()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 0.5)
        optimiser.step()
        return improve(played, t_env, diagnose)

    teacher.improve = improve_both


# ---------------------------------------------------------------- rounds and files


@pytest.mark.parametrize("agent", ["rnn", "mlp"])
@pytest.mark.parametrize("guide", ["mat", "sable"])
def test_longer_padding_changes_nothing(guide: str, agent: str) -> None:
    ends = []
    for slots in (T + 1, T + 6):
        made = learner_of(guide_agent=guide, agent=agent)
        made.train(double_batch(made.args, slots=slots), 0, 0)
        ends.append(flat([*made.agent_params, *made.critic_params]))

    torch.testing.assert_close(*ends)


@pytest.mark.parametrize("chunk_length", [1, 2, 4])
def test_chunks_begin_with_both_memories(chunk_length: int) -> None:
    settings = {"guide_agent": "sable", "value_norm": False, **ONCE}
    logged = train(learner_of(chunk_length=chunk_length, **settings))
    whole = train(learner_of(**settings))

    assert logged["approx_kl"] == pytest.approx(0, abs=1e-12)
    for key in ("critic_loss", "pg_loss", "entropy", "agents_loss", "guide/kl", "guide/outside"):
        assert logged[key] == pytest.approx(whole[key], abs=1e-12)


def test_returns_may_look_ahead_by_a_slow_guide() -> None:
    settings = {"critic_targets": True, "target_update_interval": 2, "value_norm": False, **ONCE}
    learner = learner_of(**settings)
    learner.target_critic.load_state_dict(learner.critic.state_dict())
    batch = double_batch(learner.args)
    before = learner.policy.judge(batch)
    learner.train(batch, 0, 0)

    torch.testing.assert_close(learner.judge(batch).ahead, before)
    assert not torch.equal(learner.judge(batch).values, before)


def test_models_are_saved_and_loaded(tmp_path: Path) -> None:
    first, second = learner_of(), learner_of(seed=1)
    train(first)
    first.save_models(str(tmp_path))
    names = {"agent.th", "agent_opt.th", "guide.th", "guide_opt.th", "value_norm.th"}
    assert {path.name for path in tmp_path.iterdir()} == names

    second.load_models(str(tmp_path))
    for name in ("agent_params", "critic_params"):
        assert torch.equal(flat(getattr(first, name)), flat(getattr(second, name)))


def test_who_tests_loads_the_agents_alone(tmp_path: Path) -> None:
    """With MAPPO's settings as with its own."""
    first = learner_of()
    first.mac.save_models(str(tmp_path))
    for learner in (learner_of(seed=1, evaluate=True), mappo(evaluate=True)):
        assert not torch.equal(flat(learner.agent_params), flat(first.agent_params))
        learner.load_models(str(tmp_path))
        assert torch.equal(flat(learner.agent_params), flat(first.agent_params))


def test_who_tests_as_in_training_needs_the_guide(tmp_path: Path) -> None:
    first = learner_of()
    first.save_models(str(tmp_path))
    second = learner_of(seed=1, evaluate=True, test_sampled=True)
    second.load_models(str(tmp_path))
    assert torch.equal(flat(second.critic_params), flat(first.critic_params))

    (tmp_path / GUIDE_FILE).unlink()
    with pytest.raises(UserError, match=GUIDE_FILE):
        second.load_models(str(tmp_path))


def mappo(**settings: Any) -> Any:
    return make_learner(on_policy_args(learner="mappo_learner", rnn_hidden_dim=8, **settings))
