"""Fixed-length rollouts: parts of episodes that make up an unbroken stream, and learn like one."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from components.episode_buffer import EpisodeBatch
from components.minibatch import valid_steps
from components.parts import ACTION, MEMORY
from configuration.fit import check_fit
from controllers import REGISTRY as CONTROLLERS
from learners.advantages import gae
from learners.coma_learner import taken
from policies.team import TeamPolicy
from run import collect_episodes, collect_parts
from runners import REGISTRY as RUNNERS
from runners.nonstop import Nonstop
from tests.data import fragile
from tests.make import flat, make_args, on_policy_args, quiet_logger
from tests.runners.support import PLUGIN, make_runner
from training.build import build
from training.session import Session
from utils.errors import UserError
from utils.profile import running
from utils.seeding import seed_everything

ROWS, STEPS, GAMMA, LAM = 4, 13, 0.9, 0.8
CLIMBING = {"env": "climbing", "env_args": {"episode_limit": 6}}
TIMED: dict[str, Any] = {"env": "Timed", "env_args": {}}
MAPPO = {"learner": "mappo_learner"}
KMAPPO = {"learner": "kmappo_learner", "minibatches": 2, "chunk_length": 3}
TEAM = {"learner": "team_learner", "mac": "team_mac", "rnn_hidden_dim": 8, "n_heads": 2}
SABLE = {**TEAM, "agent": "sable"}
GUIDE = {"mac": "guided_mac", "guide_agent": "sable", "n_heads": 2, "rnn_hidden_dim": 8}
GUIDED = {**GUIDE, "learner": "magpo_learner"}
HAPPO = {"learner": "happo_learner", "share_parameters": False, "minibatches": 2}
HATRPO = {"learner": "hatrpo_learner", "share_parameters": False}
KHAPPO = {"learner": "khappo_learner", "share_parameters": False, "minibatches": 2}
A2PO = {"learner": "a2po_learner", "share_parameters": False, "chunk_length": 3}
COMA = {"learner": "coma_learner", "action_selector": "multinomial", "epsilon_start": 0.5}


def session_of(runner: str = "batched", **settings: Any) -> Session:
    """A run's parts, freshly built; random numbers begin anew."""
    sizes = {"batch_size_run": ROWS, "batch_size": ROWS, "buffer_size": ROWS}
    given = {
        "env": "grid",
        "env_args": {"size": 2, "episode_limit": 5},
        "plugins": [PLUGIN],
        **sizes,
    }
    args = on_policy_args(**{**given, "runner": runner, "use_cuda": False, "lr": 0.01, **settings})
    for run_time_fact in ("action_kind", "action_low", "action_high"):
        delattr(args, run_time_fact)
    seed_everything(1)
    logger = quiet_logger()
    return build(args, logger, RUNNERS[runner](args=args, logger=logger))


def three_updates(runner: str = "batched", **settings: Any) -> list[Tensor]:
    """All weights after each."""
    session = session_of(runner, **settings)
    collect = collect_parts if session.args.rollout_length else collect_episodes
    found = []
    try:
        for number in range(1, 4):
            collect(session)
            found.append(flat([*session.mac.parameters(), *session.learner.critic_params]))
            assert session.counters.updates == number
            assert session.t_env == number * ROWS * session.args.episode_limit
    finally:
        session.runner.close_env()
    return found


# ---------------------------------------------------------------- the same as whole episodes


@pytest.mark.parametrize(
    ("runner", "env", "length", "learner"),
    [
        ("batched", CLIMBING, 6, MAPPO),
        ("batched", CLIMBING, 6, KMAPPO),
        ("batched", CLIMBING, 6, COMA),
        ("batched", CLIMBING, 6, HAPPO),
        ("episode", TIMED, 5, MAPPO),
        ("episode", TIMED, 5, KMAPPO),
        ("episode", TIMED, 5, COMA),
        ("episode", TIMED, 5, A2PO),
        ("episode", TIMED, 5, HATRPO),
        ("batched", CLIMBING, 6, KHAPPO),
        ("parallel", TIMED, 5, KMAPPO),
        ("batched", CLIMBING, 6, SABLE),
        ("episode", TIMED, 5, SABLE),
        ("batched", CLIMBING, 6, GUIDED),
        ("episode", TIMED, 5, GUIDED),
    ],
)
def test_rollouts_of_an_episode_s_length_are_whole_episodes_bit_for_bit(
    runner: str, env: dict[str, Any], length: int, learner: dict[str, Any]
) -> None:
    """With real ends and with time limits."""
    whole = three_updates(runner, **learner, **env)
    parts = three_updates(runner, **learner, **env, rollout_length=length)

    for one, other in zip(whole, parts, strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(*parts[:2])


def test_the_same_with_continuous_actions() -> None:
    env = {"env": "meet_up", "env_args": {"episode_limit": 1}, "continuous": True}
    whole, parts = three_updates(**MAPPO, **env), three_updates(**MAPPO, **env, rollout_length=1)

    for one, other in zip(whole, parts, strict=True):
        assert torch.equal(one, other)


def test_a_run_that_is_profiled_is_the_same() -> None:
    settings = {**MAPPO, **CLIMBING, "rollout_length": 4}  # more parts than rows
    plain = weights_after_one_rollout(**settings)
    profiled = weights_after_one_rollout(profiled=True, **settings)

    assert torch.equal(plain, profiled)


def weights_after_one_rollout(profiled: bool = False, **settings: Any) -> Tensor:
    session = session_of(profile=profiled, **settings)
    try:
        with running() if profiled else nullcontext() as profile:
            for _ in range(2):
                collect_parts(session)
        phases = {"environment", "acting", "critic", "actors, all levels"}
        assert profile is None or phases <= profile.seconds.keys()
    finally:
        session.runner.close_env()
    return flat(session.mac.parameters())


# ---------------------------------------------------------------- an unbroken stream


class Diary:
    """What a runner's training environments went through and said, step by step, for each row."""

    def __init__(self, runner: Any) -> None:
        vector, policy = runner._train.vector, runner._train.policy
        policy = getattr(policy, "guide", policy)  # who acts
        step, reset, one_slot = vector.step, vector.reset, policy.one_slot
        self.steps: list[dict[str, Any]] = []
        self.fresh: set[int] = set()  # rows that begin an episode with their next step

        def write_reset(rows: Any, seeds: Any) -> Any:
            self.fresh.update(rows.tolist())
            return reset(rows, seeds)

        def write_step(rows: Any, actions: Any) -> Any:
            entry = {"seen": vector.state.copy(), "actions": actions.copy(), "logits": self.logits}
            entry["first"], self.fresh = [row in self.fresh for row in rows.tolist()], set()
            result = step(rows, actions)
            entry.update(after=vector.state.copy(), step=result)
            self.steps.append(entry)
            return result

        def write_logits(*given: Tensor) -> tuple[Tensor, Tensor]:
            self.logits, memory = one_slot(*given)
            return self.logits, memory

        vector.step, vector.reset, policy.one_slot = write_step, write_reset, write_logits
        if isinstance(policy, TeamPolicy):
            self.note_decoded(policy)

    def note_decoded(self, policy: TeamPolicy) -> None:
        """Of the last turn, when everybody has heard what it hears."""
        decode = policy.agent.decode

        def write_decoded(*given: Any) -> Any:
            decoded = decode(*given)
            self.logits = decoded.outputs[:, 0]
            return decoded

        policy.agent.decode = write_decoded  # type: ignore[method-assign]


def probabilities(session: Session, batch: EpisodeBatch) -> Tensor:
    """What the learner takes the actors to have drawn from. (B, T, N, A)"""
    policy = session.learner.policy
    view = policy.whole(batch, batch.max_seq_length)
    return policy.probabilities(view, batch["avail_actions"])


def in_order(batch: EpisodeBatch, diary: Diary, values: Tensor) -> list[tuple[int, int, Tensor]]:
    """The batch's `values` (parts, T, ...) with the row and step of the diary they belong to.

    Parts are in the order in which they were opened: at first those that went on, then as they
    began, row by row.
    """
    mask = valid_steps(batch["filled"], batch["terminated"])[..., 0]
    length = len(diary.steps)
    opened = [(0, row) for row in range(ROWS) if not diary.steps[0]["first"][row]]
    for t in range(length):
        opened += [(t, row) for row in range(ROWS) if diary.steps[t]["first"][row]]
    assert len(opened) == batch.batch_size
    return [
        (row, start + slot, values[part, slot])
        for part, (start, row) in enumerate(opened)
        for slot in range(int(mask[part].sum()))
    ]


def two_rollouts(**settings: Any) -> tuple[Any, EpisodeBatch, Diary]:
    """A session after a first rollout, and a second one with the diary of it."""
    session = session_of(rollout_length=STEPS, **{**MAPPO, **settings})
    diary = Diary(session.runner)
    session.runner.run()
    diary.steps.clear()
    return session, session.runner.run(), diary


def test_parts_are_the_stream() -> None:
    _, batch, diary = two_rollouts()
    placed = in_order(batch, diary, batch["state"])

    assert sorted((row, t) for row, t, _ in placed) == [
        (row, t) for row in range(ROWS) for t in range(STEPS)
    ]
    for row, t, state in placed:
        assert np.array_equal(state, diary.steps[t]["seen"][row])
    for row, t, action in in_order(batch, diary, batch["actions"]):
        assert np.array_equal(action[:, 0], diary.steps[t]["actions"][row])
    for key in ("reward", "terminated"):
        for row, t, value in in_order(batch, diary, batch[key]):
            assert float(value) == float(getattr(diary.steps[t]["step"], key)[row])
    ended = np.stack([entry["step"].ended for entry in diary.steps])
    terminated = np.stack([entry["step"].terminated for entry in diary.steps])
    assert (ended & ~terminated).any()  # else nothing was tested of time limits
    assert terminated.any()
    assert not diary.steps[0]["first"][0] or not diary.steps[0]["first"][1]


def test_advantages_equal_brute_force_over_the_stream() -> None:
    """Across ends, time limits and the cut, with V any function of the state."""
    _, batch, diary = two_rollouts()
    weights = torch.randn(batch["state"].shape[2], 2, dtype=torch.float64)

    def worth(states: Any) -> Tensor:
        return torch.as_tensor(states).double() @ weights

    mask = valid_steps(batch["filled"], batch["terminated"]).double()
    paid = batch["reward"][:, :-1].double(), batch["terminated"][:, :-1].double(), mask
    advantages = gae(*paid, worth(batch["state"]), GAMMA, LAM)

    for row, t, found in in_order(batch, diary, advantages):
        expected = torch.zeros(2, dtype=torch.float64)
        for later in range(t, STEPS):
            entry = diary.steps[later]
            going_on = 1.0 - float(entry["step"].terminated[row])
            delta = float(entry["step"].reward[row]) - worth(entry["seen"][row])
            delta = delta + GAMMA * going_on * worth(entry["after"][row])
            expected += (GAMMA * LAM) ** (later - t) * delta
            if entry["step"].ended[row]:
                break
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"agent": "rnn"},
        {"agent": "mlp"},
        {"agent": "rnn", "share_parameters": False},
        {"agent": "mlp", "share_parameters": False},
        SABLE,
        GUIDED,
    ],
    ids=str,
)
def test_learners_retrace_what_was_said_when_acting(settings: dict[str, Any]) -> None:
    """Through ends inside a rollout, and from memory and last actions at its beginning."""
    settings = {"obs_last_action": True, **settings}
    session, batch, diary = two_rollouts(**settings)
    recomputed = probabilities(session, batch)
    avail = batch["avail_actions"] == 0

    for row, t, found in in_order(batch, diary, recomputed):
        logits = diary.steps[t]["logits"][row]
        part, slot = where(batch, diary, row, t)
        expected = torch.softmax(logits.masked_fill(avail[part, slot], -1e30), dim=-1)
        torch.testing.assert_close(found, expected)
    assert batch[ACTION][:2].any()
    assert batch[MEMORY][:2].any()


def where(batch: EpisodeBatch, diary: Diary, row: int, t: int) -> tuple[int, int]:
    P, T = batch.batch_size, batch.max_seq_length
    numbers = torch.arange(P * T).reshape(P, T)
    for other, at, number in in_order(batch, diary, numbers):
        if (other, at) == (row, t):
            return divmod(int(number), T)
    raise AssertionError


@pytest.mark.parametrize("chunk_length", [None, 1, 2, 4])
@pytest.mark.parametrize("settings", [MAPPO, SABLE, GUIDED], ids=["mappo", "sable", "guided"])
def test_chunks_begin_with_the_memory_of_their_part(
    settings: dict[str, Any], chunk_length: int | None
) -> None:
    """All ratios of the first step are 1, wherever a chunk begins."""
    once = {"chunk_length": chunk_length, "epochs": 1, "minibatches": 1}
    session, batch, _ = two_rollouts(**settings, **once)
    seen: dict[str, float] = {}
    session.logger.log_stat = lambda key, value, t_env: seen.update({key: value})  # type: ignore[method-assign]
    session.learner.train(batch, 0, 0)

    assert seen["approx_kl"] == pytest.approx(0, abs=1e-7)
    assert seen["clip_fraction"] == 0


def test_the_last_slot_s_action_is_drawn_from_the_policy_there() -> None:
    """COMA leans on it where a part was cut."""
    session, batch, _ = two_rollouts(**COMA, epsilon_finish=0.5)
    last = batch["filled"][..., 0].sum(dim=1) - 1
    parts = torch.arange(batch.batch_size)
    chosen = taken(probabilities(session, batch), batch["actions"])

    assert (chosen[parts, last] > 0).all()
    assert len(batch["actions"][parts, last].unique()) > 1


# ---------------------------------------------------------------- what stays right around it


@pytest.mark.parametrize("runner", ["episode", "parallel", "batched"])
def test_runners_play_the_same_parts(runner: str) -> None:
    expected = three_rollouts("episode")
    found = three_rollouts(runner)

    assert len(expected) == len(found)
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one, other)


def test_testing_changes_no_rollout() -> None:
    for one, other in zip(three_rollouts(), three_rollouts(testing=True), strict=True):
        assert torch.equal(one, other)


def three_rollouts(runner: str = "episode", testing: bool = False) -> list[Tensor]:
    """All fields of all three."""
    made = make_runner(runner, rollout_length=11, batch_size_run=3, test_batch_size_run=2)
    fields: list[Tensor] = []
    try:
        for number in range(1, 4):
            if testing:
                assert made.run(test_mode=True)["filled"][:, 0].sum() == 2
            data = made.run().data
            fields += [*data.transition_data.values(), *data.episode_data.values()]
            assert made.t_env == number * 33
    finally:
        made.close_env()
    return fields


def test_statistics_are_of_whole_episodes() -> None:
    """However many rollouts they took; none is counted before it ends."""
    runner = make_runner(env="Timed", rollout_length=3, batch_size_run=2, runner_log_interval=1)
    runner.run()
    assert "return_mean" not in runner.logger.stats
    first, second = runner.run(), runner.run()

    assert first.batch_size == 4  # two parts end, two begin
    assert second.batch_size == 2
    assert runner.logger.latest("ep_length_mean") == 5
    assert runner.t_env == 18


@pytest.mark.parametrize("runner", ["episode", "parallel"])
def test_a_broken_episode_is_cut_where_it_broke(tmp_path: Path, runner: str) -> None:
    fuse = tmp_path / "fuse"
    fuse.touch()
    env_args = {"fault": "raise", "fuse": str(fuse), "fail_at": "step"}
    settings = {"env": "Fragile", "env_args": env_args, "batch_size_run": 1}
    made = make_runner(runner, **settings, rollout_length=8)
    try:
        batch = made.run()
    finally:
        made.close_env()

    # Two steps, the third is lost; then a whole episode that is new.
    assert batch["state"][:, :, 0].tolist() == [[0, 1, 2, 0, 0, 0], [0, 1, 2, 3, 4, 5]]
    assert batch["filled"].sum(dim=1).tolist() == [[3], [6]]
    assert batch["terminated"].sum(dim=1).tolist() == [[0], [1]]
    assert (made.t_env, made.env_restarts) == (7, 1)


def test_memory_follows_the_actors_to_their_device() -> None:
    """They move when learners are told to, after the runner was set up. `meta` is a device, too."""
    runner = make_runner("batched", rollout_length=3, batch_size_run=2)
    runner.mac.agent.to("meta")

    class Acted(Exception):
        pass

    def act(seen: Any, memory: Tensor, *rest: Any) -> None:
        raise Acted(memory.device.type)

    runner._train.policy.act = act
    with pytest.raises(Acted, match="meta"):
        runner.run()


def test_a_rollout_of_which_nothing_is_left_is_played_again(tmp_path: Path) -> None:
    fuse = tmp_path / "fuse"
    fuse.touch()
    env_args = {"fault": "raise", "fuse": str(fuse), "fail_at": "step"}
    sizes = {"batch_size_run": 1, "batch_size": 1, "buffer_size": 1}
    settings = {**MAPPO, **sizes, "env": "Fragile", "env_args": env_args, "rollout_length": 1}
    session = session_of("episode", **settings)
    for number in range(1, 4):
        collect_parts(session)
        assert session.t_env == number

    assert session.runner.env_restarts == 1


def test_rollouts_ask_for_no_size_of_the_buffer() -> None:
    session = session_of(**MAPPO, rollout_length=3, batch_size=7, buffer_size=9)
    collect_parts(session)

    assert (session.t_env, session.counters.updates) == (3 * ROWS, 1)
    with pytest.raises(UserError, match="batch_size=8 buffer_size=8"):
        session_of(**MAPPO, batch_size=7, buffer_size=9)


def test_environments_that_never_work_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any) -> None:
        raise RuntimeError("always")

    monkeypatch.setattr(fragile.Fragile, "step", broken)
    runner = make_runner(env="Fragile", rollout_length=1, batch_size_run=1, env_restart_limit=3)
    with pytest.raises(UserError, match="failed 3 times in a row"):
        runner.run()


def test_an_episode_beyond_its_limit_is_refused() -> None:
    runner = make_runner(env="Timed", rollout_length=4, batch_size_run=1)
    runner._train.layout = runner._train.layout._replace(episode_limit=3)
    with pytest.raises(UserError, match="goes on after its episode_limit of 3"):
        runner.run()


FIGHTS = {"env": "skirmish", "env_args": {"map_name": "3m"}}


@pytest.mark.parametrize(
    ("runner", "env"),
    [("episode", {}), ("parallel", {}), ("batched", {}), ("batched", FIGHTS)],
)
def test_a_runner_s_state_continues_its_running_episodes(runner: str, env: dict[str, Any]) -> None:
    settings = {"batch_size_run": 3, "rollout_length": 7, **env}
    one, other = make_runner(runner, **settings), make_runner(runner, **settings)
    try:
        one.run()
        state, random = one.state_dict(), torch.get_rng_state()
        expected = one.run()
        other.load_state_dict(state)
        torch.set_rng_state(random)
        found = other.run()
        assert one.state_dict()["tally"] == other.state_dict()["tally"]
    finally:
        one.close_env()
        other.close_env()

    assert expected[MEMORY].any()
    for key in ("state", "obs", "actions", "reward", MEMORY, ACTION):
        assert torch.equal(expected[key], found[key])
    assert one.t_env == other.t_env


def test_where_episodes_cannot_be_played_again_new_ones_begin() -> None:
    runner = make_runner(env="Timed", rollout_length=3, batch_size_run=2)
    runner.run()
    state = runner.state_dict()
    again = make_runner(env="Timed", rollout_length=3, batch_size_run=2)
    again._train.vector.reseeds = False
    again.load_state_dict(state)

    assert again.run()["state"][:, 0, 0].tolist() == [0, 0]
    assert runner.run()["state"][:, 0, 0].tolist() == [3, 3, 0, 0]


def test_learners_of_whole_episodes_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"learner=q_learner knows whole episodes only\. Type"):
        session_of(learner="q_learner", agent_output_type="q", rollout_length=5)
    monkeypatch.setitem(RUNNERS, "own", object)
    monkeypatch.setitem(CONTROLLERS, "own", object)
    own = make_args(rollout_length=5, learner="coma_learner", runner="own", mac="own")
    with pytest.raises(UserError, match="runner=own and mac=own"):
        check_fit(vars(own))


def test_every_environment_plays_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the others: all rows step together, always."""
    stepped = []
    play = Nonstop._step

    def note(self: Nonstop, *given: Any) -> None:
        stepped.append(self._playing.all())
        play(self, *given)

    monkeypatch.setattr(Nonstop, "_step", note)
    make_runner(batch_size_run=4, rollout_length=30).run()

    assert stepped == [True] * 30
