"""Writes the steps of a round into its batch: as `EpisodeBatch.update`, but without its checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from components.episode_buffer import EpisodeBatch

Array = np.ndarray


class StepWriter:
    """Looks at the first step of every field through `update`; the later ones have its shape.

    What is written must have the field's own axes, an array (n, 1, [group,] *vshape) or without
    the axis of time, in the order of `rows`.
    """

    def __init__(self, batch: EpisodeBatch) -> None:
        self._batch = batch
        self._arrays: dict[str, Array] = {}  # views of the batch's fields, once they were checked
        self._filled = batch["filled"].numpy()

    def write(self, rows: Array, t: int, values: Mapping[str, Array], fill: bool = False) -> None:
        """`values` of `rows` at slot t; with `fill` the slot counts as filled from now on."""
        # A slice is a third of the work of a list.
        at: Any = (slice(None) if len(rows) == self._batch.batch_size else rows, t)
        if fill:
            self._filled[at] = 1
        for key, value in values.items():
            array = self._arrays.get(key)
            if array is None:
                self._batch.update({key: value}, bs=rows, ts=t, mark_filled=False)
                self._arrays[key] = self._batch[key].numpy()
                continue
            array[at] = value
            if key in self._batch.preprocess:
                self._derive(key, at, array[at])

    def _derive(self, key: str, at: Any, written: Array) -> None:
        output, transforms = self._batch.preprocess[key]
        derived = torch.from_numpy(written)
        for transform in transforms:
            derived = transform.transform(derived)
        self._batch[output].numpy()[at] = derived.numpy()
