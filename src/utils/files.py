"""Files that may be anything by now: only regular ones are opened, and opening never waits."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

CHUNK = 2**20  # bytes that are hashed at a time


def open_regular(path: Path, root: Path | None = None) -> BinaryIO:
    """`path`, opened for reading; an OSError if it is a pipe, a device, a folder.

    With `root`, links that lead out of that folder are refused as well.
    """
    real = path if root is None else _inside(path, root)
    handle = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "It is no regular file", str(path))


def _inside(path: Path, root: Path) -> Path:
    real = path.resolve()
    if not real.is_relative_to(root):
        raise PermissionError(errno.EPERM, f"It is a link that leads out of {root}", str(path))
    return real


def read_bytes(path: Path, root: Path | None = None) -> bytes:
    with open_regular(path, root) as file:
        return file.read()


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with open_regular(path) as file:
        return digest_of_open(file)


def digest_of_open(file: BinaryIO, length: int | None = None) -> str:
    """SHA-256 of what is in a file from here on, or of the next `length` bytes."""
    digest, left = hashlib.sha256(), length
    while chunk := file.read(CHUNK if left is None else min(CHUNK, left)):
        digest.update(chunk)
        left = None if left is None else left - len(chunk)
    return digest.hexdigest()


def replace_text(path: Path, text: str) -> None:
    """Write a file that is there as it was or as it will be, and never in between."""
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def reason(error: BaseException) -> str:
    """The first line of what went wrong, without the name of the file."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip().split("\n")[0] or type(error).__name__


def sync(path: Path) -> None:
    """Have the kernel put `path` on disk; folders cannot be synced everywhere, and need not be."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
