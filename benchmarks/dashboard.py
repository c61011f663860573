"""What the dashboard costs with many runs: the first look, a look at unchanged and at growing ones.

    python benchmarks/dashboard.py [--runs 200] [--metrics 20] [--points 250] [--growing 8]

The runs are made up, in a temporary folder. Times are of this process's CPU, so that a busy machine
matters little; reading from a cold disk comes on top of the first look.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from dashboard.answers import runs as answer
from dashboard.folders import FolderRuns
from dashboard.library import Library


def make_run(folder: Path, metrics: int, points: int) -> None:
    folder.mkdir()
    config = {"name": "qmix", "env": "sc2", "env_args": {"map_name": "3m"}, "t_max": 10**6}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "run.json").write_text(json.dumps({"status": "COMPLETED"}))
    names = ["test_return_mean", *(f"metric_{i}" for i in range(1, metrics))]
    rows = [f"{t},{name},{t / 7},{t / 100}" for t in range(points) for name in names]
    (folder / "metrics.csv").write_text("\n".join(["t_env,name,value,seconds", *rows, ""]))


def look(library: Library) -> float:
    """CPU milliseconds of an answer, all numbers read."""
    began = time.process_time()
    while any(line["reading"] for line in answer(library, {})["runs"]):
        pass
    return (time.process_time() - began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, usual in (("runs", 200), ("metrics", 20), ("points", 250), ("growing", 8)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place) / str(i) for i in range(options.runs)]
        for folder in folders:
            make_run(folder, options.metrics, options.points)
        library = Library([FolderRuns([Path(place)])])
        first = look(library)
        unchanged = min(look(library) for _ in range(5))
        for folder in folders[: options.growing]:
            with (folder / "metrics.csv").open("a") as file:
                file.write(f"{options.points},test_return_mean,1.0,9.0\n")
        growing = look(library)
    sys.stdout.write(f"first look {first:.0f} ms, unchanged {unchanged:.0f} ms, ")
    sys.stdout.write(f"{options.growing} have grown {growing:.0f} ms\n")


if __name__ == "__main__":
    main()
