"""HARL's runners, actors, critics and buffers, filled with a round of random rows."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class Box(SimpleNamespace):
    """Stands in for gym's."""


class Discrete(SimpleNamespace):
    """Stands in for gym's."""


def runner_of(tree: str, module: str, name: str) -> Any:
    """A runner of the checkout `tree` without what its base class makes: environments and more."""
    sys.path.insert(0, tree)
    for missing in ("harl.envs", "harl.envs.env_wrappers", "harl.runners.on_policy_base_runner"):
        sys.modules[missing] = types.ModuleType(missing)
    for wrapper in ("ShareSubprocVecEnv", "ShareDummyVecEnv"):
        setattr(sys.modules["harl.envs.env_wrappers"], wrapper, None)
    base = sys.modules["harl.runners.on_policy_base_runner"]
    base.OnPolicyBaseRunner = object  # type: ignore[attr-defined]
    package = sys.modules["harl.runners"] = types.ModuleType("harl.runners")
    package.__path__ = [str(Path(tree) / "harl/runners")]
    return getattr(importlib.import_module(f"harl.runners.{module}"), name)()


def filled_runner(
    tree: str,
    args: SimpleNamespace,
    width: int,
    runner: tuple[str, str],
    actor: tuple[str, str],
    recurrent_critic: bool = True,
) -> Any:
    """A runner and actors, each by its module's name and its own, ready to `train`."""
    made = runner_of(tree, *runner)
    module, name = actor
    kind = getattr(importlib.import_module(f"harl.algorithms.actors.{module}"), name)
    fill(made, args, settings_for(args, width), kind, recurrent_critic)
    return made


def settings_for(args: SimpleNamespace, width: int) -> dict[str, Any]:
    """Its default settings, with our sizes; without chunks a row is a whole episode."""
    recurrent, chunk = args.agent == "rnn", args.chunk_length or args.episode_limit
    return {
        **{"episode_length": args.episode_limit, "n_rollout_threads": args.batch_size},
        **{"hidden_sizes": [width] if recurrent else [width, width], "activation_func": "relu"},
        **{"use_feature_normalization": False, "initialization_method": "orthogonal_"},
        **{"gain": 0.01, "recurrent_n": 1, "use_recurrent_policy": recurrent},
        **{"use_naive_recurrent_policy": False, "data_chunk_length": chunk},
        **{"lr": 0.0005, "critic_lr": 0.0005, "opti_eps": 1e-5, "weight_decay": 0},
        **{"ppo_epoch": args.epochs, "critic_epoch": args.epochs, "clip_param": 0.2},
        **{"actor_num_mini_batch": 1, "critic_num_mini_batch": 1, "entropy_coef": 0.01},
        **{"value_loss_coef": 1, "use_max_grad_norm": True, "max_grad_norm": 10.0},
        **{"use_gae": True, "gamma": 0.99, "gae_lambda": 0.95, "use_proper_time_limits": True},
        **{"use_huber_loss": True, "huber_delta": 10.0, "use_clipped_value_loss": True},
        **{"use_policy_active_masks": True, "action_aggregation": "prod"},
    }


def fill(
    runner: Any,
    args: SimpleNamespace,
    settings: dict[str, Any],
    actor: Any,
    recurrent_critic: bool,
) -> None:
    """What the runner's constructor would make, without environments; and a round of random rows.

    Recurrent agents of HARL's have a recurrent critic; without `recurrent_critic` it has one more
    layer in the memory's place.
    """
    import numpy

    critics = importlib.import_module("harl.algorithms.critics.v_critic")
    buffers = importlib.import_module("harl.common.buffers.on_policy_actor_buffer")
    critic_buffers = importlib.import_module("harl.common.buffers.on_policy_critic_buffer_fp")
    norms = importlib.import_module("harl.common.valuenorm")
    N, obs = args.n_agents, Box(shape=(args.obs_shape + args.n_agents,))
    state, actions = Box(shape=(args.state_shape,)), Discrete(n=args.n_actions)
    of_critic = settings
    if not recurrent_critic:
        of_critic = {**settings, "use_recurrent_policy": False}
        of_critic["hidden_sizes"] = 2 * settings["hidden_sizes"][:1]
    runner.algo_args = {"train": settings}
    runner.num_agents, runner.state_type, runner.fixed_order = N, "FP", False
    runner.action_aggregation = "prod"
    runner.actor = [actor(settings, obs, actions) for _ in range(N)]
    runner.critic = critics.VCritic(of_critic, state)
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


def train(runner: Any) -> None:
    """Its returns, which are part of an update of ours, and its own training."""
    next_value = runner.critic_buffer.value_preds[-1]
    runner.critic_buffer.compute_returns(next_value, runner.value_normalizer)
    runner.train()
