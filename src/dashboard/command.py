"""`python src/main.py dashboard [FOLDER...] [--port 8800] [--host 127.0.0.1] [mongo=URL]`."""

from __future__ import annotations

import sys

from configuration.parser import Parser
from dashboard.folders import FolderRuns
from dashboard.library import Library, Source
from dashboard.server import Server
from utils.errors import UserError
from utils.places import expanded, results_folder
from utils.program import MAIN

MONGO = "mongo="


def main(argv: list[str]) -> int:
    options = _parser().options(argv)
    with make_server(options.places, options.host, options.port) as server:
        try:
            sys.stdout.write(f"{head(server, options.host)}\n")
            sys.stdout.flush()
            server.serve_forever()
        except KeyboardInterrupt:
            sys.stdout.write("\n")
    return 0


def make_server(words: list[str], host: str, port: int) -> Server:
    """`words`: folders and mongo=URL; the usual results folder where there are none."""
    urls = [word.removeprefix(MONGO) for word in words if word.startswith(MONGO)]
    places = [expanded(word) for word in words if not word.startswith(MONGO)]
    for place in places:
        if not place.is_dir():
            raise UserError(f"{place} is no folder. Name one with runs in it, such as results.")
    sources: list[Source] = []
    if places or not urls:
        sources.append(FolderRuns(places or [results_folder()]))
    if urls:
        from dashboard.database import DatabaseRuns  # half a second that folders need not wait for

        sources += [DatabaseRuns(url) for url in urls]
    return Server(host, port, Library(sources))


def head(server: Server, host: str) -> str:
    """What the terminal says while it serves."""
    names = ", ".join(source.name for source in server.library.sources)
    lines = [f"Runs in {names}: {server.url}  (Ctrl-C ends it)"]
    if not server.is_private:
        lines.append(
            f"Warning: --host {host} lets everybody who reaches this machine read these runs."
        )
    return "\n".join(lines)


def _parser() -> Parser:
    parser = Parser(f"{MAIN} dashboard", description="A live web page of runs; it only reads.")
    add = parser.add_argument
    add("places", nargs="*", metavar="FOLDER | mongo=URL", help="where runs are; usual: results")
    add("--port", type=int, default=8800, help="usual: 8800; 0 for any that is free")
    add("--host", default="127.0.0.1", help="who may visit; usual: 127.0.0.1, this machine alone")
    return parser
