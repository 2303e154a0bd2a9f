"""Tests of events: every listener receives them, and cancelling stops the work."""

from __future__ import annotations

import threading

import pytest

from customlabels_nb.errors import Cancelled, InputError
from customlabels_nb.events import Event, Events, Message, Metrics, Progress


def test_every_listener_hears_everything_in_order_until_it_unsubscribes() -> None:
    events, first, second = Events(), list[Event](), list[Event]()
    stop = events.subscribe(first.append)
    events.subscribe(second.append)
    events.progress("reading", 1, 2)
    events.message("half way")
    stop()
    stop()
    events.metrics(3, loss=0.5)
    assert first == [Progress("reading", 1, 2), Message("half way")]
    assert second == [*first, Metrics(3, {"loss": 0.5})]


def test_listeners_may_be_given_at_once() -> None:
    heard: list[Event] = []
    Events(heard.append).message("half way")
    assert heard == [Message("half way")]
    with pytest.raises(InputError, match=r"listener=\[3\] is not callable"):
        Events([3])  # type: ignore[arg-type]


def test_a_listener_may_unsubscribe_while_it_is_called() -> None:
    events, heard = Events(), list[Event]()

    def once(event: Event) -> None:
        heard.append(event)
        stop()

    stop = events.subscribe(once)
    events.message("one")
    events.message("two")
    assert heard == [Message("one")]


def test_cancelling_from_another_thread_stops_the_worker_at_its_next_event() -> None:
    events, done = Events(), list[object]()
    started = threading.Event()

    def work() -> None:
        while True:
            events.progress("working", len(done))
            done.append(1)
            started.set()

    def stopped() -> None:
        with pytest.raises(Cancelled):
            work()
        done.append("stopped")

    worker = threading.Thread(target=stopped)
    worker.start()
    assert started.wait(10)
    assert not events.is_cancelled
    events.cancel()
    assert events.is_cancelled
    worker.join(10)
    assert not worker.is_alive()
    assert done[-1] == "stopped"
