"""Rounds of agents that learn in turns, beside as many single agents, and HARL's HAPPO.

Run by `compare.py`. A round is one `train()` call on 32 episodes of full length: 5 epochs of one
minibatch, recurrent agents in chunks of 10 slots, layers of 128. "one by one" is N times the update
of MAPPO for a team of one agent with the same observation, which has to train N critics. HARL's
round is its runner's `train` with layers as wide, and the returns that are part of ours; values and
log-probabilities at the time of acting, which ours computes, it has already. Its critic values each
agent's state, as it does for SMAC ("FP") and as ours does; recurrent agents of HARL's have a
recurrent critic.
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
from interleave import Case, Job, Medians
from problems import settings_of

EPISODES, EPOCHS, CHUNK, WIDTH = 32, 5, 10, 128
ROUNDS = 2  # of a turn, for a process that has waited is cold
NETWORKS = {"recurrent": "rnn", "feed-forward": "mlp"}
ONE_BY_ONE = "one by one"


def settings_for(name: str, learner: str, agent: str, alone: bool) -> SimpleNamespace:
    changed: dict[str, Any] = {
        **{"agent": agent, "share_parameters": False, "rnn_hidden_dim": WIDTH},
        **{"action_selector": "soft_policies", "obs_last_action": False, "ragged": False},
        **{"batch_size_run": EPISODES, "batch_size": EPISODES, "buffer_size": EPISODES},
        **{"epochs": EPOCHS, "chunk_length": CHUNK, "lr": 0.0005, "critic_lr": 0.0005},
        **{"actor_optimizer": "adam", "entropy_coef": 0.01, "mixer": None},
        **{"updates_per_episode": None, "critic_hidden_dim": WIDTH},
        **({"n_agents": 1} if alone else {}),
    }
    return settings_of(name, learner, 1, changed)


def ours(args: SimpleNamespace) -> Callable[[], object]:
    """A round of our learner."""
    from batches import make_batch
    from updates import our_learner

    from machine.allocation import keep_freed_memory

    keep_freed_memory()  # as a run does
    batch = make_batch(args)
    learner = our_learner(args, batch)
    return lambda: learner.train(batch, 1000, 1000)


# ---------------------------------------------------------------- HARL


class Box(SimpleNamespace):
    """Stands in for gym's."""


class Discrete(SimpleNamespace):
    """Stands in for gym's."""


def harl(tree: str, args: SimpleNamespace) -> Callable[[], object]:
    """A round of HARL's HAPPO on random rows, by its own runner, actors, critic and buffers."""
    sys.path.insert(0, tree)
    for module in ("harl.envs", "harl.envs.env_wrappers", "harl.runners.on_policy_base_runner"):
        sys.modules[module] = types.ModuleType(module)
    for name in ("ShareSubprocVecEnv", "ShareDummyVecEnv"):
        setattr(sys.modules["harl.envs.env_wrappers"], name, None)
    base = sys.modules["harl.runners.on_policy_base_runner"]
    base.OnPolicyBaseRunner = object  # type: ignore[attr-defined]
    package = sys.modules["harl.runners"] = types.ModuleType("harl.runners")
    package.__path__ = [str(Path(tree) / "harl/runners")]
    runner = importlib.import_module("harl.runners.on_policy_ha_runner").OnPolicyHARunner()
    fill(runner, args, harl_settings(args))

    def train() -> None:
        next_value = runner.critic_buffer.value_preds[-1]
        runner.critic_buffer.compute_returns(next_value, runner.value_normalizer)
        runner.train()

    return train


def harl_settings(args: SimpleNamespace) -> dict[str, Any]:
    """Its default settings, with our sizes."""
    recurrent = args.agent == "rnn"
    return {
        **{"episode_length": args.episode_limit, "n_rollout_threads": args.batch_size},
        **{"hidden_sizes": [WIDTH] if recurrent else [WIDTH, WIDTH], "activation_func": "relu"},
        **{"use_feature_normalization": False, "initialization_method": "orthogonal_"},
        **{"gain": 0.01, "recurrent_n": 1, "use_recurrent_policy": recurrent},
        **{"use_naive_recurrent_policy": False, "data_chunk_length": args.chunk_length},
        **{"lr": 0.0005, "critic_lr": 0.0005, "opti_eps": 1e-5, "weight_decay": 0},
        **{"ppo_epoch": args.epochs, "critic_epoch": args.epochs, "clip_param": 0.2},
        **{"actor_num_mini_batch": 1, "critic_num_mini_batch": 1, "entropy_coef": 0.01},
        **{"value_loss_coef": 1, "use_max_grad_norm": True, "max_grad_norm": 10.0},
        **{"use_gae": True, "gamma": 0.99, "gae_lambda": 0.95, "use_proper_time_limits": True},
        **{"use_huber_loss": True, "huber_delta": 10.0, "use_clipped_value_loss": True},
        **{"use_policy_active_masks": True, "action_aggregation": "prod"},
    }


def fill(runner: Any, args: SimpleNamespace, settings: dict[str, Any]) -> None:
    """What its constructor would make, without environments; and a round of random rows."""
    import numpy

    critics = importlib.import_module("harl.algorithms.critics.v_critic")
    actors = importlib.import_module("harl.algorithms.actors.happo")
    buffers = importlib.import_module("harl.common.buffers.on_policy_actor_buffer")
    critic_buffers = importlib.import_module("harl.common.buffers.on_policy_critic_buffer_fp")
    norms = importlib.import_module("harl.common.valuenorm")
    N, obs = args.n_agents, Box(shape=(args.obs_shape + args.n_agents,))
    state, actions = Box(shape=(args.state_shape,)), Discrete(n=args.n_actions)
    runner.algo_args = {"train": settings}
    runner.num_agents, runner.state_type, runner.fixed_order = N, "FP", False
    runner.action_aggregation = "prod"
    runner.actor = [actors.HAPPO(settings, obs, actions) for _ in range(N)]
    runner.critic = critics.VCritic(settings, state)
    runner.value_normalizer = norms.ValueNorm(1)
    runner.actor_buffer = [buffers.OnPolicyActorBuffer(settings, obs, actions) for _ in range(N)]
    runner.critic_buffer = critic_buffers.OnPolicyCriticBufferFP(settings, state, N)
    random = numpy.random.default_rng(0)
    for buffer in runner.actor_buffer:
        buffer.obs[:] = random.standard_normal(buffer.obs.shape)
        buffer.actions[:] = random.integers(args.n_actions, size=buffer.actions.shape)
    for values in ("share_obs", "value_preds", "rewards"):
        rows = getattr(runner.critic_buffer, values)
        rows[:] = random.standard_normal(rows.shape)


# ---------------------------------------------------------------- who is compared


def serve(
    tree: str, name: str, learner: str, agent: str, alone: bool, kernels: str = "auto"
) -> None:
    """A child: its round, timed for each line on stdin; of one agent alone N times the time."""
    args = settings_for(name, learner, agent, alone)
    args.fast_kernels = kernels
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    play = ours(args) if tree == "ours" else harl(tree, args)
    times = settings_for(name, learner, agent, False).n_agents if alone else 1
    play()

    def work() -> float:
        began = time.process_time()
        for _ in range(ROUNDS):
            play()
        return times * (time.process_time() - began) / ROUNDS

    interleave.serve(work)


def shares(medians: Medians) -> dict[str, float]:
    """Of the time that N single agents take."""
    return {
        f"{who} over {ONE_BY_ONE}": medians[who] / medians[ONE_BY_ONE] for who in ("HAPPO", "A2PO")
    }


def cases(names: Sequence[str], peers: Mapping[str, str]) -> list[Case]:
    found = []
    for name in names:
        for network, agent in NETWORKS.items():
            jobs = {
                "HAPPO": Job(__file__, ("ours", name, "happo_learner", agent, False)),
                "A2PO": Job(__file__, ("ours", name, "a2po_learner", agent, False)),
                "MAPPO": Job(__file__, ("ours", name, "mappo_learner", agent, False)),
                ONE_BY_ONE: Job(__file__, ("ours", name, "mappo_learner", agent, True)),
            }
            if agent == "rnn":
                words = ("ours", name, "happo_learner", agent, False, "compiled")
                jobs["HAPPO, compiled GRU"] = Job(__file__, words)
            if "harl" in peers:
                jobs["HARL"] = Job(__file__, (peers["harl"], name, "happo_learner", agent, False))
            reference = "HARL" if "HARL" in jobs else ONE_BY_ONE
            found.append(Case(f"{name} in turns, {network}", jobs, reference, findings=shares))
    return found


if __name__ == "__main__":
    interleave.be_child(serve)
