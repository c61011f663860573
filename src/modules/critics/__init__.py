"""Critics by name. Every entry is built with (scheme, args)."""

from utils.registry import Registry

REGISTRY = Registry(
    "critic",
    {
        "facmac": "modules.critics.facmac:FACMACCritic",
        "maddpg": "modules.critics.maddpg:MADDPGCritic",
    },
)
