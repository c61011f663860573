"""The settings of a run as learners, controllers and networks read them: `args.lr`."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from configuration.dialects import THEIR_DEFAULTS
from utils.errors import UserError, did_you_mean
from utils.settings import Settings

SRC = str(Path(__file__).resolve().parents[1])


class MissingSettingError(UserError, AttributeError):
    """Code of somebody else reads a setting that this run does not have."""

    def __init__(self, name: str, known: Settings, where: str) -> None:
        super().__init__(name, where)
        self._name, self._known, self._where = name, known, where

    def __str__(self) -> str:
        text = f"{self._where} reads args.{self._name}, and this run has no setting of that name."
        text += did_you_mean(self._name, self._known)
        names = {**THEIR_DEFAULTS, "epymarl": {*THEIR_DEFAULTS["epymarl"], "hidden_dim"}}
        for dialect, theirs in names.items():
            if self._name in theirs:
                return (
                    f"{text}\nThe line `dialect: {dialect}` in the settings file gives it one, and "
                    f"so does dialect={dialect} on the command line."
                )
        return text + f"\nAdd a line `{self._name}: ...` to the file of --config."


class Arguments(SimpleNamespace):
    """All settings. What third-party code misses among them is named in an error of one screen."""

    def __getattr__(self, name: str) -> Any:
        reader = sys._getframe(1)
        file = reader.f_code.co_filename
        if name.startswith("__") or file.startswith(SRC):
            raise AttributeError(f"args has no {name!r}")
        raise MissingSettingError(name, vars(self), f"{file}, line {reader.f_lineno},")
