"""Tests of the live view's kernel side: messages, their frequency, and the state in a saved notebook."""

from __future__ import annotations

import io
import math
import threading
import time
from itertools import pairwise
from typing import Any

import pytest
from PIL import Image

from customlabels_nb.errors import Cancelled
from customlabels_nb.events import Events, Kept, Mark, Result, Sample
from customlabels_nb.widgets import training_view
from customlabels_nb.widgets.training_state import MOST_POINTS
from customlabels_nb.widgets.training_view import TrainingView
from tests.waiting import wait_until
from tests.widgets.asking import Cell, Page

HOSTILE = '<img src=x onerror="alert(1)">\u202e'


def picture(width: int = 320, height: int = 200) -> bytes:
    """Return a noisy JPEG image."""
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 80).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


def sample(image: str, label: str = "apple") -> Sample:
    box = (10.0, 20.0, 300.0, 200.0)
    return Sample(image, picture(), (640, 400), (Mark(label, box),), (Mark(label, box, 0.75),))


class ViewPage(Page):
    """Page that records when its news came."""

    def __init__(self, view: TrainingView, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(view, monkeypatch)
        self.news: list[tuple[float, dict[str, Any], list[bytes]]] = []

    def _take(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        super()._take(content, buffers)
        if "push" in content:
            self.news.append((time.monotonic(), self.pushed[-1]["news"], buffers or []))


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def view(events: Events) -> TrainingView:
    """Return a view connected to the events."""
    view = TrainingView(events, title="fruit.1", colors={"apple": "#c8553d"})
    events.subscribe(view.receive)
    return view


@pytest.fixture
def page(view: TrainingView, monkeypatch: pytest.MonkeyPatch) -> ViewPage:
    return ViewPage(view, monkeypatch)


def test_hello_sends_everything_and_later_messages_only_changes(
    view: TrainingView, events: Events, page: ViewPage
) -> None:
    events.message("Kind: detection.")
    events.progress("reading", 2, 2)
    events.progress("training", 3, 9, unit="steps")
    events.metrics(3, loss=1.25, ap50=math.nan)
    events.metrics(6, loss=1.0, ap50=0.5)
    events.samples(6, [sample("a.jpg"), sample("b.jpg", "pear")])
    known, buffers = page.ask_whole("hello")
    assert known["phase"] == {"name": "training", "done": 3, "total": 9, "unit": "steps"}
    assert [phase["name"] for phase in known["over"]] == ["reading"]
    metrics = {curve["name"]: curve for curve in known["figures"]}
    assert [point[::2] for point in metrics["loss"]["points"]] == [[3, 1.25], [6, 1.0]]
    assert [point[::2] for point in metrics["ap50"]["points"]] == [[3, None], [6, 0.5]]
    assert (metrics["loss"]["best"], metrics["ap50"]["best"]) == (None, [6, 0.5])
    assert known["messages"]["lines"][0][1] == "Kind: detection."
    pictures = known["samples"]["pictures"]
    assert [own["image"] for own in pictures] == ["a.jpg", "b.jpg"]
    assert [own["true"][0]["color"] for own in pictures] == ["#c8553d", "#0072b2"]
    assert pictures[0]["predicted"][0] == {
        "label": "apple", "color": "#c8553d", "box": [10, 20, 300, 200], "confidence": 0.75,
    }  # fmt: skip
    assert len(buffers) == 2
    view.show()
    wait_until(lambda: page.news)
    with view.progress.lock:
        events.metrics(9, loss=0.5)
        events.message("Another.")
    wait_until(lambda: len(page.news) > 1)
    view.close()
    _, news, buffers = page.news[1]
    assert news["figures"] == [
        {"name": "loss", "kind": "loss", "generation": 0, "from": 2, "points": [[9, pytest.approx(0, abs=9), 0.5]],
         "best": None}
    ]  # fmt: skip
    assert news["messages"]["from"] == 1
    assert [text for _, text in news["messages"]["lines"]] == ["Another."]
    assert "samples" not in news
    assert buffers == []


def test_messages_are_complete_until_a_page_opens(view: TrainingView, events: Events, page: ViewPage) -> None:
    view.show()
    for step in (1, 2):
        events.metrics(step, loss=1.0)
        events.message(f"step {step}")
        wait_until(lambda: page.news)
    view.end("done")
    _, news, _ = page.news[-1]
    assert news["figures"][0]["from"] == 0
    assert len(news["figures"][0]["points"]) == len(news["messages"]["lines"]) == 2


def test_thinned_metrics_are_sent_again(view: TrainingView, events: Events, page: ViewPage) -> None:
    for step in range(MOST_POINTS):
        events.metrics(step, loss=1.0)
    page.ask("hello")
    view.show()
    wait_until(lambda: page.news)
    events.metrics(MOST_POINTS, loss=1.0)
    wait_until(lambda: len(page.news) > 1)
    view.close()
    curve = page.news[1][1]["figures"][0]
    assert (curve["generation"], curve["from"], len(curve["points"])) == (1, 0, MOST_POINTS // 2 + 1)


def test_messages_are_throttled_and_the_last_one_arrives(view: TrainingView, events: Events, page: ViewPage) -> None:
    before = set(threading.enumerate())
    page.ask("hello")
    view.show()
    (sender,) = set(threading.enumerate()) - before
    began = time.monotonic()
    while time.monotonic() - began < 1:
        events.progress("training", int(1_000 * (time.monotonic() - began)), 2_000, unit="steps")
        time.sleep(0.001)
    events.progress("training", 1_001, 2_000, unit="steps")
    deadline = time.monotonic() + 5
    while page.news[-1][1]["phase"]["done"] != 1_001:  # also when nothing happens any more
        assert time.monotonic() < deadline
        time.sleep(0.01)
    events.progress("training", 1_002, 2_000, unit="steps")
    view.end("done")
    assert page.news[-1][1]["status"] == "done"
    assert page.news[-1][1]["phase"]["done"] == 1_002
    sent = [at for at, _, _ in page.news]
    assert len(sent) >= 3
    assert all(later - earlier >= 0.09 for earlier, later in pairwise(sent[:-1]))
    assert not sender.is_alive()


def test_closed_page_does_not_disturb_the_run(
    view: TrainingView, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("closed")

    monkeypatch.setattr(view, "send", fail)
    view.show()
    events.message("Go on.")
    view.end("done")
    assert view.status == "done"


def test_stop_cancels_the_run(view: TrainingView, events: Events, page: ViewPage) -> None:
    seen: list[str] = []
    view.observe(lambda change: seen.append(change["new"]), "status")
    events.progress("training", 1, 2)
    assert page.ask("stop") == {"status": "stopping"}
    with pytest.raises(Cancelled):
        events.progress("training", 2, 2)
    view.end("stopped", "Stopped by you.")
    assert seen == ["stopping", "stopped"]
    assert page.ask("hello")["words"] == "Stopped by you."
    page.ask("stop")
    assert view.status == "stopped"


def test_stop_after_the_end_does_nothing(view: TrainingView, events: Events) -> None:
    view.end("done")
    view.stop()
    events.message("The stream can be used again.")
    assert view.status == "done"


def test_a_saved_notebook_keeps_a_picture(view: TrainingView, events: Events) -> None:
    cell = Cell(view)
    assert "Training fruit.1" in cell.html
    for step in range(3 * MOST_POINTS):
        events.metrics(step, **{"loss": 5 / (step + 1), HOSTILE: 0.5, "ap50": step / 6_000, "odd": math.inf})
    for number in range(30):
        events.message(f"{number} {HOSTILE}" * 5)
    events.samples(1, [sample(f"{HOSTILE}{number}", HOSTILE) for number in range(9)])
    view.end("failed", f"No memory {HOSTILE}")
    still = cell.html
    assert len(still) < 100_000
    assert "Failed fruit.1 · No memory &lt;img" in still
    assert "ap50: 0.9998 at step 5999" in still
    assert "<img src=x" not in still
    assert "\u202e" not in still
    assert still.count("<img ") == 2


def test_a_completed_run_ends_with_its_result(view: TrainingView, events: Events, page: ViewPage) -> None:
    events.emit(Result(f"Test F1 0.912 [0.85, 0.96]. {HOSTILE}"))
    assert page.ask("hello")["words"] == ""  # until the run has ended
    view.end("done")
    known = page.ask("hello")
    assert known["words"].startswith("Test F1 0.912 [0.85, 0.96]")
    assert "messages" not in known
    assert "Trained fruit.1 · Test F1 0.912 [0.85, 0.96]. &lt;img" in Cell(view).html


@pytest.mark.parametrize(("is_trained", "kept"), [(True, "the head was kept"), (False, "discarded, the head was kept")])
def test_the_network_that_was_kept_is_named_beside_the_best_value(
    view: TrainingView, events: Events, page: ViewPage, is_trained: bool, kept: str
) -> None:
    events.metrics(5, held_out_log_loss=0.25)
    assert page.ask("hello")["kept"] == ""
    events.emit(Kept("Kept the head (log-loss 0.2).", "the head", is_trained))
    known = page.ask("hello")
    assert (known["kept"], known["messages"]["lines"][0][1]) == (kept, "Kept the head (log-loss 0.2).")
    assert f"best held_out_log_loss 0.250 at step 5 · {kept}" in Cell(view).html


def test_the_picture_of_a_running_training_is_current_and_says_how_to_stop_it(
    view: TrainingView, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_view, "_BETWEEN_PICTURES", 0.0)
    monkeypatch.setattr(view, "send", lambda *_: None)
    cell = Cell(view)
    assert "Interrupt the kernel" in cell.html
    events.progress("training", 50, 300, unit="steps")
    wait_until(lambda: "Training fruit.1 · training 50 of 300 steps" in cell.html)
    view.end("stopped", "Stopped by you.")
    assert "Interrupt the kernel" not in cell.html
    assert "50 of 300" not in cell.html


def test_a_failed_run_has_no_result(view: TrainingView, events: Events) -> None:
    events.emit(Result("Test F1 0.912."))
    view.end("failed", "No memory.")
    assert "Failed fruit.1 · No memory." in Cell(view).html
    assert "0.912" not in Cell(view).html


def test_static_picture_of_unusual_runs(view: TrainingView, events: Events) -> None:
    events.metrics(1, f1=math.nan, loss=-1.0)
    events.metrics(1, f1=math.nan, loss=-1.0)
    events.metrics(2, f1=math.nan, loss=-1.0)
    events.samples(1, [Sample("a", b"no picture", (10, 10))])
    view.end("done")
    assert "Trained fruit.1" in Cell(view).html
