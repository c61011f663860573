"""The arguments of the environment, under PyMARL's names."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from utils.errors import UserError

Capabilities = dict[str, Any]  # SMACv2's `capability_config`: how teams and places are drawn


@dataclass(frozen=True)
class Settings:
    """As in PyMARL's `sc2.yaml`; `src/config/envs/skirmish.yaml` says what each means."""

    map_name: str = "3m"
    capability_config: Capabilities | None = field(default_factory=dict)
    difficulty: str = "7"
    move_amount: float = 2
    step_mul: int = 8
    episode_limit: int | None = None
    continuing_episode: bool = False
    obs_all_health: bool = True
    obs_own_health: bool = True
    obs_own_pos: bool = False
    use_unit_ranges: bool = False
    min_attack_range: float = 2
    obs_last_action: bool = False
    obs_pathing_grid: bool = False
    obs_timestep_number: bool = False
    obs_instead_of_state: bool = False
    state_last_action: bool = True
    state_timestep_number: bool = False
    reward_sparse: bool = False
    reward_only_positive: bool = True
    reward_death_value: float = 10
    reward_win: float = 200
    reward_defeat: float = 0
    reward_negative_scale: float = 0.5
    reward_scale: bool = True
    reward_scale_rate: float = 20
    obs_terrain_height: bool = False
    replay_format: str = "gif"
    replay_dir: str = ""

    @property
    def teams(self) -> Capabilities:
        """What generated scenarios are made from."""
        return self.capability_config or {}

    def __post_init__(self) -> None:
        if self.obs_terrain_height:
            raise UserError(
                "obs_terrain_height=True: Skirmish's ground has no height to be seen, and without "
                "it observations would be smaller than SMAC's. Type "
                "env_args.obs_terrain_height=False."
            )
        for name in ("step_mul", "move_amount", "reward_scale_rate"):
            value = getattr(self, name)
            if not 0 < value < math.inf:  # and no nan
                usual = Settings.__dataclass_fields__[name].default
                raise UserError(
                    f"skirmish: {name} is {value}; it must be above 0. SMAC has {usual}."
                )
        if self.episode_limit is not None and self.episode_limit < 1:
            raise UserError(
                f"episode_limit is {self.episode_limit}; it must be at least 1, or null for the "
                "map's own."
            )


@dataclass(frozen=True)
class SettingsV2(Settings):
    """What SMACv2's files set otherwise."""

    map_name: str = "10gen_protoss"
    n_units: int = 5
    n_enemies: int = 5
    obs_own_pos: bool = True
    use_unit_ranges: bool = True

    @property
    def teams(self) -> Capabilities:
        """Sizes in `capability_config` count more, as with StarCraft II."""
        return {"n_units": self.n_units, "n_enemies": self.n_enemies, **super().teams}
