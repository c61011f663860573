"""A dashboard that serves a test's own runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from dashboard.command import make_server
from dashboard.server import Server
from tests.dashboard.runs import make_run
from tests.support import PATIENCE


class Visitor:
    """Asks a server, as a browser would."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self.server.server_port, timeout=PATIENCE)
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response, body

    def ask(self, path: str, status: int = 200, **words: Any) -> Any:
        response, body = self.get(f"/api/{path}?{urlencode(words, doseq=True)}")
        assert response.status == status, body
        return json.loads(body)

    def lines(self) -> dict[str, dict[str, Any]]:
        """The table, by the runs' folder names."""
        return {line["run_id"]: line for line in self.ask("runs")["runs"]}

    def key(self, run_id: str) -> str:
        return self.lines()[run_id]["key"]


@pytest.fixture
def visit() -> Iterator[Callable[..., Visitor]]:
    """`visit(folder, ...)` starts a server for these folders."""
    servers = []

    def start(*places: Path | str) -> Visitor:
        server = make_server([str(place) for place in places], "127.0.0.1", 0)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return Visitor(server)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def visitor(tmp_path: Path, visit: Callable[..., Visitor]) -> Visitor:
    """Of a single run, folder `1`."""
    make_run(tmp_path / "1", [(10, 0.5)])
    return visit(tmp_path)
