"""Compiles a source file of ours for this processor, once, with whatever C++ compiler is there."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from machine.cache import place_bytes
from utils.files import digest_of, reason

COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-std=c++17", "-O3", "-ffp-contract=fast", "-fPIC", "-shared", "-pthread")
# All that the processor can do, in the words of one compiler or another; the last one has none.
FOR_THIS_PROCESSOR = (("-march=native",), ("-mcpu=native",), ())
PATIENCE = 120.0  # seconds; it takes two or three
OF_OTHERS = 0o022  # who may write to a file beside its owner


class NotCompiledError(Exception):
    """Says why, as what follows a colon."""


def compiler() -> list[str] | None:
    """The command that `$CXX` holds, or the first compiler on the path."""
    if named := shlex.split(os.environ.get("CXX", "")):
        return named
    found = next(filter(None, map(shutil.which, COMPILERS)), None)
    return [found] if found else None


def compiled(source: Path, folder: Path | None) -> Path:
    """The library made of `source`: the one kept in `folder`, or a new one, which is then kept.

    Where nothing can be kept, it lies in a folder that ends with the process.
    """
    text = " ".join(FLAGS).encode() + source.read_bytes()
    stem = f"{source.stem}-{hashlib.sha256(text).hexdigest()[:16]}"
    places = [*([] if folder is None else [folder]), Path(_own_folder().name)]
    for place in places:
        if kept := _kept(place, stem):
            return kept
    library = _made(source)
    for place in places:
        path = place / f"{stem}-{hashlib.sha256(library).hexdigest()}.so"
        with contextlib.suppress(OSError):
            place_bytes(path, library)
            return path
    raise NotCompiledError(f"neither {' nor '.join(map(str, places))} can be written")


def _kept(folder: Path, stem: str) -> Path | None:
    """One that is what its name says, and that nobody else could have put there."""
    for path in sorted(folder.glob(f"{stem}-*.so")):
        try:
            found = path.stat()
            ours = found.st_uid == os.geteuid() and not found.st_mode & OF_OTHERS
            if ours and path.stem == f"{stem}-{digest_of(path)}":
                return path
        except OSError:
            continue
    return None


def _made(source: Path) -> bytes:
    command = compiler()
    if command is None:
        raise NotCompiledError(f"there is no C++ compiler ({', '.join(COMPILERS)}) on the path")
    try:
        with tempfile.TemporaryDirectory(prefix="pymarlk-") as place:
            target = Path(place) / "made.so"
            for processor in FOR_THIS_PROCESSOR:
                words = [*command, *FLAGS, *processor, str(source), "-o", str(target)]
                failure = _failure(words)
                if failure is None:
                    return target.read_bytes()
    except (OSError, subprocess.TimeoutExpired) as error:
        failure = reason(error)
    raise NotCompiledError(f"{shlex.join(command)} has failed ({failure})")


def _failure(words: list[str]) -> str | None:
    """What the compiler complains of, if it does."""
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=PATIENCE,
        env={**os.environ, "LC_ALL": "C"},
    )
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return next((line for line in lines if "error" in line), lines[0])


@functools.cache
def _own_folder() -> tempfile.TemporaryDirectory[str]:
    """Of this process, removed at its end."""
    return tempfile.TemporaryDirectory(prefix="pymarlk-")
