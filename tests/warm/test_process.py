"""What a script finds in a warm process is what it finds in a new one."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from machine.warm_process import can_be_warm, inheriting_orphans
from tests.support import run_process, start_process

FACTS = """
import json, os, random, resource, signal, sys, threading
import numpy, torch

facts = {
    "argv": sys.argv, "folder": os.getcwd(), "variables": dict(os.environ),
    "path": [place for place in sys.path if "_vendor" not in place], "name": __name__,
    "file": __file__, "main": sys.modules["__main__"].__dict__ is globals(),
    "flags": tuple(sys.flags), "parent": os.getppid(), "own session": os.getsid(0) == os.getpid(),
    "own group": os.getpgrp() == os.getpid(), "limits": resource.getrlimit(resource.RLIMIT_FSIZE),
    "files": sorted(map(int, os.listdir("/proc/self/fd")))[:-1],
    "ignored": [n for n in range(1, 32) if signal.getsignal(n) == signal.SIG_IGN],
    "interrupts": signal.getsignal(signal.SIGINT) == signal.default_int_handler,
    "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
    "encodings": [(s.encoding, s.errors, s.line_buffering) for s in (sys.stdout, sys.stderr)],
    "threads": threading.active_count(), "torch threads": torch.get_num_threads(),
    "own modules": "utils" in sys.modules,
}
drawn = [random.random(), numpy.random.random(), torch.rand(()).item()]
print(json.dumps([facts, drawn, sys.stdin.read()]))
print("also here", file=sys.stderr)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "script.py"


def told(script: Path, fresh: bool, **options: Any) -> tuple[Any, Any, str, str]:
    script.write_text(FACTS)
    with (script.parent / "input").open("w+") as file:
        file.write("from a file")
        file.seek(0)
        line = [sys.executable, str(script), "a word", "--flag"]
        done = run_process(line, check=True, fresh=fresh, stdin=file, **options)
    return *json.loads(done.stdout), done.stderr


def test_a_script_finds_what_it_would_in_a_new_process(script: Path) -> None:
    size = resource.getrlimit(resource.RLIMIT_FSIZE)
    number = os.open(os.devnull, os.O_RDONLY)
    options = {
        "cwd": script.parent, "start_new_session": True, "pass_fds": [number],
        "env": {"ONLY": "this", "OMP_NUM_THREADS": "1"},
    }  # fmt: skip
    earlier = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, size[1]))
    try:
        new, warm, other = (told(script, fresh, **options) for fresh in (True, False, False))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, size)
        signal.signal(signal.SIGUSR1, earlier)
        os.close(number)

    assert warm[0] == new[0]
    assert warm[2:] == new[2:] == ("from a file", "also here\n")
    assert warm[0]["parent"] == os.getpid()
    assert len({draw for each in (new, warm, other) for draw in each[1]}) == 9


@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        ("sys.exit(7)", 7, ""),
        ("sys.exit('a sentence')", 1, "a sentence\n"),
        ("raise ValueError('broken')", 1, "ValueError: broken\n"),
        ("os._exit(3)", 3, ""),
        ("os.kill(os.getpid(), 15)", -15, ""),
        ("os.kill(os.getpid(), 2)", -2, "KeyboardInterrupt\n"),
        ("atexit.register(print, 'bye', file=sys.stderr)", 0, "bye\n"),
    ],
)
def test_processes_end_as_new_ones_do(script: Path, ending: str, code: int, said: str) -> None:
    script.write_text(f"import atexit, os, sys\n{ending}\n")
    done = run_process([sys.executable, str(script)])

    assert (done.returncode, done.stderr[-len(said) :] if said else done.stderr) == (code, said)


BURNING = """
import time
while time.process_time() < 0.2:
    pass
print("burnt", flush=True)
input()
"""


def seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a_process_can_be_killed_and_is_accounted(script: Path) -> None:
    script.write_text(BURNING)
    before = seconds_of_children()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with start_process([sys.executable, str(script)], **pipes) as process:
        assert process.stdout.readline() == b"burnt\n"
        assert process.poll() is None
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert seconds_of_children() >= before + 0.1


def test_what_needs_a_new_process_gets_one() -> None:
    script = [sys.executable, "script.py"]
    assert can_be_warm(script, {"cwd": "/", "env": {}})
    assert not can_be_warm([sys.executable, "-c", "pass"], {})
    assert not can_be_warm(["sleep", "script.py"], {})
    assert not can_be_warm(script, {"preexec_fn": print})
    assert not can_be_warm(script, {"env": {"PYTHONPATH": "/elsewhere"}})


def test_orphans_are_inherited_only_while_a_process_starts() -> None:
    orphan = "sleep 0.2 >/dev/null & echo $!"
    with inheriting_orphans():
        ours = subprocess.run(["sh", "-c", orphan], capture_output=True, check=True)
    others = subprocess.run(["sh", "-c", orphan], capture_output=True, check=True)

    assert os.waitpid(int(ours.stdout), 0)[1] == 0
    with pytest.raises(ChildProcessError):
        os.waitpid(int(others.stdout), 0)
