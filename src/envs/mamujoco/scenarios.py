"""The robots by the names that papers and FACMAC's files give them."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Protocol

from utils.errors import UserError, did_you_mean

VERSION = 5  # of the tasks in gymnasium, the newest
PARTITIONS = {
    "HalfCheetah": ("2x3", "6x1"),
    "Ant": ("2x4", "2x4d", "4x2"),
    "Walker2d": ("2x3",),
    "Hopper": ("3x1",),
    "Humanoid": ("9|8",),
    "HumanoidStandup": ("9|8",),
    "Swimmer": ("2x1",),
    "Reacher": ("2x1",),
    "Pusher": ("3p",),
}
SEGMENTED = {"ManySegmentSwimmer": "Swimmer", "ManySegmentAnt": "Ant"}  # -> what they are made of
OLD_NAMES = {"manyagent_swimmer": "ManySegmentSwimmer", "manyagent_ant": "ManySegmentAnt"}
# In FACMAC every robot was observed like this: what it chose for some was overwritten.
FACMAC_CATEGORIES = "qpos,qvel|qpos"
PACKAGE = "package"  # as the package chooses
OF_JOINTS, OF_BODIES = ("qpos", "qvel", "qfrc_actuator"), ("cvel", "cinert", "cfrc_ext")
CATEGORIES = (*OF_JOINTS, *OF_BODIES, "fingertip_dist")


@dataclass(frozen=True)
class Scenario:
    """One robot and how it is divided."""

    name: str  # as the package has it
    agent_conf: str
    notices: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.name}-v{VERSION} {self.agent_conf}"


def find_scenario(given: str, agent_conf: str) -> Scenario:
    """FACMAC's `scenario_name` and `agent_conf`, checked."""
    stem, _, version = re.fullmatch(r"(.*?)(-v(\d+))?", given).groups()  # type: ignore[union-attr]
    name = OLD_NAMES.get(stem, stem)
    if name in ("coupled_half_cheetah", "CoupledHalfCheetah"):
        raise UserError(f"scenario_name={given}: gymnasium-robotics 1.4.2 cannot run this one.")
    known = [*PARTITIONS, *SEGMENTED]
    if name not in known:
        raise UserError(
            f"Unknown scenario_name '{given}'.{did_you_mean(name, known)} "
            f"Known: {', '.join(known)}."
        )
    _check_partition(name, agent_conf)
    notices = []
    if version is not None and int(version) != VERSION:
        notices.append(
            f"{given} is played as {name}-v{VERSION}, the newest there is; returns of other "
            "versions are not comparable."
        )
    elif name != stem:
        notices.append(f"{given} is played as {name}, with the package's own body.")
    return Scenario(name, agent_conf, tuple(notices))


def _check_partition(name: str, agent_conf: str) -> None:
    if name in SEGMENTED:
        if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", agent_conf) or agent_conf == "1x1":
            raise UserError(
                f"agent_conf={agent_conf}: {name} wants AGENTSxSEGMENTS of each, as in 2x3."
            )
    elif agent_conf not in PARTITIONS[name]:
        raise UserError(
            f"Unknown agent_conf '{agent_conf}' for {name}. Known: {', '.join(PARTITIONS[name])}."
        )


def categories(label: str | None, depths: int) -> list[list[str]] | None:
    """What is seen of joints 0, 1, ... joints away, from FACMAC's "qpos,qvel|qpos"."""
    if label == PACKAGE:
        return None
    parts = [_known("k_categories", part) for part in (label or FACMAC_CATEGORIES).split("|")]
    return [parts[min(depth, len(parts) - 1)] for depth in range(depths)]


def global_categories(label: str | None) -> tuple[str, ...] | None:
    """What all agents see of the whole body; FACMAC's default is nothing."""
    if label == PACKAGE:
        return None
    return tuple(_known("global_categories", label)) if label else ()


class Joint(Protocol):
    """What is used of the package's joints."""

    extra_obs: Container[str]
    bodies: Sequence[object]


def require_shown(key: str, wanted: Sequence[Sequence[str]], joints: Sequence[Joint]) -> None:
    """Refuse words that none of the package's `joints` knows; it would leave them out."""
    shown = [word for word in CATEGORIES if any(_shows(joint, word) for joint in joints)]
    for word in (word for words in wanted for word in words):
        if word not in shown:
            raise UserError(
                f"{key}: this robot shows no {word} there. It shows: {', '.join(shown)}."
            )


def _shows(joint: Joint, word: str) -> bool:
    of_itself = word in OF_JOINTS or word in joint.extra_obs
    return of_itself or (word in OF_BODIES and bool(joint.bodies))


def _known(key: str, label: str) -> list[str]:
    """The words of "qpos,qvel". The package leaves out what it does not know, without a word."""
    words = label.split(",")
    for word in words:
        if word not in CATEGORIES:
            raise UserError(
                f"{key}: unknown '{word}'.{did_you_mean(word, CATEGORIES)} "
                f"Known: {', '.join(CATEGORIES)}; or {PACKAGE} alone."
            )
    return words
