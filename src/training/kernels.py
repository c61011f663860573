"""By which kernels a run computes: the fastest here, or those that it began with."""

from __future__ import annotations

from types import SimpleNamespace

from machine.cache import cache_folder
from modules.agents import REGISTRY as AGENTS
from modules.kernels import PLAIN, Kernels, in_words
from modules.products import OneDNNProducts
from modules.timing import Shape, fastest
from utils.logging import Logger
from utils.needs import Given

LEAST_ROWS = 512  # to learn from at a time; with fewer, all kernels are as fast


def choose_kernels(
    args: SimpleNamespace, slots: int, recorded: dict[str, str] | None, logger: Logger
) -> Kernels:
    """Chosen, told and recorded; `slots` are those of a stored episode.

    A run that is resumed goes on with the `recorded` ones: others would round differently.
    """
    shape, kernels = shape_of(args, slots), PLAIN
    given = Given(vars(args))
    if args.fast_kernels != "off" and not args.use_cuda and given.learns:
        if recorded is not None:
            kernels = same_as(recorded, args, logger)
        elif shape.rows * shape.slots >= LEAST_ROWS:
            kernels = fastest(kernels_here(args), shape, cache_folder())
            logger.console_logger.info(f"  kernels: {kernels}")
    logger.record("kernels", kernels.record())
    return kernels


def same_as(recorded: dict[str, str], args: SimpleNamespace, logger: Logger) -> Kernels:
    """Those with that record; where there are none, the plain ones, and a warning."""
    for kernels in kernels_here(args):
        if kernels.record() == recorded:
            logger.console_logger.info(f"  kernels: {kernels}, as before")
            return kernels
    logger.console_logger.warning(
        f"Warning: this run was computed with {in_words(recorded)}, which this machine does not "
        f"have. It goes on with {PLAIN}: the same but for rounding."
    )
    return PLAIN


def kernels_here(args: SimpleNamespace) -> list[Kernels]:
    """All that this machine has, the plainest first."""
    found = [PLAIN]
    if OneDNNProducts.there():
        found.append(Kernels(OneDNNProducts(of_one_size=args.runner_scope == "transition")))
    return found


def shape_of(args: SimpleNamespace, slots: int) -> Shape:
    """Of what the run learns from at a time."""
    in_rollouts = bool(args.rollout_length)
    return Shape(
        width=args.rnn_hidden_dim,
        rows=args.n_agents * (args.batch_size_run if in_rollouts else args.batch_size),
        slots=args.rollout_length if in_rollouts else slots,
        recurrent=getattr(AGENTS[args.agent], "has_gru", False),
    )
