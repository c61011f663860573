"""Settings: files, command line, checks. To load them imports the chosen parts, and so torch."""

from configuration.command_line import COMMAND_LINE, sort_words, unknown_command
from configuration.commands import COMMANDS, PROGRAMS, SWEEP_HELP, command_help
from configuration.help_text import config_text, help_text, list_text
from configuration.loading import (
    LoadedConfig,
    default_config,
    load_config,
    load_env_config,
)

__all__ = [
    "COMMANDS",
    "COMMAND_LINE",
    "PROGRAMS",
    "SWEEP_HELP",
    "LoadedConfig",
    "command_help",
    "config_text",
    "default_config",
    "help_text",
    "list_text",
    "load_config",
    "load_env_config",
    "sort_words",
    "unknown_command",
]
