"""Environments of Gymnasium and PettingZoo under EPyMARL's keys."""

from __future__ import annotations

import re

from envs.suites.games import Game, GymnasiumGame, ParallelGame
from envs.suites.grids import GAMES
from envs.suites.packages import need
from envs.suites.team import TeamEnv
from utils.errors import UserError

LIMIT_KEYWORDS = {"mpe2": "max_cycles"}  # what the constructor calls its time limit
PETTING_ZOO = re.compile(r"pz-(mpe|butterfly|sisl)-(.+)-v(\d+)")  # EPyMARL's keys


class Gymma(TeamEnv):
    """`key` says what is played; docs/suites.md has its forms. `kwargs` go to the constructor."""

    def __init__(
        self,
        key: str = "",
        time_limit: int = 25,
        pretrained_wrapper: str | None = None,
        reward_scalarisation: str = "sum",
        normalise_actions: bool = False,
        normalise_obs: bool = False,
        kwargs: dict[str, object] | None = None,
        replay_format: str = "gif",
        replay_dir: str = "",
        seed: int | None = None,
    ) -> None:
        if not key:
            raise UserError(
                "env=gymma: say what to play, as in env_args.key=lbforaging:Foraging-8x8-2p-3f-v3"
            )
        if pretrained_wrapper is not None:
            raise UserError(
                f"pretrained_wrapper={pretrained_wrapper} is not carried: all agents of a task "
                "learn. Type env_args.pretrained_wrapper=null"
            )
        self._key, self._limit, self._kwargs = key, time_limit, dict(kwargs or {})
        self.packages = played_packages(key)
        super().__init__(
            title=key,
            episode_limit=time_limit,
            seed=seed,
            reward_scalarisation=reward_scalarisation,
            unit_actions=normalise_actions,
            normalise_obs=normalise_obs,
            replay_format=replay_format,
            replay_dir=replay_dir,
        )

    def make_game(self, seen: bool) -> Game:
        how = {"render_mode": "rgb_array"} if seen else {}
        module = parallel_module(self._key)
        if module is None:
            return self._make_gymnasium(how)
        make = getattr(need(module), "parallel_env", None)
        if make is None:
            raise UserError(
                f"key={self._key}: {module} has no parallel_env. Name a module with an environment "
                "of PettingZoo's parallel interface, as mpe2.simple_spread_v3"
            )
        keyword = LIMIT_KEYWORDS.get(module.partition(".")[0])
        limit = {keyword: self._limit} if keyword else {}
        return ParallelGame(make(**{**limit, **self._kwargs, **how}))

    def _make_gymnasium(self, how: dict[str, str]) -> Game:
        """By Gymnasium's "module:Id"; the module registers its environments."""
        module, _, task = self._key.rpartition(":")
        if module:
            need(module)
        gymnasium = need("gymnasium")
        drawn_here = {} if module in GAMES else how
        try:
            env = gymnasium.make(
                task,
                max_episode_steps=self._limit,
                disable_env_checker=True,
                **{**self._kwargs, **drawn_here},
            )
        except gymnasium.error.UnregisteredEnv as error:
            raise UserError(
                f"key={self._key}: {str(error).rstrip('.')}. Write MODULE:ID for environments of "
                "other packages, or MODULE alone for those of PettingZoo's parallel interface."
            ) from error
        return GAMES[module](env, self._limit) if module in GAMES else GymnasiumGame(env)


def played_packages(key: str) -> tuple[str, ...]:
    """Those whose versions decide what is played."""
    parallel = parallel_module(key)
    interface = ("gymnasium", "pettingzoo") if parallel else ("gymnasium",)
    own = (parallel or key.rpartition(":")[0]).partition(".")[0]
    return tuple(dict.fromkeys((*interface, *([own] if own else []))))


def parallel_module(key: str) -> str | None:
    """The module whose `parallel_env` is meant; None for Gymnasium's ids."""
    theirs = PETTING_ZOO.fullmatch(key)
    if theirs:
        family, name, version = theirs.groups()
        folder = "mpe2" if family == "mpe" else f"pettingzoo.{family}"  # mpe moved out
        return f"{folder}.{name.replace('-', '_')}_v{version}"
    return key if re.fullmatch(r"\w+(\.\w+)+", key) else None
