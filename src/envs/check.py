"""Does an environment keep the contract? `python src/main.py check-env --env-config=NAME`.

Every finding is a sentence that says what was expected and what came instead.
"""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from envs.batched import BatchedEnv
from envs.build import make_batched, make_env
from envs.multiagentenv import MultiAgentEnv
from envs.step_result import LARGEST, WHAT_FITS, as_float, normalise_step
from envs.values import Choices, EnvArgs, EnvInfo, Info, Size
from envs.vector.rows import begin, reseeds
from utils.errors import UserError

METHODS = (
    "reset",
    "step",
    "get_obs",
    "get_obs_agent",
    "get_obs_size",
    "get_state",
    "get_state_size",
    "get_avail_actions",
    "get_avail_agent_actions",
    "get_total_actions",
    "get_env_info",
    "close",
)
LEAST_STEPS = 300  # some faults take their time to show
PATIENCE = 120  # seconds for the whole check
SIZES = ("state_shape", "obs_shape", "n_actions", "n_agents", "episode_limit")


def check_env(env: MultiAgentEnv, episodes: int = 3, seed: int = 0) -> list[str]:
    """What is wrong with `env`; nothing if the list is empty."""
    problems = list(_missing(env))
    if problems:
        return problems
    try:
        for problem in _inspect(env, episodes, seed):
            problems.append(problem)  # one by one: what came before an exception counts too
    except UserError as error:
        problems.append(str(error))
    except (Exception, SystemExit) as error:
        problems.append(f"{_place(error)} raised {type(error).__name__}: {error}")
    return list(dict.fromkeys(problems))


def _inspect(env: MultiAgentEnv, episodes: int, seed: int) -> Iterator[str]:
    info = env.get_env_info()
    lacking = [key for key in SIZES if key not in info]
    if lacking:
        yield f"get_env_info() lacks {', '.join(map(repr, lacking))}."
        return
    well = True
    for problem in _play(env, info, episodes, seed):
        well = False
        yield problem
    if well and reseeds(env):
        yield from _check_reseed(env, info, seed)


def _missing(env: MultiAgentEnv) -> Iterator[str]:
    for name in METHODS:
        if not callable(getattr(env, name, None)):
            yield f"The method {name}() is missing."
    for name in ("n_agents", "episode_limit"):
        if not isinstance(getattr(env, name, None), int | np.integer):
            yield f"The attribute {name} must be an integer."


def _play(env: MultiAgentEnv, info: EnvInfo, episodes: int, seed: int) -> Iterator[str]:
    random = np.random.default_rng(seed)
    played = total = 0
    while played < episodes or total < LEAST_STEPS:
        played += 1
        env.reset()
        ended, steps = False, 0
        yield from _look(env, info)
        while not ended:
            held = env.get_obs()
            before = [np.array(obs, copy=True) for obs in held]
            _, ended, _, details = normalise_step(env.step(draw_actions(env, info, random)))
            steps += 1
            total += 1
            if any(not np.array_equal(a, b) for a, b in zip(before, held, strict=True)):
                yield "get_obs() returns arrays that step() changes later; return copies."
            yield from _look(env, info)
            if steps > info["episode_limit"]:
                yield f"An episode went on after episode_limit={info['episode_limit']} steps."
                return
        yield from _look_at_info(details)


def _look(env: MultiAgentEnv, info: EnvInfo) -> Iterator[str]:
    """Sizes, types and values of what the environment shows now."""
    N, A = info["n_agents"], info["n_actions"]
    observations = env.get_obs()
    if len(observations) != N:
        yield f"get_obs() gave {len(observations)} observations for n_agents={N}."
    for agent, obs in enumerate(observations):
        yield from _look_at_vector(f"the observation of agent {agent}", obs, info["obs_shape"])
    yield from _look_at_vector("get_state()", env.get_state(), info["state_shape"])
    yield from _look_at_choices(env.get_avail_actions(), N, A)
    for key, method in (
        ("obs_shape", "get_obs_size"),
        ("state_shape", "get_state_size"),
        ("n_actions", "get_total_actions"),
    ):
        size = getattr(env, method)()
        if not np.array_equal(size, info[key]):
            yield f"{method}() is {size}, but get_env_info()['{key}'] is {info[key]}."


def _look_at_choices(avail: Sequence[Choices], N: int, A: int) -> Iterator[str]:
    if len(avail) != N:
        yield f"get_avail_actions() gave {len(avail)} lists for n_agents={N}."
    for agent, row in enumerate(avail):
        if len(row) != A:
            yield f"get_avail_actions() gave agent {agent} {len(row)} entries for n_actions={A}."
        elif not set(np.asarray(row).tolist()) <= {0, 1}:
            yield f"get_avail_actions() of agent {agent} holds something other than 0 and 1."
        elif not any(row):
            yield f"Agent {agent} has no available action; there must always be one."


def _look_at_vector(what: str, value: object, shape: Size) -> Iterator[str]:
    array = np.asarray(value)
    wanted = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    if array.dtype.kind not in "fiub":
        yield f"{what} has dtype {array.dtype}; it must be numbers."
    elif array.shape != wanted:
        yield f"{what} has shape {array.shape}, but get_env_info() says {wanted}."
    elif not (np.abs(array) <= LARGEST).all():
        yield f"{what} holds {array[~(np.abs(array) <= LARGEST)][0]}. {WHAT_FITS}"


def _look_at_info(details: Info) -> Iterator[str]:
    for key, value in details.items():
        number = as_float(value)
        if number is None or not math.isfinite(number):
            yield f"info['{key}'] is {value!r}; statistics need finite numbers or booleans."


def draw_actions(env: MultiAgentEnv, info: EnvInfo, random: np.random.Generator) -> np.ndarray:
    """Random available actions: (N,) integers, or (N, A) within the bounds."""
    spaces = info.get("action_spaces")
    if spaces:
        drawn = [random.uniform(space.low, space.high) for space in spaces]
        return np.array(drawn, dtype=np.float32)
    return np.array([random.choice(np.flatnonzero(row)) for row in env.get_avail_actions()])


def _check_reseed(env: MultiAgentEnv, info: EnvInfo, seed: int) -> Iterator[str]:
    first, again = (_record(env, info, seed) for _ in range(2))
    if len(first) != len(again) or not all(map(_same, first, again)):
        yield (
            "After reseed(seed) two episodes with the same actions differ: something random does "
            "not come from the seed (numpy's global stream?), or state is left from before."
        )


def _record(env: MultiAgentEnv, info: EnvInfo, seed: int) -> list[np.ndarray]:
    """All that one episode shows."""
    random = np.random.default_rng(seed)
    begin(env, seed)
    shown, ended = [np.array(env.get_obs()), np.array(env.get_state())], False
    while not ended:
        reward, ended, _, _ = normalise_step(env.step(draw_actions(env, info, random)))
        shown += [np.array(reward), np.array(env.get_obs()), np.array(env.get_avail_actions())]
    return shown


def check_batched(name: str, env_args: EnvArgs, seed: int = 0) -> list[str]:
    """Whether the batched face plays the same episodes as the single one."""
    batched = make_batched(name, env_args, n_envs=3)
    rows, seeds = np.arange(3), np.array([seed, seed + 1, seed + 2])
    batched.reset(rows, seeds)
    singles = [make_env(name, env_args, seed) for _ in rows]
    info = batched.get_env_info()
    for env, each in zip(singles, seeds, strict=True):
        env.reseed(int(each))  # type: ignore[attr-defined]
        env.reset()
    random = np.random.default_rng(seed)
    running: list[int] = rows.tolist()
    while running:
        actions = np.array([draw_actions(singles[row], info, random) for row in running])
        step = batched.step(np.array(running), actions)
        for place, row in enumerate(list(running)):
            reward, ended, terminated, _ = normalise_step(singles[row].step(actions[place]))
            together = (step.reward[place], step.ended[place], step.terminated[place])
            if together != (np.float32(reward), ended, terminated):
                return ["The batched face pays or ends otherwise than the single one."]
            if other := _shown_otherwise(batched, row, singles[row]):
                return [f"The batched face shows other {other} than the single one."]
        running = [row for place, row in enumerate(running) if not step.ended[place]]
    return []


def _shown_otherwise(batched: BatchedEnv, row: int, single: MultiAgentEnv) -> str | None:
    """What `row` shows otherwise than `single`, in words; None if all is the same."""
    shown = {
        "observations": (batched.obs[row], single.get_obs()),
        "states": (batched.state[row], single.get_state()),
        "available actions": (batched.avail[row], single.get_avail_actions()),
    }
    differing = (what for what, (one, other) in shown.items() if not _same(one, np.array(other)))
    return next(differing, None)


def _same(one: object, other: object) -> bool:
    return np.array_equal(np.asarray(one, np.float32), np.asarray(other, np.float32))


def _place(error: BaseException) -> str:
    """The method of the environment in which it happened."""
    names = []
    trace = error.__traceback__
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    return next((f"{name}()" for name in names if name in METHODS), f"{names[-1]}()")


def _lose_patience(*_: object) -> None:
    raise TimeoutError(f"no end within {PATIENCE} seconds; does it hang?")


def run_check(name: str, env_args: EnvArgs) -> tuple[str, bool]:
    """A readable report, and whether all is well."""
    env = make_env(name, env_args, seed=0)
    problems = check_env(env)
    info = {} if problems else env.get_env_info()
    if not problems and getattr(type(env), "batched", None) is not None:
        problems += check_batched(name, env_args)
    env.close()
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        return f"{name}: {len(problems)} found.\n{listed}\n", False
    sizes = ", ".join(f"{key} {info[key]}" for key in SIZES)
    faces = "episode, parallel" + (", batched" if getattr(type(env), "batched", None) else "")
    exact = "yes" if reseeds(env) else "no (it has no reseed that decides a whole episode)"
    return (
        f"{name} keeps the contract.\n  {sizes}\n  runners: {faces}\n  exact resume: {exact}\n",
        True,
    )


def main(argv: list[str]) -> int:
    """`check-env --env-config=NAME [with env_args.key=value ...]`: 0 if all is well, else 1."""
    from configuration import load_env_config

    config = load_env_config(argv)
    name, env_args = config["env"], config["env_args"]
    signal.signal(signal.SIGALRM, _lose_patience)
    signal.alarm(PATIENCE)
    report, ok = run_check(name, env_args)
    signal.alarm(0)
    sys.stdout.write(report)
    return 0 if ok else 1
