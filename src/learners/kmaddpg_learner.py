"""K-MADDPG: MADDPG whose actors answer the others' next policies (Eq. 16)."""

from __future__ import annotations

from learners.klevel import KLevelActors
from learners.maddpg_learner import MADDPGLearner


class KMADDPGLearner(KLevelActors, MADDPGLearner):
    """`k_level` 1 is MADDPG with the same `k_maddpg_level0`."""

    needs = MADDPGLearner.needs.also(KLevelActors.needs, uses={"k_noise", "k_level_action"})
