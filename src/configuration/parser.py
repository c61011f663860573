"""argparse as the rest of the program answers mistakes: in a sentence, with the nearest name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from utils.errors import UserError, did_you_mean


class Parser(argparse.ArgumentParser):
    """Raises UserError instead of leaving the program."""

    def options(self, argv: Sequence[str]) -> argparse.Namespace:
        """What `argv` says; an unknown option is refused with the nearest that there is."""
        found, unknown = self.parse_known_args(argv)
        if unknown:
            name = unknown[0].partition("=")[0]
            known = [text for action in self._actions for text in action.option_strings]
            self.error(f"Unknown option {name}.{did_you_mean(name, known)}")
        return found

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}\n{self.format_usage()}")
