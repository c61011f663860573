"""A learner, a mixer and an environment as somebody would write them for PyMARL.

They know nothing of this project beyond PyMARL's interfaces: step-by-step unrolling, a deep-copied
controller, numpy's global random numbers, a three-tuple from `step`, no `reseed`.
"""

from __future__ import annotations

import copy

import numpy as np
import torch as th
from torch import nn
from torch.optim import RMSprop

from components.episode_buffer import EpisodeBatch
from envs import REGISTRY as env_REGISTRY
from envs.multiagentenv import MultiAgentEnv
from learners import REGISTRY as le_REGISTRY
from modules.mixers import REGISTRY as mix_REGISTRY
from modules.mixers.sums import VDNMixer


class GuessEnv(MultiAgentEnv):
    """Both agents must name the number that they are shown, for some steps."""

    def __init__(self, numbers=3, episode_limit=4, seed=None):
        self.n_agents = 2
        self.numbers = numbers
        self.episode_limit = episode_limit

    def reset(self):
        self.t = 0
        self.shown = np.random.randint(self.numbers)
        return self.get_obs(), self.get_state()

    def step(self, actions):
        right = all(int(a) == self.shown for a in actions)
        self.t += 1
        self.shown = np.random.randint(self.numbers)
        return float(right), self.t >= self.episode_limit, {"right": right}

    def get_obs(self):
        return [self.get_obs_agent(i) for i in range(self.n_agents)]

    def get_obs_agent(self, agent_id):
        return np.eye(self.numbers, dtype=np.float32)[self.shown]

    def get_obs_size(self):
        return self.numbers

    def get_state(self):
        return self.get_obs_agent(0)

    def get_state_size(self):
        return self.numbers

    def get_avail_actions(self):
        return [self.get_avail_agent_actions(i) for i in range(self.n_agents)]

    def get_avail_agent_actions(self, agent_id):
        return [1] * self.numbers

    def get_total_actions(self):
        return self.numbers

    def get_stats(self):
        return {}

    def close(self):
        pass


class WeightedSum(nn.Module):
    """agent_qs (B, T, n_agents), states (B, T, state) -> (B, T, 1)."""

    def __init__(self, args):
        super().__init__()
        self.log_weights = nn.Parameter(th.zeros(args.n_agents))
        self.bias = nn.Linear(int(np.prod(args.state_shape)), 1)

    def forward(self, agent_qs, states):
        joint = (agent_qs * self.log_weights.exp()).sum(dim=2, keepdim=True)
        return joint + self.bias(states)


class PlainQLearner:
    def __init__(self, mac, scheme, logger, args):
        self.args = args
        self.mac = mac
        self.logger = logger
        self.params = list(mac.parameters())
        self.last_target_update_episode = 0
        self.mixer = VDNMixer() if args.mixer == "vdn" else mix_REGISTRY[args.mixer](args)
        self.params += list(self.mixer.parameters())
        self.target_mixer = copy.deepcopy(self.mixer)
        self.optimiser = RMSprop(
            self.params, lr=args.lr, alpha=args.optim_alpha, eps=args.optim_eps
        )
        self.target_mac = copy.deepcopy(mac)
        self.log_stats_t = -self.args.learner_log_interval - 1

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int):
        rewards = batch["reward"][:, :-1]
        actions = batch["actions"][:, :-1]
        terminated = batch["terminated"][:, :-1].float()
        mask = batch["filled"][:, :-1].float()
        mask[:, 1:] = mask[:, 1:] * (1 - terminated[:, :-1])

        def unroll(mac):
            mac.init_hidden(batch.batch_size)
            outs = [mac.forward(batch, t=t) for t in range(batch.max_seq_length)]
            return th.stack(outs, dim=1)

        chosen = th.gather(unroll(self.mac)[:, :-1], dim=3, index=actions).squeeze(3)
        target_out = unroll(self.target_mac)[:, 1:].detach()
        target_out[batch["avail_actions"][:, 1:] == 0] = -9999999
        target_max = target_out.max(dim=3)[0]
        chosen = self.mixer(chosen, batch["state"][:, :-1])
        target_max = self.target_mixer(target_max, batch["state"][:, 1:])
        targets = rewards + self.args.gamma * (1 - terminated) * target_max
        loss = (((chosen - targets.detach()) * mask) ** 2).sum() / mask.sum()

        self.optimiser.zero_grad()
        loss.backward()
        th.nn.utils.clip_grad_norm_(self.params, self.args.grad_norm_clip)
        self.optimiser.step()

        if (
            episode_num - self.last_target_update_episode
        ) / self.args.target_update_interval >= 1.0:
            self.target_mac.load_state(self.mac)
            self.target_mixer.load_state_dict(self.mixer.state_dict())
            self.last_target_update_episode = episode_num
        if t_env - self.log_stats_t >= self.args.learner_log_interval:
            self.logger.log_stat("loss", loss.item(), t_env)
            self.log_stats_t = t_env

    def cuda(self):
        self.mac.cuda()
        self.target_mac.cuda()

    def save_models(self, path):
        self.mac.save_models(path)
        th.save(self.optimiser.state_dict(), f"{path}/opt.th")

    def load_models(self, path):
        self.mac.load_models(path)
        self.target_mac.load_models(path)


env_REGISTRY["guess"] = GuessEnv
le_REGISTRY["plain_q_learner"] = PlainQLearner
mix_REGISTRY["weighted_sum"] = WeightedSum
