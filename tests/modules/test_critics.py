"""Critics of replay learners answer FACMAC's learners, too, which lay out actions otherwise."""

from __future__ import annotations

import torch

from modules.critics.facmac import FACMACCritic
from modules.critics.maddpg import MADDPGCritic
from tests.make import A, B, N, O, S, continuous_args, full_scheme


def test_facmac_s_rows_of_one_slot() -> None:
    args = continuous_args()
    critic = FACMACCritic(full_scheme(args), args)
    obs, actions = torch.randn(B, N, O), torch.randn(B, N, A)

    critic.init_hidden(B)
    values, memory = critic(obs.flatten(0, 1), actions.unsqueeze(1), critic.hidden_states)

    assert torch.equal(values.reshape(B, N, 1), critic(obs, actions)[0])
    assert memory is None


def test_maddpg_s_joint_actions_of_one_slot() -> None:
    args = continuous_args()
    critic = MADDPGCritic(full_scheme(args), args)
    states, actions = torch.randn(B, S), torch.randn(B, N, A)

    values, _ = critic(states, actions.unsqueeze(1))

    assert torch.equal(values, critic(states, actions)[0])
