"""A "game" that is only a sleeping process, and the requests to it, answered here.

FAKE_GAME_FAULT=<what>@<request>:<n>[,...] breaks the n-th request of that kind in a process, once
for each line in the file FAKE_GAME_FUSE. FAKE_GAME_LOOPS ends games after so many loops.
"""

import os
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

from pysc2.lib.protocol import ConnectionError, ProtocolError

FLAGS = SimpleNamespace(sc2_timeout=360)
FORBIDDEN = "SC2 must start through the launcher, which alone ends what is left behind."


class StarcraftProcess:
    def __init__(self, run_config):
        self.controller = None
        self._proc = self._launch(run_config, ["sleep", "600"])
        if pids := os.environ.get("FAKE_GAME_PIDS"):
            with Path(pids).open("a") as file:
                file.write(f"{os.getpid()}\n{self._proc.pid}\n")
        try:
            self.controller = Controller(self._proc)
        except BaseException:
            self.close()
            raise

    def _launch(self, run_config, args):
        raise AssertionError(FORBIDDEN)

    def close(self):
        if self._proc is not None:
            self._proc.kill()
            self._proc.wait()
        self._proc = None


class Controller:
    """A battle of two against two, in which one enemy dies every second step."""

    counts: dict = {}  # request -> how many in this process

    def __init__(self, process):
        self.process = process
        self.loop, self.status_ended = 0, False
        self.late = int(os.environ.get("FAKE_GAME_LATE", 0))  # observations without the last unit
        self.request("ping")

    def request(self, kind):
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.process.poll() is not None:
            raise ConnectionError("Connection already closed. SC2 probably crashed.")
        if self.status_ended and kind != "observe":
            raise ProtocolError(f"{kind} called while in state: Status.ended")
        for fault in filter(None, os.environ.get("FAKE_GAME_FAULT", "").split(",")):
            what, _, where = fault.partition("@")
            name, _, number = where.partition(":")
            if name == kind and int(number) == self.counts[kind] and burn():
                getattr(self, f"strike_{what}")()

    def strike_die(self):
        self.process.kill()
        self.process.wait()
        raise ConnectionError("Connection already closed. SC2 probably crashed.")

    def strike_error(self):
        raise ProtocolError("Error in RPC response (likely a bug).")

    def strike_end(self):
        self.status_ended = True

    def strike_hang(self):
        try:
            self.process.wait(FLAGS.sc2_timeout)
        except subprocess.TimeoutExpired:
            raise ConnectionError("Websocket timed out.") from None
        raise ConnectionError("Connection already closed. SC2 probably crashed.")

    def strike_odd(self):
        raise KeyError(0)

    def step(self, count):
        self.request("step")
        self.loop += count
        if self.loop > int(os.environ.get("FAKE_GAME_LOOPS", 2**19)):
            self.status_ended = True

    def observe(self):
        self.request("observe")
        self.late -= 1
        time.sleep(0.0005)  # an endless loop should not eat the machine
        units = 1 if self.late >= 0 or os.environ.get("FAKE_GAME_LATE") == "-1" else 2
        return SimpleNamespace(observation=SimpleNamespace(game_loop=self.loop, units=units))


def burn():
    """Take one line of the fuse; False if there is none."""
    fuse = Path(os.environ["FAKE_GAME_FUSE"])
    lines = fuse.read_text().splitlines()
    fuse.write_text("\n".join(lines[1:]))
    return bool(lines)
