"""Acting of teams, and of agents that act in turns, beside MAPPO's.

Run by `compare.py`. 8 fights of Skirmish at once, no learning. Each algorithm file plays with its
own networks as they begin. *acting* is the processor time of what the policy does in one slot of
all fights, from observations to actions; *slot* is that of the whole slot, fights and all that is
stored included.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import interleave
from interleave import Case, Job, Medians
from problems import ROOT

FIGHTS = 8
ROUNDS = 2  # of fights, a turn
REFERENCE = "MAPPO"
LABELS = {"mappo": REFERENCE, "mat": "MAT", "sable": "Sable", "cmat": "CMAT", "armappo": "ARMAPPO"}
PARTS = ("acting", "slot")


class Spent(NamedTuple):
    """Seconds a slot."""

    acting: float
    slot: float


def player(config: str, name: str) -> Callable[[], Spent]:
    """Plays some rounds."""
    sys.path.insert(0, str(ROOT / "src"))
    from ours import session_of

    from configuration import load_config
    from launch import arguments
    from pymarl.policies import policy_of

    words = ["seed=1", f"env_args.map_name={name}", f"batch_size_run={FIGHTS}"]
    settings = load_config([f"--config={config}", "--env-config=skirmish", "with", *words])
    session = session_of(arguments(settings.config))
    policy: Any = policy_of(session.mac, reads="probabilities")
    act, spent = policy.act, [0.0, 0.0]  # seconds, slots

    def timed(*given: Any, **more: Any) -> Any:
        began = time.process_time()
        found = act(*given, **more)
        spent[0] += time.process_time() - began
        spent[1] += 1
        return found

    policy.act = timed

    def play() -> Spent:
        spent[:], began = [0.0, 0.0], time.process_time()
        for _ in range(ROUNDS):
            session.runner.run()
        return Spent(spent[0] / spent[1], (time.process_time() - began) / spent[1])

    return play


def serve(config: str, name: str, part: str) -> None:
    """A child: times some rounds at a turn."""
    import torch

    torch.set_num_threads(1)
    play = player(config, name)
    play()
    interleave.serve(lambda: getattr(play(), part))


def times_of_mappo(medians: Medians) -> dict[str, float]:
    return {
        f"{who} over {REFERENCE}": each / medians[REFERENCE]
        for who, each in medians.items()
        if who != REFERENCE
    }


def cases(names: Sequence[str], peers: Mapping[str, str]) -> list[Case]:
    return [
        Case(
            f"{name}, {FIGHTS} fights, {part}",
            {label: Job(__file__, (config, name, part)) for config, label in LABELS.items()},
            REFERENCE,
            findings=times_of_mappo,
        )
        for name in names
        for part in PARTS
    ]


if __name__ == "__main__":
    interleave.be_child(serve)
