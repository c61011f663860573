"""What words and files a sweep understands, and how it answers those that it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeps.order import Order, read_order, values
from utils.errors import UserError

FILE = """\
config: [qmix, vdn]
env-config: two_step
with:
  seed: 1..3
  lr: [0.001, 5.0e-4]
  plugins: [[a.py, b.py]]
  mixer: [null]
  double_q: [true, false]
cpus: 2
memory: 1.5GB
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("qmix", ["qmix"]),
        ("0.1,0.2", ["0.1", "0.2"]),
        ("1..4", ["1", "2", "3", "4"]),
        ("1..2,7", ["1", "2", "7"]),
        ("[a.py,b.py],c.py", ["[a.py,b.py]", "c.py"]),
        ("'a,b',c", ["'a,b'", "c"]),
        ("0.1..0.2", ["0.1..0.2"]),
        ("", [""]),
    ],
)
def test_commas_separate_and_dots_count(text: str, expected: list[str]) -> None:
    assert values(text) == expected


LINE = (
    "--config=qmix,vdn --env-config grid with seed=1..2 lr=0.1 --cpus 0.5 --gpus=0.25 "
    "--memory=500MB --retries=0 --name=mine --address=auto --dry-run"
)


def test_a_command_line_is_axes_and_options() -> None:
    order = read_order(LINE.split())

    axes = {"config": ["qmix", "vdn"], "env-config": ["grid"], "seed": ["1", "2"], "lr": ["0.1"]}
    assert order == Order(axes, "mine", "auto", 0.5, 0.25, 500_000_000, 0, True)


def test_a_file_says_the_same_and_the_command_line_has_the_last_word(tmp_path: Path) -> None:
    path = tmp_path / "both.yaml"
    path.write_text(FILE)
    order = read_order([str(path), "with", "seed=4", "--cpus=1"])

    assert order.name == "both"
    assert (order.cpus, order.memory) == (1.0, 1_500_000_000)
    assert order.axes == {
        "config": ["qmix", "vdn"],
        "env-config": ["two_step"],
        "seed": ["4"],
        "lr": ["0.001", "0.0005"],
        "plugins": ["['a.py', 'b.py']"],
        "mixer": ["None"],
        "double_q": ["True", "False"],
    }


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("--confg=qmix", r"Unknown option --confg. Did you mean '--config'\?"),
        ("-m db", "Unknown option -m"),
        ("with seed=1 seed=2", r"seed is given twice.*seed=A,B"),
        ("with seed=4..1", r"4\.\.1 holds no number"),
        ("with lr=1,,2", "empty value"),
        ("--cpus=many", "--cpus=many cannot be"),
        ("--gpus=-1", "at least 0"),
        ("--cpus=nan", "--cpus=nan cannot be"),
        ("--cpus=0", "how many runs are played at once"),
        ("--gpus=0.00001", "cannot be. Examples"),
        ("--gpus=1.5", "whole GPUs"),
        ("--name=../mine", "not a path"),
        ("--name=..", "not a path"),
        ("--dry-run=no", "takes no value"),
        ("--memory=2XB", "--memory=2XB cannot be"),
        ("--name", "--name needs a value"),
        ("nowhere.yaml", "no sweep file nowhere.yaml"),
        ("one.yaml two", "'two' is not of the form key=value"),
    ],
)
def test_mistakes_are_answered(words: str, answer: str) -> None:
    with pytest.raises(UserError, match=answer):
        read_order(words.split())


@pytest.mark.parametrize(
    ("text", "answer"),
    [("seed: 1", r"'seed', which no sweep knows(.|\n)*below `with:`"), ("with: 3", "key: value")],
)
def test_mistakes_in_a_file_are_answered(tmp_path: Path, text: str, answer: str) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=answer):
        read_order([str(path)])
