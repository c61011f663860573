"""The thread that delivers: it insists, but it never holds a run up for long."""

from __future__ import annotations

import threading

import pytest

from mongo.courier import Courier


class Flaky:
    """A receiver that refuses the first `refusals` deliveries."""

    def __init__(self, refusals: int) -> None:
        self.refusals, self.attempts, self.received = refusals, 0, threading.Event()

    def __call__(self) -> None:
        self.attempts += 1
        if self.attempts <= self.refusals:
            raise ConnectionError("gone")
        self.received.set()


def start(receiver: Flaky, complaint: str | None = None) -> Courier:
    courier = Courier(receiver, str)
    courier.start(complaint)
    return courier


@pytest.mark.parametrize("refusals", [0, 1, 3])
def test_news_arrive_however_often_they_are_refused(refusals: int) -> None:
    receiver = Flaky(refusals)
    courier = start(receiver)

    courier.news()

    assert courier.finish(patience=30.0)
    assert receiver.attempts >= refusals + 1
    assert courier.stopped


def test_it_goes_on_after_a_refusal_without_more_news() -> None:
    receiver = Flaky(1)
    courier = start(receiver)
    courier.news()

    assert receiver.received.wait(30.0)
    assert courier.finish(patience=0.0)


def test_the_end_of_patience_is_the_end() -> None:
    receiver = Flaky(10**6)
    courier = start(receiver)
    courier.news()

    assert not courier.finish(patience=0.2)
    assert courier.stopped


def test_an_attempt_that_never_ends_has_delivered_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mongo.courier.GRACE", 0.1)
    under_way, let_go = threading.Event(), threading.Event()

    def hang() -> None:
        under_way.set()
        let_go.wait()

    courier = Courier(hang, str)
    courier.start(None)
    courier.news()
    assert under_way.wait(30.0)

    assert not courier.finish(patience=0.1)
    let_go.set()


def test_where_nobody_ever_was_one_last_attempt_is_made() -> None:
    receiver = Flaky(10**6)
    courier = start(receiver, complaint="no answer")

    assert not courier.finish(patience=1e6)
    assert receiver.attempts == 1
    assert courier.stopped


def test_news_during_a_delivery_is_delivered_too() -> None:
    state, sent = [1], []
    busy, go_on = threading.Event(), threading.Event()

    def deliver() -> None:
        sent.append(list(state))
        busy.set()
        go_on.wait(30.0)

    courier = Courier(deliver, str)
    courier.start(None)
    courier.news()
    busy.wait(30.0)
    state.append(2)
    courier.news()
    go_on.set()

    assert courier.finish(patience=30.0)
    assert sent[-1] == [1, 2]


def test_news_of_the_end_is_delivered_to_one_who_has_just_come() -> None:
    """The first delivery that succeeds was begun before the end, and does not know of it."""
    state, sent = ["running"], []
    busy, go_on = threading.Event(), threading.Event()

    def deliver() -> None:
        sent.append(list(state))
        busy.set()
        go_on.wait(30.0)

    courier = Courier(deliver, str)
    courier.start(complaint="no answer")
    courier.news()
    assert busy.wait(30.0)
    state.append("completed")
    courier.news()
    threading.Timer(0.2, go_on.set).start()

    assert courier.finish(patience=1e6)
    assert sent[-1] == ["running", "completed"]


def test_giving_news_does_not_wait_for_the_receiver() -> None:
    hang = threading.Event()
    courier = Courier(lambda: None if hang.wait(60.0) else pytest.fail("never let go"), str)
    courier.start(None)
    for _ in range(1000):
        courier.news()

    assert not hang.is_set()  # the first delivery still hangs, and we are here
    assert not courier.delivered
    hang.set()
    assert courier.finish(patience=30.0)
