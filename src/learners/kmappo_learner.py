"""K-MAPPO: MAPPO whose actors answer the others' next policies (Eq. 14 and 15)."""

from __future__ import annotations

from torch import Tensor

from components.experience import Experience
from learners.klevel_round import KLevelRounds


class KMAPPOLearner(KLevelRounds):
    """`k_level` 1 is MAPPO with `kmappo_ref: step`; with `behaviour` only in the first step of a
    batch, for then the others' policies differ from those that acted."""

    needs = KLevelRounds.needs.also(
        uses={"kmappo_ref", "kmappo_ratio", "kmappo_weight", "k_others"}
    )

    def reference(self, played: Experience) -> Tensor | None:
        return played.log_probs if self.args.kmappo_ref == "behaviour" else None
