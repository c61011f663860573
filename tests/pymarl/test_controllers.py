"""What a subclass of our controller overrides is acted and learned with, or refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from controllers import REGISTRY as CONTROLLERS
from controllers.basic_controller import BasicMAC
from controllers.cem_controller import CEMMAC
from modules.agents import REGISTRY as AGENTS
from modules.agents.rnn_agent import RNNAgent
from pymarl.policies import CALLED
from tests.make import T, continuous_args, make_batch, make_learner
from tests.runners.test_nonstop import session_of
from utils.errors import UserError

VALUES = {"agent_output_type": "q", "action_selector": "epsilon_greedy"}
REPLAY = {"action_selector": "gumbel", "buffer_size": 100, "batch_size": 4}
SETTINGS: dict[str, dict[str, Any]] = {
    "q_learner": {"mixer": "qmix", **VALUES},
    "qtran_learner": {"mixer": "qtran_base", **VALUES},
    "kfacmac_learner": {"mixer": "qmix", **REPLAY},
    "facmac_learner": {"mixer": "qmix", **REPLAY},
    "kmaddpg_learner": REPLAY,
    "maddpg_learner": REPLAY,
    "mappo_learner": {},
    "ippo_learner": {},
    "kmappo_learner": {},
    "coma_learner": {},
}
# What one update logs of the actors before it moves them.
TELLS = {
    **{"q_learner": "loss", "qtran_learner": "td_loss"},
    **dict.fromkeys(("facmac_learner", "kfacmac_learner"), "pg_loss"),
    **dict.fromkeys(("maddpg_learner", "kmaddpg_learner"), "pg_loss"),
    **dict.fromkeys(("mappo_learner", "ippo_learner", "kmappo_learner", "coma_learner"), "entropy"),
}
ONCE = {
    **{"mac": "own", "env": "climbing", "env_args": {"episode_limit": 6}, "epochs": 1},
    **{"epsilon_start": 0.0, "epsilon_finish": 0.0, "test_greedy": True, "evaluation_epsilon": 0.0},
}


class Upside(BasicMAC):
    """Values and probabilities the other way round: the last action has what the first one had."""

    def forward(self, ep_batch: Any, t: int, test_mode: bool = False) -> Tensor:
        return super().forward(ep_batch, t, test_mode).flip(-1)


class Squinting(BasicMAC):
    """Sees half."""

    def _build_inputs(self, batch: Any, t: int) -> Tensor:
        return super()._build_inputs(batch, t) / 2


class Remembering(BasicMAC):
    """Begins with a memory."""

    def init_hidden(self, batch_size: int) -> None:
        super().init_hidden(batch_size)
        self.hidden_states = self.hidden_states + 1


class Stubborn(BasicMAC):
    """Does one thing."""

    def select_actions(self, *given: Any, **named: Any) -> Tensor:
        actions = super().select_actions(*given, **named)
        return torch.full(actions.shape[:2], 2)


class Earlier(BasicMAC):
    """Written for an earlier version of this one."""

    def build_all_inputs(self, batch: Any, T: int) -> Tensor:
        raise NotImplementedError


class Twice(BasicMAC):
    """Is given what it sees a second time, and says how wide that is, as PyMARL's would."""

    def _build_inputs(self, batch: Any, t: int) -> Tensor:
        seen = batch["obs"][:, t].flatten(0, 1)
        return torch.cat([super()._build_inputs(batch, t), seen], dim=1)

    def _get_input_shape(self, scheme: Any) -> int:
        return super()._get_input_shape(scheme) + scheme["obs"]["vshape"]


class Halving(BasicMAC):
    """Builds its networks itself."""

    def _build_agents(self, input_shape: int) -> None:
        self.agent = HalvingAgent(input_shape, self.args)


class HalvingAgent(RNNAgent):
    def forward(self, inputs: Any, hidden_state: Any) -> Any:
        return super().forward(inputs / 2, hidden_state)


class RememberingAgent(RNNAgent):
    def init_hidden(self) -> Tensor:
        return super().init_hidden() + 1


def flipped(agent: Any) -> None:
    agent.fc2.weight.data, agent.fc2.bias.data = (
        each.data.flip(0) for each in agent.fc2.parameters()
    )


def halved(agent: Any) -> None:
    agent.fc1.weight.data /= 2


def drawn(extra: int = 0, weight: float = 0.0) -> Callable[[Any], None]:
    """The same weights whatever a network's width, and `weight` for its `extra` last inputs."""

    def alter(agent: Any) -> None:
        random = torch.Generator().manual_seed(3)
        first = agent.fc1.weight.data
        first[:, first.shape[1] - extra :] = weight
        narrow = first[:, : first.shape[1] - extra]
        for param in (narrow, *(each.data for each in list(agent.parameters())[1:])):
            param.copy_(torch.randn(param.shape, generator=random))

    return alter


def as_it_is(agent: Any) -> None:
    pass


Outcome = tuple[Tensor, float]


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Actions of greedy test episodes, and what the first update from a fixed batch tells."""

    def play_and_learn(
        mac: type, learner: str, alter: Callable[[Any], None] = as_it_is, **more: Any
    ) -> Outcome:
        monkeypatch.setitem(CONTROLLERS, "own", mac)
        session = session_of("episode", **{**ONCE, **SETTINGS[learner], **more}, learner=learner)
        agent, seen = session.mac.agent, {}
        with torch.no_grad():
            for param in agent.parameters():
                param.mul_(3)  # so that actions differ
            alter(agent)
        session.learner.target_policy.agent.load_state_dict(agent.state_dict())
        draw_judges(session.learner)
        actions = session.runner.run(test_mode=True)["actions"]
        session.runner.close_env()
        session.logger.log_stat = lambda key, value, t_env: seen.update({key: value})  # type: ignore[method-assign]
        torch.manual_seed(5)
        session.learner.train(full_batch(session.args), 0, 0)
        return actions, seen[TELLS[learner]]

    return play_and_learn


def draw_judges(learner: Any) -> None:
    """Critics and mixers of the same weights, however many random numbers were drawn before."""
    for name in ("critic", "mixer"):
        network = getattr(learner, name, None)
        if network is not None:
            random = torch.Generator().manual_seed(7)
            for param in network.parameters():
                param.data = torch.randn(param.shape, generator=random) / 4
            getattr(learner, f"target_{name}").load_state_dict(network.state_dict())


def full_batch(args: Any) -> EpisodeBatch:
    batch = make_batch(args, lengths=(T, 3, 1, T))
    batch["avail_actions"][:] = 1
    return batch


# ---------------------------------------------------------------- honoured


ALTERED = {
    "_build_inputs": (Squinting, {"alter": halved}),
    "init_hidden": (Remembering, {"agent": "remembering"}),
    "forward": (Upside, {"alter": flipped}),
}
ASK_FORWARD = ("q_learner", "qtran_learner", "coma_learner")
HONOURED = [
    *itertools.product(("_build_inputs", "init_hidden"), SETTINGS),
    *itertools.product(["forward"], ASK_FORWARD),
]


@pytest.mark.parametrize(("method", "learner"), HONOURED)
def test_an_override_acts_and_learns_as_networks_would_that_do_the_same(
    method: str, learner: str, outcome: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(AGENTS, "remembering", RememberingAgent)  # type: ignore[arg-type]
    mac, same = ALTERED[method]
    actions, told = outcome(mac, learner)
    expected_actions, expected = outcome(BasicMAC, learner, **same)
    plain_actions, plain = outcome(BasicMAC, learner)

    assert torch.equal(actions, expected_actions)
    assert told == pytest.approx(expected, rel=1e-4)
    assert not torch.equal(plain_actions, expected_actions) or method == "_build_inputs"
    assert plain != pytest.approx(expected, rel=1e-3) or told_alike(method, learner)


def told_alike(method: str, learner: str) -> bool:
    """Entropies do not change when actions are named the other way round."""
    return (method, learner) == ("forward", "coma_learner")


@pytest.mark.parametrize("learner", SETTINGS)
def test_select_actions_is_acted_with_and_changes_nothing_in_learning(
    learner: str, outcome: Callable[..., Outcome]
) -> None:
    """As in PyMARL, whose learners do not ask it either."""
    actions, told = outcome(Stubborn, learner)
    plain_actions, plain = outcome(BasicMAC, learner)

    assert (actions[:, :-1] == 2).all()
    assert not torch.equal(actions, plain_actions)
    assert told == pytest.approx(plain, rel=1e-4)


@pytest.mark.parametrize("learner", SETTINGS)
def test_networks_that_a_subclass_builds_are_acted_and_learned_with(
    learner: str, outcome: Callable[..., Outcome]
) -> None:
    def drawn_and_halved(agent: Any) -> None:
        drawn()(agent)
        halved(agent)

    actions, told = outcome(Halving, learner, alter=drawn())
    expected_actions, expected = outcome(BasicMAC, learner, alter=drawn_and_halved)
    _, plain = outcome(BasicMAC, learner, alter=drawn())

    assert torch.equal(actions, expected_actions)
    assert told == pytest.approx(expected, rel=1e-4) != pytest.approx(plain, rel=1e-3)


@pytest.mark.parametrize("learner", SETTINGS)
def test_networks_are_as_wide_as_a_subclass_says(
    learner: str, outcome: Callable[..., Outcome]
) -> None:
    extra = 2  # the observations of `climbing`
    actions, told = outcome(Twice, learner, alter=drawn(extra))
    expected_actions, expected = outcome(BasicMAC, learner, alter=drawn())
    _, heard = outcome(Twice, learner, alter=drawn(extra, weight=1.0))

    assert torch.equal(actions, expected_actions)
    assert told == pytest.approx(expected, rel=1e-4) != pytest.approx(heard, rel=1e-3)


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    "learner", [name for name in SETTINGS if ("forward", name) not in HONOURED]
)
def test_a_forward_that_a_learner_would_not_ask_is_refused(
    learner: str, outcome: Callable[..., Outcome]
) -> None:
    """It gives probabilities, and these learn from what the networks say."""
    with pytest.raises(UserError, match=rf"mac=own has a `forward` of its own.*{learner}.*agent"):
        outcome(Upside, learner)


@pytest.mark.parametrize("learner", SETTINGS)
def test_what_nothing_calls_is_refused(learner: str, outcome: Callable[..., Outcome]) -> None:
    with pytest.raises(UserError, match=r"mac=own defines build_all_inputs.*Override _build"):
        outcome(Earlier, learner)


@pytest.mark.parametrize(
    "method", ["forward", "select_actions", "_build_inputs", "init_hidden", "build_all_inputs"]
)
def test_controllers_that_search_are_not_overridden(
    method: str, outcome: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their learner asks the policy itself."""
    monkeypatch.setitem(CONTROLLERS, "cem_mac", type("Own", (CEMMAC,), {method: None}))  # type: ignore[arg-type]

    told = "defines build_all_inputs" if method not in CALLED else f"has a `{method}` of its own"
    with pytest.raises(UserError, match=f"mac=cem_mac {told}"):
        make_learner(continuous_args(learner="cq_learner", mac="cem_mac", agent="cemrnn"))


def test_parts_of_episodes_need_a_controller_that_builds_no_inputs_of_its_own(
    outcome: Callable[..., Outcome],
) -> None:
    with pytest.raises(UserError, match="mac=own knows whole episodes only"):
        outcome(Squinting, "mappo_learner", rollout_length=5)


# ---------------------------------------------------------------- continuous actions


class Damped(BasicMAC):
    """Says less."""

    def forward(self, ep_batch: Any, t: int, test_mode: bool = False) -> Tensor:
        return super().forward(ep_batch, t, test_mode) / 2


def damped(agent: Any) -> None:
    for param in agent.fc2.parameters():
        param.data /= 2


MEET: dict[str, Any] = {
    **{"env": "meet_up", "env_args": {"episode_limit": 5}, "continuous": True},
    **{"action_selector": "gaussian"},
}


def test_forward_speaks_for_the_networks_of_continuous_policies(
    outcome: Callable[..., Outcome],
) -> None:
    """For there it gives raw outputs; on-policy learners, which cut rows, refuse it."""
    actions, told = outcome(Damped, "kfacmac_learner", **MEET)
    expected_actions, expected = outcome(BasicMAC, "kfacmac_learner", alter=damped, **MEET)
    _, plain = outcome(BasicMAC, "kfacmac_learner", **MEET)

    torch.testing.assert_close(actions, expected_actions)
    assert told == pytest.approx(expected, rel=1e-4) != pytest.approx(plain, rel=1e-3)
    with pytest.raises(UserError, match="has a `forward` of its own"):
        outcome(Damped, "mappo_learner", **{**MEET, "action_selector": "soft_policies"})
