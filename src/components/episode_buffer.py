"""The names of PyMARL's module of batches and replay."""

from components.episode_batch import EpisodeBatch
from components.replay_buffer import ReplayBuffer

__all__ = ["EpisodeBatch", "ReplayBuffer"]
