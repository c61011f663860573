"""`python src/main.py doctor`: is this machine ready? Exit codes say what is not.

doctor [--config=kfacmac] [--env-config=sc2] [with env_args.map_name=corridor] [--launch]

How many games a run will have up is taken from the same words: batch_size_run and its like.
"""

from __future__ import annotations

from configuration import load_config, load_env_config
from doctor import machine
from utils.errors import UserError
from utils.findings import FAULT, OK, say
from utils.places import results_folder
from utils.settings import Settings

LAUNCH = "--launch"


def main(argv: list[str]) -> int:
    """Print what was found; 0 if a run can start, else the exit code of the first fault."""
    config = planned([word for word in argv if word != LAUNCH])
    exit_code = machine.examine(results_folder(config["local_results_path"]))
    if machine.missing_of_core():  # nothing else can be imported
        return exit_code
    of_task = examine_task(config, LAUNCH in argv)
    return exit_code or of_task


def planned(words: list[str]) -> Settings:
    """The settings of the run; its algorithm need not be known."""
    if not any(word.startswith("--env-config") for word in words):
        words = ["--env-config=sc2", *words]
    if any(word.startswith("--config") for word in words):
        return load_config(words).config
    return load_env_config(words)


def examine_task(config: Settings, launch: bool) -> int:
    """What the environment needs beyond what every run needs."""
    from envs import REGISTRY
    from envs.build import n_environments, preflight
    from envs.sc2.adapter import SC2
    from envs.sc2.doctor import examine_game

    name, n_envs = config["env"], n_environments(config)
    env_class = REGISTRY[name]
    if isinstance(env_class, type) and issubclass(env_class, SC2):
        say(OK, "task", f"env={name}, StarCraft II; for another type doctor --env-config=ENV")
        return examine_game(env_class.suite, config, launch)
    if launch:
        raise UserError(
            f"{LAUNCH} is for StarCraft II. Type check-env --env-config={name} to play it."
        )
    try:
        facts = preflight(name, config["env_args"], n_envs)
    except UserError as error:
        say(FAULT, "task", f"env={name}: {error}")
        return error.exit_code
    told = f"{facts.head}, {facts.details}" if facts else "needs nothing more"
    say(OK, "task", f"env={name}: {told}; check-env plays it")
    return 0
