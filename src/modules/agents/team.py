"""Networks that see a whole team at once, act for each of its agents, and judge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from components.minibatch import Running
from controllers import REGISTRY as CONTROLLERS
from modules.attention import Weighing
from utils.errors import UserError
from utils.needs import Given, Needs

States = tuple[Callable[[], Tensor], ...]  # what memories are after each slot, once asked (R, L, X)


class Encoded(NamedTuple):
    """What follows from the observations alone, whatever the actions of the slot."""

    features: Tensor  # (R, L, N, H)
    values: Callable[[], Tensor]  # once asked, for who acts needs none (R, L, N)
    start: tuple[Tensor, ...] = ()  # the memory that rows begin with, as its network knows it
    states: States = ()


class Decoded(NamedTuple):
    """What follows from the encoded observations and the actions of the slot."""

    outputs: Tensor  # (R, L, N, A')
    states: States = ()


def team_network(agent: type, given: Given) -> None:
    """Refuse a team network where somebody asks each agent for itself, and odd sizes."""
    if not getattr(CONTROLLERS[given["mac"]], "judges", False):
        raise UserError(
            f"agent={given['agent']} sees all agents' rows at once, and mac={given['mac']} gives "
            "each agent its own. Type mac=team_mac learner=team_learner."
        )
    width, n_heads = given["rnn_hidden_dim"], given["n_heads"]
    if width % n_heads:
        raise UserError(
            f"n_heads={n_heads} does not divide rnn_hidden_dim={width}, so the heads of "
            f"agent={given['agent']} cannot share its width. Type rnn_hidden_dim="
            f"{-(-width // n_heads) * n_heads}, or another n_heads."
        )


AGENT, ACTION = "agent", "action of agent"  # what tokens stand for; the first action is nobody's


class AttentionMap(NamedTuple):
    """Where tokens of a network attend to each other, and what queries and keys are made of."""

    name: str
    module: Weighing
    queries: str = AGENT
    keys: str = AGENT


class TeamNetwork(nn.Module):
    """Observations are encoded once a slot, and decoded as often as agents act.

    Rows of inputs hold what each agent sees and, where a batch is learned from, its own action of
    the slot (..., N, F + A); the network decides who hears whom.
    """

    needs = Needs(demands=(team_network,), uses=frozenset({"n_blocks", "n_heads"}))

    hears: ClassVar[bool] = True  # whether agents' outputs depend on the actions of those before
    recurrent = False

    def __init__(
        self, n_inputs: int, n_actions: int, n_outputs: int, args: SimpleNamespace
    ) -> None:
        """Widths of what an agent sees, of its action as a vector, and of its outputs."""
        super().__init__()
        self.n_inputs, self.n_actions, self.n_outputs = n_inputs, n_actions, n_outputs
        self.n_agents, self.width = args.n_agents, args.rnn_hidden_dim

    def encode(self, own: Tensor, start: Tensor | None = None) -> Encoded:
        """own (R, L, N, F), start (R, N, M)"""
        raise NotImplementedError

    def decode(self, encoded: Encoded, actions: Tensor) -> Decoded:
        """Outputs of agents that hear those of the `actions` (R, L, N, A) that come before."""
        raise NotImplementedError

    def attention_maps(self) -> Iterator[AttentionMap]:
        """In the order in which they are computed."""
        return iter(())

    # Memory

    @property
    def memory_size(self) -> int:
        """Numbers an agent; those without memory have one, too, which stays 0."""
        return 1

    def init_hidden(self) -> Tensor:
        """Blank, shared out among the agents. (N, M)"""
        return next(self.parameters()).new_zeros(self.n_agents, self.memory_size)

    def remember(self, encoded: Encoded, decoded: Decoded) -> Tensor:
        """The memory after each slot. (R, L, N, M)"""
        R, L = encoded.features.shape[:2]
        return self.init_hidden().expand(R, L, -1, -1)

    # As other agents

    def both(self, inputs: Tensor, start: Tensor | None) -> tuple[Encoded, Decoded]:
        """Rows with actions (R, L, N, F + A)."""
        own, actions = self.own_and_actions(inputs)
        encoded = self.encode(own, start)
        return encoded, self.decode(encoded, actions)

    def own_and_actions(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """(..., N, F + A) -> (..., N, F), (..., N, A)"""
        own, actions = inputs.tensor_split([self.n_inputs], dim=-1)
        return own, actions

    def in_whole_passes(self, inputs: Tensor, start: Tensor | None = None) -> Tensor:
        """Outputs as of `unroll`, for which each of `attention_maps` is asked once for a slot's
        tokens all together. (R, L, N, F + A) -> (R, L, N, A')
        """
        return self.unroll(inputs, start)[0]

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """One slot: inputs (B*N, F + A), hidden (..., M) -> outputs (B*N, A'), hidden (B*N, M)"""
        N = self.n_agents
        rows = inputs.reshape(-1, 1, N, inputs.shape[-1])  # (B, 1, N, F + A)
        outputs, hidden = self.unroll(rows, hidden_state.reshape(len(rows), N, -1))
        return outputs.flatten(0, 2), hidden.flatten(0, 2)

    def unroll(
        self, inputs: Tensor, start: Tensor | None = None, running: Running = None
    ) -> tuple[Tensor, Tensor]:
        """inputs (R, L, N, F + A) -> outputs (R, L, N, A'), memory (R, L, N, M)"""
        encoded, decoded = self.both(inputs, start)
        return decoded.outputs, self.remember(encoded, decoded)


def maps_of_decoder(blocks: Iterable[Any]) -> Iterator[AttentionMap]:
    """Of blocks that hear actions."""
    for i, block in enumerate(blocks, start=1):
        yield AttentionMap(f"decoder {i}", block.among_actions, ACTION, ACTION)
        yield AttentionMap(f"decoder {i} to actions", block.to_actions, keys=ACTION)


def is_team_network(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, TeamNetwork)


def of_inputs(norm: Callable[[int], nn.Module], n_inputs: int) -> nn.Module:
    """The normalisation of what agents are given. A single number would become a constant by it."""
    return norm(n_inputs) if n_inputs > 1 else nn.Identity()


def shifted(actions: Tensor) -> Tensor:
    """What each agent hears first: the token of the one before, or that it begins.

    (..., N, A) -> (..., N, 1 + A)
    """
    tokens = F.pad(actions[..., :-1, :], (1, 0, 1, 0))
    tokens[..., 0, 0] = 1
    return tokens
