"""PyMARL's controller: the face that parts written for PyMARL know of a policy."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from components.episode_buffer import EpisodeBatch
from policies.contract import Observed
from policies.independent import IndependentPolicy
from pymarl.policies import CALLED
from pymarl.selectors import as_registered
from utils.needs import Needs
from utils.weights import load_weights, save_weights

BUILDING = ("_get_input_shape", "_build_agents")  # a subclass may replace these, too


class BasicMAC:
    """Acts slot by slot and keeps the agents' memory; what to do is the policy's.

    `copy.copy` shares the networks but not the memory.
    """

    policy_class: type[IndependentPolicy] = IndependentPolicy

    needs = Needs()

    def __init__(self, scheme: dict[str, Any], groups: Any, args: SimpleNamespace) -> None:
        self._wear(self.policy_class(scheme, groups, args))
        if self._replaces(*BUILDING):
            self.policy.n_inputs = self._get_input_shape(scheme)
            self._build_agents(self.policy.n_inputs)

    @classmethod
    def of(cls, policy: IndependentPolicy) -> BasicMAC:
        """The face of a policy that has been built already."""
        mac = cls.__new__(cls)
        mac._wear(policy)
        return mac

    @classmethod
    def replaced(cls) -> list[str]:
        """Which of the methods that PyMARL's runners and learners call a subclass replaces."""
        return [name for name in CALLED if cls._replaces(name)]

    @classmethod
    def _replaces(cls, *names: str) -> bool:
        return any(getattr(cls, name) is not getattr(BasicMAC, name) for name in names)

    def _wear(self, policy: IndependentPolicy) -> None:
        self.policy, self.args, self.n_agents = policy, policy.args, policy.n_agents
        self.agent_output_type: str = policy.args.agent_output_type
        self.hidden_states: Any = None

    @property
    def agent(self) -> Any:
        return self.policy.agent

    @agent.setter
    def agent(self, network: Any) -> None:
        self.policy.take(network)

    @property
    def action_selector(self) -> Any:
        return as_registered(self.policy.selector)

    # Acting

    def init_hidden(self, batch_size: int) -> None:
        self.hidden_states = self.policy.blank_memory(batch_size)

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

        (b, N) indices, (b, N, A) one-hots of FACMAC's selector, or (b, N, A) continuous. FACMAC's
        learners do not `explore`: they get one-hots with a gradient.
        """
        if "forward" in self.replaced():
            return self._select_by_forward(ep_batch, t_ep, t_env, bs, test_mode)
        policy, one_hots = self.policy, getattr(self.policy.selector, "gives_one_hots", False)
        if one_hots and not explore and not test_mode:
            return self._draw(ep_batch, t_ep)[bs]
        stored, self.hidden_states = policy.act(
            self._observed(ep_batch, t_ep), self.hidden_states, t_env, test_mode, bs
        )
        return policy.head.vector(stored) if one_hots else policy.head.to_played(stored)

    def _observed(self, ep_batch: EpisodeBatch, t: int) -> Observed:
        seen = Observed.of(ep_batch, t)
        if "_build_inputs" not in self.replaced():
            return seen
        inputs = self._build_inputs(ep_batch, t).reshape(*seen.obs.shape[:2], -1)
        return seen._replace(inputs=inputs)

    def _select_by_forward(
        self, ep_batch: EpisodeBatch, t: int, t_env: int, bs: Any, test_mode: bool
    ) -> Tensor:
        """As PyMARL's: by what a subclass's `forward` says."""
        outputs = self.forward(ep_batch, t, test_mode=test_mode)[bs]
        avail = ep_batch["avail_actions"][bs, t].to(outputs.device)
        return self.action_selector.select_action(outputs, avail, t_env, test_mode=test_mode)

    def _draw(self, ep_batch: EpisodeBatch, t: int) -> Tensor:
        """One-hots without exploration, differentiable. (B, N, A)"""
        inputs = self.policy.inputs_of(self._observed(ep_batch, t))
        outputs, self.hidden_states = self.policy.one_slot(inputs, self.hidden_states)
        avail = ep_batch["avail_actions"][:, t].to(outputs.device)
        return self.policy.head.draw(outputs, avail, None, hard=True)[0]

    def forward(self, ep_batch: EpisodeBatch, t: int, test_mode: bool = False) -> Tensor:
        """Utilities, or with `pi_logits` probabilities, at slot t. (B, N, A)"""
        B, N = ep_batch.batch_size, self.n_agents
        inputs = self._build_inputs(ep_batch, t).reshape(B, N, -1)
        outputs, memory = self.policy.one_slot(inputs, self.hidden_states.reshape(B, N, -1))
        self.hidden_states = memory.flatten(0, 1)  # (B*N, H), which learners of QTRAN read
        avail = ep_batch["avail_actions"][:, t].to(outputs.device)
        return self.policy.selector.probabilities(outputs, avail, testing=test_mode)

    def _build_inputs(self, batch: EpisodeBatch, t: int) -> Tensor:
        """Those at slot t. (B*N, F), or (B, N, F) for agents that take teams"""
        inputs = self.policy.inputs_at(batch, t)
        return inputs if self.policy.takes_teams else inputs.flatten(0, 1)

    # Networks

    def _get_input_shape(self, scheme: dict[str, Any]) -> int:
        """F; of a subclass whose `_build_inputs` are wider, its own."""
        return self.policy.input_size(scheme)

    def _build_agents(self, input_shape: int) -> None:
        self.agent = self.policy.new_agent(input_shape)

    @property
    def device(self) -> torch.device:
        return self.policy.device

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
        self.policy.load_beside(path)
