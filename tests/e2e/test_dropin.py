"""Code and settings written for PyMARL run here as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from main import main
from tests.support import Command, Results

DROPIN = Path(__file__).resolve().parents[1] / "data" / "dropin.py"

Q = {
    "action_selector": "epsilon_greedy",
    "epsilon_start": 1.0,
    "epsilon_finish": 0.05,
    "epsilon_anneal_time": 50000,
    "runner": "episode",
    "buffer_size": 5000,
    "target_update_interval": 200,
    "agent_output_type": "q",
    "learner": "q_learner",
    "double_q": True,
}
PARALLEL = {**Q, "runner": "parallel", "batch_size_run": 8}
QMIX = {"mixer": "qmix", "mixing_embed_dim": 32}
PYMARL_SETTINGS: dict[str, dict[str, Any]] = {
    "iql": {**Q, "mixer": None, "name": "iql"},
    "iql_beta": {**PARALLEL, "mixer": None, "name": "iql_smac_parallel"},
    "vdn": {**Q, "mixer": "vdn", "name": "vdn"},
    "vdn_beta": {**PARALLEL, "mixer": "vdn", "name": "vdn_smac_parallel"},
    "qmix": {**Q, **QMIX, "hypernet_layers": 2, "hypernet_embed": 64, "name": "qmix"},
    "qmix_beta": {**PARALLEL, **QMIX, "name": "qmix_smac_parallel"},
    "qtran": {
        **Q,
        "learner": "qtran_learner",
        "mixer": "qtran_base",
        "mixing_embed_dim": 64,
        "qtran_arch": "qtran_paper",
        "opt_loss": 1,
        "nopt_min_loss": 0.1,
        "network_size": "small",
        "name": "qtran",
    },
}


@pytest.mark.parametrize("name", PYMARL_SETTINGS)
def test_pymarl_value_settings_run(
    run_main: Command, results: Results, tmp_path: Path, name: str
) -> None:
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(PYMARL_SETTINGS[name]))

    done = run_main(f"--config={path}", "--env-config=two_step", "with", "t_max=100",
                    "test_nepisode=2", "seed=1")  # fmt: skip

    assert results.status() == "COMPLETED"
    recorded = results.json("config.json")
    assert recorded["learner"] == PYMARL_SETTINGS[name]["learner"]
    assert recorded["updates_per_episode"] is None
    assert results.last("updates") > 0
    assert "pymarl" in done.stdout


def dropin_yaml(tmp_path: Path, mixer: str) -> Path:
    path = tmp_path / "plain.yaml"
    settings = {**Q, "learner": "plain_q_learner", "mixer": mixer, "name": "plain"}
    settings |= {
        "plugins": [str(DROPIN)],
        "epsilon_anneal_time": 600,
        "target_update_interval": 20,
    }
    path.write_text(yaml.safe_dump(settings))
    return path


def env_yaml(tmp_path: Path) -> Path:
    path = tmp_path / "guess.yaml"
    settings = {"env": "guess", "env_args": {"numbers": 3, "episode_limit": 4, "seed": None}}
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.mark.parametrize(("mixer", "runner"), [("weighted_sum", "parallel"), ("vdn", "episode")])
def test_foreign_learner_mixer_and_environment_learn(
    run_main: Command, results: Results, tmp_path: Path, mixer: str, runner: str
) -> None:
    config, env = dropin_yaml(tmp_path, mixer), env_yaml(tmp_path)

    run_main(
        f"--config={config}",
        f"--env-config={env}",
        "with",
        f"runner={runner}",
        "t_max=1500",
        "seed=1",
        "lr=0.005",
        "test_interval=500",
    )

    assert results.status() == "COMPLETED"
    assert results.last("test_return_mean") > 3.0  # of 4; chance is 0.44
    assert results.last("test_right_mean") >= 0.75


def test_a_foreign_learner_resumes_exactly(
    run_main: Command, results: Results, tmp_path: Path
) -> None:
    config, env = dropin_yaml(tmp_path, "weighted_sum"), env_yaml(tmp_path)
    words = [f"--config={config}", f"--env-config={env}", "with", "seed=1", "t_max=300"]
    words += ["batch_size=4", "learner_log_interval=20", "testing_on=False"]
    alone = Results(tmp_path / "alone")
    run_main(*words, f"local_results_path={alone.root}")

    run_main(*words, "t_max=150")
    run_main(*words, "resume=1")

    assert results.metrics() == alone.metrics()


FACTORED = """
from types import SimpleNamespace
import torch as th
from controllers import REGISTRY as controllers
from controllers.basic_controller import BasicMAC
from learners import REGISTRY as learners
from modules.mixers.vdn import VDNMixer

class OneHots(BasicMAC):  # FACMAC's way to say it
    def select_actions(self, ep_batch, t_ep, t_env, bs=slice(None), test_mode=False, explore=False):
        actions = super().select_actions(ep_batch, t_ep, t_env, bs, test_mode, explore)
        assert actions.ndim == 3
        return actions

class Learner:
    def __init__(self, mac, scheme, logger, args):
        self.mac, self.logger = mac, logger
        self.net = th.nn.Linear(args.hidden_dim, 1) if args.common_reward else None
        self.mixer, self.optimiser = VDNMixer(), th.optim.Adam(mac.parameters(), lr=args.lr)
        {extra}

    def train(self, batch, t_env, episode_num):
        self.mac.init_hidden(batch.batch_size)
        drawn = [self.mac.select_actions(batch, t_ep=t, t_env=t_env, explore=False)
                 for t in range(batch.max_seq_length - 1)]
        first = th.stack(drawn, dim=1)[..., 0]
        joint = self.mixer(first.reshape(-1, first.shape[2], 1), batch["state"][:, :-1])
        (-joint.mean()).backward()
        self.optimiser.step()
        self.logger.log_stat("loss", -joint.mean().item(), t_env)

    def save_models(self, path):
        self.mac.save_models(path)

controllers["one_hots"] = OneHots
learners["their_learner"] = Learner
"""
POLICY = {"learner": "their_learner", "mac": "one_hots", "action_selector": "gumbel"}
POLICY |= {"agent_output_type": "pi_logits", "hidden_dim": 8, "batch_size": 2}


@pytest.mark.parametrize("extra", ["pass", "args.verbose"])
def test_a_learner_that_asks_for_one_hots_and_its_own_settings(
    results: Results, tmp_path: Path, capfd: pytest.CaptureFixture[str], extra: str
) -> None:
    plugin, path = tmp_path / f"theirs_{extra[:4]}.py", tmp_path / "theirs.yaml"
    plugin.write_text(FACTORED.replace("{extra}", extra))
    path.write_text(yaml.safe_dump({**POLICY, "plugins": [plugin.name]}))

    words = [f"--config={path}", "--env-config=two_step", "with", "t_max=8", "seed=1"]
    code = main([*words, f"local_results_path={results.root}"])

    if extra == "pass":
        assert (code, results.status()) == (0, "COMPLETED")
        assert results.last("loss") < 0
        assert results.json("config.json")["rnn_hidden_dim"] == 8
        return
    assert code == 2
    told = capfd.readouterr().err
    assert f"{plugin}, line 20, reads args.verbose" in told
    assert "Traceback" not in told
