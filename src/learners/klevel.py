"""K-level policy gradients (Algorithms 1 and 2): the one place where levels are taken.

An ordinary policy gradient answers the other agents' old policies. Level k takes the same step
from the same parameters theta against the others as they are after level k - 1:

    theta_i(k) = Omega(theta_i, grad_theta_i J_i(theta_i, theta_-i(k-1))),   k = 1 .. K

where Omega is the optimiser's step from its state before the update. Level 1 is the base algorithm.

Levels below K are played by a copy of the actors and of their optimiser, the "shadow". The real
ones move once, with the gradient of level K, so there is nothing to roll back.
All agents step together: with the others frozen, the gradient of the sum of all J_i with respect
to agent i's parameters is that of J_i alone, so one backward pass a level serves all agents.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from functools import partial
from types import SimpleNamespace
from typing import Any, ClassVar, Generic

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from components.scheme import Scheme
from controllers.contract import MAC
from learners.demands import KLevel, levels_well_formed, scale_well_formed, stages_of
from learners.klevel_guard import NormGuard
from learners.klevel_trace import Trace
from learners.objective import Actors, ActorStep, Drawing, Objective, Respond, about_levels
from learners.optim import Gradients, take_step
from learners.policy_learner import PolicyLearner
from policies.contract import Policy
from utils.logging import Logger
from utils.needs import Needs

DISCRETE_ACTIONS = Drawing()


class KLevels(Generic[Actors]):
    """Steps the actors of `policy` by K-level gradients; `optimiser` is theirs.

    `k_opt_state` is the optimiser state that a level below K starts from: "rollback", that before
    the update (Algorithm 2); "carry", that after the level below, and level K goes on from it;
    "per_level", what the same level left in the update before, so that steps at level k are scaled
    by gradients of level k.
    """

    def __init__(
        self,
        policy: Actors,
        optimiser: Optimizer,
        make_optimiser: Callable[[Iterable[nn.Parameter]], Optimizer],
        args: SimpleNamespace,
        drawing: Drawing = DISCRETE_ACTIONS,
    ) -> None:
        self.args, self.optimiser, self.drawing, self.actors = args, optimiser, drawing, policy
        self.schedule = LevelSchedule(args.k_level)
        self.guard = NormGuard() if args.k_keep_norm else None
        self.horizon = 1  # steps that are left of the round, this one included
        self.shadow = copy.deepcopy(policy)
        self.params: list[nn.Parameter] = list(policy.parameters())
        self.shadow_params: list[nn.Parameter] = list(self.shadow.parameters())
        n_states = self.schedule.highest - 1 if args.k_opt_state == "per_level" else 1
        self.shadow_optimisers = [make_optimiser(self.shadow_params) for _ in range(n_states)]

    def step(
        self, objective: Objective, respond: Respond[Actors], t_env: int, diagnose: bool = False
    ) -> ActorStep:
        """One update of the actors; `diagnose` also measures what the levels did."""
        alone = objective.own.shape[2] == 1  # nobody to answer
        K = 1 if alone else self.schedule.at(t_env)
        trace = Trace(self.params, self.args, self.scale) if diagnose else None
        base = loss = objective.base()
        others = None
        for level in range(1, K):
            gradients = torch.autograd.grad(loss, self.params, retain_graph=True, allow_unused=True)
            if trace:
                trace.note_gradients(gradients)
            norm = self.mover(level, K)(gradients)
            with torch.no_grad():
                others = respond(self.shadow, self.drawing)
            if trace:
                trace.note_step(norm, self.shadow_params)
            loss = objective.against(others)
        gradients = torch.autograd.grad(loss, self.params, allow_unused=True)
        if trace:
            trace.note_gradients(gradients)
        norm = self.mover(K, K)(gradients)
        if not trace:
            return ActorStep(base.detach(), norm)
        trace.note_step(norm, self.params)
        found = {**trace.summary(), **objective.diagnostics(others)}
        return ActorStep(base.detach(), norm, about_levels(found))

    @property
    def scale(self) -> float:
        """Of the steps that the others are expected to take."""
        given: float | str = self.args.k_lookahead_scale
        return self.horizon if isinstance(given, str) else given

    def mover(self, level: int, K: int) -> Callable[[Gradients], Tensor]:
        """Begin a level: what steps its actors by gradients, and says their unclipped norm.

        Below K the shadow steps, from where the real actors are; at K the real ones do.
        """
        guard = self.guard if K > 1 else None
        if level < K:
            optimiser = self._begin(level)
            if guard is None or level > 1:
                return partial(self._look_ahead, optimiser)
            return lambda g: self._look_ahead(optimiser, guard.noted(g))
        if K > 1 and self.args.k_opt_state == "carry":
            copy_state(self.shadow_optimisers[0], self.optimiser)
        clip = self.args.grad_norm_clip
        if guard is None:
            return lambda g: take_step(self.optimiser, self.params, g, clip)
        return lambda g: take_step(self.optimiser, self.params, guard.kept(g), clip)

    def _begin(self, level: int) -> Optimizer:
        """The shadow where the real actors are, and its optimiser in the level's state."""
        kept = self.args.k_opt_state
        own_state = kept == "per_level"
        optimiser = self.shadow_optimisers[level - 1 if own_state else 0]
        newly_opened = own_state and not optimiser.state
        if newly_opened or kept == "rollback" or (level == 1 and not own_state):
            copy_state(self.optimiser, optimiser)
        copy_settings(self.optimiser, optimiser)
        self._put_shadow(lambda shadow, param: param)
        return optimiser

    def _look_ahead(self, optimiser: Optimizer, gradients: Gradients) -> Tensor:
        """Put the shadow where one step leads those that have gradients."""
        args, scale = self.args, self.scale
        clip = args.grad_norm_clip if args.k_clip_each_level else float("inf")
        norm = take_step(optimiser, self.shadow_params, gradients, clip)
        if scale != 1.0:
            self._put_shadow(lambda shadow, param: param + scale * (shadow - param), gradients)
        return norm

    @torch.no_grad()
    def _put_shadow(
        self, where: Callable[[Tensor, Tensor], Tensor], gradients: Gradients | None = None
    ) -> None:
        """All of it, or what has a gradient; the rest has not moved, or did so in its own turn."""
        for i, (shadow, param) in enumerate(zip(self.shadow_params, self.params, strict=True)):
            if gradients is None or gradients[i] is not None:
                shadow.copy_(where(shadow, param))

    def state_dict(self) -> dict[str, Any]:
        """Only "per_level" states outlive an update."""
        return {"optimisers": [each.state_dict() for each in self.shadow_optimisers]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for optimiser, saved in zip(self.shadow_optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)


class KLevelActors(PolicyLearner):
    """Makes a learner K-level: to be named before the learner among a class's bases.

    The learner steps its actors by `step_actors(objective, respond, ...)`; here that takes levels.
    """

    needs = Needs(
        demands=(levels_well_formed, scale_well_formed),
        uses=frozenset(
            {"k_level", "k_opt_state", "k_lookahead_scale", "k_clip_each_level", "k_keep_norm"}
        ),
    )
    stateful = ("levels",)
    kind: ClassVar[type[KLevels[Policy]]] = KLevels
    has_horizon: ClassVar[bool] = False  # whether it counts the steps that a round has left
    default_actor_optimizer: str | None = "rmsprop"  # the paper's: momentum misleads the look-ahead

    def __init__(self, mac: MAC, scheme: Scheme, logger: Logger, args: SimpleNamespace) -> None:
        super().__init__(mac, scheme, logger, args)
        self.levels = self.kind(
            self.policy,
            self.agent_optimiser,
            self.make_agent_optimiser,
            args,
            Drawing.of(args) if self.draws_actions else DISCRETE_ACTIONS,
        )

    def step_actors(
        self, objective: Objective, respond: Respond[Policy], t_env: int, diagnose: bool
    ) -> ActorStep:
        step = self.levels.step(objective, respond, t_env, diagnose)
        self.note_norm(step.grad_norm)
        return step

    def cuda(self) -> None:
        super().cuda()
        self.levels.shadow.agent.cuda()


# ---------------------------------------------------------------- optimisers


def copy_state(source: Optimizer, target: Optimizer) -> None:
    """Give `target` a copy of `source`'s state; none if `source` has not stepped yet.

    `load_state_dict` would not do: it keeps the tensors it is given, so the next step of one
    optimiser would change the other's state.
    """
    for of_source, of_target in zip(params_of(source), params_of(target), strict=True):
        if of_source not in source.state:
            target.state.pop(of_target, None)
            continue
        target.state[of_target] = {
            key: value.clone() if isinstance(value, Tensor) else value
            for key, value in source.state[of_source].items()
        }


def copy_settings(source: Optimizer, target: Optimizer) -> None:
    """Learning rates and the like, which a schedule may have changed."""
    for of_source, of_target in zip(source.param_groups, target.param_groups, strict=True):
        of_target.update({key: value for key, value in of_source.items() if key != "params"})


def params_of(optimiser: Optimizer) -> list[nn.Parameter]:
    return [param for group in optimiser.param_groups for param in group["params"]]


# ---------------------------------------------------------------- how many levels


class LevelSchedule:
    """`k_level`: a number, or [[step, number], ...]: the number from that environment step on."""

    def __init__(self, k_level: KLevel) -> None:
        self._stages = stages_of(k_level)

    @property
    def highest(self) -> int:
        return max(level for _, level in self._stages)

    def at(self, t_env: int) -> int:
        return next(level for start, level in reversed(self._stages) if start <= t_env)
