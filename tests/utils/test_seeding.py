from __future__ import annotations

import random

import numpy as np
import torch

from utils.seeding import (
    TEST,
    TRAIN,
    RandomStream,
    capture_random_state,
    episode_seed,
    restore_random_state,
    seed_everything,
)


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_one_seed_fixes_python_numpy_and_torch() -> None:
    seed_everything(5)
    first = draw()
    seed_everything(5)

    assert draw() == first


def test_a_captured_state_can_be_restored_through_a_file(tmp_path) -> None:  # noqa: ANN001
    seed_everything(5)
    draw()
    torch.save(capture_random_state(), tmp_path / "state.pt")
    expected = [draw() for _ in range(700)]  # past one block of numpy's generator

    restore_random_state(torch.load(tmp_path / "state.pt", weights_only=True))

    assert [draw() for _ in range(700)] == expected


def test_a_second_stream_leaves_the_first_alone() -> None:
    seed_everything(5)
    undisturbed = [draw(), draw()]
    seed_everything(5)
    stream = RandomStream(seed=9)
    disturbed = [draw()]
    with stream.active():
        draw()
    disturbed.append(draw())

    assert disturbed == undisturbed


def test_a_second_stream_goes_on_where_it_was_left() -> None:
    stream = RandomStream(seed=9)
    with stream.active():
        in_one_go = [draw(), draw()]
    stream = RandomStream(seed=9)
    in_two = []
    for _ in range(2):
        with stream.active():
            in_two.append(draw())

    assert in_two == in_one_go


def test_a_second_stream_survives_an_exception() -> None:
    seed_everything(5)
    expected = draw()
    seed_everything(5)
    try:
        with RandomStream(seed=9).active():
            raise ValueError
    except ValueError:
        pass

    assert draw() == expected


def test_episode_seeds_differ_by_run_stream_row_and_number() -> None:
    seeds = {
        episode_seed(seed, stream, row, episode)
        for seed in range(5)
        for stream in (TRAIN, TEST)
        for row in range(8)
        for episode in range(20)
    }

    assert len(seeds) == 5 * 2 * 8 * 20
    assert all(0 <= seed < 2**31 for seed in seeds)
