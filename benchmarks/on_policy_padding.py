"""An update of MAPPO and K2-MAPPO with the padding inside rows, and without it, turn by turn.

    python benchmarks/on_policy_padding.py [--rounds 5]

One round is that of `--config=mappo` with `rollout_length=128` on a task like Skirmish 3m: 64 times
128 steps in parts of 10 to 60. CPU seconds of one thread; the least of all rounds.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import torch

from components.minibatch import Steps
from configuration import load_config
from tests.make import make_batch, make_learner, on_policy_args

STEPS, SHORTEST, LONGEST = 64 * 128, 10, 60
SIZES = {"n_agents": 3, "n_actions": 9, "obs_shape": 30, "state_shape": 48}


def make(learner: str) -> tuple[Any, Any]:
    """The learner, and a round for it."""
    paper = load_config(["--config=mappo", "--env-config=grid"]).config
    kept = ("rnn_hidden_dim", "optimizer_epsilon", "lr", "grad_norm_clip", "epochs", "minibatches")
    args = on_policy_args(learner=learner, **SIZES, **{key: paper[key] for key in kept})
    lengths, left = [], STEPS
    random = torch.Generator().manual_seed(0)
    while left > 0:
        lengths.append(int(torch.randint(SHORTEST, LONGEST + 1, (), generator=random)))
        left -= lengths[-1]
    return make_learner(args), make_batch(args, tuple(lengths), slots=LONGEST + 1)


def seconds(learner: Any, batch: Any, packs: bool) -> float:
    began = time.process_time()
    with patch.object(Steps, "packs", staticmethod(lambda mask: packs)):
        learner.train(batch, 0, 0)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    sys.stdout.write("| learner | with padding | without | ratio |\n|---|---|---|---|\n")
    for name in ("mappo_learner", "kmappo_learner"):
        learner, batch = make(name)
        pairs = [
            (seconds(learner, batch, False), seconds(learner, batch, True)) for _ in range(rounds)
        ]
        padded, packed = (min(times) for times in zip(*pairs, strict=True))
        row = f"| {name} | {padded:.2f} | {packed:.2f} | {padded / packed:.2f} |\n"
        sys.stdout.write(row)


if __name__ == "__main__":
    main()
