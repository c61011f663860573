"""Test episodes of what a run learned, for commands that show how its agents decide."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from configuration.command_line import TRUST
from launch import arguments
from policies.contract import Policy
from policies.guided import GuidedPolicy
from pymarl.policies import policy_of
from records.checkpoint import find_checkpoint
from records.trust import check_plugins
from run import built
from training.session import Folders, Session
from utils.console import task_name
from utils.logging import Logger, get_logger
from utils.seeding import seed_everything
from viewing.replay import replay_config
from viewing.runs import ChosenRun, choose


class Opened(NamedTuple):
    """A run whose last networks are ready to play."""

    chosen: ChosenRun
    session: Session

    @property
    def title(self) -> str:
        config = self.chosen.config
        return f"{config['name']} on {task_name(config)}, run {self.chosen.run.run_id}"


@contextmanager
def opened(command: str, argv: list[str]) -> Iterator[Opened]:
    """The run that a command's words are about, with a runner for one greedy episode at a time."""
    console = get_logger()
    chosen, words = choose([word for word in argv if word != TRUST])
    for remark in [*chosen.run.told, *check_plugins(chosen.run, argv)]:
        console.warning(f"Warning: {remark}")
    config = {**replay_config(chosen, words, command), "save_replay": False}
    logger, folders = Logger(console), Folders(chosen.models, chosen.folder, chosen.replays)
    args = arguments(config)
    seed_everything(args.seed)
    try:
        with built(args, logger, folders) as session:
            yield Opened(chosen, session)
    finally:
        logger.close()


class Heard(NamedTuple):
    """The policy of a run in which somebody may hear others."""

    policy: Policy
    whose: str = ""  # for titles, where it is not that of the agents who are tested
    remark: str = ""


def hearing_policy(session: Session) -> Heard:
    """The guide's, where agents that decide apart have one; an error where it was not saved."""
    policy: Policy = policy_of(session.mac, reads="probabilities")
    if not isinstance(policy, GuidedPolicy):
        return Heard(policy)
    args = session.args
    folder, _ = find_checkpoint(Path(args.checkpoint_path), args.load_step)
    policy.load_guide(folder)
    remark = "  (which acts while agents learn; in tests they decide apart and hear nobody)\n"
    return Heard(policy.guide, ", its guide", remark)
