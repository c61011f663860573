from __future__ import annotations

from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from utils import checkpoint
from utils.checkpoint import (
    ReplayParts,
    checkpoint_steps,
    find_checkpoint,
    load_state,
    restore,
    save_state,
    snapshot,
    write_checkpoint,
)
from utils.errors import UserError


def make_learner(seed: int) -> Any:
    torch.manual_seed(seed)
    network = nn.Linear(3, 2)
    mac = SimpleNamespace(agent=nn.Linear(2, 2))
    optimiser = torch.optim.RMSprop([*network.parameters(), *mac.agent.parameters()], lr=0.1)
    loss = network(torch.ones(4, 3)).sum() + mac.agent(torch.ones(4, 2)).sum()
    loss.backward()
    optimiser.step()
    return SimpleNamespace(
        network=network,
        mac=mac,
        optimiser=optimiser,
        updates=seed,
        mean=torch.full((2,), float(seed)),
        last=np.float32(seed),
        mixer=None,
        params=list(network.parameters()),
        logger=object(),
        args=SimpleNamespace(agent=nn.Linear(1, 1)),
    )


def flat(learner: Any) -> list[float]:
    tensors = [*learner.network.parameters(), *learner.mac.agent.parameters(), learner.mean]
    for entry in learner.optimiser.state.values():
        tensors.append(entry["square_avg"])
    return torch.cat([t.detach().reshape(-1) for t in tensors]).tolist()


def test_a_snapshot_restores_networks_optimisers_numbers_and_tensors(tmp_path: Path) -> None:
    first, second = make_learner(1), make_learner(2)
    save_state({"learner": snapshot(first)}, tmp_path)

    restore(second, load_state(tmp_path)["learner"])

    assert flat(second) == flat(first)
    assert (second.updates, second.last) == (1, 1.0)


class RunningMean:
    def __init__(self, seed: int) -> None:
        self.mean, self.count = np.full(2, float(seed)), seed


def with_containers(seed: int) -> Any:
    torch.manual_seed(seed)
    return SimpleNamespace(
        critics=[nn.Linear(2, 1), nn.Linear(2, 1)],
        by_name={"a": nn.Linear(1, 1), "b": seed},
        history=deque([seed, seed + 1], maxlen=3),
        pair=(seed, torch.full((1,), float(seed))),
        array=np.arange(3) * seed,
        statistics=RunningMean(seed),
    )


def test_containers_arrays_and_plain_objects_are_kept_too(tmp_path: Path) -> None:
    first, second = with_containers(1), with_containers(2)
    held = second.critics[1].weight
    save_state({"learner": snapshot(first)}, tmp_path)

    restore(second, load_state(tmp_path)["learner"])

    assert second.critics[1].weight is held
    assert torch.equal(held, first.critics[1].weight)
    assert torch.equal(second.by_name["a"].weight, first.by_name["a"].weight)
    assert (second.by_name["b"], second.pair[0], list(second.history)) == (1, 1, [1, 2])
    assert second.history.maxlen == 3
    assert (second.array == first.array).all()
    assert (second.statistics.mean == 1.0).all()
    assert second.statistics.count == 1


def test_restoring_keeps_the_objects_that_others_hold() -> None:
    first, second = make_learner(1), make_learner(2)
    held = second.network.weight

    restore(second, snapshot(first))

    assert held is second.network.weight
    assert torch.equal(held, first.network.weight)


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

    def episodes_since(self, number: int, until: int) -> dict[str, np.ndarray]:
        return {"numbers": np.arange(max(number, self.inserted - self.size), until)}

    def restore(self, inserted: int, parts: list[dict[str, np.ndarray]]) -> None:
        self.inserted = inserted
        self.restored = np.concatenate([part["numbers"] for part in parts]).tolist()


@pytest.mark.parametrize("part_bytes", [1, 30, checkpoint.PART_BYTES])
def test_replay_parts_hold_every_living_episode_and_no_more_files_than_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part_bytes: int
) -> None:
    monkeypatch.setattr(checkpoint, "PART_BYTES", part_bytes)
    buffer, parts = FakeBuffer(size=10), ReplayParts(tmp_path)
    for new in (4, 0, 7, 3, 12, 1):
        buffer.inserted += new
        parts.save_new(buffer)
        parts.remove_unused(parts.names)

    restored = FakeBuffer(size=10)
    ReplayParts(tmp_path).load_into(restored, parts.state_dict(buffer.inserted))

    living = list(range(buffer.inserted - 10, buffer.inserted))
    assert restored.restored[-10:] == living
    assert len(parts.names) == {1: 10, 30: 5}.get(
        part_bytes, 2
    )  # the newest of 12 in threes, then 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(parts.names)


def test_a_missing_replay_part_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="checkpoint_path="):
        ReplayParts(tmp_path).load_into(FakeBuffer(3), {"names": ["0-5.npz"], "inserted": 5})
