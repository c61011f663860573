"""A QMIX mixer written from its equations; it knows one state for each value, as PyMARL's does."""

import torch as th
from torch import nn


class QMixer(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.n, self.width = args.n_agents, args.mixing_embed_dim
        self.w1 = nn.Linear(args.state_shape, self.n * self.width)
        self.w2 = nn.Linear(args.state_shape, self.width)
        self.b1 = nn.Linear(args.state_shape, self.width)
        self.v = nn.Linear(args.state_shape, 1)

    def forward(self, agent_qs, states):
        first = self.w1(states).abs().view(*states.shape[:2], self.n, self.width)
        hidden = nn.functional.elu(th.einsum("btn,btne->bte", agent_qs, first) + self.b1(states))
        return (hidden * self.w2(states).abs()).sum(-1, keepdim=True) + self.v(states)
