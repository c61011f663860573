"""Each way to break the contract is found and named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs import REGISTRY
from envs.build import make_batched, make_env
from envs.check import check_env, run_check
from envs.check import main as check_main
from envs.multiagentenv import MultiAgentEnv
from envs.step_result import normalise_step
from utils.errors import UserError


class Good(MultiAgentEnv):
    """Two agents, three actions, four steps."""

    n_agents, episode_limit = 2, 4

    def __init__(self, seed: int | None = None) -> None:
        self.random = np.random.default_rng(seed)
        self.t, self.value = 0, 0.0

    def reseed(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def reset(self) -> None:
        self.t, self.value = 0, self.random.random()

    def step(self, actions: Any) -> Any:
        self.t += 1
        self.value = self.random.random()
        return 1.0, self.t >= 4, {"won": True}

    def get_obs_agent(self, agent_id: int) -> Any:
        return np.full(5, self.value, np.float32)

    def get_obs_size(self) -> int:
        return 5

    def get_state(self) -> Any:
        return np.zeros(6, np.float32)

    def get_state_size(self) -> int:
        return 6

    def get_total_actions(self) -> int:
        return 3


def reset(self: Good) -> None:
    raise ZeroDivisionError("in the middle of it")


BREAKS: dict[str, tuple[dict[str, Any], str]] = {
    "no close": ({"close": None}, "method close() is missing"),
    "no limit": ({"episode_limit": None}, "episode_limit must be an integer"),
    "short obs": ({"get_obs_agent": lambda s, i: np.zeros(4)}, "has shape (4,)"),
    "one obs": ({"get_obs": lambda s: [np.zeros(5)]}, "1 observations for n_agents=2"),
    "nan obs": ({"get_obs_agent": lambda s, i: np.full(5, np.nan)}, "agent 0 holds nan"),
    "huge obs": ({"get_obs_agent": lambda s, i: np.full(5, 1e39)}, "agent 0 holds 1e+39"),
    "huge state": ({"get_state": lambda s: np.full(6, -1e39)}, "get_state() holds -1e+39"),
    "text obs": ({"get_obs_agent": lambda s, i: ["a"] * 5}, "must be numbers"),
    "state size": ({"get_state_size": lambda s: 7}, "get_state() has shape (6,)"),
    "no action": ({"get_avail_agent_actions": lambda s, i: [0, 0, 0]}, "no available action"),
    "avail size": ({"get_avail_agent_actions": lambda s, i: [1, 1]}, "2 entries for n_actions=3"),
    "avail value": ({"get_avail_agent_actions": lambda s, i: [1, 2, 0]}, "other than 0 and 1"),
    "two-tuple": ({"step": lambda s, a: (1.0, True)}, "step() returned 2 values"),
    "nan reward": ({"step": lambda s, a: (float("nan"), True, {})}, "reward nan"),
    "huge reward": ({"step": lambda s, a: (1e39, True, {})}, "reward 1e+39. It must be a finite"),
    "rewards": ({"step": lambda s, a: ([1.0, 2.0], True, {})}, "One team reward"),
    "endless": ({"step": lambda s, a: (0.0, False, {})}, "went on after episode_limit=4"),
    "info": ({"step": lambda s, a: (0.0, True, {"x": "yes"})}, "info['x'] is 'yes'"),
    "nan info": ({"step": lambda s, a: (0.0, True, {"x": np.nan})}, "info['x'] is nan"),
    "complex info": ({"step": lambda s, a: (0.0, True, {"x": 1j})}, "info['x'] is 1j"),
    "raises": ({"reset": reset}, "reset() raised ZeroDivisionError"),
    "global random": (
        {"get_obs_agent": lambda s, i: np.full(5, np.random.rand())},
        "After reseed(seed) two episodes",
    ),
    "no info": ({"get_env_info": lambda s: {"n_agents": 2}}, "lacks 'state_shape', 'obs"),
}


def test_a_good_environment_has_no_findings() -> None:
    assert check_env(Good()) == []


@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_environment_is_found(how: str) -> None:
    changes, finding = BREAKS[how]

    findings = " ".join(check_env(type("Broken", (Good,), changes)()))

    assert finding in findings


def test_arrays_that_change_later_are_found() -> None:
    class Aliasing(Good):
        def __init__(self) -> None:
            super().__init__()
            self.held = np.zeros((2, 5), np.float32)

        def get_obs(self) -> list[np.ndarray]:
            return list(self.held)

        def step(self, actions: Any) -> Any:
            self.held += 1
            return super().step(actions)

    assert any("return copies" in finding for finding in check_env(Aliasing()))


def test_a_batched_face_that_disagrees_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(REGISTRY["grid"].batched):  # type: ignore[misc,name-defined]
        STEP_COST = -0.5

    assert run_check("grid", {})[1]
    monkeypatch.setattr("envs.check.make_batched", lambda name, env_args, n_envs: Other(n_envs))
    report, ok = run_check("grid", {})

    assert not ok
    assert "pays or ends otherwise" in report


def test_five_values_are_understood_as_gymnasium_means_them() -> None:
    assert normalise_step((None, 1, True, False, {})) == (1.0, True, True, {})
    assert normalise_step((None, 1, False, True, {})) == (1.0, True, False, {})
    assert normalise_step((None, [2, 2], [False], [False], {})) == (2.0, False, False, {})


def test_three_values_are_understood_as_pymarl_means_them() -> None:
    assert normalise_step((1, True, {}))[1:3] == (True, True)
    assert normalise_step((1, True, {"episode_limit": True}))[1:3] == (True, False)


def test_arguments_an_environment_does_not_take_are_dropped_with_a_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envs.build.log.propagate", True)

    env = make_env("grid", {"size": 3, "obs_last_action": False}, seed=0)

    assert env.get_state_size() == 6
    assert "env_args.obs_last_action is ignored" in caplog.text


def test_packed_constructors_get_their_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    class Packed(Good):
        def __init__(self, env_args: dict[str, Any], args: Any) -> None:
            super().__init__()
            self.given = env_args

    monkeypatch.setitem(REGISTRY, "packed", Packed)  # type: ignore[arg-type]

    assert make_env("packed", {"a": 1}, seed=5).given == {"a": 1, "seed": 5}  # type: ignore[attr-defined]


def test_a_constructor_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any, seed: int | None = None) -> None:
        raise RuntimeError("no licence")

    monkeypatch.setitem(REGISTRY, "bad", type("Bad", (Good,), {"__init__": fail}))  # type: ignore[arg-type]

    with pytest.raises(UserError, match="RuntimeError: no licence"):
        make_env("bad", {}, seed=0)


def test_no_batched_face_names_the_other_runners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REGISTRY, "good", Good)  # type: ignore[arg-type]

    with pytest.raises(UserError, match="runner=parallel"):
        make_batched("good", {}, 2)


def test_the_documented_example_is_sound(capsys: pytest.CaptureFixture[str]) -> None:
    example = Path(__file__).resolve().parents[2] / "docs" / "examples" / "lift.yaml"

    assert check_main([f"--env-config={example}"]) == 0
    assert "exact resume: yes" in capsys.readouterr().out
