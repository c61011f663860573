"""Settings of PyMARL and its relatives that nothing here reads."""

from __future__ import annotations

import functools

import yaml

from configuration.schema import CONFIG


@functools.cache
def legacy() -> dict[str, str]:
    """Keys of PyMARL and its relatives -> what became of them."""
    groups = yaml.safe_load((CONFIG / "legacy.yaml").read_text())
    return {key: fate for fate, keys in groups.items() for key in keys}
