"""Ray, imported only where it is asked for, and quiet."""

from __future__ import annotations

import logging
import os
import signal
from types import ModuleType
from typing import Any

from utils.errors import UserError

STORE_BYTES = 100 * 2**20  # what travels here is small


def import_ray() -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    try:
        import ray
    except ImportError as error:
        raise UserError(
            "Sweeps and runner=ray need a package: pip install -r requirements/ray.txt"
        ) from error
    return ray


def connect(address: str = "", **local: Any) -> ModuleType:
    """Ray, connected to the cluster at `address`, or to one that lives as long as this process.

    `local` goes to `ray.init` for the latter, as in num_cpus=4.
    """
    ray = import_ray()
    if ray.is_initialized():
        return ray
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if address:
            ray.init(address=address, **quiet)
        else:
            own = {"include_dashboard": False, "object_store_memory": STORE_BYTES, **local}
            ray.init(address="local", **own, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(
            f"No Ray cluster could be reached at '{address or 'this machine'}': {error}\n"
            "Give the address that `ray start --head` printed, as 10.0.0.1:6379, or `auto` on a "
            "machine of the cluster."
        ) from error
    finally:
        for number, handler in kept.items():  # Ray puts its own there
            signal.signal(number, handler)
    return ray
