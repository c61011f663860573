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

import time
from collections.abc import Callable, Mapping, Sequence
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


def harl(tree: str, args: SimpleNamespace) -> Callable[[], object]:
    """A round of HARL's HAPPO on random rows, by its own runner, actors, critic and buffers."""
    import harl_parts

    kind, actor = ("on_policy_ha_runner", "OnPolicyHARunner"), ("happo", "HAPPO")
    runner = harl_parts.filled_runner(tree, args, WIDTH, kind, actor)
    return lambda: harl_parts.train(runner)


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
