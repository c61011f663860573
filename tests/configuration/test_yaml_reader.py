"""What settings files may hold, and what is counted before it is built."""

from __future__ import annotations

import pytest
import yaml

from configuration.values import parse_word
from configuration.yaml_reader import MOST_ENTRIES, explain, parse_yaml

PLAIN = "a: 1\nb: [x, 2.5, null, true]\nc: {d: 'e', f: 1e-3}\ng: |\n  lines\n"


def test_plain_files_are_read_as_before() -> None:
    assert parse_yaml(PLAIN) == yaml.safe_load(PLAIN)


def test_merge_keys() -> None:
    content = parse_yaml(
        "base: &base {lr: 0.1, gamma: 0.9}\n"
        "one: {<<: *base, lr: 0.2}\n"
        "two: {<<: [*base, {t_max: 5}]}\n"
        "deep: {inner: &inner {<<: *base, lr: 0.3}}\n"
        "three: {<<: *inner}\n"
    )

    assert content["one"] == {"lr": 0.2, "gamma": 0.9}
    assert content["two"] == {"lr": 0.1, "gamma": 0.9, "t_max": 5}
    assert content["three"] == content["deep"]["inner"] == {"lr": 0.3, "gamma": 0.9}


def test_dates_and_lone_signs_are_text() -> None:
    assert parse_yaml("name: 2024-01-31\nlabel: =") == {"name": "2024-01-31", "label": "="}


@pytest.mark.parametrize("repeats", [9, 10])
def test_aliases_count_as_often_as_they_are_used(repeats: int) -> None:
    # A list of 998 values is 999 entries; the file has a mapping, two keys and a list besides.
    text = f"a: &a [{', '.join('x' * 998)}]\nb: [{', '.join(['*a'] * repeats)}]\n"

    if 4 + 999 * (repeats + 1) <= MOST_ENTRIES:
        assert len(parse_yaml(text)["b"]) == repeats
    else:
        with pytest.raises(yaml.YAMLError) as refusal:
            parse_yaml(text)
        assert "line 2" in explain(refusal.value, text)


def test_what_is_repeated_with_the_same_value_is_no_contradiction() -> None:
    assert parse_yaml("lr: 0.1\nx: [1]\nlr: 0.10\nx: [1]") == {"lr": 0.1, "x": [1]}


@pytest.mark.parametrize("text", ["!!python/object:os.system x", "9" * 5000, "[" * 5000, "b'x'"])
def test_words_that_are_no_yaml_are_text(text: str) -> None:
    assert parse_word(text) == text


@pytest.mark.parametrize("value", ['"\\U00110000"', '"\\UFFFFFFFF"'])
def test_a_character_that_unicode_lacks_is_told_with_its_line(value: str) -> None:
    text = f"lr: 0.1\nlabel: {value}\n"

    with pytest.raises(yaml.YAMLError) as refusal:
        parse_yaml(text)
    assert explain(refusal.value, text).startswith(
        "a character code or a number is out of range, line 2: 'label: "
    )


def test_a_version_of_yaml_that_is_no_number_of_python_is_refused() -> None:
    with pytest.raises(yaml.YAMLError):
        parse_yaml(f"%YAML 1.{'1' * 5000}\n---\nlr: 0.1\n")
