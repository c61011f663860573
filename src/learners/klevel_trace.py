"""What the levels of one update did: their steps and gradients, for the log."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from types import SimpleNamespace

import torch
from torch import Tensor

from learners.optim import Gradients, flatten


class Trace:
    """Notes of one update, level by level."""

    def __init__(self, params: Sequence[Tensor], args: SimpleNamespace, scale: float) -> None:
        # Steps of differently made levels are no measure of convergence, and steps scaled to
        # nothing have no length to go by.
        made_alike = args.k_opt_state == "rollback" and args.k_clip_each_level
        self._comparable, self._scale = made_alike and scale != 0, scale
        self._began = time.perf_counter()
        self._base_seconds = 0.0
        self._thetas = [flatten(params)]  # theta(0), theta(1) ...
        self._gradients: list[Tensor] = []
        self._norms: list[Tensor] = []

    def note_gradients(self, gradients: Gradients) -> None:
        """A level's gradient, before a step shortens some of its parts in place."""
        self._gradients.append(flatten([g for g in gradients if g is not None]))

    def note_step(self, norm: Tensor, after: Sequence[Tensor]) -> None:
        """Its norm, and where it led."""
        self._norms.append(norm)
        self._thetas.append(flatten(after))
        if len(self._norms) == 1:
            self._base_seconds = time.perf_counter() - self._began

    def summary(self) -> dict[str, Tensor | float]:
        """Names and values for the log, where they begin with k/; docs/k-level.md explains them."""
        moves = lengths(self._thetas)
        found: dict[str, Tensor | float] = {"level": float(len(moves))}
        for level, (move, norm) in enumerate(zip(moves, self._norms, strict=True), start=1):
            found[f"step_{level}"] = move
            found[f"grad_norm_{level}"] = norm
        if len(moves) == 1:
            return found
        first, last = self._gradients[0], self._gradients[-1]
        seconds = time.perf_counter() - self._began
        found["cosine"] = torch.cosine_similarity(first, last, dim=0)
        found["norm_ratio"] = self._norms[-1] / self._norms[0].clamp_min(1e-30)
        if self._comparable:
            before, last = lengths(self._at_full_length())[-2:]
            found["contraction"] = last / before.clamp_min(1e-30)
        found["seconds"] = seconds - self._base_seconds
        return found

    def _at_full_length(self) -> list[Tensor]:
        """Where the levels' steps lead; those below the last one were scaled."""
        if self._scale == 1.0:
            return self._thetas
        start, *below, last = self._thetas
        return [start, *(start + (theta - start) / self._scale for theta in below), last]


def lengths(points: Sequence[Tensor]) -> list[Tensor]:
    """The distances from each to the next."""
    return [(b - a).norm() for a, b in itertools.pairwise(points)]
