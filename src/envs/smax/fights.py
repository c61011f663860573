"""JAX's side of it: pure functions of all rows at once, compiled once each."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from envs.suites.packages import need
from utils.errors import UserError, did_you_mean

if TYPE_CHECKING:  # an optional package
    from jax import Array as JaxArray

# Else JAX takes most of a GPU for itself as it starts, and torch finds nothing left.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
MAPS = [
    *("3m", "2s3z", "25m", "3s5z", "8m", "5m_vs_6m", "10m_vs_11m", "27m_vs_30m"),
    *("3s5z_vs_3s6z", "3s_vs_5z", "6h_vs_8z"),
    *("smacv2_5_units", "smacv2_10_units", "smacv2_20_units"),
]


class UnitStates(Protocol):
    """What is used of JaxMARL's fights."""

    unit_positions: JaxArray  # (B, U, 2)
    unit_types: JaxArray  # (B, U)
    unit_alive: JaxArray  # (B, U)


class Units(Protocol):
    """JaxMARL's state."""

    state: UnitStates


class View(NamedTuple):
    """What the rows show; arrays of JAX with a row for each fight."""

    obs: JaxArray  # (B, N, O)
    state: JaxArray  # (B, S)
    avail: JaxArray  # (B, N, A)
    alive: JaxArray  # (B, U)
    reward: JaxArray  # (B,)
    over: JaxArray  # (B,)


class Kept(NamedTuple):
    """All that B fights are."""

    units: Units  # of all rows
    keys: JaxArray  # (B, 2): where each row's random numbers go on
    view: View


class Moment(NamedTuple):
    """What a picture of row 0 shows."""

    places: JaxArray  # (U, 2)
    kinds: JaxArray  # (U,)
    alive: JaxArray  # (U,)


class Rules:
    """One map's functions, compiled anew only for another number of rows."""

    def __init__(self, map_name: str, **env_kwargs: object) -> None:
        check_map(map_name)
        self._jax = need("jax")
        smax = need("jaxmarl.environments.smax")
        self._env = smax.HeuristicEnemySMAX(
            scenario=smax.map_name_to_scenario(map_name), **env_kwargs
        )
        self.n_agents = int(self._env.num_allies)
        self.radii = np.asarray(self._env.unit_type_radiuses)  # of each kind of unit
        # reset(kept, chosen (B,), seeds (B,)) and step(kept, chosen (B,), actions (B, N)) change
        # the chosen rows, leave the others as they are, and add a picture of row 0.
        self.reset = self._jax.jit(self._reset_rows)
        self.step = self._jax.jit(self._step_rows)

    def blank(self, n_envs: int) -> Kept:
        """Zeros, to be reset."""
        shapes = self._jax.eval_shape(self._jax.vmap(self._reset), np.zeros(n_envs, np.uint32))
        return self._jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)

    def _reset_rows(self, kept: Kept, chosen: JaxArray, seeds: JaxArray) -> tuple[Kept, Moment]:
        return with_moment(self._pick(chosen, self._jax.vmap(self._reset)(seeds), kept))

    def _step_rows(self, kept: Kept, chosen: JaxArray, actions: JaxArray) -> tuple[Kept, Moment]:
        return with_moment(self._pick(chosen, self._jax.vmap(self._step)(kept, actions), kept))

    def _pick(self, chosen: JaxArray, fresh: Kept, kept: Kept) -> Kept:
        """`fresh` in the chosen rows, in the types of `kept`: else JAX would compile twice."""
        jax = self._jax

        def pick(new: JaxArray, old: JaxArray) -> JaxArray:
            rows = chosen.reshape(-1, *[1] * (old.ndim - 1))
            return jax.lax.convert_element_type(jax.numpy.where(rows, new, old), old.dtype)

        return jax.tree.map(pick, fresh, kept)

    def _reset(self, seed: JaxArray) -> Kept:
        now, later = self._jax.random.split(self._jax.random.PRNGKey(seed))
        obs, units = self._env.reset(now)
        nothing = self._jax.numpy.zeros(())
        return Kept(units, later, self._view(units, obs, nothing, nothing > 0))

    def _step(self, kept: Kept, actions: JaxArray) -> Kept:
        now, later = self._jax.random.split(kept.keys)
        named = dict(zip(self._env.agents, actions, strict=True))
        obs, units, rewards, dones, _ = self._env.step_env(now, kept.units, named)
        view = self._view(units, obs, rewards[self._env.agents[0]], dones["__all__"])
        return Kept(units, later, view)

    def _view(
        self, units: Units, obs: Mapping[str, JaxArray], reward: JaxArray, over: JaxArray
    ) -> View:
        stack, agents = self._jax.numpy.stack, self._env.agents
        avail = self._env.get_avail_actions(units)
        return View(
            stack([obs[agent] for agent in agents]),
            self._env.get_world_state(units),
            stack([avail[agent] for agent in agents]),
            units.state.unit_alive,
            reward,
            over,
        )


def check_map(name: str) -> None:
    if name not in MAPS:
        raise UserError(
            f"Unknown map_name '{name}' for env=smax.{did_you_mean(name, MAPS)} "
            f"Known: {', '.join(MAPS)}."
        )


@functools.cache
def find_rules(map_name: str, **env_kwargs: object) -> Rules:
    """The same object for the same task, so that training and tests share what is compiled."""
    return Rules(map_name, **env_kwargs)


def with_moment(kept: Kept) -> tuple[Kept, Moment]:
    """A picture is kept for every step, so it holds one row's numbers and no more."""
    units = kept.units.state
    return kept, Moment(units.unit_positions[0], units.unit_types[0], units.unit_alive[0])
