from __future__ import annotations

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from utils.logging import Logger


class SacredRun(SimpleNamespace):
    def __init__(self) -> None:
        super().__init__(info={}, metrics=[])

    def log_scalar(self, name: str, value: float, step: int) -> None:
        self.metrics.append((name, value, step))


def make_logger(path: Path) -> tuple[Logger, Any]:
    logger, run = Logger(logging.getLogger("test")), SacredRun()
    logger.setup_sacred(run)
    logger.setup_csv(path)
    return logger, run


def rows(path: Path) -> list[list[str]]:
    """All but the wall time."""
    return [line.split(",")[:3] for line in path.read_text().splitlines()[1:]]


def test_every_value_is_on_disk_when_log_stat_returns(tmp_path: Path) -> None:
    logger, _ = make_logger(tmp_path / "metrics.csv")

    logger.log_stat("loss", 0.1, 7)

    assert rows(tmp_path / "metrics.csv") == [["7", "loss", "0.1"]]


def test_sacred_gets_pymarl_lists_and_metrics_as_plain_floats(tmp_path: Path) -> None:
    logger, run = make_logger(tmp_path / "metrics.csv")

    logger.log_stat("loss", torch.tensor(0.5), 7)

    assert json.dumps(run.info) == '{"loss": [0.5], "loss_T": [7]}'
    assert run.metrics == [("loss", 0.5, 7)]


def test_to_sacred_false_keeps_a_value_out_of_sacred_only(tmp_path: Path) -> None:
    logger, run = make_logger(tmp_path / "metrics.csv")

    logger.log_stat("loss", 1.0, 7, to_sacred=False)

    assert run.info == {}
    assert len(rows(tmp_path / "metrics.csv")) == 1


def test_names_that_mongodb_refuses_are_changed(tmp_path: Path) -> None:
    logger, run = make_logger(tmp_path / "metrics.csv")

    logger.log_stat("$a.b", 1.0, 7)

    assert "a_b" in run.info


def test_a_resumed_logger_cuts_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    logger, _ = make_logger(path)
    logger.log_stat("loss", 1.0, 1)
    logger.log_stat("loss", 2.0, 2)
    state = logger.state_dict()
    logger.log_stat("loss", 3.0, 3)
    logger.close()

    resumed, run = make_logger(path)
    resumed.load_state_dict(state)
    resumed.log_stat("loss", 4.0, 4)

    assert rows(path) == [["1", "loss", "1.0"], ["2", "loss", "2.0"], ["4", "loss", "4.0"]]
    assert run.info["loss"] == [1.0, 2.0, 4.0]
    assert resumed.seconds >= state["seconds"]
    assert [value for _, value in resumed.stats["loss"]] == [1.0, 2.0, 4.0]


def test_memory_does_not_grow_with_the_number_of_values() -> None:
    logger = Logger(logging.getLogger("test"))
    for step in range(1000):
        logger.log_stat("loss", step, step)

    assert len(logger.stats["loss"]) == 5


def test_recent_stats_show_means_and_the_last_epsilon(caplog) -> None:  # noqa: ANN001
    logger = Logger(logging.getLogger("test"))
    for step, value in enumerate((1.0, 2.0)):
        logger.log_stat("episode", step, step)
        logger.log_stat("loss", value, step)
        logger.log_stat("epsilon", value, step)
    with caplog.at_level(logging.INFO):
        logger.print_recent_stats()

    text = " ".join(caplog.text.split())
    assert "Recent Stats | t_env: 1 | Episode: 1" in text
    assert "epsilon: 2.0000" in text
    assert "loss: 1.5000" in text
