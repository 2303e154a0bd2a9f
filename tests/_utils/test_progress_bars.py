"""Progress bars show events."""

from __future__ import annotations

import pytest

from customlabels_nb._utils.progress_bars import progress_bars, say
from customlabels_nb.events import Events


def test_bars_show_each_phase_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars(Events()) as events:
        events.progress("reading", 1)
        events.progress("reading", 3, 4)
        events.progress("reading", 4, 4)
        events.message("now the rest")
        events.progress("writing", 2, 2, unit="files")
        events.progress("checking", 0, 0)
    told = capsys.readouterr()
    assert "now the rest" in told.out
    assert "reading" in told.err
    assert "4/4" in told.err
    assert "2/2" in told.err
    assert "checking" not in told.err


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


def test_message_is_printed_as_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("There is no test set yet.")
    assert capsys.readouterr().out == "There is no test set yet.\n"
