"""K-MAPPO is MAPPO at level 1, and Equations 14 and 15 above it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.experience import Experience
from learners.surrogate import clipped, others_ratio
from tests.make import actors, double_batch, flat, make_learner, on_policy_args, rows_of
from tests.pairs import every_pair

pytestmark = pytest.mark.usefixtures("double_precision")

FORMS = ["outside", "joint", "coppo"]


def learner_of(learner: str, continuous: bool = False, **settings: Any) -> Any:
    """Steps large enough that ratios leave their clip range."""
    sizes = {"lr": 0.003, "entropy_coef": 0.01, "grad_norm_clip": 0.5, "act_noise": 0.5}
    made = make_learner(on_policy_args(continuous, learner=learner, **{**sizes, **settings}))
    with torch.no_grad():
        for param in made.mac.parameters():
            param.mul_(2)
    return made


def everything(learner: Any) -> list[Tensor]:
    """Parameters, optimiser states, and the stream of random numbers."""
    states = [o.state_dict()["state"] for o in (learner.agent_optimiser, learner.critic_optimiser)]
    return [
        actors(learner),
        flat(learner.critic_params),
        flat(learner.norm.state_dict().values()),
        torch.get_rng_state(),
        *[value for state in states for entry in state.values() for value in entry.values()],
    ]


# ---------------------------------------------------------------- level 1


@pytest.mark.parametrize("kmappo_ratio", FORMS)
@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize(("agent", "share"), [("rnn", True), ("mlp", False)])
def test_one_level_is_mappo_bit_for_bit(
    kmappo_ratio: str, continuous: bool, agent: str, share: bool
) -> None:
    settings = {"agent": agent, "share_parameters": share, "epochs": 2, "minibatches": 2}
    ends = []
    for name in ("mappo_learner", "kmappo_learner"):
        learner = learner_of(name, continuous, k_level=1, kmappo_ratio=kmappo_ratio, **settings)
        torch.manual_seed(5)
        for update in range(8):
            learner.train(double_batch(learner.args, seed=update % 4), update, update)
        ends.append(everything(learner))

    assert all(torch.equal(one, other) for one, other in zip(*ends, strict=True))


def test_against_the_behaviour_one_level_is_mappo_in_the_first_step_only() -> None:
    equal = []
    for epochs in (1, 2):
        settings = {"epochs": epochs, "kmappo_ref": "behaviour", "kmappo_ratio": "joint"}
        ends = []
        for name in ("mappo_learner", "kmappo_learner"):
            learner = learner_of(name, k_level=1, **settings)
            learner.train(double_batch(learner.args), 0, 0)
            ends.append(actors(learner))
        equal.append(torch.allclose(*ends, rtol=1e-12))

    assert equal == [True, False]


# ---------------------------------------------------------------- higher levels


def spoken(learner: Any, played: Experience) -> tuple[Tensor, Tensor]:
    """Log-probabilities and entropies of the present actors, one step after the other."""
    hidden, outputs = played.memory, []
    for t in range(played.inputs.shape[1]):
        output, hidden = learner.policy.agent(played.inputs[:, t].flatten(0, 1), hidden)
        outputs.append(output.unflatten(0, (-1, learner.args.n_agents)))
    stacked, head = torch.stack(outputs, dim=1), learner.head
    log_probs = head.log_prob(stacked, played.avail, played.actions)
    return log_probs, head.entropy(stacked, played.avail)


def naive_gain(
    learner: Any, played: Experience, i: int, others: Tensor, reference: Tensor
) -> Tensor:
    """Agent i's objective, with the joint ratio multiplied out."""
    args, eps = learner.args, learner.args.eps_clip
    own, entropy = (part[..., i] for part in spoken(learner, played))
    A, ratio = played.advantages[..., i], (own - played.log_probs[..., i]).exp()
    joint = torch.ones_like(ratio)
    for j in set(range(args.n_agents)) - {i}:
        joint = joint * (others[..., j] - reference[..., j]).exp()
    if args.kmappo_ratio == "coppo":
        joint = joint.clamp(1 - eps / 2, 1 + eps / 2)
    if args.kmappo_ratio == "outside":
        gain = joint * torch.min(ratio * A, ratio.clamp(1 - eps, 1 + eps) * A)
    else:
        product = ratio * joint
        gain = torch.min(product * A, product.clamp(1 - eps, 1 + eps) * A)
    value = gain + args.entropy_coef * entropy
    return (value * played.deciding[..., i]).sum() / played.deciding.sum()


def naive_step(learner: Any, played: Experience, K: int) -> None:
    """Theta(K) by N backward passes a level, and real steps taken back."""
    args, params, optimiser = learner.args, learner.agent_params, learner.agent_optimiser
    theta_reset = [p.detach().clone() for p in params]
    omega_reset = copy.deepcopy(optimiser.state_dict())
    others = spoken(learner, played)[0].detach()
    reference = played.log_probs if args.kmappo_ref == "behaviour" else others
    for level in range(1, K + 1):
        optimiser.zero_grad()
        for i in range(args.n_agents):
            (-naive_gain(learner, played, i, others, reference)).backward()
        torch.nn.utils.clip_grad_norm_(params, args.grad_norm_clip)
        optimiser.step()
        if level < K:
            others = spoken(learner, played)[0].detach()
            with torch.no_grad():
                for param, start in zip(params, theta_reset, strict=True):
                    param.copy_(start)
            optimiser.load_state_dict(copy.deepcopy(omega_reset))


@pytest.mark.parametrize(
    ("kmappo_ratio", "kmappo_ref", "continuous", "share", "optimizer"),
    every_pair(FORMS, ["step", "behaviour"], [False, True], [True, False], ["adam", "rmsprop"]),
)
def test_levels_equal_the_naive_recursion(
    kmappo_ratio: str, kmappo_ref: str, continuous: bool, share: bool, optimizer: str
) -> None:
    settings = {"kmappo_ratio": kmappo_ratio, "kmappo_ref": kmappo_ref, "optimizer": optimizer}
    settings |= {"lr": 1e-4, "act_noise": 2.0}  # others' ratios keep within their limit
    for K in (1, 2, 3):
        fast, naive = (
            learner_of("kmappo_learner", continuous, k_level=K, share_parameters=share, **settings)
            for _ in range(2)
        )
        played = rows_of(fast, double_batch(fast.args))
        for _ in range(2):  # in the second step, the policy is not the one that acted
            before = actors(fast)
            fast.improve_actors(played, t_env=0, diagnose=False)
            naive_step(naive, played, K)
            moved, expected = actors(fast) - before, actors(naive) - before
            assert (moved - expected).norm() / expected.norm() < 1e-10


@pytest.mark.parametrize("kmappo_ratio", FORMS)
def test_other_levels_are_really_others(kmappo_ratio: str) -> None:
    """Else the test above would compare a thing with itself."""
    ends = []
    for K in (1, 2, 3):
        learner = learner_of("kmappo_learner", k_level=K, kmappo_ratio=kmappo_ratio)
        learner.train(double_batch(learner.args), 0, 0)
        ends.append(actors(learner))

    assert (ends[0] - ends[1]).norm() > 1e-3
    assert (ends[1] - ends[2]).norm() > 1e-5


def test_one_agent_makes_all_levels_equal_bit_for_bit() -> None:
    ends = []
    for K in (1, 3):
        learner = learner_of("kmappo_learner", k_level=K, n_agents=1)
        learner.train(double_batch(learner.args), 0, 0)
        ends.append(actors(learner))

    assert torch.equal(*ends)


def test_levels_are_unrolled_once_with_a_graph() -> None:
    """One's own log-probabilities serve all levels; each further one costs a forward pass."""
    learner = learner_of("kmappo_learner", k_level=3)
    played = rows_of(learner, double_batch(learner.args))
    graphs = []
    for policy in (learner.policy, learner.levels.shadow):
        whole = policy.agent.unroll

        def counted(*inputs: Any, whole: Any = whole) -> Any:
            graphs.append(torch.is_grad_enabled())
            return whole(*inputs)

        policy.agent.unroll = counted
    learner.improve_actors(played, t_env=0, diagnose=False)

    assert graphs == [True, False, False]


# ---------------------------------------------------------------- ratios


def test_others_ratios_leave_oneself_out() -> None:
    log_probs, reference = torch.randn(2, 4, 5, 3)
    found = others_ratio(log_probs, reference)

    by_agent = (log_probs - reference).exp()
    expected = torch.stack(
        [by_agent[..., 1] * by_agent[..., 2], by_agent[..., 0] * by_agent[..., 2]], dim=-1
    )
    torch.testing.assert_close(found[..., :2], expected.clamp(torch.tensor(-5.0).exp(), 148.413159))


def test_many_agents_leave_numbers() -> None:
    ratio = others_ratio(torch.zeros(1, 1, 200), torch.full((1, 1, 200), -50.0))

    assert ratio.isfinite().all()


def test_a_bad_action_that_became_likelier_is_still_pushed_back() -> None:
    """A inside the min. As Eq. 15 is printed, the gradient here would be 0."""
    ratio = torch.tensor([2.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(clipped(ratio, torch.tensor([-1.0]), 0.2).sum(), ratio)
    printed = torch.min(ratio, ratio.clamp(0.8, 1.2)) * -1.0
    (vanished,) = torch.autograd.grad(printed.sum(), ratio)

    assert gradient == -1
    assert vanished == 0


def test_dead_agents_weigh_nobody() -> None:
    """Their only action stays certain, so they leave every product as it is."""
    learner = learner_of("kmappo_learner", k_level=2)
    batch: EpisodeBatch = double_batch(learner.args)
    batch["avail_actions"][:, :, 2] = torch.tensor([1, 0, 0, 0, 0])
    actions = batch["actions"] * torch.tensor([1, 1, 0])[:, None]  # (B, T + 1, N, 1)
    batch.update({"actions": actions}, mark_filled=False)
    seen: list[Tensor] = []
    step = learner.levels.step

    def spy(objective: Any, respond: Any, *rest: Any) -> Any:
        def answer(policy: Any, drawing: Any) -> Tensor:
            seen.append(respond(policy, drawing))
            return seen[-1]

        return step(objective, answer, *rest)

    learner.levels.step = spy
    learner.train(batch, 0, 0)

    assert seen
    assert all(bool((others[..., 2] == 0).all()) for others in seen)
