"""Third-party code that registers itself: modules, or files that need not be in the tree."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path

from configuration.schema import REGISTRIES, settings
from utils.errors import UserError
from utils.places import expanded
from utils.registry import Registry

SRC = Path(__file__).resolve().parents[1]
_files: set[str] = set()  # of the plugins that were imported


def load_plugins(plugins: list[str]) -> list[str]:
    """Import every plugin once; an error says which one failed, and where in it.

    Returns those that were imported now and have registered nothing.
    """
    without_effect = []
    for plugin in plugins:
        before = _assignments()
        try:
            if _load(plugin) and _assignments() == before:
                without_effect.append(plugin)
        except UserError:
            raise
        except (Exception, SystemExit) as error:
            raise UserError(
                f"plugins: {plugin} failed with {type(error).__name__}: {error}\n"
                f"at {_place(error)}.{_remedy(error)}"
            ) from error
    return without_effect


def _place(error: BaseException) -> str:
    """The file and line of an error; what cannot be parsed has no frame of its own."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{error.filename}, line {error.lineno}"
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{where.filename}, line {where.lineno}"


def failure_of(error: BaseException) -> str | None:
    """What to print of an error that went through a plugin's code; None if it did not."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if frame.filename in _files]
    if not theirs:
        return None
    lines = [f"  {frame.filename}, line {frame.lineno}: {frame.line}" for frame in theirs[-3:]]
    reason = str(error).splitlines()[:4] or [""]
    return "\n".join(
        [
            f"The code of a plugin failed with {type(error).__name__}: {reason[0]}",
            *reason[1:],
            *lines,
            "docs/drop-in.md says what it finds here; the run's run.json has the whole traceback.",
        ]
    )


def registered(key: str, name: str) -> bool:
    """Whether a plugin has registered `name` as a value of the setting `key`."""
    registry = settings()[key].registry
    return registry is not None and registry_of(registry).registered(name)


def registry_of(kind: str) -> Registry:
    """That of a key of `REGISTRIES`."""
    return importlib.import_module(REGISTRIES[kind]).REGISTRY


def _assignments() -> int:
    """How often anybody has registered anything."""
    return sum(registry_of(kind).assignments for kind in REGISTRIES)


def _remedy(error: BaseException) -> str:
    """What to do about an import that fails because the file stands alone here."""
    if "relative import" in str(error):
        return "\nWrite that import in full, as in `from components.epsilon_schedules import ...`."
    if not isinstance(error, ImportError) or error.name is None:
        return ""
    if not isinstance(error, ModuleNotFoundError):
        return _remedy_of_a_name(error.name)
    package, _, rest = error.name.partition(".")
    if not rest or not (SRC / package).is_dir():
        return ""
    path = f"src/{error.name.replace('.', '/')}"
    return (
        f"\nPyMARL-K has no {error.name}. Copy that repository's {path}.py, or the folder {path}, "
        "to the same place here."
    )


def _remedy_of_a_name(module: str) -> str:
    """What to do where a module is here and a name that is imported from it is not."""
    path = f"{module.replace('.', '/')}.py"
    if not (SRC / path).is_file():
        return ""
    return (
        f"\nThe {module} of PyMARL-K is another. Copy what is missing from that repository's "
        f"src/{path} into the file that imports it, in place of the import."
    )


def _no_module(plugin: str) -> UserError:
    return UserError(
        f"plugins: there is no module '{plugin}'. Give an importable module, or the path of a "
        ".py file."
    )


def _load(plugin: str) -> bool:
    """Import a plugin; whether that was necessary."""
    if not plugin.endswith(".py"):
        if "" in plugin.split("."):  # ../file, .relative
            raise _no_module(plugin)
        is_new = plugin not in sys.modules
        try:
            module = importlib.import_module(plugin)
        except ModuleNotFoundError as error:
            if error.name != plugin.split(".")[0]:
                raise
            raise _no_module(plugin) from error
        _files.add(str(module.__file__))
        return is_new
    path = expanded(plugin).resolve()
    name = f"plugin_{path.stem}"
    if name in sys.modules and sys.modules[name].__file__ == str(path):
        return False
    if not path.is_file():
        raise UserError(f"plugins: there is no file {plugin} (looked for {path}).")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    _files.add(str(path))
    return True
