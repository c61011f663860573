"""What the files of a folder must be: `checksums.json`, written by whoever writes the files.

A file that is replaced has the checksum of its present and of its next content listed before it
is: whenever the process is killed, what is there fits. Of a file that grows, the length and the
checksum of what had been written are listed; more may follow.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from utils.errors import UserError
from utils.files import digest_of, read_bytes, reason, replace_text
from utils.json_values import JsonObject

FILE = "checksums.json"
CHECK = "check"  # entry of a checked object: the checksum of all its other entries


class DamagedError(UserError):
    """A file that is not what was written."""


@dataclass
class Checksums:
    """SHA-256 of the files of one folder."""

    files: dict[str, list[str]] = field(default_factory=dict)  # name -> what it may be
    growing: dict[str, tuple[int, str]] = field(default_factory=dict)  # name -> bytes, checksum

    def write(self, folder: Path) -> None:
        content = {"files": self.files, "growing": self.growing}
        replace_text(folder / FILE, checked(content))


def read_checksums(folder: Path, root: Path | None = None) -> Checksums | None:
    """Those of `folder`; None if it has none, as folders from before had."""
    path = folder / FILE
    try:
        content = parse_checked(read_bytes(path, root))
        files = {name: list(every) for name, every in content["files"].items()}
        growing = {name: (size, digest) for name, (size, digest) in content["growing"].items()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedError(
            f"{path} is damaged ({reason(error)}), so the files beside it cannot be verified. "
            f"To use them as they are, delete {FILE}."
        ) from error
    return Checksums(files, growing)


def checked(content: JsonObject) -> str:
    """JSON text of `content` that holds its own checksum."""
    return json.dumps({**content, CHECK: _checksum(content)}, indent=2, sort_keys=True) + "\n"


def parse_checked(data: bytes) -> JsonObject:
    """What `checked` made the text of; a ValueError if it is not that any more."""
    content = json.loads(data.decode("ascii"))
    if not isinstance(content, dict) or content.pop(CHECK, None) != _checksum(content):
        raise ValueError("its checksum does not fit")
    return content


def _checksum(content: JsonObject) -> str:
    text = json.dumps(content, sort_keys=True)
    return f"{zlib.crc32(text.encode()):08x}"


def seal(folder: Path) -> None:
    """List all files below `folder` as they are now."""
    names = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    Checksums({name: [digest_of(folder / name)] for name in names}).write(folder)


def unlist(folder: Path, name: str) -> None:
    """A file of a sealed folder is about to be deleted."""
    try:
        sums = read_checksums(folder)
    except DamagedError:
        return  # stays as it is, and is told when the folder is used
    if sums is not None:
        sums.files.pop(name, None)
        sums.write(folder)


def verify(folder: Path, without: Collection[str] = ()) -> bool:
    """Whether the files of a sealed folder could be verified; DamagedError if one is another."""
    sums = read_checksums(folder)
    if sums is None:
        return False
    for name, allowed in sums.files.items():
        if name not in without:
            _verify_file(folder / name, allowed)
    return True


def _verify_file(path: Path, allowed: list[str]) -> None:
    try:
        found = digest_of(path)
    except OSError as error:
        raise DamagedError(f"{path} is missing or damaged ({reason(error)}).") from error
    if found not in allowed:
        raise DamagedError(f"{path} is damaged: its checksum is not the one in {FILE}.")
