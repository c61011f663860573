"""Which kernels a run gets, what it says and records of them, and what a resumed one goes on by."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from configuration import load_config
from machine.compiler import NotCompiledError
from modules import timing
from modules.kernels import PLAIN, Kernels
from modules.layers import Dense
from modules.products import OneDNNProducts
from pymarl.runners import make_runner
from tests.make import make_args
from training import kernels as of_training
from training.build import build
from training.kernels import choose_kernels
from training.session import collect_state
from utils.logging import Logger

ONEDNN = Kernels(OneDNNProducts())
SLOTS = 100  # of an episode; with those of `make_args` worth a choice
LATER = {"products": "tomorrow", "GRU": "compiled"}


@pytest.fixture(autouse=True)
def onednn_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that has it, and on which it is the faster one."""
    monkeypatch.setattr(timing, "FILE", f"{tmp_path.name}.json")
    monkeypatch.setattr(OneDNNProducts, "there", lambda: True)
    monkeypatch.setattr(timing, "milliseconds", lambda found, _: [9.0, *range(1, len(found))])


class Recorder(Logger):
    """Keeps what goes into the record of a run."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger("recorder"))
        self.facts: dict[str, Any] = {}
        self.setup_sacred(SimpleNamespace(info=self.facts))


def test_the_fastest_is_chosen_told_and_recorded(caplog: pytest.LogCaptureFixture) -> None:
    logger = Recorder()
    with caplog.at_level(logging.INFO):
        chosen = choose_kernels(make_args(use_cuda=False), SLOTS, None, logger)

    assert chosen == ONEDNN
    assert caplog.messages == ["  kernels: products by onednn, GRU slot by slot"]
    assert logger.facts == {"kernels": {"products": "onednn", "GRU": "slot by slot"}}


@pytest.mark.parametrize(
    ("settings", "slots"),
    [
        ({"fast_kernels": "off"}, SLOTS),
        ({"use_cuda": True}, SLOTS),
        ({"evaluate": True}, SLOTS),
        ({}, 2),
    ],
)
def test_who_gets_plain_ones(settings: dict[str, Any], slots: int) -> None:
    logger = Recorder()

    assert (
        choose_kernels(make_args(**{"use_cuda": False, **settings}), slots, None, logger) == PLAIN
    )
    assert logger.facts["kernels"] == PLAIN.record()


@pytest.mark.parametrize("kernels", [PLAIN, ONEDNN])
def test_a_resumed_run_goes_on_with_its_own(kernels: Kernels) -> None:
    args = make_args(use_cuda=False)

    assert choose_kernels(args, SLOTS, kernels.record(), Recorder()) == kernels


def test_what_this_machine_does_not_have_is_told(caplog: pytest.LogCaptureFixture) -> None:
    chosen = choose_kernels(make_args(use_cuda=False), SLOTS, LATER, Recorder())

    assert chosen == PLAIN
    assert (
        "computed with products by tomorrow, GRU compiled, which this machine does not"
        in caplog.text
    )


def test_all_parts_of_a_run_compute_by_them() -> None:
    args = make_args(
        env="grid", env_args={"size": 2, "episode_limit": 6, "seed": 3}, batch_size=99,
        use_cuda=False, mixer="qmix",
    )  # fmt: skip
    logger = Recorder()
    session = build(args, logger, make_runner(args, logger))
    learner: Any = session.learner

    networks = [learner.policy.agent, learner.target_policy.agent, learner.mixer]
    layers = [m for each in networks for m in each.modules() if isinstance(m, Dense)]
    assert len(layers) >= 6
    assert all(layer.products == ONEDNN.products for layer in layers)
    assert learner.round_up(1001) == 1024
    assert collect_state(session)["kernels"] == ONEDNN.record()


def test_off_is_text_in_a_settings_file_too(tmp_path: Path) -> None:
    (tmp_path / "off.yaml").write_text("fast_kernels: off\n")
    for words in ([f"--config={tmp_path}/off.yaml"], ["--config=qmix", "with", "fast_kernels=off"]):
        loaded = load_config([words[0], "--env-config=grid", *words[1:]])
        assert loaded.config["fast_kernels"] == "off"


def test_without_a_compiler_a_run_works_and_says_so_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(*_: object) -> NoReturn:
        raise NotCompiledError("there is no C++ compiler")

    monkeypatch.setattr(of_training, "compiled_gru", lacking)
    args = make_args(use_cuda=False, fast_kernels="compiled")

    for agent, warnings in (("mlp", 0), ("rnn", 1)):
        caplog.clear()
        args.agent = agent
        assert choose_kernels(args, SLOTS, None, Recorder()) == ONEDNN
        said = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
        assert len(said) == warnings
        assert all("the GRU is not compiled: there is no" in text for text in said)
    choose_kernels(args, SLOTS, LATER, Recorder())
    assert "does not have (there is no C++ compiler). It goes on with" in caplog.messages[-1]


def test_who_learns_in_rounds_tries_the_compiled_gru_unasked(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says nothing where there is no compiler."""
    tried: list[int] = []

    def lacking(width: int, folder: Path | None) -> NoReturn:
        tried.append(width)
        raise NotCompiledError("there is no C++ compiler")

    monkeypatch.setattr(of_training, "compiled_gru", lacking)
    for learner, times in (("q_learner", 0), ("mappo_learner", 1)):
        args = make_args(use_cuda=False, learner=learner)
        assert choose_kernels(args, SLOTS, None, Recorder()) == ONEDNN
        assert len(tried) == times
    assert not [record for record in caplog.records if record.levelno == logging.WARNING]
