"""Settings that were given and that nothing in the run will look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from configuration.command_line import COMMAND_LINE
from configuration.fit import Part, chosen_parts, parts_of_guide, registry
from configuration.schema import settings as schema
from utils.needs import declares_uses, needs_of
from utils.settings import ReadSettings

# setting -> the one runner_scope that uses it, and what to know in the other
USED_IN = {
    "learn_interval": ("transition", "updates_per_episode says how often to learn"),
    "td_lambda": ("episodic", "targets look one step ahead"),
    "updates_per_episode": ("episodic", "learn_interval says how often to learn"),
}
OF_OPTIMISER = {"rmsprop": {"optim_alpha", "optim_eps"}, "adam": {"optimizer_epsilon"}}
OF_TARGETS = {"hard": {"target_update_interval"}, "soft": {"target_update_tau"}}
REPLAY = {"batch_size", "buffer_size", "buffer_fill", "buffer_cpu_only"}
DECLARING = (
    "learners",
    "critics",
    "mixers",
    "selectors",
    "agents",
    "controllers",
)  # whose parts say what they use
LEVELS = "k_level"


def warnings_of_unused(
    config: ReadSettings, origins: Mapping[str, str], own_file: str | None
) -> list[str]:
    """Sentences on what was typed, and on what the user's own settings file changes in vain."""
    typed = {key for key, origin in origins.items() if origin == COMMAND_LINE}
    written = {
        key
        for key, origin in origins.items()
        if origin == own_file and key in schema() and config[key] != schema()[key].default
    }
    return [
        *unused_by_parts(config, typed),
        *unused_by_scope(config, typed),
        *unused_by_mode(config, typed),
        *(f"{own_file}: {sentence}" for sentence in unused_by_parts(config, written)),
    ]


def unused_by_scope(config: ReadSettings, given: set[str]) -> Iterator[str]:
    """What the way of collecting leaves without a meaning."""
    scope = config["runner_scope"]
    for key in sorted(given & USED_IN.keys()):
        used_in, instead = USED_IN[key]
        if scope != used_in:
            yield f"runner_scope={scope} does not use {key}: {instead}."
    idle = sorted(given & REPLAY) if config["rollout_length"] else []
    if idle:
        yield f"rollout_length={config['rollout_length']} does not use {', '.join(idle)}."


def unused_by_mode(config: ReadSettings, given: set[str]) -> Iterator[str]:
    """What belongs to another optimiser, or to another way of following targets."""
    learner = registry("learners")[config["learner"]]
    if not declares_uses(learner):
        return
    optimisers = {config["optimizer"]}
    if "actor_optimizer" in needs_of(learner).uses:
        own = config["actor_optimizer"] or learner.default_actor_optimizer
        optimisers.add(own or config["optimizer"])
    mode = {config["target_update_mode"]}
    for key, used, families in (
        ("optimizer", optimisers, OF_OPTIMISER),
        ("target_update_mode", mode, OF_TARGETS),
    ):
        idle = {name for family in families.keys() - used for name in families[family]} & given
        if idle:
            yield f"{key}={' and '.join(sorted(used))} does not use {', '.join(sorted(idle))}."


def unused_by_parts(config: ReadSettings, given: set[str]) -> Iterator[str]:
    """What other parts of the same kinds use and the chosen ones do not."""
    for part, keys in unread(config, given).items():
        names = ", ".join(sorted(keys))
        yield f"{part.key}={part.name} does not use {names}.{hint(part, keys)}"


def unread(config: ReadSettings, given: set[str]) -> dict[Part, set[str]]:
    """Of the keys `given`, those that no chosen part reads though others of its kind do."""
    parts = {part.registry: part for part in chosen_parts(config)}
    learner = parts["learners"]
    if not given or not declares_uses(learner.kind):
        return {}
    if "mixer" not in needs_of(learner.kind).uses:
        parts.pop("mixers", None)
    known = {name: uses_of_all(name) for name in DECLARING}
    asked = [*parts.values(), *parts_of_guide(config)]
    used = set().union(*(possibly_used(part, known) for part in asked))
    unused: dict[Part, set[str]] = {}
    for name in DECLARING:
        whose = parts.get(name, learner)
        unused[whose] = unused.get(whose, set()) | (given & known[name] - used)
    return {part: keys for part, keys in unused.items() if keys}


def possibly_used(part: Part, known: Mapping[str, set[str]]) -> set[str]:
    """What a part uses; of one that does not say, whatever parts of its kind may."""
    if declares_uses(part.kind):
        return set(needs_of(part.kind).uses)
    kinds = ("selectors", "controllers") if part.registry == "controllers" else (part.registry,)
    return set().union(*(known.get(kind, set()) for kind in kinds))


def uses_of_all(name: str) -> set[str]:
    """Every setting that some part of a registry says it uses."""
    entries = registry(name)
    return set().union(*(needs_of(entries[entry]).uses for entry in entries))


def hint(part: Part, keys: set[str]) -> str:
    """Levels are what a learner of the same family may have."""
    with_levels = f"k{part.name}"
    has_levels = LEVELS in keys and with_levels in registry("learners")
    return f" Type learner={with_levels} for levels." if has_levels else ""
