from __future__ import annotations

import pytest
import torch

from components.epsilon_schedules import DecayThenFlatSchedule, LinearIncreaseSchedule
from components.standarize_stream import RunningMeanStd
from utils.errors import UserError


def test_linear_decay_falls_evenly_and_then_stays() -> None:
    schedule = DecayThenFlatSchedule(1.0, 0.05, 100, decay="linear")
    assert schedule.eval(0) == 1.0
    assert schedule.eval(50) == pytest.approx(0.525)
    assert schedule.eval(100) == 0.05
    assert schedule.eval(10**9) == 0.05


def test_exponential_decay_falls_by_the_same_factor() -> None:
    schedule = DecayThenFlatSchedule(1.0, 0.01, 100, decay="exp")
    assert schedule.eval(0) == 1.0
    assert schedule.eval(50) == pytest.approx(0.1)
    assert schedule.eval(101) == 0.01


def test_a_decay_of_no_length_is_at_its_end() -> None:
    assert DecayThenFlatSchedule(1.0, 0.1, 0).eval(0) == 0.1


def test_unknown_decay_names_the_nearest() -> None:
    with pytest.raises(UserError, match="Did you mean 'linear'"):
        DecayThenFlatSchedule(1.0, 0.1, 10, decay="liner")


def test_exponential_decay_to_zero_is_refused() -> None:
    with pytest.raises(UserError, match="above 0"):
        DecayThenFlatSchedule(1.0, 0.0, 10, decay="exp")


def test_linear_increase_rises_and_then_stays() -> None:
    schedule = LinearIncreaseSchedule(0.4, 1.0, 10)
    assert schedule.eval(0) == 0.4
    assert schedule.eval(5) == pytest.approx(0.7)
    assert schedule.eval(20) == 1.0


def test_running_moments_equal_those_of_all_values() -> None:
    values = torch.randn(500, 3) * 4 + 2
    stats = RunningMeanStd(epsilon=1e-8, shape=(3,))
    for chunk in values.split(37):
        stats.update(chunk)
    torch.testing.assert_close(stats.mean, values.mean(0))
    torch.testing.assert_close(stats.var, values.var(0, unbiased=False))


def test_masked_values_do_not_count() -> None:
    stats = RunningMeanStd(epsilon=1e-8, shape=(1,))
    values = torch.tensor([[[1.0], [3.0], [999.0]]])  # (B, T, 1)
    stats.update(values, mask=torch.tensor([[[1.0], [1.0], [0.0]]]))
    torch.testing.assert_close(stats.mean, torch.tensor([2.0]))
    stats.update(values, mask=torch.zeros(1, 3, 1))
    torch.testing.assert_close(stats.mean, torch.tensor([2.0]))


def test_running_moments_survive_a_checkpoint() -> None:
    stats = RunningMeanStd(shape=(2,))
    stats.update(torch.randn(10, 2))
    twin = RunningMeanStd(shape=(2,))
    twin.load_state_dict(stats.state_dict())
    more = torch.randn(5, 2)
    stats.update(more)
    twin.update(more)
    assert torch.equal(stats.mean, twin.mean)
    assert torch.equal(stats.var, twin.var)
