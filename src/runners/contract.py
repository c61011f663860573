"""What a run asks of its runner, and a runner of what collects its training episodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from components.episode_buffer import EpisodeBatch
from components.scheme import Groups, Scheme
from components.transforms import Preprocess

# Called after a step with a batch of two-slot episodes, one for each environment that took it.
Hook = Callable[[EpisodeBatch], None]


class Runner(Protocol):
    """Collects training episodes, plays test episodes, and logs the statistics of both."""

    t_env: int  # steps of training episodes so far, over all environments

    def get_env_info(self) -> dict[str, Any]:
        """Sizes, as the environment says them; known before `setup`."""

    def setup(
        self, scheme: Scheme, groups: Groups, preprocess: Preprocess | None, mac: object
    ) -> None:
        """Called once, with the controller that acts."""

    def run(self, test_mode: bool = False, on_transition: Hook | None = None) -> EpisodeBatch:
        """One round; `on_transition` is for training rounds in which learning goes on."""

    def test(self, n_episodes: int, stop: Callable[[], bool]) -> bool:
        """Play that many test episodes; False if `stop` ended it, as if it had not begun."""

    def save_replay(self) -> list[str | None]:
        """The files that the environments wrote of their last episodes."""

    def close_env(self) -> None: ...

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to go on exactly."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class Collector(Protocol):
    """A way of collecting: whole episodes, or rollouts of a fixed length."""

    def collect(self, on_transition: Hook | None = None) -> EpisodeBatch:
        """One round of training; its steps and statistics are counted."""

    def state_dict(self) -> dict[str, Any] | None:
        """Of what goes on from round to round; None if nothing does."""

    def load_state_dict(self, state: dict[str, Any] | None) -> None: ...
