"""What glibc refuses, by its version, leaves it as it was or with less than was asked for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from machine import allocation


@pytest.mark.parametrize(
    ("most", "possible", "accepted"),
    [
        (1 << 40, True, {-3: 64 << 20, -1: 512 << 20}),
        (32 << 20, True, {-3: 32 << 20, -1: 512 << 20}),  # before 2.35
        (1 << 20, False, {}),  # one without the other would be worse than none
    ],
)
def test_both_are_set_or_none(
    most: int, possible: bool, accepted: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[int, int] = {}

    def mallopt(option: int, size: int) -> int:
        if option == allocation.M_MMAP_THRESHOLD and size > most:
            return 0
        settings[option] = size
        return 1

    monkeypatch.setattr(allocation.sys, "platform", "linux")
    monkeypatch.setattr(allocation.ctypes, "CDLL", lambda _: SimpleNamespace(mallopt=mallopt))

    assert allocation.keep_freed_memory() == possible
    assert settings == accepted
