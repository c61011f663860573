"""Tests while a run learns, and runs that only test."""

from __future__ import annotations

import math
from pathlib import Path

from machine.signals import StopRequest
from records.replays import ReplayNotSavedError, collect_replays
from records.tracking import Interrupted
from training.outcome import summary, with_error
from training.session import Session
from utils.console import TestResult, task_name
from utils.errors import UserError, did_you_mean
from utils.headlines import headline, is_rate
from utils.logging import Logger
from utils.profile import TESTS, section


def test_due(session: Session) -> bool:
    """First after the first round, then every `test_interval` steps, as PyMARL does."""
    tested_at = session.counters.tested_at
    return tested_at < 0 or session.t_env - tested_at >= session.args.test_interval


def evaluate(session: Session, stop: StopRequest) -> TestResult | None:
    """`test_nepisode` greedy episodes; the networks of the best evaluation are kept.

    None if the user asked to stop meanwhile: then it is as if the test had not begun.
    """
    if not run_test_episodes(session, stop):
        return None
    session.counters.tested_at = session.t_env
    result = session.last_test = read_result(session)
    counters = session.counters
    if result.value > counters.best_value:
        counters.best_value, counters.best_step = result.value, result.t_env
        if session.args.keep_best and session.saver is not None:
            with section("saving"):
                session.saver.save_best(session.t_env)
    return result


def run_test_episodes(session: Session, stop: StopRequest) -> bool:
    """False if that was broken off."""
    session.require_sound()
    with section(TESTS):
        return session.runner.test(session.args.test_nepisode, lambda: stop.requested)


def read_result(session: Session) -> TestResult:
    """The headline of the evaluation that has just been logged."""
    args, logger = session.args, session.logger
    known = sorted(key for key in logger.stats if key.startswith("test_"))
    metric = args.best_metric or headline(known) or "test_return_mean"
    if metric not in logger.stats:
        raise UserError(
            f"best_metric={metric} is not measured.{did_you_mean(metric, known)}\n"
            f"Tests measure: {', '.join(known)}."
        )
    value = logger.latest(metric)
    spread = standard_error(metric, value, logger, args.test_nepisode)
    return TestResult(metric, value, spread, session.t_env)


def standard_error(metric: str, mean: float, logger: Logger, episodes: int) -> float | None:
    """Of the mean over the test's episodes; None where their spread is not logged."""
    std = f"{metric.removesuffix('_mean')}_std"
    if std in logger.stats:
        return logger.latest(std) / math.sqrt(episodes)
    if is_rate(metric) and 0 <= mean <= 1:
        return math.sqrt(mean * (1 - mean) / episodes)
    return None


def evaluate_only(
    session: Session, stop: StopRequest, replays: Path, needs_replay: bool
) -> dict[str, float]:
    """PyMARL's `evaluate` and `save_replay`: test, print, store."""
    args, console = session.args, session.logger.console_logger
    if not run_test_episodes(session, stop):
        assert stop.signal is not None
        raise Interrupted(stop.signal)
    session.counters.tested_at = session.t_env
    session.last_test = read_result(session)
    for key in sorted(session.logger.stats):
        console.info(f"  {key:<28} {session.logger.latest(key):.4f}")
    name = f"{task_name(vars(args))} {args.name}"
    console.info(f"{name}: {with_error(session.last_test, args.test_nepisode)}")
    if args.save_replay:
        save_replays(session, replays, needs_replay)
    return summary(session)


def save_replays(session: Session, folder: Path, needed: bool) -> None:
    """What was measured stays measured if the environment cannot write its replay."""
    console = session.logger.console_logger
    try:
        lines = collect_replays(session.runner.save_replay() or [], folder)
    except ReplayNotSavedError as error:
        if needed:
            raise
        console.warning(f"Warning: {error}")
        return
    for line in lines:
        console.info(line)
