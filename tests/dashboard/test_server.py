"""What the server gives, to whom, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import dispatch
from dashboard.answers import ANSWERS
from dashboard.command import main, make_server
from dashboard.server import STATIC
from tests.dashboard.conftest import Visitor
from tests.dashboard.runs import make_run
from tests.support import PATIENCE, command_line, killed_at_the_end, start_process
from utils.errors import UserError

Visit = Callable[..., Visitor]


def test_the_page_and_its_files(visitor: Visitor) -> None:
    kinds = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/"}
    for path in STATIC.iterdir():
        response, body = visitor.get(f"/{path.name}")
        assert response.status == 200
        assert body == path.read_bytes()
        assert response.headers["Content-Type"].startswith(kinds[path.suffix])
    assert visitor.get("/")[1] == (STATIC / "index.html").read_bytes()


def test_nothing_comes_from_elsewhere() -> None:
    """The page works without a network; links in it are names, not addresses."""
    for path in STATIC.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, path.name
        assert "innerHTML" not in text, path.name


@pytest.mark.parametrize(
    "path",
    [
        "/../server.py",
        "/%2e%2e/server.py",
        "/static/../../main.py",
        "//etc/passwd",
        "/etc/passwd",
        "/api/../../../etc/passwd",
        "/api/console?run=../1",
        "/1/config.json",
    ],
)
def test_no_path_leads_out(visitor: Visitor, path: str) -> None:
    response, body = visitor.get(path)
    assert response.status == 404
    assert set(json.loads(body)) == {"error"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(visitor: Visitor, method: str) -> None:
    assert visitor.get("/api/runs", method)[0].status == 501


def test_head_has_no_body(visitor: Visitor) -> None:
    response, body = visitor.get("/app.js", "HEAD")
    assert (response.status, body) == (200, b"")
    assert int(response.headers["Content-Length"]) == (STATIC / "app.js").stat().st_size


def test_what_has_not_changed_is_not_sent_again(visitor: Visitor) -> None:
    path = f"/api/curves?run={visitor.key('1')}&metric=test_battle_won_mean"
    tag = visitor.get(path)[0].headers["ETag"]
    response, body = visitor.get(path, **{"If-None-Match": tag})
    assert (response.status, body) == (304, b"")
    with (Path(visitor.server.library.sources[0].name) / "1/metrics.csv").open("a") as file:
        file.write("20,test_battle_won_mean,0.75,2.0\n")
    assert visitor.get(path, **{"If-None-Match": tag})[0].status == 200


def test_what_is_no_address_is_answered(visitor: Visitor) -> None:
    with socket.create_connection(
        ("127.0.0.1", visitor.server.server_port), timeout=PATIENCE
    ) as raw:
        raw.sendall(b"GET http://[ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = raw.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"http://[ is no address" in answer


def test_a_browser_that_hangs_up_is_no_event(
    visitor: Visitor, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, gone = threading.Event(), threading.Event()

    def slow(*_: object) -> dict[str, str]:
        asked.set()
        assert gone.wait(20)
        return {"text": "x" * 10_000_000}

    monkeypatch.setitem(ANSWERS, "/api/runs", slow)
    before = set(threading.enumerate())
    with socket.create_connection(
        ("127.0.0.1", visitor.server.server_port), timeout=PATIENCE
    ) as raw:
        raw.sendall(b"GET /api/runs HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert asked.wait(20)
        new = set(threading.enumerate()) - before
        (handler,) = (thread for thread in new if "process_request" in thread.name)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
    gone.set()
    handler.join(20)
    assert capfd.readouterr().err == ""


def test_browsers_are_told_to_run_nothing_else(visitor: Visitor) -> None:
    headers = visitor.get("/")[0].headers
    assert "default-src 'none'; script-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_failure_is_told_and_the_server_goes_on(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    with monkeypatch.context() as patch:
        patch.setitem(ANSWERS, "/api/runs", fail)
        response, body = visitor.get("/api/runs")
    assert response.status == 500
    assert b"RuntimeError" in body
    assert b"secret" not in body
    assert "1" in visitor.lines()


def test_a_port_in_use(visitor: Visitor, tmp_path: Path) -> None:
    port = visitor.server.server_port
    with pytest.raises(UserError, match=f"Port {port} is in use.*--port {port + 1}"):
        make_server([str(tmp_path)], "127.0.0.1", port)


def test_the_last_port_in_use(tmp_path: Path) -> None:
    """No port that does not exist is proposed."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 65535))
        taken.listen()
        with pytest.raises(UserError, match=r"Port 65535 is in use.*--port 65534$"):
            make_server([str(tmp_path)], "127.0.0.1", 65535)


def test_help_is_of_the_dashboard_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        dispatch(["dashboard", "--help"])
    told = capsys.readouterr().out
    assert left.value.code == 0
    assert len(told.splitlines()) < 20
    assert all(word in told for word in ("--port", "--host", "mongo=URL", "8800"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "nowhere is no folder"),
        (["--port", "many"], "invalid int value"),
        (["--port", "99999"], "from 0 to 65535"),
        (["--port", "-1"], "from 0 to 65535"),
        (["--host", "999.1.1.1"], "Cannot serve at 999.1.1.1"),
        (["--prot", "1"], "Did you mean '--port'"),
        (["mongo=what ever"], "host:port:database"),
        (["mongo=mongodb://me:secret@[bad"], "cannot be"),
    ],
)
def test_mistakes_on_the_command_line(words: list[str], told: str) -> None:
    with pytest.raises(UserError, match=told) as raised:
        main(words)
    assert "secret" not in str(raised.value)


def test_the_command_starts_without_torch(tmp_path: Path) -> None:
    """It says where it is; Ctrl-C ends it quietly."""
    words = command_line("dashboard", str(tmp_path), "--port", "0")
    words = [words[0], "-X", "importtime", *words[1:]]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with killed_at_the_end(start_process(words, **pipes, text=True)) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, imported = process.communicate(timeout=PATIENCE)
    assert "http://127.0.0.1:" in line
    assert process.returncode == 0
    assert "dashboard.server" in imported
    assert not {"torch", "sacred", "pymongo"} & {row.split()[-1] for row in imported.splitlines()}


def test_two_hundred_visitors_at_the_same_moment(tmp_path: Path) -> None:
    """All are let in before anybody is served: the queue holds them."""
    with make_server([str(tmp_path)], "127.0.0.1", 0) as server:
        visitors = []
        try:
            for _ in range(200):
                visitor = socket.socket()
                visitors.append(visitor)
                visitor.settimeout(1)
                visitor.connect(("127.0.0.1", server.server_port))
        finally:
            for visitor in visitors:
                visitor.close()


@pytest.mark.parametrize("name", ["config.json", "run.json", "metrics.csv", "cout.txt"])
def test_links_that_lead_out_are_not_followed(tmp_path: Path, visit: Visit, name: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text('{"env": "geheim", "status": "geheim"}')
    make_run(tmp_path / "results" / "1", [(10, 0.5)])
    folder = make_run(tmp_path / "results" / "2", [(10, 0.5)])
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(secret)
    visitor = visit(tmp_path / "results")

    answer = visitor.ask("runs")
    keys = {run["run_id"]: run["key"] for run in answer["runs"]}
    texts = [json.dumps(answer)]
    if "2" in keys:
        texts += [json.dumps(visitor.ask(word, run=keys["2"])) for word in ("run", "console")]
    assert "1" in keys
    assert "geheim" not in " ".join(texts)
    assert f"a link that leads out of {tmp_path / 'results'}" in " ".join(texts)


def test_links_within_the_results_are_followed(tmp_path: Path, visit: Visit) -> None:
    folder = make_run(tmp_path / "1", [(10, 0.5)])
    (folder / "metrics.csv").rename(tmp_path / "numbers")
    (folder / "metrics.csv").symlink_to(tmp_path / "numbers")

    assert visit(tmp_path).lines()["1"]["last"] == 0.5


@pytest.mark.parametrize("name", ["config.json", "run.json", "metrics.csv", "cout.txt"])
def test_a_pipe_makes_nobody_wait(tmp_path: Path, visit: Visit, name: str) -> None:
    make_run(tmp_path / "1", [(10, 0.5)])
    folder = make_run(tmp_path / "2", [(10, 0.5)])
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    visitor = visit(tmp_path)

    assert visitor.lines()["1"]["last"] == 0.5
    if name == "cout.txt":
        assert "no regular file" in visitor.ask("console", run=visitor.key("2"))["text"]
    else:
        assert "no regular file" in visitor.ask("runs")["problems"][0]
