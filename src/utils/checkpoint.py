"""Checkpoints that are complete or absent, and that continue a run bit for bit.

Layout under `results/models/<unique_token>/`:

    <t_env>/        agent.th, mixer.th, opt.th ... (PyMARL's files) and state.pt (all the rest)
    best/<t_env>/   PyMARL's files of the best evaluation so far
    replay/         stored episodes, in parts: each checkpoint writes only what is new

A checkpoint is written beside its place and renamed into it, so a crash leaves the one before.
`checksums.json` lists its files with their checksums, `state.pt` its parts of the replay.
"""

from __future__ import annotations

import numbers
import os
import pickle
import shutil
import zipfile
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from utils.checksums import FILE, DamagedError, seal, unlist, verify
from utils.errors import UserError
from utils.files import digest_of, reason
from utils.weights import save_tensors

STATE_FILE = "state.pt"
FORMAT = 3
PART_BYTES = 16 * 2**20  # of replay in a file: they are many times that while it is written


NOT_STATE = ("args", "logger", "scheme")  # belong to the run, or say how it was set up


def snapshot(owner: Any) -> dict[str, Any]:
    """The state of a learner, ours or foreign: its networks, optimisers, numbers and tensors."""
    state = {name: _pack(value) for name, value in vars(owner).items() if name not in NOT_STATE}
    return {name: packed for name, packed in state.items() if packed is not None}


def restore(owner: Any, state: dict[str, Any]) -> None:
    """Put `snapshot(owner)` back; networks and optimisers in place."""
    for name, packed in state.items():
        setattr(owner, name, _unpack(packed, getattr(owner, name, None)))


def _pack(value: Any) -> tuple[str, Any] | None:
    """(kind, content) of what can be kept, None for what cannot or need not."""
    if hasattr(value, "state_dict") and hasattr(value, "load_state_dict"):
        return "stateful", value.state_dict()
    if isinstance(getattr(value, "agent", None), torch.nn.Module):
        return "controller", value.agent.state_dict()
    if isinstance(value, torch.nn.Parameter):
        return None  # its network keeps it
    if value is None or isinstance(value, bool | str | torch.Tensor):
        return "value", value
    if isinstance(value, numbers.Number):
        return "value", value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return "array", torch.from_numpy(value.copy())
    return _pack_parts(value)


def _pack_parts(value: Any) -> tuple[str, Any] | None:
    """Of containers and plain objects, what is in them."""
    if isinstance(value, list | tuple | deque):
        return "list", [_pack(item) for item in value]
    if isinstance(value, dict):
        return "dict", {key: _pack(item) for key, item in value.items() if isinstance(key, str)}
    if type(value).__module__ != "builtins" and getattr(value, "__dict__", None):
        fields = {name: _pack(field) for name, field in vars(value).items()}
        if all(packed is not None for packed in fields.values()):  # running statistics and such
            return "object", fields
    return None


def _unpack(packed: tuple[str, Any] | None, present: Any) -> Any:
    """What the attribute must be now; `present` is what it is in the new process."""
    if packed is None:
        return present
    kind, content = packed
    if kind == "stateful":
        present.load_state_dict(content)
    elif kind == "controller":
        present.agent.load_state_dict(content)
    elif kind == "object":
        restore(present, content)
    elif kind == "array":
        return content.numpy()
    elif kind == "list":
        return _unpack_list(content, present)
    elif kind == "dict":
        old = present if isinstance(present, dict) else {}
        return {**old, **{key: _unpack(item, old.get(key)) for key, item in content.items()}}
    elif isinstance(present, torch.Tensor):
        return content.to(present.device)
    else:
        return content
    return present


def _unpack_list(content: list[Any], present: Any) -> Any:
    """A list may have grown since it was made: what it held then is restored in place."""
    old = list(present or []) + [None] * len(content)
    items = [_unpack(item, before) for item, before in zip(content, old, strict=False)]
    if isinstance(present, deque):
        return deque(items, maxlen=present.maxlen)
    if isinstance(present, tuple) and hasattr(present, "_fields"):
        return type(present)(*items)
    return tuple(items) if isinstance(present, tuple) else items


def write_checkpoint(folder: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a folder that becomes `folder` only when everything is on disk."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.parent / f".{folder.name}.part"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        fill(draft)
        seal(draft)
        for path in draft.iterdir():
            _sync(path)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    _sync(folder.parent)


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
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


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
    if folder.name.isdigit() and (folder / "agent.th").exists():
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


def episodes_of(buffer: Any, n_bytes: int) -> int:
    """How many episodes of the buffer take about that much; at least one."""
    return max(1, n_bytes * buffer.episodes_in_buffer // max(1, buffer.bytes_used()))


class ReplayParts:
    """The replay buffer on disk: numbered files, each holding the episodes of one interval.

    The episodes of a file take several times their size while it is written, so it holds few.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.digests: dict[str, str] = {}  # name of a living part -> SHA-256
        self._saved = 0  # episodes written, counted from the first ever inserted

    def save_new(self, buffer: Any) -> None:
        """Write the episodes that came since the last call; forget parts that were overwritten."""
        oldest = buffer.inserted - buffer.episodes_in_buffer
        at_once = episodes_of(buffer, PART_BYTES)
        for first in range(max(self._saved, oldest), buffer.inserted, at_once):
            self._write(buffer, first, min(first + at_once, buffer.inserted))
        self.digests = {n: digest for n, digest in self.digests.items() if _end(n) > oldest}

    @property
    def names(self) -> list[str]:
        return list(self.digests)

    def _write(self, buffer: Any, first: int, until: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{first:012d}-{until:012d}.npz"
        draft = self._folder / f".{name}.part"
        with draft.open("wb") as file:
            np.savez(file, **buffer.episodes_since(first, until))
        _sync(draft)
        digest = digest_of(draft)
        draft.rename(self._folder / name)
        self.digests[name] = digest
        self._saved = until

    def remove_unused(self, names: Collection[str]) -> None:
        """Delete files that no checkpoint names; call when the newest is in place."""
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in names:
                    path.unlink()

    def state_dict(self, inserted: int) -> dict[str, Any]:
        return {"names": self.names, "inserted": inserted, "sha256": dict(self.digests)}

    def load_into(self, buffer: Any, state: dict[str, Any]) -> None:
        """Put back what `state_dict` named."""
        self.digests, self._saved = self._known(state), state["inserted"]
        with self._damage_explained():
            buffer.restore(state["inserted"], self._read(sorted(state["names"])))

    def check(self, state: dict[str, Any]) -> None:
        """Raise if a part is not there or not what was written."""
        with self._damage_explained():
            for name, digest in self._known(state).items():
                if digest_of(self._folder / name) != digest:
                    raise ValueError(f"{name}: its checksum is another")
                zipfile.ZipFile(self._folder / name).close()  # the earliest have no checksums

    def _known(self, state: dict[str, Any]) -> dict[str, str]:
        """Parts from before there were checksums get them now."""
        with self._damage_explained():
            known = state.get("sha256") or {}
            return {n: known.get(n) or digest_of(self._folder / n) for n in state["names"]}

    @contextmanager
    def _damage_explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise DamagedError(
                f"A replay file in {self._folder} is missing or damaged ({reason(error)}). "
                f"Start from the networks instead: checkpoint_path={self._folder.parent}"
            ) from error

    def _read(self, names: list[str]) -> Iterator[Mapping[str, np.ndarray]]:
        """One open file at a time: there may be more parts than a process may open."""
        for name in names:
            with np.load(self._folder / name) as part:
                yield part


def _end(part_name: str) -> int:
    return int(part_name.removesuffix(".npz").split("-")[1])


def _sync(path: Path) -> None:
    """Have the kernel put `path` on disk; folders cannot be synced everywhere, and need not be."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
