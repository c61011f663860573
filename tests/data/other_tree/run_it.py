"""Trains the copied learner on a controller that only steps; prints what it logged."""

import json
import pathlib
import sys
from types import SimpleNamespace

import torch as th
import yaml
from torch import nn

from components.episode_buffer import EpisodeBatch
from learners import REGISTRY
from utils.logging import Logger

B, T, N, A, O, S = 4, 5, 3, 4, 6, 7


class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.out = nn.GRUCell(O, 16), nn.Linear(16, A)

    def forward(self, inputs, hidden):
        hidden = self.rnn(inputs, hidden.reshape(-1, 16))
        return self.out(hidden), hidden


class MAC:
    def __init__(self, args):
        self.args, self.n_agents, self.agent = args, N, Agent()

    def init_hidden(self, batch_size):
        self.hidden_states = th.zeros(batch_size, N, 16)

    def _build_inputs(self, batch, t):
        return batch["obs"][:, t].reshape(-1, O)

    def forward(self, ep_batch, t, test_mode=False):
        raise NotImplementedError("K-level learners ask the agent")

    def select_actions(self, ep_batch, t_ep, t_env, bs=slice(None), test_mode=False):
        raise NotImplementedError("learners do not act")

    def parameters(self):
        return self.agent.parameters()


th.manual_seed(0)
settings = yaml.safe_load(pathlib.Path("config/algs/kfacmac.yaml").read_text())
sizes = {"n_agents": N, "n_actions": A, "state_shape": S, "learner_log_interval": 1}
defaults = {"rnn_hidden_dim": 16, "optim_alpha": 0.99, "optim_eps": 1e-5, "gamma": 0.99}  # theirs
args = SimpleNamespace(**{**defaults, **settings, **sizes, "mixer": sys.argv[1]})
avail = (th.rand(B, T + 1, N, A) < 0.7).int()
avail[..., 0] = 1
filled = th.ones(B, T + 1, 1, dtype=th.long)
filled[0, 3:] = 0  # an episode that was cut
batch = EpisodeBatch(
    {
        "obs": th.randn(B, T + 1, N, O),
        "state": th.randn(B, T + 1, S),
        "avail_actions": avail,
        "actions": th.zeros(B, T + 1, N, 1, dtype=th.long),
        "reward": th.randn(B, T + 1, 1),
        "terminated": th.zeros(B, T + 1, 1, dtype=th.uint8),
        "filled": filled,
    }
)
scheme = {"obs": {"vshape": O}, "state": {"vshape": S}, "actions_onehot": {"vshape": (A,)}}
learner = REGISTRY["kfacmac_learner"](MAC(args), scheme, Logger(), args)
before = th.cat([p.detach().flatten() for p in learner.mac.parameters()])
for update in range(3):
    learner.train(batch, update, update)
after = th.cat([p.detach().flatten() for p in learner.mac.parameters()])
print(json.dumps({**learner.logger.stats, "moved": float((after - before).norm())}))  # noqa: T201
