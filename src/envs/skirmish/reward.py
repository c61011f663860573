"""SMAC's team reward."""

from __future__ import annotations

import numpy as np

from envs.batched import Array
from envs.skirmish.fights import Fights
from envs.skirmish.scenario import Scenario
from envs.skirmish.settings import Settings


class Reward:
    """Damage done, enemies killed, and the win; scaled so that all of it is `reward_scale_rate`.

    As in SMAC, with `reward_only_positive` the absolute value counts, so that shields and life
    that the enemies get back are paid too.
    """

    def __init__(self, scenario: Scenario, settings: Settings) -> None:
        self._settings = s = settings
        self._without_life = scenario.n_enemies * s.reward_death_value + s.reward_win
        self.most = self._without_life + scenario.toughness

    def __call__(self, before: Array, f: Fights, won: Array, lost: Array) -> Array:
        """(n,) float32; `before` (n, U) is life and shield one step ago."""
        s = self._settings
        if s.reward_sparse:
            reward = won.astype(np.float64) - lost
        else:
            reward = self._dense(before, f) + s.reward_win * won + s.reward_defeat * lost
        if s.reward_scale:  # SMAC scales the sparse reward, too
            most = self._without_life + _sum((f.life + f.shield_max)[:, f.n_agents :])
            reward = reward * (s.reward_scale_rate / most)
        return reward.astype(np.float32)

    def _dense(self, before: Array, f: Fights) -> Array:
        """(n,) for damage and kills."""
        s, N = self._settings, f.n_agents
        now = f.health + f.shield
        change, died = before - now, (before > 0) & ~f.alive
        reward = _sum(change[:, N:]) + s.reward_death_value * died[:, N:].sum(axis=1)
        if s.reward_only_positive:
            return np.abs(reward)
        losses = _sum(change[:, :N]) + s.reward_death_value * died[:, :N].sum(axis=1)
        return reward - s.reward_negative_scale * losses


def _sum(values: Array) -> Array:
    """(n,) in double precision, so that the total of an episode is exact to the float."""
    return values.sum(axis=1, dtype=np.float64)
