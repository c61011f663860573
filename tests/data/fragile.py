"""Environments that break on command; workers build them from this module."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np

from envs.multiagentenv import MultiAgentEnv

__all__ = ["Fragile", "FromGlobal", "NoReseed", "Stubborn", "Talkative", "Timed", "WithChild"]


class Fragile(MultiAgentEnv):
    """Counts its steps. `fault` strikes in the third step, as long as the file `fuse` exists."""

    n_agents, episode_limit = 2, 5

    def __init__(self, fault="", fuse="", fail_at="step", seed=None):
        self.fault, self.fuse, self.fail_at = fault, Path(fuse), fail_at
        self.seed_given = seed
        self.t = 0

    def reseed(self, seed):
        self.episode = seed

    def reset(self):
        self.t = 0
        self.last = np.zeros(2)
        if self.fail_at == "reset":
            self._strike()

    def step(self, actions):
        self.t += 1
        self.last = np.asarray(actions, dtype=float)
        if self.t == 3 and self.fail_at == "step":
            self._strike()
        return float(self.last.sum()), self.t >= 5, {"pid": os.getpid(), "name": "x"}

    def _strike(self):
        try:
            self.fuse.unlink()  # whoever gets it breaks
        except OSError:
            return
        if self.fault == "raise":
            raise RuntimeError("the game crashed")
        if self.fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == "exit":
            os._exit(3)
        if self.fault == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        if self.fault == "hang":
            time.sleep(600)

    def get_obs_agent(self, agent_id):
        return np.array([self.t, self.last[agent_id], self.episode % 1000], np.float32)

    def get_obs_size(self):
        return 3

    def get_state(self):
        return np.array([self.t, self.episode % 1000], np.float32)

    def get_state_size(self):
        return 2

    def get_total_actions(self):
        return 4


class WithChild(Fragile):
    """Starts a process of its own, as a game would, and writes down who is alive."""

    def __init__(self, pids="", seed=None):
        super().__init__()
        self.child = subprocess.Popen(["sleep", "600"])
        with Path(pids).open("a") as file:
            file.write(f"{os.getpid()}\n{self.child.pid}\n")

    def close(self):
        self.child.kill()
        self.child.wait()


class Stubborn(Fragile):
    """Always fails."""

    def step(self, actions):
        raise RuntimeError("no more memory")


class FromGlobal(Fragile):
    """Draws from numpy's global stream, as environments written for PyMARL do."""

    def get_state(self):
        return np.array([self.t, np.random.rand()], np.float32)


class Talkative(Fragile):
    """Says more than numbers, and some of it cannot be sent to another process."""

    def step(self, actions):
        reward, terminated, info = super().step(actions)
        return reward, terminated, {**info, "rule": lambda: None, "score": 1.5}


class Timed(Fragile):
    """Time ends its episodes."""

    def step(self, actions):
        reward, ended, info = super().step(actions)
        return reward, ended, {**info, "episode_limit": ended}


class NoReseed(MultiAgentEnv):
    """As most environments are: seeded once, if at all."""

    n_agents, episode_limit = 1, 1

    def reset(self):
        return None

    def step(self, actions):
        return 0.0, True, {}

    def get_obs_agent(self, agent_id):
        return np.zeros(1, np.float32)

    def get_obs_size(self):
        return np.prod((1,))  # as PyMARL's environments compute it

    get_state, get_state_size = lambda self: np.zeros(1, np.float32), get_obs_size

    def get_total_actions(self):
        return 2
