"""`python src/main.py export [RUN] --format onnx`: what a run learned, for other programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

import torch

from configuration.command_line import TRUST
from configuration.parser import Parser
from exporting.check import EPISODES, SLOTS, disagreements
from exporting.description import DESCRIPTION, description
from exporting.formats import FORMATS
from exporting.greedy import GreedyPolicy
from pymarlk.acting import Policy, load
from pymarlk.runs import Run
from utils.console import task_name
from utils.errors import UserError
from utils.places import RESULTS, expanded, make_folder
from utils.program import MAIN
from viewing.runs import choose


class Written(NamedTuple):
    """An exported policy, and in how many decisions it differs from the run's."""

    file: Path
    disagreements: int


def main(argv: list[str]) -> int:
    parser = _parser()
    options = parser.options([word for word in argv if not word.startswith(RESULTS)])
    chosen, others = choose([*options.run, *(word for word in argv if word.startswith(RESULTS))])
    if others:
        parser.error(f"export takes one run, and knows nothing like '{others[0]}'.")
    policy = load(Run(chosen, argv), options.checkpoint, trust=False)
    folder = options.to or chosen.folder / "export" / options.format
    written = export(policy, options.format, folder)
    settings = dict(policy.settings)
    sys.stdout.write(
        f"{settings['name']} on {task_name(settings)}, step {policy.step:,}\n"
        f"written: {written.file}, and {DESCRIPTION} beside it\n"
    )
    if written.disagreements:
        raise UserError(
            f"{written.file} decides otherwise than the run's policy in {written.disagreements} of "
            f"{SLOTS * EPISODES * policy.n_agents} cases. Do not use it; --format=safetensors "
            "keeps the weights as they are."
        )
    sys.stdout.write(f"checked: the same actions in {SLOTS} slots of {EPISODES} random episodes\n")
    return 0


def export(policy: Policy, name: str, folder: Path) -> Written:
    """Write the policy and its description into `folder`, and read it again.

    The policy decides once before: what its networks keep from their first pass has to be numbers,
    not what an exporter puts in their place.
    """
    format, function = FORMATS[name], GreedyPolicy(policy.inner)
    example = function.first_slot(2)
    with torch.no_grad():
        decided = function(**example.given())
    make_folder(folder, "--to=FOLDER")
    file = folder / format.file
    format.write(function, file)
    facts = description(
        dict(policy.settings), policy.task, policy.step, format.file, example, decided
    )
    (folder / DESCRIPTION).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return Written(file, disagreements(function, format.read(file, GreedyPolicy(policy.inner))))


def _parser() -> Parser:
    parser = Parser(f"{MAIN} export", add_help=False)  # help is `configuration.commands`'
    add = parser.add_argument
    add("run", nargs="*")
    add("--format", choices=list(FORMATS), default="onnx")
    add("--checkpoint", default="last", metavar="STEP")
    add("--to", type=expanded, metavar="FOLDER")
    add(TRUST, action="store_true")
    return parser
