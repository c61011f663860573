"""`python src/main.py bayes`: what agents gain when they hear each other in the same slot.

The coordination game of Bayesian-network policy gradients (Chen and Zhang; the paper does not say
all of it, the released code does): N agents choose 0 or 1, and the next state holds the choices as
bits, each turned over with probability 0.1. A state's reward is 3 if all bits are 0, 2 if all are
1; else 1 if more are 1 than 0, and 0 if not. So to choose 0 is best, but not alone. States begin
with the weight 1 / N each, as in that code: this is no distribution, and only scales the steps.

Agent i's policy is a table of logits, one row for each state and for each choice of those whom it
hears. The gradient of the discounted reward is exact. (For N > 3 the released code also calls
states uniform that nearly are; here they are not.)
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from utils.errors import UserError

FLIP, DISCOUNT, RATE, UPDATES = 0.1, 0.95, 0.01, 2000
STARTS = 100


def graph(kind: str, N: int) -> Tensor:
    """1 at [i, j] if agent i hears agent j. (N, N)"""
    earlier = torch.ones(N, N).tril(-1)
    return {"empty": 0 * earlier, "chain": earlier.triu(-1), "full": earlier}[kind].long()


def bits(N: int) -> Tensor:
    """All joint choices, which are all states as well; agent 0's bit is the highest. (2^N, N)"""
    return torch.arange(2**N).unsqueeze(1) >> torch.arange(N - 1, -1, -1) & 1


def rewards(N: int) -> Tensor:
    """Of each state. (2^N)"""
    ones = bits(N).sum(dim=1)
    mixed = (2 * ones > N).double()
    return torch.where(ones == 0, 3.0, torch.where(ones == N, 2.0, mixed))


def transitions(N: int) -> Tensor:
    """The probability of each next state after each joint choice. (2^N, 2^N)"""
    turned = (bits(N).unsqueeze(1) != bits(N)).sum(dim=2).double()
    return FLIP**turned * (1 - FLIP) ** (N - turned)


def entries(hears: Tensor) -> Tensor:
    """1 where a joint choice meets an entry of the agents' tables. (N * 2^N * 2, 2^N)

    Agent i's rows are joint choices in which all whom it does not hear have 0; each has one entry
    for each of its own choices.
    """
    N = len(hears)
    chosen = bits(N)  # (2^N, N)
    places = 2 ** torch.arange(N - 1, -1, -1)
    rows = (chosen.unsqueeze(1) * hears * places).sum(dim=2)  # (2^N, N)
    return F.one_hot(2 * rows + chosen, 2 * 2**N).flatten(1).T.double()


def joint_policy(logits: Tensor, met: Tensor) -> Tensor:
    """pi(a | s) = prod_i pi_i(a_i | s, a_heard by i), of G graphs.

    logits (G, B, S, N, 2^N, 2), met (G, N * 2^N * 2, 2^N) -> (G, B, S, 2^N)
    """
    return (logits.log_softmax(dim=5).flatten(3) @ met.unsqueeze(1)).exp()


def values(policy: Tensor, N: int) -> Tensor:
    """The discounted rewards of policies (..., S, 2^N). (...)"""
    onwards = torch.eye(2**N) - DISCOUNT * policy @ transitions(N)
    return torch.linalg.solve(onwards, rewards(N).unsqueeze(1)).sum(dim=(-2, -1)) / N


def best_value(N: int) -> Tensor:
    """Of the joint choice after which the rewards, which states alone decide, are largest."""
    onwards = (transitions(N) @ rewards(N)).max() * DISCOUNT / (1 - DISCOUNT)
    return (rewards(N) + onwards).sum() / N


def ascend(graphs: Sequence[Tensor], starts: int, seed: int = 0, updates: int = UPDATES) -> Tensor:
    """Values over the best, after gradient ascent; all graphs have the same starts. (G, starts)"""
    N = len(graphs[0])
    random = torch.Generator().manual_seed(seed)
    start = torch.randn(starts, 2**N, N, 2**N, 2, generator=random, dtype=torch.float64)
    logits = start.repeat(len(graphs), 1, 1, 1, 1, 1).requires_grad_()
    met = torch.stack([entries(hears) for hears in graphs])
    for _ in range(updates):
        value = values(joint_policy(logits, met), N).sum()
        (gradient,) = torch.autograd.grad(value, logits)
        with torch.no_grad():
            logits += RATE * gradient
    return values(joint_policy(logits.detach(), met), N) / best_value(N)


def table(starts: int) -> str:
    """Means and their standard errors, and how many starts came to the best."""
    lines = [f"Coordination game, {UPDATES} exact steps of {RATE} from {starts} starts", ""]
    lines.append("agents  who is heard   value / best          above .99")
    for N, kinds in ((2, ("empty", "full")), (3, ("empty", "chain", "full"))):
        ends = ascend([graph(kind, N) for kind in kinds], starts)
        for kind, found in zip(kinds, ends, strict=True):
            error = float(found.std()) / starts**0.5
            share = float((found > 0.99).double().mean())
            lines.append(f"{N:4}    {kind:12}   {found.mean():.3f} +- {error:.3f}   {share:12.0%}")
    return "\n".join(lines) + "\n"


def main(argv: list[str]) -> int:
    """`bayes [STARTS]`: print the table."""
    if len(argv) > 1 or not all(word.isdecimal() and int(word) > 1 for word in argv):
        raise UserError(
            f"bayes {' '.join(argv)}: give nothing, or a number of starts from 2 on: bayes 400"
        )
    sys.stdout.write(table(int(argv[0]) if argv else STARTS))
    return 0
