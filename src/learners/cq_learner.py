"""COMIX and COVDN: QMIX and VDN for continuous actions (Peng et al. 2021)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from controllers import REGISTRY as CONTROLLERS
from learners.base import Learner
from learners.q_learner import QLearner
from policies.cem import CEMPolicy
from utils.errors import UserError
from utils.needs import Given


def searched_values(learner: type, given: Given) -> None:
    if given["mac"] != "cem_mac":
        raise UserError(
            "learner=cq_learner needs values of continuous actions. Type mac=cem_mac with "
            "agent=cem or agent=cemrnn, or start from --config=comix."
        )
    controller: Any = CONTROLLERS[given["mac"]]
    replaced = controller.replaced() if hasattr(controller, "replaced") else []
    if replaced:
        raise UserError(
            f"mac=cem_mac has a `{replaced[0]}` of its own, and learner=cq_learner asks the policy "
            "that searches. Override methods of policies.cem.CEMPolicy, and register that."
        )


class CQLearner(QLearner):
    """As QMIX, but the greedy action of the target networks is searched for, not read off."""

    needs = Learner.needs.also(demands=(searched_values,), uses={"mixer", "td_lambda"})
    policy: CEMPolicy
    target_policy: CEMPolicy

    def utilities_of(self, outputs: Tensor, actions: Tensor) -> Tensor:
        return self.policy.values(outputs, actions)

    def utilities_at_best(self, slow: Tensor, online: Tensor, avail: Tensor) -> Tensor:
        """`slow` (1, n, N, H) are the features that the target networks value actions by."""
        found = self.target_policy.search(slow)
        return self.target_policy.values(slow, self.policy.head.mode(found, found))
