"""What agents see and may do, and the state: SMAC's vectors, entry by entry.

Observation: four flags of free directions (and, if asked for, of ground farther off), the enemies,
the other agents, the agent itself. State: agents, enemies, last actions. `docs/skirmish.md` has
the entries in order.
"""

from __future__ import annotations

import numpy as np

from envs.batched import Array
from envs.skirmish.fights import Fights
from envs.skirmish.maps import SIZE
from envs.skirmish.scenario import Scenario
from envs.skirmish.settings import Settings
from envs.skirmish.units import TABLE

SIGHT = np.float32(9)  # cells, for every kind
SHOT = 6.0  # an attack may be ordered within this distance, whatever the weapon
NO_OP, STOP, MOVE, ATTACK = 0, 1, 2, 6  # where each kind of action begins
NORTH_SOUTH_EAST_WEST = np.array([[0, 0, 1, -1], [1, -1, 0, 0]], np.float32)  # (2, 4)
RING = np.array([[0, 0, 2, -2, 1, -1, 1, -1], [2, -2, 0, 0, 1, -1, -1, 1]], np.float32)  # (2, 8)
HEALER = TABLE["heals"] > 0


class Layout:
    """Sizes, and the vectors of some fights."""

    def __init__(self, scenario: Scenario, settings: Settings) -> None:
        self._scenario, self._settings = scenario, settings
        N, M = scenario.n_agents, scenario.n_enemies
        A = self.n_actions = scenario.n_actions
        s = settings
        ally_bits, enemy_bits = scenario.ally_bits.shape[1], scenario.enemy_bits.shape[1]
        ally_health = 1 + scenario.ally_shields
        self._move_size = 4 + 8 * s.obs_pathing_grid
        enemy_health = (1 + scenario.enemy_shields) * s.obs_all_health
        self._enemy_size = 4 + enemy_health + enemy_bits
        shown_action = A * s.obs_last_action
        self._ally_size = 4 + ally_health * s.obs_all_health + ally_bits + shown_action
        self._vitals_size = ally_health * s.obs_own_health + ally_bits
        self._own_size = self._vitals_size + 2 * s.obs_own_pos
        ranges = np.maximum(TABLE["range"], np.float32(s.min_attack_range))
        self._shot = ranges if s.use_unit_ranges else np.full_like(ranges, SHOT)  # by kind
        self.obs_size = self._move_size + M * self._enemy_size + (N - 1) * self._ally_size
        self.obs_size += self._own_size + s.obs_timestep_number
        self._ally_state = 4 + scenario.ally_shields + ally_bits
        self._enemy_state = 3 + scenario.enemy_shields + enemy_bits
        self.state_size = N * self._ally_state + M * self._enemy_state
        self.state_size += N * A * s.state_last_action + s.state_timestep_number
        if s.obs_instead_of_state:
            self.state_size = N * self.obs_size
        self._others = np.nonzero(~np.eye(N, dtype=bool))[1].reshape(N, N - 1)

    def avail(self, f: Fights) -> Array:
        """(n, N, A) uint8: what each agent may do now."""
        N = f.n_agents
        alive = f.alive
        avail = np.zeros((f.n, N, self.n_actions), np.uint8)
        mine = alive[:, :N]
        avail[:, :, NO_OP], avail[:, :, STOP] = ~mine, mine
        near = NORTH_SOUTH_EAST_WEST * np.float32(self._settings.move_amount / 2)
        avail[:, :, MOVE:ATTACK] = self._free(f, near) & mine[:, :, None]
        shots = self._near(f, slice(N, None), alive) & mine[:, :, None]  # (n, N, M)
        if self._scenario.healers:
            self._add_healing(f, avail, shots, alive)
        else:
            avail[:, :, ATTACK:] = shots
        return avail

    def _add_healing(self, f: Fights, avail: Array, shots: Array, alive: Array) -> None:
        """Healers name agents where others name enemies: not themselves nor other healers."""
        N = f.n_agents
        healer = HEALER[f.kind[:, :N]]
        wanted = self._near(f, slice(0, N), alive) & ~healer[:, None]
        avail[:, :, ATTACK : ATTACK + f.n_units - N] = shots & ~healer[:, :, None]
        patients = wanted & (healer & alive[:, :N])[:, :, None]
        avail[:, :, ATTACK : ATTACK + N] |= patients

    def _near(self, f: Fights, others: slice, alive: Array) -> Array:
        """(n, N, others) who lives and is near enough to be named as a target."""
        N = f.n_agents
        reach = self._shot.take(f.kind[:, :N])[:, :, None]
        offset = f.place[:, :, None, others] - f.place[:, :, :N, None]
        offset *= offset
        return ((offset[0] + offset[1]) <= reach * reach) & alive[:, None, others]

    def _free(self, f: Fights, steps: Array) -> Array:
        """(n, N, steps) whether the ground at (2, steps) from each agent may be walked."""
        terrain = self._scenario.terrain
        point = f.place[:, :, : f.n_agents, None] + steps[:, None, None]
        inside = ((point > -1) & (point < SIZE)).all(axis=0)  # SMAC truncates -0.5 to 0
        return inside & terrain.is_open(np.minimum(np.maximum(point, 0), SIZE - 1))

    def _ground(self, f: Fights) -> Array:
        """(n, N, 8) whether the ground around each agent may be walked; SMAC says so beyond the
        map's edge as well."""
        cell = np.floor(f.place[:, :, : f.n_agents, None])
        point = cell + (RING * np.float32(self._settings.move_amount))[:, None, None]
        outside = ((point < 0) | (point >= SIZE)).any(axis=0)
        return outside | self._scenario.terrain.is_open(point.clip(0, SIZE - 1))

    def obs(self, f: Fights, avail: Array, last_actions: Array, t: Array, out: Array) -> None:
        """Write (n, N, O). Agents that are dead see nothing; `t` (n,) counts steps."""
        n, N, M, s = f.n, f.n_agents, f.n_units - f.n_agents, self._settings
        alive = f.alive
        mine = alive[:, :N]
        enemies = self._move_size
        allies = enemies + M * self._enemy_size
        own = allies + (N - 1) * self._ally_size
        out[:, :, :4] = avail[:, :, MOVE:ATTACK]
        if s.obs_pathing_grid:
            out[:, :, 4:12] = self._ground(f)
        marks = avail[:, :, ATTACK : ATTACK + M]
        features = self._vitals(f, slice(N, None))  # (n, M, F)
        part = out[:, :, enemies:allies].reshape(n, N, M, self._enemy_size)
        others = f.place[:, :, None, N:]
        self._write_units(f, part, others, features[:, None], alive[:, None, N:], marks)
        features = self._vitals(f, slice(0, N))
        if s.obs_last_action:
            shown = self._one_hot(last_actions)
            features = np.concatenate([features, shown], axis=2)
        part = out[:, :, allies:own].reshape(n, N, N - 1, self._ally_size)
        others = f.place[:, :, :N].take(self._others, axis=2)  # (2, n, N, N-1)
        features = features.take(self._others, axis=1)  # (n, N, N-1, F)
        self._write_units(f, part, others, features, mine.take(self._others, axis=1), None)
        vitals = self._vitals(f, slice(0, N), s.obs_own_health)
        out[:, :, own : own + self._vitals_size] = vitals
        if s.obs_own_pos:
            out[:, :, own + self._own_size - 2 : own + self._own_size] = np.moveaxis(
                f.place[:, :, :N] / SIZE, 0, -1
            )
        if s.obs_timestep_number:
            out[:, :, -1] = (t / self.limit)[:, None]
        out[:, :, : self.obs_size - s.obs_timestep_number] *= mine[:, :, None]

    @property
    def limit(self) -> int:
        return self._settings.episode_limit or self._scenario.limit

    @staticmethod
    def _write_units(
        f: Fights, part: Array, others: Array, features: Array, alive: Array, marks: Array | None
    ) -> None:
        """Write (n, N, units, F) of those in sight: mark, distance, offset, features."""
        offset = others - f.place[:, :, : f.n_agents, None]  # (2, n, N, units)
        distance = np.sqrt(offset[0] * offset[0] + offset[1] * offset[1])
        seen = (distance < SIGHT) & alive
        scale = seen / SIGHT
        scale = scale.astype(np.float32)
        part[..., 0] = seen if marks is None else marks * seen
        part[..., 1] = distance * scale
        part[..., 2] = offset[0] * scale
        part[..., 3] = offset[1] * scale
        np.multiply(features, seen[..., None], out=part[..., 4:])

    def _vitals(self, f: Fights, team: slice, health: bool | None = None) -> Array:
        """(n, units, F) health, shield and type as shown to others, or to the agent itself."""
        ours = team.start == 0
        shields = self._scenario.ally_shields if ours else self._scenario.enemy_shields
        bits = self._scenario.ally_bits if ours else self._scenario.enemy_bits
        show = self._settings.obs_all_health if health is None else health
        width = (1 + shields) * show
        features = np.empty((f.n, f.kind[:, team].shape[1], width + bits.shape[1]), np.float32)
        if show:
            features[:, :, 0] = f.health[:, team] / f.life[:, team]
        if show and shields:
            features[:, :, 1] = f.shield[:, team] / np.maximum(f.shield_max[:, team], 1)
        if bits.shape[1]:
            features[:, :, width:] = bits.take(f.kind[:, team], axis=0)
        return features

    def state(self, f: Fights, last_actions: Array, t: Array, obs: Array, out: Array) -> None:
        """Write (n, S)."""
        n, N, s = f.n, f.n_agents, self._settings
        if s.obs_instead_of_state:
            out[...] = obs.reshape(n, -1)
            return
        allies, enemies = N * self._ally_state, (f.n_units - N) * self._enemy_state
        part = out[:, :allies].reshape(n, N, self._ally_state)
        part[..., 1] = self._readiness(f)
        self._write_state(f, slice(0, N), part, 2)
        part = out[:, allies : allies + enemies].reshape(n, -1, self._enemy_state)
        self._write_state(f, slice(N, None), part, 1)
        end = allies + enemies
        if s.state_last_action:
            shown = self._one_hot(last_actions).reshape(n, -1)
            out[:, end : end + shown.shape[1]] = shown
        if s.state_timestep_number:
            out[:, -1] = t / self.limit

    @staticmethod
    def _readiness(f: Fights) -> Array:
        """(n, N) how long until the next attack, or the energy of those who heal."""
        kind = f.kind[:, : f.n_agents]
        value = np.maximum(f.cooldown[:, : f.n_agents], 0)
        value = np.where(HEALER.take(kind), f.energy[:, : f.n_agents], value)
        return value / TABLE["cooldown_scale"].take(kind)

    def _write_state(self, f: Fights, team: slice, part: Array, place: int) -> None:
        """Health, place from the middle of the map (at index `place`), shield and type."""
        ours = team.start == 0
        bits = self._scenario.ally_bits if ours else self._scenario.enemy_bits
        shields = self._scenario.ally_shields if ours else self._scenario.enemy_shields
        alive = f.alive[:, team]
        part[..., 0] = f.health[:, team] / f.life[:, team]
        part[..., place] = (f.x[:, team] - SIZE / 2) / SIZE
        part[..., place + 1] = (f.y[:, team] - SIZE / 2) / SIZE
        if shields:
            part[..., place + 2] = f.shield[:, team] / np.maximum(f.shield_max[:, team], 1)
        if bits.shape[1]:
            part[..., place + 2 + shields :] = bits.take(f.kind[:, team], axis=0)
        part *= alive[..., None]

    def _one_hot(self, last_actions: Array) -> Array:
        """(n, N, A); actions of -1, before the first step, are all zero."""
        return (last_actions[:, :, None] == np.arange(self.n_actions)).astype(np.float32)
