"""Learners by name: what `learner:` in a config may say."""

from utils.registry import Registry

REGISTRY = Registry(
    "learner",
    {
        "q_learner": "learners.q_learner:QLearner",
        "qtran_learner": "learners.qtran_learner:QTranLearner",
    },
)
