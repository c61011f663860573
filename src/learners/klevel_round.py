"""K-level learners that take several steps on a round, and know how many are left of it."""

from __future__ import annotations

from components.experience import Experience
from learners.contract import Statistics
from learners.klevel import KLevelActors
from learners.mappo_learner import Improve, MAPPOLearner


class KLevelRounds(KLevelActors, MAPPOLearner):
    """Counts a round's steps, so that others can be expected where its end will find them.

    With `k_lookahead_scale: round` they are expected h steps of level 1 ahead, of which this
    round has h left, the present one included. In its last step that is a scale of 1.
    """

    needs = MAPPOLearner.needs.also(KLevelActors.needs)
    has_horizon = True
    default_actor_optimizer = None  # `optimizer`, as MAPPO's

    def in_epochs(self, rows: Experience, improve: Improve, diagnose: bool) -> Statistics:
        steps = self.args.epochs * rows.parts(self.args.minibatches)
        left = iter(range(steps, 0, -1))

        def counted(part: Experience, last: bool) -> Statistics:
            self.levels.horizon = next(left)
            return improve(part, last)

        return super().in_epochs(rows, counted, diagnose)
