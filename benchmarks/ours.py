"""This tree's own parts, put together as a run does, on the environment that costs nothing."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from still import SIZES

PLUGIN = str(Path(__file__).with_name("still_ours.py"))


def on_still(args: SimpleNamespace) -> SimpleNamespace:
    """Settings for the environment that hands out numbers."""
    args.env, args.plugins = "still", [PLUGIN]
    args.env_args = {key: getattr(args, key) for key in (*SIZES, "ragged", "action_kind")}
    return args


def session_of(args: SimpleNamespace) -> Any:
    """A silent session; whoever ends it closes its runner."""
    from configuration.plugins import load_plugins
    from machine.allocation import keep_freed_memory
    from runners import REGISTRY as RUNNERS
    from training.build import build
    from utils.logging import Logger

    keep_freed_memory()  # as a run does
    load_plugins(args.plugins)
    logger = Logger(logging.getLogger("quiet"))
    logger.console_logger.setLevel(logging.ERROR)
    session = build(args, logger, RUNNERS[args.runner](args=args, logger=logger))
    session.learner.log_stats_t = 10**12  # no statistics: those are the logger's cost
    return session
