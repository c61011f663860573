"""`python src/main.py attention [RUN]`: whom a team's network attends to in one episode."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from components.episode_buffer import EpisodeBatch
from components.minibatch import valid_steps
from modules.agents.team import ACTION, AttentionMap
from modules.attention import Weighing
from policies.team import TeamPolicy
from reporting.figures import pyplot, write
from training.session import Session
from utils.errors import UserError
from viewing.episodes import hearing_policy, opened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NUMBERED = 6  # tokens up to which the weights are written into the picture
COLUMN = 3.0  # inches
MEANING = {  # whether weights may be negative -> what they are
    False: "softmax of q k', mean over heads; a row sums to 1",
    True: "q k' within a slot, mean over heads, of either sign",
}


class Weighed(NamedTuple):
    """The weights of one map in every step of an episode, means over the heads."""

    map: AttentionMap
    weights: Tensor  # (T, queries, keys)


def main(argv: list[str]) -> int:
    with opened("attention", argv) as run:
        policy, whose, remark = hearing_policy(run.session)
        if not isinstance(policy, TeamPolicy):
            raise without_attention(run.session)
        found = weights_of(policy, run.session.runner.run(test_mode=True))
    if not found:
        raise without_attention(run.session)
    kind = found[0].map.module.kind
    title = f"{run.title}{whose}: {kind} in a test episode of {len(found[0].weights)} steps"
    meaning = f"{kind}: {MEANING[found[0].map.module.signed]}"
    path = run.chosen.folder / "attention.png"
    figure = picture(found, f"{title}\n{meaning}")
    write(figure, path)
    pyplot().close(figure)
    sys.stdout.write(f"{title}\n{remark}  {meaning}\ndrawn: {path}\n")
    return 0


def without_attention(session: Session) -> UserError:
    return UserError(
        f"Agents of mac={session.args.mac} agent={session.args.agent} have no attention to show. "
        "Train a team that has: --config=mat, sable or cmat; or magpo, whose guide has."
    )


@torch.no_grad()
def weights_of(policy: TeamPolicy, batch: EpisodeBatch) -> list[Weighed]:
    """In the steps of the batch's only episode, given the actions that were played in it."""
    T = batch.max_seq_length - 1
    real = valid_steps(batch["filled"], batch["terminated"]).squeeze(-1) > 0  # (1, T)
    view, maps = policy.whole(batch, T), list(policy.agent.attention_maps())
    with watched(place.module for place in maps) as weights:
        policy.agent.in_whole_passes(view.inputs, view.start)
    return [Weighed(place, weights[place.module][real].mean(dim=1)) for place in maps]


@contextmanager
def watched(modules: Iterable[Weighing]) -> Iterator[dict[nn.Module, Tensor]]:
    """Will hold their weights (R, L, heads, queries, keys), of the last time that they answer."""
    weights: dict[nn.Module, Tensor] = {}

    def keep(module: Any, given: tuple[Tensor, ...], answer: object) -> None:
        weights[module] = module.weights(*given[:2])

    hooks = [module.register_forward_hook(keep) for module in modules]
    try:
        yield weights
    finally:
        for hook in hooks:
            hook.remove()


def picture(found: Sequence[Weighed], title: str) -> Figure:
    """For each map, the mean over the episode as a matrix; below, what each key gets in time."""
    size = COLUMN * len(found), 2 * COLUMN
    figure, axes = pyplot().subplots(
        2, len(found), figsize=size, layout="constrained", squeeze=False
    )
    for (place, weights), (matrix, strip) in zip(found, axes.T, strict=True):
        means, by_key = weights.mean(dim=0), weights.mean(dim=1)  # (queries, keys), (T, keys)
        paint(matrix, means, place)
        matrix.set(title=place.name, xlabel=f"key: {place.keys}", ylabel=f"query: {place.queries}")
        matrix.set_yticks(range(len(means)), names(place.queries, len(means)))
        matrix.set_xticks(range(means.shape[1]), names(place.keys, means.shape[1]))
        number(matrix, means)
        paint(strip, by_key.t(), place, aspect="auto")
        strip.set(xlabel="step", ylabel=f"key: {place.keys}")
        strip.locator_params(axis="x", integer=True)
        strip.set_yticks(range(means.shape[1]), names(place.keys, means.shape[1]))
    figure.suptitle(title)
    return figure


def names(tokens: str, count: int) -> list[str]:
    """Tokens by their numbers; the first action is nobody's."""
    numbers = list(map(str, range(count)))
    return ["-", *numbers[:-1]] if tokens == ACTION else numbers


def paint(
    axes: Axes, weights: Tensor, place: AttentionMap, aspect: Literal["equal", "auto"] = "equal"
) -> None:
    """White is none; blue is positive, red negative."""
    signed, most = place.module.signed, max(float(weights.abs().max()), 1e-12)
    image = axes.imshow(
        weights.numpy(),
        cmap="RdBu" if signed else "Blues",
        vmin=-most if signed else 0,
        vmax=most,
        aspect=aspect,
        interpolation="nearest",
    )
    axes.grid(visible=False)
    axes.figure.colorbar(image, ax=axes, shrink=0.8)


def number(axes: Axes, means: Tensor) -> None:
    if max(means.shape) > NUMBERED:
        return
    most = float(means.abs().max())
    for i, j in np.ndindex(*means.shape):
        weight = float(means[i, j])
        axes.text(j, i, f"{weight:.2f}", ha="center", va="center", fontsize=7,
                  color="white" if abs(weight) > 0.6 * most else "black")  # fmt: skip
