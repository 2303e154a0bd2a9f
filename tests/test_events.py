"""Tests of events: every listener receives them, and cancelling stops the work."""

from __future__ import annotations

import threading

import pytest

from customlabels_nb.errors import Cancelled
from customlabels_nb.events import Event, Events, Message, Metrics, Progress, progress_bars, say


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
    events.cancel()
    worker.join(10)
    assert not worker.is_alive()
    assert done[-1] == "stopped"


def test_bars_show_each_phase_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars(Events()) as events:
        events.progress("reading", 1)
        events.progress("reading", 3, 4)
        events.progress("reading", 4, 4)
        events.message("now the rest")
        events.progress("writing", 2, 2, unit="files")
    told = capsys.readouterr()
    assert "now the rest" in told.out
    assert "reading" in told.err
    assert "4/4" in told.err
    assert "2/2" in told.err


def test_bars_can_be_left_out_and_are_silent_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars(Events(), show=False) as quiet:
        quiet.progress("reading", 1, 1)
    with progress_bars(Events()) as events:
        pass
    events.message("nobody listens any more")
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == ""


def test_bars_end_with_the_work_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    events = Events()

    def fail() -> None:
        with progress_bars(events):
            events.progress("reading", 1, 2)
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        fail()
    capsys.readouterr()
    events.progress("reading", 2, 2)
    assert capsys.readouterr().err == ""


def test_a_line_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    say("There is no test set yet.")
    assert capsys.readouterr().out == "There is no test set yet.\n"
