"""The web server: files that were read at its start, and answers as JSON. It changes nothing."""

from __future__ import annotations

import errno
import hashlib
import ipaddress
import json
import mimetypes
import socket
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from dashboard.answers import ANSWERS, BadRequestError
from dashboard.library import Library
from utils.errors import UserError
from utils.logging import get_logger

STATIC = Path(__file__).parent / "static"
THIS_MACHINE = {"127.0.0.1", "localhost", "[::1]"}  # names by which a browser here may call us
EVERYWHERE = {"0.0.0.0", "::", ""}
PORTS = range(65536)
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Page(NamedTuple):
    """What is sent."""

    body: bytes
    kind: str = "application/json"
    status: int = HTTPStatus.OK


class Server(ThreadingHTTPServer):
    """Serves one library."""

    daemon_threads = True
    request_queue_size = 1024  # visitors who may come at the same moment

    def __init__(self, host: str, port: int, library: Library) -> None:
        self.library = library
        self.files = read_files(STATIC)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        if port not in PORTS:
            raise UserError(f"--port {port}: ports are numbers from 0 to {PORTS[-1]}.")
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            raise UserError(_no_port(host, port, error)) from error
        self._bound = str(self.server_address[0])
        own = {_in_address(name).lower() for name in (host, self._bound)}
        self.hosts = None if host in EVERYWHERE else THIS_MACHINE | own

    @property
    def url(self) -> str:
        host = "localhost" if self.hosts is None else _in_address(self._bound)
        return f"http://{host}:{self.server_port}/"

    @property
    def is_private(self) -> bool:
        """Whether this machine alone can reach it."""
        return ipaddress.ip_address(self._bound).is_loopback

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Browsers hang up as they like."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """GET and HEAD; http.server refuses all else."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "pymarl-k", ""
    timeout = 60  # seconds that a silent connection is kept
    server: Server

    def do_GET(self) -> None:
        page = self._page()
        tag = f'"{hashlib.sha256(page.body).hexdigest()[:20]}"'
        unchanged = page.status == HTTPStatus.OK and self.headers.get("If-None-Match") == tag
        self.send_response(HTTPStatus.NOT_MODIFIED if unchanged else page.status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("ETag", tag)
        if not unchanged:
            self.send_header("Content-Type", f"{page.kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        if not unchanged and self.command != "HEAD":
            self.wfile.write(page.body)

    do_HEAD = do_GET

    def _page(self) -> Page:
        if not self._meant_for_us():
            message = f"This server answers to its own names only. Open {self.server.url} instead."
            return complaint(message, HTTPStatus.FORBIDDEN)
        try:
            parts = urlsplit(self.path)
        except ValueError as error:
            return complaint(f"{self.path} is no address: {error}.", HTTPStatus.BAD_REQUEST)
        if parts.path in self.server.files:
            return self.server.files[parts.path]
        if parts.path not in ANSWERS:
            return complaint(f"There is nothing at {parts.path}.", HTTPStatus.NOT_FOUND)
        try:
            found = ANSWERS[parts.path](self.server.library, parse_qs(parts.query))
        except BadRequestError as error:
            return complaint(str(error), error.status)
        except Exception as error:  # the page goes on and says so; the terminal has the trace
            get_logger().exception(f"{parts.path} failed")
            message = f"The server failed: {type(error).__name__}. Its terminal says more."
            return complaint(message, HTTPStatus.INTERNAL_SERVER_ERROR)
        return Page(json.dumps(found, allow_nan=False).encode())

    def _meant_for_us(self) -> bool:
        """Another site whose name leads to this machine may not read what is shown here."""
        if self.server.hosts is None:
            return True
        given = self.headers.get("Host", "")
        name = given if given.endswith("]") else given.rpartition(":")[0] or given
        return name.lower() in self.server.hosts

    def log_message(self, format: str, *args: object) -> None:
        """Silence: a page asks every other second."""


def complaint(message: str, status: int) -> Page:
    return Page(json.dumps({"error": message}).encode(), status=status)


def read_files(folder: Path) -> dict[str, Page]:
    """Address -> content. Nothing else is ever read for an address."""
    files = {
        f"/{path.name}": Page(path.read_bytes(), mimetypes.guess_type(path.name)[0] or "text/plain")
        for path in folder.iterdir()
    }
    return {**files, "/": files["/index.html"]}


def _in_address(host: str) -> str:
    """As a URL and the Host header have it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def _no_port(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port + 1 in PORTS else port - 1
        return f"Port {port} is in use. Type another one, or 0 for any: --port {other}"
    if error.errno == errno.EACCES:
        return f"Port {port} is for administrators. Type one above 1023: --port 8800"
    return f"Cannot serve at {host}:{port} ({error.strerror or error}). Usual: --host 127.0.0.1"
