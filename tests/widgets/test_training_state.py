"""Tests of the progress of a run derived from its events."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customlabels_nb.events import DONE, FAILED, STOPPED, Events, Samples
from customlabels_nb.widgets.training_state import (
    MOST_MESSAGES,
    MOST_METRICS,
    MOST_PHASES,
    MOST_POINTS,
    RUNNING,
    STOPPING,
    MetricCurve,
    TrainingProgress,
    thinned,
)


class Clock:
    """Clock that advances on request."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> TrainingProgress:
    return TrainingProgress(clock=clock)


@pytest.fixture
def events(progress: TrainingProgress) -> Events:
    """Return events connected to the progress."""
    stream = Events()
    stream.subscribe(progress.receive)
    return stream


def test_remaining_time_follows_the_pace(clock: Clock, progress: TrainingProgress, events: Events) -> None:
    assert progress.seconds_left is None
    events.progress("training", 0, 100, unit="steps")
    assert progress.seconds_left is None
    for done in range(1, 11):
        clock.now += 0.5
        events.progress("training", done, 100, unit="steps")
    assert progress.seconds_left == pytest.approx(45)
    clock.now += 4  # no event while it evaluates held-out images
    assert progress.seconds_left == pytest.approx(41)
    clock.now += 1_000
    assert progress.seconds_left == 0
    events.progress("training", 11, None)
    assert progress.seconds_left is None


def test_pace_is_measured_over_the_last_minute(clock: Clock, progress: TrainingProgress, events: Events) -> None:
    events.progress("training", 0, 1_000)
    clock.now += 300  # a slow first step
    for done in range(1, 201):
        clock.now += 1
        events.progress("training", done, 1_000)
    assert progress.seconds_left == pytest.approx(800, rel=0.02)


def test_phases_are_shown_in_order_and_may_restart(clock: Clock, progress: TrainingProgress, events: Events) -> None:
    events.progress("reading", 2, 2)
    events.progress("training", 5, 9)
    events.progress("reading", 1, 3)
    assert [(phase.name, phase.done, phase.total) for phase in progress.phases] == [
        ("training", 5, 9), ("reading", 1, 3),
    ]  # fmt: skip
    assert not progress.phases[-1].is_over
    for number in range(3 * MOST_PHASES):
        events.progress(f"phase {number}", 1, 1)
    assert len(progress.phases) == MOST_PHASES
    assert progress.phases[-1].name == f"phase {3 * MOST_PHASES - 1}"


def test_run_ends_once_and_its_time_stops(clock: Clock, progress: TrainingProgress, events: Events) -> None:
    assert (progress.status, progress.is_over) == (RUNNING, False)
    events.progress("training", 0, 10)
    clock.now += 5
    events.progress("training", 5, 10)
    progress.stopping()
    assert (progress.status, progress.is_over) == (STOPPING, False)
    clock.now += 7
    why = "Stopped by you after epoch 1 of 2."
    progress.end(STOPPED, why)
    clock.now += 100
    progress.end(FAILED, "later")
    progress.stopping()
    assert (progress.status, progress.words) == (STOPPED, why)
    assert progress.seconds == 12
    assert progress.seconds_left is None


def test_history_is_a_table_and_the_best_is_known(clock: Clock, progress: TrainingProgress, events: Events) -> None:
    assert progress.history.empty
    assert progress.history.columns.tolist() == ["metric", "step", "seconds", "value"]
    for step, found in ((10, 0.5), (20, 0.9), (30, 0.9), (40, 0.7)):
        clock.now += 3
        events.metrics(step, loss=1 / step, ap50=found, learning_rate=0.1)
    assert progress.history.query("metric == 'ap50'")["seconds"].tolist() == [3, 6, 9, 12]
    assert progress.best == ("ap50", 30, 0.9)  # training also prefers the later one of equals
    assert [curve.kind for curve in progress.metrics.values()] == ["loss", "figure", "parameter"]
    assert progress.metrics["loss"].best is None


def test_which_values_are_better() -> None:
    low = MetricCurve("held_out_log_loss")
    for step, value in ((1, 0.9), (2, 0.3), (3, math.nan), (4, 0.5)):
        low.add(step, step, value)
    assert (low.kind, low.better, low.best) == ("figure", "low", (2, 2, 0.3))
    assert MetricCurve("loss_box_reg").kind == "loss"
    assert MetricCurve("f1").better == "high"
    only_nan = MetricCurve("f1")
    only_nan.add(1, 1, math.nan)
    assert only_nan.best is None


def test_a_run_that_goes_back_replaces_what_came_after(events: Events, progress: TrainingProgress) -> None:
    for step in (10, 20, 30):
        events.metrics(step, ap50=step / 100)
    events.metrics(20, ap50=0.9)
    curve = progress.metrics["ap50"]
    assert [(step, value) for step, _, value in curve.points] == [(10, 0.1), (20, 0.9)]
    assert curve.generation == 1


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=400), st.lists(st.floats(), min_size=1, max_size=20))
def test_generations_mark_replaced_steps(jumps: list[int], values: list[float]) -> None:
    curve, known, generation = MetricCurve("ap50"), list[tuple[int, float, float]](), 0
    for number, step in enumerate(jumps):
        curve.add(step, number, values[number % len(values)])
        steps = [own for own, _, _ in curve.points]
        assert steps == sorted(set(steps))
        assert curve.points[-1][0] == step
        if curve.generation == generation:
            assert curve.points[:-1] == known
        known, generation = list(curve.points), curve.generation


def test_a_long_run_stays_small_and_keeps_first_best_and_last(events: Events, progress: TrainingProgress) -> None:
    count = 7 * MOST_POINTS
    for step in range(count):
        events.metrics(step, accuracy=1.0 if step == 1_001 else 0.5, **({"loss": 0.1} if step % 2 else {}))
    for curve in progress.metrics.values():
        assert len(curve.points) <= MOST_POINTS
    accuracy = progress.metrics["accuracy"]
    assert accuracy.points[0][0] == 0
    assert accuracy.best == (1_001, pytest.approx(accuracy.best[1]), 1.0)
    assert accuracy.points[-1][0] == count - 1
    for number in range(2 * MOST_METRICS):
        events.metrics(1, **{f"figure {number}": 1.0})
    assert len(progress.metrics) == MOST_METRICS


def test_messages_are_counted_and_the_last_ones_kept(events: Events, progress: TrainingProgress) -> None:
    for number in range(MOST_MESSAGES + 7):
        events.message(f"line {number}")
    assert progress.said == MOST_MESSAGES + 7
    assert len(progress.messages) == MOST_MESSAGES
    assert progress.messages[-1][1] == f"line {MOST_MESSAGES + 6}"


def test_the_latest_samples_take_the_place_of_others(events: Events, progress: TrainingProgress) -> None:
    events.samples(1, ())
    events.samples(2, ())
    assert progress.samples == Samples(2, ())
    progress.end(DONE)
    assert progress.status == DONE


def test_thinned_keeps_the_ends() -> None:
    points = [(step, 0.0, 0.0) for step in range(1_003)]
    few = thinned(points, 200)
    assert len(few) <= 201 + 1
    assert (few[0], few[-1]) == (points[0], points[-1])
    assert thinned(points[:3], 200) == points[:3]
    assert thinned([], 200) == []
