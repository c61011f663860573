"""`python src/main.py sync [RUN...]`: send runs to MongoDB that it does not have, or not all of."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pymongo.errors import PyMongoError

from configuration.mongo import VARIABLE, from_environment, parse_address, usable
from mongo.curves import Curves
from mongo.live import is_delivered, mark, say_number
from mongo.mirror import RunMirror
from mongo.store import Store, reason
from records.resume import locked, models_folder, read_run, run_ids
from records.run_files import RunFiles
from records.tracking import read_json
from utils.errors import UserError
from utils.json_values import JsonObject
from utils.logging import get_logger
from utils.places import is_number, named_results, run_place
from utils.program import MAIN
from utils.settings import Settings

USAGE = f"{MAIN} sync [RUN...] [-m host:port:database | mongo=ADDRESS]"


def main(argv: list[str]) -> int:
    address, words = sort_out(argv)
    folders, named = find_folders(words)
    address = address or from_environment() or saved_address(folders)
    if address is None:
        raise UserError(f"sync needs the database: {USAGE}, or set {VARIABLE}.")
    store = Store(parse_address(address))
    complaint = store.unreachable()
    if complaint:
        raise UserError(f"MongoDB at {store.address.shown} is not available ({complaint}).")
    missing = folders if named else [f for f in folders if not is_delivered(f, store)]
    get_logger().info(f"{len(missing)} of {len(folders)} runs to send to {store.address.shown}")
    failed = 0
    for folder in missing:
        try:
            get_logger().info(f"run {folder.name}: {sync(folder, store)}")
        except UserError as error:
            failed += 1
            get_logger().warning(f"run {folder.name}: left out. {error}")
        except PyMongoError as error:
            raise UserError(
                f"MongoDB was lost at run {folder.name} ({reason(error)}). Type sync again: "
                "it goes on from there."
            ) from error
    store.close()
    return 1 if failed else 0


def sort_out(argv: list[str]) -> tuple[str | None, list[str]]:
    """The database's address, typed as it may be for a run, and the other words."""
    address, words, rest = None, [], list(argv)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in ("-m", "--mongo_db", "--mongo-db", "mongo"):
            if not equals and not rest:
                raise UserError(f"{word} needs an address: {USAGE}")
            address = value if equals else rest.pop(0)
        elif word != "with":
            words.append(word)
    return address, words


def find_folders(words: list[str]) -> tuple[list[Path], bool]:
    """The runs that are named; else all of them, oldest first."""
    results, named = named_results(words)
    if named:
        return [_folder(results, word) for word in named], True
    return [results / "sacred" / run_id for run_id in reversed(run_ids(results))], False


def saved_address(folders: list[Path]) -> str | None:
    """That of the newest of these runs which was to be in a database; not if it has a password."""
    for folder in reversed(folders):
        if address := usable(read_json(folder / "config.json").get("mongo")):
            return address
    return None


def _folder(results: Path, word: str) -> Path:
    place = run_place(word, results)
    if not (place.folder / "run.json").exists():
        known = ", ".join(run_ids(place.results)[:20]) or "none yet"
        raise UserError(f"There is no run {place.run_id} in {place.folder.parent}. Known: {known}.")
    return place.folder.resolve()


def sync(folder: Path, store: Store) -> str:
    """Make the database have the run in `folder`; returns what to say of it."""
    run = read_run(folder.parent.parent, folder.name)
    if run is None or not is_number(folder.name):
        raise UserError("Its config.json cannot be read, or its folder has no number for a name.")
    with locked(models_folder(folder.parent.parent, run.config)):  # nobody may be running it
        try:
            mirror = mirror_of(folder, store, run.config)
            for path in mirror.files:
                path.stat()  # all there, before the database hears of the run
            mirror.deliver()
        except (OSError, KeyError, TypeError, ValueError) as error:
            why = f"{type(error).__name__}: {error}"
            raise UserError(f"Its files are torn or missing ({why}).") from error
        mark(mirror)
        say_number(mirror)
    points = sum(len(curve["steps"]) for curve in mirror.curves.values())
    return f"sent, {mirror.run_entry['status']}, {len(mirror.curves)} metrics, {points} points"


def mirror_of(folder: Path, store: Store, config: Settings) -> RunMirror:
    """The files of a run, told to a mirror as Sacred would have told it."""
    entry = RunFiles(folder).object("run.json")
    mirror = RunMirror(store, config["unique_token"], folder.parent)
    mirror.started_event(
        entry["experiment"],
        entry["command"],
        entry["host"],
        _time(entry["start_time"]),
        config,
        entry["meta"],
        _id=folder.name,
    )
    mirror.log_metrics(_curves(folder), {})
    output = folder / "cout.txt"
    mirror.heartbeat_event(
        _first(folder, "info"),
        output.read_text(errors="replace") if output.exists() else "",
        _time(entry.get("heartbeat")),
        entry.get("result"),
    )
    for name in entry["artifacts"]:
        mirror.artifact_event(name, str(folder / name))
    _tell_end(mirror, entry)
    return mirror


def _tell_end(mirror: RunMirror, entry: JsonObject) -> None:
    """A run that says RUNNING and is not was killed: it ends where its heart stopped."""
    status, stopped = entry["status"], _time(entry.get("stop_time") or entry.get("heartbeat"))
    if status == "COMPLETED":
        mirror.completed_event(stopped, entry.get("result"))
    elif status == "FAILED":
        mirror.failed_event(stopped, entry.get("fail_trace"))
    else:
        mirror.interrupted_event(stopped, "INTERRUPTED" if status == "RUNNING" else status)


def _curves(folder: Path) -> Curves:
    curves = _first(folder, "metrics")
    for curve in curves.values():
        curve["timestamps"] = [_time(text) for text in curve["timestamps"]]
    return curves


def _first(folder: Path, name: str) -> JsonObject:
    """The file, or what a resumed run that wrote nothing had put aside."""
    files = RunFiles(folder)
    return files.object(f"{name}.json") or files.object(f"{name}.before_resume.json")


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
