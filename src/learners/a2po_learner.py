"""A2PO: turns whose advantages are estimated again for what others became (Wang et al. 2023)."""

from __future__ import annotations

import torch
from torch import Tensor

from components.experience import Experience, cut
from learners.round import Round
from learners.surrogate import joint
from learners.turns import SequentialLearner, Turn
from utils.errors import UserError
from utils.needs import Given


def returns_with_a_trace(learner: type, given: Given) -> None:
    """Returns of a fixed number of rewards have no trace to cut."""
    if given["a2po_trace"] and given["return_steps"]:
        raise UserError(
            f"a2po_trace=True corrects returns by gae_lambda, and return_steps="
            f"{given['return_steps']} takes others. Type return_steps=0, or a2po_trace=False."
        )


class A2POLearner(SequentialLearner):
    """J_i = min(l A, clip(l, 1 +- eps_i) A), l = r_i M with M kept in 1 +- `others_clip`."""

    needs = SequentialLearner.needs.also(
        demands=(returns_with_a_trace,), uses={"a2po_trace", "a2po_clip_share"}
    )
    gain = staticmethod(joint)

    @torch.no_grad()
    def credit(self, rows: Experience, episodes: Round, moved: Tensor) -> Experience:
        """Returns and advantages by traces c = min(1, M): what followed an action that has become
        less likely counts less (preceding-agent off-policy correction)."""
        if not self.args.a2po_trace:
            return rows
        again = self.returns(episodes.rewards, episodes.ahead, moved.clamp(max=0).exp())
        advantages = self.advantages(episodes._replace(returns=again))
        length = rows.inputs.shape[1]
        return rows._replace(
            returns=cut(self.norm.normalise(again), length), advantages=cut(advantages, length)
        )

    def critic_learns(self, turn: Turn) -> bool:
        """Its targets are estimated again, too."""
        trace: bool = self.args.a2po_trace
        return trace or super().critic_learns(turn)

    def clip(self, turn: Turn) -> float:
        """eps_i = eps ((i / n) c + 1 - c): those who come first leave room for the others."""
        share = self.args.a2po_clip_share
        return super().clip(turn) * (turn.place / turn.total * share + (1 - share))
