"""What is saved of a learner: PyMARL's files, and the state that a resumed run needs."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, ClassVar, Protocol

from torch import nn
from torch.optim import Optimizer

from controllers.contract import MAC
from modules.contract import Network
from utils.needs import Given
from utils.weights import load_weights, save_weights


class Stateful(Protocol):
    """Networks, optimisers and all else that has a state_dict."""

    def state_dict(self) -> Any: ...

    def load_state_dict(self, state: Any, /) -> Any: ...


class SavedState:
    """The state is what the classes of a learner declare; declarations of bases are collected.

    An attribute that changes in training and is not declared would start anew in a resumed run.
    """

    args: SimpleNamespace
    mac: MAC
    mixer: nn.Module | None

    stateful: ClassVar[tuple[str, ...]] = ()  # attributes with a state_dict; None is left out
    numbers: ClassVar[tuple[str, ...]] = ()  # attributes that are numbers or tensors themselves

    def state_dict(self) -> dict[str, Any]:
        parts = {name: part.state_dict() for name, part in self.parts().items()}
        return {**parts, **{name: getattr(self, name) for name in declared(type(self), "numbers")}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put a state back; networks and optimisers in place, for others hold them, too."""
        for name, part in self.parts().items():
            part.load_state_dict(state[name])
        for name in declared(type(self), "numbers"):
            setattr(self, name, state[name])

    def parts(self) -> dict[str, Stateful]:
        """The declared attributes with a state_dict, by name."""
        found = {name: attrgetter(name)(self) for name in declared(type(self), "stateful")}
        return {name: part for name, part in found.items() if part is not None}

    def weights(self) -> Iterator[nn.Parameter]:
        """The parameters of all networks that are declared."""
        for part in self.parts().values():
            if isinstance(part, nn.Module):
                yield from part.parameters()

    def optimisers(self) -> Iterator[Optimizer]:
        """All optimisers that are declared."""
        yield from (part for part in self.parts().values() if isinstance(part, Optimizer))

    # PyMARL's files

    def files(self) -> dict[str, Stateful]:
        """File name -> network or optimiser, as PyMARL names them; the controller saves itself."""
        return {} if self.mixer is None else {"mixer.th": self.mixer}

    def save_models(self, path: str) -> None:
        self.mac.save_models(path)
        for name, stateful in self.files().items():
            save_weights(stateful, path, name)

    def load_models(self, path: str) -> None:
        """Targets are not saved, as in PyMARL: they start as copies.

        Who only tests needs what acts alone, so that other learners' agents can be tested, too.
        """
        self.mac.load_models(path)
        if not Given(vars(self.args)).learns:
            return
        for name, stateful in self.files().items():
            load_weights(stateful, path, name)
        for network, target in self.networks_and_targets():
            target.load_state_dict(network.state_dict())

    def networks_and_targets(self) -> list[tuple[Network, Network]]:
        raise NotImplementedError


def declared(kind: type, what: str) -> list[str]:
    """The names in the attribute `what` of a class and of all its bases, the bases' first."""
    names = (name for base in reversed(kind.__mro__) for name in vars(base).get(what, ()))
    return list(dict.fromkeys(names))
