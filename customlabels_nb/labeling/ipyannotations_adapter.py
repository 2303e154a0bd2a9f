"""Adapter for ipyannotations labelling widgets: a session shows its images in them one after another."""

from __future__ import annotations

from typing import Any

from customlabels_nb.errors import InputError
from customlabels_nb.images.reading import open_image
from customlabels_nb.labeling.session import ONE_LABEL, LabellingSession
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
    _Turns(session, widget, query)
    return widget


class _Turns:
    """Iteration over the images, with a handler for submitted labels and undo."""

    def __init__(self, session: LabellingSession, widget: Any, query: Query) -> None:
        self._session, self._widget = session, widget
        session.show(query)
        self._at = 0
        widget.on_submit(self._submitted)
        widget.on_undo(self._undo)
        self._display()

    def _image(self) -> str | None:
        return next(iter(self._session.images_at([(self._at, self._at)])), None)

    def _display(self) -> None:
        image = self._image()
        if image is not None:
            self._widget.display(open_image(image, root=self._session.root))

    def _submitted(self, value: Any) -> None:
        image = self._image()
        if image is None:
            return
        labels = [value] if isinstance(value, str) else list(value or [])
        if not labels:
            self._session.set_status([image], "skipped")
        elif self._session.task == ONE_LABEL or isinstance(value, str):
            self._session.assign([image], str(labels[0]))
        else:
            self._session.set_labels([image], [str(label) for label in labels])
        self._at += 1
        self._display()

    def _undo(self) -> None:
        if self._session.can_undo and self._at:
            self._session.undo()
            self._at -= 1
            self._display()
