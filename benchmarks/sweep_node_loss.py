"""A sweep of 3 algorithms x 2 environments x 4 seeds on two nodes, one of which is killed midway.

    python benchmarks/sweep_node_loss.py

The nodes are processes of this machine; each plays two runs at a time. Then each of the 24 runs is
made by itself, four at a time, and its metrics are compared with the sweep's, to the last digit.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["RAY_AUTH_MODE"] = "disabled"  # a cluster of one machine, for some minutes
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from tests.sweeps.node_loss import differing, left_behind, lose_a_node

WORDS = ("--config=qmix,vdn,iql", "--env-config=two_step,grid", "with", "seed=1..4", "t_max=400")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        began = time.monotonic()
        sweep = lose_a_node(root / "sweep", 10, 1, *WORDS, cores=2)
        seconds = time.monotonic() - began
        repeated = sum(len(attempts) > 1 for attempts in sweep.attempts())
        states = [run["state"] for run in sweep.runs]
        done = states.count("done")
        continued, processes = sweep.resumes(), left_behind(root)
        began = time.monotonic()
        others = differing(sweep, root / "alone", at_once=4)
        alone = time.monotonic() - began
    say = sys.stdout.write
    say(f"{done} of {len(states)} runs done in {seconds:.0f} s, one node killed on the way\n")
    say(f"{repeated} runs begun again, {continued} of them from a checkpoint\n")
    say(f"{len(processes)} processes left behind\n")
    say(f"the same runs by themselves: {alone:.0f} s; with other metrics: {len(others)}\n")
    for words in others:
        say(f"  {words}\n")
    sys.exit(1 if others or processes or done < len(states) or not repeated else 0)


if __name__ == "__main__":
    main()
