"""What environments give is refused at the border where float32 cannot hold it, in a sentence."""

from __future__ import annotations

import logging
import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from envs.batched import Step
from envs.build import construct
from envs.grid import GridBatch
from envs.vector.checked import CheckedBatch
from envs.vector.in_process import InProcessVector
from envs.vector.worker_process import Worker
from envs.vector.workers import tail
from runners.tally import Tally
from tests.data.fragile import Fragile
from utils.errors import UserError

ROWS = np.arange(2)
SEEDS = np.array([3, 4])
NOTHING = np.zeros((2, 2), int)  # actions of two rows


class Odd(Fragile):
    """Gives what its class attributes say, in its second step."""

    reward: Any = 0.0
    shown: Any = 0.0  # in the state, and in the second agent's observation
    info: dict[Any, Any] = {}

    def step(self, actions: Any) -> Any:
        super().step(actions)
        second = self.t == 2
        return self.reward if second else 0.0, second, self.info

    def get_obs_agent(self, agent_id: int) -> Any:
        obs = super().get_obs_agent(agent_id).astype(float)
        obs[1] = self.shown if self.t == 2 and agent_id == 1 else 0.0
        return obs


def odd(**attributes: Any) -> Any:
    return type("Odd", (Odd,), attributes)()


SENTENCES = {
    "huge reward": ({"reward": 1e39}, "step() returned the reward 1e+39. It must be a finite"),
    "nan reward": ({"reward": np.nan}, "step() returned the reward nan. It must be a finite"),
    "many rewards": ({"reward": [-1e39, -1e39]}, "the reward -1e+39"),
    "huge obs": ({"shown": 1e39}, "get_obs() gave the value 1e+39 for agent 1. It must be"),
    "nan obs": ({"shown": np.nan}, "get_obs() gave the value nan for agent 1. It must be"),
    "inf obs": ({"shown": -np.inf}, "get_obs() gave the value -inf for agent 1. It must be"),
    "state": (
        {"get_state": lambda s: [0.0, 1e39 * (s.t == 2)]},
        "get_state() gave the value 1e+39. It",
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("what", SENTENCES)
def test_an_episode_with_such_a_value_is_lost(what: str) -> None:
    attributes, sentence = SENTENCES[what]
    vector = InProcessVector([lambda: odd(**attributes), odd])
    assert not vector.reset(ROWS, SEEDS).any()
    assert not vector.step(ROWS, NOTHING).lost.any()
    step = vector.step(ROWS, NOTHING)

    assert step.lost.tolist() == [True, False]
    assert sentence in vector.last_failure[0]
    assert len(vector.last_failure[0].splitlines()) == 1
    assert not vector.reset(ROWS, SEEDS).any()  # anew


@pytest.mark.filterwarnings("error")
def test_the_largest_number_of_float32_is_taken() -> None:
    largest = float(np.finfo(np.float32).max)
    vector = InProcessVector([lambda: odd(reward=largest, shown=-largest)])
    vector.reset(ROWS[:1], SEEDS[:1])
    vector.step(ROWS[:1], NOTHING[:1])
    step = vector.step(ROWS[:1], NOTHING[:1])

    assert not step.lost.any()
    assert step.reward.tolist() == [largest]


# ---------------------------------------------------------------- many at once


class OddBatch(GridBatch):
    """A grid that is changed by `spoil` when both rows step."""

    built = 0

    def __init__(self) -> None:
        super().__init__(n_envs=2)
        type(self).built += 1

    def step(self, rows: Any, actions: Any) -> Step:
        step = super().step(rows, actions)
        if len(rows) == 2:
            self.spoil(step)
        return step

    def spoil(self, step: Step) -> None:
        """Nothing, unless a test says so."""


def huge_reward(batch: OddBatch, step: Step) -> None:
    step.reward = np.array([0.5, 1e39])


def nan_reward(batch: OddBatch, step: Step) -> None:
    step.reward[1] = np.nan


def huge_obs(batch: OddBatch, step: Step) -> None:
    batch.obs = batch.obs.astype(float)
    batch.obs[1, 1, 2] = 1e39


def inf_state(batch: OddBatch, step: Step) -> None:
    batch.state[1, 0] = np.inf


BATCHES = {
    huge_reward: "step() paid the reward 1e+39. It must be",
    nan_reward: "step() paid the reward nan. It must be",
    huge_obs: "obs gave the value 1e+39 for agent 1. It must be",
    inf_state: "state gave the value inf. It must be",
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("spoil", BATCHES)
def test_a_row_of_a_batch_is_lost_alone(spoil: Any) -> None:
    vector = CheckedBatch(type("Batch", (OddBatch,), {"spoil": spoil}))
    assert not vector.reset(ROWS, SEEDS).any()
    step = vector.step(ROWS, NOTHING)

    assert step.lost.tolist() == [False, True]
    assert not step.ended[1]
    assert step.reward.dtype == vector.obs.dtype == np.float32
    assert vector.last_failure[1].startswith(BATCHES[spoil])
    assert not vector.step(ROWS[:1], NOTHING[:1]).lost.any()
    assert not vector.reset(ROWS[1:], SEEDS[1:]).any()


def test_a_batch_that_raises_loses_its_episodes_and_is_built_anew() -> None:
    def raises(batch: OddBatch, step: Step) -> None:
        if type(batch).built == 1:
            raise RuntimeError("the game crashed")

    kind = type("Batch", (OddBatch,), {"spoil": raises, "built": 0})
    vector = CheckedBatch(kind)
    vector.reset(ROWS, SEEDS)
    step = vector.step(ROWS, NOTHING)

    assert step.lost.all()
    assert not step.ended.any()
    assert "the game crashed" in vector.last_failure[1]
    assert not vector.reset(ROWS, SEEDS).any()
    assert not vector.step(ROWS, NOTHING).lost.any()
    assert kind.built == 2


def test_a_sound_batch_is_not_copied() -> None:
    vector = CheckedBatch(OddBatch)
    vector.reset(ROWS, SEEDS)

    assert vector.obs is vector._env.obs
    assert vector.state is vector._env.state


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        (
            {"episode_limit": None},
            "Odd.get_env_info() gives episode_limit=None. It must be a whole",
        ),
        ({"episode_limit": 0}, "gives episode_limit=0. It must be a whole number, 1 or more."),
        ({"episode_limit": 2.5}, "gives episode_limit=2.5. It must be"),
        ({"get_obs_size": lambda s: None}, "gives obs_shape=None. It must be a length or a shape."),
        ({"get_state_size": lambda s: (2, None)}, "gives state_shape=(2, None)."),
        ({"get_total_actions": lambda s: "4"}, "gives n_actions='4'."),
        ({"get_env_info": lambda s: {"n_agents": 2}}, "get_env_info() lacks 'n_actions'."),
        ({"get_env_info": lambda s: None}, "get_env_info() returned None. It must be a dict"),
    ],
)
def test_sizes_that_are_none(attributes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as refused:
        InProcessVector([lambda: odd(**attributes)])
    outcome, answer = Worker(lambda: odd(**attributes), row=0).obey("build")

    assert sentence in str(refused.value)
    assert (outcome, answer) == ("failed", str(refused.value))


# ---------------------------------------------------------------- infos and exceptions


class Half(Fraction):
    """A number of a class that cannot be found by its name."""

    __qualname__ = "nowhere.Half"


ODD_INFO = {
    "share": np.nan,
    "pole": -np.inf,
    "phase": 1j,
    "count": 10**400,
    "half": Half(1, 2),
    "limit": None,
    "fit": True,
    7: np.float32(1.5),
    "\udcff": 1,
}


def test_an_odd_info_reaches_the_main_process() -> None:
    worker = Worker(lambda: odd(info=ODD_INFO), row=0)
    vector = InProcessVector([odd])
    worker.obey("build")
    worker.write_to(vector._arrays)
    worker.obey("reset", 3)
    answers = [worker.obey("step") for _ in range(2)]
    sent = pickle.loads(pickle.dumps(answers))

    assert sent[0] == ("done", None)
    outcome, info = sent[1]
    assert outcome == "done"
    assert np.isnan(info.pop("share"))
    assert info == {
        "pole": -np.inf,
        "phase": "complex",
        "count": "int",
        "half": 0.5,
        "limit": "NoneType",
        "fit": 1.0,
        "7": 1.5,
        "\\udcff": 1.0,
    }


def test_means_leave_out_what_is_not_finite_and_say_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    tally, logged = Tally(), {}
    infos = [{**ODD_INFO, "share": share} for share in (0.5, np.nan, 1.0, np.nan)]
    tally.add([1.0] * 2, [5] * 2, infos[:2])
    again = Tally()
    again.load_state_dict(tally.state_dict())
    for each in (tally, again):
        each.add([1.0] * 2, [5] * 2, infos[2:])
        each.log("", lambda key, value, t_env: logged.update({key: value}), 0)
        assert logged.pop("share_mean") == 0.75
    tally.add([1.0], [5], [{"share": 0.25}])
    tally.log("", lambda key, value, t_env: logged.update({key: value}), 0)

    assert logged["share_mean"] == 0.25
    assert logged["half_mean"] == 0.5
    assert np.isfinite(list(logged.values())).all()
    told = [record.getMessage() for record in caplog.records]
    assert told.count("Warning: info['phase'] is no number and is not logged.") == 2  # tallies
    assert told.count("Warning: info['share'] is nan; its mean leaves such episodes out.") == 2
    assert len(told) == 2 * len(["share", "pole", "phase", "count", "limit"])


class UnpleasantError(Exception):
    """Neither a pipe nor a terminal could take it as it is."""

    def __init__(self) -> None:
        super().__init__("no \udcff more", lambda: None)


def unpleasant(self: Any, actions: Any) -> Any:
    raise UnpleasantError


@pytest.mark.parametrize("close", [lambda self: None, lambda self: exit(3)])
def test_an_exception_that_cannot_be_encoded_costs_an_episode(close: Any) -> None:
    attributes = {"step": unpleasant, "close": close}
    vector = InProcessVector([lambda: odd(**attributes)])
    vector.reset(ROWS[:1], SEEDS[:1])
    step = vector.step(ROWS[:1], NOTHING[:1])
    worker = Worker(lambda: odd(**attributes), row=0)
    worker.obey("build")
    worker.write_to(vector._arrays)
    worker.obey("reset", 3)
    outcome, reason = pickle.loads(pickle.dumps(worker.obey("step")))

    assert step.lost.all()
    assert outcome == "failed"
    for each in (vector.last_failure[0], reason):
        assert "UnpleasantError" in each.encode().decode()


class Leaving(Odd):
    def __init__(self) -> None:
        raise SystemExit("no licence")


def test_an_environment_that_leaves_when_it_is_made_is_answered() -> None:
    with pytest.raises(UserError, match=r"env=leaving could not be made.*SystemExit: no licence"):
        construct("leaving", Leaving, {})


def test_the_reason_of_a_failure_fits_a_screen() -> None:
    assert tail("") == tail("\n \n") == "It gave no reason."
    assert len(tail("x" * 10**6)) == 500
    assert tail("first\n" * 20 + "last").splitlines()[-1] == "last"
