from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from components.episode_buffer import EpisodeBatch
from components.writing import ShapeError
from utils.errors import UserError

B, T, N, S, OBS, A = 4, 6, 3, 7, 5, 11


@pytest.fixture
def batch(
    scheme: dict[str, Any], groups: dict[str, int], preprocess: dict[str, Any]
) -> EpisodeBatch:
    return EpisodeBatch(scheme, groups, B, T, preprocess=preprocess)


def test_every_field_starts_as_zeros_of_its_shape_and_dtype(batch: EpisodeBatch) -> None:
    assert batch["state"].shape == (B, T, S)
    assert batch["obs"].shape == (B, T, N, OBS)
    assert batch["actions"].dtype == torch.long
    assert batch["terminated"].dtype == torch.uint8
    assert batch["filled"].shape == (B, T, 1)
    assert not any(tensor.any() for tensor in batch.data.transition_data.values())


def test_scheme_after_construction_holds_preprocess_outputs_and_filled(
    batch: EpisodeBatch, scheme: dict[str, Any]
) -> None:
    assert batch.scheme["actions_onehot"] == {
        "vshape": (A,),
        "dtype": torch.float32,
        "group": "agents",
    }
    assert batch.scheme["filled"]["dtype"] == torch.long
    assert "filled" not in scheme  # the caller's dictionary is left alone


def test_a_completed_scheme_builds_the_same_batch(
    batch: EpisodeBatch, groups: dict[str, int], preprocess: dict[str, Any]
) -> None:
    again = EpisodeBatch(batch.scheme, groups, B, T, preprocess=preprocess)
    assert again.scheme == batch.scheme


def test_filled_cannot_be_redefined(scheme: dict[str, Any], groups: dict[str, int]) -> None:
    with pytest.raises(UserError, match="reserved"):
        EpisodeBatch({**scheme, "filled": {"vshape": (2,)}}, groups, B, T)


def test_one_slot_of_lists_is_written_as_pymarl_runners_do(batch: EpisodeBatch) -> None:
    state, obs = np.arange(S), [np.full(OBS, i) for i in range(N)]
    batch[1].update({"state": [state], "obs": [obs], "reward": [(2.5,)]}, ts=3)
    assert batch["state"][1, 3].tolist() == list(range(S))
    assert batch["obs"][1, 3, :, 0].tolist() == [0, 1, 2]
    assert batch["reward"][1, 3].item() == 2.5
    assert batch["filled"].nonzero().tolist() == [[1, 3, 0]]


def test_rows_may_be_a_list_an_array_a_mask_or_a_tensor(batch: EpisodeBatch) -> None:
    for rows in ([0, 2], np.array([0, 2]), np.array([1, 0, 1, 0], bool), torch.tensor([0, 2])):
        batch["reward"].zero_()
        batch.update({"reward": np.array([1.0, 2.0])}, bs=rows, ts=4)
        assert batch["reward"][:, 4, 0].tolist() == [1, 0, 2, 0]
        assert batch["reward"].sum() == 3


def test_a_negative_slot_counts_from_the_end(batch: EpisodeBatch) -> None:
    batch.update({"reward": np.ones(B)}, ts=-1)
    assert batch["filled"][:, :, 0].sum(0).tolist() == [0, 0, 0, 0, 0, B]


def test_actions_without_marking_still_give_onehots(batch: EpisodeBatch) -> None:
    actions = torch.arange(B * N).reshape(B, N) % A
    batch.update({"actions": actions}, ts=2, mark_filled=False)
    assert torch.equal(batch["actions_onehot"][:, 2].argmax(-1), actions)
    assert batch["actions_onehot"].sum() == B * N
    assert batch["filled"].sum() == 0


def test_onehots_of_chosen_rows_land_in_these_rows(batch: EpisodeBatch) -> None:
    batch.update({"actions": torch.tensor([[1, 2, 3]])}, bs=[2], ts=0)
    assert batch["actions_onehot"][2, 0].argmax(-1).tolist() == [1, 2, 3]
    assert batch["actions_onehot"].sum() == N


def test_values_are_cast_to_the_fields_dtype(batch: EpisodeBatch) -> None:
    batch.update({"avail_actions": np.ones((B, N, A), bool), "terminated": [[True]] * B}, ts=0)
    assert batch["avail_actions"].dtype == torch.int
    assert batch["terminated"][:, 0, 0].tolist() == [1] * B


def test_a_wrong_shape_names_the_field_and_both_shapes(batch: EpisodeBatch) -> None:
    with pytest.raises(ShapeError, match=r"'obs'.*\(4, 3, 6\).*\(4, 1, 3, 5\)"):
        batch.update({"obs": np.zeros((B, N, OBS + 1))}, ts=0)


def test_transposed_or_flattened_data_is_refused(batch: EpisodeBatch) -> None:
    for shape in [(B, OBS, N), (B, N * OBS), (N, B, OBS)]:
        with pytest.raises(ShapeError, match="obs"):
            batch.update({"obs": np.zeros(shape)}, ts=0)


def test_a_slot_beyond_the_end_is_refused(batch: EpisodeBatch) -> None:
    with pytest.raises(ShapeError, match="reward"):
        batch.update({"reward": np.zeros(B)}, ts=T)


def test_ragged_lists_name_the_field(batch: EpisodeBatch) -> None:
    with pytest.raises(ShapeError, match="obs"):
        batch.update({"obs": [[np.zeros(OBS), np.zeros(OBS - 1), np.zeros(OBS)]] * B}, ts=0)


def test_an_unknown_field_names_the_nearest(batch: EpisodeBatch) -> None:
    with pytest.raises(KeyError, match="Did you mean 'reward'"):
        batch.update({"rewards": np.zeros(B)}, ts=0)
    with pytest.raises(KeyError, match="Did you mean 'state'"):
        batch["stat"]


def test_an_unknown_group_is_refused(groups: dict[str, int]) -> None:
    with pytest.raises(UserError, match=r"'agent'.*Did you mean 'agents'"):
        EpisodeBatch({"obs": {"vshape": 2, "group": "agent"}}, groups, B, T)


def test_slices_share_memory(batch: EpisodeBatch) -> None:
    batch[1:3, 2:5].update({"reward": np.full((2, 3), 7.0)})
    assert batch["reward"].sum() == 2 * 3 * 7
    assert batch["filled"][1:3, 2:5].all()


@pytest.mark.parametrize(
    ("index", "episodes", "slots"),
    [
        (0, 1, T),
        (-1, 1, T),
        (slice(1, 3), 2, T),
        ([0, 3], 2, T),
        (np.array([0, 2, 3]), 3, T),
        ((slice(None), 2), B, 1),
        ((slice(None), slice(0, 4)), B, 4),
        ((slice(None), slice(None, -1)), B, T - 1),
        (([1, 2], slice(1, 3)), 2, 2),
        ((2, -1), 1, 1),
    ],
)
def test_parts_have_the_size_that_was_asked_for(
    batch: EpisodeBatch, index: Any, episodes: int, slots: int
) -> None:
    part = batch[index]
    assert (part.batch_size, part.max_seq_length) == (episodes, slots)
    assert part["obs"].shape == (episodes, slots, N, OBS)
    assert part.scheme == batch.scheme


def test_time_cannot_be_chosen_by_a_list(batch: EpisodeBatch) -> None:
    with pytest.raises(UserError, match="slice"):
        batch[:, [0, 1]]


def test_names_give_a_batch_of_these_fields(batch: EpisodeBatch) -> None:
    part = batch["obs", "state"]
    assert list(part.scheme) == ["obs", "state"]
    assert part["obs"].data_ptr() == batch["obs"].data_ptr()


def test_a_part_still_derives_onehots(batch: EpisodeBatch) -> None:
    batch[:, 1].update({"actions": torch.ones(B, 1, N, 1)})
    assert batch["actions_onehot"][:, 1, :, 1].all()


def test_max_t_filled_is_the_longest_episode(batch: EpisodeBatch) -> None:
    batch.update({"reward": np.zeros((B, 2))}, ts=slice(0, 2))
    batch.update({"reward": np.zeros((1, 5))}, bs=2, ts=slice(0, 5))
    assert batch.max_t_filled() == 5
    assert batch[:, : batch.max_t_filled()].max_seq_length == 5


def test_to_returns_the_batch(batch: EpisodeBatch) -> None:
    assert batch.to("cpu") is batch
    assert batch.device == "cpu"


def test_episode_constants_have_no_time_axis(groups: dict[str, int]) -> None:
    scheme = {"reward": {"vshape": 1}, "goal": {"vshape": 2, "episode_const": True}}
    batch = EpisodeBatch(scheme, groups, B, T)
    batch.update({"goal": [[1, 2]]}, bs=3)
    assert batch["goal"].shape == (B, 2)
    assert batch.data.episode_data["goal"][3].tolist() == [1, 2]
    assert batch["filled"].sum() == 0
    assert batch[3, 1:2]["goal"].tolist() == [[1, 2]]


def test_extend_adds_zero_fields(batch: EpisodeBatch) -> None:
    batch.extend({"probs": {"vshape": (A,), "group": "agents"}})
    assert batch["probs"].shape == (B, T, N, A)
    assert "probs" in batch.scheme


def test_bfloat16_fields_are_written(groups: dict[str, int]) -> None:
    batch = EpisodeBatch({"x": {"vshape": 2, "dtype": torch.bfloat16}}, groups, B, T)
    for rows in ([0, 1], np.array([0, 1]), slice(0, 2), torch.tensor([0, 1])):
        batch["x"].zero_()
        batch.update({"x": np.full((2, 2), 1.5)}, bs=rows, ts=1)
        assert batch["x"][:2, 1].sum() == batch["x"].sum() == 6


def test_a_deep_copy_is_independent(batch: EpisodeBatch) -> None:
    twin = copy.deepcopy(batch)
    twin.update({"reward": np.ones(B)}, ts=0)
    assert batch["reward"].sum() == 0
