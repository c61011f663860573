"""Ray is asked for by name only, and answers in one screen when it is not there."""

from __future__ import annotations

import os
import sys

import pytest

from machine.ray_cluster import import_ray, usable_cores
from utils.errors import UserError


def test_a_missing_package_is_answered_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed

    with pytest.raises(UserError, match=r"pip install -r requirements/ray\.txt"):
        import_ray()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux knows of this")
def test_only_the_cores_of_this_process_are_used() -> None:
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, mine)
