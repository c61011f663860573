"""Critics by name: what `critic_type:` in a config may say."""

from utils.registry import Registry

REGISTRY = Registry("critic", {})
