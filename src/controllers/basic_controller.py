"""One controller for all agents: builds their inputs, acts step by step, unrolls whole episodes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from components.action_heads import build_head, mask_unavailable
from components.action_selectors import REGISTRY as SELECTORS
from components.action_selectors import GaussianActionSelector, GumbelSoftmax
from components.episode_buffer import EpisodeBatch
from components.parts import action_field, previous_actions
from components.steps import Slots
from modules.agents import REGISTRY as AGENTS
from modules.agents.separate import SeparateAgents
from pymarl.agents import takes_teams
from utils.overrides import speaks_for
from utils.weights import load_weights, save_weights

TAKES_RAW_OUTPUTS = (GaussianActionSelector, GumbelSoftmax)  # all others want Q or probabilities


class Unroll(NamedTuple):
    """What the agents' networks say about whole episodes."""

    outputs: Tensor  # (B, T, N, A)
    features: Tensor  # (B, T, N, H)


class BasicMAC:
    """PyMARL's controller. `copy.copy` shares the networks but not the hidden state."""

    unrolls = False  # whether its agents take whole episodes at once
    takes_teams = False  # whether they take (B, N, F) inputs, as PyMARL2's

    def __init__(self, scheme: dict[str, Any], groups: Any, args: SimpleNamespace) -> None:
        self.args = args
        self.n_agents: int = args.n_agents
        self.agent_output_type = args.agent_output_type
        self.head = build_head(args)
        # What an agent is told of its last action: the one-hot, or the continuous action itself.
        self._action_field = action_field(scheme)
        self.agent = self._build_agent(self._get_input_shape(scheme))
        self._ids = torch.eye(self.n_agents)
        self.action_selector = SELECTORS[args.action_selector](args)
        self.hidden_states: Any = None

    # Acting

    def select_actions(
        self,
        ep_batch: EpisodeBatch,
        t_ep: int,
        t_env: int,
        bs: Any = slice(None),
        test_mode: bool = False,
        explore: bool = True,
    ) -> Tensor:
        """Actions of episodes `bs` at slot `t_ep`, as the selector gives them.

        (b, N) indices, (b, N, A) one-hots of FACMAC's selector, or (b, N, A) continuous.
        """
        avail = ep_batch["avail_actions"][:, t_ep].to(self.device)  # (B, N, A)
        outputs = self._step(ep_batch, t_ep)
        if not isinstance(self.action_selector, TAKES_RAW_OUTPUTS):
            outputs = self.interpret(outputs, avail, test_mode, t_env)
        selector = self.action_selector
        # FACMAC's selector has two ways to draw: to explore, and to learn.
        way = {"explore": explore and not test_mode} if isinstance(selector, GumbelSoftmax) else {}
        return selector.select_action(outputs[bs], avail[bs], t_env, test_mode=test_mode, **way)

    def forward(self, ep_batch: EpisodeBatch, t: int, test_mode: bool = False) -> Tensor:
        """Utilities, or with `pi_logits` probabilities, at slot t. (B, N, A)"""
        avail = ep_batch["avail_actions"][:, t].to(self.device)
        return self.interpret(self._step(ep_batch, t), avail, test_mode)

    def init_hidden(self, batch_size: int) -> None:
        hidden = self.agent.init_hidden()  # (1, H), or (N, H) for separate networks
        self.hidden_states = hidden.unsqueeze(0).expand(batch_size, self.n_agents, -1)

    def _step(self, ep_batch: EpisodeBatch, t: int) -> Tensor:
        outputs, self.hidden_states = self.agent(
            self._build_inputs(ep_batch, t), self.hidden_states
        )
        return outputs.reshape(ep_batch.batch_size, self.n_agents, -1)  # (B, N, A)

    def interpret(
        self, outputs: Tensor, avail: Tensor, test_mode: bool = False, t_env: int | None = None
    ) -> Tensor:
        """Raw outputs as the selector wants them: of discrete policies, the probabilities.

        They hold the selector's floor of epsilon, at `t_env` or as it was last.
        """
        if self.agent_output_type != "pi_logits" or self.args.action_kind == "continuous":
            return outputs
        masked = self.args.mask_before_softmax
        probs = torch.softmax(mask_unavailable(outputs, avail) if masked else outputs, dim=-1)
        selector: Any = self.action_selector
        if test_mode or not hasattr(selector, "epsilon"):
            return probs
        epsilon = selector.epsilon if t_env is None else selector.schedule.eval(t_env)
        choices = avail.sum(dim=-1, keepdim=True) if masked else outputs.shape[-1]
        probs = (1 - epsilon) * probs + epsilon / choices
        return probs.masked_fill(avail == 0, 0.0) if masked else probs

    # Learning

    def inputs_at(self, batch: EpisodeBatch, slots: Slots) -> Tensor:
        """The agents' inputs at `slots`. (1, m, N, F)"""
        last = None
        if self.args.obs_last_action:
            last = slots.take_previous(batch[self._action_field])
        return self._joined(slots.take(batch["obs"]), last)

    def unroll(self, ep_batch: EpisodeBatch, n_slots: int | None = None) -> Unroll:
        """The raw outputs for the first `n_slots` slots (all), from a zero hidden state."""
        T = ep_batch.max_seq_length if n_slots is None else n_slots
        if not self.unrolls:
            return self._unroll_by_steps(ep_batch, T)
        return Unroll(*self.agent.unroll(self.build_all_inputs(ep_batch, T)))

    def _unroll_by_steps(self, ep_batch: EpisodeBatch, T: int) -> Unroll:
        """For agents that know only PyMARL's `forward`; equal to the whole, and slower."""
        B, N = ep_batch.batch_size, self.n_agents
        acting, outputs, features = self.hidden_states, [], []
        self.init_hidden(B)
        for t in range(T):
            outputs.append(self._step(ep_batch, t))
            features.append(self.hidden_states.reshape(B, N, -1))
        self.hidden_states = acting
        return Unroll(torch.stack(outputs, dim=1), torch.stack(features, dim=1))

    # Inputs

    def _build_inputs(self, batch: EpisodeBatch, t: int) -> Tensor:
        """Those at slot t. (B*N, F), or (B, N, F) for agents that take teams"""
        last = None
        if self.args.obs_last_action:
            actions = batch[self._action_field]
            last = actions[:, t - 1] if t > 0 else previous_actions(batch, 1)[:, 0]
        inputs = self._joined(batch["obs"][:, t], last)
        return inputs if self.takes_teams else inputs.flatten(0, 1)

    def build_all_inputs(self, batch: EpisodeBatch, T: int) -> Tensor:
        """Those of the first T slots at once. (B, T, N, F)"""
        last = None
        if self.args.obs_last_action:
            last = previous_actions(batch, T)
        return self._joined(batch["obs"][:, :T], last)

    def _joined(self, obs: Tensor, last_actions: Tensor | None) -> Tensor:
        """Observation, last action, agent id. (..., N, O) and (..., N, A) -> (..., N, F)"""
        device = self.device  # to look for it takes longer than a small product
        parts = [obs.to(device)]
        if last_actions is not None:
            parts.append(last_actions.to(device))
        if self.args.obs_agent_id:
            self._ids = self._ids.to(device)
            parts.append(self._ids.expand(*obs.shape[:-1], -1))
        return torch.cat(parts, dim=-1)

    def _get_input_shape(self, scheme: dict[str, Any]) -> int:
        size = _width(scheme["obs"]["vshape"])
        if self.args.obs_last_action:
            size += _width(scheme[self._action_field]["vshape"])
        if self.args.obs_agent_id:
            size += self.n_agents
        return size

    # Networks

    def _build_agent(self, input_shape: int) -> Any:
        agent_class = AGENTS[self.args.agent]
        # Whole episodes at once; what is written for PyMARL does not.
        self.unrolls = speaks_for(agent_class, "unroll", "forward", "init_hidden") and speaks_for(
            type(self), "inputs_at", "_build_inputs"
        )
        args = self.args
        if self.head.n_outputs != args.n_actions:  # agents are as wide as there are actions
            args = copy.copy(args)
            args.n_actions = self.head.n_outputs
        shared = self.args.share_parameters
        agent = (agent_class if shared else partial(SeparateAgents, agent_class))(input_shape, args)
        self.takes_teams = not self.unrolls and takes_teams(
            agent, input_shape, self.n_agents, self.head.n_outputs, self.args.agent
        )
        return agent

    @property
    def device(self) -> torch.device:
        return next(self.agent.parameters()).device

    def parameters(self) -> Iterator[nn.Parameter]:
        return self.agent.parameters()

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        return self.agent.named_parameters()

    def load_state(self, other_mac: BasicMAC) -> None:
        """Copy the other controller's weights."""
        self.agent.load_state_dict(other_mac.agent.state_dict())

    def cuda(self, device: Any = None) -> None:
        self.agent.cuda(device)

    def save_models(self, path: str) -> None:
        save_weights(self.agent, path, "agent.th")

    def load_models(self, path: str) -> None:
        load_weights(self.agent, path, "agent.th")


def _width(vshape: Any) -> int:
    return vshape if isinstance(vshape, int) else vshape[0]
