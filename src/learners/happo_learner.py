"""HAPPO: agents take PPO's steps in turns (Kuba et al. 2022, Algorithm 4)."""

from __future__ import annotations

from learners.surrogate import outside
from learners.turns import SequentialLearner


class HAPPOLearner(SequentialLearner):
    """J_i = M min(r_i A, clip(r_i) A): those before weigh a step (their Eq. 11)."""

    needs = SequentialLearner.needs
    gain = staticmethod(outside)
