"""SMAC's interface on the Skirmish engine. Its results are Skirmish results, never SMAC's."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from envs.animation import Screen
from envs.batched import Array, BatchedEnv, Step
from envs.multiagentenv import RunFacts
from envs.single import single_face
from envs.skirmish import ENGINE_VERSION
from envs.skirmish.engine import Engine
from envs.skirmish.fights import Fights
from envs.skirmish.generated import find_scenario
from envs.skirmish.layout import ATTACK, MOVE, NORTH_SOUTH_EAST_WEST, Layout
from envs.skirmish.maps import SIZE
from envs.skirmish.opponent import find_skill
from envs.skirmish.plan import Orders
from envs.skirmish.reward import Reward
from envs.skirmish.settings import Settings, SettingsV2
from envs.skirmish.units import TABLE
from envs.values import EnvArgs, EnvInfo, Info
from utils.errors import UserError
from utils.needs import DISCRETE

BLOCK = 60_000  # pairs of units that are stepped at once: more would not fit into fast memory

EDGE = np.float32(0.01)  # this far inside the map end the walks off it: no rounding leads out

FIRST = np.zeros(1, np.int64)


class SkirmishBatch(BatchedEnv):
    """B fights on one map. Arguments are those of `Settings`, as keywords."""

    action_kind = DISCRETE
    quick_to_make = True
    settings_class: type[Settings] = Settings

    def __init__(self, n_envs: int, **env_args: Any) -> None:
        settings = self.settings_class(**env_args)
        self.scenario = scenario = find_scenario(settings.map_name, settings.teams)
        self.settings, self.n_envs = settings, n_envs
        self.layout = layout = Layout(scenario, settings)
        self._reward = Reward(scenario, settings)
        self._engine = Engine(scenario.terrain, find_skill(settings.difficulty), scenario.hunts)
        N, U = scenario.n_agents, scenario.n_agents + scenario.n_enemies
        self._all = np.arange(n_envs)
        self.fights = Fights(n_envs, N, U)
        self.state = np.zeros((n_envs, layout.state_size), np.float32)
        self.obs = np.zeros((n_envs, N, layout.obs_size), np.float32)
        self.avail = np.zeros((n_envs, N, layout.n_actions), np.uint8)
        self.last_actions = np.full((n_envs, N), -1, np.int64)  # -1 before the first step
        self.t = np.zeros(n_envs, np.int64)  # steps taken in the present episode
        self.history: list[Fights] = []  # row 0 of the present episode, for replays
        self.last_failure: dict[int, str] = {}
        self._block = max(1, BLOCK // U**2)
        title = f"Skirmish {scenario.name}"
        self._screen = Screen(title, settings.replay_dir, settings.replay_format)

    @classmethod
    def preflight(cls, env_args: EnvArgs, n_envs: int) -> RunFacts:
        engine = f"Skirmish engine {ENGINE_VERSION}"
        honest = "results are Skirmish's, never SMAC's (docs/skirmish.md)"
        return RunFacts(engine, honest, {"engine": engine})

    def reset(self, rows: Array, seeds: Array) -> Array:
        self.fights.begin(rows, seeds, self.scenario.spawn(seeds))
        self.t[rows], self.last_actions[rows] = 0, -1
        self._observe(rows, self.fights.take(rows))
        if (rows == 0).any():
            self.history = [self.fights.take(FIRST)]
        return np.zeros(len(rows), bool)

    def step(self, rows: Array, actions: Array) -> Step:
        """Fights do not touch each other, so large batches are stepped block by block."""
        self._check(rows, actions)
        cuts = [slice(i, i + self._block) for i in range(0, len(rows), self._block)]
        parts = [self._step_block(rows[cut], actions[cut]) for cut in cuts]
        if (rows == 0).any():
            self.history.append(self.fights.take(FIRST))
        joined = parts[0]
        if len(parts) > 1:
            joined = tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        reward, won, over, timeout, dead_allies, dead_enemies = joined
        infos: list[Info] = [
            {"battle_won": w, "dead_allies": a, "dead_enemies": e}
            for w, a, e in zip(
                won.tolist(), dead_allies.tolist(), dead_enemies.tolist(), strict=True
            )
        ]
        terminated = over | timeout
        if self.settings.continuing_episode:
            terminated = over
            for place in np.flatnonzero(timeout):
                infos[place]["episode_limit"] = True
        return Step(reward, over | timeout, terminated, np.zeros(len(rows), bool), infos)

    def save_replay(self) -> list[str | None]:
        """An animation of the latest episode of row 0."""
        from envs.skirmish.render import film

        frames = film(self.scenario, self.history)
        return [self._screen.save(frames, f"skirmish_{self.scenario.name}")]

    def render(self) -> None:
        """The fight in row 0, in a window."""
        from envs.skirmish.render import film

        self._screen.show(film(self.scenario, self.history[-1:])[0])

    def get_env_info(self) -> EnvInfo:
        return {
            "state_shape": self.layout.state_size,
            "obs_shape": self.layout.obs_size,
            "n_actions": self.layout.n_actions,
            "n_agents": self.scenario.n_agents,
            "episode_limit": self.layout.limit,
            "max_reward": self._reward.most,
            "engine": f"Skirmish engine {ENGINE_VERSION}",
        }

    def _check(self, rows: Array, actions: Array) -> None:
        self._check_form(rows, actions)
        n, N = len(rows), self.scenario.n_agents
        allowed = self.avail[rows[:, None], np.arange(N), actions]
        if not allowed.all():
            row, agent = np.argwhere(allowed == 0)[0]
            may = np.flatnonzero(self.avail[rows[row], agent]).tolist()
            raise UserError(
                f"Agent {agent} of fight {rows[row]} of {n} cannot take action "
                f"{actions[row, agent]} now; available: {may}."
            )

    def _check_form(self, rows: Array, actions: Array) -> None:
        """Whether these are rows of ours, each once, and numbers of actions."""
        N, A = self.scenario.n_agents, self.layout.n_actions
        everyone = np.array_equal(rows, self._all)
        if not everyone and (not len(rows) or len(np.unique(rows)) < len(rows)):
            raise UserError(
                f"Rows {rows.tolist()} are stepped; give at least one, and each of them once."
            )
        if actions.shape != (len(rows), N) or not np.issubdtype(actions.dtype, np.integer):
            raise UserError(
                f"Actions are {actions.dtype} of shape {actions.shape}; they must be integers of "
                f"shape ({len(rows)}, {N}): one action for each agent of each fight."
            )
        wrong = actions[(actions < 0) | (actions >= A)]
        if len(wrong):
            raise UserError(f"There is no action {wrong[0]}; they are 0 to {A - 1}.")

    def _step_block(self, rows: Array, actions: Array) -> tuple[Array, ...]:
        """(reward, won, over, timeout, dead allies, dead enemies) of some fights."""
        everyone = np.array_equal(rows, self._all)
        f = self.fights if everyone else self.fights.take(rows)
        before = f.health + f.shield
        self._engine.advance(f, self._orders(f, actions), self.settings.step_mul)
        if not everyone:
            self.fights.put(rows, f)
        self.last_actions[rows] = actions
        self.t[rows] += 1
        won, lost, drawn = self._outcome(f)
        over = won | lost | drawn
        timeout = ~over & (self.t[rows] >= self.layout.limit)
        reward = self._reward(before, f, won, lost)
        self._observe(rows, f)
        dead = ~f.alive
        N = f.n_agents
        return reward, won, over, timeout, dead[:, :N].sum(axis=1), dead[:, N:].sum(axis=1)

    def _orders(self, f: Fights, actions: Array) -> Orders:
        """Walk to a point, attack, heal, or nothing."""
        N = f.n_agents
        named = actions - ATTACK
        heals = TABLE["heals"].take(f.kind[:, :N]) > 0
        target = np.where(named >= 0, np.where(heals, named, named + N), -1)
        walking = (actions >= MOVE) & (named < 0)
        step = NORTH_SOUTH_EAST_WEST.take(np.where(walking, actions - MOVE, 0), axis=1)
        goal = f.place[:, :, :N] + step * np.float32(self.settings.move_amount)
        return Orders(target, goal.clip(EDGE, np.float32(SIZE) - EDGE), walking)

    @staticmethod
    def _outcome(f: Fights) -> tuple[Array, Array, Array]:
        """(won, lost, drawn): healers alone cannot go on."""
        able = f.alive & (f.healing == 0)
        allies, enemies = able[:, : f.n_agents].any(axis=1), able[:, f.n_agents :].any(axis=1)
        return allies & ~enemies, enemies & ~allies, ~allies & ~enemies

    def _observe(self, rows: Array, f: Fights) -> None:
        avail = self.layout.avail(f)
        everyone = np.array_equal(rows, self._all)
        obs = self.obs if everyone else np.zeros((len(rows), *self.obs.shape[1:]), np.float32)
        state = self.state if everyone else np.zeros((len(rows), *self.state.shape[1:]), np.float32)
        last, t = self.last_actions[rows], self.t[rows]
        self.layout.obs(f, avail, last, t, obs)
        self.layout.state(f, last, t, obs, state)
        self.avail[rows] = avail
        if not everyone:
            self.obs[rows], self.state[rows] = obs, state


class SkirmishV2Batch(SkirmishBatch):
    """The same with SMACv2's settings by default: a generated scenario, seen as there."""

    settings_class = SettingsV2


# What the YAML says is checked against the constructor's signature, so it is spelt out.
for _batch in (SkirmishBatch, SkirmishV2Batch):
    _n_envs = inspect.Parameter("n_envs", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    _settings = inspect.signature(_batch.settings_class).parameters.values()
    _batch.__signature__ = inspect.Signature([_n_envs, *_settings])  # type: ignore[attr-defined]

Skirmish = single_face(SkirmishBatch)
SkirmishV2 = single_face(SkirmishV2Batch)
