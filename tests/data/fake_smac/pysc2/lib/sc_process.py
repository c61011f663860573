"""A "game" that is only a sleeping process, and the requests to it, answered here."""

import os
import subprocess
import time
from types import SimpleNamespace

from pysc2.lib.protocol import ConnectionError, ProtocolError
from tests.fake_sc2.faults import LAST_LOOP, Faults, write_down

FLAGS = SimpleNamespace(sc2_timeout=360)
FORBIDDEN = "SC2 must start through the launcher, which alone ends what is left behind."


class StarcraftProcess:
    def __init__(self, run_config):
        self.controller = None
        self._proc = self._launch(run_config, ["sleep", "600"])
        write_down(os.getpid(), self._proc.pid)
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

    faults = Faults()  # of this process

    def __init__(self, process):
        self.process = process
        self.loop, self.status_ended = 0, False
        self.late = int(os.environ.get("GAME_LATE", 0))  # observations without the last unit
        self.request("ping")

    def request(self, kind):
        fault = self.faults.strike(kind)
        if self.process.poll() is not None:
            raise ConnectionError("Connection already closed. SC2 probably crashed.")
        if self.status_ended and kind != "observe":
            raise ProtocolError(f"{kind} called while in state: Status.ended")
        if fault:
            getattr(self, f"strike_{fault}")()

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
        if self.loop > LAST_LOOP:
            self.status_ended = True

    def observe(self):
        self.request("observe")
        self.late -= 1
        time.sleep(0.0005)  # an endless loop should not eat the machine
        units = 1 if self.late >= 0 or os.environ.get("GAME_LATE") == "-1" else 2
        return SimpleNamespace(observation=SimpleNamespace(game_loop=self.loop, units=units))
