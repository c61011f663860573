"""What stands in for SC2_x64: takes its command line, listens where it says."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def main() -> None:
    root = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(root), str(root / "src")]
    os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
    from tests.fake_sc2.faults import write_down
    from tests.fake_sc2.server import serve

    parser = argparse.ArgumentParser()
    parser.add_argument("-listen", default="127.0.0.1")
    parser.add_argument("-port", type=int, required=True)
    given, _ = parser.parse_known_args()
    write_down(os.getppid(), os.getpid())
    serve(given.listen, given.port)


if __name__ == "__main__":
    main()
