"""Kernels are timed once, and what was found is found again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from modules import timing
from modules.kernels import PLAIN, Kernels
from modules.products import OneDNNProducts
from modules.timing import FILE, Shape, best_of, fastest, milliseconds

OTHER = Kernels(OneDNNProducts())
SHAPE = Shape(width=4, rows=6, slots=3, recurrent=True)


class Clock:
    """Stands in for the measurement, and counts."""

    def __init__(self, *times: float) -> None:
        self.times, self.asked = list(times), 0

    def __call__(self, candidates: Sequence[Kernels], shape: Shape) -> list[float]:
        self.asked += 1
        return self.times


@pytest.mark.parametrize(
    ("times", "best"),
    [((2.0, 1.0), "b"), ((1.0, 2.0), "a"), ((1.0, 0.99), "a"), ((2.0, 1.5, 1.0), "c")],
)
def test_what_is_plainer_wins_where_it_is_even(times: tuple[float, ...], best: str) -> None:
    assert best_of(dict(zip("abc", times, strict=False))) == best


def test_the_second_run_finds_what_the_first_one_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(2.0, 1.0)
    monkeypatch.setattr(timing, "milliseconds", clock)
    folder = tmp_path / "not" / "made yet"

    chosen = [fastest([PLAIN, OTHER], SHAPE, folder) for _ in range(2)]

    assert chosen == [OTHER, OTHER]
    assert clock.asked == 1
    assert fastest([PLAIN, OTHER], SHAPE._replace(width=8), folder) == OTHER
    assert clock.asked == 2


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b'{"%s": {"a": 1}}', None])
def test_a_broken_file_and_a_folder_that_cannot_be_written_are_no_obstacle(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "milliseconds", Clock(2.0, 1.0))
    place = tmp_path / "cache"
    if content is None:
        place.write_text("a file where the folder should be")
    else:
        place.mkdir()
        (place / FILE).write_bytes(content.replace(b"%s", SHAPE.key().encode()))

    assert fastest([PLAIN, OTHER], SHAPE, place) == OTHER
    assert fastest([PLAIN, OTHER], SHAPE, None) == OTHER


def test_new_candidates_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "milliseconds", Clock(2.0, 1.0))
    fastest([PLAIN, OTHER], SHAPE, tmp_path)
    monkeypatch.setattr(timing, "milliseconds", Clock(3.0))

    assert fastest([PLAIN], SHAPE, tmp_path) == PLAIN


@pytest.mark.parametrize("recurrent", [False, True])
def test_measuring_moves_no_random_numbers(recurrent: bool) -> None:
    before = torch.get_rng_state()

    found = milliseconds([PLAIN], SHAPE._replace(recurrent=recurrent))

    assert found[0] > 0
    assert torch.equal(torch.get_rng_state(), before)


def test_what_is_measured_is_bounded() -> None:
    large = Shape(width=64, rows=10_000, slots=1_000, recurrent=True).cut()

    assert large.rows * large.slots <= timing.ENOUGH_ROWS
    assert SHAPE.cut() == SHAPE
