"""What every run needs of a machine: Python, packages, torch, room for results."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from machine.compiler import compiler
from records.commit import commit_of
from utils.errors import UserError
from utils.findings import FAULT, OK, WARNING, Finding, say
from utils.places import INSTALLED, REPOSITORY, is_number
from utils.program import DISTRIBUTION, install

CORE = REPOSITORY / "requirements.txt"
EXTRAS = REPOSITORY / "requirements"
OF_EXTRA = re.compile(r"""extra == ['"](?P<name>[\w-]+)""")
NAME = re.compile(r"[A-Za-z][\w.-]*")
LITTLE = 10**9  # bytes of free disk that are worth a warning
DRIVER = Path("/proc/driver/nvidia/version")  # there if NVIDIA's driver is, whatever torch says


def examine(results: Path) -> int:
    """A line for each check; the exit code of the first fault, or 0."""
    exit_code = 0
    for name, check in checks(results).items():
        try:
            found = check()
            say(WARNING if found.warning else OK, name, found.text)
        except UserError as error:
            exit_code = exit_code or error.exit_code
            say(FAULT, name, str(error))
    return exit_code


def checks(results: Path) -> dict[str, Callable[[], Finding]]:
    """In the order in which they are told."""
    return {
        "python": python,
        "packages": packages,
        "torch": torch_build,
        "GPU": gpu,
        "extras": extras,
        "processor, memory": capacity,
        "compiler": cpp_compiler,
        "disk": lambda: disk(results),
        "results": lambda: place(results),
        "commit": lambda: Finding(str(commit_of(REPOSITORY / "src" / "main.py"))),
    }


def python() -> Finding:
    return Finding(f"{platform.python_version()} ({sys.executable})")


def packages() -> Finding:
    """Those of the core."""
    if missing := missing_of_core():
        raise UserError(f"{', '.join(missing)} missing. Type: {install()}")
    return Finding(", ".join(f"{name} {version_of(name)}" for name in core()))


def core() -> list[str]:
    return packaged()[""] if INSTALLED else required(CORE)


def missing_of_core() -> list[str]:
    return [name for name in core() if version_of(name) is None]


def torch_build() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:  # libraries of another machine raise either
        raise UserError(f"torch cannot be imported: {error}") from error
    build = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    return Finding(f"{torch.__version__}, {build}")


def gpu() -> Finding:
    """What `use_cuda=True` will find."""
    try:
        import torch
    except (ImportError, OSError):
        return Finding("unknown without torch", warning=True)
    if torch.cuda.is_available():
        return Finding("\n".join(map(_gpu, range(torch.cuda.device_count()))))
    if not DRIVER.exists():
        return Finding("none; runs use the CPU")
    build = f"build for CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    return Finding(
        f"NVIDIA's driver is here, but torch's {build} cannot use it: runs use the CPU.\n"
        "https://pytorch.org says which build to install",
        warning=True,
    )


def _gpu(number: int) -> str:
    import torch

    facts = torch.cuda.get_device_properties(number)
    return f"{facts.name}, {human(facts.total_memory)}"


def extras() -> Finding:
    """Which of them are installed in full."""
    lacking = {
        extra: [name for name in names if version_of(name) is None]
        for extra, names in extra_packages().items()
    }
    there = [name for name, missing in lacking.items() if not missing]
    absent = [f"{name} ({', '.join(missing)})" for name, missing in lacking.items() if missing]
    lines = [f"installed: {', '.join(there) or 'none'}"]
    if absent:
        lines += [f"not installed: {', '.join(absent)}"]
        lines += [f"to add one: {install('NAME')}"]
    return Finding("\n".join(lines))


def extra_packages() -> dict[str, list[str]]:
    """What each extra installs: as its file in requirements/ says, or else the package itself."""
    if INSTALLED:
        return {extra: names for extra, names in packaged().items() if extra}
    return {file.stem: required(file) for file in sorted(EXTRAS.glob("*.txt"))}


def packaged() -> dict[str, list[str]]:
    """The distributions that the installed package names, by extra; "" are those of the core."""
    found: dict[str, list[str]] = {"": []}
    for line in importlib.metadata.requires(DISTRIBUTION) or []:
        extra, name = OF_EXTRA.search(line), NAME.match(line)
        if name is not None:
            found.setdefault(extra["name"] if extra else "", []).append(name[0])
    return found


def capacity() -> Finding:
    from components.replay.memory import available_bytes

    free = available_bytes()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = "how much memory is free is unknown" if free is None else f"{human(free)} free"
    return Finding(f"{cores} cores, {memory}")


def cpp_compiler() -> Finding:
    """By which fast_kernels=compiled makes its GRU."""
    if command := compiler():
        return Finding(f"{shlex.join(command)}; the GRU is compiled when a run first wants it")
    return Finding(
        "no C++ compiler, which fast_kernels=compiled needs (docs/speed.md). To have one: apt-get "
        "install g++",
        warning=True,
    )


def disk(results: Path) -> Finding:
    """Where results go."""
    free = shutil.disk_usage(existing(results)).free
    return Finding(f"{human(free)} free at {existing(results)}", warning=free < LITTLE)


def place(results: Path) -> Finding:
    """Whether a run can write its results, found out without writing."""
    there = existing(results)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{there} cannot be written to. Give another place: local_results_path=...")
    runs = sum(1 for path in _entries(results / "sacred") if is_number(path.name))
    return Finding(f"{results}, {runs} runs" if results.exists() else f"{results}, not made yet")


def existing(path: Path) -> Path:
    """The path, or the innermost folder around it that is there."""
    return next(place for place in (path, *path.parents) if place.exists())


def _entries(folder: Path) -> Iterator[Path]:
    yield from folder.iterdir() if folder.is_dir() else ()


def required(file: Path) -> list[str]:
    """The distributions that a requirements file names itself, without those of other files."""
    lines = file.read_text().splitlines() if file.exists() else []
    return [match[0] for line in lines if (match := NAME.match(line))]


def version_of(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def human(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
