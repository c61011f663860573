"""MAPPO: whole rounds beside JaxMARL's, and updates alone beside EPyMARL's and HARL's.

Run by `compare.py`. A round is 64 fights of 128 steps and what is learned from them, two epochs of
two minibatches: `--config=mappo` on Skirmish, and JaxMARL's own script on its SMAX with the same
networks (`mappo_jaxmarl.py`), compiling not counted. An update alone is one `train()` call on whole
episodes, four epochs of one minibatch: ragged ones beside EPyMARL, which pads, full ones beside
HARL, whose rollouts have no padding. Both compute what the dead would do like all else. All
networks are as wide as ours: a GRU of 128 that acts, and a critic of three layers without memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import interleave
from interleave import Case, Job
from problems import NEVER, ROOT, settings_of

FIGHTS, STEPS = 64, 128
EPISODES, EPOCHS, WIDTH = 64, 4, 128
LEAST = 0.46  # of an episode that agents live: 27 % of their steps come after, as on 3m
WARM = 3  # rounds before any is timed
ALONE = ("5m_vs_6m",)  # a map of whole rounds alone
LOOPS = ("3m", "2s3z", *ALONE)
JAXMARL = str(Path(__file__).with_name("mappo_jaxmarl.py"))

# ---------------------------------------------------------------- whole rounds


def round_settings(name: str, changed: Sequence[str] = ()) -> SimpleNamespace:
    """What a run would have."""
    from configuration import load_config

    words = ["--config=mappo", "--env-config=skirmish", "with", f"env_args.map_name={name}"]
    words += [f"batch_size_run={FIGHTS}", f"rollout_length={STEPS}", "seed=1", *changed]
    args = SimpleNamespace(**load_config(words).config)
    args.device, args.use_cuda = "cpu", False
    intervals = ("log_interval", "runner_log_interval", "learner_log_interval")
    vars(args).update(dict.fromkeys(intervals, NEVER))
    return args


def play_rounds(name: str) -> None:
    """A child: seconds of a round for each line on stdin."""
    import sys

    sys.path.insert(0, str(ROOT / "src"))
    import torch
    from ours import session_of

    from run import collect_parts

    torch.set_num_threads(1)
    torch.manual_seed(0)
    session = session_of(round_settings(name))
    for _ in range(WARM):
        collect_parts(session)

    def work() -> float:
        began = time.process_time()
        collect_parts(session)
        return time.process_time() - began

    interleave.serve(work)


def loops(names: Sequence[str], peers: Mapping[str, str]) -> list[Case]:
    found = []
    for name in names:
        jobs = {"ours": Job(__file__, ("loop", name))}
        if "jaxmarl" in peers:
            tree = Path(peers["jaxmarl"])
            python = str(tree / ".venv/bin/python")
            words = (str(tree), name, FIGHTS, STEPS, WIDTH)
            jobs["JaxMARL"] = Job(JAXMARL, words, python)
        reference = "JaxMARL" if "JaxMARL" in jobs else "ours"
        found.append(Case(f"{name} MAPPO, a round", jobs, reference))
    return found


# ---------------------------------------------------------------- updates alone


def update_settings(name: str, ragged: bool) -> SimpleNamespace:
    changed: dict[str, Any] = {
        **{"agent": "rnn", "rnn_hidden_dim": WIDTH, "critic_hidden_dim": WIDTH, "ragged": ragged},
        **{"action_selector": "soft_policies", "obs_last_action": False, "mixer": None},
        **{"batch_size_run": EPISODES, "batch_size": EPISODES, "buffer_size": EPISODES},
        **{"epochs": EPOCHS, "minibatches": 1, "lr": 0.0005, "critic_lr": 0.0005},
        **{"actor_optimizer": "adam", "entropy_coef": 0.01, "updates_per_episode": None},
    }
    return settings_of(name, "mappo_learner", 1, changed)


def let_agents_die(batch: Any) -> None:
    """Each at a slot of its own between LEAST and the end; then it has one action, the first."""
    import torch

    B, slots, N, _ = batch["avail_actions"].shape
    alive_until = torch.rand(B, 1, N) * (1 - LEAST) + LEAST
    steps = batch["filled"].sum(1, keepdim=True) - 1  # (B, 1, 1)
    dead = torch.arange(slots)[:, None] >= alive_until * steps  # (B, T + 1, N)
    batch["avail_actions"][..., 1:].masked_fill_(dead.unsqueeze(-1), 0)
    actions = batch["actions"].masked_fill(dead.unsqueeze(-1), 0)
    batch.update({"actions": actions}, mark_filled=False)


def ours(args: SimpleNamespace, dying: bool) -> Callable[[], object]:
    from batches import make_batch
    from updates import our_learner

    from machine.allocation import keep_freed_memory

    keep_freed_memory()  # as a run does
    batch = make_batch(args)
    if dying:
        let_agents_die(batch)
    learner = our_learner(args, batch)
    return lambda: learner.train(batch, 1000, 1000)


def epymarl(tree: str, args: SimpleNamespace) -> Callable[[], object]:
    """Its learner on the same batch; nothing is standardised."""
    from peers import become

    become(Path(tree), args)
    from batches import make_batch
    from updates import learner_of

    batch = make_batch(args)
    learner = learner_of(args, batch)
    return lambda: learner.train(batch, 1000, 1000)


def harl(tree: str, args: SimpleNamespace) -> Callable[[], object]:
    """Its runner's `train` on random rows, with the returns that are part of ours."""
    import harl_parts

    kind, actor = ("on_policy_ma_runner", "OnPolicyMARunner"), ("mappo", "MAPPO")
    runner = harl_parts.filled_runner(tree, args, WIDTH, kind, actor, recurrent_critic=False)
    runner.share_param = True
    return lambda: harl_parts.train(runner)


PEERS = {"epymarl": epymarl, "harl": harl}


def update_rounds(who: str, tree: str, name: str, ragged: bool, dying: bool) -> None:
    """A child: seconds of an update for each line on stdin."""
    args = update_settings(name, ragged)
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    train = ours(args, dying) if who == "ours" else PEERS[who](tree, args)
    train()

    def work() -> float:
        began = time.process_time()
        train()
        return time.process_time() - began

    interleave.serve(work)


def updates(names: Sequence[str], peers: Mapping[str, str]) -> list[Case]:
    found = []
    for name in names:
        for peer, label, ragged in (("epymarl", "EPyMARL", True), ("harl", "HARL", False)):
            jobs = {
                title: Job(__file__, ("update", "ours", "", name, ragged, dying))
                for title, dying in (("ours", False), ("ours, agents die", True))
            }
            if peer in peers:
                jobs[label] = Job(__file__, ("update", peer, peers[peer], name, ragged, False))
            kind = "ragged" if ragged else "full"
            reference = label if label in jobs else "ours"
            found.append(Case(f"{name} MAPPO, an update, {kind} episodes", jobs, reference))
    return found


def serve(what: str, *words: Any) -> None:
    (play_rounds if what == "loop" else update_rounds)(*words)


if __name__ == "__main__":
    interleave.be_child(serve)
