from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from components.episode_buffer import EpisodeBatch
from learners import REGISTRY as LEARNERS
from tests.make import (
    N,
    T,
    all_at_once,
    continuous_args,
    full_scheme,
    make_args,
    make_batch,
    make_mac,
)
from tests.make import quiet_logger as no_logger
from utils.errors import UserError

ALGORITHMS: dict[str, dict[str, Any]] = {
    "iql": {"mixer": None},
    "vdn": {"mixer": "vdn"},
    "qmix": {"mixer": "qmix", "hypernet_layers": 2},
    "qmix-nonmonotonic": {"mixer": "qmix-nonmonotonic"},
    "vdn-s": {"mixer": "vdn-s"},
    "qtran": {"mixer": "qtran_base", "learner": "qtran_learner"},
}


def make_learner(seed: int = 0, **settings: Any) -> Any:
    args = make_args(**settings)
    mac = make_mac(args, seed)
    return LEARNERS[args.learner](mac, full_scheme(args), no_logger(), args)


def parameters(learner: Any) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1) for p in learner.params]).clone()


def naive_loss(learner: Any, batch: EpisodeBatch, args: SimpleNamespace) -> float:
    """The definition, one episode, one step, one agent at a time."""
    online = all_at_once(learner.policy, batch).detach()
    slow = all_at_once(learner.target_policy, batch).detach()
    total, count = 0.0, 0
    for b in range(batch.batch_size):
        for t in range(int(batch["filled"][b].sum()) - 1):
            taken, following = torch.zeros(N), torch.zeros(N)
            for i in range(N):
                taken[i] = online[b, t, i, batch["actions"][b, t, i, 0]]
                open_ = [a for a in range(args.n_actions) if batch["avail_actions"][b, t + 1, i, a]]
                judge = online if args.double_q else slow
                best = max(open_, key=lambda a: float(judge[b, t + 1, i, a]))
                following[i] = slow[b, t + 1, i, best]
            now, then = batch["state"][b, t], batch["state"][b, t + 1]
            mixed = taken if learner.mixer is None else _mix(learner.mixer, taken, now)
            later = (
                following if learner.mixer is None else _mix(learner.target_mixer, following, then)
            )
            going_on = 1 - float(batch["terminated"][b, t])
            target = batch["reward"][b, t] + args.gamma * going_on * later
            total += float((mixed - target).square().sum())
            count += mixed.numel()
    return total / count


def _mix(mixer: Any, qs: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    return mixer(qs.reshape(1, 1, -1), state.reshape(1, 1, -1)).detach().reshape(1)


@pytest.mark.parametrize("name", ["iql", "vdn", "qmix", "qmix-nonmonotonic", "vdn-s"])
@pytest.mark.parametrize("double_q", [True, False])
def test_the_loss_is_the_definition(name: str, double_q: bool) -> None:
    learner = make_learner(double_q=double_q, **ALGORITHMS[name])
    with torch.no_grad():  # else online and target networks would be the same
        for p in learner.params:
            p.add_(0.1 * torch.randn_like(p))
    batch = make_batch(learner.args)
    expected = naive_loss(learner, batch, learner.args)

    learner.train(batch, t_env=0, episode_num=0)

    assert learner.logger.latest("loss") == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_padding_changes_no_parameter(name: str) -> None:
    tight, loose = (make_learner(**ALGORITHMS[name]) for _ in range(2))
    for step in range(3):
        tight.train(make_batch(tight.args, seed=step), 0, step)
        loose.train(make_batch(loose.args, slots=T + 9, seed=step), 0, step)

    torch.testing.assert_close(parameters(tight), parameters(loose), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_what_lies_in_the_padding_does_not_matter(name: str) -> None:
    clean, dirty = (make_learner(**ALGORITHMS[name]) for _ in range(2))
    batch, littered = make_batch(clean.args), make_batch(clean.args)
    beyond = littered["filled"][:, :, 0] == 0
    for key in ("obs", "state", "reward"):
        littered[key][beyond] = 1e3
    clean.train(batch, 0, 0)
    dirty.train(littered, 0, 0)

    assert torch.equal(parameters(clean), parameters(dirty))


def test_one_agent_learns_alike_without_a_mixer_and_with_a_sum() -> None:
    learners = [make_learner(n_agents=1, **ALGORITHMS[other]) for other in ("iql", "vdn")]
    for learner in learners:
        for step in range(3):
            learner.train(make_batch(learner.args, seed=step), 0, step)

    assert torch.equal(parameters(learners[0]), parameters(learners[1]))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_repeated_updates_fit_a_fixed_batch(name: str) -> None:
    learner = make_learner(learner_log_interval=1, lr=0.005, **ALGORITHMS[name])
    batch = make_batch(learner.args)
    learner.train(batch, 0, 0)
    first = learner.logger.latest("loss")
    for step in range(1, 60):
        learner.train(batch, step * 10, 0)

    assert learner.logger.latest("loss") < 0.5 * first


def test_hard_targets_are_copied_every_so_many_episodes() -> None:
    learner = make_learner(mixer="qmix", target_update_interval=10)
    batch = make_batch(learner.args)

    def lag() -> float:
        pairs = learner.networks_and_targets()
        return sum(
            float((p - q).abs().sum().detach())
            for network, target in pairs
            for p, q in zip(network.parameters(), target.parameters(), strict=True)
        )

    lags = []
    for episode in (0, 9, 10, 11, 19, 20):
        learner.train(batch, 0, episode)
        lags.append(lag() == 0)

    assert lags == [False, False, True, False, False, True]


def test_soft_targets_go_part_of_the_way() -> None:
    learner = make_learner(mixer="vdn", target_update_mode="soft", target_update_tau=0.25)
    before = [p.clone() for p in learner.target_policy.parameters()]

    learner.train(make_batch(learner.args), 0, 0)

    moved = zip(before, learner.target_policy.parameters(), learner.mac.parameters(), strict=True)
    for old, new, online in moved:
        torch.testing.assert_close(new, old + 0.25 * (online - old))


def test_statistics_come_at_their_interval_under_pymarl_names() -> None:
    learner = make_learner(mixer="qmix", learner_log_interval=100)
    batch = make_batch(learner.args)
    for t_env in (0, 50, 99, 100, 150):
        learner.train(batch, t_env, 0)

    logged = learner.logger.stats
    assert set(logged) == {"loss", "grad_norm", "td_error_abs", "q_taken_mean", "target_mean"}
    assert [t for t, _ in logged["loss"]] == [0, 100]


def test_qtran_logs_pymarl_names() -> None:
    learner = make_learner(**ALGORITHMS["qtran"])
    learner.train(make_batch(learner.args), 0, 0)

    assert set(learner.logger.stats) == {
        "loss",
        "td_loss",
        "opt_loss",
        "nopt_loss",
        "grad_norm",
        "td_error_abs",
        "td_targets",
        "td_chosen_qs",
        "v_mean",
        "agent_indiv_qs",
    }


def test_qtran_holds_the_joint_value_fixed_in_its_side_conditions() -> None:
    """Without L_td only V and the utilities may move, never Q_jt."""
    learner = make_learner(**ALGORITHMS["qtran"])
    batch = make_batch(learner.args)
    joint_only = [*learner.mixer.Q.parameters(), *learner.mixer.encode.parameters()]
    learner.train(batch, 0, 0)
    with_td = [p.grad.clone() for p in joint_only]
    other = make_learner(opt_loss=50.0, nopt_min_loss=70.0, grad_norm_clip=1e9,
                         **ALGORITHMS["qtran"])  # fmt: skip
    plain = make_learner(opt_loss=0.0, nopt_min_loss=0.0, grad_norm_clip=1e9, **ALGORITHMS["qtran"])
    for each in (other, plain):
        each.train(batch, 0, 0)

    assert any(g.abs().sum() > 0 for g in with_td)
    for name in ("Q", "encode"):
        pairs = zip(
            getattr(other.mixer, name).parameters(),
            getattr(plain.mixer, name).parameters(),
            strict=True,
        )
        for one, two in pairs:
            torch.testing.assert_close(one.grad, two.grad)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_saved_models_load_into_another_learner(name: str, tmp_path: Path) -> None:
    first, second = make_learner(1, **ALGORITHMS[name]), make_learner(2, **ALGORITHMS[name])
    first.train(make_batch(first.args), 0, 0)
    first.save_models(str(tmp_path))
    second.load_models(str(tmp_path))

    assert torch.equal(parameters(first), parameters(second))
    has_mixer = ["mixer.th"] if first.mixer is not None else []
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["agent.th", "opt.th", *has_mixer])
    for network, target in second.networks_and_targets():
        assert network.state_dict().keys() == target.state_dict().keys()


def test_what_q_learning_cannot_do_is_said() -> None:
    args = continuous_args()
    mac, scheme = make_mac(args), full_scheme(args)
    with pytest.raises(UserError, match="discrete actions"):
        LEARNERS["q_learner"](mac, scheme, no_logger(), args)
    with pytest.raises(UserError, match="agent_output_type=q"):
        make_learner(agent_output_type="pi_logits", action_selector="multinomial")
    with pytest.raises(UserError, match="mixer=qtran_base"):
        make_learner(learner="qtran_learner", mixer="vdn")
