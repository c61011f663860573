"""Ray is asked for by name only, and answers in one screen when it is not there."""

from __future__ import annotations

import sys

import pytest

from machine.ray_cluster import import_ray
from utils.errors import UserError


def test_a_missing_package_is_answered_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed

    with pytest.raises(UserError, match=r"pip install -r requirements/ray\.txt"):
        import_ray()
