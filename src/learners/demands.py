"""What families of learners demand of settings and environment; `utils.needs` has the means."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Protocol

from utils.errors import UserError
from utils.needs import CONTINUOUS, DISCRETE, Given, listed, needs_of

Settings = dict[str, Any]
VALUE_AGENTS = {
    "cem": "mlp",
    "cemrnn": "rnn",
}  # that value actions -> that choose them
# Suggested for discrete policies where a setting is at its default: key -> (default, better).
SUITABLE = {
    "epsilon_start": (1.0, 0.5),
    "td_lambda": (0.0, 0.8),
    "lr": (0.0005, 0.0025),
    "critic_lr": (None, 0.0005),
}


def policy_and_replay(learner: type, given: Given) -> None:
    """Refuse settings of another family, with one list of what to change."""
    missing = {key: value for key, value in _replayed_policy(given).items() if given[key] != value}
    if given.learns and given["buffer_size"] <= given["batch_size"]:
        missing["buffer_size"] = 5000
    if not missing:
        return
    continuous = given.action_kind == CONTINUOUS
    if not continuous:
        missing |= {
            key: better for key, (default, better) in SUITABLE.items() if given[key] == default
        }
    if given.settings.get("runner_scope") == "transition":  # whose targets look one step ahead
        missing.pop("td_lambda", None)
    family = given["learner"].removesuffix("_discrete").removesuffix("_learner")
    config = f"{family}_mamujoco" if continuous else family
    raise UserError(
        f"learner={given['learner']} needs a policy that learns from replay. These settings do not "
        f"make one. Add: {listed(missing)}\nor start from --config={config} and set what differs."
    )


def _replayed_policy(given: Given) -> Settings:
    """What makes a policy for the environment's kind of action; nothing while that is unknown."""
    if given.action_kind is None:
        return {}
    needed: Settings = {"action_selector": "gaussian"}
    if given.action_kind == DISCRETE:
        # Sampling from the softmax with a floor of epsilon goes by either name.
        drawn = "multinomial" if given["action_selector"] == "multinomial" else "gumbel"
        needed = {"action_selector": drawn, "agent_output_type": "pi_logits"}
    if given["mac"] == "cem_mac":  # values actions, has no policy
        needed["mac"] = "basic_mac"
    if given["agent"] in VALUE_AGENTS:
        needed["agent"] = VALUE_AGENTS[given["agent"]]
    return needed


POLICY_SELECTORS = ("multinomial", "soft_policies", "gumbel", "gaussian")


def value_agents(learner: type, given: Given) -> None:
    """Q-learning needs a value for each of finitely many actions."""
    name = given["learner"]
    if given.action_kind == CONTINUOUS:
        raise UserError(
            f"learner={name} needs discrete actions, and those of env={given['env']} are "
            "continuous. Choose an environment with discrete actions, e.g. --env-config=grid."
        )
    if given["agent_output_type"] != "q":
        raise UserError(
            f"learner={name} learns utilities, but agent_output_type is "
            f"'{given['agent_output_type']}'. "
            "Type agent_output_type=q action_selector=epsilon_greedy."
        )
    if given["action_selector"] in POLICY_SELECTORS:
        raise UserError(
            f"action_selector={given['action_selector']} draws from a policy, and "
            f"learner={name} learns utilities. Type action_selector=epsilon_greedy."
        )


SAMPLERS = ("soft_policies", "multinomial", "gumbel")  # with a floor of epsilon, but for the first
FOLLOWS = {"batch_size": "batch_size_run", "buffer_size": "batch_size_run"}
SENSIBLE_BATCH = 8  # episodes, to suggest to who has not chosen


class KnowsFloors(Protocol):
    """A class of on-policy learners."""

    floor_allowed: bool  # whether it knows of the epsilon that actors may explore with


def present_policy(learner: KnowsFloors, given: Given) -> None:
    """Refuse settings by which others than the present policy would have played, in one list."""
    wanted = _policy(given, learner.floor_allowed)
    if given.learns:
        wanted |= _one_round(given)
    missing = {key: value for key, value in wanted.items() if given[key] != value}
    if missing:
        raise UserError(
            f"learner={given['learner']} learns once from each episode of its present policy, and "
            f"these settings do something else. Add: {listed(missing)}\n"
            "or start from --config=mappo and set what differs."
        )


def _policy(given: Given, floor_allowed: bool) -> Settings:
    """What makes a policy for the environment's kind of action; nothing while that is unknown."""
    if given.action_kind is None:
        return {}
    if given.action_kind == CONTINUOUS:
        return {"action_selector": "soft_policies"}
    wanted: Settings = {"agent_output_type": "pi_logits"}
    explores = max(given["epsilon_start"], given["epsilon_finish"]) > 0
    has_floor = given["action_selector"] != "soft_policies" and explores
    if given["action_selector"] not in SAMPLERS or (has_floor and not floor_allowed):
        wanted["action_selector"] = "soft_policies"
    return wanted


def _one_round(given: Given) -> Settings:
    """Each round fills the buffer, and each update empties it; rollouts pass it by."""
    once = {
        "buffer_warmup": 0,
        "start_steps": 0,
        "n_train": 1,
        "updates_per_episode": None,
        "runner_scope": "episodic",
    }
    if given["rollout_length"]:
        return once
    n = given["batch_size_run"]
    if any(given[key] != n for key in FOLLOWS):
        n = max(n, SENSIBLE_BATCH)
    return {"batch_size_run": n, **dict.fromkeys(FOLLOWS, n), **once}


# What heads and critics read, besides what learners declare.
OF_NETWORKS = frozenset(
    ("action_kind", "action_selector", "agent_output_type", "mask_before_softmax", "rnn_hidden_dim")
)


MOST_LEVELS = 1000  # levels converge long before, or never
KLevel = int | Sequence[Sequence[int]]  # what `k_level` may be


def levels_well_formed(learner: type, given: Given) -> None:
    """Refuse a `k_level` that cannot be read."""
    stages_of(given["k_level"])


ROUND = "round"


def scale_well_formed(learner: type, given: Given) -> None:
    """Refuse a horizon where nobody counts to it, and other words than that one."""
    scale = given["k_lookahead_scale"]
    if not isinstance(scale, str):
        return
    if scale != ROUND:
        raise UserError(
            f"k_lookahead_scale={scale} cannot be. Give a number, 1 for a whole step, or "
            f"k_lookahead_scale={ROUND}, which is as many steps as the round has left."
        )
    if not getattr(learner, "has_horizon", False):
        raise UserError(
            f"k_lookahead_scale={ROUND} needs a learner that takes several steps on a round, as "
            f"kmappo_learner and khappo_learner do; learner={given['learner']} takes one on each "
            "sample. Type k_lookahead_scale=0.5 (or 1)."
        )


def stages_of(k_level: KLevel) -> list[Sequence[int]]:
    """From which environment step on there are how many levels: [step, number], in order."""
    stages = [[0, k_level]] if isinstance(k_level, int) else k_level
    if not _stages_well_formed(stages):
        raise UserError(
            f"k_level={k_level} cannot be. Give the number of levels (1: the base algorithm), "
            f"up to {MOST_LEVELS}, or when each number begins, from step 0 on: "
            "k_level=[[0,2],[500000,1]]"
        )
    return list(stages)


def _stages_well_formed(stages: Sequence[Sequence[int]]) -> bool:
    pairs = all(
        isinstance(stage, list | tuple) and len(stage) == 2 and all(map(_is_integer, stage))
        for stage in stages
    )
    if not stages or not pairs:
        return False
    starts, levels = zip(*stages, strict=True)
    in_order = starts[0] == 0 and list(starts) == sorted(set(starts))
    return in_order and all(1 <= level <= MOST_LEVELS for level in levels)


def _is_integer(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def require_settings(kind: type, args: SimpleNamespace) -> None:
    """Say in another repository's tree which settings are missing there; here are all of them."""
    missing = sorted(name for name in OF_NETWORKS | needs_of(kind).uses if not hasattr(args, name))
    if missing:
        raise UserError(
            f"learner={args.learner} reads settings that this run does not have: "
            f"{', '.join(missing)}.\nTo switch the learner is not enough here. Type "
            "--config=kfacmac, or copy these lines from config/algs/kfacmac.yaml into your "
            "settings file."
        )
