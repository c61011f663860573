"""Networks of agents that are told what others do in the same slot (ARMAPPO, BPPO)."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.minibatch import Running
from modules.agents.separate import SeparateAgents


class HearingAgent(Protocol):
    """A network that encodes once a slot, and decodes as often as others have acted.

    `forward` and `unroll`, which are those of any agent, encode: what they give first are features,
    not outputs. Memory hears no actions of the slot, so it goes on once a slot.
    """

    hears: bool  # True, also as an attribute of the class: nothing has to be wrapped around it

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """One slot: inputs (B*N, F), hidden (..., H) -> features (B*N, X), hidden (B*N, H)"""

    def unroll(
        self, inputs: Tensor, start: Tensor | None = None, running: Running = None
    ) -> tuple[Tensor, Tensor]:
        """inputs (R, L, N, F) -> features (R, L, N, X), hidden (R, L, N, H)"""

    def decode(self, features: Tensor, actions: Tensor, listens: Tensor) -> Tensor:
        """Outputs (..., N, A') of agents with `features` (..., N, X) that hear some `actions`.

        actions (..., N, A) are vectors; listens (N, N) or (..., N, N), 1 at [i, j] if i hears j.
        """


class Conditioned(nn.Module):
    """Agents of any class, and what tells them: one teller for all, or one each, or none.

    With `told_through: head` features are the agents' own outputs, to which what is heard is
    added: an agent that hears nobody is the plain one, bit for bit. With `projection` they are
    those before the agents' last layer, which is left out.
    """

    hears = True

    def __init__(self, base: Any, make_teller: Callable[[], nn.Module], n_tellers: int) -> None:
        super().__init__()
        self.base = base
        self.recurrent = bool(getattr(base, "recurrent", True))
        self.tellers = nn.ModuleList([make_teller() for _ in range(n_tellers)])

    def network_of(self, agent: int) -> Any:
        """By which the agent encodes."""
        return self.base.network_of(agent)

    def parameters_of(self, agent: int) -> list[nn.Parameter]:
        """Those of its network and of its teller, if there is one each."""
        own: list[nn.Parameter] = self.base.parameters_of(agent)
        return own + list(self.tellers[agent : agent + 1].parameters())

    def init_hidden(self) -> Tensor:
        return self.base.init_hidden()

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        return self.base(inputs, hidden_state)

    def unroll(
        self, inputs: Tensor, start: Tensor | None = None, running: Running = None
    ) -> tuple[Tensor, Tensor]:
        return self.base.unroll(inputs, start, running)

    def decode(self, features: Tensor, actions: Tensor, listens: Tensor) -> Tensor:
        if not self.tellers:
            return features
        if len(self.tellers) == 1:
            return self.tellers[0](features, actions, listens, slice(None))
        each = [
            self.decode_alone(i, features[..., i : i + 1, :], actions, listens)
            for i in range(len(self.tellers))
        ]
        return torch.cat(each, dim=-2)  # (..., N, A')

    def decode_alone(
        self, agent: int, features: Tensor, actions: Tensor, listens: Tensor
    ) -> Tensor:
        """The same of one agent with `features` (..., 1, X), where each has its own teller."""
        if not self.tellers:
            return features
        own = slice(agent, agent + 1)
        outputs: Tensor = self.tellers[agent](features, actions, listens[..., own, :], own)
        return outputs  # (..., 1, A')


class HeadTeller(nn.Module):
    """Adds what is heard to the outputs: the same as concatenation before the last layer."""

    def __init__(self, n_agents: int, action_size: int, n_outputs: int) -> None:
        super().__init__()
        self.fc = nn.Linear(n_agents * action_size, n_outputs, bias=False)

    def forward(self, features: Tensor, actions: Tensor, listens: Tensor, own: slice) -> Tensor:
        return features + heard(self.fc.weight, actions, listens)


class ProjectionTeller(nn.Module):
    """What is heard, and the agent's number, go through two layers; with the features they are
    summed, and the sum is normalised.

    This is BPPO's network; docs/ordered-policies.md has what it changes on matrix games.
    """

    def __init__(self, n_agents: int, action_size: int, width: int, n_outputs: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(n_agents * action_size + n_agents, width)
        self.fc2 = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.fc3 = nn.Linear(width, n_outputs)

    def forward(self, features: Tensor, actions: Tensor, listens: Tensor, own: slice) -> Tensor:
        n_agents = actions.shape[-2]
        of_actions, of_ids = self.fc1.weight.tensor_split([-n_agents], dim=1)
        told = heard(of_actions, actions, listens) + of_ids.t()[own] + self.fc1.bias
        told = F.relu(self.fc2(F.relu(told)))  # (..., n, H)
        return self.fc3(self.norm(features + told))


def heard(weight: Tensor, actions: Tensor, listens: Tensor) -> Tensor:
    """A layer over all agents' actions side by side, where those that are not heard are zeros.

    What each action adds is computed once and summed for each agent: N x N actions in every slot
    would fill the memory. weight (H, N*A), actions (..., N, A), listens (..., n, N) -> (..., n, H)
    """
    by_agent = weight.unflatten(1, actions.shape[-2:])  # (H, N, A)
    each = torch.einsum("...ja,hja->...jh", actions, by_agent)  # (..., N, H)
    return listens.to(each) @ each


def conditioned(
    base: Any, action_size: int, n_outputs: int, listens: Tensor, args: SimpleNamespace
) -> Conditioned:
    """Around `base`, which is of an agent class or `SeparateAgents`, as `told_through` says.

    `listens` (N, N) is whom each agent may ever hear.
    """
    n_agents, width = args.n_agents, args.rnn_hidden_dim
    n_tellers = n_agents if isinstance(base, SeparateAgents) else 1
    if args.told_through == "head":
        if not listens.any():  # nothing is added, and there is nothing to learn
            n_tellers = 0
        return Conditioned(base, lambda: HeadTeller(n_agents, action_size, n_outputs), n_tellers)
    base.without_outputs()
    return Conditioned(
        base, lambda: ProjectionTeller(n_agents, action_size, width, n_outputs), n_tellers
    )
