"""SMAC's face and SMAC's faults, on a game that sc_process.py makes up."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from pysc2.lib import protocol
from pysc2.lib.sc_process import StarcraftProcess

LOST = (protocol.ProtocolError, protocol.ConnectionError)


class StarCraft2Env:
    def __init__(self, map_name="3m", step_mul=8, seed=None, replay_dir="", **others):
        self.map_name, self._step_mul, self._seed = map_name, step_mul, seed
        self.replay_dir = replay_dir
        self.n_agents, self.n_enemies, self.episode_limit = 2, 2, 6
        self.max_reward = 2 * 10 + 200
        self._episode_count = self._episode_steps = self.battles_game = self.battles_won = 0
        self.force_restarts = 0
        self.agents, self.enemies = {}, {}
        self._sc2_proc = self._controller = self._obs = None
        self._run_config = SimpleNamespace(
            cwd=None, env=None, save_replay=self._write, abs_replay_path=self._replays
        )

    def _launch(self):
        self._sc2_proc = StarcraftProcess(self._run_config)
        self._controller = self._sc2_proc.controller
        for kind in ("create_game", "join_game"):
            self._controller.request(kind)
        if seeds := os.environ.get("GAME_SEEDS"):
            with Path(seeds).open("a") as file:
                file.write(f"{self._seed}\n")

    def reset(self):
        self._episode_steps = 0
        if self._episode_count == 0:
            self._launch()
        else:
            try:
                self._controller.request("debug")
                self._controller.step(2)
            except LOST:
                self.full_restart()
        try:
            self._obs = self._controller.observe()
            self.init_units()
        except LOST:
            self.full_restart()
        return self.get_obs(), self.get_state()

    def init_units(self):
        while True:
            units = self._obs.observation.units
            self.enemies = {i: Unit() for i in range(units)}
            if self._episode_count == 0:
                self.max_reward += sum(u.health_max + u.shield_max for u in self.enemies.values())
            self.agents = {i: Unit() for i in range(units)}
            if units == 2:
                return
            self._controller.step(1)
            self._obs = self._controller.observe()

    def full_restart(self):
        self._sc2_proc.close()
        self._launch()
        self.force_restarts += 1

    def step(self, actions):
        try:
            self._controller.request("actions")
            self._controller.step(self._step_mul)
            self._obs = self._controller.observe()
        except LOST:
            self.full_restart()
            return 0, True, {}
        self._episode_steps += 1
        won = self._episode_steps == 4
        if won:
            self._episode_count += 1
            self.battles_game += 1
        reward = 44.0 / (self.max_reward / 20)
        return reward, won, {"battle_won": won, "dead_allies": 0, "dead_enemies": 2 * won}

    def save_replay(self):
        self._controller.request("save_replay")
        data = f"of {id(self)} in {os.getpid()}".encode()
        self._run_config.save_replay(data, replay_dir=self.replay_dir, prefix=self.map_name)

    def _replays(self, replay_dir):
        return str(Path(os.environ["SC2PATH"]) / "Replays" / replay_dir)

    def _write(self, data, replay_dir, prefix):
        """As pysc2: two games may find no folder and make it both, and write in one second."""
        folder = Path(self._replays(replay_dir))
        if not folder.exists():
            time.sleep(0.3)
            folder.mkdir(parents=True)
        path = folder / f"{prefix}_2026-01-01.SC2Replay"
        path.write_bytes(data)
        return str(path)

    def close(self):
        if self._sc2_proc:
            self._sc2_proc.close()

    def get_stats(self):
        return {"win_rate": self.battles_won / self.battles_game}

    def get_obs(self):
        return [self.get_obs_agent(agent) for agent in range(self.n_agents)]

    def get_obs_agent(self, agent):
        return np.array([len(self.agents), self.agents[agent].health, self._episode_steps])

    def get_state(self):
        return np.array([self._episode_steps, self._obs.observation.game_loop], float)

    def get_avail_actions(self):
        return [self.get_avail_agent_actions(agent) for agent in range(self.n_agents)]

    def get_avail_agent_actions(self, agent):
        return [0, 1, 1]

    def get_obs_size(self):
        return 3

    def get_state_size(self):
        return 2

    def get_total_actions(self):
        return 3

    def get_env_info(self):
        return {
            "state_shape": 2,
            "obs_shape": 3,
            "n_actions": 3,
            "n_agents": self.n_agents,
            "episode_limit": self.episode_limit,
        }


class Unit:
    health, health_max, shield_max = 45.0, 45.0, 0.0
