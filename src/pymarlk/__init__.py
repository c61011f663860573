"""PyMARL-K in other programs and notebooks; docs/api.md shows each function at work.

To import this puts nothing else on `sys.path`. The first call does: PyMARL's module names (`utils`,
`learners`, ...) then are PyMARL-K's, as they are for parts that are written for PyMARL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from pymarlk.modules import ModuleClashError, add_to_path

if TYPE_CHECKING:
    from envs.multiagentenv import MultiAgentEnv
    from pymarlk.acting import Policy
    from pymarlk.runs import Run
    from utils.errors import UserError

__version__ = "0.2.0"
__all__ = [
    "ModuleClashError",
    "Policy",
    "Run",
    "UserError",
    "add_to_path",
    "evaluate",
    "load_policy",
    "load_run",
    "make_env",
    "register",
    "train",
]

Checkpoint = Literal["last", "best"] | int  # an int is a step; the nearest to it is taken
Kind = Literal[
    "environment", "learner", "mixer", "agent", "controller", "critic", "selector", "runner"
]
Part = TypeVar("Part", bound=Callable[..., object])
HOMES = {"Run": "pymarlk.runs", "Policy": "pymarlk.acting", "UserError": "utils.errors"}


def train(
    algorithm: str | Path,
    environment: str | Path,
    *,
    results: str | Path | None = None,
    env_args: Mapping[str, object] | None = None,
    **settings: object,
) -> Run:
    """Train as `--config=algorithm --env-config=environment with ...` does, to the end.

    Keywords are settings (`t_max=50_000`), or arguments of the environment (`map_name="3m"`);
    `env_args` holds those whose names are settings, too. `results` is where the run's files go;
    else the folder `results` of the checkout, or the current one. A mistake is a `UserError`.
    """
    add_to_path()
    from pymarlk import runs

    return runs.train(algorithm, environment, results, env_args or {}, settings)


def load_run(run: str | Path | int | None = None, *, results: str | Path | None = None) -> Run:
    """An earlier run: its folder, its number in `results`, or the newest there."""
    add_to_path()
    from pymarlk import runs

    return runs.find(run, results)


def load_policy(
    run: Run | str | Path | int, checkpoint: Checkpoint = "last", *, trust: bool = False
) -> Policy:
    """What a run has learned, or an exported folder with `policy.safetensors`; no environment is
    made.

    `trust` lets the plugins of a run from elsewhere be imported: see docs/resume.md.
    """
    add_to_path()
    from pymarlk import acting

    return acting.load(run, checkpoint, trust)


def evaluate(
    run: Run | str | Path | int,
    episodes: int = 32,
    checkpoint: Checkpoint = "last",
    *,
    trust: bool = False,
    env_args: Mapping[str, object] | None = None,
    **settings: object,
) -> dict[str, float]:
    """Play test episodes with what a run has learned; returns every statistic of them.

    Keywords change the run's settings for these episodes: `seed=3`, or another `map_name` of the
    same sizes.
    """
    add_to_path()
    from pymarlk import runs

    return runs.evaluate(run, episodes, checkpoint, trust, env_args or {}, settings)


def make_env(environment: str | Path, *, seed: int = 0, **env_args: object) -> MultiAgentEnv:
    """One environment by name or settings file, with PyMARL's interface (docs/environments.md)."""
    add_to_path()
    from pymarlk import runs

    return runs.make_env(environment, seed, env_args)


def register(kind: Kind, name: str) -> Callable[[Part], Part]:
    """Make a class known to settings by a name: `@pymarlk.register("learner", "my_learner")`.

    Classes in worker processes and on other machines have to come from a file: `plugins=[...]`.
    """
    add_to_path()
    from pymarlk import runs

    return lambda part: runs.register(kind, name, part)


def __getattr__(name: str) -> object:
    """The classes that come out of these functions, for annotations and `except`."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    add_to_path()
    return getattr(importlib.import_module(HOMES[name]), name)
