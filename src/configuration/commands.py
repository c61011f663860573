"""The commands of main.py: what each does, and what its own `--help` says.

All in one place, and importing nothing, so that help needs none of what a command needs.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from utils.program import MAIN, SWEEP, install

WIDTH = 100
RUN = """\
  RUN            number or folder of a run; the newest if left out
  local_results_path=FOLDER   where runs are, if not in results"""


@dataclass(frozen=True)
class Command:
    """A first word of the command line."""

    form: str  # what is typed after the program's name
    summary: str
    module: str | None = None  # whose main(argv) does it; None goes on to the run's own path
    details: str = ""  # what each word means
    own_help: bool = False  # the module answers --help itself


COMMANDS = {
    "print_config": Command(
        "print_config --config=ALG --env-config=ENV [with key=value ...]",
        "all settings of a run, and where they come from",
        details="""\
  Nothing is run. Settings that differ from the default are marked by *, and the file or the
  command line that set them is named.""",
    ),
    "curve": Command(
        "curve [RUN] [metric=NAME]",
        "how a run (the newest) went, as text and as a picture",
        "viewing.curve",
        f"""\
{RUN}
  metric=NAME    what to draw; else what the run's live line shows
  The picture goes into the run's folder. It needs: {install("plots")}""",
    ),
    "replay": Command(
        "replay [RUN] [key=value ...]",
        "an episode of what a run learned, as an animation; with render=True in a window",
        "viewing.replay",
        f"""\
{RUN}
  key=value      changes a setting for this episode, as seed=3, env_args.replay_format=mp4
  Plays one greedy episode of the last networks and saves it in results/replays. Animations need:
  {install("render")}""",
    ),
    "graph": Command(
        "graph [RUN] [key=value ...]",
        "who hears whom in what a run learned, as text and as a picture",
        "viewing.graph",
        f"""\
{RUN}
  key=value      changes a setting for these episodes, as seed=3
  Plays 20 greedy episodes of the last networks. The picture goes into the run's folder. It needs:
  {install("plots")}""",
    ),
    "export": Command(
        "export [RUN] [--format=FORMAT] [--checkpoint=STEP] [--to=FOLDER]",
        "what a run learned, as a file for other programs",
        "exporting.command",
        f"""\
{RUN}
  FORMAT         onnx (the default), torchscript, or safetensors
  STEP           of a checkpoint; or last (the default), or best
  FOLDER         where to write; else export/FORMAT in the run's folder
  Writes the policy and policy.json, which says what goes in and out, and compares the file with the
  run's own policy. docs/export.md says more. onnx and safetensors need:
  {install("export")}""",
    ),
    "attention": Command(
        "attention [RUN] [key=value ...]",
        "whom a team's network attends to in an episode, as a picture",
        "viewing.attention",
        f"""\
{RUN}
  key=value      changes a setting for this episode, as seed=3
  Plays one greedy episode of the last networks of MAT, Sable, CMAT or a guide. The picture goes
  into the run's folder. It needs: {install("plots")}""",
    ),
    "dashboard": Command(
        "dashboard [FOLDER ...] [mongo=URL] [--port 8800] [--host 127.0.0.1]",
        "a live web page of runs",
        "dashboard.command",
        own_help=True,
    ),
    "sync": Command(
        "sync [RUN ...] [mongo=host:port:db]",
        "send runs to MongoDB that it does not have, or not all of",
        "mongo.sync",
        """\
  RUN            number or folder of a run; all runs if left out
  mongo=ADDRESS  (or -m ADDRESS) of the database; else PYMARLK_MONGO, else that of the newest run
  local_results_path=FOLDER   where runs are, if not in results
  It may be typed again at any time: it goes on where it stopped.""",
    ),
    "check-env": Command(
        "check-env --env-config=ENV [with env_args.key=value ...]",
        "whether an environment keeps the contract",
        "envs.check",
        """\
  ENV            a name (--list envs) or the path of a YAML file
  Plays random episodes and names everything that learners and runners could stumble over.
  The exit code is 0 if all is well, else 1. docs/environments.md describes the contract.""",
    ),
    "doctor": Command(
        "doctor [--config=ALG] [--env-config=ENV] [with key=value ...] [--launch]",
        "whether this machine is ready: torch, GPU, extras, disk, results; StarCraft II",
        "doctor.command",
        """\
  Give it the words of a run that you plan, and it looks at what that run needs; without
  --env-config it looks at StarCraft II (sc2).
  --launch       also starts the game and plays an episode at random
  The exit code is 0 if a run can start. docs/starcraft.md lists the others.""",
    ),
    "meetup": Command(
        "meetup [FOLDER]",
        "the paper's meet-up problem: its table and pictures",
        "theory.meetup",
        f"""\
  FOLDER         for the pictures; else results/meetup
  The pictures need: {install("plots")}""",
    ),
    "turns": Command(
        "turns [FOLDER]",
        "stability of K levels where agents step at once and in turns: a table and pictures",
        "theory.turns",
        f"""\
  FOLDER         for the pictures; else results/turns
  The pictures need: {install("plots")}""",
    ),
    "bayes": Command(
        "bayes [STARTS]",
        "what agents gain by hearing each other: a coordination game with exact gradients",
        "theory.bayes",
        """\
  STARTS         random tables to begin from, of each graph; else 100, which take 20 s""",
    ),
    "print_dependencies": Command(
        "print_dependencies --config=ALG --env-config=ENV",
        "source files and packages, as Sacred records them",
    ),
    "print_named_configs": Command(
        "print_named_configs --config=ALG --env-config=ENV", "Sacred's named configurations: none"
    ),
    "main": Command(
        "main --config=ALG --env-config=ENV [with key=value ...]",
        "train, which is what happens without any command",
    ),
}

PROGRAMS = ("sweep", "report")  # first words with a command line of their own, as src/sweep.py has

SWEEP_HELP = f"""\
Sweeps: every combination of algorithms, environments, seeds and any settings

  {SWEEP} --config=A,B --env-config=C,D with seed=1..4 lr=0.001,0.0005 t_max=100000
  {SWEEP} FILE.yaml with seed=5..8

  A,B            several values, separated by commas; commas in [..] or quotes separate nothing
  1..4           1,2,3,4
  FILE.yaml      the same in a file: config, env-config, with, and the options below, as name: value
  --dry-run      print the runs and which of them are there already
  --name=NAME    folder of the sweep in results/sweeps; else made of algorithms and environments
  --address=A    of a Ray cluster, as 10.0.0.1:6379 or auto; else this machine
  --cpus=1       cores of each run
  --gpus=0       GPUs of each run; 0.25 lets four share one
  --memory=2GB   memory of each run; else what earlier runs like it took; 0 leaves it out
  --retries=2    how often a run that fails is tried again, from its last checkpoint

The same command plays only what is missing. docs/sweeps.md says more.
"""


def command_help(name: str) -> str:
    """What `NAME --help` prints."""
    command = COMMANDS[name]
    parts = [f"{name}: {command.summary}", f"  {MAIN} {command.form}", command.details]
    return "\n\n".join(part for part in parts if part) + "\n"


def command_lines() -> Iterator[str]:
    """A line or two for each command, for the program's own help."""
    for name, command in COMMANDS.items():
        yield textwrap.fill(
            command.summary, WIDTH, initial_indent=f"  {name:<21}", subsequent_indent=" " * 23
        )
