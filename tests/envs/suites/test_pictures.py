"""Every suite in a window and as a file, by what Skirmish uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.animation import Screen
from envs.build import make_env
from envs.check import draw_actions
from envs.mamujoco import opengl
from envs.suites.mirror import Mirror
from utils.errors import UserError

NEEDS = {"lbf": "lbforaging", "rware": "rware", "mpe": "mpe2", "smax": "jaxmarl"}
KEYS = {
    "lbf": {"key": "lbforaging:Foraging-8x8-2p-3f-v3"},
    "rware": {"key": "rware:rware-tiny-2ag-v2"},
    "mpe": {"key": "mpe2.simple_spread_v3"},
}


def make(name: str, **env_args: Any) -> Any:
    pytest.importorskip("PIL")
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    return make_env(name, {**KEYS.get(name, {}), **env_args}, seed=0)


def play(env: Any, steps: int, watched: bool = False) -> float:
    """The return of an episode's first steps by random actions."""
    random, info = np.random.default_rng(0), env.get_env_info()
    env.reseed(3)
    env.reset()
    total = 0.0
    for _ in range(steps):
        if watched:
            env.render()
        total += env.step(draw_actions(env, info, random))[0]
    return total


@pytest.mark.parametrize("name", ["particle", "lbf", "rware", "mpe", "smax"])
def test_a_window_shows_each_step_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    shown: list[np.ndarray] = []
    monkeypatch.setattr(Screen, "show", lambda _, frame: shown.append(frame))
    env = make(name)
    alone = play(env, 6)
    assert play(env, 6, watched=True) == alone
    assert len(shown) == 6
    assert all(frame.dtype == np.uint8 and frame.shape[2] == 3 for frame in shown)
    assert any((frame != shown[0]).any() for frame in shown)
    play(env, 1, watched=True)
    np.testing.assert_array_equal(shown[6], shown[0])  # the next episode, from the same seed
    env.close()


@pytest.mark.parametrize("kind", ["webp", "mp4"])
@pytest.mark.parametrize("name", ["particle", "lbf", "smax"])
def test_files_of_other_kinds(tmp_path: Path, name: str, kind: str) -> None:
    if kind == "mp4":
        pytest.importorskip("imageio_ffmpeg")
    env = make(name, replay_format=kind, replay_dir=str(tmp_path))
    play(env, 3)
    content = Path(env.save_replay()).read_bytes()
    assert content[4:8] == b"ftyp" if kind == "mp4" else content[8:12] == b"WEBP"


@pytest.mark.parametrize("name", ["particle", "lbf", "smax"])
def test_an_unknown_kind_is_refused_at_once(name: str) -> None:
    with pytest.raises(UserError, match="it can be gif, webp, mp4"):
        make(name, replay_format="avi")


class Counter:
    """A game whose picture is how often it was stepped since its reset, and from which seed."""

    def reset(self, seed: int) -> None:
        self.seed, self.steps = seed, 0

    def step(self, actions: list[int]) -> Any:
        self.steps += 1
        return type("Turn", (), {"rewards": actions})

    def render(self) -> np.ndarray:
        return np.array([self.seed, self.steps])


def test_a_mirror_goes_on_from_where_it_is() -> None:
    game: Any = Counter()
    mirror, first, second = Mirror(game), [[1.0], [2.0]], [[3.0]]
    assert mirror.picture(7, first, 0).tolist() == [7, 0]
    assert mirror.picture(7, first, 2).tolist() == [7, 2]
    first.append([4.0])
    assert mirror.picture(7, first, 3).tolist() == [7, 3]
    assert mirror.rewards == first
    assert mirror.picture(8, second, 1).tolist() == [8, 1]
    assert mirror.picture(8, second, 0).tolist() == [8, 0]


@pytest.mark.parametrize(
    ("installed", "taken"), [(("EGL", "OSMesa"), "egl"), (("OSMesa",), "osmesa")]
)
def test_mujoco_takes_what_needs_no_screen(
    monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...], taken: str
) -> None:
    without_screen(monkeypatch, installed)
    opengl.choose_opengl()
    assert opengl.os.environ["MUJOCO_GL"] == taken
    monkeypatch.setattr(opengl, "find_library", lambda _: None)
    opengl.choose_opengl()  # what is set is the user's
    assert opengl.os.environ["MUJOCO_GL"] == taken


def test_without_opengl_mujoco_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    without_screen(monkeypatch, ())
    with pytest.raises(UserError, match="apt-get install libegl1"):
        opengl.choose_opengl()
    monkeypatch.setenv("DISPLAY", ":0")
    opengl.choose_opengl()
    assert "MUJOCO_GL" not in opengl.os.environ  # a screen is what MuJoCo takes by itself


def without_screen(monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...]) -> None:
    monkeypatch.setattr(opengl.sys, "platform", "linux")
    monkeypatch.setenv("MUJOCO_GL", "")  # so that it is put back afterwards
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(opengl, "find_library", lambda name: name if name in installed else None)
