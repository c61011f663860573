"""The game's processes: started apart in time, leashed to this one, their last words kept."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Timer
from typing import IO

from envs.sc2.smac import RunConfig
from envs.vector import worker_process
from envs.vector.guardian import Guardian

Launch = Callable[..., subprocess.Popen[bytes]]

TURN_SECONDS = 120.0  # to wait at most for a turn; somebody may hold the lock for ever
LAST_WORDS = 5  # lines of the game's output that an error message quotes


class Game:
    """The process behind one environment object, once that has started it."""

    current: Game | None = None  # whose launch pysc2 is asked for

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._guardian = None if in_worker() else guardian()

    def start(
        self, args: list[str], cwd: str | None, env: Mapping[str, str] | None
    ) -> subprocess.Popen[bytes]:
        """In a worker, it joins the worker's process group and shares its fate; else the guardian
        ends it when this process is gone. Ctrl-C is not for the game."""
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the game
        self.process = subprocess.Popen(
            args,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            process_group=0 if self._guardian else None,
        )
        if self._guardian:
            self._guardian.watch(self.process.pid)
        return self.process

    @property
    def number(self) -> int | None:
        """Of its process; no two games that run have the same."""
        return self.process.pid if self.process else None

    @contextlib.contextmanager
    def launching(self) -> Iterator[None]:
        """Games that start inside are this one."""
        Game.current = self
        try:
            yield
        finally:
            Game.current = None

    @contextlib.contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """End the game if the block takes longer: whoever waits for it gets an error then."""
        timer = Timer(seconds, self.kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()

    def forget(self) -> None:
        """Make sure that it is gone: its number may soon be somebody else's."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            if self._guardian:
                self._guardian.forget(self.process.pid)
        if self._output is not None:
            self._output.close()
        self.process = self._output = None

    def last_words(self) -> str:
        """The end of what it printed: a missing library, a broken archive."""
        if self._output is None:
            return ""
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - 4096))
        lines = self._output.read().decode(errors="replace").strip().splitlines()
        return "\n".join(lines[-LAST_WORDS:])


def in_worker() -> bool:
    """Not whether this is a child process: a run may be one of somebody's program."""
    return worker_process.is_worker


@functools.cache
def guardian() -> Guardian | None:
    """One for all games of this process; it needs process groups."""
    return Guardian() if os.name == "posix" else None


def tame_pysc2(timeout: float) -> None:
    """Let pysc2 wait `timeout` seconds for an answer, and start games as `Game.current`."""
    sc_process = sys.modules.get("pysc2.lib.sc_process")
    if sc_process is None:
        return  # a build of SMAC that drives the game in another way
    sc_process.FLAGS.sc2_timeout = max(1, round(timeout))
    if not hasattr(sc_process.StarcraftProcess, "tamed"):
        process_class = sc_process.StarcraftProcess
        process_class._launch = _leashed(process_class._launch)
        process_class.tamed = True


def _leashed(original: Launch) -> Launch:
    def launch(
        self: object, run_config: RunConfig, args: list[str], **kwargs: object
    ) -> subprocess.Popen[bytes]:
        if Game.current is None:  # somebody else uses pysc2 in this process
            return original(self, run_config, args, **kwargs)
        return Game.current.start(args, run_config.cwd, run_config.env)

    return launch


def take_turn(spacing: float) -> None:
    """Wait until no other run or worker of this user has started a game for `spacing` seconds."""
    if spacing <= 0 or os.name != "posix":
        return
    place = Path(tempfile.gettempdir()) / f"pymarlk-launch-{os.getuid()}"
    with contextlib.suppress(OSError), place.open("a") as file:
        deadline = time.monotonic() + TURN_SECONDS
        while not _locked(file):  # the others queue here
            if time.monotonic() > deadline:
                return
            time.sleep(0.05)
        since = time.time() - os.fstat(file.fileno()).st_mtime
        if file.tell() and 0 <= since < spacing:
            time.sleep(spacing - since)
        file.truncate(0)
        file.write("turn taken\n")


def _locked(file: IO[str]) -> bool:
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
