"""Forks processes that have what a run imports from others, and the modules that it was told.

Each request (JSON, with its standard streams and other files attached) is answered by the number
of a process that is about to run a script. Started by machine/warm_process.py.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

PRELOADED = ("torch", "torch._dynamo", "numpy", "yaml", "sacred", "sacred.observers")
LONGEST_REQUEST = 1 << 20
MOST_FILES = 32
STANDARD_STREAMS = 3


def preload(own: list[str]) -> None:
    """Import what takes long, and these modules of the repository."""
    import gc
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pkg_resources, which sacred imports
        sys.path[0] = str(Path(__file__).resolve().parents[1])
        for name in [*PRELOADED, *own]:
            importlib.import_module(name)
    assert len(os.listdir("/proc/self/task")) == 1, "a fork would lose the other threads"
    gc.collect()
    gc.freeze()  # collections of the processes leave these objects, and so their memory, alone


def wait_for_work(requests: socket.socket) -> dict[str, Any]:
    """Fork for each request; returns what to run, in the new process. Ends with the client."""
    while True:
        message, files, _, _ = socket.recv_fds(requests, LONGEST_REQUEST, MOST_FILES)
        if not message:
            os._exit(0)
        request = json.loads(message)
        pid = fork_for_client()
        if pid == 0:
            requests.close()
            become(request, files)
            return request
        requests.send(str(pid).encode())
        for file in files:
            os.close(file)


def fork_for_client() -> int:
    """0 in a new process whose parent is the client, which inherits orphans while it asks."""
    number, begin = os.pipe(), os.pipe()
    if os.fork():
        os.wait()
        os.write(begin[1], b"!")
        pid = int(os.read(number[0], 20))
    else:
        pid = os.fork()
        if pid:
            os.write(number[1], str(pid).encode())
            os._exit(0)
        os.read(begin[0], 1)  # until the orphan has its new parent
    for file in (*number, *begin):
        os.close(file)
    return pid


def become(request: dict[str, Any], files: list[int]) -> None:
    """Give this process what a newly started one would inherit."""
    if request["new_session"]:
        os.setsid()
    place_files(files, [0, 1, 2, *request["passed"]])
    os.chdir(request["folder"])
    coerced = {key: os.environ[key] for key in ("LC_CTYPE",) if key in os.environ}
    os.environ.clear()
    os.environ.update({**coerced, **request["variables"]})
    for limit, values in request["limits"]:
        resource.setrlimit(limit, tuple(values))
    obey_signals(set(request["ignored"]), request["blocked"])
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]
    seed_anew()


def place_files(files: list[int], numbers: list[int]) -> None:
    """Move them to these numbers, and close all others."""
    beyond = max(*numbers, *files) + 1
    for place, file in enumerate(files):
        os.dup2(file, beyond + place)
    for place, number in enumerate(numbers):
        os.dup2(beyond + place, number)
    last = STANDARD_STREAMS - 1
    for number in sorted({*numbers[STANDARD_STREAMS:], beyond + len(files)}):
        os.closerange(last + 1, number)
        last = number


def obey_signals(ignored: set[int], blocked: list[int]) -> None:
    """As Python does when it starts: who started it may have it ignore signals, or block them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in ignored - {signal.SIGPIPE}:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def seed_anew() -> None:
    """What a library drew when it was imported must not be the same in all processes."""
    import numpy as np
    import torch

    np.random.seed()
    torch.seed()


def main_module(script: str, words: list[str]) -> tuple[Any, dict[str, Any]]:
    """The code of a script and the namespace to run it in, as `python script words` has them."""
    module = ModuleType("__main__")
    module.__file__ = script
    sys.modules["__main__"] = module
    sys.argv = [script, *words]
    sys.orig_argv = [sys.executable, *sys.argv]
    sys.path[0] = str(Path(script).resolve().parent)
    return compile(Path(script).read_bytes(), script, "exec"), module.__dict__


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the processes
    preload(sys.argv[2:])
    work = wait_for_work(socket.socket(fileno=int(sys.argv[1])))
    exec(*main_module(work["script"], work["words"]))
