"""Linear layers, multiplied by what the run has chosen (`modules.kernels`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from modules.kernels import of_new_layers


class Dense(nn.Linear):
    """`nn.Linear`, by the library that the run has chosen."""

    def __init__(self, n_inputs: int, n_outputs: int, bias: bool = True) -> None:
        super().__init__(n_inputs, n_outputs, bias)
        self.products = of_new_layers().products

    def forward(self, input: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)"""
        return self.products.linear(input, self.weight, self.bias)

    def rectified(self, x: Tensor) -> Tensor:
        """relu(layer(x)), whose argument is not kept. (..., inputs) -> (..., outputs)"""
        made = self.products.linear(x.flatten(0, -2), self.weight, self.bias).relu_()
        return made.unflatten(0, x.shape[:-1])


def all_of_same(networks: Sequence[nn.Module], x: Tensor) -> list[Tensor]:
    """What each network, a `Dense` or a sequence that begins with one, makes of x.

    The first layers are one product.
    """
    layers: list[Any] = [list(network.children()) or [network] for network in networks]
    weight = torch.cat([first.weight for first, *_ in layers])
    bias = torch.cat([first.bias for first, *_ in layers])
    made = layers[0][0].products.linear(x, weight, bias)
    answers = []
    sizes = [len(first.bias) for first, *_ in layers]
    for (_, *later), answer in zip(layers, made.split(sizes, dim=-1), strict=True):
        for layer in later:
            answer = layer(answer)
        answers.append(answer)
    return answers


def given_first_inputs(
    layers: tuple[Dense, nn.Linear, nn.Linear], known: Tensor
) -> Callable[[Tensor], Tensor]:
    """Three layers with ReLUs between, whose first inputs are `known` (..., O): multiplied once.

    The function returned takes the other inputs (..., A) to the one output (...).
    """
    first, second, third = layers
    products, rows, O = first.products, known.flatten(0, -2), known.shape[-1]
    of_known = products.linear(rows, first.weight[:, :O], first.bias)  # (rows, H)
    of_others = first.weight[:, O:]

    def output(others: Tensor) -> Tensor:
        x = products.plus_linear(of_known, others.flatten(0, -2), of_others).relu_()
        return third(second(x).relu_()).reshape(others.shape[:-1])

    return output
