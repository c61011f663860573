"""A runner as somebody would write it for PyMARL: whole rounds, own statistics, no state_dict."""

from __future__ import annotations

from functools import partial

import numpy as np

from components.episode_buffer import EpisodeBatch
from envs import REGISTRY as env_REGISTRY
from runners import REGISTRY as run_REGISTRY


class PlainRunner:
    def __init__(self, args, logger):
        self.args, self.logger = args, logger
        self.batch_size = args.batch_size_run
        self.envs = [env_REGISTRY[args.env](**args.env_args) for _ in range(self.batch_size)]
        self.t_env, self.next_log = 0, 0
        self.returns = {"": [], "test_": []}

    def setup(self, scheme, groups, preprocess, mac):
        self.mac = mac
        slots = self.get_env_info()["episode_limit"] + 1
        self.blank = partial(
            EpisodeBatch, scheme, groups, self.batch_size, slots, preprocess=preprocess
        )

    def get_env_info(self):
        return self.envs[0].get_env_info()

    def close_env(self):
        for env in self.envs:
            env.close()

    def run(self, test_mode=False):
        batch, totals = self.blank(), np.zeros(self.batch_size)
        self.mac.init_hidden(batch_size=self.batch_size)
        for env in self.envs:
            env.reset()
        going, t = list(range(self.batch_size)), 0
        ended = []
        while going:
            self.look(batch, going, t)
            actions = self.mac.select_actions(
                batch, t_ep=t, t_env=self.t_env, bs=going, test_mode=test_mode
            )
            batch.update({"actions": actions.unsqueeze(1)}, bs=going, ts=t, mark_filled=False)
            going, actions = self.without(going, actions, ended)
            for row, action in zip(going, actions, strict=True):
                reward, over, info = self.envs[row].step(action)
                totals[row] += reward
                true_end = over and not info.get("episode_limit", False)
                outcome = {"reward": [(reward,)], "terminated": [(true_end,)]}
                batch.update(outcome, bs=[row], ts=t, mark_filled=False)
                if over:
                    ended.append(row)
                self.t_env += not test_mode
            t += 1
        self.note("test_" if test_mode else "", totals.tolist())
        return batch

    def look(self, batch, rows, t):
        seen = {
            "state": [self.envs[row].get_state() for row in rows],
            "avail_actions": [self.envs[row].get_avail_actions() for row in rows],
            "obs": [self.envs[row].get_obs() for row in rows],
        }
        batch.update({key: np.array(value)[:, None] for key, value in seen.items()}, bs=rows, ts=t)

    @staticmethod
    def without(rows, actions, ended):
        left = [place for place, row in enumerate(rows) if row not in ended]
        return [rows[place] for place in left], actions[left].cpu()

    def note(self, prefix, totals):
        kept = self.returns[prefix]
        kept += totals
        whole_test = self.args.test_nepisode // self.batch_size * self.batch_size
        due = len(kept) == whole_test if prefix else self.t_env >= self.next_log
        if due:
            self.next_log = self.t_env + (0 if prefix else self.args.runner_log_interval)
            self.logger.log_stat(f"{prefix}return_mean", np.mean(kept), self.t_env)
            kept.clear()


run_REGISTRY["plain"] = PlainRunner
