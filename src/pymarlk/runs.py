"""Runs as objects: what `pymarlk.train` gives, and earlier ones. Thin over what commands do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from configuration import load_config, load_env_config
from configuration.command_line import TRUST
from configuration.merging import find_environment
from configuration.plugins import load_plugins, registry_of
from configuration.schema import REGISTRIES
from envs.build import make_env as make
from envs.multiagentenv import MultiAgentEnv
from launch import arguments, launch
from pymarlk.words import words_of
from records.trust import check_plugins
from reporting.series import Series
from run import run as play
from training.session import Folders
from utils.errors import UserError, did_you_mean
from utils.logging import Logger, get_logger
from utils.places import RESULTS, expanded, is_number
from utils.settings import ReadSettings
from viewing.curve import Curve, curve_of
from viewing.runs import ChosenRun, choose

if TYPE_CHECKING:
    from pandas import DataFrame

    from pymarlk import Checkpoint, Part
    from pymarlk.acting import Policy

# By what `register` calls them.
KINDS = {"environment" if kind == "envs" else kind.removesuffix("s"): kind for kind in REGISTRIES}


class Run:
    """A run that has been played, or goes on elsewhere: its record, and what it learned."""

    def __init__(self, chosen: ChosenRun, words: Sequence[str] = ()) -> None:
        """`words` of a command line that say whether its plugins may be imported."""
        self._chosen, self._words = chosen, list(words)

    @property
    def folder(self) -> Path:
        """Where Sacred's record and `metrics.csv` are."""
        return self._chosen.folder

    @property
    def settings(self) -> ReadSettings:
        """All of them, as they were decided."""
        return self._chosen.config

    @property
    def status(self) -> str:
        """Sacred's word: COMPLETED, INTERRUPTED, FAILED, or RUNNING."""
        return self._chosen.record().status

    def metrics(self) -> Mapping[str, Series]:
        """By name: arrays `steps`, `values` and `seconds`."""
        return self._chosen.record().metrics

    def frame(self) -> DataFrame:
        """Every value in a row of its own: metric, step, value, seconds. Needs pandas."""
        try:
            import pandas
        except ImportError as error:
            raise UserError("frame() needs a package: pip install pandas") from error
        parts = [
            pandas.DataFrame({"metric": name, "step": steps, "value": values, "seconds": seconds})
            for name, (steps, values, seconds) in self.metrics().items()
        ]
        return pandas.concat(parts, ignore_index=True)

    def curve(self, metric: str | None = None) -> Curve:
        """Of a metric, or of the one that says most. Notebooks show it; `print` draws it in text,
        `save(path)` as a picture.
        """
        return curve_of(self._chosen, metric)

    def policy(self, checkpoint: Checkpoint = "last") -> Policy:
        """What it learned, to act without an environment."""
        from pymarlk.acting import load

        return load(self, checkpoint, trust=False)

    def resume(self, **settings: object) -> Run:
        """Go on where it was, bit for bit; `t_max=...` further than it was to go."""
        return _launched([*self._words, f"resume={self.folder}", *words_of(settings, {}, ())])

    def networks(self, checkpoint: Checkpoint | str = "last") -> tuple[Path, int]:
        """The folder of checkpoints, and which of them is meant: 0 is the newest."""
        models = self._chosen.models
        if checkpoint in ("last", "best"):
            return models if checkpoint == "last" else models / "best", 0
        if not is_number(str(checkpoint)):
            raise UserError(f"checkpoint={checkpoint}: type last, best, or a step, as 20000.")
        return models, int(checkpoint)

    def import_plugins(self, trust: bool) -> None:
        """Those that its settings name, unless they are of somebody else."""
        earlier = self._chosen.run
        for remark in [
            *earlier.told,
            *check_plugins(earlier, [*self._words, *[TRUST] * trust]),
        ]:
            get_logger().warning(f"Warning: {remark}")
        load_plugins(self.settings["plugins"])

    def __repr__(self) -> str:
        config = self.settings
        facts = f"{config['name']} on {config['env']}, seed {config['seed']}, {self.status}"
        return f"<Run {self._chosen.run.run_id}: {facts}, {self.folder}>"


def train(
    algorithm: str | Path,
    environment: str | Path,
    results: str | Path | None,
    env_args: Mapping[str, object],
    settings: Mapping[str, object],
) -> Run:
    words = words_of(settings, env_args, arguments_of(environment))
    if results is not None:
        words.append(in_results(results))
    return _launched([f"--config={algorithm}", f"--env-config={environment}", "with", *words])


def in_results(folder: str | Path) -> str:
    """The word that says where results are; folders count from the current one, as in programs."""
    return f"{RESULTS}{expanded(folder).absolute()}"


def _launched(words: list[str]) -> Run:
    folder = launch(words).folder
    assert folder is not None  # only Sacred's options keep a run from being recorded
    return Run(choose([str(folder)])[0], [TRUST])


def arguments_of(environment: str | Path) -> Collection[str]:
    """What an environment's settings file, or its constructor, has a value for."""
    values = find_environment(str(environment)).values
    return [*(values.get("env_args") or {}), "seed"]


def find(run: Run | str | Path | int | None, results: str | Path | None = None) -> Run:
    """Itself; or by folder, by number, or the newest."""
    if isinstance(run, Run):
        return run
    place = [] if results is None else [in_results(results)]
    named = [] if run is None else [str(run)]
    return Run(choose([*named, *place])[0], place)


def evaluate(
    run: Run | str | Path | int,
    episodes: int,
    checkpoint: Checkpoint,
    trust: bool,
    env_args: Mapping[str, object],
    settings: Mapping[str, object],
) -> dict[str, float]:
    run = find(run)
    run.import_plugins(trust)
    folder, step = run.networks(checkpoint)
    testing = {
        "evaluate": True,
        "checkpoint_path": folder,
        "load_step": step,
        "test_nepisode": episodes,
        "use_tensorboard": False,
    }
    words = words_of({**settings, **testing}, env_args, [*run.settings["env_args"], "seed"])
    config = load_config(["with", *words], base=dict(run.settings)).config
    logger = Logger(get_logger())
    try:
        play(arguments(config), logger, Folders(folder, run.folder, run.folder))
    finally:
        logger.close()
    return {name: logger.latest(name) for name in sorted(logger.stats)}


def make_env(environment: str | Path, seed: int, keywords: Mapping[str, object]) -> MultiAgentEnv:
    words = words_of({}, keywords, ())
    config = load_env_config([f"--env-config={environment}", "with", *words])
    return make(config["env"], config["env_args"], seed)


def register(kind: str, name: str, part: Part) -> Part:
    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS)
        raise UserError(f"register: there is no kind '{kind}'.{hint} Known: {', '.join(KINDS)}.")
    registry_of(KINDS[kind])[name] = part
    return part
