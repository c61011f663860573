"""The replay buffer on disk, in parts: each checkpoint writes only the episodes that are new."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from components.replay.held import HeldEpisodes, Part
from records.checksums import DamagedError
from utils.files import digest_of, reason, sync

PART_BYTES = 16 * 2**20  # of replay in a file: they are many times that while it is written


class Replay(Protocol):
    """What the parts need to know of a replay buffer."""

    inserted: int  # episodes, counted from the first ever

    @property
    def episodes_in_buffer(self) -> int: ...

    def bytes_used(self) -> int: ...

    def hold(self, number: int) -> HeldEpisodes:
        """Those of them from `number` on that are stored now, to be read in any thread."""

    def restore(self, inserted: int, parts: Iterable[Mapping[str, np.ndarray]]) -> None:
        """Put back what was read."""


def episodes_of(buffer: Replay, n_bytes: int) -> int:
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

    def new_parts(self, buffer: Replay) -> Callable[[], None]:
        """What will write the episodes that came since it was last done; any thread may call it.

        It writes them as they are now, and forgets parts that are overwritten by now. It is to be
        done before there is another.
        """
        oldest, end = buffer.inserted - buffer.episodes_in_buffer, buffer.inserted
        at_once = episodes_of(buffer, PART_BYTES)
        return partial(self._write_new, buffer.hold(self._saved), at_once, oldest, end)

    def _write_new(self, held: HeldEpisodes, at_once: int, oldest: int, end: int) -> None:
        try:
            while (part := held.take(at_once)) is not None:
                self._write(part)
        finally:
            held.release()
        self._saved = end
        self.digests = {n: digest for n, digest in self.digests.items() if _end(n) > oldest}

    @property
    def names(self) -> list[str]:
        return list(self.digests)

    def _write(self, part: Part) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{part.first:012d}-{part.until:012d}.npz"
        draft = self._folder / f".{name}.part"
        arrays: dict[str, Any] = dict(part.arrays)
        try:
            with draft.open("wb") as file:
                np.savez(file, **arrays)
            sync(draft)
            self.digests[name] = digest_of(draft)
            draft.rename(self._folder / name)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    def remove_unused(self, names: Collection[str]) -> None:
        """Delete files that no checkpoint names; call when the newest is in place."""
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in names:
                    path.unlink()

    def state_dict(self) -> dict[str, Any]:
        return {"names": self.names, "inserted": self._saved, "sha256": dict(self.digests)}

    def load_into(self, buffer: Replay, state: dict[str, Any]) -> None:
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
