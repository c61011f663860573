"""Flipped bits and truncations in all files of a run: noticed, and never read as something else."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dashboard.folders import FolderRuns
from dashboard.library import Library
from main import main
from records.checkpoint import find_checkpoint, load_state
from records.memory_use import read_use
from records.resume import known_run, sound_run
from reporting.records import find_records
from reporting.series import Series
from tests.support import Results
from utils.errors import UserError

MUTATIONS = 200
RUN = ("--config=qmix", "--env-config=two_step", "with", "seed=3", "t_max=60", "batch_size=4",
       "buffer_size=8", "test_interval=20", "test_nepisode=2", "checkpoint_interval=20",
       "log_interval=10", "learner_log_interval=10", "runner_log_interval=10",
       "use_cuda=False", "rnn_hidden_dim=4", "mixing_embed_dim=4", "hypernet_embed=4")  # fmt: skip
NETWORKS = ("agent.th", "mixer.th", "opt.th")

Points = dict[str, list[tuple[int, float]]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Results:
    results = Results(tmp_path_factory.mktemp("flips") / "results")
    assert main([*RUN, f"local_results_path={results.root}"]) == 0
    return results


def points_of(metrics: Mapping[str, Series]) -> Points:
    return {name: list(zip(s.steps.tolist(), s.values.tolist(), strict=True))
            for name, s in metrics.items()}  # fmt: skip


def all_in(part: Points, whole: Points) -> bool:
    return all(set(points) <= set(whole.get(name, [])) for name, points in part.items())


def contents(folder: Path) -> bytes:
    """A checkpoint that was chosen: all that is loaded of it is in these bytes."""
    replay = folder.parent / "replay"
    parts = [replay / name for name in load_state(folder)["replay"]["names"]]
    return joined([folder / "state.pt", *parts])


def networks(folder: Path) -> bytes:
    return joined([folder / name for name in NETWORKS])


def joined(paths: list[Path]) -> bytes:
    return b"".join(path.read_bytes() for path in paths)


@dataclass
class Original:
    """What is right."""

    checkpoints: list[bytes]  # the newest first
    networks: list[bytes]
    best: bytes
    points: Points
    config: dict[str, Any]
    printed: str
    memory: Any

    @staticmethod
    def of(results: Results) -> Original:
        run = known_run(results.root, "1")
        (record,), _ = find_records([results.root])
        (best,) = (results.models / "best").iterdir()
        return Original(
            [contents(folder) for folder in run.checkpoints],
            [networks(folder) for folder in run.checkpoints],
            networks(best),
            points_of(record.metrics),
            dict(record.config),
            (results.folder() / "cout.txt").read_text(),
            read_use(results.models),
        )


def check_checkpoints(results: Results, models: Path, original: Original) -> bool:
    """Whether something was said; fails if something else was loaded."""
    said = False
    try:
        sound = sound_run(known_run(results.root, "1"))
        loaded = original.checkpoints.index(contents(sound.checkpoint))
        said = bool(sound.remarks)
        assert loaded == 0 or said
        assert sound.run.config == original.config
    except UserError as error:
        said = bool(str(error))
    for folder, known in ((models, original.networks), (models / "best", [original.best])):
        try:
            found = find_checkpoint(folder, 0)
        except UserError:
            said = True
            continue
        loaded = known.index(networks(found.folder))
        assert loaded == 0 or found.remarks
        said = said or bool(found.remarks)
    memory = read_use(models)
    assert memory in (None, original.memory)
    return said or memory is None


def check_reports(results: Results, original: Original) -> bool:
    records, problems = find_records([results.root])
    said = bool(problems)
    for record in records:
        assert record.config == original.config
        try:
            points = points_of(record.metrics)
            said = said or bool(record.notices)
        except UserError:
            return True
        assert all_in(points, original.points)
        assert points == original.points or record.notices
        assert record.status == "COMPLETED" or (record.status == "?" and record.notices)
    return said


def check_dashboard(results: Results, original: Original) -> bool:
    with Library([FolderRuns([results.root])]).shelf(patience=60) as shelf:
        said = bool(shelf.problems)
        for key, run in shelf.runs.items():
            assert run.record.config == original.config
            if key not in shelf.unreadable:
                assert all_in(points_of(run.record.metrics), original.points)
            text, _ = run.output(10**6)
            told = "damaged" in text or "cannot be read" in text
            assert text == original.printed or told
            said = said or told
    return said


def mutate(path: Path, chance: random.Random) -> str:
    data = bytearray(path.read_bytes())
    if chance.random() < 0.3:
        length = chance.randrange(len(data))
        path.write_bytes(data[:length])
        return f"cut to {length}"
    at, bit = chance.randrange(len(data)), chance.randrange(8)
    data[at] ^= 1 << bit
    path.write_bytes(data)
    return f"bit {bit} of byte {at}"


# What is read of these only when another file is damaged, or when a question is about them.
SPARE = ("metrics.json", "info.json")
OF_BOTH = ("config.json", "run.json", "checksums.json")  # read by reports and by a resume


def test_two_hundred_flips_and_truncations(finished: Results, tmp_path: Path) -> None:
    original = Original.of(finished)
    chance = random.Random(16)
    results = Results(tmp_path / "results")
    shutil.copytree(finished.root, results.root)
    models = results.models
    files = [p for p in sorted(results.root.rglob("*")) if p.is_file() and p.stat().st_size]
    files = [p for p in files if "_sources" not in p.parts]
    silent = []
    for number in range(MUTATIONS):
        path = files[number % len(files)]
        before = path.read_bytes()
        what = f"{path.relative_to(results.root)}: {mutate(path, chance)}"
        said = models in path.parents or path.name in OF_BOTH
        said = said and check_checkpoints(results, models, original)
        if models not in path.parents:
            said = check_reports(results, original) or said
            said = check_dashboard(results, original) or said
        if not said:
            silent.append(what)
        path.write_bytes(before)
    # the checkpoint before the newest is read only when that is damaged
    earlier = {f"{run.name}/" for run in known_run(results.root, "1").checkpoints[1:]}
    unread = [w for w in silent if not any(f"/{name}" in w for name in (*earlier, *SPARE))]
    assert unread == []
    assert len(silent) < MUTATIONS / 2
