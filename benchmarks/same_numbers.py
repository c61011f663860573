"""Whether two revisions compute the same: every logged number and every weight, to the last bit.

    python benchmarks/same_numbers.py --against REV [--only WORD ...] [--list]

Every algorithm file plays short runs in each mode of collecting, with each kind of actions and of
network; each run is stopped half-way and resumed. Both revisions play on this machine, for
processors round differently. What a revision refuses counts as its answer.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve()
ROOT = HERE.parents[1]
CASE_SECONDS = 120  # of processor time, against hangs

EVERYWHERE = (
    "seed=7 batch_size_run=4 rnn_hidden_dim=16 mixing_embed_dim=8 hypernet_embed=8 "
    "critic_hidden_dim=16 test_nepisode=3 test_batch_size_run=2 test_interval=200 log_interval=1 "
    "runner_log_interval=1 learner_log_interval=1 epsilon_anneal_time=500"
)
TASKS = {
    "discrete": "--env-config=skirmish with env_args.map_name=3m runner=batched",
    "continuous": "--env-config=meet_up with runner=episode",
}
STEPS = {"discrete": (150, 300), "continuous": (80, 160)}  # to stop at, and to resume to
NETWORKS = {"recurrent": "rnn", "feed-forward": "mlp"}
JUDGES = {"rnn": "cemrnn", "mlp": "cem"}  # of COMIX and COVDN
OFF_POLICY = "batch_size=4 buffer_size=16 updates_per_episode=0.5"
ON_POLICY = {
    "episodic": "batch_size=4 buffer_size=4",
    "rollout_length": "batch_size=4 buffer_size=4 rollout_length=30",
    "transition": "batch_size=4 buffer_size=4 runner_scope=transition",
}
REPLAYED = {
    "episodic": OFF_POLICY,
    "rollout_length": f"{OFF_POLICY} rollout_length=30",
    "transition": "runner_scope=transition obs_last_action=False batch_size=8 buffer_size=200 "
    "buffer_warmup=50 learn_interval=25 start_steps=40 td_lambda=0",
}
# Settings beside those of the files, for ways through the code that no file takes.
VARIATIONS = {
    "kfacmac": (
        "k_level=3 k_opt_state=per_level",
        "k_level=3 k_opt_state=carry k_noise=fresh k_level_action=soft",
        "k_level=[[0,1],[150,3]] k_lookahead_scale=0.5 k_clip_each_level=False",
        "mixer=null",
        "mixer=vdn share_parameters=False",
        "actor_mask=False",
    ),
    "kmaddpg": ("k_maddpg_level0=replay k_level=3", "share_parameters=False"),
    "kmappo": (
        "kmappo_ref=behaviour kmappo_ratio=joint k_level=3",
        "kmappo_ratio=coppo chunk_length=5 minibatches=3",
        "share_parameters=False obs_last_action=True",
    ),
    "mappo": (
        "chunk_length=7 minibatches=2 critic_targets=True",
        "return_steps=3 value_clip=False value_norm=False dead_mask=False",
        "obs_individual_obs=True critic_type=cv_critic_ns lr_anneal=False entropy_coef=0.01",
    ),
    "coma": ("critic_step_each=batch return_steps=5", "mask_before_softmax=True"),
    "qmix": (
        "double_q=False td_lambda=0.6",
        "target_update_mode=soft share_parameters=False",
        "obs_last_action=False obs_agent_id=False optimizer=adam",
        "runner=parallel env_processes=2",
    ),
    "comix": ("share_parameters=False",),
}


class Case(NamedTuple):
    name: str
    words: list[str]
    steps: tuple[int, int]


class Played(NamedTuple):
    """What a revision made of a case: numbers and weights, or the last line of its refusal."""

    refusal: str
    numbers: dict[str, str]  # "step key occurrence" -> value as logged
    weights: dict[str, list[float] | str]  # "file entry" -> values


def all_cases() -> list[Case]:
    files = sorted(path.stem for path in (ROOT / "src/config/algs").glob("*.yaml"))
    return [case for name in files for case in cases_of(name)]


def cases_of(name: str) -> Iterator[Case]:
    """Every mode, kind of actions and network; and the variations in the file's usual mode."""
    learner = learner_of(name)
    modes = ON_POLICY if on_policy(learner) else REPLAYED
    for mode, settings in modes.items():
        for kind in TASKS:
            for network, agent in NETWORKS.items():
                yield case_of(name, learner, kind, agent, settings, f"{mode}, {kind}, {network}")
    for extra in VARIATIONS.get(name, ()):
        kind = "continuous" if learner == "cq_learner" else "discrete"
        yield case_of(name, learner, kind, "rnn", f"{modes['episodic']} {extra}", extra)


def case_of(name: str, learner: str, kind: str, agent: str, settings: str, title: str) -> Case:
    words = [f"--config={name}", *TASKS[kind].split(), *EVERYWHERE.split()]
    if learner == "cq_learner":
        agent = JUDGES[agent]
    elif kind == "continuous" and not on_policy(learner):
        words.append("action_selector=gaussian")
    elif name.endswith("_mujoco") or name.endswith("_mamujoco"):
        words += ["action_selector=gumbel", "agent_output_type=pi_logits"]
    words += [f"agent={agent}", *by_key(settings)]
    return Case(f"{name}: {title}", words, STEPS[kind])


def by_key(settings: str) -> list[str]:
    """The last one counts where a key is given twice."""
    return list({word.partition("=")[0]: word for word in settings.split()}.values())


def learner_of(name: str) -> str:
    lines = (ROOT / f"src/config/algs/{name}.yaml").read_text().splitlines()
    found = [line.split()[1] for line in lines if line.startswith("learner:")]
    return found[0] if found else "q_learner"


def on_policy(learner: str) -> bool:
    return any(word in learner for word in ("ppo", "a2po", "trpo", "coma"))


# ---------------------------------------------------------------- playing, in a process a revision


def serve(tree: str, out: str) -> None:
    """Play the cases on standard input, each command in a fork that has everything imported."""
    sys.path[0] = str(Path(tree) / "src")
    import torch._dynamo  # noqa: F401  the first optimiser would, in every fork anew

    import launch  # noqa: F401
    import main

    os.environ["COLUMNS"] = "100"
    for number, line in enumerate(sys.stdin):
        case = Case(*json.loads(line))
        folder = Path(out) / str(number)
        folder.mkdir(parents=True)
        half, whole = case.steps
        words = [*case.words, f"local_results_path={folder}"]
        failed = in_fork(main.main, [*words, f"t_max={half}"], folder / "log")
        if not failed:
            failed = in_fork(main.main, [*words, f"t_max={whole}", "resume=latest"], folder / "log")
        (folder / "failed").write_text("yes" if failed else "")
        sys.stdout.write("done\n")
        sys.stdout.flush()


def in_fork(command: object, argv: list[str], log: Path) -> bool:
    """Whether `command` failed, in a process of its own."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] != 0
    code = 1
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (CASE_SECONDS, CASE_SECONDS))
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        code = command(argv)  # type: ignore[operator]
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def read(folder: Path) -> Played:
    if (folder / "failed").read_text():
        lines = (folder / "log").read_text(errors="replace").strip().splitlines()
        return Played(refusal_of(lines), {}, {})
    return Played("", numbers_in(folder), weights_in(folder))


def refusal_of(lines: list[str]) -> str:
    """The first line of the message that ends the log, or of a traceback the last."""
    if any(line.startswith("Traceback") for line in lines):
        return lines[-1]
    blank = max((i for i, line in enumerate(lines) if not line.strip()), default=-1)
    return lines[blank + 1] if lines else "nothing was said"


def numbers_in(folder: Path) -> dict[str, str]:
    """Of both halves; those that are seconds may differ."""
    numbers: dict[str, str] = {}
    for path in sorted(folder.glob("sacred/*/metrics.csv")):
        with path.open(newline="") as file:
            for step, key, value, *_ in csv.reader(file):
                if not key.endswith("seconds"):
                    place = sum(f"{step} {key} {n}" in numbers for n in range(2))
                    numbers[f"{step} {key} {place}"] = value
    return numbers


def weights_in(folder: Path) -> dict[str, list[float] | str]:
    """Everything in PyMARL's files of the newest checkpoint."""
    import torch

    checkpoints = [path for path in folder.glob("models/*/*") if path.name.isdigit()]
    newest = max(checkpoints, key=lambda path: int(path.name))
    weights: dict[str, list[float] | str] = {}
    for path in sorted(newest.glob("*.th")):
        content = torch.load(path, map_location="cpu", weights_only=True)
        for name, value in leaves(content, path.name):
            is_tensor = isinstance(value, torch.Tensor)
            weights[name] = value.double().flatten().tolist() if is_tensor else repr(value)
    return weights


def leaves(content: object, name: str) -> Iterator[tuple[str, object]]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield from leaves(value, f"{name} {key}")
    elif isinstance(content, list | tuple):
        for place, value in enumerate(content):
            yield from leaves(value, f"{name} {place}")
    else:
        yield name, content


# ---------------------------------------------------------------- comparing


def verdict(ours: Played, theirs: Played) -> tuple[str, str]:
    """One of same, refused, differs; and what there is to say of it."""
    if ours.refusal and theirs.refusal:
        return "refused", ours.refusal
    if ours.refusal or theirs.refusal:
        who = "here" if ours.refusal else "there"
        return "differs", f"refused {who} only: {ours.refusal or theirs.refusal}"
    missing = ours.numbers.keys() ^ theirs.numbers.keys()
    missing |= ours.weights.keys() ^ theirs.weights.keys()
    if missing:
        return "differs", f"{len(missing)} are in one only, as {sorted(missing)[0]}"
    apart = [key for key, value in ours.numbers.items() if theirs.numbers[key] != value]
    unlike = [key for key, value in ours.weights.items() if theirs.weights[key] != value]
    if not apart and not unlike:
        return "same", f"{len(ours.numbers)} numbers, {len(ours.weights)} weights"
    first = (apart or unlike)[0]
    return "differs", (
        f"{len(apart)} numbers, {len(unlike)} weights, first {first}; by at most "
        f"{largest(ours, theirs, apart, unlike):.1e}"
    )


def largest(ours: Played, theirs: Played, apart: list[str], unlike: list[str]) -> float:
    """The largest difference, of numbers beyond 1 in proportion to them."""
    pairs = [(float(ours.numbers[key]), float(theirs.numbers[key])) for key in apart]
    for key in unlike:
        a, b = ours.weights[key], theirs.weights[key]
        if isinstance(a, str) or isinstance(b, str) or len(a) != len(b):
            return float("inf")
        pairs += zip(a, b, strict=True)
    return max(abs(a - b) / max(1.0, abs(a), abs(b)) for a, b in pairs)


def compare(cases: list[Case], revision: str) -> int:
    """Play with both at the same time; the exit code says whether all is the same."""
    counts = {"same": 0, "refused": 0, "differs": 0}
    with tempfile.TemporaryDirectory() as work:
        other = Path(work) / "tree"
        git("worktree", "add", "--detach", str(other), revision)
        try:
            players = [
                Player(tree, Path(work) / name)
                for name, tree in (("ours", ROOT), ("theirs", other))
            ]
            for player in players:
                player.begin(cases)
            for number, case in enumerate(cases):
                ours, theirs = (player.played(number) for player in players)
                word, said = verdict(ours, theirs)
                counts[word] += 1
                sys.stdout.write(f"{word:<8} {case.name}  [{said}]\n")
                sys.stdout.flush()
        finally:
            git("worktree", "remove", "--force", str(other))
    sys.stdout.write(
        f"{len(cases)} cases against {revision}: {counts['same']} the same to the last bit, "
        f"{counts['refused']} refused by both, {counts['differs']} differ\n"
    )
    return 1 if counts["differs"] else 0


class Player:
    """A revision's process."""

    def __init__(self, tree: Path, out: Path) -> None:
        self._out = out
        words = [sys.executable, "-W", "ignore", str(HERE), "--serve", str(tree), str(out)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def begin(self, cases: list[Case]) -> None:
        assert self._process.stdin is not None
        for case in cases:
            self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.close()

    def played(self, number: int) -> Played:
        """Of the next case, when it is done."""
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "done\n":
            raise SystemExit(f"The process of {self._out.name} has ended.")
        return read(self._out / str(number))


def git(*words: str) -> None:
    subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", metavar="REV", default="HEAD", help="the other revision")
    parser.add_argument("--only", nargs="*", default=[], help="cases whose name has one of these")
    parser.add_argument("--list", action="store_true", help="say what would be played")
    asked = parser.parse_args()
    cases = [
        case
        for case in all_cases()
        if not asked.only or any(word in case.name for word in asked.only)
    ]
    if asked.list:
        sys.stdout.writelines(f"{case.name}: {' '.join(case.words)}\n" for case in cases)
        return 0
    return compare(cases, asked.against)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:])
    else:
        sys.exit(main())
