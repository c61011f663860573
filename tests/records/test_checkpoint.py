from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from components.replay.held import HeldEpisodes
from records import replay_parts
from records.checkpoint import (
    checkpoint_steps,
    find_checkpoint,
    load_state,
    save_state,
    write_checkpoint,
)
from records.replay_parts import ReplayParts
from utils.errors import UserError


def test_a_checkpoint_that_fails_half_way_leaves_the_earlier_ones(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "10", lambda draft: save_state({"x": 1}, draft))

    def fail(draft: Path) -> None:
        save_state({"x": 2}, draft)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_checkpoint(tmp_path / "20", fail)

    assert checkpoint_steps(tmp_path) == [10]
    assert [path.name for path in tmp_path.iterdir()] == ["10"]


def test_the_newest_or_nearest_checkpoint_is_found(tmp_path: Path) -> None:
    for step in (5, 100, 2000):
        (tmp_path / str(step)).mkdir()
    (tmp_path / "best").mkdir()

    assert find_checkpoint(tmp_path, 0).folder.name == "2000"
    assert find_checkpoint(tmp_path, 90).folder.name == "100"


@pytest.mark.parametrize("make_folder", [False, True])
def test_no_checkpoint_is_an_error_that_says_what_to_give(
    tmp_path: Path, make_folder: bool
) -> None:
    folder = tmp_path / "token"
    if make_folder:
        folder.mkdir()

    with pytest.raises(UserError, match="results/models/<unique_token>"):
        find_checkpoint(folder, 0)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_damaged_state_file_names_the_way_out(tmp_path: Path, content: bytes | None) -> None:
    folder = tmp_path / "10"
    folder.mkdir()
    save_state({"x": torch.zeros(1000)}, folder)
    path = folder / "state.pt"
    path.write_bytes(path.read_bytes()[:500] if content is None else content)

    with pytest.raises(UserError, match="checkpoint_path="):
        load_state(folder)


class FakeBuffer:
    """Keeps the numbers of the newest `size` episodes."""

    def __init__(self, size: int) -> None:
        self.size, self.inserted, self.restored = size, 0, []  # type: ignore[var-annotated]

    @property
    def episodes_in_buffer(self) -> int:
        return min(self.size, self.inserted)

    def bytes_used(self) -> int:
        return 10 * self.episodes_in_buffer

    def hold(self, number: int) -> HeldEpisodes:
        first = max(number, self.inserted - self.episodes_in_buffer)
        return HeldEpisodes(lambda a, b: {"numbers": np.arange(a, b)}, first, self.inserted)

    def restore(self, inserted: int, parts: list[dict[str, np.ndarray]]) -> None:
        self.inserted = inserted
        self.restored = np.concatenate([part["numbers"] for part in parts]).tolist()


@pytest.mark.parametrize("part_bytes", [1, 30, replay_parts.PART_BYTES])
def test_replay_parts_hold_every_living_episode_and_no_more_files_than_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part_bytes: int
) -> None:
    monkeypatch.setattr(replay_parts, "PART_BYTES", part_bytes)
    buffer, parts = FakeBuffer(size=10), ReplayParts(tmp_path)
    for new in (4, 0, 7, 3, 12, 1):
        buffer.inserted += new
        parts.new_parts(buffer)()
        parts.remove_unused(parts.names)

    restored = FakeBuffer(size=10)
    ReplayParts(tmp_path).load_into(restored, parts.state_dict())

    living = list(range(buffer.inserted - 10, buffer.inserted))
    assert restored.restored[-10:] == living
    assert len(parts.names) == {1: 10, 30: 5}.get(
        part_bytes, 2
    )  # the newest of 12 in threes, then 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(parts.names)


def test_a_missing_replay_part_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="checkpoint_path="):
        ReplayParts(tmp_path).load_into(FakeBuffer(3), {"names": ["0-5.npz"], "inserted": 5})
