"""Agent networks by name: what `agent:` in a config may say."""

from utils.registry import Registry

REGISTRY = Registry(
    "agent",
    {
        "rnn": "modules.agents.rnn_agent:RNNAgent",
        "mlp": "modules.agents.mlp_agent:MLPAgent",
        "cem": "modules.agents.cem_agent:CEMAgent",
        "cemrnn": "modules.agents.cem_agent:CEMRecurrentAgent",
        "mat": "modules.agents.mat:MATAgent",
        "cmat": "modules.agents.cmat:CMATAgent",
        "sable": "modules.agents.sable:SableAgent",
    },
)
