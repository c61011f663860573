"""What both vectors of single environments share: the arrays, and how a row is filled."""

from __future__ import annotations

import math
import operator
import traceback
from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike

from envs.batched import BatchedEnv
from envs.multiagentenv import MultiAgentEnv
from envs.step_result import WHAT_FITS, encodable
from envs.values import EnvInfo, Size
from utils.errors import UserError

Build = Callable[[], MultiAgentEnv]
Arrays = dict[str, np.ndarray]
Fields = dict[str, tuple[tuple[int, ...], DTypeLike]]  # name -> shape, dtype

COUNTS = ("n_agents", "n_actions", "episode_limit")
SHAPES = ("state_shape", "obs_shape")


def sizes_of(env: MultiAgentEnv | BatchedEnv) -> EnvInfo:
    """What `env.get_env_info()` gives, with all sizes in it; a sentence about what is none."""
    source = f"{type(env).__name__}.get_env_info()"
    info = env.get_env_info()
    if not isinstance(info, dict):
        raise UserError(f"{source} returned {info!r}. It must be a dictionary.")
    for key in (*COUNTS, *SHAPES):
        if key not in info:
            raise UserError(f"{source} lacks '{key}'.")
        least = 1 if key in COUNTS else 0
        try:
            widths = (info[key],) if key in COUNTS else as_shape(info[key])
            fits = all(operator.index(width) >= least for width in widths)
        except TypeError:
            fits = False
        if not fits:
            wanted = "a whole number, 1 or more" if key in COUNTS else "a length or a shape"
            raise UserError(f"{source} gives {key}={info[key]!r}. It must be {wanted}.")
    return info


def fields_for(info: EnvInfo, n_envs: int) -> Fields:
    """The arrays that describe `n_envs` rows and one step of them."""
    B, N, A = n_envs, info["n_agents"], info["n_actions"]
    continuous = bool(info.get("action_spaces"))
    return {
        "state": ((B, *as_shape(info["state_shape"])), np.float32),
        "obs": ((B, N, *as_shape(info["obs_shape"])), np.float32),
        "avail": ((B, N, A), np.uint8),
        "actions": ((B, N, A), np.float32) if continuous else ((B, N), np.int64),
        "reward": ((B,), np.float32),
        "ended": ((B,), np.bool_),
        "terminated": ((B,), np.bool_),
    }


def private_arrays(fields: Fields) -> Arrays:
    """The arrays, in memory that only this process sees."""
    return {name: np.zeros(shape, dtype) for name, (shape, dtype) in fields.items()}


def as_shape(size: Size) -> tuple[int, ...]:
    """Sizes are given as a number or as a shape."""
    return (int(size),) if isinstance(size, int | np.integer) else tuple(size)


class Place:
    """One row of the arrays, where an environment's situation is written."""

    def __init__(self, arrays: Arrays, row: int) -> None:
        self.state, self.obs = arrays["state"][row], arrays["obs"][row]
        self.avail = arrays["avail"][row]


def look(env: MultiAgentEnv, place: Place) -> None:
    """Write the present situation of `env`."""
    put("get_state()", env.get_state(), place.state)
    put("get_obs()", env.get_obs(), place.obs, of_agents=True)
    put("get_avail_actions()", env.get_avail_actions(), place.avail)
    choices = np.maximum.reduce(place.avail, axis=1).tolist()
    if 0 in choices:
        raise UserError(f"Agent {choices.index(0)} has no available action.")


def put(what: str, values: object, place: np.ndarray, of_agents: bool = False) -> None:
    """Write `values` into `place`: of its size, and finite."""
    array = np.asarray(values)
    if array.shape != place.shape:
        array = _reshaped(what, array, place.shape)
    if place.dtype.kind != "f" or array.dtype == place.dtype:
        place[...] = array
    else:
        with np.errstate(over="ignore"):  # what overflows is refused with its value
            place[...] = array
    if place.dtype.kind == "f" and not all_finite(place):
        raise UserError(unheld(what, array, of_agents))


def _reshaped(what: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if array.size != math.prod(shape):
        raise UserError(
            f"{what} gave shape {array.shape}, but get_env_info() says {shape}. "
            "check-env says more."
        )
    return array.reshape(shape)


def all_finite(place: np.ndarray) -> bool:
    """A finite sum of squares has no others, and is had sooner (by vdot: dot may warn)."""
    return math.isfinite(np.vdot(place, place)) or bool(np.isfinite(place).all())


def unheld(what: str, values: np.ndarray, of_agents: bool) -> str:
    """The sentence about the first of `values` that float32 cannot hold."""
    with np.errstate(over="ignore"):
        held = np.isfinite(values.astype(np.float32))
    place = tuple(np.argwhere(~held)[0])
    agent = f" for agent {place[0]}" if of_agents else ""
    return f"{what} gave the value {values[place]}{agent}. {WHAT_FITS}"


def explain(error: BaseException) -> str:
    """Why an environment broke: our own sentence, or the traceback of whatever it raised."""
    if isinstance(error, UserError):
        return encodable(str(error))
    return encodable("".join(traceback.format_exception(error)))


def reseeds(env: MultiAgentEnv) -> bool:
    """Whether an episode depends on its seed alone."""
    return hasattr(env, "reseed") and getattr(env, "reseed_is_exact", True)


def begin(env: MultiAgentEnv, seed: int) -> None:
    """Start an episode, from `seed` alone where the environment can do that."""
    if hasattr(env, "reseed"):
        env.reseed(seed)
    env.reset()
