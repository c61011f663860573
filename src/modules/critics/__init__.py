"""Critics by name: the values of `critic_type:` in a config. All are built with (scheme, args).

The first two belong to replay learners, which choose for themselves. EPyMARL's names end in `_ns`
where each agent has its own network.
"""

from utils.registry import Registry

REGISTRY = Registry(
    "critic",
    {
        "facmac": "modules.critics.facmac:FACMACCritic",
        "maddpg": "modules.critics.maddpg:MADDPGCritic",
        "cv_critic": "modules.critics.values:CentralCritic",
        "cv_critic_ns": "modules.critics.values:SeparateCentralCritic",
        "ac_critic": "modules.critics.values:LocalCritic",
        "ac_critic_ns": "modules.critics.values:SeparateLocalCritic",
        "coma_critic": "modules.critics.coma:COMACritic",
        "coma_critic_ns": "modules.critics.coma:SeparateCOMACritic",
    },
)
