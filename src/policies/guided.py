"""Agents that decide apart, and a guide that acts for them while they learn (MAGPO, CTDS)."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from components.minibatch import View
from controllers import REGISTRY as CONTROLLERS
from learners import REGISTRY as LEARNERS
from modules.agents import REGISTRY as AGENTS
from policies.contract import Observed
from policies.independent import EVERY_ROW, IndependentPolicy
from policies.team import Evaluated, TeamPolicy
from utils.errors import UserError
from utils.needs import Given, Needs, require
from utils.settings import ReadSettings, Settings
from utils.weights import load_weights

GUIDE_FILE = "guide.th"  # its networks, beside agent.th


def settings_of_guide(settings: ReadSettings) -> Settings:
    """What the guide's settings are where they are not everybody's."""
    width = settings["guide_hidden_dim"]
    return {
        "mac": settings["guide_mac"],
        "agent": settings["guide_agent"],
        "rnn_hidden_dim": settings["rnn_hidden_dim"] if width is None else width,
        "share_parameters": True,
    }


def learner_of_both(policy: type, given: Given) -> None:
    """Others would train one of the two, and leave the other as it was."""
    if given.learns and not getattr(LEARNERS[given["learner"]], "guided", False):
        raise UserError(
            f"mac={given['mac']} holds two policies, agents and their guide, and "
            f"learner={given['learner']} trains one. Type learner=magpo_learner, or mac=basic_mac."
        )


def guide_that_hears_and_judges(policy: type, given: Given) -> None:
    """A guide knows more than the agents that it guides, and its values are the only ones."""
    mac, agent = given["guide_mac"], given["guide_agent"]
    judges = getattr(CONTROLLERS[mac], "judges", False)
    if not judges or not getattr(AGENTS[agent], "hears", False):
        lacks = "hears no actions" if judges else "has no network that judges"
        raise UserError(
            f"guide_mac={mac} with guide_agent={agent} {lacks}, and a guide does both. "
            "Type guide_mac=team_mac guide_agent=mat, or guide_agent=sable."
        )


def guide_that_fits(policy: type, given: Given) -> None:
    """What its parts need, they need of its own settings."""
    own = Given({**given.settings, **settings_of_guide(given.settings)}, given.environment)
    try:
        for part in (CONTROLLERS[own["mac"]], AGENTS[own["agent"]]):
            require(part, own)
    except UserError as error:
        raise UserError(in_keys_of_guide(str(error))) from error


def in_keys_of_guide(message: str) -> str:
    """What a part says of its settings, in the keys that the guide's have."""
    keys = {"mac": "guide_mac", "agent": "guide_agent", "rnn_hidden_dim": "guide_hidden_dim"}
    return re.sub(r"\b(mac|agent|rnn_hidden_dim)=", lambda key: f"{keys[key[1]]}=", message)


class Pair(NamedTuple):
    """What both hold of the same stored actions."""

    guide: Evaluated
    log_probs: Tensor  # by the agents (..., N)
    outputs: Tensor  # the agents' (..., N, A')


class GuidedPolicy(IndependentPolicy):
    """The agents are tested and deployed; while they learn, the guide acts.

    So what is learned from is the guide's: rows hold its inputs, of which the agents read the first
    part, their own (..., N, F + A), and `unroll` gives its outputs. Both remember all that happens,
    side by side: (B, N, H + M). In tests the guide is not asked.
    """

    needs = Needs(
        demands=(learner_of_both, guide_that_hears_and_judges, guide_that_fits),
        uses=frozenset({"guide_mac", "guide_agent", "guide_hidden_dim"}),
    )

    def __init__(self, scheme: dict[str, Any], groups: Any, args: SimpleNamespace) -> None:
        own = copy.copy(args)
        vars(own).update(settings_of_guide(vars(args)))
        self.guide: TeamPolicy = CONTROLLERS[args.guide_mac](scheme, groups, own)
        super().__init__(scheme, groups, args)

    def take(self, agent: Any) -> None:
        super().take(agent)
        self.recurrent = self.recurrent or self.guide.recurrent
        self.packs = self.packs and self.guide.packs

    def in_words(self) -> str:
        args = self.args
        return f"guided by {args.guide_mac} with {args.guide_agent}: {self.guide.in_words()}"

    @property
    def epsilon(self) -> float | None:
        return self.guide.epsilon

    # Networks

    def load_beside(self, folder: str | Path) -> None:
        """The guide, where it is; greedy tests do without, so that any agents can be tested."""
        if self.args.test_sampled or (Path(folder) / GUIDE_FILE).exists():
            self.load_guide(folder)

    def load_guide(self, folder: str | Path) -> None:
        load_weights(self.guide.agent, folder, GUIDE_FILE)

    # Memory, side by side

    def blank_memory(self, n_episodes: int) -> Tensor:
        both = super().blank_memory(n_episodes), self.guide.blank_memory(n_episodes)
        return torch.cat(both, dim=-1)  # (B, N, H + M)

    def apart(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """The agents' memory (..., H) and the guide's (..., M)."""
        M = self.guide.agent.memory_size
        return memory[..., :-M], memory[..., -M:]

    # Acting

    def act(
        self,
        seen: Observed,
        memory: Tensor,
        t_env: int,
        testing: bool = False,
        rows: Any = EVERY_ROW,
    ) -> tuple[Tensor, Tensor]:
        own, of_guide = self.apart(memory)
        outputs, own = super().one_slot(self.inputs_of(seen), own)
        if testing:
            avail = seen.avail.to(outputs.device)[rows]
            stored = self.selector.choose(outputs[rows], avail, t_env, testing)
        else:
            stored, of_guide = self.guide.act(seen, of_guide, t_env, testing, rows)
        return stored, torch.cat([own, of_guide], dim=-1)

    def one_slot(self, inputs: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """As it was played: (B, N, F + A), (B, N, H + M) -> (B, N, A'), (B, N, H + M)"""
        own, of_guide = self.apart(memory)
        _, own = super().one_slot(inputs[..., : self.n_inputs], own)
        outputs, of_guide = self.guide.one_slot(inputs, of_guide)
        return outputs, torch.cat([own, of_guide], dim=-1)

    def inputs_at(self, batch: Any, t: int) -> Tensor:
        return self.guide.inputs_at(batch, t)

    # Learning

    def whole(self, batch: Any, n_slots: int) -> View:
        start = super().whole(batch, n_slots).start
        return self.guide.whole(batch, n_slots)._replace(start=start)

    def both_views(self, view: View) -> tuple[View, View]:
        """The agents' and the guide's, of rows that hold both."""
        assert view.start is not None
        own, of_guide = self.apart(view.start)
        inputs = view.inputs[..., : self.n_inputs]
        return view._replace(inputs=inputs, start=own), view._replace(start=of_guide)

    def unroll(self, view: View) -> tuple[Tensor, Tensor]:
        """The guide's outputs (..., N, A') and both memories (..., N, H + M)."""
        agents, guide = self.both_views(view)
        _, own = super().unroll(agents)
        outputs, of_guide = self.guide.unroll(guide)
        return outputs, torch.cat([own, of_guide], dim=-1)

    def evaluate_both(self, view: View, avail: Tensor, actions: Tensor) -> Pair:
        """Stored actions by both, and the guide's values of where they were taken."""
        agents, guide = self.both_views(view)
        outputs, _ = super().unroll(agents)
        log_probs = self.head.log_prob(outputs, avail, actions)
        return Pair(self.guide.evaluate_and_judge(guide, avail, actions), log_probs, outputs)

    # Judging

    @property
    def judging(self) -> Any:
        """The network that values come out of."""
        return self.guide.judging

    def judge(self, batch: Any) -> Tensor:
        """Values of every slot of the batch, the one after the last included. (B, T + 1, N)"""
        _, guide = self.both_views(super().whole(batch, batch.max_seq_length))
        return self.guide.values(guide)
