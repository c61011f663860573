"""Keywords of Python as the words of a command line, on which they are checked like any others."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from configuration.dialects import ALIASES
from configuration.schema import settings
from configuration.values import parse_word
from utils.errors import UserError, did_you_mean


def words_of(
    keywords: Mapping[str, object], env_args: Mapping[str, object], known: Collection[str]
) -> list[str]:
    """`key=value` for each. What is no setting is an argument of the environment, if it is
    `known`.
    """
    return [*_settings(keywords, known), *(f"env_args.{word}" for word in _typed(env_args))]


def _settings(keywords: Mapping[str, object], known: Collection[str]) -> Iterator[str]:
    for word, key in zip(_typed(keywords), keywords, strict=True):
        if key in settings() or key in ALIASES:
            yield word
        elif key in known:
            yield f"env_args.{word}"
        else:
            listed = ", ".join(sorted(known)) or "none"
            raise UserError(
                f"Unknown setting '{key}'.{did_you_mean(key, [*settings(), *ALIASES, *known])} "
                f"The environment's arguments: {listed}. docs/api.md says where all settings are "
                "listed."
            )


def _typed(values: Mapping[str, object]) -> Iterator[str]:
    for key, value in values.items():
        yield f"{key}={text_of(value)}"


def text_of(value: object) -> str:
    """What is to be typed for a value, so that it is read as what it is."""
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        value = value.tolist()
    if isinstance(value, str) or hasattr(value, "__fspath__"):
        text = str(value)
        return text if parse_word(text) == text else repr(text)
    return repr(value)
