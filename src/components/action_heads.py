"""What an agent network's outputs mean as actions: one interface for both kinds.

Learners, selectors and policies speak to a head and never ask which kind of action there is.
Shapes: outputs (..., A); `avail` (..., A), ignored by continuous actions.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Protocol

from torch import Tensor

from components.continuous_heads import ContinuousHead, GaussianHead
from components.discrete_head import DiscreteHead
from components.drawn import Drawn


class ActionHead(Protocol):
    """The interface."""

    n_outputs: int  # what the agent's network must say for one agent

    def mode(self, outputs: Tensor, avail: Tensor) -> Tensor:
        """The greedy action, as `relaxed` represents actions. (..., A)"""

    def noise(self, outputs: Tensor) -> Tensor:
        """The random numbers that one `relaxed` needs, if any."""

    def draw(self, outputs: Tensor, avail: Tensor, noise: Tensor | None, hard: bool) -> Drawn:
        """`relaxed`, with the noise that is given; None draws it."""

    def relaxed(self, outputs: Tensor, avail: Tensor, noise: Tensor, hard: bool = True) -> Tensor:
        """The policy's action while learning, differentiable in `outputs`. (..., A)"""

    def log_prob(self, outputs: Tensor, avail: Tensor, actions: Tensor) -> Tensor:
        """Log-probability of stored actions. (...)"""

    def entropy(self, outputs: Tensor, avail: Tensor) -> Tensor:
        """Entropy of the policy. (...)"""

    def kl(self, p: Tensor, q: Tensor, avail: Tensor) -> Tensor:
        """KL(p || q) of the policies that two outputs mean. (...)"""

    def retraced(self, outputs: Tensor, avail: Tensor, actions: Tensor) -> Tensor:
        """Stored actions, as `relaxed` would have drawn them with the noise that explains them.

        The value is that of `vector`, the gradient that of `relaxed`. (..., A)
        """

    def of(self, agent: int) -> ActionHead:
        """The same for the rows of one agent, (..., 1, A)."""

    def has_choice(self, avail: Tensor) -> Tensor:
        """Where the policy decides anything: a dead agent's only action is no choice. (...)"""

    def vector(self, actions: Tensor) -> Tensor:
        """Stored actions as `relaxed` represents them. (..., A)"""

    def stored(self, vectors: Tensor) -> Tensor:
        """The inverse of `vector`: what the batch holds. (..., 1 or A)"""

    def differ(self, vectors: Tensor, others: Tensor) -> Tensor | None:
        """Where two actions are not the same (...); None if they never are."""

    def to_played(self, stored: Tensor) -> Tensor:
        """Stored actions as environments and PyMARL's selectors speak of them. (...) or (..., A)"""

    def to_stored(self, played: Tensor) -> Tensor:
        """The inverse of `to_played`."""

    # Choosing. Preferences are what a selector chooses by: values, or what a policy draws from.

    def preferences(self, outputs: Tensor, avail: Tensor, floor: float | None = None) -> Tensor:
        """Raw outputs made fit to choose by; probabilities may be mixed with a uniform `floor`."""

    def most_preferred(self, preferences: Tensor, avail: Tensor) -> Tensor:
        """The greedy action, as it is played."""

    def sample(self, preferences: Tensor, avail: Tensor) -> Tensor:
        """An action drawn from the policy, as it is played."""

    def repeatable(self, avail: Tensor, greedy: bool) -> Callable[[Tensor], Tensor]:
        """`most_preferred` or `sample` by noise that is drawn now, avail (b, N, A).

        The function returned takes outputs (b, N, A') to actions as vectors (b, N, A).
        """

    def uniform(self, avail: Tensor) -> Tensor:
        """An action drawn without regard to any policy, as it is stored."""


def build_head(args: SimpleNamespace) -> ActionHead:
    """The head for the environment's kind of actions.

    Continuous policies are deterministic, with noise, unless the selector samples policies.
    """
    if args.action_kind == "continuous":
        stochastic = args.action_selector == "soft_policies"
        head = GaussianHead if stochastic else ContinuousHead
        return head(args.action_low, args.action_high, args.act_noise)
    return DiscreteHead(
        args.n_actions, args.agent_output_type == "pi_logits", args.mask_before_softmax
    )
