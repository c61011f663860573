"""The policies of controllers written for PyMARL, and of subclasses of ours."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from components.action_heads import ActionHead, build_head
from components.drawn import Drawn
from components.minibatch import Index, Minibatch, View, Views
from policies.contract import Observed, PlainPolicy, Policy
from policies.in_place import in_place
from pymarl.acting import Acting
from pymarl.agents import takes_teams, unrolling
from utils.errors import UserError

# What PyMARL's runners and learners call.
CALLED = ("forward", "select_actions", "init_hidden", "_build_inputs")
EVERY_ROW: Any = slice(None)
# What earlier versions called, so that a subclass may still define it.
UNCALLED = {
    "build_all_inputs": "_build_inputs",
    "inputs_at": "_build_inputs",
    "unroll": "forward",
    "interpret": "forward",
}


class ForeignPolicy(PlainPolicy):
    """Asks a controller as PyMARL's runners and learners do, slot by slot."""

    packs = False

    def __init__(self, mac: Any) -> None:
        self.mac, self.args = mac, mac.args
        self.n_agents: int = mac.n_agents
        self.head: ActionHead = build_head(mac.args)
        ours = getattr(mac, "policy", None)
        self._unrolling = unrolling(mac.agent, ours.takes_teams if ours else self._finds_teams)
        self.recurrent = bool(getattr(self._unrolling, "recurrent", True))
        self._acting = Acting(mac, mac.args)

    @property
    def agent(self) -> Any:
        return self.mac.agent

    # Acting

    def blank_memory(self, n_episodes: int) -> Any:
        self.mac.init_hidden(n_episodes)
        return self.mac.hidden_states

    def act(
        self,
        seen: Observed,
        memory: Any,
        t_env: int,
        testing: bool = False,
        rows: Any = EVERY_ROW,
    ) -> tuple[Tensor, Any]:
        self.mac.hidden_states = memory
        played = self._acting.choose(self.mac, seen.batch, seen.t, t_env, rows, testing)
        return self.head.to_stored(played), self.mac.hidden_states

    def for_tests(self) -> ForeignPolicy:
        twin = copy.copy(self)
        twin.mac = copy.copy(self.mac)
        own = vars(twin.mac)
        if "action_selector" in own:
            own["action_selector"] = copy.deepcopy(own["action_selector"])
        return twin

    @property
    def epsilon(self) -> float | None:
        return getattr(getattr(self.mac, "action_selector", None), "epsilon", None)

    # Learning

    def views(self, minibatch: Minibatch) -> Views:
        batch = minibatch.batch
        return in_place(self.whole(batch, batch.max_seq_length), minibatch.steps)

    def whole(self, batch: Any, n_slots: int) -> View:
        return View(*self._inputs(batch, n_slots))

    def _inputs(self, batch: Any, n_slots: int) -> tuple[Any, Any]:
        """Those of the first slots (B, T, N, F), and the memory before."""
        B, N = batch.batch_size, self.n_agents
        slots = [self.mac._build_inputs(batch, t).reshape(B, N, -1) for t in range(n_slots)]
        return torch.stack(slots, dim=1), self.blank_memory(B)

    def _finds_teams(self, n_inputs: int, memory: Tensor | None) -> bool:
        sizes = n_inputs, self.n_agents, self.head.n_outputs
        return takes_teams(self.agent, *sizes, self.args.agent, memory)

    def unroll(self, view: View) -> tuple[Tensor, Tensor]:
        outputs, memory = self._unrolling.unroll(view.inputs, view.start, view.running)
        return asked(outputs, view.asked), memory

    def outputs(self, view: View) -> Tensor:
        return self.unroll(view)[0]

    def both_outputs(self, views: Views) -> tuple[Tensor, Tensor]:
        outputs = self.outputs(views.all)
        return asked(outputs, views.now.asked), asked(outputs, views.next.asked)

    def greedy(self, view: View, avail: Tensor) -> Tensor:
        return self.head.mode(self.outputs(view), avail)

    def draw(
        self, view: View, avail: Tensor, noise: Tensor | None = None, hard: bool = True
    ) -> Drawn:
        return self.head.draw(self.outputs(view), avail, noise, hard)

    def evaluate(self, view: View, avail: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.outputs(view)
        return self.head.log_prob(outputs, avail, actions), outputs

    def probabilities(self, view: View, avail: Tensor) -> Tensor:
        return self.head.preferences(self.outputs(view), avail, self.epsilon)

    # Networks

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def parameters(self) -> Iterator[nn.Parameter]:
        return self.mac.parameters()


class ForwardPolicy(ForeignPolicy):
    """Of controllers whose `forward` is their own: it says values, or probabilities."""

    def _inputs(self, batch: Any, n_slots: int) -> tuple[Any, Any]:
        return (batch, n_slots), None

    def unroll(self, view: View) -> tuple[Tensor, Tensor]:
        batch, n_slots = view.inputs
        mac, B = self.mac, batch.batch_size
        mac.init_hidden(B)
        outputs, memory = [], []
        for t in range(n_slots):
            outputs.append(mac.forward(batch, t=t).reshape(B, self.n_agents, -1))
            held = outputs[-1][..., :0] if mac.hidden_states is None else mac.hidden_states
            memory.append(held.reshape(B, self.n_agents, -1))
        whole = torch.stack(outputs, dim=1)
        return asked(whole, view.asked), torch.stack(memory, dim=1)

    def probabilities(self, view: View, avail: Tensor) -> Tensor:
        return self.outputs(view)


def policy_of(mac: Any, reads: str = "outputs") -> Policy:
    """The policy behind a controller.

    What learners read of it are its raw "outputs", the "probabilities" that it acts by, or "rows"
    of inputs that it can be asked about again.
    """
    ours = hasattr(type(mac), "replaced")
    own = type(mac).replaced() if ours else CALLED
    if ours:
        refuse_uncalled(mac)
    if not own:
        policy: Policy = mac.policy
        return policy
    if "forward" not in own:
        return ForeignPolicy(mac)
    values = reads == "outputs" and mac.args.agent_output_type == "q"
    if values or reads == "probabilities":
        return ForwardPolicy(mac)
    if ours:
        raise UserError(
            f"mac={mac.args.mac} has a `forward` of its own, and learner={mac.args.learner} asks "
            "the networks themselves, for their raw outputs. Put what is special into the agent, "
            "or into `_build_inputs`."
        )
    return ForeignPolicy(mac)


def refuse_uncalled(mac: Any) -> None:
    for name, instead in UNCALLED.items():
        if hasattr(mac, name):
            raise UserError(
                f"mac={mac.args.mac} defines {name}, which nothing calls. Override {instead}."
            )


def asked(values: Tensor, slots: Index | None) -> Tensor:
    """Of whole rows (B, T+1, ...) those slots that a view of them asks for; None is all."""
    return values if slots is None else slots(values)
