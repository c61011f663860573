"""A round of JaxMARL's MAPPO by its own script, with networks as ours. A child of `mappo.py`.

It runs in JaxMARL's own environment: nothing of this project is imported. Of the script the two
networks are replaced, for its critic has a memory and its actor one layer more; what it draws in,
logs and optimises with stays its own.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
import types
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import interleave

SCRIPT = "baselines/MAPPO/mappo_rnn_smax.py"
ROUNDS = 3  # of a call


def script_of(tree: str) -> Any:
    """The script as a module, without what it logs to."""
    for name, missing in (("wandb", {}), ("hydra", {"main": lambda **_: lambda f: f})):
        stand_in = types.ModuleType(name)
        vars(stand_in).update({"log": lambda *_: None, **missing})
        sys.modules[name] = stand_in
    omegaconf = types.ModuleType("omegaconf")
    vars(omegaconf)["OmegaConf"] = None
    sys.modules["omegaconf"] = omegaconf
    spec = importlib.util.spec_from_file_location("mappo_rnn_smax", Path(tree) / SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def take_our_networks(script: Any, width: int) -> None:
    """A layer, a GRU and the outputs; three layers for the critic."""
    import distrax
    import flax.linen as nn
    import jax.numpy as jnp

    class Actor(nn.Module):
        action_dim: int
        config: Any

        @nn.compact
        def __call__(self, hidden: Any, x: Any) -> Any:
            obs, dones, avail = x
            embedding = nn.relu(nn.Dense(width)(obs))
            hidden, embedding = script.ScannedRNN()(hidden, (embedding, dones))
            logits = nn.Dense(self.action_dim)(embedding) - (1 - avail) * 1e10
            return hidden, distrax.Categorical(logits=logits)

    class Critic(nn.Module):
        config: Any

        @nn.compact
        def __call__(self, hidden: Any, x: Any) -> Any:
            state, _ = x
            features = nn.relu(nn.Dense(width)(state))
            features = nn.relu(nn.Dense(width)(features))
            return hidden, jnp.squeeze(nn.Dense(1)(features), axis=-1)

    script.ActorRNN, script.CriticRNN = Actor, Critic


def config_of(name: str, fights: int, steps: int, width: int) -> dict[str, Any]:
    """Its settings, with the sizes of `--config=mappo`."""
    return {
        **{"MAP_NAME": name, "NUM_ENVS": fights, "NUM_STEPS": steps, "SEED": 0},
        **{"TOTAL_TIMESTEPS": ROUNDS * fights * steps, "UPDATE_EPOCHS": 2, "NUM_MINIBATCHES": 2},
        **{"FC_DIM_SIZE": width, "GRU_HIDDEN_DIM": width, "LR": 0.004, "ANNEAL_LR": True},
        **{"GAMMA": 0.99, "GAE_LAMBDA": 0.95, "CLIP_EPS": 0.2, "SCALE_CLIP_EPS": False},
        **{"ENT_COEF": 0.0, "VF_COEF": 0.5, "MAX_GRAD_NORM": 0.5, "OBS_WITH_AGENT_ID": True},
        "ENV_KWARGS": {
            "see_enemy_actions": True,
            "walls_cause_death": True,
            "attack_mode": "closest",
        },
    }


def serve(tree: str, name: str, fights: int, steps: int, width: int) -> None:
    """Seconds of a round for each line on stdin: a call plays some and makes its networks anew."""
    import jax

    script = script_of(tree)
    take_our_networks(script, width)
    train = jax.jit(script.make_train(config_of(name, fights, steps, width)))
    jax.block_until_ready(train(jax.random.PRNGKey(0)))

    def work() -> float:
        began = time.process_time()
        jax.block_until_ready(train(jax.random.PRNGKey(0)))
        return (time.process_time() - began) / ROUNDS

    interleave.serve(work)


if __name__ == "__main__":
    interleave.be_child(serve)
