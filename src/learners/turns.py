"""Agents that learn in turns, each answering what those before it have become (Kuba et al. 2022).

A round is one sweep. Agent i's steps have the weight

    M = prod over j that had their turn of pi_j(now) / pi_j(when acting)

so that its gain is the team's, over that of the policies which those before it have reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from components.experience import Experience, cut, mean_over
from components.minibatch import View
from components.scheme import Scheme
from controllers.contract import MAC
from learners.contract import Statistics
from learners.mappo_learner import MAPPOLearner, of_update
from learners.objective import ActorStep
from learners.orders import ORDERS
from learners.round import Round, unrolled_steps
from learners.surrogate import OTHERS_LIMIT, Form, Surrogate
from policies.one_agent import OneAgent
from utils.errors import UserError
from utils.logging import Logger
from utils.needs import Given


def separate_networks(learner: type, given: Given) -> None:
    """A step with shared parameters moves everybody, so that no weight would describe anybody."""
    if given["share_parameters"] and given.settings.get("n_agents") != 1:
        raise UserError(
            f"learner={given['learner']} lets agents learn one after the other, and with "
            "share_parameters=True all would change in each turn. Add: share_parameters=False"
        )


class Turn(NamedTuple):
    """Whose turn it is."""

    agent: int
    place: int  # from 1
    total: int  # turns in this round


class SequentialLearner(MAPPOLearner):
    """A round is one sweep: each agent takes all its epochs, then the next one does.

    The critic learns beside the first agent, from the same minibatches. Agents that have no choice
    in the whole round have no turn. Subclasses say how a weight and a ratio become a gain.
    """

    needs = MAPPOLearner.needs.also(
        demands=(separate_networks,), uses={"turn_order", "others_clip"}
    )
    in_turns = True  # parameters that are nobody's own would never move

    def __init__(self, mac: MAC, scheme: Scheme, logger: Logger, args: SimpleNamespace) -> None:
        super().__init__(mac, scheme, logger, args)
        self.agents = [OneAgent(self.policy, i) for i in range(args.n_agents)]
        self.own_params = self.params_by_agent()

    def params_by_agent(self) -> list[list[nn.Parameter]]:
        """What moves in each agent's turn."""
        N, networks = self.args.n_agents, self.policy.agent
        if N == 1:
            return [self.agent_params]
        apart = hasattr(networks, "parameters_of")
        found = [networks.parameters_of(i) for i in range(N)] if apart else []
        if sum(map(len, found)) != len(self.agent_params):
            raise UserError(
                f"learner={self.args.learner} lets agents learn one after the other, and of the "
                f"networks of mac={self.args.mac} it is not known what belongs to whom: their "
                "method `parameters_of` says so. Type mac=basic_mac share_parameters=False"
            )
        return found

    def learn(self, episodes: Round, t_env: int, diagnose: bool) -> Statistics:
        rows, now = self.in_rows(episodes), episodes.log_probs.clone()  # (B, T, N)
        found: list[Statistics] = []
        turns = self.turns(episodes)
        for turn in turns:
            moved = self.moved(episodes, now)
            played = self.in_turn(self.credit(rows, episodes, moved), turn, moved)
            found.append(self.take_turn(turn, played, diagnose))
            self.agent_optimiser.zero_grad()  # nobody moves in the turns of others
            if diagnose or turn.place < turn.total:  # nobody answers the last one
                now[..., turn.agent] = self.log_probs_of(turn.agent, episodes)
        return of_sweep(turns, found, self.moved(episodes, now), episodes) if diagnose else {}

    # Hooks

    @staticmethod
    def gain(ratio: Tensor, others: Tensor, advantages: Tensor, clip: float) -> Tensor:
        """What the agent's steps are worth to it: see `learners.surrogate.FORMS`. (R, L, 1)"""
        raise NotImplementedError

    def form(self, turn: Turn, outputs: Tensor, played: Experience) -> Form:
        """How a weight and a ratio become a gain, where that depends on the agent's outputs."""
        return self.gain

    def credit(self, rows: Experience, episodes: Round, moved: Tensor) -> Experience:
        """The rows, with what actions are worth when the team's log-ratio is `moved` (B, T, 1)."""
        return rows

    def critic_learns(self, turn: Turn) -> bool:
        """Whether its targets are new in this turn."""
        return turn.place == 1

    def clip(self, turn: Turn) -> float:
        """How far from 1 the agent's ratio still pays."""
        clip: float = self.args.eps_clip
        return clip

    # A turn

    def turns(self, episodes: Round) -> list[Turn]:
        """In this round. There is always one, for the critic learns in it."""
        decides = episodes.deciding.flatten(0, 1).any(dim=0).tolist()  # (N,)
        order = ORDERS[self.args.turn_order](episodes) if len(decides) > 1 else [0]
        order = [i for i in order if decides[i]] or order[:1]
        return [Turn(i, place, len(order)) for place, i in enumerate(order, start=1)]

    def moved(self, episodes: Round, now: Tensor) -> Tensor:
        """The logarithm of the team's ratio: exactly 0 before the first turn. (B, T, 1)"""
        return (now - episodes.log_probs).sum(dim=-1, keepdim=True)

    def weight(self, moved: Tensor) -> Tensor:
        """M of those that had their turn."""
        weight, clip = moved.clamp(-OTHERS_LIMIT, OTHERS_LIMIT).exp(), self.args.others_clip
        return weight if clip is None else weight.clamp(1 - clip, 1 + clip)

    def in_turn(self, rows: Experience, turn: Turn, moved: Tensor) -> Experience:
        """What the agent learns from, and the critic if it does."""
        view = self.agents[turn.agent].view(View(rows.inputs, rows.memory))
        assert view.start is not None
        own = rows.of_agent(turn.agent)._replace(
            inputs=view.inputs,
            memory=view.start,
            weight=cut(self.weight(moved), rows.inputs.shape[1]),
        )
        return (own if self.critic_learns(turn) else own.for_actors()).without_padding()

    def take_turn(self, turn: Turn, played: Experience, diagnose: bool) -> Statistics:
        """All its epochs."""
        return self.in_epochs(played, self.improving(turn), diagnose)

    def improving(self, turn: Turn) -> Callable[[Experience, bool], Statistics]:
        """One step of the critic, if it learns in this turn, and one of the agent."""

        def improve(played: Experience, diagnose: bool) -> Statistics:
            of_critic = self.improve_critic(played) if self.critic_learns(turn) else {}
            return {**of_critic, **self.improve_agent(turn, played, diagnose)}

        return improve

    def improve_agent(self, turn: Turn, played: Experience, diagnose: bool) -> Statistics:
        """One step up the agent's surrogate."""
        agent, clip = self.agents[turn.agent], self.clip(turn)
        view = View(played.inputs, played.memory, played.running)
        own, outputs = agent.evaluate(view, played.avail, played.actions)  # (R, L, 1)
        entropy = agent.head.entropy(outputs, played.avail)
        form = self.form(turn, outputs, played)
        surrogate = TurnSurrogate(own, entropy, played, self.args, form, clip)
        loss = surrogate.base()
        norm = self.step(loss, self.agent_optimiser, self.own_params[turn.agent])
        step = ActorStep(loss.detach(), norm)
        return of_update(step, surrogate.ratio, entropy, played, clip) if diagnose else {}

    @torch.no_grad()
    def log_probs_of(self, i: int, episodes: Round) -> Tensor:
        """How probable agent i holds its stored actions now. (B, T)"""
        return self.evaluated(i, episodes)

    def evaluated(self, i: int, episodes: Round) -> Tensor:
        """The same, differentiable."""
        agent, own = self.agents[i], slice(i, i + 1)
        outputs, _ = unrolled_steps(agent, agent.view(episodes.view), episodes.rewards.mask)
        avail, actions = episodes.avail[:, :, own], episodes.actions[:, :, own]
        return agent.head.log_prob(outputs, avail, actions).squeeze(-1)


class TurnSurrogate(Surrogate):
    """J_i of one agent, the others being what they have become."""

    def __init__(
        self,
        own: Tensor,
        entropy: Tensor,
        played: Experience,
        args: SimpleNamespace,
        form: Form,
        clip: float,
    ) -> None:
        super().__init__(own, entropy, played, args)
        assert played.weight is not None
        self._gain = form(self.ratio, played.weight, played.advantages, clip)

    @property
    def gains(self) -> Tensor:
        """What each step is worth, whose mean is J_i. (R, L, 1)"""
        return self._gain + self._bonus

    def base(self) -> Tensor:
        return self._loss(self._gain)


@torch.no_grad()
def of_sweep(
    turns: Sequence[Turn], found: Sequence[Statistics], moved: Tensor, episodes: Round
) -> Statistics:
    """The turns' means, what differs by place, and how far the team has come."""
    means: dict[str, Tensor | float] = {}
    for key in {key: None for each in found for key in each}:
        each = [noted[key] for noted in found if key in noted]
        means[key] = sum(each) / len(each)
    for turn, noted in zip(turns, found, strict=True):
        means[f"turns/agent_{turn.place}"] = float(turn.agent)
        for key in ("approx_kl", "clip_fraction"):
            means[f"turns/{key}_{turn.place}"] = noted[key]
    ratio, valid = moved.clamp(-OTHERS_LIMIT, OTHERS_LIMIT).exp(), episodes.rewards.mask
    means["turns/team_ratio"] = mean_over((ratio - 1).abs(), valid)
    means["turns/team_kl"] = mean_over(ratio - 1 - ratio.log(), valid)
    return means
