"""What the value of a setting can be: what a run's record, which is JSON, gives back unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator

from utils.errors import UserError

LARGEST = 2**63 - 1  # numpy, torch and databases count in 64 bits
DEEPEST = 32  # lists and mappings inside each other; nothing here needs five
LONGEST_NAME = 200  # bytes; file systems allow 255, and a run's token has the time besides
RESERVED = ("$", "py/", "json://")  # how keys with a meaning of their own begin, in Sacred's files


def flaw(value: object) -> str | None:
    """Why one value that is no list and no mapping cannot be a setting's; None if it can."""
    if isinstance(value, str):
        return _flaw_of_text(value)
    if isinstance(value, int) and abs(value) > LARGEST:
        return f"a whole number beyond {LARGEST} ({value.bit_length()} bits; 64 are the most)"
    if value is None or isinstance(value, int | float):
        return None
    return (
        f"a {type(value).__name__}; settings are numbers, text, True, False, null, lists, mappings"
    )


def flaw_of_key(key: object) -> str | None:
    """Why `key` cannot name an entry of a mapping; None if it can."""
    if not isinstance(key, str):
        return f"the key {key!r} is no text; put it in quotes"
    if not key:
        return "a key is empty"
    if "." in key or "=" in key or key.startswith(RESERVED):
        return f"the key {key!r} has one of . = or begins with {', '.join(RESERVED)}"
    return _flaw_of_text(key)


def check_plain(key: str, value: object, origin: str, within: str = "") -> None:
    """Refuse what no run's record could hold; `origin` says where it was given."""
    found = flaw_of_key(key) or next(_flaws(value, 0), None)
    if found:
        raise UserError(f"{within}{key} ({origin}) cannot be: {found}.")


def check_folder_name(name: str) -> None:
    """`name` stands in the names of folders, together with the time."""
    if not re.fullmatch(r"[^/\\\0]*[^/\\\0.][^/\\\0]*", name):
        raise UserError(f"name={name!r} cannot be: it names folders, so no slashes.")
    if not name.isprintable() or len(name.encode()) > LONGEST_NAME:
        raise UserError(
            f"name={name!r} cannot be: it names folders, so at most {LONGEST_NAME} characters that "
            "can be printed."
        )


def _flaws(value: object, depth: int) -> Iterator[str]:
    if depth > DEEPEST:
        yield f"more than {DEEPEST} lists or mappings inside each other"
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from filter(None, [flaw_of_key(key)])
            yield from _flaws(entry, depth + 1)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _flaws(entry, depth + 1)
    elif found := flaw(value):
        yield found


def _flaw_of_text(text: str) -> str | None:
    if "\0" in text:
        return "text with a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"text that is not Unicode ({text[error.start]!r} is half of a character)"
    return None
