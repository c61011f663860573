"""How a run went, in numbers and in words."""

from __future__ import annotations

from training.session import Session
from utils.console import TestResult, duration, human, short_name, task_name


def summary(session: Session) -> dict[str, float]:
    """What Sacred stores as the run's result."""
    result: dict[str, float] = {"t_env": session.t_env, "updates": session.counters.updates}
    if session.last_test is not None:
        result[session.last_test.metric] = session.last_test.value
        if session.counters.best_step:
            result["best_" + session.last_test.metric] = session.counters.best_value
    return result


def result_line(session: Session) -> str:
    args, counters = session.args, session.counters
    parts = [f"{task_name(vars(args))} {args.name} seed {args.seed}: {human(session.t_env)} steps"]
    if session.last_test is not None:
        name = short_name(session.last_test.metric)
        parts.append(with_error(session.last_test, args.test_nepisode))
        parts.append(f"best {name} {counters.best_value:.2f} at {human(counters.best_step)}")
    parts.append(duration(session.logger.seconds))
    return ", ".join(parts)


def with_error(result: TestResult, episodes: int) -> str:
    """The result of a test, with what its ± means."""
    what = f"over {episodes} episodes"
    return f"{result} ({what if result.spread is None else f'standard error {what}'})"


def nothing_learned(session: Session) -> str:
    """Why a run has made no update."""
    args, stored = session.args, session.buffer.episodes_in_buffer
    what = "transitions" if args.runner_scope == "transition" else "episodes"
    needed = max(args.batch_size, args.buffer_warmup + 1)
    return (
        f"Warning: nothing was learned: that takes {needed} {what} in replay (batch_size="
        f"{args.batch_size}, buffer_warmup={args.buffer_warmup}), and there were {stored}. "
        f"t_max={args.t_max} is too short for it."
    )
