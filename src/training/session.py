"""The parts of a run, and all that it remembers: what a checkpoint keeps and brings back."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from components.episode_buffer import ReplayBuffer
from controllers.contract import MAC
from learners.contract import LearnerContract
from learners.divergence import require_finite_losses
from modules.kernels import PLAIN, Kernels
from records.checkpoint import find_checkpoint
from records.saving import Saver
from runners.contract import Runner
from utils.console import TestResult
from utils.logging import Logger
from utils.seeding import capture_random_state, restore_random_state


@dataclass(frozen=True)
class Folders:
    """Where a run writes, and the checkpoint it continues from, if any."""

    models: Path
    tensorboard: Path
    replays: Path
    resume_from: Path | None = None


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
    runner: Runner
    mac: MAC
    learner: LearnerContract
    buffer: ReplayBuffer
    kernels: Kernels = PLAIN
    counters: Counters = field(default_factory=Counters)
    last_test: TestResult | None = None
    saver: Saver | None = None

    @property
    def t_env(self) -> int:
        return self.runner.t_env

    def require_sound(self) -> None:
        """Raise `DivergedError` where nothing more can come of learning."""
        self.learner.require_sound()
        require_finite_losses(self.logger.stats)


def load(session: Session, folders: Folders, state: dict[str, Any] | None) -> None:
    """Continue a run from its `state`, or start from the networks of another one, or afresh."""
    args = session.args
    if folders.resume_from is not None and state is not None:
        load_exactly(session, folders.resume_from, state)
    elif args.checkpoint_path:
        folder, remarks = find_checkpoint(Path(args.checkpoint_path), args.load_step)
        for remark in remarks:
            session.logger.console_logger.warning(f"Warning: {remark}")
        session.learner.load_models(str(folder))
        session.runner.t_env = int(folder.name)
        session.logger.console_logger.info(f"  networks from {folder}")


def load_exactly(session: Session, folder: Path, state: dict[str, Any]) -> None:
    """Put everything back to where `folder` was written; the random streams last."""
    assert session.saver is not None
    session.saver.replay.load_into(session.buffer, state["replay"])
    session.saver.load_state_dict(state["saver"])
    session.saver.go_on_from(int(folder.name))
    session.counters = Counters(**state["counters"])
    session.last_test = TestResult(**state["last_test"]) if state["last_test"] else None
    session.learner.load_state_dict(state["learner"])
    session.runner.load_state_dict(state["runner"])
    session.logger.load_state_dict(state["logger"])
    restore_random_state(state["random"])


def collect_state(session: Session) -> dict[str, Any]:
    """All that decides what happens next, but for the replay buffer."""
    return {
        "counters": asdict(session.counters),
        "last_test": asdict(session.last_test) if session.last_test else None,
        "learner": session.learner.state_dict(),
        "runner": session.runner.state_dict(),
        "logger": session.logger.state_dict(),
        "random": capture_random_state(),
        "kernels": session.kernels.record(),
    }
