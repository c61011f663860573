"""Which runs belong together: the same algorithm on the same task, and nothing else different."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from reporting.records import Record
from utils.errors import UserError, did_you_mean
from utils.json_values import JsonObject
from utils.settings import is_seed

# What may differ between two seeds of one experiment.
INCIDENTAL = {
    *("label", "unique_token", "local_results_path", "resume", "torch_threads", "t_max"),
    *("save_model", "save_model_interval", "checkpoint_interval", "checkpoint_minutes"),
    *("log_interval", "use_tensorboard", "ray_address", "profile", "curve_interval"),
    *("seed", "render", "use_cuda"),
    *("runner_log_interval", "learner_log_interval", "repeat_id", "hypergroup", "mongo"),
    *("use_wandb", "wandb_project", "wandb_team", "wandb_mode", "config", "env_config"),
}


@dataclass(frozen=True)
class Group:
    """The seeds of one algorithm on one task."""

    label: str
    task: str
    runs: tuple[Record, ...]


def groups_of(
    records: Sequence[Record], by: Sequence[str] = (), but: str | None = None
) -> list[Group]:
    """By the keys `by`, or by name and every setting in which runs of one name and task differ.

    The key `but` sets no runs apart.
    """
    label = _by_keys(records, by) if by else _by_differences(records, but)
    found: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        found.setdefault((record.task, label(record)), []).append(record)
    return [Group(label, task, tuple(runs)) for (task, label), runs in sorted(found.items())]


def chosen(records: Iterable[Record], conditions: Sequence[str]) -> list[Record]:
    """Those that fulfil every `key=value` or `key!=value`; `key=a,b` is either of them.

    Keys are settings, status, task, run_id or environment.
    """
    kept = list(records)
    for condition in conditions:
        key, sign, value = condition.partition("=")
        if not sign:
            raise UserError(f"--where {condition}: write key=value, such as status=COMPLETED.")
        wanted, key, forms = not key.endswith("!"), key.removesuffix("!"), _forms(value)
        known = {str(value_of(record, key)) for record in kept}
        kept = [record for record in kept if (str(value_of(record, key)) in forms) == wanted]
        if not kept:
            there = ", ".join(sorted(known))
            raise UserError(f"--where {condition}: no run has that. {key} is one of: {there}.")
    return kept


def one_environment_each(records: Iterable[Record]) -> None:
    """Refuse a task that was played on several versions of its environment."""
    found: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        versions = found.setdefault(record.task, {})
        for environment in [*record.earlier_environments, record.environment]:
            versions.setdefault(_described(environment), []).append(record)
    for task, versions in found.items():
        if len(versions) == 1:
            continue
        lines = [
            f"  {version or 'unknown'}: runs {', '.join(r.run_id for r in runs)}"
            for version, runs in sorted(versions.items())
        ]
        key = _first_difference([runs[0].environment for runs in versions.values()])
        changed = [r.run_id for runs in versions.values() for r in runs if r.earlier_environments]
        remedies = [f"Choose one with --where environment.{key}=...,"] if key else []
        if changed:
            listed = ", ".join(dict.fromkeys(changed))
            remedies.append(f"name only folders without runs {listed}, resumed on another version,")
        raise UserError(
            f"{task} was played on several versions of its environment, whose results cannot be "
            f"compared:\n"
            + "\n".join(lines)
            + "\n"
            + " ".join([*remedies, "or say --mix-versions."])
        )


def _by_keys(records: Sequence[Record], by: Sequence[str]) -> Callable[[Record], str]:
    for key in by:
        require_setting("--by", key, records, "Usual: --by name")
    return lambda record: " ".join(_labelled(key, value_of(record, key)) for key in by)


def require_setting(option: str, key: str, records: Sequence[Record], usual: str = "") -> None:
    """Refuse a key that no run has."""
    known = {name for record in records for name in _settings(record)}
    if key not in known:
        hint = did_you_mean(key, known)
        raise UserError(f"{option} {key}: no run has that setting.{hint} {usual}".rstrip())


def _by_differences(records: Sequence[Record], but: str | None) -> Callable[[Record], str]:
    """The name, and what distinguishes the runs of that name on that task."""
    together: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        together.setdefault((record.name, record.task), []).append(record)
    differing: dict[str, set[str]] = {}
    for (name, _), runs in together.items():
        differing.setdefault(name, set()).update(_differences(runs))

    def label(record: Record) -> str:
        keys = sorted(differing[record.name] - {but})
        return " ".join([record.name, *(_labelled(key, value_of(record, key)) for key in keys)])

    return label


def _differences(runs: Sequence[Record]) -> set[str]:
    settings = [_settings(record) for record in runs]
    incidental = INCIDENTAL - {"t_max"} if _annealed(settings) else INCIDENTAL
    keys = {key for each in settings for key in each if key not in incidental}
    keys = {key for key in keys if not _is_seed(key)}
    return {key for key in keys if len({repr(each.get(key)) for each in settings}) > 1}


def _annealed(settings: Sequence[JsonObject]) -> bool:
    """Whether the length of some run decided its learning rates at every step."""
    return any(each.get("lr_anneal") for each in settings)


def _is_seed(key: str) -> bool:
    """One of the environment's."""
    place, _, argument = key.rpartition(".")
    return place == "env_args" and is_seed(argument)


def _settings(record: Record) -> JsonObject:
    """Settings, with those of the environment as env_args.NAME."""
    flat = {key: whole(value) for key, value in record.config.items() if key != "env_args"}
    arguments = record.config.get("env_args", {})
    return flat | {f"env_args.{key}": whole(value) for key, value in arguments.items()}


def whole(value: object) -> object:
    """1.0 as 1: one number, written in two ways."""
    if isinstance(value, list):
        return [whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _forms(text: str) -> set[str]:
    """What is typed, whole or between commas, and the numbers it means as settings show them."""
    found = {text}
    for part in (text, *text.split(",")):
        with contextlib.suppress(ValueError):
            part = str(whole(float(part)))
        found.add(part)
    return found


def value_of(record: Record, key: str) -> Any:
    """A setting, status, task, run_id or environment of a run."""
    if key in ("status", "task", "run_id"):
        return getattr(record, key)
    if key == "environment" or key.startswith("environment."):
        value: object = record.environment
        for part in key.split(".")[1:]:
            value = value.get(part) if isinstance(value, dict) else None
        return value
    return _settings(record).get(key)


def _labelled(key: str, value: object) -> str:
    return str(value) if key == "name" else f"{key.removeprefix('env_args.')}={value}"


def _described(environment: JsonObject, prefix: str = "") -> str:
    parts = []
    for key, value in sorted(environment.items()):
        if isinstance(value, dict):
            parts.append(_described(value, f"{prefix}{key}."))
        else:
            parts.append(f"{prefix}{key} {value}")
    return ", ".join(part for part in parts if part)


def _first_difference(environments: Sequence[JsonObject]) -> str:
    """Path of an entry that is not the same in all of them."""
    for key in sorted({key for each in environments for key in each}):
        values = [each.get(key) for each in environments]
        if any(value != values[0] for value in values):
            nested = [value if isinstance(value, dict) else {} for value in values]
            inner = _first_difference(nested)
            return f"{key}.{inner}" if inner else key
    return ""
