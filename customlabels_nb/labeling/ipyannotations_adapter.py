"""Adapter for ipyannotations labelling widgets: a session shows its images in them one after another."""

from __future__ import annotations

from typing import Any

from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError
from customlabels_nb.images.reading import open_image
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.labeling.view import Query

_NEEDED = ("display", "on_submit", "on_undo", "options")


def plug_into(session: LabellingSession, labeller: Any, query: Query) -> Any:
    """Connect a widget for labelling the images of ``query`` one by one, storing each result immediately.

    The labeller is a class or widget such as ``ipyannotations.images.ClassLabeller``. It submits a label, a list of
    labels, or None to skip an image. Images with annotations are not skipped. Its attribute ``session`` is the session.
    """
    missing = next((name for name in _NEEDED if not hasattr(labeller, name)), None)
    if missing is not None:
        raise InputError(
            f"widget={labeller!r} has no attribute {missing!r}. Use a class such as ipyannotations' ClassLabeller."
        )
    widget = labeller() if isinstance(labeller, type) else labeller
    widget.options = session.labels()["label"].tolist()
    widget.session = session
    session.show(query)
    at = 0

    def image(position: int) -> str | None:
        return next(iter(session.images_at([(position, position)])), None)

    def display() -> None:
        if (name := image(at)) is not None:
            widget.display(open_image(name, root=session.root))

    def submitted(value: Any) -> None:
        nonlocal at
        if (name := image(at)) is None:
            return
        labels = [value] if isinstance(value, str) else list(value or [])
        if not labels:
            session.set_status([name], "skipped")
        elif session.task == t.SINGLE_LABEL or isinstance(value, str):
            session.assign([name], str(labels[0]))
        else:
            session.set_labels([name], [str(label) for label in labels])
        at += 1
        display()

    def undo() -> None:
        nonlocal at
        if at:
            if image(at - 1) in session.undoable:  # otherwise nothing was changed when it was submitted
                session.undo()
            at -= 1
            display()

    widget.on_submit(submitted)
    widget.on_undo(undo)
    display()
    return widget
