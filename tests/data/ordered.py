"""A plugin: agents that decide in a fixed order, each told what all before it have just done."""

from __future__ import annotations

import torch
from torch import Tensor

from controllers import REGISTRY as CONTROLLERS
from policies.hearing import HearingPolicy


class OrderedPolicy(HearingPolicy):
    def who_hears_whom(self) -> Tensor:
        return torch.ones(self.n_agents, self.n_agents).tril(-1)


CONTROLLERS["ordered"] = OrderedPolicy
