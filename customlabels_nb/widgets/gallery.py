"""Gallery widget: label images in a grid or one by one in a :class:`.LabellingSession`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from customlabels_nb.errors import InputError
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.labeling.session_files import SessionFiles, report_as_json
from customlabels_nb.labeling.view import MODES, Query
from customlabels_nb.widgets._base import STATIC, Handler, join_modules, join_styles
from customlabels_nb.widgets._pages import EditedPages, Near, Operation, Ranges, check_page_size
from customlabels_nb.widgets.annotator import Annotator

#: Query, page size and first image shown by the last gallery of each call in this process.
_LAST_PLACES: dict[tuple[Any, ...], tuple[Query, int, str]] = {}

#: Edits of the page, by the name of the operation.
OPERATIONS: dict[str, Operation] = {
    "label": lambda session, edit: partial(session.assign, label=edit["label"]),
    "unlabel": lambda session, edit: partial(session.assign, label=edit["label"], on=False),
    "toggle": lambda session, edit: partial(session.toggle, label=edit["label"]),
    "clear": lambda session, edit: session.clear,
    "status": lambda session, edit: partial(
        session.set_status, status=edit["status"], remove_labels=edit.get("remove_labels", False)
    ),
    "note": lambda session, edit: partial(session.set_note, note=edit["note"]),
    "submit": lambda session, edit: session.submit,
    "accept": lambda session, edit: partial(session.accept_predictions, seen=edit.get("labels")),
}


def _refuse(session: Any, edit: Any) -> Any:
    raise InputError(f"op={edit['op']!r} cannot be applied to crops, only to images.")


#: The same edits of crops. Boxes have no status of their own.
CROP_OPERATIONS: dict[str, Operation] = {
    "label": lambda session, edit: partial(session.label_boxes, label=edit["label"]),
    "toggle": lambda session, edit: partial(session.label_boxes, label=edit["label"]),
    "clear": lambda session, edit: session.remove_boxes,
    "note": OPERATIONS["note"],
    "submit": lambda session, edit: session.confirm_boxes,
    "accept": lambda session, edit: partial(session.accept_suggestions, seen=edit.get("labels")),
}


class Gallery(EditedPages):
    """Widget to label images in pages of thumbnails or one by one, created by :meth:`.Project.label`.

    Every label is saved immediately. Other cells can read and control the widget with ``selected``, ``set_filter`` and
    ``observe``. For code written for ipyannotations, it also has ``options``, ``data``, ``display``, ``submit``,
    ``on_submit`` and ``on_undo``.

    Attributes
    ----------
    selection : tuple of str
        The selected images, or the one in focus. ``observe(handler, "selection")`` calls ``handler`` when it changes.

    Examples
    --------
    >>> gallery = project.label("train")
    >>> gallery.options
    ['bathroom', 'bedroom', 'garden']
    >>> gallery.set_filter(label="garden")
    """

    _esm = join_modules(STATIC / "gallery.js")
    _css = join_styles("shared/base.css", "shared/tiles.css", "gallery.css", "label_manager/label_manager.css")
    operations = OPERATIONS
    giving = ("label", "toggle")

    def __init__(
        self,
        session: LabellingSession,
        files: SessionFiles,
        *,
        project: str,
        key: str,
        query: Query | None = None,
        page_size: int = 24,
        mode: str = "grid",
        annotator: Callable[[str], Annotator] | None = None,
        label_handlers: Mapping[str, Handler] | None = None,
    ) -> None:
        if mode not in MODES:
            raise InputError(f"mode={mode!r} is not a mode. Choose one of {MODES!r}.")
        session.cluster_size = page_size if mode == "grid" else None
        super().__init__(
            session, files, project=project, key=key, query=query, page_size=page_size, annotator=annotator,
            label_handlers=label_handlers,
        )  # fmt: skip
        self._call = (key, session.split, session.view.query, page_size, mode)
        self._return_to_place()
        self._mode = mode
        self._submitted: list[Callable[[Any], object]] = []
        self._undone: list[Callable[[], object]] = []
        self.handlers |= {
            "upload begin": self._begin_upload,
            "upload part": self._add_part,
            "upload end": self._end_upload,
        }

    def _return_to_place(self) -> None:
        """Restore sort order, page size and place of the last gallery that was opened with the same arguments."""
        if self._call in _LAST_PLACES:
            query, self._size, image = _LAST_PLACES[self._call]
            self.session.show(query)
            self._focus = self.session.place_of(image) or 0
            self._place = self._focus // self._size * self._size

    def _remember_place(self) -> None:
        view = self.session.view
        position = self._focus if self._mode == "single" else self._place
        shown = self.session.images_at([(position, position)])
        is_same = self.session.split == self._call[1] and view.query.crops == self._call[2].crops
        if is_same and shown:
            query = replace(
                self._call[2],
                sort=view.query.sort,
                random_state=view.query.random_state,
                like=view.query.like,
                text=view.query.text,
            )
            _LAST_PLACES[self._call] = (query, self._size, shown[0])

    def _select(self, view: int, place: int, focus: int, ranges: Ranges) -> Any:
        answer = super()._select(view, place, focus, ranges)
        self._remember_place()
        return answer

    @property
    def data(self) -> Any:
        """Labels in the format of ipyannotations: of the image in focus (``mode="single"``) or of the page's images."""
        if self._mode == "single":
            names = self.session.images_at([(self._focus, self._focus)])
        else:
            _, names = self.session.page(self._place, self._size)
        data = {name: self.session.data_of(name) for name in names}
        return next(iter(data.values()), None) if self._mode == "single" else data

    def submit(self, sender: Any = None) -> None:
        """Mark the page (in ``mode="single"`` the image) as done and go to the next one.

        Parameters
        ----------
        sender : object, optional
            Button that calls this method. It is not used.

        Examples
        --------
        >>> gallery = project.label("train", mode="single")
        >>> gallery.submit()
        """
        self.send({"push": "submit"})

    def on_submit(self, callback: Callable[[Any], object]) -> None:
        """Call ``callback(data)`` whenever a page or image is submitted.

        Parameters
        ----------
        callback : callable
            Function to call with the labels, in the format of :attr:`data`.

        Examples
        --------
        >>> gallery = project.label("train", mode="single")
        >>> gallery.on_submit(print)
        """
        self._submitted.append(callback)

    def on_undo(self, callback: Callable[[], object]) -> None:
        """Call ``callback()`` whenever an edit is undone.

        Parameters
        ----------
        callback : callable
            Function without parameters.

        Examples
        --------
        >>> gallery = project.label("train")
        >>> gallery.on_undo(lambda: print("undone"))
        """
        self._undone.append(callback)

    def _hello(self) -> Any:
        return {**super()._hello(), "mode": self._mode}

    def _show(
        self,
        split: str,
        query: dict[str, Any],
        size: int,
        place: int,
        pixels: int,
        near: Near = (),
        left: tuple[list[str], list[str]] | None = None,
    ) -> Any:
        """Show images. ``left`` names images of a cluster page that were not labelled: taken out, and the others."""
        if left is not None:
            self.session.leave_cluster(*left)
        if self._mode == "grid":
            self.session.cluster_size = check_page_size("size", size)
        return super()._show(split, query, size, place, pixels, near)

    def _operations_on(self, names: Sequence[str]) -> Mapping[str, Operation]:
        if not any(map(self.session.is_crop, names)):
            return self.operations
        return dict.fromkeys(self.operations, _refuse) | CROP_OPERATIONS

    def _about_to(self, op: str, images: Sequence[str]) -> None:
        if op != "submit" or not self._submitted or any(map(self.session.is_crop, images)):
            return
        data: Any = {name: self.session.data_of(self._checked(name)) for name in images}
        for callback in self._submitted:
            callback(next(iter(data.values()), None) if self._mode == "single" else data)

    def _undone_by_page(self) -> None:
        for callback in self._undone:
            callback()

    def _begin_upload(self) -> Any:
        return {"batch": self._files.begin_upload()}

    def _add_part(self, batch: str, name: str, first: bool, buffer: memoryview) -> Any:
        self._files.add_part(batch, name, buffer, first=first)
        return {}

    def _end_upload(self, batch: str, label: str | None = None, on_known: str = "fill") -> Any:
        report = self._files.end_upload(batch, self.session.split, label, on_known)
        self.session.follow()
        return report_as_json(report)
