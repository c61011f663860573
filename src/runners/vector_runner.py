"""PyMARL's runner over a vector of environments, wherever that lives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import torch

from components.episode_buffer import EpisodeBatch
from components.scheme import Groups, Scheme
from components.transforms import Preprocess
from envs.batched import BatchedEnv
from envs.vector.rows import explain
from policies.contract import Policy
from pymarl.policies import policy_of
from records.replays import ReplayNotSavedError
from runners.contract import Collector, Hook
from runners.episodes import Episodes
from runners.nonstop import Nonstop
from runners.seats import Clock, Layout, Seats, environment_seed
from runners.tally import Tally
from utils.errors import UserError
from utils.logging import Logger
from utils.seeding import TEST, TRAIN, RandomStream, derive_seed


class VectorRunner:
    """Subclasses say only where the environments live (`make_vector`)."""

    def __init__(self, args: SimpleNamespace, logger: Logger) -> None:
        self.args, self.logger = args, logger
        self.batch_size: int = args.batch_size_run
        self.log_train_stats_t = -args.runner_log_interval - 1  # the first round logs
        self.test_stream = RandomStream(derive_seed(args.seed, TEST))
        self._clock = Clock()
        self._vector = self._vector_of(TRAIN, self.batch_size)
        self._test: Seats | None = None  # made when first needed
        self._test_episodes = [0] * (args.test_batch_size_run or self.batch_size)

    def make_vector(self, n_envs: int, seeds: list[int]) -> BatchedEnv:
        raise NotImplementedError

    # PyMARL's interface

    @property
    def t_env(self) -> int:
        """Steps of training episodes, over all environments."""
        return self._clock.t_env

    @t_env.setter
    def t_env(self, steps: int) -> None:
        self._clock.t_env = steps

    @property
    def env_restarts(self) -> int:
        return self._train.restarts + (self._test.restarts if self._test else 0)

    def get_env_info(self) -> dict[str, Any]:
        return self._vector.get_env_info()

    def setup(
        self, scheme: Scheme, groups: Groups, preprocess: Preprocess | None, mac: object
    ) -> None:
        self.mac = mac
        limit = self.get_env_info()["episode_limit"]
        self._layout = Layout(scheme, groups, preprocess, limit)
        policy = policy_of(mac, reads="probabilities")  # acting asks for no more
        self._train = self._seats(TRAIN, self._vector, policy)
        self._collector = self._make_collector()
        if not self._vector.reseeds:
            self.logger.console_logger.warning(
                f"Warning: env={self.args.env} has no reseed(seed) that decides a whole episode, "
                "so a resumed run will not be exact (docs/resume.md)."
            )

    def _make_collector(self) -> Collector:
        length = self.args.rollout_length
        if length:
            return Nonstop(self._train, self._clock, length)
        return Episodes(self._train, self._clock)

    def run(
        self, test_mode: bool = False, on_transition: Hook | None = None, rows: int | None = None
    ) -> EpisodeBatch:
        """One episode in every training environment, or in the first `rows` (all) for tests.

        With `rollout_length`, training environments play that many steps instead, in parts of
        episodes that go on in the next round.
        `on_transition` is called after every step with a batch of two-slot episodes, one for each
        environment that took the step.
        """
        with torch.no_grad():
            if test_mode:
                batch = self._test_round(rows)
            else:
                batch = self._collector.collect(on_transition)
                self._log_training()
        return batch.to(self.args.device)

    def test(self, n_episodes: int, stop: Callable[[], bool]) -> bool:
        """Whole rounds, and a partial one for the remainder."""
        rows, left = len(self._test_episodes), n_episodes
        stream, episodes = self.test_stream.state_dict(), list(self._test_episodes)
        while left > 0:
            self.run(test_mode=True, rows=min(rows, left))
            left -= rows
            if left > 0 and stop():
                self._test_seats().tally = Tally()
                self.test_stream.load_state_dict(stream)
                self._test_episodes[:] = episodes
                return False
        return True

    def close_env(self) -> None:
        try:
            self._vector.close()
        finally:
            if self._test is not None:
                self._test.vector.close()

    def save_replay(self) -> list[str | None]:
        try:
            return (self._test or self._train).vector.save_replay()
        except NotImplementedError as error:
            raise UserError(f"save_replay: env={self.args.env} saves no replays.") from error
        except ReplayNotSavedError:
            raise  # from a worker, with the worker's reason
        except Exception as error:  # a full disk, a missing library, a game that has died
            raise ReplayNotSavedError(explain(error)) from error

    # Statistics, under PyMARL's names

    def _log_training(self) -> None:
        """At its interval, once an episode has ended since."""
        log, t_env, tally = self.logger.log_stat, self.t_env, self._train.tally
        if t_env - self.log_train_stats_t < self.args.runner_log_interval or not tally.episodes:
            return
        tally.log("", log, t_env)
        epsilon = self._train.policy.epsilon
        if epsilon is not None:
            log("epsilon", epsilon, t_env)
        log("env_restarts", self.env_restarts, t_env)
        self.log_train_stats_t = t_env

    def _log_test(self, tally: Tally) -> None:
        """When all episodes are in."""
        if tally.episodes >= self.args.test_nepisode:
            tally.log("test_", self.logger.log_stat, self.t_env)
            self.logger.log_stat("env_restarts", self.env_restarts, self.t_env)

    # State

    def state_dict(self) -> dict[str, Any]:
        return {
            "t_env": self.t_env,
            "log_train_stats_t": self.log_train_stats_t,
            "env_restarts": self.env_restarts,
            "test_stream": self.test_stream.state_dict(),
            "train_episodes": list(self._train.episodes),
            "test_episodes": list(self._test_episodes),
            "tally": self._train.tally.state_dict(),
            "nonstop": self._collector.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.t_env = state["t_env"]
        self.log_train_stats_t = state["log_train_stats_t"]
        self._train.restarts = state["env_restarts"]
        self.test_stream.load_state_dict(state["test_stream"])
        self._train.episodes = list(state["train_episodes"])
        self._test_episodes[:] = state["test_episodes"]
        self._train.tally.load_state_dict(state["tally"])
        self._collector.load_state_dict(state["nonstop"])

    # Tests

    def _test_round(self, rows: int | None) -> EpisodeBatch:
        seats = self._test_seats()
        with self.test_stream.active():
            batch, _ = Episodes(seats, self._clock).play(rows or seats.vector.n_envs)
            self._log_test(seats.tally)
        return batch

    def _test_seats(self) -> Seats:
        if self._test is None:
            # Whatever constructors draw, they draw it here: a resumed run builds a second time.
            with RandomStream(derive_seed(self.args.seed, TEST, TEST)).active():
                vector = self._vector_of(TEST, len(self._test_episodes))
            self._test = self._seats(TEST, vector, self._train.policy.for_tests())
            self._test.episodes = self._test_episodes
        return self._test

    def _seats(self, stream: int, vector: BatchedEnv, policy: Policy) -> Seats:
        console = self.logger.console_logger
        return Seats(self.args, stream, vector, policy, self._layout, console)

    def _vector_of(self, stream: int, n_envs: int) -> BatchedEnv:
        # The first training environment gets the user's seed itself.
        own = environment_seed(self.args)
        start = own if stream == TRAIN else derive_seed(own, stream)
        return self.make_vector(n_envs, [start + row for row in range(n_envs)])
