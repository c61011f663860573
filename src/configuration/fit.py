"""Whether settings, the chosen parts and the environment fit together: the one place that asks.

Nothing has been started or recorded when it is asked first. Importing a part imports torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass

from configuration.command_line import COMMAND_LINE
from configuration.schema import REGISTRIES
from utils.errors import UserError
from utils.needs import Given, listed, needs_of, require
from utils.registry import Registry
from utils.settings import ReadSettings, Settings

# How far apart the values of a curve are.
OF_CURVES = ("test_interval", "log_interval", "runner_log_interval", "learner_log_interval")
MEMORYLESS = {"rnn": "mlp", "cemrnn": "cem"}  # agents with a memory -> the same without


@dataclass(frozen=True)
class Part:
    """A class that a run has chosen, by the setting `key`."""

    key: str
    name: str
    kind: object
    registry: str  # a key of REGISTRIES


def registry(name: str) -> Registry:
    return importlib.import_module(REGISTRIES[name]).REGISTRY


def part_of(key: str, name: str, among: str) -> Part:
    return Part(key, name, registry(among)[name], among)


def chosen_parts(settings: ReadSettings) -> Iterator[Part]:
    """Those that may declare needs, the learner last: it asks for a list of changes."""
    learner = part_of("learner", settings["learner"], "learners")
    own_critic = getattr(learner.kind, "default_critic", "")
    if own_critic:
        yield part_of("critic_type", settings["critic_type"] or own_critic, "critics")
    if settings["mixer"] is not None:
        yield part_of("mixer", settings["mixer"], "mixers")
    mac = part_of("mac", settings["mac"], "controllers")
    yield mac
    selector = getattr(mac.kind, "fixed_selector", None) or settings["action_selector"]
    yield part_of("action_selector", selector, "selectors")
    yield part_of("agent", settings["agent"], "agents")
    yield part_of("runner", settings["runner"], "runners")
    yield learner


def parts_of_guide(settings: ReadSettings) -> Iterator[Part]:
    """Those of the policy's guide, if it has one; it asks itself what they need."""
    mac = registry("controllers")[settings["mac"]]
    if "guide_mac" in needs_of(mac).uses:
        yield part_of("guide_mac", settings["guide_mac"], "controllers")
        yield part_of("guide_agent", settings["guide_agent"], "agents")


def check_fit(settings: ReadSettings, environment: object = None) -> None:
    """Refuse what cannot be, as far as it can be known; more is known with the environment."""
    given = Given(settings, environment)
    if given.learns:
        check_parts_of_episodes(given)
        check_single_steps(given)
    for part in chosen_parts(settings):
        require(part.kind, given)
    if given.learns:  # last, for a learner may know better which sizes to type
        check_buffer(given)


# What no single part can say


def check_buffer(given: Given) -> None:
    """Sizes with which nothing would ever be learned."""
    size = given["buffer_size"]
    if size < given["batch_size"]:
        raise UserError(
            f"buffer_size={size} is smaller than batch_size={given['batch_size']}, so nothing "
            "would ever be learned. Raise buffer_size."
        )
    if size <= given["buffer_warmup"]:
        raise UserError(
            f"buffer_size={size} never holds more than buffer_warmup={given['buffer_warmup']}, so "
            "nothing would ever be learned. Lower buffer_warmup, or raise buffer_size."
        )


def check_parts_of_episodes(given: Given) -> None:
    """Refuse `rollout_length` where somebody knows whole episodes only."""
    if not given["rollout_length"]:
        return
    from pymarl.controllers import takes_parts
    from pymarl.runners import is_ours

    mac = registry("controllers")[given["mac"]]
    able = {
        "learner": getattr(registry("learners")[given["learner"]], "learns_from_parts", False),
        "runner": is_ours(registry("runners")[given["runner"]]),
        "mac": takes_parts(mac),
    }
    unable = [f"{key}={given[key]}" for key, fit in able.items() if not fit]
    if unable:
        raise UserError(
            f"rollout_length={given['rollout_length']} cuts episodes into parts, and "
            f"{' and '.join(unable)} knows whole episodes only. Type rollout_length=null, or "
            "start from --config=mappo, ippo, kmappo or coma."
        )


def check_single_steps(given: Given) -> None:
    """A replay of transitions knows nothing of what came before them."""
    if given["runner_scope"] != "transition":
        return
    refuse_rounds_only(given)
    instead: dict[str, dict[str, object]] = {}
    agent = given["agent"]
    if getattr(registry("agents")[agent], "recurrent", False):
        instead[f"agent={agent}"] = {"agent": MEMORYLESS.get(agent, "mlp")}
    if given["obs_last_action"]:
        instead["obs_last_action=True"] = {"obs_last_action": False}
    if instead:
        raise UserError(
            f"runner_scope=transition learns from single steps, and {' and '.join(instead)} "
            f"looks back. Type {' '.join(map(listed, instead.values()))}, or "
            "runner_scope=episodic."
        )


def refuse_rounds_only(given: Given) -> None:
    """Refuse learning between steps where the runner plays whole episodes at a time."""
    from pymarl.runners import is_ours

    if not is_ours(registry("runners")[given["runner"]]):
        raise UserError(
            f"runner_scope=transition learns between the steps of an episode, and runner="
            f"{given['runner']} gives whole episodes only. Type runner=episode, or "
            "runner_scope=episodic."
        )


# What follows from another setting


def follow(config: Settings, origins: dict[str, str]) -> None:
    """Set the keys that the learner lets follow, unless they were set as firmly as their leader.

    What was typed is firmer than what a file says, and that than a default.
    """
    learner = registry("learners")[config["learner"]]
    leaders = dict(needs_of(learner).follows)
    if config["curve_interval"] is not None:
        leaders |= dict.fromkeys(OF_CURVES, "curve_interval")
    for key, leader in leaders.items():
        if firmness(origins[key]) < firmness(origins[leader]):
            config[key], origins[key] = config[leader], f"follows {leader}"


def firmness(origin: str) -> int:
    return {"default": 0, COMMAND_LINE: 2}.get(origin, 1)
