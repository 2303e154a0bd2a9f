"""Progress display: a live view in notebooks, progress bars elsewhere."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from customlabels_nb._utils.progress_bars import progress_bars
from customlabels_nb.errors import Cancelled, InputError
from customlabels_nb.events import Events
from customlabels_nb.widgets import training_state as p

if TYPE_CHECKING:
    from customlabels_nb.widgets.training_view import TrainingView

BARS = "bars"


@contextmanager
def watch(
    events: Events | None = None,
    *,
    show: bool | str = True,
    title: str = "",
    colors: Mapping[str, str] | None = None,
) -> Iterator[Events]:
    """Show the progress of a run during the ``with`` block, and how the run ended.

    Parameters
    ----------
    events : Events, optional
        Stream that the run reports to. By default a new one.
    show : bool or "bars"
        True for a live view in notebooks and bars elsewhere, "bars" for bars everywhere, False for nothing.

    Raises
    ------
    InputError
        If ``show`` is invalid.
    """
    if not isinstance(show, bool) and show != BARS:
        raise InputError(f"progress={show!r} is not valid. Use True, False or 'bars'.")
    stream = events or Events()
    with ExitStack() as stack:
        view = _shown_view(stream, title, colors) if show is True and can_show_widgets() else None
        if view is None:
            stack.enter_context(progress_bars(stream, show=bool(show)))
            yield stream
            return
        stack.callback(stream.subscribe(view.receive))
        with _ends(view):
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
