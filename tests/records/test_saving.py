"""Checkpoints that are written while the run goes on: complete or absent, whatever happens."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from components.episode_buffer import EpisodeBatch, ReplayBuffer
from records import checkpoint, replay_parts
from records.checkpoint import STATE_FILE, checkpoint_steps, load_state, sound_state
from records.replay_parts import ReplayParts
from records.saving import Saver

SCHEME = {"state": {"vshape": (3,)}}
SIZE, T = 6, 4


class Run:
    """A replay buffer, a number that counts, and the saver that keeps both."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.buffer, self.weight = ReplayBuffer(SCHEME, {}, SIZE, T), torch.zeros(1)
        self.kept: dict[int, dict[str, np.ndarray]] = {}  # step -> replay when it was saved
        usual = {"save_model": False, "save_model_interval": 1, "checkpoint_interval": 1,
                 "checkpoint_minutes": 0.0, "buffer_fill": 1.0}  # fmt: skip
        args = SimpleNamespace(**{**usual, **settings})
        learner: Any = SimpleNamespace(
            save_models=lambda path: Path(path, "agent.th").write_bytes(bytes([self.step]))
        )
        self.saver = Saver(
            folder, args, learner, self.buffer, lambda: {"weight": self.weight}, lambda: None
        )

    @property
    def step(self) -> int:
        return int(self.weight)

    def play(self, episodes: int) -> None:
        """Some episodes, after each of which there would be a checkpoint if it were asked for."""
        for _ in range(episodes):
            self.weight += 1
            batch = EpisodeBatch(SCHEME, {}, 1, T)
            batch.update({"state": torch.full((1, T, 3), float(self.step))}, ts=slice(0, T))
            self.buffer.insert_episode_batch(batch)

    def save(self) -> None:
        self.kept[self.step] = self.buffer.episodes_since(0)
        self.saver.save_if_due(self.step)

    def end(self) -> None:
        self.saver.finish(self.step)


def assert_can_go_on(folder: Path, kept: dict[int, dict[str, np.ndarray]]) -> int:
    """From the newest checkpoint in `folder`, which is sound; returns its step, or 0."""
    steps = [s for s in checkpoint_steps(folder) if (folder / str(s) / STATE_FILE).exists()]
    if not steps:
        return 0
    state = sound_state(folder / str(steps[-1]))
    assert state["weight"].tolist() == [steps[-1]]
    assert (folder / str(steps[-1]) / "agent.th").read_bytes() == bytes([steps[-1]])
    restored = ReplayBuffer(SCHEME, {}, SIZE, T)
    ReplayParts(folder / "replay").load_into(restored, state["replay"])
    for key, array in kept[steps[-1]].items():
        assert restored.episodes_since(0)[key].tobytes() == array.tobytes()
    return steps[-1]


@pytest.fixture
def at_every_moment(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Have a function called before and after all that changes something on the disk."""

    def have_called(call: Callable[[], None]) -> None:
        def watched(change: Callable[..., Any]) -> Callable[..., Any]:
            def changing(*args: Any, **kwargs: Any) -> Any:
                call()
                result = change(*args, **kwargs)
                call()
                return result

            return changing

        whole = np.savez

        def first_a_half(file: Any, **arrays: Any) -> None:
            file.write(b"half")
            file.flush()
            call()
            file.seek(0)
            whole(file, **arrays)

        monkeypatch.setattr(np, "savez", first_a_half)
        for change in ("rename", "replace", "unlink", "mkdir", "write_bytes", "write_text"):
            monkeypatch.setattr(Path, change, watched(getattr(Path, change)))
        monkeypatch.setattr(shutil, "rmtree", watched(shutil.rmtree))

    return have_called


@pytest.mark.parametrize("part_bytes", [1, replay_parts.PART_BYTES])
def test_a_run_that_is_killed_at_any_moment_can_go_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at_every_moment: Callable[[Callable[[], None]], None],
    part_bytes: int,
) -> None:
    monkeypatch.setattr(replay_parts, "PART_BYTES", part_bytes)
    run, finished, moments = Run(tmp_path / "run", save_model=True, save_model_interval=5), 0, 0

    def be_killed() -> None:
        nonlocal moments
        moments += run.saver.folder.is_dir()
        if not moments:
            return
        left = tmp_path / f"killed {moments}"
        shutil.copytree(run.saver.folder, left)
        assert finished <= assert_can_go_on(left, run.kept) <= run.step

    at_every_moment(be_killed)
    for episodes in (2, 1, 8, 3):
        run.play(episodes)
        run.save()
        run.end()
        finished = run.step

    assert moments > 50
    assert assert_can_go_on(run.saver.folder, run.kept) == 14
    assert not list(tmp_path.glob("run/**/*.part"))
    with_state = sorted(path.parent.name for path in tmp_path.glob(f"run/*/{STATE_FILE}"))
    assert with_state == ["11", "14"]


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[Event]:
    """No part is written before this is set."""
    may_go_on, whole = Event(), np.savez

    def wait(file: Any, **arrays: Any) -> None:
        assert may_go_on.wait(60)
        whole(file, **arrays)

    monkeypatch.setattr(np, "savez", wait)
    yield may_go_on
    may_go_on.set()


def test_a_checkpoint_holds_what_was_when_it_was_begun(tmp_path: Path, held_up: Event) -> None:
    run = Run(tmp_path)
    run.play(SIZE + 2)
    run.save()
    run.play(SIZE - 1)

    assert checkpoint_steps(tmp_path) == []
    held_up.set()
    run.end()
    assert assert_can_go_on(tmp_path, run.kept) == SIZE + 2


def test_where_time_says_so_the_run_does_not_wait_for_the_checkpoint_before(
    tmp_path: Path, held_up: Event
) -> None:
    run = Run(tmp_path, checkpoint_interval=0)
    for _ in range(3):
        run.play(1)
        run.save()
    held_up.set()
    run.end()

    assert checkpoint_steps(tmp_path) == [1]
    run.save()
    run.end()
    assert checkpoint_steps(tmp_path) == [1, 3]


def test_whoever_asks_for_the_newest_waits_for_what_is_being_written(
    tmp_path: Path, held_up: Event
) -> None:
    run = Run(tmp_path)
    run.play(3)
    run.save()
    held_up.set()

    assert run.saver.newest() == tmp_path / "3"


def test_best_networks_that_are_kept_meanwhile_stay(tmp_path: Path, held_up: Event) -> None:
    run = Run(tmp_path)
    run.saver.save_best(0)
    run.play(1)
    run.save()
    run.play(1)
    run.saver.save_best(2)
    held_up.set()
    run.end()
    assert checkpoint_steps(tmp_path / "best") == [0, 2]  # the checkpoint knows of the first

    for _ in range(2):
        run.play(1)
        run.save()
    run.end()
    assert checkpoint_steps(tmp_path / "best") == [2]


@pytest.mark.parametrize("asked_by", ["save", "end"])
@pytest.mark.parametrize("where", ["a part", "the state"])
def test_what_goes_wrong_beside_the_run_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, asked_by: str
) -> None:
    run = Run(tmp_path)
    run.play(2)
    run.save()
    run.end()

    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(*((np, "savez") if where == "a part" else (checkpoint, "seal")), fail)
    run.play(1)
    run.save()
    run.saver.wait()
    with pytest.raises(OSError, match="No space"):
        getattr(run, asked_by)()

    assert checkpoint_steps(tmp_path) == [2]
    assert not list(tmp_path.rglob("*.part"))
    assert load_state(tmp_path / "2")["weight"].tolist() == [2]
    run.saver.wait()  # said once
