"""One run, phase by phase: collect, learn, evaluate, save, log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import torch

from components.episode_buffer import EpisodeBatch
from machine.signals import StopRequest
from pymarl.runners import make_runner
from records.checkpoint import load_state
from records.saving import Saver
from records.tracking import Interrupted
from training.build import build
from training.evaluation import evaluate, evaluate_only, test_due
from training.outcome import nothing_learned, result_line, summary
from training.session import Folders, Session, collect_state, load
from utils.console import Progress
from utils.errors import DivergedError, UserError
from utils.logging import Logger
from utils.profile import require_cpu, running, section
from utils.seeding import seed_everything


def run(
    args: SimpleNamespace, logger: Logger, folders: Folders, needs_replay: bool = False
) -> dict[str, float]:
    """Train or evaluate as `args` says; returns the numbers that sum the run up.

    `needs_replay`: a replay that cannot be written is an error, no warning.
    """
    if args.use_cuda:
        torch.cuda.init()  # before any stream is made: torch seeds a sleeping GPU when it wakes
    seed_everything(args.seed)
    if args.profile:
        require_cpu(args.device)
    with StopRequest() as stop, built(args, logger, folders) as session:
        if args.evaluate or args.save_replay:
            return evaluate_only(session, stop, folders.replays, needs_replay)
        learn_and_finish = profiled if args.profile else train_and_finish
        return learn_and_finish(session, stop)


def train_and_finish(session: Session, stop: StopRequest) -> dict[str, float]:
    train(session, stop)
    return finish(session, stop)


def profiled(session: Session, stop: StopRequest) -> dict[str, float]:
    """The same, and where its time went."""
    with running() as profile:
        result = train_and_finish(session, stop)
    session.logger.console_logger.info("\n".join(["Where the time went:", *profile.lines()]))
    return result


@contextmanager
def built(args: SimpleNamespace, logger: Logger, folders: Folders) -> Iterator[Session]:
    """The session, with everything that needs closing closed at the end."""
    earlier = load_state(folders.resume_from) if folders.resume_from else None
    runner = make_runner(args, logger)
    try:
        session = build(args, logger, runner, earlier["kernels"] if earlier else None)
        session.saver = Saver(
            folders.models,
            args,
            session.learner,
            session.buffer,
            lambda: collect_state(session),
            session.require_sound,
        )
        load(session, folders, earlier)
        try:
            with way_back_named(session.saver):
                yield session
        finally:
            session.saver.wait()
    finally:
        runner.close_env()


@contextmanager
def way_back_named(saver: Saver) -> Iterator[None]:
    """Where learning diverges, also say which checkpoint is the last one from before."""
    try:
        yield
    except DivergedError as error:
        sound = saver.newest()
        way_back = f"The last sound one is kept: checkpoint_path={sound}"
        raise UserError(f"{error}\n{way_back if sound else 'This run has none yet.'}") from error


def train(session: Session, stop: StopRequest) -> None:
    """PyMARL's loop: collect, learn, test, save, log, until t_max or a request to stop."""
    args = session.args
    collect = collect_transitions if args.runner_scope == "transition" else collect_episodes
    if args.rollout_length:
        collect = collect_parts
    with Progress(session.t_env, args.t_max, session.logger.console_logger) as progress:
        while session.t_env <= args.t_max and not stop.requested:
            if not session.counters.test_pending:
                collect(session)
                session.counters.test_pending = args.testing_on and test_due(session)
            if session.counters.test_pending and evaluate(session, stop) is None:
                break
            session.counters.test_pending = False
            session.counters.episode += args.batch_size_run
            log_if_due(session)
            assert session.saver is not None
            with section("saving"):
                session.saver.save_if_due(session.t_env)
            progress.show(session.t_env, session.last_test, session.counters.best_value)


def collect_episodes(session: Session) -> None:
    """One episode in every environment, then the updates that they pay for."""
    batch = session.runner.run(test_mode=False)
    store(session, batch)
    for _ in range(updates_due(session, batch.batch_size)):
        learn(session)


def collect_parts(session: Session) -> None:
    """`rollout_length` steps of every environment, and the one update they are for."""
    parts = session.runner.run(test_mode=False)
    update(session, parts)


def collect_transitions(session: Session) -> None:
    """One episode in every environment, learning between its steps."""

    def on_transition(pair: EpisodeBatch) -> None:
        store(session, pair)
        counters, interval = session.counters, session.args.learn_interval
        if not ready_to_learn(session):
            counters.learned_at = session.t_env
        while session.t_env - counters.learned_at >= interval:
            counters.learned_at += interval
            learn(session)

    session.runner.run(test_mode=False, on_transition=on_transition)


def ready_to_learn(session: Session) -> bool:
    args, buffer = session.args, session.buffer
    return buffer.can_sample(args.batch_size) and buffer.episodes_in_buffer > args.buffer_warmup


def updates_due(session: Session, new_episodes: int) -> int:
    """Updates after a round: PyMARL's one, or `updates_per_episode` for each new episode."""
    if not ready_to_learn(session):
        return 0
    per_episode = session.args.updates_per_episode
    if per_episode is None:
        return 1
    counters = session.counters
    counters.update_credit += per_episode * new_episodes
    due = int(counters.update_credit)
    counters.update_credit -= due
    return due


def learn(session: Session) -> None:
    """One sample, `n_train` updates on it."""
    args = session.args
    with section("replay"):
        sample = session.buffer.sample(args.batch_size)
    sample = sample[:, : sample.max_t_filled()]
    sample.to(args.device)
    for _ in range(args.n_train):
        update(session, sample)


def update(session: Session, batch: EpisodeBatch) -> None:
    with section("other learning"):
        session.learner.train(batch, session.t_env, session.counters.episode)
    session.counters.updates += 1


def store(session: Session, batch: EpisodeBatch) -> None:
    with section("replay"):
        session.buffer.insert_episode_batch(batch)


def log_if_due(session: Session) -> None:
    counters, t_env = session.counters, session.t_env
    if not counters.logged_at or t_env - counters.logged_at >= session.args.log_interval:
        counters.logged_at = t_env
        session.require_sound()
        log_counters(session)


def log_counters(session: Session) -> None:
    counters, t_env, log = session.counters, session.t_env, session.logger.log_stat
    log("episode", counters.episode, t_env)
    log("updates", counters.updates, t_env)
    log("updates_per_env_step", counters.updates / max(1, t_env), t_env)


def finish(session: Session, stop: StopRequest) -> dict[str, float]:
    """Save; test at t_max unless the loop just did; say how it went.

    Saving comes first: a finished run that is resumed with a larger `t_max` then continues as if
    it had never ended.
    """
    assert session.saver is not None
    with section("saving"):
        session.saver.save(session.t_env)
        session.saver.finish(session.t_env)
    if stop.signal is not None:
        raise Interrupted(stop.signal)
    if session.args.testing_on and session.counters.tested_at != session.t_env:
        evaluate(session, stop)
    if session.counters.logged_at != session.t_env:
        log_counters(session)
    if not session.counters.updates and not ready_to_learn(session):
        session.logger.console_logger.warning(nothing_learned(session))
    session.logger.console_logger.info(result_line(session))
    return summary(session)
