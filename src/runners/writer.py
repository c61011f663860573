"""Writes the steps of a round into its batch: as `EpisodeBatch.update`, but without its checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from components.episode_buffer import EpisodeBatch
from components.transforms import transformed
from utils.errors import DivergedError

Array = np.ndarray


def on_host(stored: torch.Tensor) -> torch.Tensor:
    """Stored actions where environments can be given them; numbers (n, N, A) are finite."""
    stored = stored.detach().cpu()
    if stored.is_floating_point() and not bool(stored.isfinite().all()):
        raise DivergedError("The policy's actions hold")
    return stored


class StepWriter:
    """Arrays (n, [group,] *vshape), in the order of `rows`, are written without further checks.

    The first step of every field, and what has another shape, go through `update`, which may know
    what is meant, or refuses it.
    """

    def __init__(self, batch: EpisodeBatch) -> None:
        self._batch = batch
        self._arrays: dict[str, Array] = {}  # views of the batch's fields that were written to
        self._filled = batch["filled"].numpy()

    def write(self, rows: Array, t: int, values: Mapping[str, Array], fill: bool = False) -> None:
        """`values` of `rows` at slot t; with `fill` the slot counts as filled from now on."""
        # A slice is a third of the work of a list.
        at: Any = (slice(None) if len(rows) == self._batch.batch_size else rows, t)
        if fill:
            self._filled[at] = 1
        for key, value in values.items():
            array = self._arrays.get(key)
            if array is None or value.shape != (len(rows), *array.shape[2:]):
                self._batch.update({key: value}, bs=rows, ts=t, mark_filled=False)
                self._arrays[key] = self._batch[key].numpy()
                continue
            array[at] = value
            if key in self._batch.preprocess:
                self._derive(key, at, array[at])

    def _derive(self, key: str, at: Any, written: Array) -> None:
        output, transforms = self._batch.preprocess[key]
        derived = transformed(transforms, torch.from_numpy(written))
        self._batch[output].numpy()[at] = derived.numpy()
