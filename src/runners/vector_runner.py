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
from runners.testing import TestPlay
from utils.errors import UserError
from utils.logging import Logger
from utils.seeding import SAMPLED, TEST, TRAIN, RandomStream, derive_seed


class VectorRunner:
    """Subclasses say only where the environments live (`make_vector`)."""

    def __init__(self, args: SimpleNamespace, logger: Logger) -> None:
        self.args, self.logger = args, logger
        self.batch_size: int = args.batch_size_run
        self.log_train_stats_t = -args.runner_log_interval - 1  # the first round logs
        self._clock = Clock()
        self._vector = self._vector_of(TRAIN, self.batch_size)
        self._test_vector: BatchedEnv | None = None  # made when first needed
        rows = args.test_batch_size_run or self.batch_size
        self._tests = [TestPlay(args.seed, TEST, "test_", rows)]
        if args.test_sampled:
            self._tests.append(TestPlay(args.seed, SAMPLED, "test_sampled_", rows))

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
        return self._train.restarts + sum(each.restarts for each in self._tests)

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
                batch = self._test_round(self._tests[0], rows)
                self._log_greedy()
            else:
                batch = self._collector.collect(on_transition)
                self._log_training()
        return batch.to(self.args.device)

    def test(self, n_episodes: int, stop: Callable[[], bool]) -> bool:
        """Whole rounds, and a partial one for the remainder, of each kind of tests."""
        greedy, *others = self._tests
        states = [tests.state_dict() for tests in self._tests]
        # Greedy ones last: they are in the log once they have been played.
        rounds = [(tests, n) for tests in (*others, greedy) for n in self._rounds(n_episodes)]
        for done, (tests, rows) in enumerate(rounds, start=1):
            if tests is greedy:
                self.run(test_mode=True, rows=rows)
            else:
                self._test_round(tests, rows)
            if done < len(rounds) and stop():
                for each, state in zip(self._tests, states, strict=True):
                    each.give_up(state)
                return False
        for tests in others:
            tests.log(self.logger.log_stat, self.t_env)
        return True

    def close_env(self) -> None:
        try:
            self._vector.close()
        finally:
            if self._test_vector is not None:
                self._test_vector.close()

    def save_replay(self) -> list[str | None]:
        try:
            return (self._test_vector or self._vector).save_replay()
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

    def _log_greedy(self) -> None:
        """When all episodes are in."""
        greedy = self._tests[0]
        if greedy.episodes_in >= self.args.test_nepisode:
            greedy.log(self.logger.log_stat, self.t_env)
            self.logger.log_stat("env_restarts", self.env_restarts, self.t_env)

    # State

    def state_dict(self) -> dict[str, Any]:
        return {
            "t_env": self.t_env,
            "log_train_stats_t": self.log_train_stats_t,
            "env_restarts": self.env_restarts,
            "train_episodes": list(self._train.episodes),
            "tests": [each.state_dict() for each in self._tests],
            "tally": self._train.tally.state_dict(),
            "nonstop": self._collector.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.t_env = state["t_env"]
        self.log_train_stats_t = state["log_train_stats_t"]
        self._train.restarts = state["env_restarts"]
        self._train.episodes = list(state["train_episodes"])
        for each, kept in zip(self._tests, state["tests"], strict=True):
            each.load_state_dict(kept)
        self._train.tally.load_state_dict(state["tally"])
        self._collector.load_state_dict(state["nonstop"])

    # Tests

    def _rounds(self, n_episodes: int) -> list[int]:
        """The rows of each round that so many episodes take."""
        rows = len(self._tests[0].episodes)
        return [min(rows, n_episodes - begun) for begun in range(0, n_episodes, rows)]

    def _test_round(self, tests: TestPlay, rows: int | None) -> EpisodeBatch:
        seats = tests.seats or tests.take(self._test_seats(tests))
        with torch.no_grad(), tests.random.active():
            batch, _ = Episodes(seats, self._clock).play(rows or seats.vector.n_envs)
        return batch

    def _test_seats(self, tests: TestPlay) -> Seats:
        """All kinds of tests are played in the same environments, one after the other."""
        if self._test_vector is None:
            # Whatever constructors draw, they draw it here: a resumed run builds a second time.
            with RandomStream(derive_seed(self.args.seed, TEST, TEST)).active():
                self._test_vector = self._vector_of(TEST, len(tests.episodes))
        return self._seats(tests.stream, self._test_vector, self._train.policy.for_tests())

    def _seats(self, stream: int, vector: BatchedEnv, policy: Policy) -> Seats:
        console = self.logger.console_logger
        return Seats(self.args, stream, vector, policy, self._layout, console)

    def _vector_of(self, stream: int, n_envs: int) -> BatchedEnv:
        # The first training environment gets the user's seed itself.
        own = environment_seed(self.args)
        start = own if stream == TRAIN else derive_seed(own, stream)
        return self.make_vector(n_envs, [start + row for row in range(n_envs)])
