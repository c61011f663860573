"""A GRU that steps through an episode, or takes whole episodes at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from components.minibatch import Running
from modules.kernels import of_new_layers


class GRU(nn.GRUCell):
    """A cell (`forward`), or all slots (`unroll`): the same function."""

    def __init__(self, n_inputs: int, width: int) -> None:
        super().__init__(n_inputs, width)
        self.kernels = of_new_layers()

    def unroll(self, x: Tensor, running: Running = None, start: Tensor | None = None) -> Tensor:
        """Hidden states (..., H), from `start` (B, N, H), which is constant, or from zeros.

        x (B, T, N, F): B episodes of T slots; or (1, n, N, F) with `running` episodes at each slot,
        in the order of `components.minibatch`, as then are those of `start`.
        """
        N = x.shape[2]
        episodes = x.shape[0] if running is None else running[0]
        size = (episodes * N, self.hidden_size)
        start = x.new_zeros(size) if start is None else start.reshape(size)
        if x.is_cuda:
            return self._by_cudnn(x, start)
        if running is None:
            B, T = x.shape[:2]
            rows = x.transpose(0, 1).reshape(T * B * N, -1)
            hidden = self._by_slots(rows, start, [B * N] * T)
            return hidden.reshape(T, B, N, -1).transpose(0, 1)
        hidden = self._by_slots(x.flatten(0, 2), start, [n * N for n in running])
        return hidden.reshape(*x.shape[:3], -1)

    @property
    def _weights(self) -> tuple[Tensor, ...]:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def _by_slots(self, rows: Tensor, start: Tensor, sizes: list[int]) -> Tensor:
        """rows (rows, F) of consecutive slots, start (sizes[0], H) -> (rows, H)"""
        kernels = self.kernels
        return kernels.recurrence(rows, self._weights, start, sizes, kernels.products)

    def _by_cudnn(self, x: Tensor, start: Tensor) -> Tensor:
        """x (B, T, N, F), start (B * N, H) -> (B, T, N, H)"""
        B, T, N, _ = x.shape
        x = x.transpose(1, 2).reshape(B * N, T, -1)
        # biases, layers, dropout, training, bidirectional, batch first
        options = True, 1, 0.0, self.training, False, True
        hidden, _ = torch.gru(x, start.unsqueeze(0), list(self._weights), *options)
        return hidden.reshape(B, N, T, -1).transpose(1, 2)
