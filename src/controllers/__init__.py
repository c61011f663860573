"""Controllers by name: what `mac:` in a config may say."""

from utils.registry import Registry

REGISTRY = Registry(
    "controller (mac)",
    {
        "basic_mac": "controllers.basic_controller:BasicMAC",
        "ordered_mac": "policies.ordered:OrderedPolicy",
        "graph_mac": "policies.graph:GraphPolicy",
        "cem_mac": "controllers.cem_controller:CEMMAC",
        "team_mac": "policies.team:TeamPolicy",
        "guided_mac": "policies.guided:GuidedPolicy",
    },
)
