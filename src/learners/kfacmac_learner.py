"""K-FACMAC: FACMAC whose actors answer the others' next policies (Algorithm 2)."""

from __future__ import annotations

from learners.facmac_learner import FACMACLearner
from learners.klevel import KLevelActors


class KFACMACLearner(KLevelActors, FACMACLearner):
    """`k_level` 1 is FACMAC; without a mixer or with a sum, so is every other level."""

    needs = FACMACLearner.needs.also(KLevelActors.needs, uses={"k_noise", "k_level_action"})
