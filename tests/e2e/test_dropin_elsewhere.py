"""The files that docs/drop-in.md names are all that a foreign tree needs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from learners.demands import OF_NETWORKS
from learners.kfacmac_learner import KFACMACLearner
from tests.support import environment, run_process
from utils.errors import UserError
from utils.needs import needs_of

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = yaml.safe_load((ROOT / "docs" / "examples" / "kfacmac_dropin.yaml").read_text())
OF_CONTINUOUS_ACTIONS = {"act_noise", "action_low", "action_high", "mac"}
AT_RUN_TIME = {"n_agents", "n_actions", "device", "learner"}
IN_ALL_TREES = {  # the default.yaml of PyMARL, FACMAC and EPyMARL have these
    *("agent", "batch_size", "buffer_size", "gamma", "grad_norm_clip"),
    *("learner_log_interval", "lr", "optim_alpha", "optim_eps"),
}

THEIRS = {"gamma": 0.99, "learner_log_interval": 1, "optim_alpha": 0.99, "optim_eps": 1e-5}


def copied_files() -> list[Path]:
    """What the first commands of docs/drop-in.md copy."""
    text = (ROOT / "docs" / "drop-in.md").read_text()
    patterns = re.findall(r"^cp --parents (?:-n )?(.*) \$THEIRS/src$", text, re.MULTILINE)
    patterns += re.findall(
        r"^(?:cp|sed '.*') (learners/\S+) .*\$THEIRS/src/learners/", text, re.MULTILINE
    )
    listed = subprocess.run(
        ["bash", "-c", f"ls {' '.join(patterns)}"],
        cwd=ROOT / "src",
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / "src" / name for name in listed.stdout.split()]


def test_the_learner_names_every_setting_that_a_foreign_tree_may_lack() -> None:
    read = {
        name for path in copied_files() for name in re.findall(r"\bargs\.(\w+)", path.read_text())
    }
    named = needs_of(KFACMACLearner).uses | OF_NETWORKS

    assert "k_level" in read
    assert read - OF_CONTINUOUS_ACTIONS - AT_RUN_TIME - IN_ALL_TREES - {"runner_scope"} <= named
    assert named - IN_ALL_TREES <= EXAMPLE.keys()


def test_a_learner_that_is_only_switched_says_what_is_missing() -> None:
    args = SimpleNamespace(**EXAMPLE, **THEIRS)
    del args.k_level, args.actor_mask

    with pytest.raises(UserError, match=r"not have: actor_mask, k_level\.\n.*--config=kfacmac"):
        KFACMACLearner(None, {}, None, args)


def test_settings_of_another_family_are_told_there_too() -> None:
    """Also by a tree that lacks settings which only we have."""
    args = SimpleNamespace(**{**EXAMPLE, **THEIRS, "action_selector": "epsilon_greedy"})

    with pytest.raises(UserError, match="Add: action_selector=gumbel"):
        KFACMACLearner(None, {}, None, args)


@pytest.mark.parametrize("mixer", ["qmix", "vdn"])
def test_the_documented_copy_trains_in_a_foreign_tree(tmp_path: Path, mixer: str) -> None:
    theirs = tmp_path / "src"
    shutil.copytree(ROOT / "tests" / "data" / "other_tree", theirs)
    (theirs / "config" / "algs").mkdir(parents=True)
    commands = re.search(r"```\n(.*?)```", (ROOT / "docs" / "drop-in.md").read_text(), re.DOTALL)
    assert commands is not None
    subprocess.run(
        ["bash", "-e", "-c", commands[1]],
        cwd=ROOT / "src",
        env={**environment(), "THEIRS": str(tmp_path)},
        check=True,
    )

    done = run_process([sys.executable, "run_it.py", mixer], check=True, cwd=theirs)

    logged = json.loads(done.stdout)
    assert logged["k/level"] == 2
    assert logged["moved"] > 0
    assert logged["critic_loss"] > 0
    for path in ("learners/facmac_learner.py", "modules/mixers/vdn.py"):
        original = ROOT / "tests" / "data" / "other_tree" / path
        assert (theirs / path).read_text() == original.read_text()
