"""Progress display: a live view in notebooks, progress bars elsewhere."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from customlabels_nb._utils.progress_bars import progress_bars
from customlabels_nb.errors import Cancelled, InputError
from customlabels_nb.events import DONE, FAILED, STOPPED, Ended, Events, Listener, stream_of

if TYPE_CHECKING:
    from customlabels_nb.widgets.training_view import TrainingView

BARS = "bars"


@contextmanager
def watch(
    events: Events | Listener | None = None,
    *,
    show: bool | str = True,
    title: str = "",
    colors: Mapping[str, str] | None = None,
) -> Iterator[Events]:
    """Show the progress of a run during the ``with`` block, and how the run ended.

    ``show`` is True for a live view in notebooks and bars elsewhere, "bars" for bars everywhere, False for nothing.
    """
    if not isinstance(show, bool) and show != BARS:
        raise InputError(f"progress={show!r} is not valid. Use True, False or 'bars'.")
    stream = stream_of(events)
    with ExitStack() as stack:
        view = _shown_view(stream, title, colors) if show is True and can_show_widgets() else None
        if view is None:
            stack.enter_context(progress_bars(stream, show=bool(show)))
        else:
            stack.callback(stream.subscribe(view.receive))
        with _reports_end(stream):
            yield stream


def can_show_widgets() -> bool:
    """Check whether this process is a notebook kernel, not a script or a terminal."""
    ipython = sys.modules.get("IPython")  # never imported outside a notebook
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None


def _shown_view(events: Events, title: str, colors: Mapping[str, str] | None) -> TrainingView | None:
    """Show and return the live view, or log the error and return None, as training does not depend on the view."""
    try:
        from customlabels_nb.widgets.training_view import TrainingView

        view = TrainingView(events, title=title, colors=colors)
        view.show()
    except Exception:
        logging.getLogger("customlabels_nb").exception("Cannot show the live view. Progress bars are shown instead.")
        return None
    return view


@contextmanager
def _reports_end(events: Events) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        stopped = isinstance(error, KeyboardInterrupt | Cancelled)
        reason = str(error) or ("Stopped by you." if stopped else type(error).__name__)
        with suppress(Exception):  # of a listener: the error that ended the run is raised
            events.emit(Ended(STOPPED if stopped else FAILED, reason))
        raise
    events.emit(Ended(DONE))
