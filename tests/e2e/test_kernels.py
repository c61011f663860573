"""Runs by the compiled GRU: resumed to the last bit, and finished where it cannot be compiled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from machine.compiler import NotCompiledError, compiler
from modules import timing
from modules.kernels import Kernels
from tests.support import Results, play
from training import kernels as of_training

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler")

RUN = (
    *(
        "--config=qmix",
        "--env-config=grid",
        "with",
        "fast_kernels=compiled",
        "seed=3",
        "testing_on=False",
    ),
    *("rnn_hidden_dim=16", "batch_size=16", "buffer_size=20", "batch_size_run=8"),
    *("learner_log_interval=1", "target_update_interval=2"),
)
HALF, WHOLE = "t_max=400", "t_max=700"


@pytest.fixture(autouse=True)
def compiled_is_fastest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def milliseconds(candidates: Sequence[Kernels], _: object) -> list[float]:
        names = [kernels.recurrence.name for kernels in candidates]
        return [1.0 if name == "compiled" else 9.0 for name in names]

    monkeypatch.setattr(timing, "FILE", f"{tmp_path.name}.json")
    monkeypatch.setattr(timing, "milliseconds", milliseconds)


def weights(results: Results) -> list[torch.Tensor]:
    newest = max((int(path.name) for path in results.models.glob("[0-9]*")), default=-1)
    saved = torch.load(results.models / str(newest) / "agent.th", weights_only=True)
    return list(saved.values())


def test_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, halves = Results(tmp_path / "whole"), Results(tmp_path / "halves")
    play(whole, *RUN, WHOLE)
    play(halves, *RUN, HALF)
    monkeypatch.setattr(timing, "milliseconds", lambda *_: pytest.fail("measured again"))

    said = play(halves, "with", "resume=1", WHOLE).stdout

    kernels = {"products": "blas", "GRU": "compiled"}
    assert "kernels: products by blas, GRU compiled, as before" in said
    assert whole.json("info.json")["kernels"] == halves.json("info.json")["kernels"] == kernels
    assert halves.metrics() == whole.metrics()
    assert all(torch.equal(a, b) for a, b in zip(weights(halves), weights(whole), strict=True))
    monkeypatch.setattr(of_training, "compiled_gru", lacking)
    elsewhere = play(halves, "with", "resume=1", "t_max=800")
    assert "this machine does not have (there is no C++ compiler)" in elsewhere.stdout
    assert halves.status() == "COMPLETED"


def lacking(*_: object) -> NoReturn:
    raise NotCompiledError("there is no C++ compiler")
