"""Third-party code that registers itself: modules, or files that need not be in the tree."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback

from utils.errors import UserError
from utils.places import expanded


def load_plugins(plugins: list[str]) -> None:
    """Import every plugin once; an error says which one failed, and where in it."""
    for plugin in plugins:
        try:
            _load(plugin)
        except UserError:
            raise
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            raise UserError(
                f"plugins: {plugin} failed with {type(error).__name__}: {error}\n"
                f"at {where.filename}, line {where.lineno}."
            ) from error


def _load(plugin: str) -> None:
    if not plugin.endswith(".py"):
        try:
            importlib.import_module(plugin)
        except ModuleNotFoundError as error:
            if error.name != plugin.split(".")[0]:
                raise
            raise UserError(
                f"plugins: there is no module '{plugin}'. Give an importable module, or the path "
                "of a .py file."
            ) from error
        return
    path = expanded(plugin).resolve()
    name = f"plugin_{path.stem}"
    if name in sys.modules and sys.modules[name].__file__ == str(path):
        return
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
