"""`python src/main.py replay [RUN] [key=value]`: an episode of what a run learned."""

from __future__ import annotations

from configuration import load_config
from configuration.command_line import TRUST
from launch import arguments
from records.trust import check_plugins
from run import run
from training.session import Folders
from utils.console import task_name
from utils.errors import UserError
from utils.logging import Logger, get_logger
from utils.settings import Settings
from viewing.runs import ChosenRun, choose


def main(argv: list[str]) -> int:
    console = get_logger()
    chosen, words = choose([word for word in argv if word != TRUST])
    for remark in [*chosen.run.told, *check_plugins(chosen.run, argv)]:
        console.warning(f"Warning: {remark}")
    config = replay_config(chosen, words, "replay")
    console.info(f"{config['name']} on {task_name(config)}, run {chosen.run.run_id}")
    logger = Logger(console)
    folders = Folders(chosen.models, chosen.folder, chosen.replays)
    try:
        run(arguments(config), logger, folders, needs_replay=True)
    finally:
        logger.close()
    return 0


def replay_config(chosen: ChosenRun, words: list[str], command: str) -> Settings:
    """The run's own settings, but for one greedy episode of its last networks."""
    if any("=" not in word for word in words):
        raise UserError(f"{command} {' '.join(words)}: type {command} [RUN] [key=value ...]")
    looks = ["evaluate=True", "save_replay=True", f"checkpoint_path={chosen.models}", "load_step=0"]
    config = load_config(["with", *looks, *words], base=chosen.config).config
    return {
        **config,
        "test_nepisode": 1,
        "batch_size_run": 1,
        "test_batch_size_run": 1,
        "use_tensorboard": False,
        "use_cuda": False,
    }
