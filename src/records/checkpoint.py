"""Checkpoints that are complete or absent, and that continue a run bit for bit.

Layout under `results/models/<unique_token>/`:

    <t_env>/        agent.th, mixer.th, opt.th ... (PyMARL's files) and state.pt (all the rest)
    best/<t_env>/   PyMARL's files of the best evaluation so far
    replay/         stored episodes, in parts: see `records.replay_parts`

A checkpoint is written beside its place and renamed into it, so a crash leaves the one before.
`checksums.json` lists its files with their checksums, `state.pt` its parts of the replay.
"""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from records.checksums import FILE, DamagedError, seal, unlist, verify
from records.replay_parts import ReplayParts
from utils.errors import UserError
from utils.files import reason, sync
from utils.places import is_number
from utils.weights import save_tensors

STATE_FILE = "state.pt"
FORMAT = 5


class Draft:
    """A folder beside `folder` that becomes `folder` only when everything is on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder.parent / f".{folder.name}.part"
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir()

    @contextmanager
    def given_up_on_error(self) -> Iterator[Path]:
        """Filled here in one of several steps; nothing of it is left if one fails."""
        try:
            yield self.path
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def complete(self) -> None:
        """Filled: put it in its place."""
        with self.given_up_on_error():
            seal(self.path)
            for path in self.path.iterdir():
                sync(path)
        shutil.rmtree(self._folder, ignore_errors=True)
        self.path.rename(self._folder)
        sync(self._folder.parent)


def write_checkpoint(folder: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write all of it."""
    draft = Draft(folder)
    with draft.given_up_on_error() as path:
        fill(path)
    draft.complete()


def drop_state(folder: Path) -> None:
    """Leave only PyMARL's files in a checkpoint."""
    if (folder / STATE_FILE).exists():
        unlist(folder, STATE_FILE)
        (folder / STATE_FILE).unlink()


def put_aside(folder: Path) -> None:
    """Free the name of a damaged checkpoint, and keep what it holds."""
    aside = folder.with_name(f"{folder.name}.damaged")
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)


def copied(state: Any) -> Any:
    """The same state, whose tensors (on the CPU) and containers nobody goes on changing."""
    if isinstance(state, torch.Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        return {key: copied(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(map(copied, state))
    return state


def save_state(state: dict[str, Any], folder: Path) -> None:
    save_tensors({"format": FORMAT, **state}, folder / STATE_FILE)


def load_state(folder: Path) -> dict[str, Any]:
    """The state in `folder`, or an error that says what to do about it."""
    path = folder / STATE_FILE
    remedy = f"Start from its networks instead: checkpoint_path={folder.parent}"
    if not path.exists():
        raise UserError(f"{folder} has no {STATE_FILE}, so it cannot be resumed. {remedy}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} is damaged ({reason(error)}). {remedy}") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise UserError(f"{path} is not a checkpoint of this version. {remedy}")
    return state


def sound_state(folder: Path) -> dict[str, Any]:
    """The state of a checkpoint; a UserError if a file of it, or its replay, is not as written."""
    remedy = f"Start from its networks instead: checkpoint_path={folder.parent}"
    try:
        sealed = verify(folder)
    except DamagedError as error:
        raise DamagedError(f"{error} {remedy}") from error
    state = load_state(folder)
    if not sealed:
        raise DamagedError(f"{folder / FILE} is missing, so nothing can be verified. {remedy}")
    ReplayParts(folder.parent / "replay").check(state["replay"])
    return state


def checkpoint_steps(folder: Path) -> list[int]:
    """The steps of the checkpoints in `folder`, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if is_number(path.name))


class FoundNetworks(NamedTuple):
    """A checkpoint's folder, and what to say of the choice."""

    folder: Path
    remarks: list[str]


def find_checkpoint(folder: Path, load_step: int) -> FoundNetworks:
    """PyMARL's rule: the newest checkpoint for step 0, else the nearest to `load_step`.

    Of those whose networks are as they were written; others are named.
    """
    if not folder.is_dir():
        raise UserError(
            f"checkpoint_path: there is no folder {folder}. "
            "Give the folder that holds the numbered checkpoints, results/models/<unique_token>."
        )
    if is_number(folder.name) and (folder / "agent.th").exists():
        return FoundNetworks(folder, _remarks(folder))  # the numbered folder itself
    steps = checkpoint_steps(folder)
    if not steps:
        raise UserError(
            f"checkpoint_path: {folder} holds no numbered checkpoint folders. "
            "Give the folder above them, results/models/<unique_token>."
        )
    steps.sort(key=lambda step: -step if load_step == 0 else abs(step - load_step))
    return _first_sound([folder / str(step) for step in steps])


def _first_sound(folders: list[Path]) -> FoundNetworks:
    skipped: list[str] = []
    for folder in folders:
        try:
            return FoundNetworks(folder, [*skipped, *_remarks(folder)])
        except DamagedError as error:
            skipped.append(f"{error} So checkpoint {folder.name} was not taken.")
    raise DamagedError("\n".join(["checkpoint_path: no checkpoint is sound.", *skipped]))


def _remarks(folder: Path) -> list[str]:
    """What to say of networks that can be loaded; DamagedError if they cannot."""
    if verify(folder, without={STATE_FILE}):
        return []
    return [f"{folder} has no {FILE}, so its networks could not be verified."]
