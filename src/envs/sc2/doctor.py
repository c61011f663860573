"""Is this machine ready for StarCraft II? A part of `python src/main.py doctor`."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from components.replay.memory import human
from envs.build import make_env, n_environments
from envs.multiagentenv import MultiAgentEnv
from envs.sc2.failures import LAUNCH_FAILED, PreflightError
from envs.sc2.leftovers import dead_folders, orphans, resident_memory
from envs.sc2.preflight import CHECKS, Plan, look, plan_for
from envs.sc2.suites import LOCAL, Suite
from envs.values import EnvArgs
from utils.findings import FAULT, OK, WARNING, Finding, say

NEEDS = {"version": "game", "binary": "version", "map": "game"}  # else nothing to look at


def examine_game(suite: Suite, config: dict[str, Any], launch: bool) -> int:
    """Print what was found; 0 if a run can start, else the exit code of the first fault."""
    env_args, n_games = config["env_args"], n_environments(config)
    exit_code = examine(plan_for(suite, env_args, n_games))
    if exit_code == 0 and launch:
        exit_code = try_it(config["env"], env_args, n_games)
    return exit_code


def examine(plan: Plan) -> int:
    """All checks, a line each; those after a fault too, as far as they can still be made."""
    exit_code = 0
    unsound: set[str] = set()  # found bad, or not looked at
    for name, check in {**CHECKS, **MORE}.items():
        if NEEDS.get(name) in unsound:
            unsound.add(name)
            continue
        try:
            found = look(check, plan)
            say(WARNING if found.warning else OK, name, found.text)
        except PreflightError as error:
            exit_code = exit_code or error.exit_code
            unsound.add(name)
            say(FAULT, name, str(error))
    return exit_code


def try_it(name: str, env_args: EnvArgs, n_games: int) -> int:
    """Start the game and play one episode of random actions."""
    random = np.random.default_rng(0)
    env = make_env(name, {**env_args, "launch_tries": 1}, seed=0)
    try:
        began = time.monotonic()
        env.reset()
        started = time.monotonic()
        steps = play(env, random)
        speed = steps / (time.monotonic() - started)
        memory = resident_memory(env)
    except Exception as error:
        say(FAULT, "launch", f"{error}")
        return LAUNCH_FAILED
    finally:
        env.close()
    held = f"; it holds {human(memory)}, {n_games} will {human(memory * n_games)}" if memory else ""
    say(OK, "launch", f"{started - began:.1f} s, then {speed:.0f} steps/s by random play{held}")
    return 0


def play(env: MultiAgentEnv, random: np.random.Generator) -> int:
    steps, ended = 0, False
    while not ended:
        choices = [np.flatnonzero(avail) for avail in env.get_avail_actions()]
        _, ended, _ = env.step([int(random.choice(choice)) for choice in choices])
        steps += 1
    return steps


def check_proxy(plan: Plan) -> Finding:
    """Only said: the adapter sees to it in its own processes."""
    proxy = os.environ.get("http_proxy") or os.environ.get("HTTP_PROXY")
    spared = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if not proxy or any(host in spared.split(",") for host in ("*", *LOCAL)):
        return Finding("not in the way")
    return Finding("http_proxy is set; runs add 127.0.0.1 to no_proxy themselves")


def check_leftovers(plan: Plan) -> Finding:
    """Told, never touched: somebody may still want them."""
    games, folders = orphans(), dead_folders()
    if not games and not folders:
        return Finding("none")
    said = []
    if games:
        said.append(f"games without a parent: kill {' '.join(map(str, games))}")
    if folders:
        said.append(f"folders of dead games: rm -r {' '.join(map(str, folders))}")
    return Finding("\n".join(said), warning=True)


MORE = {"proxy": check_proxy, "leftovers": check_leftovers}
