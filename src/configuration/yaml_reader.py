"""YAML as settings files need it: what is too much is refused before it is built.

Numbers, text, lists and mappings only. Dates are text, as nothing here is a date. All limits hold
for any file that a person would write; aliases count as often as they are used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode

from configuration.plain import DEEPEST, flaw

MOST_BYTES = 1_000_000  # of a file
MOST_ENTRIES = 10_000  # values, lists and mappings, those that aliases repeat included
LONGEST_NUMBER = 100  # characters; 64 bits take 20, and 66 when written in ones and zeros
PREFIX = "tag:yaml.org,2002:"
KINDS = {  # tag -> what it is called
    f"{PREFIX}null": "null",
    f"{PREFIX}bool": "True or False",
    f"{PREFIX}int": "whole number",
    f"{PREFIX}float": "number",
    f"{PREFIX}str": "text",
    f"{PREFIX}seq": "list",
    f"{PREFIX}map": "mapping",
    f"{PREFIX}merge": "merge key",
}
MERGE = f"{PREFIX}merge"
NUMBERS = (f"{PREFIX}int", f"{PREFIX}float")
READ_AS_TEXT = (f"{PREFIX}timestamp", f"{PREFIX}value")  # 2024-01-31 and a lone =


class _Reader(yaml.SafeLoader):
    """Counts while it composes nodes, which share what aliases repeat, and builds values after."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in known if tag not in READ_AS_TEXT]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._entries = 0
        self._entries_of: dict[int, int] = {}  # id of a node -> entries below it, itself included

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """One node, counted; an alias counts as all that it repeats."""
        mark, repeats = self.peek_event().start_mark, self.check_event(yaml.AliasEvent)
        before, self._depth = self._entries, self._depth + 1
        if self._depth > DEEPEST:
            _refuse(f"more than {DEEPEST} lists or mappings inside each other", mark)
        node = super().compose_node(parent, index)
        if repeats and id(node) not in self._entries_of:
            _refuse("an alias repeats what it stands in", mark)
        self._entries += self._entries_of[id(node)] if repeats else 1
        if self._entries > MOST_ENTRIES:
            _refuse(f"more than {MOST_ENTRIES:,} values, counting what aliases repeat", mark)
        if not repeats and node is not None:
            _refuse_tag(node)
            self._entries_of[id(node)] = self._entries - before
        self._depth -= 1
        return node

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        """Refuses a key with two values: YAML would silently take the last."""
        node = super().compose_mapping_node(anchor)
        seen: dict[str, Node] = {}
        for key_node, value_node in node.value:
            if key_node.tag == MERGE:
                continue
            key = self._key(key_node)
            other = seen.setdefault(key, value_node)
            if other is not value_node and self._content(other) != self._content(value_node):
                both = f"{_shown(other)} and then {_shown(value_node)}"
                _refuse(f"'{key}' is {both}", key_node.start_mark)
        return node

    def construct_object(self, node: Node, deep: bool = False) -> object:
        """The value of a node; text that cannot be what its tag says is an error with a place."""
        if not isinstance(node, ScalarNode):
            return super().construct_object(node, deep)
        if node.tag in NUMBERS and len(node.value) > LONGEST_NUMBER:
            _refuse(f"a number of {len(node.value):,} characters", node.start_mark)
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, list | dict):  # !!map abc
                raise ValueError(node.value)
        except (ValueError, LookupError):
            _refuse(f"{_shown(node)!r} is no {KINDS[node.tag]}", node.start_mark)
        if found := flaw(value):
            _refuse(found, node.start_mark)
        return value

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            _refuse("a list or a mapping is no key; keys are text", node.start_mark)
        key = self.construct_object(node)
        if not isinstance(key, str):
            _refuse(f"the key {_shown(node)} is no text; put it in quotes", node.start_mark)
        return key

    def _content(self, node: Node) -> object:
        """What can be compared: values without their places in the file."""
        if isinstance(node, ScalarNode):
            return self.construct_object(node)
        return [self._content(below) for below in _below(node)]


def parse_yaml(text: str) -> object:
    """The content of a YAML text; a `yaml.YAMLError` if it has none that is sound."""
    reader = _Reader(text)
    try:
        return reader.get_single_data()
    except (ValueError, OverflowError):  # PyYAML's scanner converts some numbers unchecked
        _refuse("a character code or a number is out of range", reader.get_mark())
    finally:
        reader.dispose()


def explain(error: yaml.YAMLError, text: str) -> str:
    """One sentence: what is wrong, and in which line."""
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    if "\t" in text and "\\t" in problem:
        problem = "a tab stands where spaces must"
    number = _line_number(error, text)
    if number is None:
        return f"{problem}."
    lines = text.splitlines()
    line = lines[number].strip() if number < len(lines) else ""
    return f"{problem}, line {number + 1}: {line[:80]!r}."


def _line_number(error: yaml.YAMLError, text: str) -> int | None:
    """Counted from 0; the reader of characters knows a position only."""
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return int(mark.line)
    position = getattr(error, "position", None)
    return None if position is None else text.count("\n", 0, position)


def _below(node: Node) -> Iterator[Node]:
    for entry in node.value:
        yield from entry if isinstance(entry, tuple) else (entry,)


def _refuse_tag(node: Node) -> None:
    if node.tag not in KINDS:
        _refuse(f"the tag {node.tag} says what no setting is; leave it out", node.start_mark)


def _shown(node: Node) -> str:
    return str(node.value[:40]) if isinstance(node, ScalarNode) else f"a {KINDS[node.tag]}"


def _refuse(problem: str, mark: yaml.Mark) -> NoReturn:
    raise ConstructorError(problem=problem, problem_mark=mark)
