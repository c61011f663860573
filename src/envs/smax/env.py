"""SMAX in this project's contract. Its results are SMAX results, never SMAC's."""

from __future__ import annotations

import numpy as np

from envs.animation import Colour, Screen, draw_discs
from envs.batched import Array, BatchedEnv, Step
from envs.multiagentenv import RunFacts
from envs.single import single_face
from envs.smax.fights import Kept, Moment, find_rules
from envs.smax.preflight import look_over
from envs.values import EnvArgs, EnvInfo, Info
from utils.errors import UserError
from utils.needs import DISCRETE

ATTACK_MODES = ("closest", "random")
ALLY, ENEMY = (37, 99, 176), (196, 61, 46)


class SMAXBatch(BatchedEnv):
    """B fights against JaxMARL's heuristic enemy, in one call of compiled code.

    `state`, `obs` and `avail` are JAX's own memory, which nobody may write to.
    """

    action_kind = DISCRETE

    def __init__(
        self,
        n_envs: int,
        map_name: str = "3m",
        episode_limit: int = 101,
        see_enemy_actions: bool = True,
        walls_cause_death: bool = True,
        attack_mode: str = "closest",
        reward_scale: float = 1.0,
        continuing_episode: bool = False,
        replay_format: str = "gif",
        replay_dir: str = "",
    ) -> None:
        if episode_limit < 1:
            raise UserError(f"episode_limit is {episode_limit}; it must be at least 1.")
        if attack_mode not in ATTACK_MODES:  # the package would take it for the first one
            listed = " or ".join(map(repr, ATTACK_MODES))
            raise UserError(f"attack_mode is {attack_mode!r}; it can be {listed}.")
        self._map, self._limit, self.n_envs = map_name, episode_limit, n_envs
        self._scale, self._continuing = reward_scale, continuing_episode
        self._screen = Screen(f"SMAX {map_name}", replay_dir, replay_format)
        self._rules = find_rules(
            map_name,
            max_steps=episode_limit - 1,  # it looks before it counts
            see_enemy_actions=see_enemy_actions,
            walls_cause_death=walls_cause_death,
            attack_mode=attack_mode,
        )
        self._kept = self._rules.blank(n_envs)
        self._history: list[Moment] = []  # of row 0's present episode
        self.last_failure: dict[int, str] = {}
        rows = np.arange(n_envs)
        self.reset(rows, rows)

    @classmethod
    def preflight(cls, env_args: EnvArgs, n_envs: int) -> RunFacts:
        return look_over(env_args.get("map_name", "3m"))

    def reset(self, rows: Array, seeds: Array) -> Array:
        chosen, all_seeds = self._chosen(rows), np.zeros(self.n_envs, np.uint32)
        all_seeds[rows] = seeds % 2**32
        if chosen[0]:
            self._history = []
        self._keep(self._rules.reset(self._kept, chosen, all_seeds), bool(chosen[0]))
        return np.zeros(len(rows), bool)

    def step(self, rows: Array, actions: Array) -> Step:
        all_actions = np.zeros((self.n_envs, self._rules.n_agents), np.int32)
        all_actions[rows] = actions
        chosen = self._chosen(rows)
        self._keep(self._rules.step(self._kept, chosen, all_actions), bool(chosen[0]))
        view, N = self._kept.view, self._rules.n_agents
        alive = np.asarray(view.alive)[rows]
        allies, enemies = alive[:, :N], alive[:, N:]
        ended = np.asarray(view.over)[rows]
        won = allies.any(axis=1) & ~enemies.any(axis=1)
        fought = allies.any(axis=1) & enemies.any(axis=1)  # nobody has lost yet
        infos: list[Info] = [
            {"battle_won": w, "dead_allies": a, "dead_enemies": e}
            for w, a, e in zip(
                won.tolist(),
                (~allies).sum(axis=1).tolist(),
                (~enemies).sum(axis=1).tolist(),
                strict=True,
            )
        ]
        cut = ended & fought & self._continuing
        for place in np.flatnonzero(cut):
            infos[place]["episode_limit"] = True
        reward = np.asarray(view.reward, np.float32)[rows] * np.float32(self._scale)
        return Step(reward, ended, ended & ~cut, np.zeros(len(rows), bool), infos)

    def _chosen(self, rows: Array) -> Array:
        """(B,) bool"""
        chosen = np.zeros(self.n_envs, bool)
        chosen[rows] = True
        return chosen

    def _keep(self, came: tuple[Kept, Moment], with_row_0: bool) -> None:
        self._kept, moment = came
        if with_row_0:
            self._history.append(moment)
        view = self._kept.view
        self.obs, self.state = np.asarray(view.obs), np.asarray(view.state)
        self.avail = np.asarray(view.avail)

    def get_env_info(self) -> EnvInfo:
        return {
            "state_shape": self.state.shape[1],
            "obs_shape": self.obs.shape[2],
            "n_actions": self.avail.shape[2],
            "n_agents": self._rules.n_agents,
            "episode_limit": self._limit,
        }

    def save_replay(self) -> list[str | None]:
        """An animation of the latest episode of row 0."""
        frames = [self._picture(moment) for moment in self._history]
        return [self._screen.save(frames, f"smax_{self._map}")]

    def render(self) -> None:
        """The fight in row 0, in a window."""
        self._screen.show(self._picture(self._history[-1]))

    def _picture(self, moment: Moment) -> Array:
        places, kinds, alive = map(np.asarray, moment)
        N = self._rules.n_agents
        colours: list[Colour] = [ALLY] * N + [ENEMY] * (len(places) - N)
        shown = [colour for colour, there in zip(colours, alive, strict=True) if there]
        return draw_discs(places[alive], self._rules.radii[kinds[alive]], shown, (0.0, 0.0), 32.0)


SMAX = single_face(SMAXBatch)
