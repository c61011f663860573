"""One run, phase by phase: build, collect, learn, evaluate, save, log."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from components.episode_buffer import EpisodeBatch, ReplayBuffer
from components.replay.memory import human as human_bytes
from components.transforms import OneHot
from controllers import REGISTRY as CONTROLLERS
from learners import REGISTRY as LEARNERS
from runners import REGISTRY as RUNNERS
from utils.checkpoint import find_checkpoint, load_state, restore, snapshot
from utils.console import Progress, TestResult, duration, human, short_name, task_name
from utils.errors import UserError, did_you_mean
from utils.logging import Logger
from utils.overrides import speaks_for
from utils.profile import Profile, require_cpu
from utils.replays import ReplayNotSavedError, collect_replays
from utils.saving import Saver
from utils.seeding import capture_random_state, restore_random_state, seed_everything
from utils.signals import StopRequest
from utils.tracking import Interrupted

MEMORYLESS = {"rnn": "mlp", "cemrnn": "cem"}  # agents with a memory -> the same without


@dataclass
class Counters:
    """What the loop itself remembers; all of it is in every checkpoint."""

    episode: int = 0
    updates: int = 0
    update_credit: float = 0.0
    tested_at: int = -1
    test_pending: bool = False  # a test is due, and was broken off if this is in a checkpoint
    logged_at: int = 0
    learned_at: int = 0  # transition scope: the step up to which updates have been made
    best_value: float = -math.inf
    best_step: int = 0


@dataclass
class Session:
    """The parts of one run."""

    args: SimpleNamespace
    logger: Logger
    runner: Any
    mac: Any
    learner: Any
    buffer: ReplayBuffer
    counters: Counters = field(default_factory=Counters)
    last_test: TestResult | None = None
    saver: Saver | None = None

    @property
    def t_env(self) -> int:
        return self.runner.t_env


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
        profile = Profile(session) if args.profile else None
        train(session, stop)
        result = finish(session, stop)
        if profile:
            session.logger.console_logger.info(
                "\n".join(["Where the time went:", *profile.lines()])
            )
        return result


# ---------------------------------------------------------------- build


@dataclass(frozen=True)
class Folders:
    """Where a run writes, and the checkpoint it continues from, if any."""

    models: Path
    tensorboard: Path
    replays: Path
    resume_from: Path | None = None


@contextmanager
def built(args: SimpleNamespace, logger: Logger, folders: Folders) -> Iterator[Session]:
    """The session, with everything that needs closing closed at the end."""
    runner = RUNNERS[args.runner](args=args, logger=logger)
    try:
        session = build(args, logger, runner)
        session.saver = Saver(
            folders.models, args, session.learner, session.buffer, lambda: collect_state(session)
        )
        load(session, folders)
        yield session
    finally:
        runner.close_env()


def build(args: SimpleNamespace, logger: Logger, runner: Any) -> Session:
    """Sizes from the environment, then buffer, controller and learner that fit them."""
    info = runner.get_env_info()
    add_sizes(args, info)
    scheme, groups, preprocess = make_scheme(args)
    slots = 2 if args.runner_scope == "transition" else args.episode_limit + 1
    buffer = ReplayBuffer(
        scheme,
        groups,
        args.buffer_size,
        slots,
        preprocess=preprocess,
        device="cpu" if args.buffer_cpu_only else args.device,
    )
    buffer.check_memory(args.buffer_fill)
    mac = CONTROLLERS[args.mac](buffer.scheme, groups, args)
    if args.rollout_length:
        require_parts(args, runner, mac)
    if args.runner_scope == "transition":
        refuse_memory(args, mac)
    runner.setup(scheme=scheme, groups=groups, preprocess=preprocess, mac=mac)
    learner = LEARNERS[args.learner](mac, buffer.scheme, logger, args)
    if args.use_cuda:
        learner.cuda()
    size = human_bytes(buffer.bytes_when_full(args.buffer_fill))
    logger.console_logger.info(
        f"  replay: {args.buffer_size:,} x {slots} slots, at most {size} when full"
    )
    return Session(args, logger, runner, mac, learner, buffer)


def require_parts(args: SimpleNamespace, runner: Any, mac: Any) -> None:
    """Refuse `rollout_length` where somebody knows whole episodes only."""
    able = {
        f"learner={args.learner}": getattr(LEARNERS[args.learner], "learns_from_parts", False),
        f"runner={args.runner}": getattr(runner, "plays_on", False),
        f"mac={args.mac}": speaks_for(type(mac), "build_all_inputs", "_build_inputs"),
    }
    unable = [name for name, fit in able.items() if not fit]
    if unable:
        raise UserError(
            f"rollout_length={args.rollout_length} cuts episodes into parts, and "
            f"{' and '.join(unable)} knows whole episodes only. Type rollout_length=null, or "
            "start from --config=mappo, ippo, kmappo or coma."
        )


def refuse_memory(args: SimpleNamespace, mac: Any) -> None:
    """A replay of transitions knows nothing of what came before them."""
    remembers = {}
    if getattr(getattr(mac, "agent", None), "recurrent", False):
        remembers[f"agent={args.agent}"] = f"agent={MEMORYLESS.get(args.agent, 'mlp')}"
    if args.obs_last_action:
        remembers["obs_last_action=True"] = "obs_last_action=False"
    if remembers:
        raise UserError(
            f"runner_scope=transition learns from single steps, and {' and '.join(remembers)} "
            f"looks back. Type {' '.join(remembers.values())}, or runner_scope=episodic."
        )


def add_sizes(args: SimpleNamespace, info: dict[str, Any]) -> None:
    """The run-time fields that PyMARL code expects on `args`."""
    args.n_agents = int(info["n_agents"])
    args.n_actions = int(info["n_actions"])
    args.state_shape = plain_size(info["state_shape"])
    args.obs_shape = plain_size(info["obs_shape"])
    args.episode_limit = int(info["episode_limit"])
    spaces = info.get("action_spaces")
    args.action_kind = "continuous" if spaces else "discrete"
    args.action_spaces, args.actions_dtype = spaces, info.get("actions_dtype")
    args.normalise_actions = info.get("normalise_actions", False)
    args.action_low = [space.low.tolist() for space in spaces] if spaces else None
    args.action_high = [space.high.tolist() for space in spaces] if spaces else None


def plain_size(size: Any) -> int | tuple[int, ...]:
    """Environments compute sizes with numpy: a number or a shape, without its types."""
    return int(size) if np.ndim(size) == 0 else tuple(int(width) for width in size)


def make_scheme(
    args: SimpleNamespace,
) -> tuple[dict[str, Any], dict[str, int], dict[str, Any] | None]:
    """What a stored step consists of."""
    discrete = args.action_kind == "discrete"
    actions = (1,) if discrete else (args.n_actions,)
    scheme = {
        "state": {"vshape": args.state_shape},
        "obs": {"vshape": args.obs_shape, "group": "agents"},
        "actions": {
            "vshape": actions,
            "group": "agents",
            "dtype": torch.long if discrete else torch.float32,
        },
        "avail_actions": {"vshape": (args.n_actions,), "group": "agents", "dtype": torch.int},
        "reward": {"vshape": (1,)},
        "terminated": {"vshape": (1,), "dtype": torch.uint8},
    }
    one_hot = {"actions": ("actions_onehot", [OneHot(out_dim=args.n_actions)])}
    return scheme, {"agents": args.n_agents}, one_hot if discrete else None


# ---------------------------------------------------------------- load and save


def load(session: Session, folders: Folders) -> None:
    """Continue a run exactly, or start from the networks of another one, or from nothing."""
    args = session.args
    if folders.resume_from is not None:
        load_exactly(session, folders.resume_from)
    elif args.checkpoint_path:
        folder = find_checkpoint(Path(args.checkpoint_path), args.load_step)
        session.learner.load_models(str(folder))
        session.runner.t_env = int(folder.name)
        session.logger.console_logger.info(f"  networks from {folder}")


def collect_state(session: Session) -> dict[str, Any]:
    """All that decides what happens next, but for the replay buffer."""
    return {
        "counters": asdict(session.counters),
        "last_test": asdict(session.last_test) if session.last_test else None,
        "learner": snapshot(session.learner),
        "runner": runner_state(session.runner),
        "logger": session.logger.state_dict(),
        "random": capture_random_state(),
    }


def load_exactly(session: Session, folder: Path) -> None:
    """Put everything back to where `folder` was written; the random streams last."""
    assert session.saver is not None
    state = load_state(folder)
    replay = state["replay"]
    session.saver.load_state_dict(state["saver"])
    session.saver.replay.load_into(session.buffer, replay["names"], replay["inserted"])
    session.counters = Counters(**state["counters"])
    session.last_test = TestResult(**state["last_test"]) if state["last_test"] else None
    restore(session.learner, state["learner"])
    restore_runner(session.runner, state["runner"])
    session.logger.load_state_dict(state["logger"])
    restore_random_state(state["random"])


def runner_state(runner: Any) -> dict[str, Any]:
    """Runners written for PyMARL have no state_dict: their numbers are what can be kept."""
    return runner.state_dict() if hasattr(runner, "state_dict") else snapshot(runner)


def restore_runner(runner: Any, state: dict[str, Any]) -> None:
    if hasattr(runner, "load_state_dict"):
        runner.load_state_dict(state)
    else:
        restore(runner, state)


# ---------------------------------------------------------------- the loop


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
            session.saver.save_if_due(session.t_env)
            progress.show(session.t_env, session.last_test, session.counters.best_value)


def collect_episodes(session: Session) -> None:
    """One episode in every environment, then the updates that they pay for."""
    batch = session.runner.run(test_mode=False)
    session.buffer.insert_episode_batch(batch)
    for _ in range(updates_due(session, batch.batch_size)):
        learn(session)


def collect_parts(session: Session) -> None:
    """`rollout_length` steps of every environment, and the one update they are for."""
    parts = session.runner.run(test_mode=False)
    session.learner.train(parts, session.t_env, session.counters.episode)
    session.counters.updates += 1


def collect_transitions(session: Session) -> None:
    """One episode in every environment, learning between its steps."""

    def on_transition(pair: EpisodeBatch) -> None:
        session.buffer.insert_episode_batch(pair)
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
    sample = session.buffer.sample(args.batch_size)
    sample = sample[:, : sample.max_t_filled()]
    sample.to(args.device)
    for _ in range(args.n_train):
        session.learner.train(sample, session.t_env, session.counters.episode)
        session.counters.updates += 1


# ---------------------------------------------------------------- evaluate and log


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
            session.saver.save_best(session.t_env)
    return result


def run_test_episodes(session: Session, stop: StopRequest) -> bool:
    """Whole rounds, and a partial one for the remainder; False if that was broken off."""
    args, runner = session.args, session.runner
    rows = args.test_batch_size_run or args.batch_size_run
    left, before = args.test_nepisode, runner_state(runner)
    while left > 0:
        runner.run(test_mode=True, **({"rows": left} if left < rows else {}))
        left -= rows
        if left > 0 and stop.requested and hasattr(runner, "forget_test"):
            runner.forget_test(before)
            return False
    return True


def read_result(session: Session) -> TestResult:
    """The headline of the evaluation that has just been logged."""
    args, logger = session.args, session.logger
    won = "test_battle_won_mean"
    metric = args.best_metric or (won if won in logger.stats else "test_return_mean")
    if metric not in logger.stats:
        known = sorted(key for key in logger.stats if key.startswith("test_"))
        raise UserError(
            f"best_metric={metric} is not measured.{did_you_mean(metric, known)}\n"
            f"Tests measure: {', '.join(known)}."
        )
    value = logger.latest(metric)
    std = logger.latest("test_return_std")
    variance = value * (1 - value) if metric == won else std**2
    return TestResult(metric, value, math.sqrt(variance / args.test_nepisode), session.t_env)


def log_if_due(session: Session) -> None:
    counters, t_env = session.counters, session.t_env
    if not counters.logged_at or t_env - counters.logged_at >= session.args.log_interval:
        counters.logged_at = t_env
        log_counters(session)


def log_counters(session: Session) -> None:
    counters, t_env, log = session.counters, session.t_env, session.logger.log_stat
    log("episode", counters.episode, t_env)
    log("updates", counters.updates, t_env)
    log("updates_per_env_step", counters.updates / max(1, t_env), t_env)


# ---------------------------------------------------------------- the end


def finish(session: Session, stop: StopRequest) -> dict[str, float]:
    """Save; test at t_max unless the loop just did; say how it went.

    Saving comes first: a finished run that is resumed with a larger `t_max` then continues as if
    it had never ended.
    """
    assert session.saver is not None
    session.saver.save(session.t_env)
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
    console.info(f"{name}: {session.last_test} over {args.test_nepisode} episodes")
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
        parts.append(str(session.last_test))
        parts.append(f"best {name} {counters.best_value:.2f} at {human(counters.best_step)}")
    parts.append(duration(session.logger.seconds))
    return ", ".join(parts)
