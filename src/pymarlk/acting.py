"""What a run learned, without its environment: a batch of teams acts at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from configuration.plugins import load_plugins
from envs.build import make_env
from exporting.description import DESCRIPTION, read_exported
from exporting.formats import FORMATS, load_safetensors
from modules.sizes import flat_size
from policies.contract import Observed
from policies.guided import GuidedPolicy
from policies.independent import IndependentPolicy
from pymarlk.runs import Run, find
from records.checkpoint import find_checkpoint
from records.run_files import RunFiles
from training.alone import policy_of_run, untrained
from training.task import TaskSizes
from utils.errors import UserError
from utils.logging import get_logger
from utils.places import expanded
from utils.settings import ReadSettings

if TYPE_CHECKING:
    from pymarlk import Checkpoint

Array = npt.NDArray[np.generic]
MEANING_OF_WIDTH = {"obs": "what an agent observes", "avail": "its actions"}


class Memory(NamedTuple):
    """What agents know of an episode so far."""

    hidden: Tensor  # (B, N, H)
    last_actions: Tensor  # as vectors, zeros at first (B, N, A)


class Policy:
    """Acts for teams of agents, greedily or as in training, a batch of episodes at a time."""

    def __init__(
        self,
        inner: IndependentPolicy,
        settings: ReadSettings,
        task: TaskSizes,
        step: int,
        explores: bool = True,
    ) -> None:
        """Whether it `explores` is whether there is what acts while agents learn."""
        self.inner, self.settings, self.task, self.step = inner, settings, task, step
        self._explores = explores

    @property
    def n_agents(self) -> int:
        return self.task.n_agents

    @property
    def n_actions(self) -> int:
        """How many there are, or how many numbers a continuous one has."""
        return self.task.n_actions

    def blank(self, n_episodes: int) -> Memory:
        """What agents know before the first slot."""
        last_actions = torch.zeros(n_episodes, self.n_agents, self.n_actions)
        return Memory(self.inner.blank_memory(n_episodes), last_actions)

    @torch.no_grad()
    def act(
        self,
        obs: npt.ArrayLike,
        avail: npt.ArrayLike | None = None,
        memory: Memory | None = None,
        explore: bool = False,
    ) -> tuple[Array, Memory]:
        """Actions as environments take them, and what agents know after the slot.

        obs (B, N, O), avail (B, N, A) with 1 where an action may be taken -> actions (B, N) of
        whole numbers, or (B, N, A) of continuous ones. Without a memory episodes begin; without
        `avail` all actions may be taken. As in tests, unless it is to `explore` as in training.
        """
        if explore and not self._explores:
            raise UserError(
                "act: in training the guide acts, and an exported folder has the agents alone. "
                "Without explore=True they act; the guide is in the run: load_policy(RUN)."
            )
        seen = self._rows("obs", obs, flat_size(self.task.obs_shape))
        B = len(seen)
        sizes = (B, self.n_agents, self.n_actions)
        able = torch.ones(sizes) if avail is None else self._rows("avail", avail, self.n_actions)
        before = self.blank(B) if memory is None else memory
        if len(able) != B or len(before.hidden) != B:
            raise UserError(
                f"act: obs is of {B} episodes, avail of {len(able)} and memory of "
                f"{len(before.hidden)}. All three are of the same episodes."
            )
        noise = self.inner.draw_noise(B, testing=not explore)
        observed = Observed(seen, before.last_actions, able, noise=noise)
        stored, hidden = self.inner.act(observed, before.hidden, self.step, testing=not explore)
        head = self.inner.head
        return head.to_played(stored).numpy(), Memory(hidden, head.vector(stored))

    def _rows(self, name: str, given: npt.ArrayLike, width: int) -> Tensor:
        try:
            rows = torch.as_tensor(np.asarray(given, np.float32))
        except (TypeError, ValueError) as error:
            raise UserError(f"act: {name} is no array of numbers: {error}") from error
        wanted = (self.n_agents, width)
        if rows.ndim != 3 or rows.shape[1:] != wanted:
            raise UserError(
                f"act: {name} has the shape {tuple(rows.shape)}. It must be (episodes, "
                f"{wanted[0]}, {wanted[1]}): episodes, agents, {MEANING_OF_WIDTH[name]}. One "
                f"episode is {name}[None]."
            )
        return rows

    def __repr__(self) -> str:
        name, env = self.settings["name"], self.settings["env"]
        kind = "numbers of a continuous action" if self.task.action_low else "actions"
        return (
            f"<Policy: {name} on {env}, step {self.step:,}, {self.n_agents} agents, "
            f"{self.n_actions} {kind}>"
        )


def load(run: Run | str | Path | int, checkpoint: Checkpoint, trust: bool) -> Policy:
    """Of a run, or of an exported folder."""
    if not isinstance(run, Run) and (expanded(str(run)) / DESCRIPTION).is_file():
        return load_exported(expanded(str(run)), trust)
    run = find(run)
    run.import_plugins(trust)
    networks, remarks = find_checkpoint(*run.networks(checkpoint))
    for remark in remarks:
        get_logger().warning(f"Warning: {remark}")
    config, task = dict(run.settings), task_of(run)
    return Policy(policy_of_run(config, task, networks), config, task, int(networks.name))


def task_of(run: Run) -> TaskSizes:
    """As the run has recorded it; of runs of earlier versions, as their environment says."""
    record = RunFiles(run.folder).object_or_nothing("info.json").get("task")
    if isinstance(record, dict):
        return TaskSizes.from_record(record)
    env = make_env(run.settings["env"], run.settings["env_args"], seed=0)
    try:
        return TaskSizes.from_env_info(env.get_env_info())
    finally:
        env.close()


def load_exported(folder: Path, trust: bool) -> Policy:
    found = read_exported(folder)
    if found.weights.name != FORMATS["safetensors"].file:
        raise UserError(
            f"{found.weights} is a function for other programs. To go on in Python, export with "
            "--format=safetensors, or load the run itself."
        )
    plugins = found.settings.get("plugins") or []
    if plugins and not trust:
        raise UserError(
            f"{folder} names plugins, programs that would run with your rights: "
            f"{', '.join(map(str, plugins))}. Look at them first; then pass trust=True."
        )
    load_plugins(plugins)
    inner = untrained(found.settings, found.task).policy
    load_safetensors(inner.agent, found.weights)
    explores = not isinstance(inner, GuidedPolicy)
    return Policy(inner, found.settings, found.task, found.step, explores)
