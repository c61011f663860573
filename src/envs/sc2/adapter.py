"""SMAC's and SMACv2's environments, made to last millions of steps. docs/starcraft.md says how.

The packages themselves stay as they are. What is added around them:

* Whatever goes wrong with the game raises `GameCrashed`, where SMAC would repair itself and count
  a lost battle. The environment vectors then drop the episode, build everything anew, play the
  episode again, and count it in `env_restarts`.
* A new game means a new SMAC object: its reward scale is computed once, from fresh units.
* The game is started anew between episodes before it reaches the loop at which it ends itself.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, TypeVar, cast

import numpy as np

from envs.multiagentenv import MultiAgentEnv, RunFacts
from envs.sc2.failures import GameCrashed
from envs.sc2.installation import point_to_game
from envs.sc2.preflight import check_run, with_capabilities
from envs.sc2.processes import Game, take_turn, tame_pysc2
from envs.sc2.replays import noting_replays
from envs.sc2.smac import Core, SMACEnv
from envs.sc2.suites import SMAC, SMACV2, Suite
from envs.sc2.teams import Teams
from envs.values import Actions, Choices, EnvArgs, EnvInfo, Info
from utils.errors import UserError
from utils.needs import DISCRETE

log = logging.getLogger("pymarlk")
Result = TypeVar("Result")
BACK_OFF = (2.0, 5.0, 10.0)  # seconds before the second, third, later tries of a launch
RESET_LOOPS = 16  # game loops that ending one episode and starting the next may take


class SC2(MultiAgentEnv):
    """StarCraft II by SMAC. Takes SMAC's arguments and those of `__init__`."""

    action_kind = DISCRETE
    suite: ClassVar[Suite] = SMAC
    reseed_is_exact: ClassVar[bool] = False  # the game draws numbers of its own
    own_process: ClassVar[bool] = True

    @classmethod
    def preflight(cls, env_args: EnvArgs, n_games: int) -> RunFacts:
        """Whether a run can start at all; `n_games` is how many will be up at the same time."""
        return check_run(cls.suite, env_args, n_games)

    def __init__(
        self,
        seed: int | None = None,
        sc2_timeout: float = 120.0,
        reset_timeout: float = 300.0,
        launch_tries: int = 3,
        launch_spacing: float = 1.0,
        max_game_loops: int = 520_000,
        **suite_args: object,
    ) -> None:
        self._seed, self._suite_args = seed, self._complete(suite_args)
        self._reset_timeout, self._launch_tries = reset_timeout, launch_tries
        self._launch_spacing, self._max_game_loops = launch_spacing, max_game_loops
        point_to_game()
        self._class = self.suite.load()
        tame_pysc2(sc2_timeout)
        self._episode_seed: int | None = None
        self._game = Game()
        self._env = self._make()
        self._launched = False
        info = self._env.get_env_info()
        self.n_agents, self.episode_limit = info["n_agents"], info["episode_limit"]
        loops_an_episode = self._core._step_mul * self.episode_limit + RESET_LOOPS
        if loops_an_episode > max_game_loops:
            raise UserError(
                f"env_args.max_game_loops={max_game_loops} leaves no room for one episode of "
                f"{loops_an_episode} game loops."
            )
        self._latest_safe_start = max_game_loops - loops_an_episode

    # Episodes

    def reseed(self, seed: int) -> None:
        """What can be decided from outside follows `seed`: a new game's, and SMACv2's teams."""
        self._episode_seed = seed

    def reset(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Start an episode, in a new game if there is none or the present one is old."""
        if self._launched and self._game_loop() > self._latest_safe_start:
            self._renew()
        with self._tidy():
            if self._launched:
                self._guarded(lambda: self._begin(first=False))
            else:
                self._launch()
        return self.get_obs(), self.get_state()

    def step(self, actions: Actions) -> tuple[float, bool, Info]:
        with self._tidy():
            return self._guarded(lambda: self._step(actions))

    def _step(self, actions: Actions) -> tuple[float, bool, Info]:
        reward, ended, info = self._env.step(actions)
        if self._core._controller.status_ended:
            raise GameCrashed("The game ended by itself.")
        if ended and "battle_won" not in info:
            raise GameCrashed("SMAC started the game anew in the middle of an episode.")
        return float(reward), bool(ended), info

    def _launch(self) -> None:
        """The first episode of a new game, with some patience for games that fail to start."""
        for attempt in range(1, self._launch_tries + 1):
            take_turn(self._launch_spacing)
            if self._episode_seed is not None:
                self._core._seed = self._episode_seed  # what it gives to a new game
            try:
                self._guarded(lambda: self._begin(first=True))
            except GameCrashed as failure:
                words = self._game.last_words()
                self._renew()
                if attempt == self._launch_tries:
                    said = f" It said:\n{words}" if words else ""
                    raise GameCrashed(
                        f"StarCraft II did not start in {attempt} tries. {failure}{said}"
                    ) from failure
                log.warning(f"Warning: StarCraft II did not start ({failure}); trying again.")
                time.sleep(BACK_OFF[min(attempt, len(BACK_OFF)) - 1])
            else:
                self._launched = True
                return

    def _begin(self, first: bool) -> None:
        seed = self._seed if first else self._episode_seed  # of the teams
        with self._game.launching(), self._game.patience(self._reset_timeout), self._teams(seed):
            self._env.reset()
        if first:
            self._core.max_reward = self._least_reward + sum(
                unit.health_max + unit.shield_max for unit in self._core.enemies.values()
            )  # SMAC adds units twice that it meets twice before all have appeared

    def _guarded(self, action: Callable[[], Result]) -> Result:
        """Run it; whatever it raises, the game is not to be trusted any more."""
        try:
            return action()
        except Exception as error:
            self._game.kill()  # pysc2 would wait three seconds for one that hangs
            if isinstance(error, GameCrashed | UserError):
                raise
            raise GameCrashed(f"{type(error).__name__}: {error}") from error

    @contextlib.contextmanager
    def _tidy(self) -> Iterator[None]:
        """After a crash a worker is killed before it can remove the game's temporary folder."""
        try:
            yield
        except (GameCrashed, UserError):
            self.close()
            raise

    # Objects

    def _make(self) -> SMACEnv:
        env = self._class(**copy.deepcopy(self._suite_args), seed=self._seed)  # SMACv2 adds to them
        self._teams = Teams(env)
        core = cast(Core, getattr(env, "env", env))  # SMAC's is both, and SMACv2 wraps it
        core.full_restart = _refuse_repairs
        self._core = core
        self._least_reward: float = core.max_reward
        return env

    def _renew(self) -> None:
        """A new SMAC object, which will start a new game."""
        self.close()
        self._env = self._make()

    def _game_loop(self) -> int:
        return int(self._core._obs.observation.game_loop)

    def _complete(self, suite_args: EnvArgs) -> EnvArgs:
        return suite_args

    def close(self) -> None:
        """End the game, whatever state it is in."""
        with contextlib.suppress(Exception):  # a broken game does not listen
            self._env.close()
        self._game.forget()
        self._launched = False

    def save_replay(self) -> str:
        """The file with all episodes since the game was started."""
        if not self._launched:
            raise UserError("There is no game whose replay could be saved.")
        with self._tidy(), noting_replays(self._core._run_config, self._game.number) as written:
            self._guarded(self._env.save_replay)
        return written[-1]

    # What SMAC says

    def get_obs(self) -> list[np.ndarray]:
        return self._env.get_obs()

    def get_obs_agent(self, agent_id: int) -> np.ndarray:
        return self._env.get_obs_agent(agent_id)

    def get_obs_size(self) -> int:
        return int(self._env.get_obs_size())

    def get_state(self) -> np.ndarray:
        return self._env.get_state()

    def get_state_size(self) -> int:
        return int(self._env.get_state_size())

    def get_avail_actions(self) -> Sequence[Choices]:
        return self._env.get_avail_actions()

    def get_avail_agent_actions(self, agent_id: int) -> Choices:
        return self._env.get_avail_agent_actions(agent_id)

    def get_total_actions(self) -> int:
        return int(self._env.get_total_actions())

    def get_env_info(self) -> EnvInfo:
        return self._env.get_env_info()

    def get_stats(self) -> Mapping[str, object]:
        """SMAC's own, which cannot be computed before the first battle has ended."""
        return self._env.get_stats() if self._core.battles_game else {}

    def seed(self) -> int | None:
        return self._seed

    def render(self, mode: str = "human") -> object:
        return self._env.render(mode=mode)


def _refuse_repairs() -> None:
    """Stands in for SMAC's `full_restart`, which would hide the crash that called it."""
    cause = sys.exception()
    raise GameCrashed(f"{type(cause).__name__}: {cause}") from cause


class SC2v2(SC2):
    """StarCraft II by SMACv2: teams and places drawn anew for every episode."""

    suite: ClassVar[Suite] = SMACV2

    def _complete(self, suite_args: EnvArgs) -> EnvArgs:
        return with_capabilities(suite_args)
