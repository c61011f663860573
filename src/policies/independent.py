"""The policy of agents that decide at the same time, each from what it sees itself."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from components.action_heads import ActionHead, build_head
from components.action_selectors import REGISTRY as SELECTORS
from components.minibatch import Minibatch, View, Views
from components.parts import MEMORY, action_field, previous_actions
from modules.agents import REGISTRY as AGENTS
from modules.agents.separate import SeparateAgents
from modules.sizes import flat_size
from pymarl.agents import unrolling
from pymarl.selectors import choosing

EVERY_ROW: Any = slice(None)


class Observed(NamedTuple):
    """What the agents of B episodes see at one slot, when they are to act."""

    obs: Tensor  # (B, N, O)
    last_actions: Tensor  # as vectors, zeros at first (B, N, A)
    avail: Tensor  # (B, N, A)
    batch: Any = None  # where it stands, for controllers written for PyMARL, ...
    t: int = 0  # ... and at which slot

    @classmethod
    def of(cls, batch: Any, t: int) -> Observed:
        """What slot `t` of an episode batch holds."""
        actions = batch[action_field(batch.scheme)]
        last = actions[:, t - 1] if t > 0 else previous_actions(batch, 1)[:, 0]
        return cls(batch["obs"][:, t], last, batch["avail_actions"][:, t], batch, t)


class IndependentPolicy:
    """One network for all agents, or one each; `copy.deepcopy` makes a target or a shadow of it.

    A sibling in which agents hear what others do in the same slot says so in `listens`.
    """

    def __init__(self, scheme: dict[str, Any], groups: Any, args: SimpleNamespace) -> None:
        self.args, self.n_agents = args, int(args.n_agents)
        self.head: ActionHead = build_head(args)
        self.listens = self.who_hears_whom()
        self._action_field = action_field(scheme)
        self._ids = torch.eye(self.n_agents)
        self.agent = self._build_agent(self.input_size(scheme))
        self._unrolling = unrolling(self.agent)
        self.recurrent: bool = self._unrolling.recurrent
        self.packs: bool = self._unrolling.packs  # takes rows that are laid end to end
        self.selector = choosing(SELECTORS[args.action_selector](args), self.head)

    def who_hears_whom(self) -> Tensor | None:
        """(N, N), true at [i, j] if i hears what j does in the same slot; None if nobody does.

        No agent may hear itself, not even through others.
        """
        return None

    # Acting

    def blank_memory(self, n_episodes: int) -> Tensor:
        """Before the first slot. (B, N, H)"""
        hidden = self.agent.init_hidden()  # (1, H), or (N, H) for separate networks
        return hidden.unsqueeze(0).expand(n_episodes, self.n_agents, -1)

    def act(
        self,
        seen: Observed,
        memory: Tensor,
        t_env: int,
        testing: bool = False,
        rows: Any = EVERY_ROW,
    ) -> tuple[Tensor, Tensor]:
        """Actions of episodes `rows` as they are stored, and everybody's memory after the slot.

        memory (B, N, H) -> (b, N, 1 or A), (B, N, H)
        """
        avail = seen.avail.to(self.device)
        inputs = self._joined(seen.obs, seen.last_actions)  # (B, N, F)
        if self.listens is not None:
            return self._act_in_turns(inputs, avail, memory, t_env, testing, rows)
        outputs, memory = self.one_slot(inputs, memory)
        return self.selector.choose(outputs[rows], avail[rows], t_env, testing), memory

    def _act_in_turns(
        self, inputs: Tensor, avail: Tensor, memory: Tensor, t_env: int, testing: bool, rows: Any
    ) -> tuple[Tensor, Tensor]:
        """All agents draw in each pass; what counts is drawn once all that one hears have acted."""
        assert self.listens is not None
        done = torch.zeros_like(avail, dtype=inputs.dtype)  # (B, N, A)
        stored, after = None, memory
        for speaking in turns(self.listens):  # (N,)
            outputs, after = self.one_slot(torch.cat([inputs, done], dim=-1), memory)
            drawn = self.selector.choose(outputs[rows], avail[rows], t_env, testing)
            stored = drawn if stored is None else torch.where(speaking[:, None], drawn, stored)
            done[rows] = self.head.vector(stored)
        assert stored is not None
        return stored, after

    def one_slot(self, inputs: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, F), (B, N, H) -> raw outputs (B, N, A), memory (B, N, H)"""
        B, N = inputs.shape[:2]
        outputs, hidden = self.agent(self.told(inputs).flatten(0, 1), memory)
        return outputs.reshape(B, N, -1), hidden.reshape(B, N, -1)

    def for_tests(self) -> Self:
        """The same networks; what exploration remembers is its own."""
        twin = copy.copy(self)
        twin.selector = copy.deepcopy(self.selector)
        return twin

    # Learning

    def look(self, minibatch: Minibatch) -> Views:
        """The agents' inputs at the minibatch's slots, for this network and its copies."""
        slots, batch = minibatch.slots, minibatch.batch
        actions = batch[self._action_field]
        last = slots.take_previous(actions) if self.args.obs_last_action else None
        inputs = self._joined(slots.take(batch["obs"]), last)  # (1, m, N, F)
        if self.listens is not None:
            inputs = torch.cat([inputs, slots.take(actions).to(inputs)], dim=-1)
        return Views(inputs, slots.running, slots.now, slots.following)

    def inputs_at(self, batch: Any, t: int) -> Tensor:
        """Those at slot `t`, where the slot's actions are known. (B, N, F)"""
        seen = Observed.of(batch, t)
        inputs = self._joined(seen.obs, seen.last_actions)
        if self.listens is None:
            return inputs
        return torch.cat([inputs, batch[self._action_field][:, t].to(inputs)], dim=-1)

    def whole(self, batch: Any, n_slots: int) -> View:
        """The first slots of every row, in place, from the memory that each row begins with."""
        last = previous_actions(batch, n_slots) if self.args.obs_last_action else None
        inputs = self._joined(batch["obs"][:, :n_slots], last)  # (B, T, N, F)
        if self.listens is not None:
            done = batch[self._action_field][:, :n_slots]
            inputs = torch.cat([inputs, done.to(inputs)], dim=-1)
        known = MEMORY in batch.scheme
        return View(inputs, batch[MEMORY] if known else self.blank_memory(batch.batch_size))

    def unroll(self, view: View) -> tuple[Tensor, Tensor]:
        """Raw outputs (..., N, A) and memory (..., N, H) of the slots that are asked for."""
        inputs, start, running, pick = view
        if pick is None:
            return self._unrolling.unroll(self.told(inputs), start, running)
        if not self.recurrent:
            return self._unrolling.unroll(self.told(pick(inputs)), start, running)
        outputs, memory = self._unrolling.unroll(self.told(inputs), start, running)
        return pick(outputs), memory

    def say(self, view: View) -> Tensor:
        """The networks' raw outputs. (..., N, A)"""
        return self.unroll(view)[0]

    def greedy(self, view: View, avail: Tensor) -> Tensor:
        """The most preferred actions, as vectors. (..., N, A)"""
        return self.head.mode(self.say(view), avail)

    def draw(
        self, view: View, avail: Tensor, noise: Tensor | None = None, hard: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Actions as vectors, differentiable, and the noise they were drawn with; None draws it."""
        outputs = self.say(view)
        noise = self.head.noise(outputs) if noise is None else noise
        return self.head.relaxed(outputs, avail, noise, hard=hard), noise

    def evaluate(self, view: View, avail: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities of stored actions (..., N), and the outputs that they come from."""
        outputs = self.say(view)
        return self.head.log_prob(outputs, avail, actions), outputs

    def probabilities(self, view: View, avail: Tensor) -> Tensor:
        """Those that discrete actions are drawn with, exploration included. (..., N, A)"""
        return self.selector.probabilities(self.say(view), avail)

    # Inputs

    def _joined(self, obs: Tensor, last_actions: Tensor | None) -> Tensor:
        """Observation, last action, agent id. (..., N, O) and (..., N, A) -> (..., N, F)"""
        device = self.device  # to look for it takes longer than a small product
        parts = [obs.to(device)]
        if self.args.obs_last_action:
            assert last_actions is not None
            parts.append(last_actions.to(device))
        if self.args.obs_agent_id:
            self._ids = self._ids.to(device)
            parts.append(self._ids.expand(*obs.shape[:-1], -1))
        return torch.cat(parts, dim=-1)

    def told(self, inputs: Tensor) -> Tensor:
        """Each agent's row with the actions of those it hears, instead of its own.

        (..., N, F + A) -> (..., N, F + N * A); without `listens` the rows as they are
        """
        if self.listens is None:
            return inputs
        own, done = inputs.split([inputs.shape[-1] - self._action_size, self._action_size], dim=-1)
        heard = done.unsqueeze(-3) * self.listens.to(done).unsqueeze(-1)  # (..., N, N, A)
        return torch.cat([own, heard.flatten(-2)], dim=-1)

    def input_size(self, scheme: dict[str, Any]) -> int:
        """The width of what the networks get."""
        size = flat_size(scheme["obs"]["vshape"])
        self._action_size = flat_size(scheme[self._action_field]["vshape"])
        if self.args.obs_last_action:
            size += self._action_size
        if self.args.obs_agent_id:
            size += self.n_agents
        return size if self.listens is None else size + self.n_agents * self._action_size

    # Networks

    def _build_agent(self, input_size: int) -> Any:
        args = self.args
        if self.head.n_outputs != args.n_actions:  # agents are as wide as there are actions
            args = SimpleNamespace(**{**vars(args), "n_actions": self.head.n_outputs})
        agent_class = AGENTS[self.args.agent]
        if self.args.share_parameters:
            return agent_class(input_size, args)
        return SeparateAgents(agent_class, input_size, args)

    @property
    def epsilon(self) -> float | None:
        """How much it explores at random, if it does by a schedule."""
        return getattr(self.selector, "epsilon", None)

    @property
    def device(self) -> torch.device:
        return next(self.agent.parameters()).device

    def parameters(self) -> Iterator[nn.Parameter]:
        return self.agent.parameters()


def turns(listens: Tensor) -> list[Tensor]:
    """Who speaks in each pass: those whose sources have all spoken. Masks (N,) for (N, N)."""
    waiting, passes = torch.ones(len(listens), dtype=torch.bool), []
    while waiting.any():
        speaking = waiting & ~(listens.bool() & waiting).any(dim=1)
        if not speaking.any():
            raise ValueError("Agents hear one another in a circle, so that nobody can begin.")
        passes.append(speaking)
        waiting = waiting & ~speaking
    return passes
