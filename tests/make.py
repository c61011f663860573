"""Settings, batches and controllers for tests, made as a run would make them."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import torch

from components.episode_buffer import EpisodeBatch
from components.experience import Experience
from components.parts import NOISE
from components.transforms import complete_scheme
from configuration import default_config
from controllers import REGISTRY as CONTROLLERS
from learners import REGISTRY as LEARNERS
from pymarl.controllers import mac_of, noise_size
from training.build import make_scheme
from training.task import TaskSizes
from utils.logging import Logger

B, T, N, A, O, S = 4, 6, 3, 5, 7, 8  # episodes, steps, agents, actions, observation, state


def make_args(**changes: Any) -> SimpleNamespace:
    """default.yaml, the sizes of a small task, and `changes`."""
    sizes = {
        "device": "cpu",
        "n_agents": N,
        "n_actions": A,
        "state_shape": S,
        "obs_shape": O,
        "episode_limit": T,
        "action_kind": "discrete",
        "action_low": None,
        "action_high": None,
        "seed": 1,
    }
    return SimpleNamespace(**{**default_config(), **sizes, **changes})


def policy_args(continuous: bool = False, **changes: Any) -> SimpleNamespace:
    """As above, for learners of policies."""
    if continuous:
        return continuous_args(**changes)
    policy = {"action_selector": "gumbel", "agent_output_type": "pi_logits"}
    return make_args(**{**policy, **changes})


def on_policy_args(continuous: bool = False, **changes: Any) -> SimpleNamespace:
    """As above, for learners from the present policy."""
    sizes = {"batch_size_run": B, "batch_size": B, "buffer_size": B}
    settings = {**sizes, "action_selector": "soft_policies", "optimizer": "adam", **changes}
    return policy_args(continuous, **settings)


def continuous_args(**changes: Any) -> SimpleNamespace:
    bounds = {"action_low": [[-1.0] * A] * N, "action_high": [[2.0] * A] * N}
    settings = {"action_kind": "continuous", "action_selector": "gaussian", **bounds}
    return make_args(**{**settings, **changes})


def make_batch(
    args: SimpleNamespace,
    lengths: tuple[int, ...] = (T, 3, 1, T),
    slots: int = T + 1,
    seed: int = 0,
) -> EpisodeBatch:
    """Random episodes of these lengths; the last one ends by a time limit."""
    random = torch.Generator().manual_seed(seed)
    scheme, groups, preprocess = scheme_of(args)
    batch = EpisodeBatch(scheme, groups, len(lengths), slots, preprocess=preprocess)
    for row, length in enumerate(lengths):
        n_slots = length + 1
        avail = torch.rand(n_slots, args.n_agents, args.n_actions, generator=random) < 0.6
        avail[..., 0] = True
        batch.update(
            {
                "state": torch.randn(1, n_slots, args.state_shape, generator=random),
                "obs": torch.randn(1, n_slots, args.n_agents, args.obs_shape, generator=random),
                "avail_actions": avail[None].int(),
            },
            bs=slice(row, row + 1),
            ts=slice(0, n_slots),
        )
        batch.update(
            {"actions": draw_actions(args, avail, random)[None]},
            bs=slice(row, row + 1),
            ts=slice(0, n_slots),
        )
        terminated = torch.zeros(1, length, 1, dtype=torch.uint8)
        terminated[0, -1, 0] = row < len(lengths) - 1
        batch.update(
            {"reward": torch.randn(1, length, 1, generator=random), "terminated": terminated},
            bs=slice(row, row + 1),
            ts=slice(0, length),
        )
    if NOISE in scheme:
        batch[NOISE].uniform_(generator=random)
    return batch


def double_batch(
    args: SimpleNamespace,
    seed: int = 0,
    slots: int = T + 1,
    lengths: tuple[int, ...] = (T, 3, 1, T),
) -> EpisodeBatch:
    """Random episodes in double precision."""
    batch = make_batch(args, lengths, slots, seed)
    fields = batch.data.transition_data
    for key, values in fields.items():
        if values.dtype == torch.float32:
            fields[key] = values.double()
    return batch


def draw_actions(
    args: SimpleNamespace, avail: torch.Tensor, random: torch.Generator
) -> torch.Tensor:
    """(slots, N, 1) indices or (slots, N, A) numbers."""
    if args.action_kind == "continuous":
        return torch.rand(*avail.shape, generator=random) * 2 - 1
    flat = avail.reshape(-1, avail.shape[-1]).float()
    return torch.multinomial(flat, 1, generator=random).reshape(*avail.shape[:-1], 1)


def scheme_of(args: SimpleNamespace) -> Any:
    """What `make_scheme` says of a run with these settings."""
    return make_scheme(TaskSizes.of(args), noise_size(CONTROLLERS[args.mac], args))


def full_scheme(args: SimpleNamespace) -> dict[str, Any]:
    """The scheme after preprocessing, as learners see it."""
    scheme, _, preprocess = scheme_of(args)
    return complete_scheme(scheme, preprocess or {})


def make_mac(args: SimpleNamespace, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return mac_of(CONTROLLERS[args.mac](full_scheme(args), {"agents": args.n_agents}, args))


def make_learner(args: SimpleNamespace, seed: int = 0) -> Any:
    """The learner that `args` names, on networks that depend on `seed`."""
    return LEARNERS[args.learner](make_mac(args, seed), full_scheme(args), quiet_logger(), args)


def rows_of(learner: Any, batch: EpisodeBatch) -> Experience:
    """What MAPPO and its kin learn from, without rows of padding."""
    rows: Experience = learner.in_rows(learner.look_back(batch)).without_padding()
    return rows


def flat(tensors: Any) -> torch.Tensor:
    return torch.cat([t.detach().reshape(-1) for t in tensors]).clone()


def actors(learner: Any) -> torch.Tensor:
    return flat(learner.mac.parameters())


def all_at_once(policy: Any, batch: EpisodeBatch, n_slots: int = T + 1) -> torch.Tensor:
    """The policy's raw outputs at the first slots. (B, slots, N, A)"""
    return policy.outputs(policy.whole(batch, n_slots))


def step_by_step(policy: Any, batch: EpisodeBatch, n_slots: int = T + 1) -> torch.Tensor:
    """The same by one call of its networks a slot, as it acts. (B, slots, N, A)"""
    memory, outputs = policy.blank_memory(batch.batch_size), []
    for t in range(n_slots):
        said, memory = policy.one_slot(policy.inputs_at(batch, t), memory)
        outputs.append(said)
    return torch.stack(outputs, dim=1)


def quiet_logger() -> Logger:
    return Logger(logging.getLogger("quiet"))
