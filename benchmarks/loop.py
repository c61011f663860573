"""The whole loop: act one episode, insert it, sample 32, one update. Run by `compare.py`.

FACMAC's SMAC configuration on an environment that costs nothing. With a checkout of it, FACMAC's
own runner, buffer, controller and learner do the same. Environment steps for each second of the
process's processor time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace

import interleave
from interleave import Case, Job
from problems import settings_of

EPISODES = 8  # a turn
BUFFER = 200  # episodes; neither tree takes longer with more


def prepare(name: str, k_level: int, rows: int) -> SimpleNamespace:
    """`rows` episodes at a time, in this process."""
    from ours import on_still

    runner = "batched" if rows > 1 else "episode"
    where = {"runner": runner, "batch_size_run": rows, "buffer_size": BUFFER}
    return on_still(settings_of(name, "kfacmac_learner", k_level, where))


def ours(name: str, k_level: int, rows: int) -> Callable[[], int]:
    """What plays and learns one round, and says of how many steps it was."""
    from ours import session_of

    session = session_of(prepare(name, k_level, rows))
    from run import collect_episodes

    def play() -> int:
        before = session.t_env
        collect_episodes(session)
        return session.t_env - before

    return play


def theirs(tree: str, name: str) -> Callable[[], int]:
    from peers import player
    from still import Still

    args = prepare(name, 1, 1)
    slots = args.episode_limit + 1
    made = player(tree, args, lambda: Still(**args.env_args), "episode", slots)

    def play() -> int:
        before = made.runner.t_env
        made.buffer.insert_episode_batch(made.runner.run(test_mode=False, learner=made.learner))
        if made.buffer.can_sample(args.batch_size):
            sample = made.buffer.sample(args.batch_size)
            made.learner.train(sample[:, : sample.max_t_filled()], made.runner.t_env, 0)
        return made.runner.t_env - before

    return play


def serve(tree: str, name: str, k_level: int, rows: int) -> None:
    """A child: times some episodes at a turn, in seconds a step."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    play = ours(name, k_level, rows) if tree == "ours" else theirs(tree, name)
    for _ in range(34 // rows + 1):  # so many that the buffer can be learned from
        play()

    def work() -> float:
        began = time.process_time()
        steps = sum(play() for _ in range(EPISODES // rows))
        return (time.process_time() - began) / steps

    interleave.serve(work)


def cases(names: Sequence[str], peers: Mapping[str, str]) -> list[Case]:
    """One and two levels: an episode at a time as FACMAC, or eight and then eight updates."""
    found = []
    for name in names:
        jobs = {f"K={k}": Job(__file__, ("ours", name, k, 1)) for k in (1, 2)}
        jobs |= {f"K={k}, 8 at once": Job(__file__, ("ours", name, k, 8)) for k in (1, 2)}
        if "facmac" in peers:
            jobs["FACMAC"] = Job(__file__, (peers["facmac"], name, 1, 1))
        reference = "FACMAC" if "FACMAC" in jobs else "K=1"
        found.append(Case(f"{name} loop", jobs, reference, "steps/s"))
    return found


if __name__ == "__main__":
    interleave.be_child(serve)
