"""What the parts of a run need of its settings and its environment: declared on their classes.

`configuration.fit` asks the parts that a run has chosen, before anything starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from utils.settings import ReadSettings

CONTINUOUS, DISCRETE = "continuous", "discrete"


@dataclass(frozen=True)
class Given:
    """What a run is given: its settings, and its environment's class if that has been loaded."""

    settings: ReadSettings
    environment: object = None

    def __getitem__(self, key: str) -> Any:
        return self.settings[key]

    @property
    def action_kind(self) -> str | None:
        """CONTINUOUS or DISCRETE; None if only a built environment will tell."""
        known: str | None = self.settings.get("action_kind")
        return known or getattr(self.environment, "action_kind", None)

    @property
    def learns(self) -> bool:
        """False for runs that only test, of which nothing is asked that only learning needs."""
        return not (self.settings.get("evaluate") or self.settings.get("save_replay"))


Demand = Callable[[Any, Given], None]  # (the part's class, what is given); raises a UserError


@dataclass(frozen=True)
class Needs:
    """The attribute `needs` of a learner, controller, selector, mixer, critic or runner class.

    `demands` are inherited like any attribute. `uses` speaks for the class that declares it alone,
    since a subclass may read settings that its base does not.
    """

    demands: tuple[Demand, ...] = ()
    follows: Mapping[str, str] = field(default_factory=dict)  # key -> the key whose value it takes
    uses: frozenset[str] = frozenset()  # settings that it reads and not every part does

    def also(
        self,
        *others: Needs,
        demands: tuple[Demand, ...] = (),
        uses: frozenset[str] | set[str] = frozenset(),
    ) -> Needs:
        """These needs, those of other classes, and some more."""
        added = [*others, Needs(demands=demands, uses=frozenset(uses))]
        return Needs(
            demands=sum((each.demands for each in added), self.demands),
            follows={key: name for each in (self, *added) for key, name in each.follows.items()},
            uses=self.uses.union(*(each.uses for each in added)),
        )

    def without(self, *keys: str) -> Needs:
        """The same for a class that does not read these settings."""
        return Needs(self.demands, self.follows, self.uses - set(keys))


def needs_of(part: object) -> Needs:
    """What a class declares, or inherits; parts of others may declare nothing."""
    found = getattr(part, "needs", None)
    return found if isinstance(found, Needs) else Needs()


def declares_uses(part: object) -> bool:
    """Whether the class itself says which settings it uses."""
    return isinstance(getattr(part, "__dict__", {}).get("needs"), Needs)


def require(part: object, given: Given) -> None:
    """Raise a UserError if something that `part` needs is missing."""
    for demand in needs_of(part).demands:
        demand(part, given)


def listed(settings: ReadSettings) -> str:
    """ "batch_size=8 buffer_size=8": what to type."""
    return " ".join(f"{key}={value}" for key, value in settings.items())
