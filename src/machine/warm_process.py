"""subprocess.Popen for Python scripts, without the seconds that importing torch takes.

A server (machine/warm_server.py), which has imported what others wrote and a run needs, forks the
process. It becomes a child of this process: it is waited for, killed and accounted as any other.
What a started process inherits (streams, files, folder, variables, limits, signals, session) is as
if it were new; only the seed of `hash` is the same in all.
"""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import inspect
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SERVER = Path(__file__).with_name("warm_server.py")
SRC = SERVER.parents[1]
READ_AT_START = ("PYTHON", "LD_", "OMP_", "MKL_", "TORCH", "KMP_", "LC_", "LANG", "CUDA", "MALLOC")
PR_SET_CHILD_SUBREAPER = 36
ONE_AT_A_TIME = threading.Lock()
# (variables, modules) -> the server that has them.
SERVERS: dict[tuple[tuple[tuple[str, str], ...], tuple[str, ...]], Server] = {}
LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]


class NotForkedError(OSError):
    """The server has ended, as one does that the system kills for its memory."""


class WarmProcess(subprocess.Popen[Any]):
    """`WarmProcess([sys.executable, script, ...])`: Popen where `can_be_warm`."""

    preloaded: tuple[str, ...] = ()  # modules of this repository that the server has, too

    def _execute_child(self, *given: Any) -> None:
        execute = super()._execute_child  # type: ignore[misc]
        asked = inspect.signature(execute).bind(*given).arguments
        try:
            self.pid = server_of(started_with(asked["env"]), self.preloaded).fork(asked)
            self._child_created = True
        finally:
            pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
            self._close_pipe_fds(*(asked[name] for name in pipes))  # type: ignore[attr-defined]


def can_be_warm(command: list[str], options: dict[str, Any]) -> bool:
    """Whether it is a Python script, started with nothing that must happen in a new process."""
    known = {"stdin", "stdout", "stderr", "text", "env", "cwd", "start_new_session", "pass_fds"}
    return (
        sys.platform == "linux"
        and hasattr(subprocess.Popen, "_execute_child")  # of CPython
        and len(command) > 1
        and command[0] == sys.executable
        and str(command[1]).endswith(".py")
        and set(options) <= known
        and "PYTHONPATH" not in (options.get("env") or os.environ)
    )


def started_with(variables: dict[str, str] | None) -> tuple[tuple[str, str], ...]:
    """Those that Python and the libraries read only when they start."""
    found = os.environ if variables is None else variables
    return tuple(sorted((k, v) for k, v in found.items() if k.startswith(READ_AT_START)))


def server_of(started: tuple[tuple[str, str], ...], preloaded: tuple[str, ...]) -> Server:
    """One that has imported the files as they are now."""
    known = SERVERS.get((started, preloaded))
    files = state_of_files() if preloaded else ""
    if known is None or known.ended or known.files != files:
        if known is not None:
            known.close()
        SERVERS[started, preloaded] = known = Server(dict(started), preloaded, files)
    return known


def state_of_files() -> str:
    """Another one whenever a file of the program is changed, added or removed."""
    files = (path for path in SRC.rglob("*") if path.suffix in (".py", ".yaml", ".cpp"))
    found = sorted((str(path), path.stat().st_mtime_ns) for path in files)
    return hashlib.sha256(repr(found).encode()).hexdigest()


class Server:
    """The server for processes whose libraries are started with these variables."""

    def __init__(self, started: dict[str, str], preloaded: tuple[str, ...], files: str) -> None:
        self.files = files  # what they were when it was started
        others = {k: v for k, v in os.environ.items() if not k.startswith(READ_AT_START)}
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER), str(theirs.fileno()), *preloaded],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**others, **started},
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        atexit.register(self.close)

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def close(self) -> None:
        atexit.unregister(self.close)
        self._requests.close()
        self._process.wait()

    def fork(self, asked: dict[str, Any]) -> int:
        """A child of this process, which runs the script."""
        words = [os.fspath(word) for word in asked["args"]]
        passed = sorted(asked["pass_fds"])
        ends = (asked["p2cread"], asked["c2pwrite"], asked["errwrite"])
        streams = [own if end == -1 else end for own, end in enumerate(ends)]
        request = {
            "script": words[1],
            "words": words[2:],
            "folder": os.fspath(asked["cwd"] or os.getcwd()),
            "variables": dict(os.environ) if asked["env"] is None else asked["env"],
            "passed": passed,
            "new_session": asked["start_new_session"],
            "limits": [(limit, resource.getrlimit(limit)) for limit in LIMITS],
            "ignored": list(ignored_signals()),
            "blocked": list(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        }
        with ONE_AT_A_TIME, inheriting_orphans():
            try:
                socket.send_fds(self._requests, [json.dumps(request).encode()], [*streams, *passed])
                answer = self._requests.recv(20)
            except ConnectionError:
                answer = b""
        if not answer:
            raise NotForkedError("the server of warm processes has ended")
        return int(answer)


def ignored_signals() -> Iterator[int]:
    for number in signal.valid_signals():
        if signal.getsignal(number) == signal.SIG_IGN:
            yield int(number)


@contextmanager
def inheriting_orphans() -> Iterator[None]:
    """Meanwhile, this process becomes the parent of descendants that lose theirs."""
    process = ctypes.CDLL(None)
    process.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        process.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
