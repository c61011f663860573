"""Names in a config file -> classes, without importing what is not asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping
from typing import Any

from utils.errors import UserError, did_you_mean


class UnknownNameError(UserError, KeyError):
    """A name that no registry entry carries. Still a KeyError, as PyMARL code expects."""

    def __str__(self) -> str:
        return str(self.args[0])


class Registry(MutableMapping[str, Any]):
    """A dictionary whose values may be written as "module:attribute" and load on first use.

    >>> REGISTRY = Registry("learner", {"q_learner": "learners.q_learner:QLearner"})
    >>> REGISTRY["q_learner"]              # imports learners.q_learner now, not before
    >>> REGISTRY["mine"] = MyLearner       # third-party code registers plainly
    """

    def __init__(self, kind: str, entries: dict[str, Any]) -> None:
        self.kind = kind
        self._entries = dict(entries)
        self._own = dict(entries)
        self.assignments = 0  # how often somebody has registered a name

    def __getitem__(self, name: str) -> Any:
        if name not in self._entries:
            raise UnknownNameError(self._unknown(name))
        entry = self._entries[name]
        if isinstance(entry, str):
            module, _, attribute = entry.partition(":")
            loaded = getattr(importlib.import_module(module), attribute)
            if self._own.get(name) is entry:
                self._own[name] = loaded
            entry = self._entries[name] = loaded
        return entry

    def __setitem__(self, name: str, entry: Any) -> None:
        self._entries[name] = entry
        self.assignments += 1

    def registered(self, name: str) -> bool:
        """Whether `name` is an entry that third-party code has added, or put in place of ours."""
        return name in self._entries and self._entries[name] is not self._own.get(name)

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def _unknown(self, name: str) -> str:
        known = ", ".join(sorted(self._entries))
        return f"Unknown {self.kind} '{name}'.{did_you_mean(name, self._entries)} Known: {known}."
