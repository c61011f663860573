"""What all action selectors have in common."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

from torch import Tensor

from components.action_heads import ActionHead, build_head
from components.epsilon_schedules import DecayThenFlatSchedule


class ActionSelector:
    """Chooses by the agents' raw outputs (`choose`), or as PyMARL does (`select_action`)."""

    schedule: DecayThenFlatSchedule | None = None  # of epsilon, if it explores by one
    epsilon: float
    gives_one_hots = False  # from `select_action`

    def __init__(self, args: SimpleNamespace) -> None:
        self.args = args
        self.head: ActionHead = build_head(args)

    def schedule_epsilon(self) -> None:
        args = self.args
        self.schedule = DecayThenFlatSchedule(
            args.epsilon_start, args.epsilon_finish, args.epsilon_anneal_time, decay="linear"
        )
        self.epsilon = self.schedule.eval(0)

    def choose(self, outputs: Tensor, avail: Tensor, t_env: int, testing: bool = False) -> Tensor:
        """Raw outputs (b, N, A) -> actions as they are stored (b, N, 1 or A)."""
        preferences = self.probabilities(outputs, avail, t_env, testing)
        return self.head.to_stored(self.select_action(preferences, avail, t_env, testing))

    def repeatable(
        self, avail: Tensor, t_env: int, testing: bool = False
    ) -> Callable[[Tensor], Tensor] | None:
        """`choose` by random numbers that are drawn now: to actions as vectors (b, N, A).

        The same outputs choose the same actions, as often as it is asked; None if it cannot be so.
        """
        return None

    def probabilities(
        self, outputs: Tensor, avail: Tensor, t_env: int | None = None, testing: bool = False
    ) -> Tensor:
        """What is drawn from, with the floor of epsilon at `t_env`, or as it was last.

        Of agents that value actions, and of continuous ones, the outputs themselves.
        """
        if testing or self.schedule is None:
            return self.head.preferences(outputs, avail)
        floor = self.epsilon if t_env is None else self.schedule.eval(t_env)
        return self.head.preferences(outputs, avail, floor)

    def select_action(
        self, agent_inputs: Tensor, avail_actions: Tensor, t_env: int, test_mode: bool = False
    ) -> Tensor:
        """Values or probabilities (b, N, A) -> actions as they are played (b, N) or (b, N, A)."""
        raise NotImplementedError
