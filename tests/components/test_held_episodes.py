"""Episodes that are read while later ones take their places."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

import numpy as np
import pytest

from components.episode_buffer import EpisodeBatch, ReplayBuffer
from components.replay import held
from components.replay.held import HeldEpisodes, Part, joined

SIZE, T = 7, 9
MakeBatch = Callable[..., EpisodeBatch]


@pytest.fixture
def buffer(
    scheme: dict[str, Any], groups: dict[str, int], preprocess: dict[str, Any]
) -> ReplayBuffer:
    obs = {"vshape": (300,), "group": "agents"}  # long enough to be stored without zeros
    return ReplayBuffer({**scheme, "obs": obs}, groups, SIZE, T, preprocess=preprocess)


def insert(buffer: ReplayBuffer, make_batch: MakeBatch, seed: int, most: int = 3) -> None:
    rng = np.random.default_rng(seed)
    lengths = [int(length) for length in rng.integers(1, T + 1, rng.integers(1, most + 1))]
    used = {
        key: buffer.scheme[key] for key in buffer.scheme if key not in ("filled", "actions_onehot")
    }
    buffer.insert_episode_batch(make_batch(lengths, T, seed, used))


def read_all(episodes: HeldEpisodes, count: int) -> list[Part]:
    return list(iter(lambda: episodes.take(count), None))


def assert_equal(parts: list[Part], expected: dict[str, np.ndarray]) -> None:
    found = joined(parts)
    assert found.arrays.keys() == expected.keys()
    for key, array in expected.items():
        assert found.arrays[key].dtype == array.dtype
        assert found.arrays[key].tobytes() == array.tobytes(), key
    assert (found.first, found.until) == (parts[0].first, parts[-1].until)
    assert [part.first for part in parts[1:]] == [part.until for part in parts[:-1]]


@pytest.mark.parametrize("count", [1, 3, 100])
def test_where_nothing_is_inserted_all_is_read_as_it_is_stored(
    buffer: ReplayBuffer, make_batch: MakeBatch, count: int
) -> None:
    for seed in range(6):
        insert(buffer, make_batch, seed)
    parts = read_all(buffer.hold(0), count)

    assert max(part.until - part.first for part in parts) <= count
    assert_equal(parts, buffer.episodes_since(0))


@pytest.mark.parametrize("seed", range(20))
def test_what_was_held_is_read_whatever_is_inserted_meanwhile(
    buffer: ReplayBuffer, make_batch: MakeBatch, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(int(rng.integers(1, 9))):
        insert(buffer, make_batch, int(rng.integers(1000)))
    first = int(rng.integers(0, buffer.inserted))
    expected, episodes = buffer.episodes_since(first), buffer.hold(first)
    parts: list[Part] = []
    while True:
        for _ in range(int(rng.integers(0, 3))):
            insert(buffer, make_batch, int(rng.integers(1000)), most=SIZE + 2)
        part = episodes.take(int(rng.integers(1, 4)))
        if part is None:
            break
        parts.append(part)

    assert_equal(parts, expected)


def test_a_thread_reads_what_was_held_while_this_one_inserts(
    buffer: ReplayBuffer, make_batch: MakeBatch
) -> None:
    for seed in range(6):
        insert(buffer, make_batch, seed)
    for seed in range(6, 18):
        expected, episodes, parts = buffer.episodes_since(0), buffer.hold(0), []
        reader = Thread(target=lambda: parts.extend(read_all(episodes, 1)))  # noqa: B023
        reader.start()
        insert(buffer, make_batch, seed, most=SIZE)
        reader.join()
        assert_equal(parts, expected)


@pytest.mark.parametrize("reads", [True, False])
def test_who_inserts_too_much_waits_for_the_reader(
    buffer: ReplayBuffer, make_batch: MakeBatch, monkeypatch: pytest.MonkeyPatch, reads: bool
) -> None:
    monkeypatch.setattr(held, "MOST_ASIDE", 0)
    while buffer.inserted < SIZE:
        insert(buffer, make_batch, buffer.inserted)
    expected, episodes = buffer.episodes_since(0), buffer.hold(0)
    insert(buffer, make_batch, 50, most=1)
    waiting = Thread(target=insert, args=(buffer, make_batch, 51, 1))
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()

    parts = read_all(episodes, 1) if reads else []
    episodes.release()
    waiting.join()
    assert episodes.take(1) is None
    if reads:
        assert_equal(parts, expected)
