from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import components.replay_buffer as replay_buffer
from components.episode_buffer import EpisodeBatch, ReplayBuffer
from utils.errors import UserError

T, N, A = 21, 3, 11
MakeBatch = Callable[..., EpisodeBatch]
MakeBuffer = Callable[..., ReplayBuffer]
EVERY_DTYPE = {
    "state": {"vshape": 7},
    "obs": {"vshape": (2, 200), "group": "agents"},  # long enough to be stored without zeros
    "actions": {"vshape": (1,), "group": "agents", "dtype": torch.long},
    "avail_actions": {"vshape": (A,), "group": "agents", "dtype": torch.int},
    "reward": {"vshape": (1,)},
    "terminated": {"vshape": (1,), "dtype": torch.uint8},
    "half": {"vshape": (3,), "dtype": torch.float16},
    "brain": {"vshape": (3,), "dtype": torch.bfloat16},
    "double": {"vshape": (150,), "dtype": torch.float64},
    "flags": {"vshape": (2, 2), "dtype": torch.bool},
    "count": {"vshape": 1, "dtype": torch.int16, "group": "agents"},
    "goal": {"vshape": (4,), "episode_const": True},
    "team": {"vshape": 1, "group": "agents", "dtype": torch.long, "episode_const": True},
}


@pytest.fixture
def make_buffer(
    scheme: dict[str, Any], groups: dict[str, int], preprocess: dict[str, Any]
) -> MakeBuffer:
    def make(size: int, slots: int = T, own_scheme: dict[str, Any] | None = None) -> ReplayBuffer:
        used = own_scheme or scheme
        wanted = preprocess if "actions" in used else {}
        return ReplayBuffer(used, groups, size, slots, preprocess=wanted)

    return make


def assert_same_episodes(found: EpisodeBatch, expected: EpisodeBatch) -> None:
    """Bit for bit, the found one being cut to its longest episode and the other one not."""
    assert found.scheme.keys() == expected.scheme.keys()
    assert found.max_seq_length == max(1, expected.max_t_filled())
    for key in expected.scheme:
        wanted = expected[key]
        if key in expected.data.transition_data:
            assert not wanted[:, found.max_seq_length :].any()
            wanted = wanted[:, : found.max_seq_length]
        assert found[key].dtype == wanted.dtype, key
        assert found[key].shape == wanted.shape, key
        assert as_bytes(found[key]) == as_bytes(wanted), key


def as_bytes(tensor: Tensor) -> bytes:
    return tensor.reshape(-1).clone().view(torch.uint8).numpy().tobytes()


def drawn(buffer: ReplayBuffer, batch_size: int, seed: int) -> EpisodeBatch:
    np.random.seed(seed)
    return buffer.sample(batch_size)


def saved_and_loaded(part: dict[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    file = io.BytesIO()
    np.savez(file, **part)
    file.seek(0)
    return np.load(file, allow_pickle=False)


@pytest.mark.parametrize("seed", range(12))
def test_samples_equal_the_inserted_episodes_bit_for_bit(
    make_batch: MakeBatch, make_buffer: MakeBuffer, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    own = EVERY_DTYPE if seed % 2 else None
    lengths = [int(length) for length in rng.integers(1, T + 1, rng.integers(1, 9))]
    batch = make_batch(lengths, T, seed, own)
    buffer = make_buffer(len(lengths) + int(rng.integers(0, 3)), T, own)
    buffer.insert_episode_batch(batch)
    assert_same_episodes(buffer.sample(len(lengths)), batch)


@pytest.mark.parametrize("seed", range(6))
def test_the_ring_keeps_the_last_episodes_in_their_places(
    make_batch: MakeBatch, make_buffer: MakeBuffer, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    own = EVERY_DTYPE if seed % 2 else None
    size = int(rng.integers(1, 6))
    buffer, places = make_buffer(size, T, own), {}
    for insertion in range(15):
        lengths = [int(length) for length in rng.integers(1, T + 1, rng.integers(1, size + 3))]
        batch = make_batch(lengths, T, 100 * seed + insertion, own)
        for i in range(len(lengths)):
            places[(buffer.inserted + i) % size] = batch[i]
        buffer.insert_episode_batch(batch)
        assert buffer.episodes_in_buffer == len(places)
        assert buffer.buffer_index == buffer.inserted % size
        found = buffer.sample(len(places))
        for place, episode in places.items():
            assert_same_episodes(found[place][:, : max(1, episode.max_t_filled())], episode)


def test_sampling_draws_from_numpys_global_stream_without_replacement(
    make_batch: MakeBatch, make_buffer: MakeBuffer
) -> None:
    batch = make_batch([3] * 6, T, 0)
    buffer = make_buffer(8)
    buffer.insert_episode_batch(batch)
    found = drawn(buffer, 4, seed=5)
    np.random.seed(5)
    chosen = np.random.choice(6, 4, replace=False)
    assert_same_episodes(found, batch[chosen])


def test_taking_all_episodes_draws_no_number(
    make_batch: MakeBatch, make_buffer: MakeBuffer
) -> None:
    buffer = make_buffer(4)
    buffer.insert_episode_batch(make_batch([2, 3], T, 0))
    np.random.seed(1)
    buffer.sample(2)
    after = np.random.random()
    np.random.seed(1)
    assert after == np.random.random()


@pytest.mark.parametrize("own", [None, EVERY_DTYPE])
def test_samples_are_copies(
    make_batch: MakeBatch, make_buffer: MakeBuffer, own: dict[str, Any] | None
) -> None:
    batch = make_batch([5, T], T, 0, own)
    buffer = make_buffer(2, T, own)
    buffer.insert_episode_batch(batch)
    spoiled = buffer.sample(2)
    for key in spoiled.scheme:
        spoiled[key].fill_(1)
    assert_same_episodes(buffer.sample(2), batch)


def test_inserted_batches_may_be_reused(make_batch: MakeBatch, make_buffer: MakeBuffer) -> None:
    batch = make_batch([5], T, 0)
    kept = make_batch([5], T, 0)
    buffer = make_buffer(2)
    buffer.insert_episode_batch(batch)
    for key in batch.scheme:
        batch[key].zero_()
    assert_same_episodes(buffer.sample(1), kept)


def test_padding_is_zero_after_longer_episodes_were_overwritten(
    make_batch: MakeBatch, make_buffer: MakeBuffer
) -> None:
    buffer = make_buffer(2)
    buffer.insert_episode_batch(make_batch([T, T], T, 0))
    short = make_batch([2, 9], T, 1)
    buffer.insert_episode_batch(short)
    assert_same_episodes(buffer.sample(2), short)


def test_what_lies_beyond_the_filled_slots_is_not_kept(
    make_batch: MakeBatch, make_buffer: MakeBuffer
) -> None:
    batch = make_batch([4, 8], T, 0)
    expected = make_batch([4, 8], T, 0)
    batch["reward"][:, 8:] = 5
    batch["obs"][0, 4:] = 5
    buffer = make_buffer(2)
    buffer.insert_episode_batch(batch)
    assert_same_episodes(buffer.sample(2), expected)


def test_a_sample_may_be_cut_to_its_filled_length_again(
    make_batch: MakeBatch, make_buffer: MakeBuffer
) -> None:
    buffer = make_buffer(2)
    buffer.insert_episode_batch(make_batch([4, 8], T, 0))
    batch = buffer.sample(2)
    assert batch[:, : batch.max_t_filled()].max_seq_length == 8


def test_onehots_stay_zero_where_no_action_was_written(
    make_batch: MakeBatch, make_buffer: MakeBuffer
) -> None:
    batch = make_batch([6], T, 0)
    batch["actions"][0, 5] = 0
    batch["actions_onehot"][0, 5] = 0
    buffer = make_buffer(1)
    buffer.insert_episode_batch(batch)
    assert_same_episodes(buffer.sample(1), batch)


def test_an_episode_without_steps_is_all_padding(
    make_batch: MakeBatch, make_buffer: MakeBuffer
) -> None:
    buffer = make_buffer(3)
    empty = make_batch([0], T, 0)
    buffer.insert_episode_batch(empty)
    assert buffer.sample(1)["filled"].tolist() == [[[0]]]
    buffer.insert_episode_batch(make_batch([3, 4], T, 0))
    assert not buffer.sample(3)[0]["obs"].any()


def test_negative_zero_and_nan_survive_the_encoding_without_zeros(
    make_buffer: MakeBuffer, groups: dict[str, int]
) -> None:
    own = {"x": {"vshape": (400,)}}
    values = torch.zeros(1, T, 400)
    values[0, :, ::50] = torch.tensor([-0.0, float("nan"), float("inf"), 1e-45]).repeat(2)
    batch = EpisodeBatch(own, groups, 1, T)
    batch.update({"x": values})
    buffer = make_buffer(2, T, own)
    buffer.insert_episode_batch(batch)
    assert as_bytes(buffer.sample(1)["x"]) == as_bytes(values)
    assert buffer.bytes_used() < values.nbytes / 2


@pytest.mark.parametrize("width", [1, 7, 8, 9, 16, 30, 70])
def test_availability_of_any_width_is_stored_as_bits(
    make_buffer: MakeBuffer, groups: dict[str, int], width: int
) -> None:
    own = {
        "avail_actions": {"vshape": (width,), "group": "agents", "dtype": torch.int},
    }
    batch = EpisodeBatch(own, groups, 1, T)
    batch.update({"avail_actions": np.random.default_rng(0).integers(0, 2, (1, T, N, width))})
    buffer = make_buffer(1, T, own)
    buffer.insert_episode_batch(batch)
    assert_same_episodes(buffer.sample(1), batch)
    assert buffer.bytes_per_step() == N * -(-width // 8)


@pytest.mark.parametrize(("n_actions", "n_bytes"), [(2, 1), (256, 1), (257, 2), (70_000, 4)])
def test_actions_take_the_narrowest_type(
    make_buffer: MakeBuffer, groups: dict[str, int], n_actions: int, n_bytes: int
) -> None:
    own = {
        "actions": {"vshape": (1,), "group": "agents", "dtype": torch.long},
        "avail_actions": {"vshape": (n_actions,), "group": "agents", "dtype": torch.bool},
    }
    batch = EpisodeBatch(own, groups, 1, 2)
    batch.update({"actions": torch.full((1, 2, N, 1), n_actions - 1)})
    buffer = ReplayBuffer(own, groups, 1, 2)
    buffer.insert_episode_batch(batch)
    assert_same_episodes(buffer.sample(1), batch)
    assert buffer.bytes_per_step() == N * n_bytes + N * -(-n_actions // 8)


@pytest.mark.parametrize(("key", "value"), [("avail_actions", 2), ("avail_actions", -1)])
def test_values_that_could_not_be_given_back_are_refused(
    make_batch: MakeBatch, make_buffer: MakeBuffer, key: str, value: int
) -> None:
    batch = make_batch([3], T, 0)
    batch[key][0, 1, 0, 0] = value
    with pytest.raises(UserError, match=f"'{key}' as whole numbers from 0 to 1"):
        make_buffer(2).insert_episode_batch(batch)


def test_integer_actions_without_availability_keep_their_type(
    make_buffer: MakeBuffer, groups: dict[str, int]
) -> None:
    own = {"actions": {"vshape": (1,), "group": "agents", "dtype": torch.long}}
    batch = EpisodeBatch(own, groups, 1, T)
    batch.update({"actions": torch.full((1, T, N, 1), -(2**40))})
    buffer = ReplayBuffer(own, groups, 1, T)
    buffer.insert_episode_batch(batch)
    assert_same_episodes(buffer.sample(1), batch)


def test_episodes_with_gaps_are_refused(make_batch: MakeBatch, make_buffer: MakeBuffer) -> None:
    batch = make_batch([5], T, 0)
    batch["filled"][0, 2] = 0
    with pytest.raises(UserError, match="without gaps"):
        make_buffer(2).insert_episode_batch(batch)


def test_batches_shorter_than_the_buffer_fit_and_longer_ones_do_not(
    make_batch: MakeBatch, make_buffer: MakeBuffer
) -> None:
    buffer = make_buffer(3, slots=T)
    short = make_batch([5, 7], 7, 0)
    buffer.insert_episode_batch(short)
    assert_same_episodes(buffer.sample(2), short)
    with pytest.raises(UserError, match=f"{T + 1} slots does not fit"):
        buffer.insert_episode_batch(make_batch([T + 1], T + 1, 0))


def test_a_batch_with_other_fields_is_refused(
    make_batch: MakeBatch, make_buffer: MakeBuffer
) -> None:
    with pytest.raises(UserError, match=r"goal.*built for state"):
        make_buffer(2).insert_episode_batch(make_batch([3], T, 0, EVERY_DTYPE))


def test_more_episodes_than_stored_cannot_be_sampled(
    make_batch: MakeBatch, make_buffer: MakeBuffer
) -> None:
    buffer = make_buffer(5)
    buffer.insert_episode_batch(make_batch([3, 3], T, 0))
    assert buffer.can_sample(2)
    assert not buffer.can_sample(3)
    with pytest.raises(UserError, match=r"3 episodes were asked for.*holds 2"):
        buffer.sample(3)


def test_transitions_are_episodes_of_two_slots(
    make_batch: MakeBatch, make_buffer: MakeBuffer
) -> None:
    buffer = make_buffer(500, slots=2)
    many = make_batch([2] * 700, 2, 0)
    for i in range(0, 700, 7):
        buffer.insert_episode_batch(many[i : i + 7])
    order = [i + 500 if i < 200 else i for i in range(500)]
    assert_same_episodes(buffer.sample(500), many[order])
    assert buffer.bytes_used() <= buffer.bytes_when_full() + 1000


def test_a_million_transitions_cost_nothing_before_they_come(
    scheme: dict[str, Any], groups: dict[str, int]
) -> None:
    buffer = ReplayBuffer({"state": {"vshape": 10_000}}, groups, 1_000_000, 2)
    assert buffer.bytes_when_full() > 80e9
    assert buffer.bytes_used() < 1e6


# Memory


def test_memory_follows_the_steps_that_are_alive(
    make_batch: MakeBatch, make_buffer: MakeBuffer
) -> None:
    buffer = make_buffer(50)
    buffer.insert_episode_batch(make_batch([8] * 50, T, 0))
    used = buffer.bytes_used()
    for seed in range(5):
        buffer.insert_episode_batch(make_batch([8] * 50, T, seed))
    assert buffer.bytes_used() == used
    assert used < buffer.bytes_when_full(fill=8 / T) * 1.05


@pytest.mark.parametrize("own", [None, EVERY_DTYPE])
def test_the_estimate_is_never_exceeded(
    make_batch: MakeBatch, make_buffer: MakeBuffer, own: dict[str, Any] | None
) -> None:
    buffer = make_buffer(30, T, own)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        lengths = [int(length) for length in rng.integers(1, T + 1, 15)]
        buffer.insert_episode_batch(make_batch(lengths, T, seed, own))
    page_of_zeros = 8 * buffer.bytes_per_step() + 4096
    assert buffer.bytes_used() <= buffer.bytes_when_full() + page_of_zeros


def test_a_buffer_that_cannot_fit_is_refused_with_what_to_type(
    make_buffer: MakeBuffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = make_buffer(5000)
    monkeypatch.setattr(replay_buffer, "available_bytes", lambda: buffer.bytes_when_full() // 4)
    with pytest.raises(UserError) as refusal:
        buffer.check_memory()
    text = str(refusal.value)
    assert "buffer_size=5000" in text
    assert "buffer_size=1250 fits" in text
    assert "buffer_fill=0.4" in text
    make_buffer(1250).check_memory()


def test_what_fits_or_cannot_be_known_is_not_refused(
    make_buffer: MakeBuffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = make_buffer(5000)
    monkeypatch.setattr(replay_buffer, "available_bytes", lambda: buffer.bytes_when_full())
    buffer.check_memory()
    monkeypatch.setattr(replay_buffer, "available_bytes", lambda: buffer.bytes_when_full(0.5))
    buffer.check_memory(fill=0.5)
    with pytest.raises(UserError, match="90% full"):
        buffer.check_memory(fill=0.9)
    monkeypatch.setattr(replay_buffer, "available_bytes", lambda: None)
    buffer.check_memory()


# Checkpoints


@pytest.mark.parametrize("seed", range(6))
def test_a_restored_buffer_samples_like_the_original_through_wraps(
    make_batch: MakeBatch, make_buffer: MakeBuffer, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    own = EVERY_DTYPE if seed % 2 else None
    original, parts, saved = make_buffer(7, T, own), [], 0
    for checkpoint in range(6):
        for insertion in range(int(rng.integers(1, 5))):
            lengths = [int(length) for length in rng.integers(0, T + 1, rng.integers(1, 10))]
            original.insert_episode_batch(make_batch(lengths, T, 10 * checkpoint + insertion, own))
        half = (saved + original.inserted) // 2
        parts.append(saved_and_loaded(original.episodes_since(saved, half)))
        parts.append(saved_and_loaded(original.episodes_since(half)))
        saved = original.inserted

        restored = make_buffer(7, T, own)
        restored.restore(original.inserted, parts)
        assert restored.buffer_index == original.buffer_index
        assert restored.episodes_in_buffer == original.episodes_in_buffer
        more = make_batch([2, 5], T, 99, own)
        original.insert_episode_batch(more)
        restored.insert_episode_batch(more)
        for batch_size in (1, 2, restored.episodes_in_buffer):
            assert_same_episodes(
                drawn(restored, batch_size, seed), drawn(original, batch_size, seed)
            )


def test_an_empty_buffer_is_restored_empty(make_buffer: MakeBuffer) -> None:
    buffer = make_buffer(3)
    part = saved_and_loaded(buffer.episodes_since(0))
    restored = make_buffer(3)
    restored.restore(0, [part])
    assert restored.episodes_in_buffer == 0


def test_parts_without_any_step_are_restored(
    make_batch: MakeBatch, make_buffer: MakeBuffer
) -> None:
    original, parts = make_buffer(4, T, EVERY_DTYPE), []
    for seed, length in enumerate((0, T, 0)):
        original.insert_episode_batch(make_batch([length], T, seed, EVERY_DTYPE))
        parts.append(original.episodes_since(seed))
    restored = make_buffer(4, T, EVERY_DTYPE)
    restored.restore(3, parts)
    assert_same_episodes(restored.sample(3), original.sample(3))
    assert_same_episodes(restored.sample(3)[1], make_batch([T], T, 1, EVERY_DTYPE))
    small, other = make_buffer(1, T, EVERY_DTYPE), make_buffer(1, T, EVERY_DTYPE)
    small.insert_episode_batch(make_batch([T], T, 0, EVERY_DTYPE))
    small.insert_episode_batch(make_batch([0], T, 0, EVERY_DTYPE))
    other.restore(2, [small.episodes_since(0)])
    assert_same_episodes(other.sample(1), small.sample(1))


def test_only_new_episodes_are_handed_out(make_batch: MakeBatch, make_buffer: MakeBuffer) -> None:
    buffer = make_buffer(10)
    buffer.insert_episode_batch(make_batch([3, 4, 5], T, 0))
    part = buffer.episodes_since(1)
    assert int(part["first"]) == 1
    assert part["lengths"].tolist() == [4, 5]
    assert part["steps.reward"].shape == (9, 1)
    assert buffer.episodes_since(3)["lengths"].tolist() == []


def test_restoring_replaces_what_was_there(make_batch: MakeBatch, make_buffer: MakeBuffer) -> None:
    original = make_buffer(3)
    batch = make_batch([3, 4], T, 0)
    original.insert_episode_batch(batch)
    other = make_buffer(3)
    other.insert_episode_batch(make_batch([9, 9, 9], T, 1))
    other.restore(2, [original.episodes_since(0)])
    assert other.inserted == 2
    assert_same_episodes(other.sample(2), batch)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_part_is_named(
    make_batch: MakeBatch, make_buffer: MakeBuffer, missing: int
) -> None:
    original, parts = make_buffer(9), []
    for seed in range(3):
        original.insert_episode_batch(make_batch([3, 4], T, seed))
        parts.append(original.episodes_since(2 * seed))
    del parts[missing]
    with pytest.raises(UserError, match=f"episodes 0 to 5 are needed.*before {2 * missing} were"):
        make_buffer(9).restore(6, parts)


def test_a_part_of_another_run_is_refused(
    make_batch: MakeBatch, make_buffer: MakeBuffer, groups: dict[str, int]
) -> None:
    original = make_buffer(3)
    original.insert_episode_batch(make_batch([3, 4], T, 0))
    part = original.episodes_since(0)
    with pytest.raises(UserError, match=r"lacks 'steps\.other'"):
        ReplayBuffer({"other": {"vshape": 1}}, groups, 3, T).restore(2, [part])
    with pytest.raises(UserError, match=r"'steps.state' as float32 \(7,\).*\(8,\)"):
        ReplayBuffer({"state": {"vshape": 8}}, groups, 3, T).restore(2, [part])
