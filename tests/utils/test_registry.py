from __future__ import annotations

import sys

import pytest

from utils.errors import UserError
from utils.registry import Registry


def test_a_lazy_entry_is_imported_on_first_use_only() -> None:
    sys.modules.pop("colorsys", None)
    registry = Registry("thing", {"convert": "colorsys:rgb_to_hsv"})

    assert "convert" in registry
    assert "colorsys" not in sys.modules
    assert registry["convert"] is sys.modules["colorsys"].rgb_to_hsv


def test_third_party_code_registers_by_assignment() -> None:
    registry = Registry("thing", {})

    registry["mine"] = int

    assert registry["mine"] is int
    assert list(registry) == ["mine"]


def test_an_unknown_name_lists_the_known_and_the_nearest() -> None:
    registry = Registry("mixer", {"qmix": int, "vdn": int})

    with pytest.raises(UserError) as failure:
        registry["qmixx"]

    assert str(failure.value) == "Unknown mixer 'qmixx'. Did you mean 'qmix'? Known: qmix, vdn."


def test_an_unknown_name_is_still_a_key_error() -> None:
    with pytest.raises(KeyError):
        Registry("mixer", {})["anything"]
