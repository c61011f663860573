"""From a checked command line to a recorded run: seed, folders, Sacred, and how it all ends."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch

from configuration import COMMAND_LINE, LoadedConfig, load_config
from configuration.arguments import Arguments
from configuration.fit import check_fit
from configuration.mongo import usable
from envs import REGISTRY as ENVIRONMENTS
from envs.build import n_environments, preflight
from envs.multiagentenv import RunFacts
from machine.allocation import keep_freed_memory
from machine.resources import check_sizes
from records.checkpoint import find_checkpoint
from records.commit import Commit, commit_of
from records.mending import mend_numbers
from records.resume import (
    FREE_KEYS,
    EarlierRun,
    SoundRun,
    changes,
    differences,
    environments_so_far,
    find_latest,
    find_named,
    locked,
    models_folder,
    sound_run,
    with_seed,
)
from records.sacred_options import require_clean, sacred_options
from records.tracking import MAIN, Interrupted, RunFolder, make_experiment, output_kept
from records.trust import check_plugins
from run import run
from training.session import Folders
from utils import program
from utils.console import head_lines, test_line
from utils.errors import UserError
from utils.logging import Logger, get_logger
from utils.places import make_folder, results_folder


class Launched(NamedTuple):
    """How a command line ended."""

    exit_code: int
    folder: Path | None  # of the run's record, if there is one


def launch(argv: list[str]) -> Launched:
    """Load the settings, then train, evaluate or run one of Sacred's commands."""
    earlier = named_run(argv)
    remarks = check_plugins(earlier, argv) if earlier else []
    base = earlier.config if earlier and not names_files(argv) else None
    loaded = load_config(argv, base=base)
    results = results_folder(loaded.config["local_results_path"])
    if loaded.config["resume"] == "latest" and not earlier:
        t_max = loaded.config["t_max"] if loaded.origins["t_max"] == COMMAND_LINE else None
        earlier = find_latest(results, loaded.config, t_max)
    elif loaded.config["resume"] and not earlier:
        raise UserError("resume=<run> belongs on the command line, not into a settings file.")
    results = earlier.results if earlier else results
    config = continued(earlier, loaded) if earlier else settled(loaded.config)
    make_folder(results / "sacred")  # known now, not after the first episode
    options = sacred_options(loaded.sacred_options, earlier, results / "sacred")
    sound = sound_run(earlier) if earlier else None  # before anything of it is touched
    remarks += sound.remarks if sound else []

    running = loaded.command in (None, "main")
    if running:
        check_sizes(config)
    facts = look_over(config) if running else None
    folder = RunFolder(results / "sacred", resumed=earlier is not None)
    before = environments_so_far(results / "sacred" / earlier.run_id) if earlier else []
    commit = commit_of(MAIN)
    task = Task(loaded, config, results, folder, sound, facts, before, remarks, commit)

    def main(_run: Any) -> dict[str, float]:  # Sacred wants a plain function
        with output_kept(_run):
            return task.run(_run)

    experiment = make_experiment(config, folder, commit, main)
    if options.pop("--enforce_clean", False):
        require_clean(experiment.get_experiment_info()["repositories"])
    address = mongo_address(loaded, earlier)
    if address and running and not options.keys() & {"--unobserved", "--queue"}:
        from mongo.live import LiveMirror  # pymongo takes a while

        mirror = LiveMirror(address, config["unique_token"], folder)
        options["--id"] = mirror.take_number(options.get("--id"))
        experiment.observers.append(mirror)
    if not running:
        experiment.run(loaded.command, options=options)
        return Launched(0, None)
    with locked(models_folder(results, config)):
        try:
            experiment.run("main", options=options)
        except Interrupted as interruption:
            folder.require_written()
            say_how_to_continue(experiment.current_run)
            return Launched(128 + interruption.signal_number, folder.path)
    folder.require_written()
    return Launched(0, folder.path)


def look_over(config: dict[str, Any]) -> RunFacts | None:
    """Refuse what cannot run before it is recorded; returns what the environment has to say."""
    facts = preflight(config["env"], config["env_args"], n_environments(config))
    check_fit(config, ENVIRONMENTS[config["env"]])
    if config["checkpoint_path"]:
        find_checkpoint(Path(config["checkpoint_path"]), config["load_step"])
    return facts


class Task:
    """What Sacred runs: everything that `launch` has settled, and the folder that Sacred made."""

    def __init__(
        self,
        loaded: LoadedConfig,
        config: dict[str, Any],
        results: Path,
        folder: RunFolder,
        earlier: SoundRun | None,
        facts: RunFacts | None,
        environments: list[dict[str, Any]],
        remarks: list[str],
        commit: Commit,
    ) -> None:
        self._loaded, self._config, self._results = loaded, config, results
        self._folder, self._earlier, self._facts = folder, earlier, facts
        self._remarks = remarks  # on the run that is continued
        self._environments = environments  # of the sessions before this one
        self._commit = commit

    def run(self, _run: Any) -> dict[str, float]:
        config, console = self._config, get_logger()
        run_dir = self._folder.path if _run.observers else None
        for warning in [*self._loaded.warnings, *self._remarks, *self._mended(run_dir)]:
            console.warning(f"Warning: {warning}")
        args = arguments(config)
        self._say_head(args.device, run_dir)
        if self._commit.commit is None:
            _run.info["commit"] = str(self._commit)
        if self._facts:
            for warning in [*self._facts.warnings, *self._record_environment(_run.info)]:
                console.warning(f"Warning: {warning}")

        folders = Folders(
            models=models_folder(self._results, config),
            tensorboard=self._results / "tb_logs" / config["unique_token"],
            replays=self._results / "replays" / config["unique_token"],
            resume_from=self._earlier.checkpoint if self._earlier else None,
        )
        logger = Logger(console)
        logger.setup_sacred(_run)
        if run_dir:
            logger.setup_csv(run_dir / "metrics.csv")
        if config["use_tensorboard"]:
            set_up_tensorboard(logger, folders)
        if config["use_wandb"]:
            set_up_wandb(logger, config, self._results)
        try:
            return run(args, logger, folders)
        finally:
            logger.close()
            if logger.csv:
                _run.add_artifact(str(logger.csv.path))

    def _mended(self, run_dir: Path | None) -> list[str]:
        """The numbers of a run that goes on are whole from here on."""
        if self._earlier is None or run_dir is None:
            return []
        said = mend_numbers(run_dir, self._earlier.rows)
        return [said] if said else []

    def _say_head(self, device: str, run_dir: Path | None) -> None:
        facts = [device, self._loaded.dialect]
        if self._facts:
            facts.append(self._facts.head)
        if self._earlier:
            facts.append(f"resumed from run {self._earlier.run.run_id}")
        elif self._config["resume"]:
            facts.append("nothing to resume: a new run")
        lines = head_lines(self._config, self._loaded.changed, run_dir, facts)
        if self._config["testing_on"]:
            lines.append(test_line(self._config))
        if self._commit.commit is None:
            lines.append(f"  {self._commit}")
        if self._facts:
            lines.append(f"  {self._facts.details}")
        for line in lines:
            get_logger().info(line)

    def _record_environment(self, info: dict[str, Any]) -> list[str]:
        """Into the run's record, beside those before it if it has changed, which is said."""
        assert self._facts is not None
        record, known = self._facts.record, self._environments
        info["environment"] = record
        changed = changes(known[-1], record) if known else []
        earlier = known if changed else known[:-1]
        if earlier:
            info["earlier_environments"] = earlier
        if not changed:
            return []
        return [
            f"the environment is not what it was before this resume: {', '.join(changed)}. Results "
            "before and after may not be comparable; info.json keeps both records."
        ]


def arguments(config: dict[str, Any]) -> SimpleNamespace:
    """The settings as learners know them, and torch as they say."""
    args = Arguments(**config)
    args.use_cuda = args.use_cuda and torch.cuda.is_available()
    args.device = "cuda" if args.use_cuda else "cpu"
    if args.torch_threads:
        torch.set_num_threads(args.torch_threads)
    keep_freed_memory()
    return args


def mongo_address(loaded: LoadedConfig, earlier: EarlierRun | None) -> str | None:
    """Of the database that the run is to be in, its password included."""
    if loaded.mongo or earlier is None or loaded.origins["mongo"] == COMMAND_LINE:
        return loaded.mongo
    return usable(earlier.config.get("mongo"))


def named_run(argv: list[str]) -> EarlierRun | None:
    """The run that `resume=<id or folder>` on the command line means: its settings come first."""
    given = dict(word.split("=", 1) for word in argv if "=" in word)
    wanted = given.get("resume", "")
    if wanted == "latest" and not names_files(argv):
        place = given.get("local_results_path", "results")
        latest = find_latest(results_folder(place))
        if latest is None:
            raise UserError(f"resume=latest: {place} holds no unfinished run.")
        return latest
    if wanted in ("", "latest"):
        return None
    return find_named(results_folder(given.get("local_results_path", "results")), wanted)


def names_files(argv: list[str]) -> bool:
    """Whether the command line says which algorithm or environment."""
    return any(word.startswith(("--config", "--env-config")) for word in argv)


def settled(config: dict[str, Any]) -> dict[str, Any]:
    """The settings of a new run, with what was left open decided and so recorded."""
    seed = secrets.randbelow(2**31) if config["seed"] is None else config["seed"]
    token = f"{config['name']}__{time.strftime('%Y-%m-%d_%H-%M-%S')}__{secrets.token_hex(3)}"
    return {**with_seed(config, seed), "unique_token": token}


def continued(earlier: EarlierRun, loaded: LoadedConfig) -> dict[str, Any]:
    """The settings of a run that goes on: its own, but for what may change on the way."""
    changed = differences(earlier.config, {**earlier.config, **loaded.config})
    if changed:
        raise UserError(
            f"Run {earlier.run_id} cannot go on with other settings: {', '.join(changed)}. "
            f"What may change: {', '.join(sorted(FREE_KEYS - {'unique_token'}))}. "
            "To start anew from its networks, use checkpoint_path instead of resume."
        )
    typed = {key for key, origin in loaded.origins.items() if origin == COMMAND_LINE}
    free = {key: loaded.config[key] for key in FREE_KEYS & typed}
    config = {**earlier.config, **free, "unique_token": earlier.config["unique_token"]}
    if results_folder(config["local_results_path"]) != earlier.results:  # it has been moved
        config["local_results_path"] = str(earlier.results)
    return config


def set_up_tensorboard(logger: Logger, folders: Folders) -> None:
    kept = int(folders.resume_from.name) if folders.resume_from else None  # logged up to here
    try:
        logger.setup_tb(folders.tensorboard, purge_step=None if kept is None else kept + 1)
    except ImportError as error:
        raise UserError(
            f"use_tensorboard needs a package: {program.install('tensorboard')}"
        ) from error


def set_up_wandb(logger: Logger, config: dict[str, Any], results: Path) -> None:
    from records.wandb_sink import WandbSink

    results.mkdir(parents=True, exist_ok=True)
    logger.add_sink(WandbSink(config, results), "W&B")


def say_how_to_continue(sacred_run: Any) -> None:
    """With the place of the results, unless that is the usual one."""
    place = sacred_run.config["local_results_path"]
    where = "" if place == "results" else f" local_results_path={place}"
    get_logger().info(
        f"Stopped and saved. To go on: {program.MAIN} with resume={sacred_run._id}{where}"
    )
