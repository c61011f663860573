"""Google Research Football under PyMARL2's keys."""

from __future__ import annotations

from typing import ClassVar

from envs.football.match import Match
from envs.suites.team import TeamEnv
from utils.errors import UserError
from utils.needs import DISCRETE

REPRESENTATIONS = ("simple115v2", "simple115")
REWARDS = ("scoring", "scoring,checkpoints")


class GFootball(TeamEnv):
    """`num_agents` players of the left team, each seeing the field as a vector of 115 numbers.

    `logdir` and the keys before it are the package's: dumps of episodes and goals, and their films.
    """

    action_kind = DISCRETE
    packages = ("gfootball", "gym")
    frames_per_second: ClassVar[float] = 10  # steps of a match
    reseed_is_exact: ClassVar[bool] = False  # never seen to be more

    def __init__(
        self,
        map_name: str = "academy_3_vs_1_with_keeper",
        num_agents: int = 3,
        time_limit: int = 150,
        representation: str = "simple115v2",
        rewards: str = "scoring",
        reward_scalarisation: str = "sum",
        write_full_episode_dumps: bool = False,
        write_goal_dumps: bool = False,
        write_video: bool = False,
        dump_freq: int = 0,
        logdir: str = "",
        normalise_obs: bool = False,
        replay_format: str = "gif",
        replay_dir: str = "",
        seed: int | None = None,
    ) -> None:
        _check("representation", representation, REPRESENTATIONS)
        _check("rewards", rewards, REWARDS)
        if num_agents < 1:
            raise UserError(f"num_agents is {num_agents}; it must be at least 1.")
        self._scenario, self._players = map_name, num_agents
        self._options: dict[str, object] = {
            "representation": representation,
            "rewards": rewards,
            "write_full_episode_dumps": write_full_episode_dumps,
            "write_goal_dumps": write_goal_dumps,
            "write_video": write_video,
            "dump_frequency": dump_freq,
            "logdir": logdir,
        }
        super().__init__(
            title=map_name,
            episode_limit=time_limit,
            seed=seed,
            reward_scalarisation=reward_scalarisation,
            normalise_obs=normalise_obs,
            replay_format=replay_format,
            replay_dir=replay_dir,
        )

    def make_game(self, seen: bool) -> Match:
        return Match(self._scenario, self._players, seen, **self._options)


def _check(key: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise UserError(f"{key} is {given!r}; it can be {' or '.join(map(repr, allowed))}.")
