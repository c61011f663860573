"""From an order to its runs, and which runs are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from configuration import load_config
from records.resume import identity
from sweeps import drive
from sweeps.order import Order, read_order
from sweeps.plan import Plan, make_plan
from sweeps.room import check_cores
from utils.errors import UserError


def plan(words: str) -> Plan:
    return make_plan(read_order(words.split()))


def test_every_combination_is_a_run_and_seeds_vary_slowest() -> None:
    made = plan("--config=qmix,vdn --env-config=two_step with lr=0.1,0.2 seed=1..2 t_max=50")

    assert made.name == "qmix+vdn_on_two_step"
    assert [run.label for run in made.runs] == [
        f"{algorithm} two_step lr={lr} seed={seed}"
        for seed in (1, 2)
        for algorithm in ("qmix", "vdn")
        for lr in (0.1, 0.2)
    ]
    assert made.runs[0].words == (
        "--config=qmix", "--env-config=two_step", "with", "lr=0.1", "seed=1", "t_max=50"
    )  # fmt: skip
    assert made.runs[0].config["lr"] == 0.1


def test_a_run_is_told_its_length_also_where_a_file_says_it(tmp_path: Path) -> None:
    """`resume=latest` goes on to an earlier run's t_max, unless it stands on the command line."""
    settings = tmp_path / "short.yaml"
    settings.write_text("env: two_step\nt_max: 70\n")
    made = plan(f"--config=qmix --env-config={settings} with seed=1")

    assert made.runs[0].words[-1] == "t_max=70"


def test_files_that_write_to_different_places_are_refused(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one.yaml", "two.yaml")]
    for limit, file in enumerate(files, start=1):
        file.write_text(
            f"env: two_step\nenv_restart_limit: {limit}\nlocal_results_path: {file.stem}\n"
        )
    words = f"--config=qmix --env-config={','.join(map(str, files))} with seed=1"
    with pytest.raises(UserError, match="2 places for results: one, two"):
        plan(words)
    assert len(plan(f"{words} local_results_path=x").runs) == 2


def test_an_empty_axis_is_refused() -> None:
    axes = {"config": ["qmix"], "env-config": ["grid"], "seed": []}
    with pytest.raises(UserError, match="seed has no value"):
        make_plan(Order(axes))


def test_maps_are_an_axis_like_any_other() -> None:
    made = plan("--config=qmix --env-config=skirmish with env_args.map_name=3m,8m seed=1")

    assert [run.group for run in made.runs] == [
        "qmix skirmish map_name=3m",
        "qmix skirmish map_name=8m",
    ]


@pytest.mark.parametrize(
    ("change", "same"),
    [("lr=0.3", False), ("seed=2", False), ("env_args.seed=9", False), ("env_args.seed=1", True),
     ("t_max=99", True), ("checkpoint_interval=7", True), ("local_results_path=x", True)],
)  # fmt: skip
def test_runs_are_the_same_if_they_learn_the_same(change: str, same: bool) -> None:
    words = ["--config=qmix", "--env-config=two_step", "with", "seed=1"]
    one, other = load_config(words).config, load_config([*words, change]).config

    assert (identity(one) == identity(other)) is same


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("--env-config=grid with seed=1", "needs --config="),
        ("--config=qmix --env-config=grid", "needs seed="),
        ("--config=qmix --env-config=grid with seed=None", "Say which"),
        ("--config=qmix --env-config=grid with seed=1 resume=latest", "goes on by itself"),
        ("--config=qmix --env-config=grid with seed=1 local_results_path=a,b", "one place"),
        ("--config=qmix --env-config=grid with seed=1 t_max=10,20", "learn the same"),
        ("--config=qmix --env-config=grid with seed=1,1", "learn the same"),
        ("--config=qmix,qmi --env-config=grid with seed=1", "Did you mean 'qmix'"),
        ("--config=qmix --env-config=grid with seed=1 lrr=0.1", "Unknown setting 'lrr'"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_runs(words: str, answer: str) -> None:
    with pytest.raises(UserError, match=answer):
        plan(words)


def test_a_setting_multiplies_only_the_algorithms_that_read_it() -> None:
    words = "--config=mappo,kmappo --env-config=grid with seed=1..2 k_level=2"
    made = plan(f"{words} kmappo_ratio=outside,joint,coppo")
    own = [run for run in made.runs if run.config["name"] == "mappo"]

    assert len(own) == 2
    assert len(made.runs) == 2 + 6
    assert [run.group for run in own] == ["mappo grid"] * 2
    assert not any("k" in word.partition("=")[0] for run in own for word in run.words[3:-1])
    assert [run.warnings for run in made.runs] == [()] * 8
    alone = plan("--config=mappo --env-config=grid with seed=1..2")
    assert [run.identity for run in own] == [run.identity for run in alone.runs]


def test_a_setting_that_nobody_reads_is_warned_of_and_kept() -> None:
    made = plan("--config=mappo,ippo --env-config=grid with seed=1 k_level=3")

    assert [len(run.warnings) for run in made.runs] == [1, 1]
    assert all("k_level=3" in run.words for run in made.runs)


def test_the_length_of_a_run_that_anneals_is_what_it_learns() -> None:
    """With another `t_max` its learning rates differ at every step."""
    made = plan("--config=mappo --env-config=grid with seed=1 t_max=1000,2000")
    assert len({run.identity for run in made.runs}) == 2

    steady = plan("--config=mappo --env-config=grid with seed=1 lr_anneal=False t_max=1000")
    longer = plan("--config=mappo --env-config=grid with seed=1 lr_anneal=False t_max=2000")
    assert steady.runs[0].identity == longer.runs[0].identity


def test_one_setting_is_a_curve_s_resolution() -> None:
    (run,) = plan("--config=mappo --env-config=grid with seed=1 curve_interval=7").runs
    four = "test_interval=7 log_interval=7 runner_log_interval=7 learner_log_interval=7"
    (same,) = plan(f"--config=mappo --env-config=grid with seed=1 {four}").runs
    (firm,) = plan(
        "--config=mappo --env-config=grid with seed=1 curve_interval=7 test_interval=9"
    ).runs

    assert run.identity == same.identity != firm.identity
    assert (firm.config["test_interval"], firm.config["log_interval"]) == (9, 7)


def test_cores_that_this_machine_lacks_are_refused_before_ray_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drive, "make_plan", lambda order: pytest.fail("nothing may begin"))
    words = ["--config=qmix", "--env-config=grid", "with", "seed=1", "--cpus=5000"]

    with pytest.raises(UserError, match=r"this machine has .* Type --cpus="):
        drive.sweep(words)
    check_cores(5000, "10.0.0.1:6379")  # of a cluster, only Ray knows
