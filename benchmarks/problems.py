"""Problems in the shapes of known tasks, and the settings that a run on them would have.

No torch here: worker processes import this.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
# name: agents, actions, observation, state, limit; lengths are spread over 40 to 100 % of it ...
SMAC = {
    "3m": (3, 9, 30, 48, 60),
    "2s3z": (5, 11, 80, 120, 60),
    "corridor": (6, 30, 156, 282, 60),
    "MMM2": (10, 18, 176, 322, 60),
}
FULL = {"3m-T180": (3, 9, 30, 48, 180)}  # ... but for these, whose episodes are all at the limit
MUJOCO = {"HalfCheetah-2x3": (2, 3, 13, 17), "HalfCheetah-6x1": (6, 1, 9, 17)}
NEVER = 10**9  # an interval


def settings_of(
    name: str, algorithm: str, k_level: int, changed: dict[str, Any] | None = None
) -> SimpleNamespace:
    """Settings as a run would have them, for either tree; `changed` goes over them."""
    sys.path.insert(0, str(ROOT / "src"))
    from configuration import default_config

    args = default_config()
    discrete = SMAC | FULL
    if name in discrete:
        n_agents, n_actions, obs, state, limit = discrete[name]
        args |= {"agent_output_type": "pi_logits", "action_selector": "gumbel", "td_lambda": 0.8}
        args |= {"lr": 0.0025, "critic_lr": 0.0005, "batch_size": 32, "action_kind": "discrete"}
        args |= {"epsilon_start": 0.5, "updates_per_episode": 1}
    else:
        n_agents, n_actions, obs, state = MUJOCO[name]
        limit = 1
        args |= {"action_selector": "gaussian", "agent": "mlp", "rnn_hidden_dim": 400}
        args |= {"runner_scope": "transition"}
        args |= {"lr": 0.001, "critic_lr": 0.001, "batch_size": 100, "action_kind": "continuous"}
        args |= {"obs_last_action": False, "obs_agent_id": False, "grad_norm_clip": 0.5}
        args |= {"mixing_embed_dim": 64, "target_update_mode": "soft", "action_l2": 0.001}
        args |= {"action_low": [[-1.0] * n_actions] * n_agents}
        args |= {"action_high": [[1.0] * n_actions] * n_agents}
    if algorithm == "q_learner":
        args |= {"agent_output_type": "q", "action_selector": "epsilon_greedy", "td_lambda": 0.0}
        args |= {"lr": 0.0005, "epsilon_start": 1.0, "updates_per_episode": None}
    args |= {"mixer": "qmix", "hypernet_layers": 2, "learner": algorithm, "k_level": k_level}
    args |= {"optimizer": "adam", "actor_optimizer": "rmsprop", "buffer_size": 5000}
    args |= {"n_agents": n_agents, "n_actions": n_actions, "obs_shape": obs, "state_shape": state}
    args |= {"episode_limit": limit, "ragged": name in SMAC}
    args |= {"device": "cpu", "use_cuda": False, "seed": 1, "env_args": {}, **(changed or {})}
    intervals = ("log_interval", "runner_log_interval", "learner_log_interval")
    return SimpleNamespace(**args | dict.fromkeys(intervals, NEVER))
