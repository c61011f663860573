"""By which kernels a run computes: the fastest here, or those that it began with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

from learners import REGISTRY as LEARNERS
from machine.cache import cache_folder
from machine.compiler import NotCompiledError
from modules.agents import REGISTRY as AGENTS
from modules.compiled import compiled_gru
from modules.kernels import PLAIN, Kernels, in_words
from modules.products import OneDNNProducts, Products
from modules.recurrence import BySlots, Recurrence
from modules.timing import Shape, fastest
from utils.logging import Logger
from utils.needs import Given

LEAST_ROWS = 512  # to learn from at a time; with fewer, an update is over soon whatever computes it


class Here(NamedTuple):
    """What this machine has."""

    kernels: list[Kernels]  # the plainest first
    lack: str  # why the GRU is not compiled, if that is wanted


def choose_kernels(
    args: SimpleNamespace, slots: int, recorded: dict[str, str] | None, logger: Logger
) -> Kernels:
    """Chosen, told and recorded; `slots` are those of a stored episode.

    A run that is resumed goes on with the `recorded` ones: others would round differently.
    """
    shape, kernels = shape_of(args, slots), PLAIN
    if args.fast_kernels != "off" and not args.use_cuda and Given(vars(args)).learns:
        if recorded is not None:
            kernels = same_as(recorded, kernels_here(args, shape), logger)
        elif shape.rows * shape.slots >= LEAST_ROWS:
            here = kernels_here(args, shape)
            if here.lack and asked_for(args):
                logger.console_logger.warning(
                    f"Warning: the GRU is not compiled: {here.lack}. What helps is "
                    "in docs/speed.md."
                )
            kernels = fastest(here.kernels, shape, cache_folder())
            logger.console_logger.info(f"  kernels: {kernels}")
    logger.record("kernels", kernels.record())
    return kernels


def same_as(recorded: dict[str, str], here: Here, logger: Logger) -> Kernels:
    """Those with that record; where there are none, the plain ones, and a warning."""
    for kernels in here.kernels:
        if kernels.record() == recorded:
            logger.console_logger.info(f"  kernels: {kernels}, as before")
            return kernels
    why = f" ({here.lack})" if here.lack else ""
    logger.console_logger.warning(
        f"Warning: this run was computed with {in_words(recorded)}, which this machine does not "
        f"have{why}. It goes on with {PLAIN}: the same but for rounding."
    )
    return PLAIN


def kernels_here(args: SimpleNamespace, shape: Shape) -> Here:
    libraries, recurrences = [Products()], list[Recurrence]([BySlots()])
    if OneDNNProducts.there():
        libraries.append(OneDNNProducts(of_one_size=args.runner_scope == "transition"))
    lack = ""
    if shape.recurrent and (asked_for(args) or learns_in_rounds(args)):
        try:
            recurrences.append(compiled_gru(shape.width, cache_folder()))
        except NotCompiledError as reason:
            lack = str(reason)
    return Here([Kernels(way, gru) for gru in recurrences for way in libraries], lack)


def asked_for(args: SimpleNamespace) -> bool:
    """Whether the compiled GRU was."""
    asked: bool = args.fast_kernels == "compiled"
    return asked


def learns_in_rounds(args: SimpleNamespace) -> bool:
    """Whether whole rounds are learned from at once: in such runs the compiled GRU is faster."""
    rounds: bool = getattr(LEARNERS[args.learner], "learns_from_parts", False)
    return rounds


def shape_of(args: SimpleNamespace, slots: int) -> Shape:
    """Of what the run learns from at a time."""
    in_rollouts = bool(args.rollout_length)
    return Shape(
        width=args.rnn_hidden_dim,
        rows=args.n_agents * (args.batch_size_run if in_rollouts else args.batch_size),
        slots=args.rollout_length if in_rollouts else slots,
        recurrent=getattr(AGENTS[args.agent], "has_gru", False),
    )
