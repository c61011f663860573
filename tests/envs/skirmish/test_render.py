from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.build import make_batched, make_env
from envs.skirmish.policies import POLICIES, play
from envs.skirmish.render import ALLY, ENEMY, GROUND, WALL, Painter
from utils.errors import UserError
from utils.pictures import save_animation


def test_a_frame_shows_both_teams_on_their_ground() -> None:
    pytest.importorskip("PIL")
    env: Any = make_batched("skirmish", {"map_name": "corridor"}, 1)
    env.reset(np.arange(1), np.arange(1))
    painter = Painter(env.scenario, scale=10)
    frame = painter.frame(env.fights)

    assert frame.dtype == np.uint8
    assert frame.shape == (300, 300, 3)  # 28 cells and a margin
    assert tuple(frame[2, 2]) == WALL
    shown = {}
    for name, colour in (("ally", ALLY), ("enemy", ENEMY), ("ground", GROUND)):
        ys, xs = np.nonzero(np.abs(frame.astype(int) - colour).max(axis=2) < 12)
        shown[name] = xs.mean() / 10 + 1, 31 - ys.mean() / 10
    f = env.fights
    assert shown["ally"] == pytest.approx(f.place[:, 0, :6].mean(axis=1), abs=0.5)
    assert shown["enemy"] == pytest.approx(f.place[:, 0, 6:].mean(axis=1), abs=0.5)
    ys, xs = np.nonzero(env.scenario.terrain.cells)
    assert shown["ground"] == pytest.approx((xs.mean() + 0.5, ys.mean() + 0.5), abs=1.0)


def test_the_latest_episode_becomes_an_animation(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    env: Any = make_batched("skirmish", {"map_name": "3m", "replay_dir": str(tmp_path)}, 2)
    play(env, POLICIES["focus"], np.arange(2))
    (path,) = env.save_replay()

    assert Path(path).parent == tmp_path
    assert image.open(path).n_frames == env.t[0] + 1


def test_a_single_environment_saves_its_episode_too(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    env = make_env("skirmish", {"map_name": "3m", "replay_dir": str(tmp_path)}, seed=0)
    env.reset()
    env.step([1, 1, 1])

    assert Path(str(env.save_replay())).stat().st_size > 1000


def test_other_kinds_of_files_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    with pytest.raises(UserError, match=r"\.gif, \.webp, \.mp4"):
        save_animation([np.zeros((4, 4, 3), np.uint8)], tmp_path / "fight.mp3")


def test_without_pillow_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_pillow(name: str, *others: Any, **more: Any) -> Any:
        if name.startswith("PIL"):
            raise ImportError(name)
        return real(name, *others, **more)

    env: Any = make_batched("skirmish", {"map_name": "3m"}, 1)
    env.reset(np.arange(1), np.arange(1))
    monkeypatch.setattr(builtins, "__import__", without_pillow)
    with pytest.raises(UserError, match=r"pip install -r requirements/render\.txt"):
        Painter(env.scenario).frame(env.fights)
