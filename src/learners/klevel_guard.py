"""`k_keep_norm`: higher levels may turn a gradient, and make it neither longer nor shorter."""

from __future__ import annotations

import torch
from torch import Tensor

from learners.optim import Gradients, flatten

LEAST_COSINE = 0.1  # below it, the last gradient has little to do with the first


class NormGuard:
    """The last level's gradient with the norm of the first; the first where they disagree.

    Where agents step in turns, each one's gradients are compared with its own.
    """

    def __init__(self) -> None:
        self._first: dict[int, Tensor] = {}  # by the parameter's place

    def noted(self, gradients: Gradients) -> Gradients:
        """Those of level 1, as they are; a step may shorten them in place."""
        found = enumerate(gradients)
        self._first |= {i: each.clone() for i, each in found if each is not None}
        return gradients

    def kept(self, gradients: Gradients) -> Gradients:
        """What the last level's become."""
        places = [i for i, each in enumerate(gradients) if each is not None]
        first = flatten(self._first[i] for i in places)
        last = flatten(each for each in gradients if each is not None)
        agree = torch.cosine_similarity(first, last, dim=0) >= LEAST_COSINE
        ratio = first.norm() / last.norm().clamp_min(1e-30)
        return [
            None if each is None else torch.where(agree, ratio * each, self._first[i])
            for i, each in enumerate(gradients)
        ]
