"""The policy of agents that decide at the same time, each from what it sees itself."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import torch
from torch import Tensor, nn

from components.action_heads import ActionHead, build_head
from components.action_selectors import REGISTRY as SELECTORS
from components.drawn import Drawn
from components.minibatch import Minibatch, View, Views
from components.parts import MEMORY, action_field, previous_actions
from modules.agents import REGISTRY as AGENTS
from modules.agents.separate import SeparateAgents, own_rows
from modules.sizes import flat_size
from policies.contract import Observed, PlainPolicy
from policies.in_place import in_place
from pymarl.agents import knows_slots_only, takes_packed_rows, takes_teams, unrolling
from pymarl.overrides import speaks_for
from pymarl.selectors import choosing

EVERY_ROW: Any = slice(None)


class IndependentPolicy(PlainPolicy):
    """One network for all agents, or one each; `copy.deepcopy` makes a target or a shadow of it."""

    def __init__(self, scheme: dict[str, Any], groups: Any, args: SimpleNamespace) -> None:
        self.args, self.n_agents = args, int(args.n_agents)
        self.head: ActionHead = build_head(args)
        self._action_field = action_field(scheme)
        self._ids = torch.eye(self.n_agents)
        self.n_inputs = self.input_size(scheme)
        self.take(self.new_agent(self.n_inputs))
        self.selector = choosing(SELECTORS[args.action_selector](args), self.head)

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
        outputs, memory = self.one_slot(self.inputs_of(seen), memory)
        if rows != EVERY_ROW:
            outputs, avail = outputs[rows], avail[rows]
        return self.selector.choose(outputs, avail, t_env, testing), memory

    def one_slot(self, inputs: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, F), (B, N, H) -> raw outputs (B, N, A), memory (B, N, H)"""
        B, N = inputs.shape[:2]
        rows = inputs if self.takes_teams else inputs.flatten(0, 1)  # (B*N, F)
        outputs, hidden = self.agent(rows, memory)
        return outputs.reshape(B, N, -1), hidden.reshape(B, N, -1)

    def for_tests(self) -> Self:
        """The same networks; what exploration remembers is its own."""
        twin = copy.copy(self)
        twin.selector = copy.deepcopy(self.selector)
        return twin

    # Learning

    def views(self, minibatch: Minibatch) -> Views:
        """The agents' inputs at the minibatch's slots, for this network and its copies."""
        if not self.packs:
            view = self.whole(minibatch.batch, minibatch.batch.max_seq_length)
            return in_place(view, minibatch.steps)
        slots, fields = minibatch.slots, minibatch.batch.data.transition_data
        actions = fields[self._action_field] if self.args.obs_last_action else None
        inputs = self._joined(*slots.take_seen(fields["obs"], actions))  # (1, m, N, F)
        everything = View(inputs, running=slots.running)
        now, next = (everything._replace(asked=asked) for asked in (slots.now, slots.next))
        return Views(now, next, everything)

    def inputs_at(self, batch: Any, t: int) -> Tensor:
        """Those at slot `t`, where the slot's actions are known. (B, N, F)"""
        return self.inputs_of(Observed.of(batch, t))

    def whole(self, batch: Any, n_slots: int) -> View:
        """The first slots of every row, in place, from the memory that each row begins with."""
        last = previous_actions(batch, n_slots) if self.args.obs_last_action else None
        inputs = self._joined(batch["obs"][:, :n_slots], last)  # (B, T, N, F)
        known = MEMORY in batch.scheme
        return View(inputs, batch[MEMORY] if known else self.blank_memory(batch.batch_size))

    def unroll(self, view: View) -> tuple[Tensor, Tensor]:
        """Raw outputs (..., N, A) and memory (..., N, H) of the slots that are asked for."""
        inputs, start, running, asked = view
        if asked is None:
            return self._unrolling.unroll(inputs, start, running)
        if not self.recurrent:  # no other slots are needed
            return self._unrolling.unroll(at_slots(inputs, asked), start, running)
        outputs, memory = self._unrolling.unroll(inputs, start, running)
        return at_slots(outputs, asked), memory

    def alone(self, agent: int, view: View) -> View:
        """What `unroll_alone` needs of rows of all slots."""
        start = None if view.start is None else view.start[:, agent : agent + 1]
        return View(own_rows(view.inputs, agent), start, view.running)

    def unroll_alone(self, agent: int, view: View) -> tuple[Tensor, Tensor]:
        """`unroll` of one agent by its own network: (R, L, 1, A), (R, L, 1, H)."""
        network = unrolling(self.agent.network_of(agent))
        return network.unroll(view.inputs.contiguous(), view.start, view.running)

    def outputs(self, view: View) -> Tensor:
        """The networks' raw outputs. (..., N, A)"""
        return self.unroll(view)[0]

    def both_outputs(self, views: Views) -> tuple[Tensor, Tensor]:
        """Raw outputs at the steps and one slot after each, from one pass. (..., N, A) each"""
        outputs = self.outputs(views.all)
        return at_slots(outputs, views.now.asked), at_slots(outputs, views.next.asked)

    def greedy(self, view: View, avail: Tensor) -> Tensor:
        """The most preferred actions, as vectors. (..., N, A)"""
        return self.head.mode(self.outputs(view), avail)

    def draw(
        self, view: View, avail: Tensor, noise: Tensor | None = None, hard: bool = True
    ) -> Drawn:
        """Actions as vectors, differentiable, with the noise that is given; None draws it."""
        return self.head.draw(self.outputs(view), avail, noise, hard)

    def evaluate(self, view: View, avail: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities of stored actions (..., N), and the outputs that they come from."""
        outputs = self.outputs(view)
        return self.head.log_prob(outputs, avail, actions), outputs

    def probabilities(self, view: View, avail: Tensor) -> Tensor:
        """Those that discrete actions are drawn with, exploration included. (..., N, A)"""
        return self.selector.probabilities(self.outputs(view), avail)

    # Inputs

    def inputs_of(self, seen: Observed) -> Tensor:
        """What agents who act are given. (B, N, F)"""
        if seen.inputs is not None:
            return seen.inputs
        return self._joined(seen.obs, seen.last_actions)

    def _joined(self, obs: Tensor, last_actions: Tensor | None) -> Tensor:
        """Observation, last action, agent id. (..., N, O) and (..., N, A) -> (..., N, F)"""
        device = self.device
        parts = [obs.to(device)]
        if self.args.obs_last_action:
            assert last_actions is not None
            parts.append(last_actions.to(device))
        if self.args.obs_agent_id:
            self._ids = self._ids.to(device)
            parts.append(self._ids.expand(*obs.shape[:-1], -1))
        return torch.cat(parts, dim=-1)

    def input_size(self, scheme: dict[str, Any]) -> int:
        """The width of what the networks get."""
        size = flat_size(scheme["obs"]["vshape"])
        if self.args.obs_last_action:
            size += flat_size(scheme[self._action_field]["vshape"])
        return size + self.n_agents if self.args.obs_agent_id else size

    # Networks

    def load_beside(self, folder: str | Path) -> None:
        """What acts in some other way than `agent`, if anything does, from a checkpoint."""

    def take(self, agent: Any) -> None:
        """Make `agent` the network, whose inputs are `n_inputs` wide."""
        self.agent = agent
        self._any_weight = place_of_a_weight(agent)  # tells the device; to search takes long
        self.takes_teams = knows_slots_only(agent) and takes_teams(
            agent, self.n_inputs, self.n_agents, self.head.n_outputs, self.args.agent
        )
        self._unrolling = unrolling(agent, self.takes_teams)
        self.recurrent = bool(getattr(self._unrolling, "recurrent", True))
        self.packs = takes_packed_rows(self._unrolling)
        alone = speaks_for(type(agent), "takes_agents_apart", "unroll", "forward")
        own_way = type(self).unroll is IndependentPolicy.unroll
        self.agents_apart = alone and own_way and self.packs and self.n_agents > 1

    def new_agent(self, input_size: int) -> Any:
        """The network that `agent:` names, or one for each agent."""
        args = self.args
        if self.head.n_outputs != args.n_actions:  # agents are as wide as there are actions
            args = copy.copy(args)
            args.n_actions = self.head.n_outputs
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
        module, name = self._any_weight
        weight: Tensor = getattr(module, name)
        return weight.device

    def parameters(self) -> Iterator[nn.Parameter]:
        return self.agent.parameters()


def place_of_a_weight(agent: nn.Module) -> tuple[nn.Module, str]:
    """A module, and which of its parameters is one: to move it may make it another tensor."""
    own = ((module, module.named_parameters(recurse=False)) for module in agent.modules())
    return next((module, name) for module, named in own for name, _ in named)


def at_slots(values: Tensor, slots: Any) -> Tensor:
    """(R, L, ...) -> those slots of it"""
    if isinstance(slots, Tensor):
        return values.index_select(1, slots)
    return values[:, slots] if isinstance(slots, slice) else slots(values)
