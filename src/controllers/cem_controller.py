"""The controller of agents that value continuous actions."""

from __future__ import annotations

from controllers.basic_controller import BasicMAC
from policies.cem import CEMPolicy


class CEMMAC(BasicMAC):
    """COMIX's and COVDN's."""

    policy_class = CEMPolicy
