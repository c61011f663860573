"""Settings: files, command line, checks. To load them imports the chosen parts, and so torch."""

from utils.config.help_text import config_text, help_text, list_text
from utils.config.loading import (
    COMMAND_LINE,
    LoadedConfig,
    default_config,
    load_config,
    load_env_config,
)

__all__ = [
    "COMMAND_LINE",
    "LoadedConfig",
    "config_text",
    "default_config",
    "help_text",
    "list_text",
    "load_config",
    "load_env_config",
]
