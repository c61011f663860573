"""BPPO: turns in which agents also learn from what their actions do to those who hear them."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import torch
from torch import Tensor

from components.experience import Experience, cut, mean_over
from components.scheme import Scheme
from controllers import REGISTRY as CONTROLLERS
from controllers.contract import MAC
from learners.contract import Statistics
from learners.round import Round
from learners.surrogate import Form, outside
from learners.turns import SequentialLearner, Turn
from policies.hearing import HearingPolicy
from utils.errors import UserError
from utils.logging import Logger
from utils.needs import Given


def agents_that_hear(learner: type, given: Given) -> None:
    """Where nobody hears an action, nobody's probabilities depend on it."""
    kind = CONTROLLERS[given["mac"]]
    if not (isinstance(kind, type) and issubclass(kind, HearingPolicy)):
        raise UserError(
            f"learner={given['learner']} asks how actions change the choices of those who hear "
            f"them, and agents of mac={given['mac']} hear nobody. Type mac=ordered_mac, or "
            "learner=happo_learner."
        )


class BPPOLearner(SequentialLearner):
    """Those who hear an agent learn before it (`turn_order: reverse`). From them it knows

        d_i = grad over a_i of the sum of log pi_j(a_j | .., a_i, ..) over those j that have learned

    and the peer term of its gain is d_i times its action as a function of its outputs.
    """

    needs = SequentialLearner.needs.also(demands=(agents_that_hear,), uses={"bppo_feedback"})
    gain = staticmethod(outside)
    policy: HearingPolicy

    def __init__(self, mac: MAC, scheme: Scheme, logger: Logger, args: SimpleNamespace) -> None:
        super().__init__(mac, scheme, logger, args)
        self._hears = self.policy.hears.any(dim=1).tolist()  # whether each agent hears anybody
        self._pull: Tensor | None = None  # d of all agents, from the turns so far (B, T, N, A)

    def learn(self, episodes: Round, t_env: int, diagnose: bool) -> Statistics:
        found = super().learn(episodes, t_env, diagnose)
        self._pull = None  # the next round begins anew
        return found

    def log_probs_of(self, i: int, episodes: Round) -> Tensor:
        """Once an agent has learned, what it hears pulls at those whom it hears."""
        if not self.args.bppo_feedback or not self._hears[i]:
            return super().log_probs_of(i, episodes)
        view, actions = self.policy.open_to_actions(episodes.view)
        log_probs = self.evaluated(i, episodes._replace(view=view))  # (B, T)
        real = episodes.rewards.mask.squeeze(-1) > 0
        (pull,) = torch.autograd.grad((log_probs * real).sum(), actions)
        self._pull = pull if self._pull is None else self._pull + pull
        return log_probs.detach()

    def credit(self, rows: Experience, episodes: Round, moved: Tensor) -> Experience:
        if self._pull is None:
            return rows
        return rows._replace(pull=cut(self._pull, rows.inputs.shape[1]))

    def form(self, turn: Turn, outputs: Tensor, played: Experience) -> Form:
        """With the peer term, once somebody has learned who hears others."""
        if played.pull is None:
            return self.gain
        head = self.agents[turn.agent].head
        action = head.retraced(outputs, played.avail, played.actions)  # (R, L, 1, A)
        return partial(with_peers, self.args.bppo_feedback * (played.pull * action).sum(dim=-1))

    def improve_agent(self, turn: Turn, played: Experience, diagnose: bool) -> Statistics:
        found = super().improve_agent(turn, played, diagnose)
        if not diagnose or played.pull is None:
            return found
        return {**found, "turns/pull": mean_over(played.pull.norm(dim=-1), played.deciding)}


def with_peers(
    peers: Tensor, ratio: Tensor, others: Tensor, advantages: Tensor, clip: float
) -> Tensor:
    """M min(r A + r A d g, clip(r) A + clip(r) A d g): Eq. 6, where of each second summand only
    g has a gradient. `peers` is d g. (R, L, 1)"""

    def gain(of: Tensor) -> Tensor:
        return of * advantages + of.detach() * advantages * peers

    return others * torch.min(gain(ratio), gain(ratio.clamp(1 - clip, 1 + clip)))
