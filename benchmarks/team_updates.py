"""Updates of team networks beside the released PyTorch MAT's.

Run by `compare.py`. An update is one `train()` call on 32 episodes of full length: 5 epochs of one
minibatch, width 64, one block. Released MAT's is its trainer's `train` on a buffer of random rows
of the same sizes, and the returns that are part of ours; values and log-probabilities at the time
of acting, which ours computes, it has already. Observations are encoded in both, and no state.
"""

from __future__ import annotations

import importlib
import sys
import time
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import interleave
from harl_parts import Box, Discrete
from interleave import Case, Job
from problems import settings_of
from turns import ours

EPISODES, EPOCHS, WIDTH = 32, 5, 64
UPDATES = 2  # of a turn, for a process that has waited is cold
NETWORKS = {"MAT": ("mat", 1), "Sable": ("sable", 4), "CMAT": ("cmat", 1)}  # and heads
RELEASED = "released MAT"


def settings_for(name: str, network: str, n_heads: int) -> SimpleNamespace:
    changed: dict[str, Any] = {
        **{"mac": "team_mac", "agent": network, "rnn_hidden_dim": WIDTH, "n_heads": n_heads},
        **{"action_selector": "soft_policies", "obs_last_action": False, "ragged": False},
        **{"batch_size_run": EPISODES, "batch_size": EPISODES, "buffer_size": EPISODES},
        **{"epochs": EPOCHS, "lr": 0.0005, "optimizer_epsilon": 1e-5, "actor_optimizer": "adam"},
        **{"entropy_coef": 0.01, "mixer": None, "updates_per_episode": None},
    }
    return settings_of(name, "team_learner", 1, changed)


# ---------------------------------------------------------------- released MAT


def released(tree: str, args: SimpleNamespace) -> Callable[[], object]:
    """By its own trainer, policy and buffer."""
    package = sys.modules["mat"] = types.ModuleType("mat")  # itself imports environments
    package.__path__ = [str(Path(tree) / "mat")]
    trainers = importlib.import_module("mat.algorithms.mat.mat_trainer")
    policies = importlib.import_module("mat.algorithms.mat.algorithm.transformer_policy")
    buffers = importlib.import_module("mat.utils.shared_buffer")
    settings, N = released_settings(args), args.n_agents
    obs, state = Box(shape=(args.obs_shape + N,)), Box(shape=(args.state_shape,))
    actions = Discrete(n=args.n_actions)
    policy = policies.TransformerPolicy(settings, obs, state, actions, N)
    trainer = trainers.MATTrainer(settings, policy, N)
    buffer = buffers.SharedReplayBuffer(settings, N, obs, state, actions, "StarCraft2")
    fill(buffer, args)
    trainer.prep_training()

    def train() -> None:
        buffer.compute_returns(buffer.value_preds[-1], trainer.value_normalizer)
        trainer.train(buffer)

    return train


def released_settings(args: SimpleNamespace) -> SimpleNamespace:
    """Its default settings, with our sizes."""
    return SimpleNamespace(
        **{"algorithm_name": "mat", "env_name": "StarCraft2", "encode_state": False},
        **{"n_block": 1, "n_embd": WIDTH, "n_head": args.n_heads, "dec_actor": False},
        **{"share_actor": False, "lr": 0.0005, "opti_eps": 1e-5, "weight_decay": 0},
        **{"clip_param": 0.2, "ppo_epoch": EPOCHS, "num_mini_batch": 1, "data_chunk_length": 10},
        **{"value_loss_coef": 1, "entropy_coef": 0.01, "max_grad_norm": 10.0, "huber_delta": 10.0},
        **{"use_recurrent_policy": False, "use_naive_recurrent_policy": False},
        **{"use_max_grad_norm": True, "use_clipped_value_loss": True, "use_huber_loss": True},
        **{"use_valuenorm": True, "use_popart": False, "use_proper_time_limits": False},
        **{"use_value_active_masks": False, "use_policy_active_masks": True},
        **{"episode_length": args.episode_limit, "n_rollout_threads": args.batch_size},
        **{"hidden_size": WIDTH, "recurrent_N": 1},
        **{"gamma": 0.99, "gae_lambda": 0.95, "use_gae": True},
    )


def fill(buffer: Any, args: SimpleNamespace) -> None:
    """With random rows."""
    import numpy

    random = numpy.random.default_rng(0)
    for values in ("share_obs", "obs", "value_preds", "rewards"):
        rows = getattr(buffer, values)
        rows[:] = random.standard_normal(rows.shape)
    buffer.actions[:] = random.integers(args.n_actions, size=buffer.actions.shape)


# ---------------------------------------------------------------- who is compared


def serve(tree: str, name: str, network: str, n_heads: int) -> None:
    """A child: times some updates for each line on stdin."""
    args = settings_for(name, network, n_heads)
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    update = ours(args) if tree == "ours" else released(tree, args)
    update()

    def work() -> float:
        began = time.process_time()
        for _ in range(UPDATES):
            update()
        return (time.process_time() - began) / UPDATES

    interleave.serve(work)


def cases(names: Sequence[str], peers: Mapping[str, str]) -> list[Case]:
    found = []
    for name in names:
        jobs = {who: Job(__file__, ("ours", name, *sizes)) for who, sizes in NETWORKS.items()}
        if "mat" in peers:
            jobs[RELEASED] = Job(__file__, (peers["mat"], name, *NETWORKS["MAT"]))
        found.append(Case(f"{name} teams", jobs, RELEASED if RELEASED in jobs else "MAT"))
    return found


if __name__ == "__main__":
    interleave.be_child(serve)
