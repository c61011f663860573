"""MAPPO of agents that hear each other in learned graphs, whose edges have a budget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from types import SimpleNamespace

import torch
from torch import Tensor

from components.experience import Experience, mean_over
from components.minibatch import View
from controllers import REGISTRY as CONTROLLERS
from learners.contract import Statistics
from learners.mappo_learner import MAPPOLearner
from learners.surrogate import Surrogate
from modules.agents.graph import edge_entropy, open_share
from policies.graph import LEARNED, GraphPolicy
from utils.errors import UserError
from utils.needs import Given

Budget = Sequence[Sequence[float]]  # [step, share of edges] from step 0 on


def graphs_are_learned(learner: type, given: Given) -> None:
    """Other graphs have no edges to spend."""
    kind = CONTROLLERS[given["mac"]]
    in_graphs = isinstance(kind, type) and issubclass(kind, GraphPolicy)
    if not in_graphs or given["graph"] != LEARNED:
        raise UserError(
            f"learner={given['learner']} learns who hears whom. Type mac=graph_mac graph=learned, "
            "or learner=mappo_learner."
        )


def budget_well_formed(learner: type, given: Given) -> None:
    """Refuse a schedule that cannot be read."""
    budget = given["graph_budget"]
    if not _well_formed(budget):
        raise UserError(
            f"graph_budget={budget} cannot be. Give shares of edges between 0 and 1 and when they "
            "are reached, from step 0 on: graph_budget=[[0,1.0],[400000,1.0],[800000,0.0]]"
        )


def _well_formed(budget: object) -> bool:
    if not isinstance(budget, list | tuple) or not budget:
        return False
    if not all(isinstance(stage, list | tuple) and len(stage) == 2 for stage in budget):
        return False
    if not all(isinstance(x, int | float) and not isinstance(x, bool) for s in budget for x in s):
        return False
    steps, shares = zip(*budget, strict=True)
    in_order = steps[0] == 0 and list(steps) == sorted(set(steps))
    return in_order and math.isfinite(steps[-1]) and all(0 <= share <= 1 for share in shares)


def share_at(budget: Budget, t_env: int) -> float:
    """On the straight line between two stages; the last one stays."""
    for (begin, first), (end, second) in pairwise(budget):
        if t_env < end:
            return first + (second - first) * (t_env - begin) / (end - begin)
    return float(budget[-1][1])


class BNMAPPOLearner(MAPPOLearner):
    """MAPPO's loss, plus `graph_weight` times how far the share of open edges is from budget."""

    needs = MAPPOLearner.needs.also(
        demands=(graphs_are_learned, budget_well_formed), uses={"graph_budget", "graph_weight"}
    )
    policy: GraphPolicy

    def objective(self, own: Tensor, entropy: Tensor, played: Experience, t_env: int) -> Surrogate:
        share = self._open(View(played.inputs), played)
        penalty = (share - share_at(self.args.graph_budget, t_env)).abs()
        return WithBudget(own, entropy, played, self.args, penalty, self.reference(played))

    def improve_actors(self, played: Experience, t_env: int, diagnose: bool) -> Statistics:
        of_graphs = self._of_graphs(played, t_env) if diagnose else {}
        return {**super().improve_actors(played, t_env, diagnose), **of_graphs}

    def _open(self, view: View, played: Experience) -> Tensor:
        """The mean share of open edges."""
        return mean_over(open_share(self.policy.graphs(view)), played.valid[..., 0])

    @torch.no_grad()
    def _of_graphs(self, played: Experience, t_env: int) -> Statistics:
        """Who hears whom before the step, as all else is measured, and how sure that is."""
        view = View(played.inputs)
        entropy = edge_entropy(self.policy.beliefs(view))  # (R, L)
        return {
            "graph/open": self._open(view, played),
            "graph/budget": share_at(self.args.graph_budget, t_env),
            "graph/entropy": mean_over(entropy, played.valid[..., 0]),
        }


class WithBudget(Surrogate):
    """J_i, with `penalty` for graphs that have too many edges, or too few."""

    def __init__(
        self,
        own: Tensor,
        entropy: Tensor,
        played: Experience,
        args: SimpleNamespace,
        penalty: Tensor,
        reference: Tensor | None = None,
    ) -> None:
        super().__init__(own, entropy, played, args, reference)
        self._penalty = args.graph_weight * penalty

    def _loss(self, gain: Tensor) -> Tensor:
        return super()._loss(gain) + self._penalty
