"""PyMARL's name for the module that its learners import returns from."""

from utils.returns import build_td_lambda_targets

__all__ = ["build_td_lambda_targets"]
