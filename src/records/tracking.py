"""Sacred, set up so that a run's folder tells the truth: status, sources, packages, all numbers."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import json
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from utils.json_values import JsonObject
from utils.settings import Settings

warnings.filterwarnings("ignore", message="pkg_resources is deprecated")  # sacred imports it

import sacred  # noqa: E402
from sacred.dependencies import PackageDependency, Source, get_digest  # noqa: E402
from sacred.utils import SacredInterrupt, apply_backspaces_and_linefeeds  # noqa: E402

from records.commit import Commit  # noqa: E402
from records.record_observer import RecordObserver  # noqa: E402
from records.run_checksums import RunChecksums  # noqa: E402
from records.run_files import CONFIG_COPY  # noqa: E402
from utils.errors import UserError  # noqa: E402
from utils.files import read_bytes  # noqa: E402
from utils.logging import get_logger  # noqa: E402
from utils.places import REPOSITORY, is_number  # noqa: E402

SRC = Path(__file__).resolve().parent.parent
MAIN = SRC / "main.py"

sacred.SETTINGS.CAPTURE_MODE = "sys"  # "fd" hangs at exit when workers hold the descriptor
sacred.SETTINGS.CONFIG.READ_ONLY_CONFIG = False
sacred.SETTINGS.DISCOVER_SOURCES = "none"  # we name all sources and packages ourselves
sacred.SETTINGS.DISCOVER_DEPENDENCIES = "none"


class Interrupted(SacredInterrupt):
    """The user or the cluster asked the run to stop; everything is saved."""

    STATUS = "INTERRUPTED"

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by signal {signal_number}")
        self.signal_number = signal_number


class RunFolder(RecordObserver):
    """Sacred's file observer with atomic files, and able to continue in an existing folder."""

    def __init__(self, basedir: Path, resumed: bool) -> None:
        super().__init__(basedir)
        self._resumed = resumed
        self._written: RunChecksums | None = None  # once there is a folder
        self._earlier: JsonObject = {}
        self._reserved: int | None = None
        self._writing = threading.Lock()  # Sacred's heart may still beat when the run ends

    @property
    def path(self) -> Path | None:
        return Path(self.dir) if self.dir else None

    def next_number(self) -> int:
        return self._maximum_existing_run_id() + 1

    def _maximum_existing_run_id(self) -> int:
        """Sacred's own fails at a folder whose name is ²."""
        folders = (path for path in Path(self.basedir).iterdir() if path.is_dir())
        return max((int(path.name) for path in folders if is_number(path.name)), default=0)

    def reserve(self, number: int) -> bool:
        """Make the run's folder before the run starts; False if the number is taken."""
        try:
            os.mkdir(os.path.join(self.basedir, str(number)))
        except FileExistsError:
            return False
        self._reserved = number
        return True

    def release(self) -> None:
        """Give back what was reserved."""
        os.rmdir(os.path.join(self.basedir, str(self._reserved)))
        self._reserved = None

    def _make_run_dir(self, _id: str | int | None) -> None:
        made = self._resumed or (_id is not None and _id == self._reserved)
        if not made:
            try:
                super()._make_run_dir(_id)
            except FileExistsError as error:
                raise UserError(
                    f"-i {_id}: there is such a run in {self.basedir}. Leave -i out for a free "
                    f"number, or go on with that run: resume={_id}"
                ) from error
            return
        self.dir = os.path.join(self.basedir, str(_id))
        if not self._resumed:
            return
        self._earlier = read_json(Path(self.dir) / "run.json")
        # The logger fills both again, up to the checkpoint and then on.
        written = self._checksums()
        for name in ("info.json", "metrics.json"):
            path = Path(self.dir) / name
            backup = path.with_suffix(".before_resume.json")
            if path.exists() and not backup.exists():  # else the last resume wrote nothing
                written.rename(name, backup.name)
                path.replace(backup)

    def _checksums(self) -> RunChecksums:
        if self._written is None:
            self._written = RunChecksums(Path(self.dir), self._resumed)
        return self._written

    def started_event(self, *args: object, **kwargs: object) -> str:
        run_id = super().started_event(*args, **kwargs)
        self.run_entry[CONFIG_COPY] = self.config  # should config.json be lost
        if self._resumed:
            sessions = self._earlier.pop("earlier_sessions", [])
            self.run_entry["earlier_sessions"] = [*sessions, session_facts(self._earlier)]
        self.save_json(self.run_entry, "run.json")
        return run_id

    def heartbeat_event(
        self, info: JsonObject, captured_out: str, beat_time: datetime, result: object
    ) -> None:
        # Called from Sacred's thread while the run goes on: dump a copy that stands still.
        still = standing(info)
        super().heartbeat_event(still, captured_out, beat_time, result)
        if still and self.unwritten is None:
            (Path(self.dir) / "info.before_resume.json").unlink(missing_ok=True)
            (Path(self.dir) / "metrics.before_resume.json").unlink(missing_ok=True)

    def find_or_save(self, filename: str, store_dir: Path) -> Path:
        """Sacred's, which would read the program's own files once more."""
        path = Path(filename)
        if path.is_relative_to(SRC):
            stored = store_dir / f"{path.stem}_{source_digest(filename)}{path.suffix}"
            if stored.exists():
                return stored
        return super().find_or_save(filename, store_dir)

    def save_json(self, obj: object, filename: str) -> None:
        draft = f".{filename}.part"
        with self._writing:
            super().save_json(obj, draft)
            self._checksums().announce(filename, Path(self.dir) / draft)
            os.replace(os.path.join(self.dir, draft), os.path.join(self.dir, filename))


def standing(info: JsonObject) -> JsonObject:
    """A copy whose lists no longer grow."""
    return {key: list(v) if isinstance(v, list) else v for key, v in dict(info).items()}


def session_facts(entry: JsonObject) -> JsonObject:
    """When the session of a run.json began, how it ended, and when."""
    return {key: entry.get(key) for key in ("start_time", "stop_time", "status", "heartbeat")}


def read_json(path: Path) -> JsonObject:
    """The object in `path`; empty if the file is missing or torn."""
    try:
        content = json.loads(read_bytes(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def make_experiment(
    config: Settings, folder: RunFolder, commit: Commit, main: Callable[..., object]
) -> sacred.Experiment:
    """The Sacred experiment of one run; `main` is called as `main(_run, _config, _log)`."""
    experiment = sacred.Experiment("pymarlk", base_dir=str(REPOSITORY), save_git_info=False)
    setattr(experiment, "logger", calm_logger())  # noqa: B010 - sacred declares it None
    setattr(experiment, "captured_out_filter", apply_backspaces_and_linefeeds)  # noqa: B010
    experiment.observers.append(folder)
    experiment.add_config(config)
    known = (commit.repository, commit.commit, commit.is_dirty)
    for path in source_files():
        of_all = known if path == MAIN else (None, None, None)  # recorded once
        source = Source(str(path), source_digest(str(path)), *of_all)
        experiment.sources.add(source)  # add_source_file refuses all but Python
    experiment.dependencies.update(installed_packages())
    experiment.main(main)
    return experiment


@contextlib.contextmanager
def output_kept(run: sacred.run.Run) -> Iterator[None]:
    """What is printed within goes into cout.txt, also if the run fails there or is stopped.

    Sacred closes its copy of the output before the last heartbeat, and fetches it before that only
    where a run completes.
    """
    try:
        yield
    finally:
        run._get_captured_output()


@functools.cache
def installed_packages() -> list[PackageDependency]:
    """Every package of this Python, with its version."""
    found = (each.metadata for each in importlib.metadata.distributions())  # parsed at each look
    return [PackageDependency(facts["Name"], facts["Version"]) for facts in found]


def calm_logger() -> logging.Logger:
    """Sacred's own messages, from warnings on: a run says itself how it starts and ends."""
    logger = get_logger().getChild("sacred")
    logger.setLevel(logging.WARNING)
    return logger


@functools.cache
def source_digest(path: str) -> str:
    """Of a file of the program, which a process has once for all."""
    return get_digest(path)


def source_files() -> list[Path]:
    """Every file of the program, settings included."""
    return sorted(path for path in SRC.rglob("*") if path.suffix in (".py", ".yaml", ".cpp"))
