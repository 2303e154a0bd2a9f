"""Tests of the recipients of progress display."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from customlabels_nb.errors import Cancelled, InputError
from customlabels_nb.events import Ended, Event, Events, Message, Progress
from customlabels_nb.project import progress_display as watching
from customlabels_nb.project.progress_display import can_show_widgets, watch
from customlabels_nb.widgets.training_view import TrainingView


def test_scripts_show_progress_bars(capsys: pytest.CaptureFixture[str]) -> None:
    assert not can_show_widgets()
    with watch(title="first") as stream:
        stream.progress("reading", 3, 3)
        stream.metrics(3, ap50=0.5)
        stream.message("read")
    told = capsys.readouterr()
    assert "3/3" in told.err
    assert "read" in told.out


def test_bar_shows_the_latest_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    with watch(show="bars") as stream:
        stream.metrics(0, ap50=0.1)
        stream.progress("training", 1, 2)
        stream.metrics(1, ap50=0.54321)
        stream.progress("training", 2, 2)
    assert "ap50=0.543" in capsys.readouterr().err


def test_nothing_is_shown_without_show(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[Event] = []
    with watch(Events(heard.append), show=False) as stream:
        stream.progress("reading", 1, 3)
        stream.message("read")
    assert heard == [Progress("reading", 1, 3), Message("read"), Ended("done")]
    assert capsys.readouterr() == ("", "")


def test_error_in_a_listener_ends_the_run() -> None:
    def refuse(event: Event) -> None:
        raise ValueError(f"no {event}")

    with pytest.raises(ValueError, match="no Message"), watch(Events(refuse), show=False) as stream:
        stream.message("read")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"show": "loud"}, "progress='loud'"),
        ({"show": None}, "progress=None"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match), watch(**options):
        pass


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (None, "done", ""),
        (Cancelled("Stopped by you after epoch 1 of 2. Call resume()."), "stopped", "Stopped by you after epoch 1"),
        (KeyboardInterrupt(), "stopped", "Stopped by you."),
        (RuntimeError("no memory"), "failed", "no memory"),
        (SystemExit(), "failed", "SystemExit"),
    ],
)
def test_live_view_shows_how_the_run_ended(
    monkeypatch: pytest.MonkeyPatch, error: BaseException | None, status: str, words: str
) -> None:
    views: list[TrainingView] = []
    monkeypatch.setattr(watching, "can_show_widgets", lambda: True)
    monkeypatch.setattr(TrainingView, "show", lambda view: views.append(view))

    def run() -> None:
        with watch(title="first") as stream:
            stream.progress("training", 1, 2)
            if error is not None:
                raise error

    if error is None:
        run()
    else:
        with pytest.raises(type(error)):
            run()
    (view,) = views
    assert view.progress.status == view.status == status
    assert view.progress.words.startswith(words)
    assert view.progress.phases[0].done == 1


def test_failing_view_falls_back_to_bars(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(view: TrainingView) -> None:
        raise OSError("no page")

    monkeypatch.setattr(watching, "can_show_widgets", lambda: True)
    monkeypatch.setattr(TrainingView, "show", fail)
    with watch(Events()) as stream:
        stream.progress("reading", 3, 3)
    assert "3/3" in capsys.readouterr().err
    assert "Progress bars are shown instead" in caplog.text


def test_scripts_load_no_widgets() -> None:
    code = (
        "import sys\nfrom customlabels_nb.project.progress_display import watch\n"
        "with watch() as stream: stream.progress('reading', 1, 1)\n"
        "assert not {'anywidget', 'IPython', 'torch'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
