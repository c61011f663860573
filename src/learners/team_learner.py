"""Clipped policy gradients for a team whose network acts and judges (MAT, Sable, CMAT)."""

from __future__ import annotations

from torch import Tensor
from torch.optim import Optimizer

from components.experience import Experience
from components.minibatch import View
from controllers import REGISTRY as CONTROLLERS
from learners.contract import Statistics
from learners.demands import FOLLOWS, present_policy
from learners.judging import JudgingLearner
from learners.mappo_learner import of_update
from learners.objective import ActorStep
from learners.state import Stateful
from learners.surrogate import Surrogate
from policies.team import TeamPolicy
from utils.errors import UserError
from utils.needs import Given, Needs


def judging_policy(learner: type, given: Given) -> None:
    """Refuse policies whose networks only act."""
    if not getattr(CONTROLLERS[given["mac"]], "judges", False):
        raise UserError(
            f"learner={given['learner']} learns values from the network that acts, and "
            f"mac={given['mac']} has none that judges. Type mac=team_mac agent=mat, or "
            "learner=mappo_learner."
        )


class TeamLearner(JudgingLearner):
    """One step for both, on the loss of the actors plus `critic_coef` times that of the values."""

    needs = Needs(
        demands=(judging_policy, present_policy),
        follows=FOLLOWS,
        uses=JudgingLearner.needs.uses | {"team_ratio"},
    )
    policy: TeamPolicy

    # One network, one optimiser

    def make_critic_optimiser(self) -> Optimizer:
        return self.agent_optimiser

    def parts(self) -> dict[str, Stateful]:
        """Each once."""
        found = super().parts().items()
        return {name: part for name, part in found if "critic" not in name}

    def files(self) -> dict[str, Stateful]:
        return {"agent_opt.th": self.agent_optimiser, "value_norm.th": self.norm}

    # Learning

    def improve_actors(self, played: Experience, t_env: int, diagnose: bool) -> Statistics:
        """One step of the network on both losses."""
        view = View(played.inputs, played.memory, played.running)
        found = self.policy.evaluate_and_judge(view, played.avail, played.actions)
        of_values = self.value_loss(found.values, played)
        entropy = self.head.entropy(found.outputs, played.avail)
        acting = found.log_probs, entropy, played
        own, entropy, played = as_one(*acting) if self.args.team_ratio == "joint" else acting
        surrogate = Surrogate(own, entropy, played, self.args)
        of_actors = surrogate.base()
        loss = of_actors + self.args.critic_coef * of_values
        norm = self.step(loss, self.agent_optimiser, self.agent_params)
        if not diagnose:
            return {}
        step = ActorStep(of_actors.detach(), norm)
        noted = of_update(step, surrogate.ratio, entropy, played, self.args.eps_clip)
        return {**noted, "critic_loss": of_values.detach()}


def as_one(
    log_probs: Tensor, entropy: Tensor, played: Experience
) -> tuple[Tensor, Tensor, Experience]:
    """The team as one agent, whose action is all those that agents decided. (R, L, 1)

    Its advantage and entropy are means over these agents, so that `entropy_coef` means the same
    for teams of any size.
    """
    where = played.deciding
    anybody = where.amax(dim=-1, keepdim=True)

    def total(values: Tensor) -> Tensor:
        return (values * where).sum(dim=-1, keepdim=True)

    def mean(values: Tensor) -> Tensor:
        return total(values) / where.sum(dim=-1, keepdim=True).clamp_min(1)

    together = played._replace(
        log_probs=total(played.log_probs), advantages=mean(played.advantages), deciding=anybody
    )
    return total(log_probs), mean(entropy), together
