"""When a run saves what: resumable checkpoints, PyMARL's model folders, the best networks."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from components.episode_buffer import ReplayBuffer
from learners.contract import LearnerContract
from records.background import Background
from records.checkpoint import (
    STATE_FILE,
    Draft,
    checkpoint_steps,
    copied,
    drop_state,
    put_aside,
    save_state,
    write_checkpoint,
)
from records.memory_use import measure
from records.replay_parts import ReplayParts

State = dict[str, Any]


class Saved(NamedTuple):
    """A checkpoint from which the run could go on, and what it needs beside its own folder."""

    step: int
    best: int
    parts: tuple[str, ...] = ()  # of the replay


class Saver:
    """Writes below `folder` = results/models/<unique_token>; what takes long, beside the run.

    `collect_state()` gives all that a resumed run needs beside networks and replay;
    `require_sound()` raises if learning has diverged, and then nothing is written.
    """

    def __init__(
        self,
        folder: Path,
        args: SimpleNamespace,
        learner: LearnerContract,
        buffer: ReplayBuffer,
        collect_state: Callable[[], State],
        require_sound: Callable[[], None],
    ) -> None:
        self.folder = folder
        self._args, self._learner, self._buffer = args, learner, buffer
        self._collect_state, self._require_sound = collect_state, require_sound
        self.replay = ReplayParts(folder / "replay")
        self._writing = Background("checkpoint")
        self._saved_at_step = 0
        self._saved_at_time = time.monotonic()
        self._last_kept = -args.save_model_interval - 1  # PyMARL saves after the first episode
        self._kept: list[int] = []
        self._best = -1  # step of the best evaluation
        self._earlier: Saved | None = None  # the checkpoint to fall back on
        self._newest: Saved | None = None

    def save_if_due(self, t_env: int) -> None:
        if self._writing.done:
            self.finish(t_env)
        if self._keep_due(t_env) or self._resumable_due(t_env):
            self.save(t_env)

    def save(self, t_env: int) -> None:
        """Begin a resumable checkpoint of what is now, when the one before is finished."""
        self.finish(t_env)
        self._require_sound()
        if self._keep_due(t_env):
            self._last_kept = t_env
            self._kept.append(t_env)
        self._saved_at_step, self._saved_at_time = t_env, time.monotonic()
        target = self.folder / str(t_env)
        if (target / STATE_FILE).exists():
            return  # nothing has happened since
        draft = Draft(target)
        with draft.given_up_on_error():
            self._learner.save_models(str(draft.path))
            state = copied({**self._collect_state(), "saver": self.state_dict()})
            write_replay = self.replay.new_parts(self._buffer)
            here = Saved(t_env, self._best)
            self._writing.start(lambda: self._complete(draft, state, write_replay, here))

    def finish(self, t_env: int) -> None:
        """Wait for the checkpoint that was begun, if any; what went wrong with it is raised."""
        if self._writing.idle:
            return
        self._writing.end()
        use = measure(self._buffer, self._args.buffer_fill, t_env)
        if use is not None:
            use.write(self.folder)
        self._keep_only_best()

    def wait(self) -> None:
        """Until nothing is being written, whatever comes of it."""
        self._writing.wait()

    def _complete(
        self, draft: Draft, state: State, write_replay: Callable[[], None], here: Saved
    ) -> None:
        """Put a checkpoint in its place; drop the one before last unless PyMARL would keep it.

        Runs beside everything else but `save`, and leaves `best` alone.
        """
        with draft.given_up_on_error():
            write_replay()
            save_state({**state, "replay": self.replay.state_dict()}, draft.path)
        draft.complete()
        here = here._replace(parts=tuple(self.replay.names))
        self._earlier, self._newest = self._newest, here
        self._drop_earlier()
        self.replay.remove_unused({name for saved in self._resumable for name in saved.parts})

    @property
    def _resumable(self) -> list[Saved]:
        return [saved for saved in (self._earlier, self._newest) if saved]

    def save_best(self, t_env: int) -> None:
        """Keep the networks of the best evaluation; those before it go with the next checkpoint."""
        self._require_sound()
        folder = self.folder / "best"
        write_checkpoint(folder / str(t_env), lambda draft: self._learner.save_models(str(draft)))
        self._best = t_env

    def newest(self) -> Path | None:
        """The folder of the last checkpoint, if there is one; what is being written counts."""
        self.wait()
        steps = checkpoint_steps(self.folder)
        return self.folder / str(steps[-1]) if steps else None

    def _keep_only_best(self) -> None:
        """Drop all but the best that the checkpoints know of."""
        folder = self.folder / "best"
        known = {self._best, *(saved.best for saved in self._resumable)}
        for step in checkpoint_steps(folder):
            if step not in known:
                shutil.rmtree(folder / str(step))

    def state_dict(self) -> State:
        return {"last_kept": self._last_kept, "kept": list(self._kept), "best": self._best}

    def load_state_dict(self, state: State) -> None:
        self._last_kept, self._kept = state["last_kept"], list(state["kept"])
        self._best = state["best"]
        for step in checkpoint_steps(self.folder / "best"):
            if step > self._best:  # of evaluations that come again
                shutil.rmtree(self.folder / "best" / str(step))

    def go_on_from(self, t_env: int) -> None:
        """Call when the state of that checkpoint is loaded: those after it come again."""
        self._newest = Saved(t_env, self._best, tuple(self.replay.names))
        for step in checkpoint_steps(self.folder):
            if step > t_env and (self.folder / str(step) / STATE_FILE).exists():
                put_aside(self.folder / str(step))

    def _drop_earlier(self) -> None:
        """All but the newest and the one before it, should the newest be damaged some day."""
        resumable = {saved.step for saved in self._resumable}
        for step in checkpoint_steps(self.folder):
            if step in resumable:
                continue
            if step in self._kept:
                drop_state(self.folder / str(step))
            else:
                shutil.rmtree(self.folder / str(step))

    def _keep_due(self, t_env: int) -> bool:
        args = self._args
        return args.save_model and t_env - self._last_kept >= args.save_model_interval

    def _resumable_due(self, t_env: int) -> bool:
        args = self._args
        if args.checkpoint_interval:
            return t_env - self._saved_at_step >= args.checkpoint_interval
        is_time = time.monotonic() - self._saved_at_time >= 60 * args.checkpoint_minutes
        return is_time and self._writing.idle
