"""One agent of a policy, for learners whose agents learn one at a time."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from components.minibatch import View
from policies.contract import Policy
from pymarl.overrides import speaks_for


class OneAgent:
    """Agent i of a policy: what it is given and says has one place where others have N.

    Only its own network is asked where the policy's can be asked one by one; else all are.
    """

    def __init__(self, policy: Policy, i: int) -> None:
        self.head = policy.head.of(i)
        self.packs = policy.packs
        self._policy: Any = policy
        self._i, self._apart = i, asked_apart(policy)

    def view(self, view: View) -> View:
        """What its evaluation needs of everybody's rows."""
        if not self._apart:
            return view
        own: View = self._policy.alone(self._i, view)
        return own

    def unroll(self, view: View) -> tuple[Tensor, Tensor]:
        """Raw outputs (R, L, 1, A) and memory (R, L, 1, H) of its view."""
        if self._apart:
            own: tuple[Tensor, Tensor] = self._policy.unroll_alone(self._i, view)
            return own
        outputs, memory = self._policy.unroll(view)
        i = slice(self._i, self._i + 1)
        return outputs[:, :, i], memory[:, :, i]

    def evaluate(self, view: View, avail: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities of its stored actions (R, L, 1), and the outputs they come from."""
        outputs = self.unroll(view)[0]
        return self.head.log_prob(outputs, avail, actions), outputs


def asked_apart(policy: Any) -> bool:
    """Whether the policy's `unroll` has a way for one agent, and each agent a network."""
    if not speaks_for(type(policy), "unroll_alone", "unroll"):
        return False
    return not policy.args.share_parameters and hasattr(policy.agent, "network_of")
