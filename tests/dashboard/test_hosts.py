"""Under which names the server answers, and who hears of it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dashboard.command import head, make_server
from dashboard.server import Server
from tests.dashboard.conftest import Visitor
from tests.support import PATIENCE

Visit = Callable[..., Visitor]


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:1", 200), ("localhost", 200), ("LOCALHOST:99", 200), ("[::1]:99", 200),
     ("evil.example", 403), ("evil.example:8800", 403), ("localhost.evil.example", 403)],
)  # fmt: skip
def test_other_sites_cannot_read_us(visitor: Visitor, host: str, status: int) -> None:
    assert visitor.get("/api/runs", Host=host)[0].status == status


def test_strangers_are_told_what_to_open(visitor: Visitor) -> None:
    _, body = visitor.get("/", Host="evil.example")
    assert f"Open {visitor.server.url} instead" in json.loads(body)["error"]


@pytest.mark.parametrize(
    ("host", "private"),
    [("127.0.2", True), ("LocalHost", True), ("localhost", True), ("::1", True), ("", False),
     ("0.0.0.0", False), ("::", False)],
)  # fmt: skip
def test_the_address_that_is_told_opens(tmp_path: Path, host: str, private: bool) -> None:
    """And so does the name that was given; a warning comes where others can open it, too."""
    if ":" in host and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with serving([str(tmp_path)], host) as server:
        url = urlsplit(server.url)
        given = f"[{host}]" if ":" in host else host
        for name in (url.netloc, f"{given}:{server.server_port}"):
            connection = HTTPConnection(str(url.hostname), server.server_port, timeout=PATIENCE)
            connection.request("GET", "/", headers={"Host": name})
            assert connection.getresponse().status == 200, name
            connection.close()
        assert server.is_private == private
        assert ("Warning" in head(server, host)) != private


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@contextmanager
def serving(words: list[str], host: str) -> Iterator[Server]:
    with make_server(words, host, 0) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
