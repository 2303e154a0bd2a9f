"""Watching long work: a live view where there are widgets, bars elsewhere, and whoever else wants to hear."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from customlabels_nb.errors import Cancelled, InputError
from customlabels_nb.events import Events, Listener, progress_bars
from customlabels_nb.widgets import training_progress as p

if TYPE_CHECKING:
    from customlabels_nb.widgets.training_view import TrainingView

BARS = "bars"


@contextmanager
def watch(
    events: Events | None = None,
    *,
    show: bool | str = True,
    title: str = "",
    colours: Mapping[str, str] | None = None,
    callbacks: Sequence[Listener] = (),
) -> Iterator[Events]:
    """Show how a run is going while the ``with`` block runs; its end, in whatever way, is shown as well.

    Parameters
    ----------
    events : Events, optional
        The stream that the run tells its progress to; a new one unless it is given.
    show : bool or "bars"
        True for a live view in notebooks and bars elsewhere, "bars" for bars anywhere, False for nothing.
    title : str
        What is trained.
    colours : mapping, optional
        Label → colour (#rrggbb).
    callbacks : sequence of callables
        Called with each event, in the thread of the run. What they raise ends it.

    Raises
    ------
    InputError
        If ``show`` or a callback can't be.
    """
    if not isinstance(show, bool) and show != BARS:
        raise InputError(f"progress={show!r} is not known; use True, False or 'bars'.")
    stream = events or Events()
    with ExitStack() as stack:
        for callback in _checked(callbacks):
            stack.callback(stream.subscribe(callback))
        view = _shown_view(stream, title, colours) if show is True and can_show_widgets() else None
        if view is None:
            stack.enter_context(progress_bars(stream, show=bool(show)))
            yield stream
            return
        stack.callback(stream.subscribe(view.hear))
        with _ends(view):
            yield stream


def can_show_widgets() -> bool:
    """Whether this is a kernel: of a notebook, not a script or a terminal."""
    ipython = sys.modules.get("IPython")  # where nobody has imported it, this is no notebook
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None


def _checked(callbacks: Sequence[Listener]) -> list[Listener]:
    if callable(callbacks):
        raise InputError("callbacks is a list of functions: callbacks=[function].")
    for callback in callbacks:
        if not callable(callback):
            raise InputError(f"callbacks: {callback!r} can't be called; each takes one event.")
    return list(callbacks)


def _shown_view(events: Events, title: str, colours: Mapping[str, str] | None) -> TrainingView | None:
    """The live view on the screen; None, with a line in the log, where that fails: training doesn't depend on it."""
    try:
        from customlabels_nb.widgets.training_view import TrainingView

        view = TrainingView(events, title=title, colours=colours)
        view.show()
    except Exception:
        logging.getLogger("customlabels_nb").exception("The live view can't be shown; there are bars instead.")
        return None
    return view


@contextmanager
def _ends(view: TrainingView) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, Cancelled) as error:
        view.end(p.STOPPED, str(error) or "Stopped by you.")
        raise
    except BaseException as error:
        view.end(p.FAILED, str(error) or type(error).__name__)
        raise
    else:
        view.end(p.DONE)
