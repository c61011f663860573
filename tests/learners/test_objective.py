"""What objectives of critics have in common."""

from __future__ import annotations

import pytest
import torch

from components.minibatch import Minibatch
from learners.objective import CriticObjective
from tests.make import make_batch, make_learner, policy_args


@pytest.mark.parametrize("more", [0, 5])
@pytest.mark.parametrize("keep_padding", [False, True])
def test_means_are_over_the_steps_that_count(keep_padding: bool, more: int) -> None:
    """Of all of their values; steps that only make a round number of them count nowhere."""
    learner = make_learner(policy_args(learner="maddpg_learner"))
    made = Minibatch(make_batch(learner.args), keep_padding, lambda n: n + more)
    own = torch.zeros_like(learner.head.vector(made.actions))
    objective = CriticObjective(own, own, made, learner.head, learner.args)
    values = torch.randn(*made.valid.shape[:2], 2)  # (B, T, X)
    counting = torch.ones_like(made.valid) if keep_padding else made.valid

    found = objective.mean(made.steps.take(values))

    torch.testing.assert_close(found, (values * counting).sum() / counting.sum())
