"""One agent of a policy, for learners whose agents learn one at a time."""

from __future__ import annotations

from torch import Tensor

from components.minibatch import View
from modules.agents.separate import SeparateAgents
from policies.contract import Policy
from policies.independent import IndependentPolicy
from pymarl.agents import unrolling


class OneAgent:
    """Agent i of a policy: what it is given and says has one place where others have N.

    Only its own network is asked where the policy's can be asked one by one; else all are.
    """

    def __init__(self, policy: Policy, i: int) -> None:
        self.head = policy.head.of(i)
        self.packs = policy.packs
        self._policy, self._own = policy, slice(i, i + 1)
        self._network = unrolling(policy.agent.agents[i]) if asked_apart(policy) else None

    def view(self, view: View) -> View:
        """What its evaluation needs of everybody's rows."""
        if self._network is None:
            return view
        inputs, start, running, _ = view
        return View(
            inputs[:, :, self._own], None if start is None else start[:, self._own], running
        )

    def unroll(self, view: View) -> tuple[Tensor, Tensor]:
        """Raw outputs (R, L, 1, A) and memory (R, L, 1, H) of its view."""
        if self._network is not None:
            return self._network.unroll(view.inputs, view.start, view.running)
        outputs, memory = self._policy.unroll(view)
        return outputs[:, :, self._own], memory[:, :, self._own]

    def evaluate(self, view: View, avail: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities of its stored actions (R, L, 1), and the outputs they come from."""
        outputs = self.unroll(view)[0]
        return self.head.log_prob(outputs, avail, actions), outputs


def asked_apart(policy: Policy) -> bool:
    """Whether each agent's rows go through a network of its own, and through nothing else."""
    plain = isinstance(policy, IndependentPolicy) and (
        type(policy).unroll is IndependentPolicy.unroll
    )
    return plain and isinstance(policy.agent, SeparateAgents)
