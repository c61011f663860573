"""Ray, imported only where it is asked for, and quiet."""

from __future__ import annotations

import logging
import os
import signal
import socket
from pathlib import Path
from types import ModuleType

from machine.resources import usable_cores
from utils.errors import UserError
from utils.places import is_number
from utils.program import install

SRC = Path(__file__).resolve().parent.parent
STORE_BYTES = 100 * 2**20  # what travels here is small
TOKEN_FILE = Path(os.path.expanduser("~/.ray/auth_token"))  # where Ray keeps it
KNOCK_SECONDS = 10.0


def import_ray() -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    if has_token():  # `ray start` uses it, and ray.init only where it is told so before the import
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    try:
        import ray
    except ImportError as error:
        raise UserError(f"Sweeps and runner=ray need a package: {install('ray')}") from error
    return ray


def connect(address: str = "") -> ModuleType:
    """Ray, connected to the cluster at `address`, or to one that lives as long as this process."""
    ray = import_ray()
    if ray.is_initialized():
        return ray
    paths = os.pathsep.join([str(SRC), *filter(None, [os.environ.get("PYTHONPATH")])])
    settings: dict[str, object] = {
        "logging_level": logging.ERROR,
        "log_to_driver": False,
        "runtime_env": {"env_vars": {"PYTHONPATH": paths}},  # workers find our modules
    }
    if not address:
        settings |= {
            "num_cpus": usable_cores(),  # Ray would take all
            "include_dashboard": False,
            "object_store_memory": STORE_BYTES,
        }
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        knock(address)
        ray.init(address=address or "local", **settings)
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"No Ray cluster at '{address or 'this machine'}': {error}\nGive the address that "
            "`ray start --head` printed, as 10.0.0.1:6379, or `auto` on a machine of the cluster."
        ) from error
    finally:
        for number, handler in kept.items():  # Ray puts its own there
            signal.signal(number, handler)
    return ray


def has_token() -> bool:
    """Whether this user has the secret that machines of a cluster know each other by."""
    given = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    return bool(given) or TOKEN_FILE.exists()


def knock(address: str) -> None:
    """An OSError if nobody listens at host:port, where Ray would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and is_number(port):
        socket.create_connection((host, int(port)), timeout=KNOCK_SECONDS).close()
