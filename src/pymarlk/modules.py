"""PyMARL's module names (`utils`, `learners`, ...) on `sys.path`, once they are needed.

Parts written for PyMARL import these names, so they cannot be called otherwise. Until then a
program that imports `pymarlk` has its own modules of such names.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
SRC = HERE / "src" if (HERE / "src").is_dir() else HERE.parent  # of a wheel; of a checkout
REMEDY = "Rename it, or start runs in a process of their own: `pymarlk`, or `python -m pymarlk`."


class ModuleClashError(ImportError):
    """A name that PyMARL-K needs belongs to another module of this process."""


def add_to_path() -> None:
    """Let PyMARL's module names be PyMARL-K's in this process; to call it again does nothing.

    An error where the program has imported a module of its own by such a name, and a warning where
    it could have.
    """
    if any(os.path.realpath(place) == str(SRC) for place in sys.path):
        return
    names = module_names()
    refuse_imported(names)
    warn_of_hidden(names)
    sys.path.insert(0, str(SRC))
    importlib.import_module("utils.prerequisites")  # which stops where nothing of it can run


def module_names() -> list[str]:
    """Those that a run may import."""
    found = (path.stem for path in SRC.iterdir() if path.suffix == ".py" or is_package(path))
    return sorted(set(found) - {__package__})


def is_package(path: Path) -> bool:
    return (path / "__init__.py").is_file()


def refuse_imported(names: list[str]) -> None:
    for name in names:
        module = sys.modules.get(name)
        if module is not None and not Path(place_of(module)).is_relative_to(SRC):
            raise ModuleClashError(
                f"PyMARL-K needs the module name '{name}', as PyMARL does, and this program has "
                f"imported another module by it: {place_of(module)}. {REMEDY}"
            )


def warn_of_hidden(names: list[str]) -> None:
    """What could have been imported by these names, and is PyMARL-K's from now on."""
    hidden = [f"'{name}' ({place})" for name, place in others(names)]
    if hidden:
        warnings.warn(
            f"PyMARL-K needs module names that this program has, too: {', '.join(hidden)}. What "
            f"imports them from now on gets PyMARL-K's. {REMEDY}",
            stacklevel=4,  # where a function of `pymarlk` is called
        )


def others(names: list[str]) -> Iterator[tuple[str, str]]:
    """Modules of these names on `sys.path`, but for the program itself; folders are none."""
    program = place_of(sys.modules["__main__"])
    for name in names:
        found = PathFinder.find_spec(name)
        if found is not None and found.origin and os.path.realpath(found.origin) != program:
            yield name, found.origin


def place_of(module: ModuleType) -> str:
    """The file of a module, or its first folder."""
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", [])), "")
    return os.path.realpath(file) if file else ""
