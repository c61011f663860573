"""A library is made once; whatever is in the way, there is a library or a reason."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from machine import compiler as of_compiler
from machine.compiler import NotCompiledError, compiled, compiler

needs_compiler = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """To be compiled in a process that has not compiled anything yet."""
    folder = SimpleNamespace(name=str(tmp_path / "own"))
    monkeypatch.setattr(of_compiler, "_own_folder", lambda: folder)
    path = tmp_path / "answer.cpp"
    path.write_text('extern "C" int answer() { return 42; }\n')
    return path


def answer(library: Path) -> int:
    return int(ctypes.CDLL(str(library)).answer())


@needs_compiler
def test_it_is_kept(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "not" / "made yet"
    made = compiled(source, folder)
    monkeypatch.setenv("CXX", "false")

    assert compiled(source, folder) == made
    assert answer(made) == 42
    assert [path.name for path in folder.iterdir()] == [made.name]
    source.write_text("another one")
    with pytest.raises(NotCompiledError, match="false has failed"):
        compiled(source, folder)


@needs_compiler
@pytest.mark.parametrize("damage", ["truncated", "of others", "a folder"])
def test_what_is_kept_is_not_trusted_blindly(source: Path, tmp_path: Path, damage: str) -> None:
    made = compiled(source, tmp_path)
    content = made.read_bytes()
    if damage == "truncated":
        made.write_bytes(content[:100])
    elif damage == "of others":
        made.chmod(0o666)
    else:
        made.unlink()
        made.mkdir()

    assert compiled(source, tmp_path).read_bytes() == content


@needs_compiler
def test_where_nothing_can_be_kept_it_is_made_for_this_process(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_way = tmp_path / "a file"
    in_the_way.write_text("")

    made = compiled(source, in_the_way)
    monkeypatch.setenv("CXX", "false")

    assert answer(made) == 42
    assert compiled(source, None) == made


@needs_compiler
def test_two_at_once(source: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda _: compiled(source, tmp_path), range(2)))

    assert [answer(path) for path in made] == [42, 42]
    assert {path.suffix for path in tmp_path.iterdir()} == {".cpp", ".so"}


@needs_compiler
def test_a_compiler_that_does_not_know_the_processor(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choosy = tmp_path / "choosy"
    found = compiler()
    assert found is not None
    choosy.write_text(f'#!/bin/sh\ncase "$*" in *=native*) exit 1;; esac\nexec {found[0]} "$@"\n')
    choosy.chmod(0o755)
    monkeypatch.setenv("CXX", str(choosy))

    assert answer(compiled(source, tmp_path)) == 42


def test_reasons(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_compiler, "PATIENCE", 0.2)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotCompiledError, match=r"no C\+\+ compiler \(c\+\+, g\+\+, clang\+\+\)"):
        compiled(source, tmp_path)
    complains = tmp_path / "complains"
    complains.write_text("#!/bin/sh\necho warning: >&2\necho 'error: no such thing' >&2\nexit 1\n")
    complains.chmod(0o755)
    for command, why in (
        (str(complains), "error: no such thing"),
        (f"{tmp_path}/gone", "No such file"),
        ("/bin/sleep 9;", "has failed"),
    ):
        monkeypatch.setenv("CXX", command)
        with pytest.raises(NotCompiledError, match=why):
            compiled(source, tmp_path)
