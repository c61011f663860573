"""A tiny process that ends the workers when the main process is gone, however it went.

It reads lines from a pipe that only the main process can write to: "+<pid>" and "-<pid>". When the
main process ends, the pipe does, and the guardian kills the process group of every worker left,
which includes games that an environment started.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys

WATCH = """
import os, signal, sys
workers = set()
for line in sys.stdin:
    pid = int(line[1:])
    workers.add(pid) if line[0] == "+" else workers.discard(pid)
for pid in workers:
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass
"""


class Guardian:
    """Started with the first worker; a session of its own, so no signal to ours reaches it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", WATCH],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

    def watch(self, pid: int) -> None:
        self._tell(f"+{pid}")

    def forget(self, pid: int) -> None:
        self._tell(f"-{pid}")

    def close(self) -> None:
        """End the watch, which kills whatever is still on the list."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # the guardian is dead; workers still see our pipes end
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
