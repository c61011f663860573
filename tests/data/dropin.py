"""A learner, a mixer and an environment as somebody would write them for PyMARL.

They know nothing of this project beyond PyMARL's interfaces: step-by-step unrolling, a deep-copied
controller, numpy's global random numbers, a three-tuple from `step`, no `reseed`.
"""

from __future__ import annotations

import copy

import numpy as np
import torch as th
from torch import nn
from torch.nn.functional import smooth_l1_loss
from torch.optim import Adam

from components.episode_buffer import EpisodeBatch
from envs import REGISTRY as env_REGISTRY
from envs.multiagentenv import MultiAgentEnv
from learners import REGISTRY as le_REGISTRY
from modules.mixers import REGISTRY as mix_REGISTRY
from modules.mixers.vdn import VDNMixer


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
    """Fits Q_tot to r + gamma max Q_tot', where the copy that values s' trails behind."""

    TRAIL = 0.1  # part of the way that the copy goes after each update

    def __init__(self, mac, scheme, logger, args):
        self.args, self.logger, self.mac = args, logger, mac
        self.mixer = VDNMixer() if args.mixer == "vdn" else mix_REGISTRY[args.mixer](args)
        self.slow_mac, self.slow_mixer = copy.deepcopy((mac, self.mixer))
        self.weights = [*mac.parameters(), *self.mixer.parameters()]
        self.adam = Adam(self.weights, lr=args.lr)
        self.next_log = 0

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int):
        last_slot = batch.max_seq_length - 1
        going_on = 1.0 - batch["terminated"][:, :last_slot].float()
        played = batch["filled"][:, 1:].bool()  # an action counts if a slot comes after it

        with th.no_grad():
            ahead = self.best_joint_values(batch)[:, 1:]
            goal = batch["reward"][:, :last_slot] + self.args.gamma * going_on * ahead
        utilities = self.walk(self.mac, batch)[:, :last_slot]
        taken = utilities.gather(-1, batch["actions"][:, :last_slot])[..., 0]
        joint = self.mixer(taken, batch["state"][:, :last_slot])
        loss = smooth_l1_loss(joint[played], goal[played])

        self.adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(self.weights, 1.0)
        self.adam.step()
        self.trail()
        if t_env >= self.next_log:
            self.next_log = t_env + self.args.learner_log_interval
            self.logger.log_stat("loss", float(loss), t_env)

    def walk(self, mac, batch):
        """One slot after the other. (B, T, N, A)"""
        mac.init_hidden(batch.batch_size)
        slots = range(batch.max_seq_length)
        return th.stack([mac.forward(batch, t=slot) for slot in slots], dim=1)

    def best_joint_values(self, batch):
        utilities = self.walk(self.slow_mac, batch)
        possible = utilities.masked_fill(batch["avail_actions"] == 0, -1e6)
        return self.slow_mixer(possible.amax(dim=-1), batch["state"])

    @th.no_grad()
    def trail(self):
        slow = [*self.slow_mac.parameters(), *self.slow_mixer.parameters()]
        for behind, ahead in zip(slow, self.weights, strict=True):
            behind.lerp_(ahead, self.TRAIL)

    def cuda(self):
        for part in (self.mac, self.slow_mac, self.mixer, self.slow_mixer):
            part.cuda()

    def save_models(self, path):
        self.mac.save_models(path)
        th.save([self.mixer.state_dict(), self.adam.state_dict()], f"{path}/rest.th")

    def load_models(self, path):
        self.mac.load_models(path)
        self.slow_mac.load_state(self.mac)
        mixer, adam = th.load(f"{path}/rest.th")
        for mine in (self.mixer, self.slow_mixer):
            mine.load_state_dict(mixer)
        self.adam.load_state_dict(adam)


env_REGISTRY["guess"] = GuessEnv
le_REGISTRY["plain_q_learner"] = PlainQLearner
mix_REGISTRY["weighted_sum"] = WeightedSum
