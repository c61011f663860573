"""What can go wrong before a game is up, each with an exit code of its own."""

from __future__ import annotations

from utils.errors import UserError

MISSING_PACKAGES = 10
MISSING_GAME = 11
WRONG_VERSION = 12
BROKEN_BINARY = 13
UNKNOWN_MAP = 14
MISSING_MAP = 15
NO_TEMPORARY_FOLDER = 16
LAUNCH_FAILED = 17
WRONG_SETTING = 18


class PreflightError(UserError):
    """A run of StarCraft II cannot start; `exit_code` says why to scripts."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class GameCrashed(Exception):
    """The game is gone or useless. The episode is lost, and so is the environment object."""
