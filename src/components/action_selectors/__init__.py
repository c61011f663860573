"""Selectors by name: what `action_selector:` in a config may say. Built with `(args)`.

PyMARL's class names can be imported from here; they load torch on first use only.
"""

from __future__ import annotations

import importlib

from utils.registry import Registry

REGISTRY = Registry(
    "action selector",
    {
        "epsilon_greedy": "components.action_selectors.epsilon_greedy:EpsilonGreedyActionSelector",
        "multinomial": "components.action_selectors.multinomial:MultinomialActionSelector",
        "soft_policies": "components.action_selectors.multinomial:SoftPoliciesSelector",
        "gumbel": "components.action_selectors.gumbel:GumbelSoftmax",
        "gaussian": "components.action_selectors.gaussian:GaussianActionSelector",
    },
)

_HOMES = {
    "EpsilonGreedyActionSelector": "epsilon_greedy",
    "MultinomialActionSelector": "multinomial",
    "SoftPoliciesSelector": "multinomial",
    "multinomial_entropy": "multinomial",
    "categorical_entropy": "multinomial",
    "GumbelSoftmax": "gumbel",
    "GaussianActionSelector": "gaussian",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
