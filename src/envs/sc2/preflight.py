"""What must hold before a game is started, checked in less than a second and without one.

`check_run` goes before every run, in the main process: it stops at the first fault. `doctor` shows
all findings.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from components.replay.memory import available_bytes, human
from envs.multiagentenv import RunFacts
from envs.sc2 import installation
from envs.sc2.failures import (
    MISSING_GAME,
    MISSING_MAP,
    NO_TEMPORARY_FOLDER,
    UNKNOWN_MAP,
    WRONG_SETTING,
    PreflightError,
)
from envs.sc2.maps import SMAC_MAPS, SMACV2_FILE, SMACV2_MAPS, capabilities
from envs.sc2.suites import (
    SMAC,
    SMACV2,
    Suite,
    allow_new_protobuf,
    pass_by_proxies,
    protobuf_major,
    version_of,
)
from envs.values import EnvArgs
from utils.errors import did_you_mean
from utils.findings import Finding

PACKAGES = ("SMAC", "SMACv2", "pysc2", "s2clientprotocol", "websocket-client", "protobuf", "numpy")
DIFFICULTIES = (*"123456789", "A")
ROOM = 200 * 2**20  # bytes that one game may unpack into the temporary folder, generously
GAME_MEMORY = 10**9  # bytes that a game may hold: a guess, as no figure is published


@dataclass(frozen=True)
class Plan:
    """What a run wants from the game."""

    suite: Suite
    map_name: str
    game_version: str | None
    n_games: int = 1
    env_args: EnvArgs = field(default_factory=dict)

    @cached_property
    def root(self) -> Path:
        return installation.game_folder()

    @cached_property
    def build(self) -> int:
        return installation.choose_build(self.root, self.game_version)

    @cached_property
    def map_file(self) -> Path:
        name = self.map_name if self.suite is SMAC else SMACV2_FILE
        return installation.map_file(self.root, name)


def plan_for(suite: Suite, env_args: EnvArgs, n_games: int = 1) -> Plan:
    return Plan(suite, env_args["map_name"], env_args.get("game_version"), n_games, env_args)


def check_settings(plan: Plan) -> Finding:
    """Those with which every episode would fail, and the run only after all its tries."""
    difficulty = plan.env_args.get("difficulty", "7")
    if difficulty not in DIFFICULTIES:
        raise PreflightError(
            f"env_args.difficulty={difficulty!r} cannot be. It is text, one of "
            f"{', '.join(DIFFICULTIES)}; PyMARL's is 7.",
            WRONG_SETTING,
        )
    if plan.suite is SMAC and plan.env_args.get("obs_timestep_number"):
        raise PreflightError(
            "env_args.obs_timestep_number=True makes SMAC's observations one longer than it says. "
            "Leave it out; state_timestep_number=True works.",
            WRONG_SETTING,
        )
    teams = plan.env_args.get("capability_config") or {}
    sizes = {key: plan.env_args[key] for key in ("n_units", "n_enemies") if key in plan.env_args}
    if idle := [key for key, size in sizes.items() if teams.get(key, size) != size]:
        said = ", ".join(f"{key}={teams[key]}" for key in idle)
        return Finding(
            f"capability_config says {said}; env_args.{' and env_args.'.join(idle)} is ignored",
            warning=True,
        )
    return Finding("as they must be")


def check_packages(plan: Plan) -> Finding:
    plan.suite.check_installed()
    installed = [f"{name} {version_of(name)}" for name in PACKAGES if version_of(name)]
    slow = "; protobuf reads messages in Python" if protobuf_major() >= 4 else ""
    return Finding(", ".join(installed) + slow)


def check_game(plan: Plan) -> Finding:
    installation.check_folder(plan.root)
    return Finding(str(plan.root))


def check_version(plan: Plan) -> Finding:
    name = installation.version_name(plan.build)
    if plan.build in installation.BUILDS.values():
        return Finding(name)
    usual = ", ".join(installation.BUILDS)
    return Finding(f"{name}; results of other versions ({usual}) are not comparable", warning=True)


def check_binary(plan: Plan) -> Finding:
    installation.check_binary(plan.root, plan.build)
    return Finding(str(installation.binary_of(plan.root, plan.build)))


def check_map(plan: Plan) -> Finding:
    """The name first: a typo should not be answered with a missing file."""
    known = SMAC_MAPS if plan.suite is SMAC else SMACV2_MAPS
    if plan.map_name not in known and not (plan.suite is SMAC and plan.map_file.is_file()):
        raise PreflightError(_unknown_map(plan), UNKNOWN_MAP)
    if not plan.map_file.is_file():
        command = installation.installer(plan.root, "--maps-only", *plan.suite.installer_options)
        raise PreflightError(f"{plan.map_file} is missing.\nType: {command}", MISSING_MAP)
    digest = installation.sha256(plan.map_file)
    expected = SMAC_MAPS.get(plan.map_file.stem)
    if expected is not None and not digest.startswith(expected):
        text = f"{plan.map_file} {digest[:8]} is not the published file, {expected}"
        return Finding(text, warning=True)
    return Finding(_map_words(plan))


def _map_words(plan: Plan) -> str:
    digest = installation.sha256(plan.map_file)
    return f"{plan.map_name}, {plan.map_file.name} {digest[:8]}"


def _unknown_map(plan: Plan) -> str:
    known = SMAC_MAPS if plan.suite is SMAC else SMACV2_MAPS
    text = f"Unknown map '{plan.map_name}' for {plan.suite.title}."
    text += f"{did_you_mean(plan.map_name, known)} Known: {', '.join(known)}."
    for other, names in ((SMAC, SMAC_MAPS), (SMACV2, SMACV2_MAPS)):
        if other is not plan.suite and plan.map_name in names:
            option = "sc2" if other is SMAC else "sc2v2"
            text += f"\nIt belongs to {other.title}: type --env-config={option}."
    return text


def check_temporary_folder(plan: Plan) -> Finding:
    try:
        folder = tempfile.gettempdir()
        with tempfile.TemporaryFile():
            status = os.statvfs(folder)
    except OSError as error:
        raise PreflightError(
            f"No temporary folder can be used: {error.strerror}. Type: export "
            "TMPDIR=/some/other/place",
            NO_TEMPORARY_FOLDER,
        ) from error
    free = status.f_bavail * status.f_frsize
    if free < ROOM * plan.n_games:
        text = f"{folder} has only {free >> 20} MiB free for {plan.n_games} games"
        return Finding(text + "; export TMPDIR=/some/other/place", warning=True)
    return Finding(f"{folder}, {free >> 20} MiB free")


def check_memory(plan: Plan) -> Finding:
    """An estimate can warn and not forbid."""
    games = "1 game" if plan.n_games == 1 else f"{plan.n_games} games"
    needed, free = GAME_MEMORY * plan.n_games, available_bytes()
    text = f"{games} may take {human(needed)} (a guess, {human(GAME_MEMORY)} each), "
    if free is None:
        return Finding(text + "what is free this system does not say")
    if needed <= free:
        return Finding(f"{text}{human(free)} are free")
    return Finding(
        f"{text}but only {human(free)} are free; lower batch_size_run or test_batch_size_run",
        warning=True,
    )


CHECKS: dict[str, Callable[[Plan], Finding]] = {
    "settings": check_settings,
    "packages": check_packages,
    "game": check_game,
    "version": check_version,
    "binary": check_binary,
    "map": check_map,
    "temporary folder": check_temporary_folder,
    "memory": check_memory,
}


def look(check: Callable[[Plan], Finding], plan: Plan) -> Finding:
    """Make one check; what may not be read is as good as missing."""
    try:
        return check(plan)
    except OSError as error:
        raise PreflightError(
            f"StarCraft II cannot be looked at: {error}.\n{installation.WAYS_OUT}", MISSING_GAME
        ) from error


def check_run(suite: Suite, env_args: EnvArgs, n_games: int) -> RunFacts:
    """The facts of a run that can start; else the error that says what to do."""
    pass_by_proxies()
    allow_new_protobuf()  # before TensorBoard, say, brings protobuf in
    plan = plan_for(suite, env_args, n_games)
    findings = {name: look(check, plan) for name, check in CHECKS.items()}
    return RunFacts(
        head=f"StarCraft II {installation.version_name(plan.build)}",
        details=f"{_map_words(plan)}; {findings['packages'].text}",
        record=dict(_record(plan)),
        warnings=[f"{name}: {found.text}." for name, found in findings.items() if found.warning],
    )


def _record(plan: Plan) -> Iterator[tuple[str, object]]:
    yield "game_version", installation.version_name(plan.build)
    yield "game_build", plan.build
    yield "game_folder", str(plan.root)
    yield "map_name", plan.map_name
    yield "map_sha256", installation.sha256(plan.map_file)
    yield "packages", {name: version_of(name) for name in PACKAGES if version_of(name)}


def with_capabilities(env_args: EnvArgs) -> EnvArgs:
    """SMACv2's arguments; what `capability_config` does not say is as published."""
    completed = dict(env_args)
    n_units, n_enemies = completed.pop("n_units", 5), completed.pop("n_enemies", 5)
    given = completed.get("capability_config") or {}
    if "team_gen" in given:
        completed["capability_config"] = {"n_units": n_units, "n_enemies": n_enemies, **given}
    else:
        if completed["map_name"] not in SMACV2_MAPS:
            raise PreflightError(_unknown_map(plan_for(SMACV2, completed)), UNKNOWN_MAP)
        published = capabilities(completed["map_name"], n_units, n_enemies)
        completed["capability_config"] = {**published, **given}
    return completed
