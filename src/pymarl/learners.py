"""Learners that do not say what they keep: those written for PyMARL, and subclasses of ours."""

from __future__ import annotations

import logging
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from components.episode_buffer import EpisodeBatch
from learners.base import Learner
from learners.contract import LearnerContract
from learners.divergence import require_finite
from pymarl.reflection import parts_of, restore, snapshot
from utils.errors import UserError

NEEDED = ("train", "save_models")  # what every run asks of a learner
STATE = ("state_dict", "load_state_dict")
DECLARING = {"stateful", "numbers", "state_dict"}  # any of these says what a class keeps


class ForeignLearner:
    """Keeps what is found among the learner's attributes, and says once what cannot be kept."""

    def __init__(self, learner: Any, name: str, console: logging.Logger) -> None:
        self._learner, self._name, self._console = learner, name, console
        self._says_what_it_keeps = keeps_itself(learner)
        self._told: set[str] = set()
        self.state_dict()  # whoever reads the first lines of a run should know

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> None:
        self._learner.train(batch, t_env, episode_num)

    def require_sound(self) -> None:
        if isinstance(self._learner, Learner):
            self._learner.require_sound()
        parts = list({id(part): part for part in parts_of(vars(self._learner))}.values())
        networks = [part for part in parts if isinstance(part, nn.Module)]
        weights: list[Tensor] = [part for part in parts if isinstance(part, nn.Parameter)]
        weights += [weight for network in networks for weight in network.parameters()]
        require_finite(weights, [part for part in parts if isinstance(part, Optimizer)])

    def cuda(self) -> None:
        self._learner.cuda()

    def save_models(self, path: str) -> None:
        self._learner.save_models(path)

    def load_models(self, path: str) -> None:
        self._learner.load_models(path)

    def state_dict(self) -> dict[str, Any]:
        if self._says_what_it_keeps:
            return dict(self._learner.state_dict())
        state, lost = snapshot(self._learner)
        self._tell(lost)
        return dict(state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self._says_what_it_keeps:
            self._learner.load_state_dict(state)
        else:
            restore(self._learner, state)

    def _tell(self, lost: list[str]) -> None:
        """Name what the checkpoints of this run will lack, each attribute once."""
        new = [name for name in lost if name not in self._told]
        self._told.update(new)
        if new:
            self._console.warning(
                f"Warning: checkpoints cannot keep these attributes of learner={self._name}: "
                f"{', '.join(new)}. A resumed run starts them anew. If that matters, give the "
                "learner state_dict() and load_state_dict(state), which then keep all of it."
            )


def learner_of(made: Any, name: str, console: logging.Logger) -> LearnerContract:
    """The learner itself if it says what it keeps, else one that does so for it."""
    lacking = [method for method in NEEDED if not hasattr(made, method)]
    if lacking:
        raise UserError(
            f"learner={name} has no {' and no '.join(lacking)}. A learner needs train(batch, "
            "t_env, episode_num), cuda(), save_models(path) and load_models(path)."
        )
    if isinstance(made, LearnerContract) and not undeclared(type(made)):
        return made
    return ForeignLearner(made, name, console)


def keeps_itself(learner: object) -> bool:
    """Whether its class has its own pair of methods; a network's knows of no optimisers."""
    kind: Any = type(learner)
    if not all(hasattr(kind, method) for method in STATE):
        return False
    return kind.state_dict not in (nn.Module.state_dict, Learner.state_dict)


def undeclared(kind: type) -> bool:
    """Whether a subclass of our learners adds something and does not say what of it is state."""
    if issubclass(kind, Learner):
        for each in kind.__mro__:
            if is_ours(each) or DECLARING & vars(each).keys():
                return False  # which speaks for all that it is made of
            if any(callable(value) for value in vars(each).values()):
                return True
    return False


def is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "learners"
