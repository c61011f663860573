"""K levels in turns: a level is a sweep over the agents, each answering those before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from learners.klevel import KLevelActors, KLevels
from learners.klevel_trace import Trace
from learners.objective import Actors, ActorStep, Drawing, about_levels
from learners.optim import Gradients, flatten
from policies.contract import Policy


class TurnObjective(Protocol):
    """The agents' objectives J_i(own_i, others_-i) one by one, as losses."""

    @property
    def own(self) -> Tensor: ...  # (B, T, N, ...)

    def in_turn(self, agent: int, others: Tensor) -> Tensor:
        """Minus J_i of agent i; `others`, shaped as `own`, is constant, and its place i unused."""

    def diagnostics(self, others: Tensor | None) -> Mapping[str, Tensor | float]:
        """As of an `Objective`."""


RespondAlone = Callable[[Actors, Drawing, int], Tensor]  # what one agent does (B, T, 1, ...)
Order = Sequence[tuple[int, Sequence[nn.Parameter]]]  # agents, and what moves in their turns


class Swept(NamedTuple):
    """What one sweep of agents did."""

    loss: Tensor  # the turns' mean
    norm: Tensor  # of all gradients together, before clipping
    gradient: Tensor  # of all turns


def sweep(
    objective: TurnObjective,
    answer: Callable[[int], Tensor],
    order: Order,
    others: Tensor,
    params: Sequence[nn.Parameter],
    move: Callable[[Gradients], Tensor],
) -> Swept:
    """Each agent's turn: a step against `others` (B, T, N, ...), and its new answer among them."""
    losses, norms, slopes = [], [], []
    for agent, own in order:
        loss = objective.in_turn(agent, others)
        found = torch.autograd.grad(loss, own, retain_graph=True, allow_unused=True)
        slopes.append(flatten([slope for slope in found if slope is not None]))
        of = dict(zip(own, found, strict=True))
        norms.append(move([of.get(param) for param in params]))
        with torch.no_grad():
            others[:, :, agent : agent + 1] = answer(agent)
        losses.append(loss.detach())
    return Swept(torch.stack(losses).mean(), torch.stack(norms).norm(), torch.cat(slopes))


class Sweeps(KLevels[Actors]):
    """Levels of agents that step one after the other."""

    def step_in_turns(
        self,
        objective: TurnObjective,
        respond: RespondAlone[Actors],
        order: Order,
        t_env: int,
        diagnose: bool = False,
    ) -> ActorStep:
        """`step` where a level is a sweep: agents step one after the other, as in HAPPO.

        Agent i answers x(k) of those before it in `order` and x(k - 1) of those after it, where
        `step` answers x(k - 1) of all (Gauss-Seidel, and Jacobi). Each x_i(k) starts at theta_i.
        """
        K = self.schedule.at(t_env) if len(order) > 1 else 1
        trace = Trace(self.params, self.args, self.scale) if diagnose else None
        others, swept = objective.own.detach().clone(), []
        for level in range(1, K + 1):
            actors = self.shadow if level < K else self.actors
            answer = partial(respond, actors, self.drawing)
            swept.append(sweep(objective, answer, order, others, self.params, self.mover(level, K)))
            if trace:
                trace.note_gradients([swept[-1].gradient])
                trace.note_step(swept[-1].norm, self.shadow_params if level < K else self.params)
        loss, norm = swept[0].loss, swept[-1].norm
        if not trace:
            return ActorStep(loss, norm)
        found = {**trace.summary(), **objective.diagnostics(others)}
        return ActorStep(loss, norm, about_levels(found))


class KLevelTurns(KLevelActors):
    """`KLevelActors` for learners whose agents step one after the other."""

    needs = KLevelActors.needs
    kind: ClassVar[type[KLevels[Policy]]] = Sweeps
    levels: Sweeps[Policy]

    def step_in_turns(
        self,
        objective: TurnObjective,
        respond: RespondAlone[Policy],
        order: Order,
        t_env: int,
        diagnose: bool,
    ) -> ActorStep:
        """One step of all agents in `order`, with what sweeps did if that is asked for."""
        step = self.levels.step_in_turns(objective, respond, order, t_env, diagnose)
        self.note_norm(step.grad_norm)
        return step
