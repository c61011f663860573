"""Command lines and files that nobody means: a sentence each, and nothing is written anywhere."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sacred.observers import FileStorageObserver

from cli import guarded, main, sweep
from tests.support import Results, command_line, run_process

SCREEN = 24  # lines of a terminal, 80 characters each
TASK = ["--config=qmix", "--env-config=two_step"]
BRIEF = ["seed=1", "t_max=20", "batch_size=2", "test_nepisode=1"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to type commands in, with the results of a finished run."""
    folder = tmp_path_factory.mktemp("hostile") / "work"
    folder.mkdir()
    assert main([*TASK, *BRIEF, *at(folder)]) == 0
    return folder


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file by what it holds, and every folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def untouched(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(place)
    before = contents(place.parent)
    yield place
    assert contents(place.parent) == before


def refused(
    capsys: pytest.CaptureFixture[str], argv: list[str], program: Callable[[list[str]], int] = main
) -> str:
    """The message of a command that was refused, on one line."""
    capsys.readouterr()
    code = guarded(program, argv)
    return one_screen(code, capsys.readouterr().err)


def one_screen(code: int, message: str) -> str:
    assert code == 2, message
    assert "Traceback" not in message
    assert message.strip()
    assert sum(1 + len(line) // 80 for line in message.strip().splitlines()) <= SCREEN
    return " ".join(message.split())


def typed(line: list[str], place: Path) -> list[str]:
    """With a task, unless the line names one, and the place of the results."""
    task = [] if any(word.startswith(("--config", "resume=")) for word in line) else TASK
    short = [] if line[0].startswith("t_max") else ["t_max=20"]
    return [*line, *task, *short, *at(place)]


def at(place: Path) -> list[str]:
    return [f"local_results_path={place / 'results'}"]


FLAGS = [
    ("-l 99x", "0 to 50, or DEBUG"),
    ("-l 99", "0 to 50"),
    ("-lnonsense", "WARNING"),
    ("--loglevel=", "0 to 50"),
    ("-C x", "sys (Python's output) or no"),
    ("-C fd", "outside the results"),
    ("--capture=SYS", "sys"),
    ("-P x", "a number"),
    ("--priority=nan", "a number"),
    ("-b x", "seconds"),
    ("-b 0", "0.1 to 86400"),
    ("-b -5", "0.1 to 86400"),
    ("-b1e300", "0.1 to 86400"),
    ("-s sqlite:///x.db", "local_results_path"),
    ("-t x.json", "local_results_path"),
    ("--tiny-db=x.json", "local_results_path"),
    ("-S bucket", "local_results_path"),
    ("-F elsewhere", "local_results_path"),
    ("-i ../x", "1 to 999999999"),
    ("--id=/tmp/x", "1 to 999999999"),
    ("-i 0", "1 to 999999999"),
    ("-i 1.5", "1 to 999999999"),
    ("-i \N{SUPERSCRIPT TWO}", "1 to 999999999"),
    ("-i 9999999999", "1 to 999999999"),
    ("-i 77 -i 77", "twice"),
    ("-i77 --id=78", "twice"),
    ("-i 1", "there is such a run"),
    ("-i 7 resume=1", "Leave -i out"),
    ("-q resume=1", "Leave --queue out"),
    ("-u resume=1", "Leave --unobserved out"),
    ("--queue=yes", "takes no value"),
    ("-D", "python -m pdb"),
    ("-uf", "Unknown option"),
    ("-m", "needs a value"),
    ("--loglevle=30", "--loglevel"),
]


@pytest.mark.parametrize(("line", "said"), FLAGS)
def test_options_of_sacred(
    capsys: pytest.CaptureFixture[str], untouched: Path, line: str, said: str
) -> None:
    assert said in refused(capsys, typed(line.split(), untouched))


LONG = "x" * 5000
VALUES = [
    (["-c", ""], "a remark"),
    (["-c", "\udcff"], "a remark"),
    (["-n", "a\0b"], "name of the experiment"),
    ([f"t_max={'9' * 5000}"], "t_max"),
    ([f"t_max=0x{'f' * 9000}"], "64 are the most"),
    (["t_max=1e300"], "t_max"),
    ([f"lr={'[' * 5000}"], "lr"),
    ([f"k_level={'[' * 60}1{']' * 60}"], "inside each other"),
    ([f"lr={'-' * 5000}1"], "lr"),
    (["k_level=[{1, 2}]"], "a set"),
    (["k_level=[b'1']"], "a bytes"),
    ([f"name={LONG}"], "at most 200 characters"),
    (["name='a\\nb'"], "can be printed"),
    (["label='\\0'"], "NUL"),
    (["local_results_path='a\\0b'"], "NUL"),
    (["label=\udcff"], "half of a character"),
    (["-f", "with", "a.b=1"], "begins with"),
    (["-f", "with", "$x=1"], "begins with"),
    (["-f", "with", "=1"], "empty"),
    ([f"env_args=0x{'f' * 9000}"], "env_args.seed=3"),
    ([f"--config={LONG}", "--env-config=two_step"], "No file can have a name"),
    ([f"resume={LONG}"], "No file can have a name"),
    ([f"plugins=[{LONG}.py]"], "File name too long"),
]


@pytest.mark.parametrize(("words", "said"), VALUES, ids=[word[0][:20] for word, _ in VALUES])
def test_values_that_nothing_can_hold(
    capsys: pytest.CaptureFixture[str], untouched: Path, words: list[str], said: str
) -> None:
    assert said in refused(capsys, typed(words, untouched))


BOMBS = [
    ("batch_size_run=1000000000", "environments"),
    ("batch_size_run=1000000 runner=parallel env_processes=1000000", "env_processes=2"),
    ("test_batch_size_run=10000000000", "test_batch_size_run"),
    ("torch_threads=1000000", "torch_threads=1"),
    ("--config=mappo --env-config=two_step rollout_length=1000000000000", "smaller rollout_length"),
]


@pytest.mark.parametrize(("line", "said"), BOMBS)
def test_what_this_machine_cannot_hold(
    capsys: pytest.CaptureFixture[str], untouched: Path, line: str, said: str
) -> None:
    assert said in refused(capsys, typed(line.split(), untouched))


# What only shows when the run is built: such a run begins, and is recorded as failed.
LARGE = [
    ("rnn_hidden_dim=1000000000", "rnn_hidden_dim"),
    ("buffer_size=1000000000000000000", "buffer_size"),
    (f"checkpoint_path={LONG} evaluate=True", "No file can have a name"),
    ("batch_size=100000000 buffer_size=100000000 buffer_fill=0", "Type a smaller batch_size."),
]


@pytest.mark.parametrize(("line", "said"), LARGE, ids=[line[:20] for line, _ in LARGE])
def test_networks_and_batches_that_do_not_fit(
    capsys: pytest.CaptureFixture[str],
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    said: str,
) -> None:
    monkeypatch.chdir(place)
    before = contents(place.parent)

    assert said in refused(capsys, typed(line.split(), place))

    after = contents(place.parent)
    assert {name: after.get(name) for name in before} == before


SWEEPS = [
    ("seed=1..1000000000", "1,000,000,000 runs"),
    ("seed=1..99999999999999999999999", "seed"),
    ("seed=1..5000 lr=0.1,0.2,0.3", "5000 seed x 3 lr"),
    ("seed=1 t_max=1..200 lr=1..200", "40,000 runs"),
    (f"seed=1 --memory={'9' * 400}", "--memory"),
]


@pytest.mark.parametrize(("line", "said"), SWEEPS, ids=[line[:30] for line, _ in SWEEPS])
def test_sweeps_without_end(
    capsys: pytest.CaptureFixture[str], untouched: Path, line: str, said: str
) -> None:
    argv = [*TASK, *line.split(), *at(untouched), "--dry-run"]

    assert said in refused(capsys, argv, sweep)


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
FILES = {
    "billion laughs": (LAUGHS, "line 4"),
    "an alias of itself": ("lr: &a [*a]", "line 1"),
    "an object": ("lr: 0.1\nmixer: !!python/object/apply:os.system [ls]", "line 2"),
    "a tag": ("lr: !mine 0.1", "!mine"),
    "a set": ("k_level: !!set {1, 2}", "line 1"),
    "a timestamp": ("lr: !!timestamp 2024-01-31", "timestamp"),
    "a date": ("lr: 2024-01-31", "2024-01-31"),
    "a list as key": ("lr: 0.1\n? [a, b]\n: 1", "line 2"),
    "a mapping as key": ("env_args: {{a: 1}: 2}", "line 1"),
    "a number as key": ("7: 8", "quotes"),
    "a key with a dot": ("env_args: {a.b: 1}", "a.b"),
    "5,000 digits": (f"\nt_max: {'9' * 5000}", "line 2"),
    "base 60": (f"t_max: 1{':59' * 50_000}", "line 1"),
    "beyond 64 bits": ("t_max: 99999999999999999999", "64 are the most"),
    "flow nesting": (f"lr: {'[' * 9000}", "line 1"),
    "block nesting": ("\n".join(f"{' ' * depth}a:" for depth in range(500)), "line 32"),
    "a surrogate": ('lr: 0.1\nlabel: "\\ud800"', "line 2"),
    "NUL": ('label: "a\\0b"', "line 1"),
    "a control character": ("lr: 0.1\nlabel: \x07", "line 2"),
    "two values": ("lr: 0.1\nmixer: vdn\nlr: 0.2", "line 3"),
    "a tagged word": ("t_max: !!int many", "line 1"),
    "two documents": ("lr: 0.1\n---\nlr: 0.2", "line 2"),
    "no such alias": ("lr: *nothing", "line 1"),
    "too long": (f"lr: 0.1\n# {'x' * 2_000_000}", "bytes"),
    "too many": ("\n".join(f"k{i}: {i}" for i in range(20_000)), "10,000"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_nobody_means(
    capsys: pytest.CaptureFixture[str], untouched: Path, name: str, tmp_path: Path
) -> None:
    text, said = FILES[name]
    path = tmp_path / "hostile.yaml"
    path.write_text(text)

    message = refused(capsys, typed([f"--config={path}", "--env-config=two_step"], untouched))

    assert said in message
    assert "hostile.yaml" in message


def test_bytes_that_are_no_text(
    capsys: pytest.CaptureFixture[str], untouched: Path, tmp_path: Path
) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_bytes(b"lr: 0.1\nlabel: \xff\xfe")

    assert "line 2" in refused(
        capsys, typed([f"--config={path}", "--env-config=two_step"], untouched)
    )


AS_PROCESSES = ["-i ../x", "torch_threads=1000000"]


@pytest.mark.parametrize("line", AS_PROCESSES)
def test_the_program_as_it_is_started(untouched: Path, line: str) -> None:
    done = run_process(command_line(*typed(line.split(), untouched)), timeout=300, cwd=untouched)

    one_screen(done.returncode, done.stderr)


# ---------------------------------------------------------------- files that may not grow


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Python ignores the signal that goes with the limit, so writing fails with EFBIG."""
    earlier = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, earlier[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, earlier)


def test_a_record_that_cannot_be_ended(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(FileStorageObserver, "completed_event", fail)
    results = Results(tmp_path / "results")

    assert "disk is full" in refused(capsys, [*TASK, *BRIEF, *at(tmp_path)])
    assert results.status() == "FAILED"
    assert "could not be written" in results.json("run.json")["fail_trace"][0]


@pytest.mark.parametrize("size", [100, 80_000])
def test_a_limit_on_the_size_of_files(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, size: int
) -> None:
    """At the first file of the record; or at the checkpoint, when the record can still be ended."""
    results = Results(tmp_path / "results")
    with largest_file(size):
        code = main([*TASK, *BRIEF, *at(tmp_path)])

    message = one_screen(code, capsys.readouterr().err)
    assert "ulimit -f" in message
    assert not list(results.root.rglob("*.part"))
    if size == 80_000:
        assert results.status() == "FAILED"
