"""An environment that costs next to nothing: it hands out numbers that were drawn before.

No torch and nothing of any tree here: both trees' workers import this.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy


def draw(*lead: int, args: SimpleNamespace) -> tuple[Any, Any, Any]:
    """Observations, states and what is available, of `lead` axes; action 0 always is."""
    N, A = args.n_agents, args.n_actions
    random = numpy.random.default_rng(0)
    obs = random.normal(size=(*lead, N, args.obs_shape)).astype("float32")
    state = random.normal(size=(*lead, args.state_shape)).astype("float32")
    avail = random.random((*lead, N, A)) < (0.5 if args.action_kind == "discrete" else 2)
    avail[..., 0] = True
    return obs, state, avail


def draw_length(args: SimpleNamespace, random: numpy.random.Generator) -> int:
    """The steps of an episode: of 40 to 100 % of the limit if `ragged`."""
    share = 0.4 + 0.6 * random.random() if args.ragged else 1.0
    return max(1, int(args.episode_limit * share))


def info_of(args: SimpleNamespace) -> dict[str, Any]:
    """As environments announce themselves."""
    info = {key: getattr(args, key) for key in SIZES}
    if args.action_kind == "continuous":
        ones = numpy.ones(args.n_actions)
        info["action_spaces"] = [SimpleNamespace(low=-ones, high=ones)] * args.n_agents
        info["actions_dtype"] = numpy.float32
    return info


SIZES = ("state_shape", "obs_shape", "n_actions", "n_agents", "episode_limit")


class Still:
    """In PyMARL's contract, with SMAC's lists; sizes, `ragged` and `action_kind` as keywords."""

    def __init__(self, **sizes: Any) -> None:
        self._args = args = SimpleNamespace(**sizes)
        self.n_agents, self.episode_limit = args.n_agents, args.episode_limit
        self._random, self._t = numpy.random.default_rng(0), 0
        self._length = args.episode_limit
        self._obs, self._states, avail = draw(args.episode_limit + 1, args=args)
        self._avail = avail.astype(int).tolist()

    def reset(self) -> None:
        self._t, self._length = 0, draw_length(self._args, self._random)

    def step(self, actions: Any) -> tuple[float, bool, dict[str, Any]]:
        self._t += 1
        over = self._t == self._length
        return 0.1, over, {"episode_limit": True} if self._t == self.episode_limit else {}

    def get_obs(self) -> list[Any]:
        return list(self._obs[self._t])

    def get_state(self) -> Any:
        return self._states[self._t]

    def get_avail_actions(self) -> Any:
        return self._avail[self._t]

    def get_stats(self) -> dict[str, Any]:
        return {}

    def close(self) -> None: ...

    def get_env_info(self) -> dict[str, Any]:
        return info_of(self._args)
