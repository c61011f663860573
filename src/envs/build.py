"""Environments from their name and `env_args`, whatever their constructors look like."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from envs import REGISTRY
from envs.batched import BatchedEnv
from envs.multiagentenv import MultiAgentEnv, RunFacts
from envs.single import SingleFace
from envs.values import EnvArgs
from machine.resources import usable_cores
from utils.errors import UserError

Made = TypeVar("Made")

log = logging.getLogger("pymarlk")
# Offered to every environment: the run's seed, and what FACMAC's algorithms want of SMAC's states.
OFFERED = ("seed", "state_last_action")


def make_env(name: str, env_args: EnvArgs, seed: int) -> MultiAgentEnv:
    """One environment, seeded with `seed` if its constructor takes a seed."""
    env_class = REGISTRY[name]
    return construct(name, env_class, {**env_args, "seed": seed})


def n_environments(config: dict[str, Any]) -> int:
    """How many of a run will be up at the same time, for training and for testing."""
    training: int = config["batch_size_run"]
    return training + (config["test_batch_size_run"] or training) * config["testing_on"]


def n_processes(name: str, n_envs: int, wanted: int | None) -> int:
    """How many worker processes share the environments: `wanted`, or one for each usable core."""
    own = getattr(REGISTRY[name], "own_process", False)  # PyMARL's environments do not say
    return min(n_envs, wanted or (n_envs if own else usable_cores()))


def preflight(name: str, env_args: EnvArgs, n_envs: int) -> RunFacts | None:
    """What the environment has to say before a run; a UserError if that run cannot work."""
    env_class = REGISTRY[name]
    if getattr(getattr(env_class, "batched", None), "quick_to_make", False):
        make_env(name, env_args, seed=0).close()  # which looks at its arguments
    check = getattr(env_class, "preflight", None)
    return check(env_args, n_envs) if check else None


def make_env_in_worker(
    plugins: list[str], name: str, env_args: EnvArgs, seed: int
) -> MultiAgentEnv:
    """The same in a fresh process, where plugins have yet to register their environments."""
    from configuration.plugins import load_plugins

    load_plugins(plugins)
    return make_env(name, env_args, seed)


def make_batched(name: str, env_args: EnvArgs, n_envs: int) -> BatchedEnv:
    """The environment's batched face. Episodes are seeded one by one, so there is no seed here."""
    env_class = REGISTRY[name]
    batched = getattr(env_class, "batched", None)  # PyMARL's environments have no such face
    if batched is None:
        raise no_batched_face(name)
    settings = {key: value for key, value in env_args.items() if key != "seed"}
    return construct(name, batched, {**settings, "n_envs": n_envs})


def is_batch_of_one(name: str) -> bool:
    """Whether the environment is a batched one's single face, to which nothing was added."""
    env_class = REGISTRY[name]
    return isinstance(env_class, type) and SingleFace in env_class.__bases__


def no_batched_face(name: str) -> UserError:
    return UserError(
        f"env={name} has no batched face. Type runner=parallel (worker processes) or "
        "runner=episode instead of runner=batched."
    )


def construct(name: str, env_class: Callable[..., Made], settings: EnvArgs) -> Made:
    """An object of the class, from those of the settings that its constructor takes."""
    keywords = _keywords(name, env_class, settings)
    try:
        return env_class(**keywords)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(
            f"env={name} could not be made with env_args={settings}: "
            f"{type(error).__name__}: {error}{_nulls(env_class, keywords)}"
        ) from error


def _nulls(env_class: Callable[..., object], keywords: EnvArgs) -> str:
    """What was given as null and has another default; it may be the reason."""
    defaults = {key: p.default for key, p in inspect.signature(env_class).parameters.items()}
    odd = [
        f"\nenv_args.{key} is null; its default is {defaults[key]!r}."
        for key, value in keywords.items()
        if value is None and defaults.get(key) not in (None, inspect.Parameter.empty)
    ]
    return "".join(odd)


@functools.cache
def warn_once(text: str) -> None:
    """Training and test environments are built alike; one line is enough."""
    log.warning(text)


def _keywords(name: str, env_class: Callable[..., object], settings: EnvArgs) -> EnvArgs:
    """What the constructor accepts; what else was set for it is dropped with a warning."""
    parameters = inspect.signature(env_class).parameters
    if "env_args" in parameters:  # FACMAC's style: one packed dictionary
        packed: EnvArgs = {"env_args": settings}
        return {**packed, "args": None} if "args" in parameters else packed
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return settings
    for key in settings:
        if key not in parameters and key not in OFFERED:
            warn_once(f"Warning: env={name} takes no '{key}'; env_args.{key} is ignored.")
    return {key: value for key, value in settings.items() if key in parameters}
