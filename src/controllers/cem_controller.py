"""The controller of agents that value continuous actions."""

from __future__ import annotations

from controllers.basic_controller import BasicMAC
from policies.cem import CEMPolicy


class CEMMAC(BasicMAC):
    """COMIX's and COVDN's."""

    needs = CEMPolicy.needs
    policy_class = CEMPolicy
    fixed_selector = CEMPolicy.fixed_selector
