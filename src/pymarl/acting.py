"""Actions for runners, whatever a controller's `select_actions` takes and gives."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

from torch import Tensor

from components.episode_buffer import EpisodeBatch
from utils.errors import UserError


class Acting:
    """How one controller is asked for actions.

    FACMAC's is told whether to explore and answers in one-hots where its selector does; EPyMARL's
    MADDPG controller does not take the rows `bs`, and answers for all of them.
    """

    def __init__(self, mac: Any, args: SimpleNamespace) -> None:
        self._args = args
        parameters = inspect.signature(mac.select_actions).parameters.values()
        takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
        names = {parameter.name for parameter in parameters}
        self._takes_rows = takes_any or "bs" in names
        self._takes_explore = "explore" in names

    def choose(
        self,
        mac: Any,
        batch: EpisodeBatch,
        t: int,
        t_env: int,
        rows: slice | list[int] = slice(None),
        testing: bool = False,
    ) -> Tensor:
        """Of the episodes `rows` at slot t: (n, N) indices or (n, N, A) continuous."""
        options: dict[str, Any] = {}
        if self._takes_rows:
            options["bs"] = rows
        if self._takes_explore:
            options["explore"] = not testing
        actions = mac.select_actions(batch, t_ep=t, t_env=t_env, test_mode=testing, **options)
        self._check(actions)
        if self._args.action_kind == "discrete" and actions.ndim == 3:
            actions = actions.argmax(dim=-1)
        return actions if self._takes_rows else actions[rows]

    def _check(self, actions: object) -> None:
        args = self._args
        discrete = args.action_kind == "discrete"
        if isinstance(actions, Tensor):
            vectors = actions.ndim == 3 and actions.shape[1:] == (args.n_agents, args.n_actions)
            indices = actions.ndim == 2 and actions.shape[1] == args.n_agents
            if vectors or (discrete and indices and not actions.is_floating_point()):
                return
        wanted = "(episodes, agents, actions)"
        if discrete:
            wanted = f"(episodes, agents) whole numbers, or one-hots {wanted}"
        raise UserError(
            f"mac={args.mac} gave {described(actions)} from select_actions. Runners take a tensor "
            f"of {wanted}, here with {args.n_agents} agents and {args.n_actions} actions."
        )


def described(value: object) -> str:
    """A value of somebody else's code, in an error."""
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)} of {value.dtype}"
    if isinstance(value, dict):
        return f"a dict of {', '.join(map(str, value))}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
