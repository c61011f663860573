"""K levels are what Algorithm 2 says, and the base algorithm where nothing depends on others."""

from __future__ import annotations

import copy
import functools
from typing import Any

import pytest
import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.minibatch import Minibatch
from learners.klevel import LevelSchedule
from learners.maddpg_learner import JointObjective
from tests.make import actors, all_at_once, flat, make_learner, policy_args
from tests.make import double_batch as batch_of
from tests.pairs import every_pair
from utils.errors import UserError

MIXERS = ["qmix", "qmix-nonmonotonic", "vdn", "vdn-s", None]


pytestmark = pytest.mark.usefixtures("double_precision")


def learner_of(learner: str, continuous: bool = False, seed: int = 0, **settings: Any) -> Any:
    """Its actors at some distance from zero, so that policies differ and noise matters."""
    made = make_learner(policy_args(continuous, learner=learner, lr=0.01, **settings), seed)
    with torch.no_grad():
        for param in made.mac.parameters():
            param.mul_(2)
    made.target_policy.agent.load_state_dict(made.policy.agent.state_dict())
    return made


def improve(learner: Any, batch: EpisodeBatch, seed: int = 0, t_env: int = 0) -> Any:
    """One update of the actors alone."""
    torch.manual_seed(seed)
    minibatch = Minibatch(batch)
    views = learner.policy.views(minibatch)
    return learner.improve_actors(minibatch, views, t_env, diagnose=True)


# ---------------------------------------------------------------- Algorithm 2, word by word


def naive_update(learner: Any, batch: EpisodeBatch, K: int, seed: int = 0) -> Tensor:
    """Theta(K) by N backward passes a level, whole joint actions, and real steps taken back."""
    args, policy, head = learner.args, learner.policy, learner.head
    params, optimiser = list(policy.parameters()), learner.agent_optimiser
    T, minibatch = batch.max_seq_length - 1, Minibatch(batch)
    mask, steps = minibatch.valid, minibatch.steps
    avail, states, obs = batch["avail_actions"][:, :T], batch["state"][:, :T], batch["obs"][:, :T]
    torch.manual_seed(seed)
    noise = head.noise(steps.take(all_at_once(policy, batch, T)))
    noise = steps.put(noise) if noise.numel() else noise  # drawn for steps, not for padding

    def act() -> Tensor:
        return head.relaxed(all_at_once(policy, batch, T), avail, noise)

    def objective(i: int, joint: Tensor) -> Tensor:
        """J_i, the joint action being given: its mean over real steps."""
        if args.learner == "kmaddpg_learner":
            value = learner.critic(states, joint)[0] / args.n_agents
        else:
            utilities = learner.critic(obs, joint)[0].squeeze(3)  # (B, T, N)
            if learner.mixer is None:
                value = utilities[:, :, i : i + 1]
            else:
                value = learner.mixer(utilities, states)
        return (value * mask).sum() / mask.sum()

    theta_reset = [p.detach().clone() for p in params]
    omega_reset = copy.deepcopy(optimiser.state_dict())
    others = act().detach()
    for level in range(1, K + 1):
        total = [torch.zeros_like(p) for p in params]
        for i in range(args.n_agents):
            joint = others.clone()
            joint[:, :, i] = act()[:, :, i]
            gradients = torch.autograd.grad(-objective(i, joint), params)
            total = [a + g for a, g in zip(total, gradients, strict=True)]
        for param, gradient in zip(params, total, strict=True):
            param.grad = gradient
        torch.nn.utils.clip_grad_norm_(params, args.grad_norm_clip)
        optimiser.step()
        if level < K:
            others = act().detach()
            with torch.no_grad():
                for param, start in zip(params, theta_reset, strict=True):
                    param.copy_(start)
            optimiser.load_state_dict(copy.deepcopy(omega_reset))
    return flat(params)


def relative_error(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize(
    ("mixer", "share", "continuous", "optimizer"),
    every_pair([*MIXERS, "maddpg"], [True, False], [False, True], ["rmsprop", "adam"]),
)
def test_levels_equal_the_naive_recursion(
    mixer: str | None, share: bool, continuous: bool, optimizer: str
) -> None:
    settings: dict[str, Any] = {
        "actor_optimizer": optimizer,
        "share_parameters": share,
        "mixer": None if mixer == "maddpg" else mixer,
        "grad_norm_clip": 0.01,  # bites at every level
    }
    name = "kmaddpg_learner" if mixer == "maddpg" else "kfacmac_learner"
    for K in (1, 2, 3):
        fast = learner_of(name, continuous, k_level=K, **settings)
        naive = learner_of(name, continuous, k_level=K, **settings)
        batch = batch_of(fast.args)
        for update in range(2):  # the first from no optimiser state, the second from some
            before = actors(fast)
            improve(fast, batch, seed=update)
            expected = naive_update(naive, batch, K, seed=update)
            assert relative_error(actors(fast) - before, expected - before) < 1e-10


def test_other_levels_are_really_others() -> None:
    """Else the test above would compare a thing with itself."""
    ends = []
    for K in (1, 2, 3):
        learner = learner_of("kmaddpg_learner", k_level=K)
        improve(learner, batch_of(learner.args))
        ends.append(actors(learner))

    assert (ends[0] - ends[1]).norm() > 1e-3
    assert (ends[1] - ends[2]).norm() > 1e-5


# ---------------------------------------------------------------- level 1 is the base algorithm


@pytest.mark.parametrize("base", ["facmac_learner", "maddpg_learner"])
@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("noise", ["shared", "fresh"])
def test_one_level_is_the_base_learner_bit_for_bit(
    base: str, continuous: bool, share: bool, noise: str
) -> None:
    settings: dict[str, Any] = {
        "mixer": "qmix",
        "share_parameters": share,
        "k_level": 1,
        "k_noise": noise,
        "optimizer": "adam",
        "actor_optimizer": "rmsprop",
        "target_update_interval": 3,
        "td_lambda": 0.8,
    }
    learners = [learner_of(name, continuous, **settings) for name in (base, "k" + base)]
    states = []
    for learner in learners:
        torch.manual_seed(5)
        for update in range(8):
            learner.train(batch_of(learner.args, seed=update % 4), t_env=update, episode_num=update)
        pairs = learner.networks_and_targets()
        states.append(
            [
                actors(learner),
                *[flat(net.parameters()) for pair in pairs for net in pair],
                torch.get_rng_state(),
                *[
                    value
                    for optimiser in (learner.agent_optimiser, learner.critic_optimiser)
                    for entry in optimiser.state_dict()["state"].values()
                    for value in entry.values()
                ],
            ]
        )

    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))


# ---------------------------------------------------------------- where K cannot matter


def ends_by_level(levels: tuple[int, ...], **settings: Any) -> list[Tensor]:
    ends = []
    for K in levels:
        learner = learner_of("kfacmac_learner", k_level=K, **settings)
        for update in range(3):
            improve(learner, batch_of(learner.args, seed=update), seed=update)
        ends.append(actors(learner))
    return ends


@pytest.mark.parametrize("k_opt_state", ["rollback", "per_level"])
@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("mixer", ["vdn", "vdn-s", None])
def test_additive_critics_make_all_levels_equal_bit_for_bit(
    mixer: str | None, continuous: bool, k_opt_state: str
) -> None:
    settings = {"mixer": mixer, "continuous": continuous, "k_opt_state": k_opt_state}
    first, *others = ends_by_level((1, 2, 3, 5), **settings)

    assert all(torch.equal(first, other) for other in others)


@pytest.mark.parametrize("mixer", ["qmix", "qmix-nonmonotonic"])
def test_one_agent_makes_all_levels_equal_bit_for_bit(mixer: str) -> None:
    first, *others = ends_by_level((1, 2, 4), mixer=mixer, n_agents=1)

    assert all(torch.equal(first, other) for other in others)


# ---------------------------------------------------------------- optimiser semantics


@pytest.mark.parametrize("K", [2, 3, 4])
@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
def test_the_optimiser_ends_as_after_one_step_with_the_last_gradient(
    K: int, optimizer: str
) -> None:
    settings = {"mixer": "qmix", "actor_optimizer": optimizer, "k_level": K}
    learner = learner_of("kfacmac_learner", **settings)
    for update in range(3):  # the first from no state at all
        start = copy.deepcopy(learner)
        improve(learner, batch_of(learner.args, seed=update), seed=update)
        for fresh, param in zip(start.agent_params, learner.agent_params, strict=True):
            fresh.grad = param.grad.clone()  # of level K, clipped
        start.agent_optimiser.step()

        assert torch.equal(actors(start), actors(learner))
        ours, expected = (x.agent_optimiser.state_dict()["state"] for x in (learner, start))
        assert ours.keys() == expected.keys()
        for index, entry in expected.items():
            for key, value in entry.items():
                assert torch.equal(ours[index][key], value)


def manual_levels(learner: Any, batch: EpisodeBatch, K: int, carried: bool) -> Tensor:
    """Theta(K) with RMSProp written out; `carried` or one state per level, from zero."""
    args, T = learner.args, batch.max_seq_length - 1
    policy = copy.deepcopy(learner.policy)
    params = list(policy.parameters())
    start = [p.detach().clone() for p in params]
    minibatch = Minibatch(batch)
    steps, avail = minibatch.steps, minibatch.now.avail
    outputs = steps.take(all_at_once(policy, batch, T))
    noise = learner.head.noise(outputs)
    own = learner.head.relaxed(outputs, avail, noise)
    objective = learner.objective(minibatch, own)
    squares = [torch.zeros_like(p) for p in params]
    others = own.detach()
    for level in range(1, K + 1):
        gradients = torch.autograd.grad(objective.against(others), params, retain_graph=True)
        if not carried:
            squares = [torch.zeros_like(p) for p in params]
        squares = [
            args.optim_alpha * s + (1 - args.optim_alpha) * g * g
            for s, g in zip(squares, gradients, strict=True)
        ]
        ends = [
            p - args.lr * g / (s.sqrt() + args.optim_eps)
            for p, g, s in zip(start, gradients, squares, strict=True)
        ]
        if level < K:
            ahead = copy.deepcopy(policy)
            for param, end in zip(ahead.parameters(), ends, strict=True):
                param.data = end
            with torch.no_grad():
                outputs = steps.take(all_at_once(ahead, batch, T))
                others = learner.head.relaxed(outputs, avail, noise)
    return flat(ends)


@pytest.mark.parametrize("k_opt_state", ["carry", "per_level"])
def test_states_are_carried_or_kept_for_each_level(k_opt_state: str) -> None:
    learner = learner_of("kmaddpg_learner", k_level=3, k_opt_state=k_opt_state)
    batch = batch_of(learner.args)
    torch.manual_seed(0)
    expected = manual_levels(learner, batch, K=3, carried=k_opt_state == "carry")

    improve(learner, batch)

    torch.testing.assert_close(actors(learner), expected, rtol=1e-10, atol=1e-12)


def test_each_level_keeps_a_state_of_its_own_gradients() -> None:
    learner = learner_of("kmaddpg_learner", k_level=3, k_opt_state="per_level")
    batch = batch_of(learner.args)
    for update in range(2):
        improve(learner, batch, seed=update)
    steps = [
        int(next(iter(optimiser.state.values()))["step"])
        for optimiser in learner.levels.shadow_optimisers
    ]

    assert steps == [2, 2]


def test_a_level_that_opens_late_starts_from_the_real_state() -> None:
    """An empty state would make its first step ten times too long."""
    schedule = [[0, 1], [100, 2]]
    ahead = []
    for k_opt_state in ("per_level", "rollback"):
        learner = learner_of("kmaddpg_learner", k_level=schedule, k_opt_state=k_opt_state)
        batch = batch_of(learner.args)
        improve(learner, batch)
        improve(learner, batch, seed=1, t_env=100)
        ahead.append(flat(learner.levels.shadow_params))

    assert torch.equal(*ahead)


def test_per_level_states_survive_a_checkpoint() -> None:
    settings = {"k_level": 3, "k_opt_state": "per_level"}
    learner = learner_of("kmaddpg_learner", **settings)
    batch = batch_of(learner.args)
    improve(learner, batch)
    resumed = learner_of("kmaddpg_learner", seed=9, **settings)
    for name in ("mac", "critic", "agent_optimiser", "levels"):
        source, target = getattr(learner, name), getattr(resumed, name)
        if name == "mac":
            target.load_state(source)
        else:
            target.load_state_dict(copy.deepcopy(source.state_dict()))
    improve(learner, batch, seed=1)
    improve(resumed, batch, seed=1)

    assert torch.equal(actors(learner), actors(resumed))


def test_levels_leave_everything_else_alone() -> None:
    learner = learner_of("kfacmac_learner", mixer="qmix", k_level=4)
    batch = batch_of(learner.args)
    watched = [learner.critic, learner.mixer, learner.target_critic, learner.target_mixer]
    before = [flat(network.parameters()).clone() for network in watched]
    torch.manual_seed(0)
    outputs = all_at_once(learner.policy, batch, batch.max_seq_length - 1)
    learner.head.noise(Minibatch(batch).steps.take(outputs))
    expected_stream = torch.get_rng_state()

    improve(learner, batch, seed=0)

    assert torch.equal(torch.get_rng_state(), expected_stream)  # one draw, as the base algorithm
    for network, values in zip(watched, before, strict=True):
        assert torch.equal(flat(network.parameters()), values)
        assert all(param.grad is None for param in network.parameters())


# ---------------------------------------------------------------- the other settings


def test_no_look_ahead_is_level_one() -> None:
    """With a scale of 0 the others are expected to stay, so level 2 repeats level 1."""
    still = learner_of("kmaddpg_learner", k_level=2, k_lookahead_scale=0.0)
    base = learner_of("kmaddpg_learner", k_level=1)
    for learner in (still, base):
        improve(learner, batch_of(learner.args))

    torch.testing.assert_close(actors(still), actors(base), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("setting", "value"), [("k_noise", "fresh"), ("k_level_action", "soft")])
def test_what_the_others_are_taken_to_do_is_as_the_settings_say(
    setting: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a scale of 0 the others stay where they are, so only the drawing can differ."""
    learner = learner_of("kmaddpg_learner", k_level=2, k_lookahead_scale=0.0, **{setting: value})
    batch, answers = batch_of(learner.args), []
    against = JointObjective.against

    def spy(objective: JointObjective, others: Tensor) -> Tensor:
        answers.append((objective.own.detach(), others))
        return against(objective, others)

    monkeypatch.setattr(JointObjective, "against", spy)
    steps, avail = Minibatch(batch).steps, Minibatch(batch).now.avail
    outputs = steps.take(all_at_once(learner.policy, batch)).detach()
    improve(learner, batch, seed=0)
    ((own, others),) = answers

    torch.manual_seed(0)
    draws = [learner.head.noise(outputs) for _ in range(2)]
    soft = value == "soft"
    draw = draws[0] if soft else draws[1]
    torch.testing.assert_close(own, learner.head.relaxed(outputs, avail, draws[0]))
    torch.testing.assert_close(others, learner.head.relaxed(outputs, avail, draw, hard=not soft))
    assert (others != own).any()


@pytest.mark.parametrize("clipped", [True, False])
def test_the_others_are_expected_where_a_scaled_step_leads(clipped: bool) -> None:
    """SGD's steps are as long as the gradient, so both settings show in the shadow's place."""
    learner = learner_of(
        "kmaddpg_learner",
        k_level=2,
        grad_norm_clip=1e-4,
        k_lookahead_scale=0.5,
        k_clip_each_level=clipped,
    )
    sgd = functools.partial(torch.optim.SGD, lr=0.1)
    learner.levels.optimiser = learner.agent_optimiser = sgd(learner.agent_params)
    learner.levels.shadow_optimisers = [sgd(learner.levels.shadow_params)]
    start = actors(learner)
    found = improve(learner, batch_of(learner.args)).diagnostics

    length = 1e-4 if clipped else float(found["k/grad_norm_1"])
    ahead = flat(learner.levels.shadow_params) - start
    assert float(ahead.norm()) == pytest.approx(0.5 * 0.1 * length, rel=1e-4)
    assert found["k/grad_norm_1"] > 1e-3  # longer than the clip, so that it bites
    assert ("k/contraction" in found) is clipped  # else steps cannot be compared


def test_replayed_others_are_maddpg_s_at_level_one() -> None:
    """With `replay` the gradient is that of Q(s, own_i, replayed others)."""
    learner = learner_of("maddpg_learner", k_maddpg_level0="replay")
    batch = batch_of(learner.args)
    T = batch.max_seq_length - 1
    minibatch = Minibatch(batch)
    mask, steps = minibatch.valid, minibatch.steps
    torch.manual_seed(0)
    outputs = all_at_once(learner.policy, batch, T)
    noise = steps.put(learner.head.noise(steps.take(outputs)))
    own = learner.head.relaxed(outputs, batch["avail_actions"][:, :T], noise)
    replayed = learner.head.vector(batch["actions"][:, :T])
    loss: Any = 0.0
    for i in range(learner.args.n_agents):
        joint = replayed.clone()
        joint[:, :, i] = own[:, :, i]
        value = learner.critic(batch["state"][:, :T], joint)[0]
        loss = loss - (value * mask).sum() / mask.sum() / learner.args.n_agents
    expected = flat(torch.autograd.grad(loss, learner.agent_params))

    improve(learner, batch)

    torch.testing.assert_close(flat([p.grad for p in learner.agent_params]), expected)


@pytest.mark.parametrize("mixer", ["qmix", "qmix-nonmonotonic"])
def test_agents_of_a_mixed_critic_may_be_renamed(mixer: str) -> None:
    """The mixer knows agents by the place of their weights: those are permuted too."""
    settings = {"obs_agent_id": False, "k_level": 3, "mixer": mixer, "hypernet_layers": 1}
    order = [2, 0, 1]
    plain = learner_of("kfacmac_learner", continuous=True, **settings)
    renamed = learner_of("kfacmac_learner", continuous=True, **settings)
    N, E = plain.args.n_agents, plain.args.mixing_embed_dim
    with torch.no_grad():
        for values in renamed.mixer.hyper_w_1.parameters():  # (N * E, ...)
            values.copy_(values.reshape(N, E, *values.shape[1:])[order].flatten(0, 1))
    batch, permuted = batch_of(plain.args), batch_of(plain.args)
    for key in ("obs", "actions", "avail_actions"):
        permuted.data.transition_data[key] = batch[key][:, :, order]
    before = actors(plain)
    improve(plain, batch)
    improve(renamed, permuted)

    torch.testing.assert_close(actors(plain), actors(renamed), rtol=1e-9, atol=1e-12)
    assert not torch.equal(actors(plain), before)


def test_agents_may_be_renamed() -> None:
    """Without ids and with one network for all, permuted agents give the same update."""
    settings = {"obs_agent_id": False, "k_level": 3, "mixer": None}
    order = [2, 0, 1]
    plain = learner_of("kmaddpg_learner", continuous=True, **settings)
    renamed = learner_of("kmaddpg_learner", continuous=True, **settings)
    N, A = plain.args.n_agents, plain.args.n_actions
    with torch.no_grad():  # the critic knows agents by their place
        weight = renamed.critic.fc1.weight
        of_actions = weight[:, -N * A :].reshape(-1, N, A)[:, order]
        weight[:, -N * A :] = of_actions.reshape(-1, N * A)
    batch, permuted = batch_of(plain.args), batch_of(plain.args)
    for key in ("obs", "actions", "avail_actions"):
        permuted.data.transition_data[key] = batch[key][:, :, order]
    improve(plain, batch)
    improve(renamed, permuted)

    torch.testing.assert_close(actors(plain), actors(renamed), rtol=1e-9, atol=1e-12)


def test_levels_follow_a_schedule() -> None:
    schedule = LevelSchedule([[0, 2], [100, 3], [500, 1]])

    assert [schedule.at(t) for t in (0, 99, 100, 499, 500, 10**9)] == [2, 2, 3, 3, 1, 1]
    assert schedule.highest == 3
    assert LevelSchedule(4).at(10) == 4


@pytest.mark.parametrize(
    "wrong", [0, -1, 1001, [], [[5, 2]], [[0, 2], [0, 3]], [[0, 0]], [[0]], [2, 3], [[0, 1.5]]]
)
def test_wrong_levels_are_refused(wrong: Any) -> None:
    with pytest.raises(UserError, match=r"k_level=.*\[\[0,2\],\[500000,1\]\]"):
        LevelSchedule(wrong)


def test_diagnostics_say_what_the_levels_did() -> None:
    learner = learner_of("kmaddpg_learner", k_level=3)
    start = actors(learner)
    found = improve(learner, batch_of(learner.args)).diagnostics

    assert found["k/level"] == 3
    assert -1 <= found["k/cosine"] <= 1
    assert 0 <= found["k/changed"] <= 1
    assert found["k/seconds"] > 0
    moved = float((actors(learner) - start).norm())
    steps = [float(found[f"k/step_{level}"]) for level in (1, 2, 3)]
    assert abs(steps[0] - steps[1] - steps[2]) <= moved <= sum(steps)
    assert found["k/contraction"] == pytest.approx(steps[2] / steps[1])


def test_the_cosine_is_of_whole_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps shorten gradients in place, but for those that lie transposed in memory."""
    found = []
    for transposed in (False, True):
        learner = learner_of("kmaddpg_learner", k_level=2, grad_norm_clip=1e-3)
        if transposed:
            monkeypatch.setattr(torch.autograd, "grad", gradients_of_which_one_is_transposed)
        found.append(improve(learner, batch_of(learner.args)).diagnostics["k/cosine"])

    torch.testing.assert_close(*found, rtol=1e-12, atol=0)


gradients_of = torch.autograd.grad


def gradients_of_which_one_is_transposed(of: Any, params: Any, **options: Any) -> list[Tensor]:
    first, *others = gradients_of(of, params, **options)
    return [first.t().contiguous().t(), *others] if others else [first]


def test_negative_units_are_counted_over_real_steps() -> None:
    learner = learner_of("kfacmac_learner", mixer="qmix")
    with torch.no_grad():
        learner.mixer.hyper_b_1.weight.zero_()
        learner.mixer.hyper_b_1.bias.copy_(torch.tensor([1e6, -1e6, -1e6, -1e6]).repeat(8))
    found = improve(learner, batch_of(learner.args)).diagnostics

    assert found["k/negative_units"] == pytest.approx(0.75)
