"""policy.json: what an exported policy is of, what it takes, and what its actions mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from exporting.greedy import Decision, Slot
from pymarlk import __version__
from records.resume import FREE_KEYS
from training.task import TaskSizes
from utils.errors import UserError
from utils.files import reason
from utils.json_values import JsonObject
from utils.settings import Settings

DESCRIPTION = "policy.json"
MEANINGS = {
    "obs": "what each agent observes",
    "last_actions": "the action_vectors of the slot before; zeros in an episode's first slot",
    "avail": "1 where an agent may take an action, else 0; all 1 where actions are continuous",
    "memory": "the next_memory of the slot before; zeros in an episode's first slot",
    "noise": "numbers from 0 to 1, drawn anew for every slot: by them agents take their turns",
    "actions": "what the environment is given",
    "action_vectors": "the same as vectors, for the next slot's last_actions",
    "next_memory": "for the next slot's memory",
}


class Exported(NamedTuple):
    """A folder with weights, as `pymarlk.load_policy` reads it."""

    settings: Settings
    task: TaskSizes
    step: int
    weights: Path


def description(
    config: Settings, task: TaskSizes, step: int, file: str, example: Slot, decided: Decision
) -> JsonObject:
    """The first axis of everything is the batch: any number of episodes at the same slot."""
    return {
        "file": file,
        "pymarlk": __version__,
        "algorithm": config["name"],
        "environment": config["env"],
        "env_args": config["env_args"],
        "step": step,
        "agents": task.n_agents,
        "inputs": [in_words(name, value) for name, value in example.given().items()],
        "outputs": [in_words(name, value) for name, value in decided._asdict().items()],
        "actions": meaning_of_actions(task),
        "task": task.record(),
        "settings": {key: value for key, value in config.items() if key not in FREE_KEYS},
    }


def in_words(name: str, value: Tensor) -> JsonObject:
    return {
        "name": name,
        "shape": ["batch", *value.shape[1:]],
        "dtype": str(value.dtype).removeprefix("torch."),
        "meaning": MEANINGS[name],
    }


def meaning_of_actions(task: TaskSizes) -> JsonObject:
    if task.discrete:
        return {
            "kind": "discrete",
            "number": task.n_actions,
            "meaning": "the environment's number of the available action that is preferred most, "
            "the lowest where several are",
        }
    return {
        "kind": "continuous",
        "size": task.n_actions,
        "low": task.action_low,
        "high": task.action_high,
        "meaning": "the environment's action, within these bounds of each agent",
    }


def read_exported(folder: Path) -> Exported:
    """A UserError where the folder holds no weights, or no description of them."""
    path = folder / DESCRIPTION
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Exported(
            found["settings"],
            TaskSizes.from_record(found["task"]),
            int(found["step"]),
            folder / found["file"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be read: {reason(error)}.") from error
