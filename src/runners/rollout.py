"""The one rollout loop, over a vector of environments that lives wherever it likes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from components.episode_buffer import EpisodeBatch
from envs.batched import Array, BatchedEnv, Step
from envs.vector.rows import explain
from envs.vector.workers import tail
from policies.contract import Observed
from pymarl.policies import policy_of
from runners.nonstop import Nonstop
from runners.tally import Tally
from runners.writer import StepWriter, on_host
from utils.errors import UserError
from utils.logging import Logger
from utils.replays import ReplayNotSavedError
from utils.seeding import TEST, TRAIN, RandomStream, derive_seed, episode_seed

Hook = Callable[[EpisodeBatch], None]


@dataclass
class Side:
    """Training and testing have the same parts, and share none but the networks."""

    stream: int  # TRAIN or TEST
    vector: BatchedEnv
    policy: Any = None
    memory: Any = None  # the agents', in episodes that are being played
    episodes: list[int] = field(default_factory=list)  # started so far, for each row
    failures: list[int] = field(default_factory=list)  # in a row, for each row
    tally: Tally = field(default_factory=Tally)


class RolloutRunner:
    """PyMARL's runner. Subclasses say only where the environments live (`make_vector`)."""

    plays_on = True  # knows of `rollout_length`

    def __init__(self, args: SimpleNamespace, logger: Logger) -> None:
        self.args, self.logger = args, logger
        self.batch_size: int = args.batch_size_run
        given = args.env_args.get("seed")
        self.env_seed: int = args.seed if given is None else given
        self.t = 0  # length of the longest episode of the last round
        self.t_env = 0  # steps of training episodes, over all environments
        self.log_train_stats_t = -args.runner_log_interval - 1  # the first round logs
        self.env_restarts = 0
        self.test_stream = RandomStream(derive_seed(args.seed, TEST))
        self._train = self._side(TRAIN, self.batch_size)
        self._test: Side | None = None  # made when first needed
        self._nonstop: Nonstop | None = None
        self._test_episodes = [0] * (args.test_batch_size_run or self.batch_size)

    def make_vector(self, n_envs: int, seeds: list[int]) -> BatchedEnv:
        raise NotImplementedError

    # PyMARL's interface

    def get_env_info(self) -> dict[str, Any]:
        return self._train.vector.get_env_info()

    def setup(self, scheme: Any, groups: Any, preprocess: Any, mac: Any) -> None:
        self.layout = (scheme, groups, preprocess)
        self._episode_limit = self.get_env_info()["episode_limit"]
        self.mac = mac
        self._train.policy = policy_of(mac, reads="probabilities")  # acting asks for no more
        if self.args.rollout_length:
            self._nonstop = Nonstop(self, self._train)
        if not self._train.vector.reseeds:
            self.logger.console_logger.warning(
                f"Warning: env={self.args.env} has no reseed(seed) that decides a whole episode, "
                "so a resumed run will not be exact (docs/resume.md)."
            )

    def run(
        self, test_mode: bool = False, rows: int | None = None, on_transition: Hook | None = None
    ) -> EpisodeBatch:
        """One episode in each of the first `rows` (all) environments.

        With `rollout_length`, training environments play that many steps instead, in parts of
        episodes that go on in the next round.
        `on_transition` is called after every step with a batch of two-slot episodes, one for each
        environment that took the step.
        """
        with torch.no_grad():
            if not test_mode and self._nonstop is not None:
                batch = self._rollout(self._nonstop)
            elif not test_mode:
                batch = self._round(self._train, rows or self.batch_size, on_transition)
            else:
                side = self._test_side()
                with self.test_stream.active():
                    batch = self._round(side, rows or side.vector.n_envs, None)
        return batch.to(self.args.device)

    def forget_test(self, state: dict[str, Any]) -> None:
        """Undo a test that was broken off: `state` is the `state_dict()` from before it."""
        assert self._test is not None
        self._test.tally = Tally()
        self.test_stream.load_state_dict(state["test_stream"])
        self._test.episodes[:] = state["test_episodes"]

    def close_env(self) -> None:
        try:
            self._train.vector.close()
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

    def _rollout(self, nonstop: Nonstop) -> EpisodeBatch:
        self.t = self.args.rollout_length
        batch, finished = nonstop.rollout(self.t, self.t_env)
        while not finished.steps:  # all were lost; `env_restart_limit` ends this
            batch, finished = nonstop.rollout(self.t, self.t_env)
        self.t_env += finished.steps
        self._train.tally.add(finished.returns, finished.lengths, finished.infos)
        self._report(self._train)
        return batch

    # The loop

    def _round(self, side: Side, n_rows: int, hook: Hook | None) -> EpisodeBatch:
        """Episodes in rows 0 to n_rows - 1; those that were lost are played again."""
        scheme, groups, preprocess = self.layout
        batch = EpisodeBatch(scheme, groups, n_rows, self._episode_limit + 1, preprocess=preprocess)
        t_start = self.t_env
        results = RoundResults(n_rows)
        todo = np.arange(n_rows)
        while len(todo):
            erase(batch, todo)
            results.erase(todo)
            todo = self._play(side, batch, todo, results, t_start, hook)
        self.t = int(results.lengths.max())
        if side.stream == TRAIN:
            self.t_env = max(self.t_env, t_start + int(results.lengths.sum()))
        side.tally.add(results.returns, results.lengths, results.infos)
        self._report(side)
        return batch

    def _play(
        self,
        side: Side,
        batch: EpisodeBatch,
        rows: Array,
        results: RoundResults,
        t_start: int,
        hook: Hook | None,
    ) -> Array:
        """Play `rows` to their ends; returns those that the environment lost."""
        lost = rows[side.vector.reset(rows, self.next_seeds(side, rows))]
        self.note_failures(side, lost)
        present = np.setdiff1d(rows, lost)  # rows whose slot t is yet to be written
        ended, some_ended = np.zeros(batch.batch_size, bool), False
        side.memory = side.policy.blank_memory(batch.batch_size)
        writer = StepWriter(batch)
        t = 0
        while len(present):
            self._observe(side.vector, writer, present, t)
            if self.args.render and side.stream == TEST and present[0] == 0:
                self._show(side.vector)
            if hook is not None and t > 0:
                self._announce(hook, batch, present, t)
            actions = self._act(side, batch, writer, present, t, t_start)
            stepping = present
            if some_ended:
                going = ~ended[present]
                stepping, actions = present[going], actions[going]
            if not len(stepping):
                break
            self.check_limit(t)
            step = side.vector.step(stepping, actions)
            self._store(writer, stepping, t, step)
            results.add(stepping, step)
            ended[stepping] = step.ended
            some_ended = bool(step.ended.any())
            present = stepping
            if step.lost.any():
                broken, present = stepping[step.lost], stepping[~step.lost]
                self.note_failures(side, broken)
                lost = np.concatenate([lost, broken])
            if hook is not None and side.stream == TRAIN:
                self.t_env += len(present)
            t += 1
        for row in np.setdiff1d(rows, lost):
            side.failures[row] = 0
        return np.sort(lost)

    def _show(self, vector: BatchedEnv) -> None:
        try:
            vector.render()
        except NotImplementedError as error:
            raise UserError(f"render: env={self.args.env} cannot be shown in a window.") from error

    @staticmethod
    def _observe(vector: BatchedEnv, writer: StepWriter, rows: Array, t: int) -> None:
        seen = {"state": vector.state, "obs": vector.obs, "avail_actions": vector.avail}
        if len(rows) < vector.n_envs:
            seen = {key: values[rows] for key, values in seen.items()}
        writer.write(rows, t, seen, fill=True)

    def _act(
        self,
        side: Side,
        batch: EpisodeBatch,
        writer: StepWriter,
        rows: Array,
        t: int,
        t_start: int,
    ) -> Array:
        """Choose and store the actions of `rows` at slot t. (n, N) or (n, N, A)"""
        testing, head = side.stream == TEST, side.policy.head
        if not testing and self.t_env < self.args.start_steps:
            stored = head.uniform(batch["avail_actions"][rows, t])
        else:
            chosen = slice(None) if len(rows) == batch.batch_size else rows.tolist()
            # PyMARL's schedules stand still during an episode, unless learning goes on in it.
            t_env = self.t_env if self.args.runner_scope == "transition" else t_start
            seen = Observed.of(batch, t)
            stored, side.memory = side.policy.act(seen, side.memory, t_env, testing, chosen)
        stored = on_host(stored)
        writer.write(rows, t, {"actions": stored.numpy()})
        return head.to_played(stored).numpy()

    @staticmethod
    def _store(writer: StepWriter, rows: Array, t: int, step: Step) -> None:
        outcome = {"reward": step.reward[:, None], "terminated": step.terminated[:, None]}
        writer.write(rows, t, outcome)

    @staticmethod
    def _announce(hook: Hook, batch: EpisodeBatch, rows: Array, t: int) -> None:
        with torch.enable_grad():
            hook(batch[rows, t - 1 : t + 1])

    def check_limit(self, steps: int) -> None:
        """Whether an episode that has taken `steps` may take one more."""
        if steps >= self._episode_limit:
            raise UserError(
                f"env={self.args.env} goes on after its episode_limit of {self._episode_limit} "
                "steps. It must end there, or announce a higher limit in get_env_info()."
            )

    # Failures

    def next_seeds(self, side: Side, rows: Array) -> Array:
        seeds = []
        for row in rows.tolist():
            seeds.append(episode_seed(self.env_seed, side.stream, row, side.episodes[row]))
            side.episodes[row] += 1
        return np.array(seeds)

    def note_failures(self, side: Side, rows: Array) -> None:
        """Count; give up on an environment that never works."""
        for row in rows.tolist():
            self.env_restarts += 1
            side.failures[row] += 1
            reason = tail(side.vector.last_failure.get(row, ""))
            if side.failures[row] >= self.args.env_restart_limit:
                raise UserError(
                    f"Environment {row} (env={self.args.env}) failed {side.failures[row]} times in "
                    f"a row (env_restart_limit). The last time:\n{reason}"
                )
            last_line = reason.splitlines()[-1]
            self.logger.console_logger.warning(
                f"Warning: environment {row} (env={self.args.env}) broke; its episode is played "
                f"again. {last_line}"
            )

    # Statistics and state

    def _report(self, side: Side) -> None:
        """PyMARL's statistics: tests when all episodes are in, training at its interval."""
        log, t_env = self.logger.log_stat, self.t_env
        if side.stream == TEST:
            if side.tally.episodes >= self.args.test_nepisode:
                side.tally.log("test_", log, t_env)
                log("env_restarts", self.env_restarts, t_env)
            return
        if t_env - self.log_train_stats_t < self.args.runner_log_interval:
            return
        if not side.tally.episodes:  # none has ended in the rollouts so far
            return
        side.tally.log("", log, t_env)
        epsilon = self._train.policy.epsilon
        if epsilon is not None:
            log("epsilon", epsilon, t_env)
        log("env_restarts", self.env_restarts, t_env)
        self.log_train_stats_t = t_env

    def state_dict(self) -> dict[str, Any]:
        test_episodes = self._test_episodes if self._test is None else self._test.episodes
        return {
            "t_env": self.t_env,
            "log_train_stats_t": self.log_train_stats_t,
            "env_restarts": self.env_restarts,
            "test_stream": self.test_stream.state_dict(),
            "train_episodes": list(self._train.episodes),
            "test_episodes": list(test_episodes),
            "tally": self._train.tally.state_dict(),
            "nonstop": self._nonstop.state_dict() if self._nonstop else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.t_env = state["t_env"]
        self.log_train_stats_t = state["log_train_stats_t"]
        self.env_restarts = state["env_restarts"]
        self.test_stream.load_state_dict(state["test_stream"])
        self._train.episodes = list(state["train_episodes"])
        self._test_episodes = list(state["test_episodes"])
        self._train.tally.load_state_dict(state["tally"])
        if self._nonstop is not None:
            self._nonstop.load_state_dict(state["nonstop"])

    def _test_side(self) -> Side:
        if self._test is None:
            # Whatever constructors draw, they draw it here: a resumed run builds a second time.
            with RandomStream(derive_seed(self.args.seed, TEST, TEST)).active():
                self._test = self._side(TEST, len(self._test_episodes))
            self._test.episodes = self._test_episodes
            self._test.policy = self._train.policy.for_tests()
        return self._test

    def _side(self, stream: int, n_envs: int) -> Side:
        # The first training environment gets the user's seed itself.
        start = self.env_seed if stream == TRAIN else derive_seed(self.env_seed, stream)
        vector = self.make_vector(n_envs, [start + row for row in range(n_envs)])
        return Side(stream, vector, episodes=[0] * n_envs, failures=[0] * n_envs)


class RoundResults:
    """Returns, lengths and last infos of one round's episodes."""

    def __init__(self, n_rows: int) -> None:
        self.returns = np.zeros(n_rows)
        self.lengths = np.zeros(n_rows, np.int64)
        self.infos: list[dict[str, Any]] = [{} for _ in range(n_rows)]

    def erase(self, rows: Array) -> None:
        self.returns[rows], self.lengths[rows] = 0, 0

    def add(self, rows: Array, step: Step) -> None:
        # Those of lost episodes are erased.
        self.returns[rows] += step.reward
        self.lengths[rows] += 1
        for place in np.flatnonzero(step.ended).tolist():
            self.infos[rows[place]] = step.infos[place]


def erase(batch: EpisodeBatch, rows: Array) -> None:
    """Forget what a lost episode has written."""
    for tensor in batch.data.transition_data.values():
        tensor[rows] = 0
