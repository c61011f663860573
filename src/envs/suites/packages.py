"""Optional packages: imported when first needed, with the way to get them when they are missing."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType

from utils.errors import UserError, did_you_mean
from utils.program import install

# Module -> the requirements file that has it.
REQUIREMENTS = {
    "gymnasium_robotics": "mamujoco",
    "mujoco": "mamujoco",
    "gymnasium": "gymma",
    "pettingzoo": "gymma",
    "lbforaging": "lbf",
    "rware": "rware",
    "mpe2": "mpe",
    "jax": "smax",
    "jaxmarl": "smax",
}
BUILDS = {  # packages that pip alone does not get installed
    "gfootball": 'pip install wheel psutil "setuptools<82" && '
    "pip install --no-build-isolation -r requirements/gfootball.txt, after the system packages "
    "that docs/suites.md names"
}


def need(module: str) -> ModuleType:
    """The module, or a sentence on how to get it."""
    try:
        with silence():
            return importlib.import_module(module)
    except Exception as error:  # of any kind, where packages do not go together
        check_name(module, error)
        kind = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
        raise UserError(
            f"The module {module} cannot be imported ({kind}{error}). "
            f"Type: {_remedy(module, error)}"
        ) from error


def _remedy(module: str, error: Exception) -> str:
    """For the package; or for one that only this module of it needs."""
    package, _, inner = module.partition(".")
    lacking = (getattr(error, "name", None) or package).partition(".")[0]
    if package in sys.modules and lacking not in (package, *REQUIREMENTS, *BUILDS):
        if package == "pettingzoo":
            return f'pip install "pettingzoo[{inner.partition(".")[0]}]"'
        return f"pip install PACKAGE, for the package that has {lacking}"
    return install_command(lacking if lacking in REQUIREMENTS else package)


def check_name(module: str, error: Exception) -> None:
    """A UserError if the package is there, and has no such module."""
    package, _, name = module.rpartition(".")
    folders = getattr(sys.modules.get(package), "__path__", None)
    if getattr(error, "name", None) != module or folders is None:
        return
    known = sorted(found.name for found in pkgutil.iter_modules(folders))
    public = [each for each in known if not each.startswith("_")]
    raise UserError(
        f"{package} has no '{name}'.{did_you_mean(name, public)} It has: {', '.join(public)}."
    ) from error


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """While they are imported, packages speak of tasks that nobody asked for.

    JaxMARL takes Python's own streams back in the middle of it, so they are silenced too.
    """
    names = ("stdout", "stderr", "__stdout__", "__stderr__")
    spoken = {name: getattr(sys, name) for name in names}
    try:
        for name in names:
            setattr(sys, name, io.StringIO())
        yield
    finally:
        for name, stream in spoken.items():
            setattr(sys, name, stream)


def install_command(package: str) -> str:
    if package in BUILDS:
        return BUILDS[package]
    if package in REQUIREMENTS:
        return install(REQUIREMENTS[package])
    return f"pip install PACKAGE, for the package that has {package}"


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Of those that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
