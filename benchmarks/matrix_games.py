"""Where on-policy learners end on the Climbing and Penalty games: a table of greedy outcomes.

    python benchmarks/matrix_games.py [--seeds 20] [--updates 100] [names ...]

Settings of the BPPO paper (independent actors of 64 units, Adam 0.0005, 15 epochs, entropy 0.01,
100 updates), with 64 episodes of 25 moves an update, each move a game of its own (gamma 0). With
128 moves an update instead of 1600 some seeds end on Climbing's 6, on their way to 7.
"""

from __future__ import annotations

import argparse
import collections
import logging
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import torch

from run import build
from runners import REGISTRY as RUNNERS
from utils.config import default_config
from utils.logging import Logger
from utils.seeding import seed_everything

EPISODES = 64
SETTINGS: dict[str, Any] = {
    "runner": "batched",
    "env_args": {"episode_limit": 25},
    "gamma": 0.0,
    "batch_size_run": EPISODES,
    "batch_size": EPISODES,
    "buffer_size": EPISODES,
    "action_selector": "soft_policies",
    "agent_output_type": "pi_logits",
    "agent": "mlp",
    "share_parameters": False,
    "obs_last_action": False,
    "obs_agent_id": False,
    "critic_hidden_dim": 64,
    "optimizer": "adam",
    "optimizer_epsilon": 1e-5,
    "lr": 0.0005,
    "epochs": 15,
    "entropy_coef": 0.01,
    "learner_log_interval": 10**9,
    "device": "cpu",
    "use_cuda": False,
}
LEARNERS: dict[str, dict[str, Any]] = {
    "mappo": {"learner": "mappo_learner"},
    "ippo": {"learner": "ippo_learner"},
    "k2-outside": {"learner": "kmappo_learner", "kmappo_ratio": "outside"},
    "k2-joint": {"learner": "kmappo_learner", "kmappo_ratio": "joint"},
    "k2-coppo": {"learner": "kmappo_learner", "kmappo_ratio": "coppo"},
    "k3-outside": {"learner": "kmappo_learner", "k_level": 3},
    "k2-behaviour-joint": {
        "learner": "kmappo_learner",
        "kmappo_ref": "behaviour",
        "kmappo_ratio": "joint",
    },
}


def outcome(game: str, name: str, seed: int, updates: int) -> float:
    """The reward of the greedy joint action after training."""
    args = SimpleNamespace(
        **{**default_config(), **SETTINGS, **LEARNERS[name], "env": game, "seed": seed}
    )
    seed_everything(seed)
    logger = Logger(logging.getLogger("quiet"))
    runner = RUNNERS[args.runner](args=args, logger=logger)
    try:
        learner = build(args, logger, runner).learner
        for _ in range(updates):
            learner.train(runner.run(test_mode=False), runner.t_env, 0)
        return float(runner.run(test_mode=True)["reward"][:, 0].mean())
    finally:
        runner.close_env()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(LEARNERS)}; default all")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--updates", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    sys.stdout.write("| learner | climbing | penalty | seconds a run |\n|---|---|---|---|\n")
    for name in options.names or LEARNERS:
        began, cells = time.process_time(), []
        for game in ("climbing", "penalty"):
            ends = [outcome(game, name, seed, options.updates) for seed in range(options.seeds)]
            counts = collections.Counter(ends).most_common()
            cells.append(", ".join(f"{value:g}: {n}/{options.seeds}" for value, n in counts))
        seconds = (time.process_time() - began) / (2 * options.seeds)
        sys.stdout.write(f"| {name} | {cells[0]} | {cells[1]} | {seconds:.1f} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
