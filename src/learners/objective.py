"""What actors maximise: objectives J_i of one's own actions and of the others', on one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from components.action_heads import ActionHead
from components.minibatch import Minibatch


class Parametrised(Protocol):
    def parameters(self) -> Iterator[nn.Parameter]: ...


class Drawing(NamedTuple):
    """How the others' actions are drawn, where what agents do is to draw actions."""

    fresh: bool = False  # with new random numbers, not with those of one's own actions
    hard: bool = True  # one-hot actions, not relaxed ones

    @classmethod
    def of(cls, args: SimpleNamespace) -> Drawing:
        return cls(fresh=args.k_noise == "fresh", hard=args.k_level_action == "hard")


Actors = TypeVar("Actors", bound=Parametrised)  # a policy, or what the theory has for one
Respond = Callable[[Actors, Drawing], Tensor]  # what the agents of a policy do on the batch


class Objective(Protocol):
    """The agents' objectives J_i(own_i, others_-i) on one batch, added up, as losses.

    `own` is what the agents do at their current parameters, with its graph.
    """

    @property
    def own(self) -> Tensor: ...  # (B, T, N, ...)

    def base(self) -> Tensor:
        """The base algorithm's loss: everybody plays `own`."""

    def against(self, others: Tensor) -> Tensor:
        """Minus the sum over i of J_i(own_i, others_-i); `others`, shaped as `own`, is constant."""

    def diagnostics(self, others: Tensor | None) -> Mapping[str, Tensor | float]:
        """What the log should know of the others' last answer, None if they gave none."""


@dataclass
class ActorStep:
    """What one update of the actors did."""

    loss: Tensor  # the base algorithm's, at level 1
    grad_norm: Tensor  # of the last level, before clipping
    diagnostics: Mapping[str, Tensor | float] = field(default_factory=dict)


def about_levels(found: Mapping[str, Tensor | float]) -> dict[str, Tensor | float]:
    """Under the names by which the log shows what levels do, or could do."""
    return {f"k/{key}": value for key, value in found.items()}


def joint_of(own: Tensor, others: Tensor) -> Tensor:
    """joint[:, :, i, j] = own_j if i = j else others_j: row i is what agent i's objective sees.

    own, others (B, T, N, ...) -> (B, T, N, N, ...)
    """
    N = own.shape[2]
    is_own = torch.eye(N, dtype=torch.bool, device=own.device)
    is_own = is_own.reshape(N, N, *[1] * (own.ndim - 3))
    return torch.where(is_own, own.unsqueeze(2), others.unsqueeze(2))


class CriticObjective:
    """What objectives by a critic have in common; `level0` is what level 1 takes others to do."""

    def __init__(
        self,
        own: Tensor,
        level0: Tensor,
        minibatch: Minibatch,
        head: ActionHead,
        args: SimpleNamespace,
    ) -> None:
        self.own, self.level0 = own, level0  # (1, n, N, A)
        self._mask, self._head, self._args = minibatch.mask, head, args  # (1, n, 1)
        # FACMAC's L2 penalty on continuous actions.
        self._penalty: Tensor | float = 0.0
        if args.action_l2:
            self._penalty = args.action_l2 * self.mean(own.square().mean(dim=(2, 3)).unsqueeze(2))

    def base(self) -> Tensor:
        raise NotImplementedError

    def against(self, others: Tensor) -> Tensor:
        raise NotImplementedError

    def reward_entropy(self, entropy: Tensor) -> None:
        """Each J_i becomes J_i + entropy_coef H(pi_i). entropy (1, n, N)"""
        self._penalty = self._penalty - self._args.entropy_coef * self.mean(entropy)

    def loss_of(self, values: Tensor) -> Tensor:
        """values (1, n, X), which add up"""
        return self._penalty - self.mean(values)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over steps of the sum over the last dimension. (1, n, X) -> ()"""
        return (values * self._mask).sum() / self._mask.sum()

    def diagnostics(self, others: Tensor | None) -> dict[str, Tensor]:
        """The share of actions that differ from those that level 1 answered."""
        changed = None if others is None else self._head.differ(others, self.level0)  # (1, n, N)
        if changed is None:
            return {}
        return {"changed": self.mean(changed.float().mean(dim=2, keepdim=True))}


def by_agent(value_of: Callable[[Tensor], Tensor], actions: Tensor) -> Tensor:
    """`value_of` at `actions` (B, T, N, A), with the slopes of each agent's own action.

    A critic is so passed back once, not at each level. `value_of` gives each agent a value that
    depends on its action alone (B, T, N), or all of them that of the joint action (B, T, 1): one
    gradient of the sum has all slopes. -> (B, T, N)
    """
    shape = actions.shape[:-1]
    if not actions.requires_grad:
        return value_of(actions).expand(shape)
    constant = actions.detach().requires_grad_()
    values = value_of(constant)
    (slopes,) = torch.autograd.grad(values.sum(), constant)
    return _Along.apply(actions, values.detach().expand(shape), slopes)


class _Along(torch.autograd.Function):
    """`values` (...) of `actions` (..., A), along which they have these `slopes` (..., A)."""

    @staticmethod
    def forward(ctx: Any, actions: Tensor, values: Tensor, slopes: Tensor) -> Tensor:
        ctx.save_for_backward(slopes)
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_values: Tensor) -> tuple[Tensor, None, None]:
        (slopes,) = ctx.saved_tensors
        return slopes * d_values.unsqueeze(-1), None, None
