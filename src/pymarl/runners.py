"""Runners: ours as they are, and those written for PyMARL behind the contract of ours."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.scheme import Groups, Scheme
from components.transforms import Preprocess
from pymarl.acting import described
from pymarl.reflection import restore, snapshot
from runners import REGISTRY
from runners.contract import Hook, Runner
from runners.vector_runner import VectorRunner
from utils.errors import UserError
from utils.logging import Logger
from utils.profile import section

NEEDED = ("setup", "get_env_info", "run", "close_env")
MADE_ANEW = ("args", "logger", "mac", "scheme", "groups", "preprocess")  # by every run


class PyMARLRunner(Protocol):
    """What PyMARL's own loop asks of its runners."""

    t_env: int

    def setup(
        self, *, scheme: Scheme, groups: Groups, preprocess: Preprocess | None, mac: object
    ) -> None: ...

    def get_env_info(self) -> dict[str, Any]: ...

    def run(self, *, test_mode: bool) -> EpisodeBatch: ...

    def close_env(self) -> None: ...


@runtime_checkable
class KeepsState(Protocol):
    """Those that say what a resumed run needs."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class ForeignRunner:
    """Plays whole rounds of whole episodes, which is all that PyMARL asks of a runner.

    A test that has begun is played to its end, for it cannot be undone.
    """

    def __init__(self, runner: PyMARLRunner, args: SimpleNamespace, logger: Logger) -> None:
        lacking = [name for name in NEEDED if not callable(getattr(runner, name, None))]
        lacking += [] if hasattr(runner, "t_env") else ["t_env"]
        if lacking:
            raise UserError(
                f"runner={args.runner} lacks {', '.join(lacking)}. Runners have what PyMARL's "
                f"have: {', '.join(NEEDED)}, and t_env, the steps of training so far."
            )
        self._runner, self._args, self._logger = runner, args, logger
        self._save_replay: Callable[[], Any] | None = getattr(runner, "save_replay", None)
        self._own_state = runner if isinstance(runner, KeepsState) else None
        self._rows = int(getattr(runner, "batch_size", args.batch_size_run))
        if args.save_replay and self._save_replay is None:
            raise UserError(f"save_replay: runner={args.runner} has no save_replay.")

    @property
    def t_env(self) -> int:
        return int(self._runner.t_env)

    @t_env.setter
    def t_env(self, steps: int) -> None:
        self._runner.t_env = steps

    def get_env_info(self) -> dict[str, Any]:
        return self._runner.get_env_info()

    def setup(
        self, scheme: Scheme, groups: Groups, preprocess: Preprocess | None, mac: object
    ) -> None:
        self._runner.setup(scheme=scheme, groups=groups, preprocess=preprocess, mac=mac)
        for sentence in self._not_honoured():
            self._logger.console_logger.warning(f"Warning: runner={self._args.runner} {sentence}")

    def run(self, test_mode: bool = False, on_transition: Hook | None = None) -> EpisodeBatch:
        assert on_transition is None  # `refuse_rounds_only`
        with section("playing"):
            batch = self._runner.run(test_mode=test_mode)
        if not isinstance(batch, EpisodeBatch):
            raise UserError(
                f"runner={self._args.runner} gave {described(batch)} from run. Runners give an "
                "EpisodeBatch of components.episode_buffer, an episode in each row."
            )
        return batch

    def test(self, n_episodes: int, stop: Callable[[], bool]) -> bool:
        for _ in range(self._rounds(n_episodes)):
            self.run(test_mode=True)
        return True

    def save_replay(self) -> list[str | None]:
        """PyMARL's runners do not say where environments have saved them."""
        return (self._save_replay() if self._save_replay else None) or []

    def close_env(self) -> None:
        self._runner.close_env()

    def state_dict(self) -> dict[str, Any]:
        """Its own, or its numbers."""
        if self._own_state is not None:
            return self._own_state.state_dict()
        return dict(snapshot(SimpleNamespace(**numbers_of(self._runner))).state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if self._own_state is not None:
            self._own_state.load_state_dict(state)
        else:
            restore(self._runner, dict(state))

    def _rounds(self, n_episodes: int) -> int:
        """In which it tests: PyMARL's log when no further round fits, ours when all are in."""
        if isinstance(self._runner, VectorRunner):
            return -(-n_episodes // self._rows)
        return max(1, n_episodes // self._rows)

    def _not_honoured(self) -> list[str]:
        args, sentences = self._args, []
        played = self._rounds(args.test_nepisode) * self._rows
        if args.testing_on and played != args.test_nepisode:
            sentences.append(
                f"plays whole rounds: a test is {played} episodes, not test_nepisode="
                f"{args.test_nepisode}."
            )
        if self._own_state is None:
            lost = vars(self._runner).keys() - numbers_of(self._runner).keys() - {*MADE_ANEW}
            sentences.append(
                "has no state_dict and load_state_dict, so checkpoints keep its numbers"
                + (f", and not {', '.join(sorted(lost))}" if lost else "")
                + ". A resumed run will not be exact (docs/resume.md)."
            )
        return sentences


def make_runner(args: SimpleNamespace, logger: Logger) -> Runner:
    """What `runner:` names."""
    made = REGISTRY[args.runner](args=args, logger=logger)
    return made if is_ours(type(made)) else ForeignRunner(made, args, logger)


def is_ours(kind: type) -> bool:
    """Whether runners of this class speak the contract: ours, and subclasses that still do."""
    if not (isinstance(kind, type) and issubclass(kind, VectorRunner)):
        return False
    parameters = inspect.signature(kind.run).parameters
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    return takes_any or {"rows", "on_transition"} <= parameters.keys()


def numbers_of(runner: object) -> dict[str, Any]:
    """What can be kept of an object that does not say: attributes that are numbers or hold them."""
    own = {name: value for name, value in vars(runner).items() if name not in MADE_ANEW}
    return {name: value for name, value in own.items() if is_plain(value)}


def is_plain(value: object) -> bool:
    """Numbers and texts, and tensors, arrays and containers of them."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf"
    if isinstance(value, list | tuple | deque):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(each) for key, each in value.items())
    return value is None or isinstance(value, int | float | str | np.integer | np.floating | Tensor)
