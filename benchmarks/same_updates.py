"""Are our updates those of the peers? The same networks, the same batches, and then the difference.

    python benchmarks/same_updates.py --peer-facmac PATH --peer-pymarl PATH

Each tree learns in a process of its own: ours leaves the networks that it began with, the peer
begins with those. FACMAC's discrete actor draws noise in another order than ours, so of that
learner only critic and mixer are set side by side: its target actors, which they learn from, do not
move in so few updates.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from interleave import checkout
from problems import settings_of

UPDATES = 20
BATCHES = 5  # with different contents, and different lengths where episodes have them
START = "start.pt"
ADAM = {"optimizer": "adam", "actor_optimizer": "adam", "optimizer_epsilon": 0.01}
# RMSProp makes steps of one size of the smallest slopes, so with a small optim_eps the last bits of
# a sum that was taken in another order decide which way they go.
RMSPROP = {"optimizer": "rmsprop", "actor_optimizer": "rmsprop", "target_update_interval": 5}
CALM = {**RMSPROP, "optim_eps": 0.01}
VALUES = ("critic", "mixer", "target_critic", "target_mixer")
ACTOR_CRITIC = ("agent", "target_agent", *VALUES)
MIXED_AGENTS = ("agent", "target_agent", "mixer", "target_mixer")


class Case(NamedTuple):
    """A learner in the shapes of a task, and the parts of it that must come out the same."""

    peer: str
    task: str
    learner: str
    changed: dict[str, Any]
    parts: tuple[str, ...]


CASES = {
    "FACMAC, HalfCheetah-2x3, Adam": Case(
        "facmac", "HalfCheetah-2x3", "facmac_learner", ADAM, ACTOR_CRITIC
    ),
    "FACMAC, HalfCheetah-2x3, RMSProp": Case(
        "facmac", "HalfCheetah-2x3", "facmac_learner", RMSPROP, ACTOR_CRITIC
    ),
    "FACMAC, 3m, Adam": Case("facmac", "3m", "facmac_learner", ADAM, ("critic", "mixer")),
    "QMIX, 3m": Case("pymarl", "3m", "q_learner", RMSPROP, MIXED_AGENTS),
    "QMIX, 3m, optim_eps 0.01": Case("pymarl", "3m", "q_learner", CALM, MIXED_AGENTS),
}


def parts_of(learner: Any) -> dict[str, Any]:
    """The networks of any tree's learner, by our names."""
    found = {name: getattr(learner, name, None) for name in VALUES}
    target = getattr(learner, "target_policy", None) or learner.target_mac
    found |= {"agent": learner.mac.agent, "target_agent": target.agent}
    return {name: part for name, part in found.items() if part is not None}


def numbers_of(network: Any) -> list[Any]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def learn(case: Case, tree: str, folder: Path) -> None:
    """A child: the parameters after every update go to `folder`."""
    args = settings_of(case.task, case.learner, 1, case.changed)
    import torch
    from batches import make_batch
    from updates import learner_of, our_learner

    if tree != "ours":
        from peers import become

        become(Path(tree), args)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    batches = [make_batch(args, seed) for seed in range(BATCHES)]
    if args.episode_limit == 1:  # of single steps, too, some are the last
        for batch in batches:
            batch["terminated"][::7, 0] = 1
    learner = (our_learner if tree == "ours" else learner_of)(args, batches[0])
    networks = parts_of(learner)
    if tree == "ours":
        torch.save({name: numbers_of(part) for name, part in networks.items()}, folder / START)
    with torch.no_grad():
        for name, values in torch.load(folder / START).items():
            for parameter, value in zip(networks[name].parameters(), values, strict=True):
                parameter.copy_(value)
    passed = []
    for update in range(UPDATES):
        learner.train(batches[update % BATCHES], update, update)
        passed.append({name: numbers_of(networks[name]) for name in case.parts})
    torch.save(passed, folder / ("ours.pt" if tree == "ours" else "theirs.pt"))


def largest(first: Iterable[Any], second: Iterable[Any]) -> float:
    """The largest difference between two networks; NaN if anything in either is."""
    import torch

    pairs = zip(first, second, strict=True)
    return float(torch.stack([(a - b).abs().max() for a, b in pairs]).max())


def compare(case: Case, tree: str) -> Iterator[tuple[str, float, float]]:
    """(part, difference, how far the part has moved), the largest of any number in it."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        for who in ("ours", tree):
            words = json.dumps([case, who, folder])
            command = [sys.executable, "-W", "ignore", __file__, "--serve", words]
            subprocess.run(command, check=True)
        start, ours, theirs = (
            torch.load(Path(folder, name)) for name in (START, "ours.pt", "theirs.pt")
        )
    for part in case.parts:
        pairs = zip(ours, theirs, strict=True)
        differences = torch.tensor([largest(a[part], b[part]) for a, b in pairs])
        yield part, float(differences.max()), largest(ours[-1][part], start[part])


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for peer in ("facmac", "pymarl"):
        parser.add_argument(f"--peer-{peer}", type=checkout, help=f"a checkout of {peer}")
    parser.add_argument("--serve", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        case, tree, folder = options.serve
        return learn(Case(*case), tree, Path(folder))
    if not (options.peer_facmac or options.peer_pymarl):
        parser.error("there is nobody to compare with: type --peer-facmac, --peer-pymarl or both")
    sys.stdout.write(f"| what | part | largest difference in {UPDATES} updates | moved |\n")
    sys.stdout.write("|---|---|---|---|\n")
    for title, case in CASES.items():
        tree = getattr(options, f"peer_{case.peer}")
        if tree is None:
            continue
        for part, difference, moved in compare(case, tree):
            sys.stdout.write(f"| {title} | {part} | {difference:.1e} | {moved:.1e} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
