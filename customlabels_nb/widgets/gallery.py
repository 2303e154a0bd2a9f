"""The gallery widget: translates between the page and a :class:`~customlabels_nb.labeling.LabellingSession`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import anywidget
import pandas as pd
import traitlets

from customlabels_nb.errors import ImageError, InputError
from customlabels_nb.labeling import LabellingSession, NotReadyError, Outcome, Query, View
from customlabels_nb.labeling.files import SessionFiles, report_as_json
from customlabels_nb.labeling.image_table import short_name
from customlabels_nb.labeling.view import PAGE_SIZES
from customlabels_nb.widgets._base import STATIC, Answers, join_modules
from customlabels_nb.widgets.still import still_picture

MODES = ("grid", "single")

_MOST_ROWS = 2_000
_QUERY_FIELDS = ("show", "label", "predicted", "annotator", "search", "images", "sort", "seed")

_OPERATIONS: dict[str, Callable[[LabellingSession, Sequence[str], dict[str, Any], Any], Outcome]] = {
    "label": lambda session, images, edit, revisions: session.assign(images, edit["label"], revisions=revisions),
    "unlabel": lambda session, images, edit, revisions: session.assign(
        images, edit["label"], on=False, revisions=revisions
    ),
    "toggle": lambda session, images, edit, revisions: session.toggle(images, edit["label"], revisions=revisions),
    "clear": lambda session, images, edit, revisions: session.clear(images, revisions=revisions),
    "status": lambda session, images, edit, revisions: session.set_status(images, edit["status"], revisions=revisions),
    "submit": lambda session, images, edit, revisions: session.submit(images, revisions=revisions),
    "accept": lambda session, images, edit, revisions: session.accept_predictions(images, revisions=revisions),
}


class Gallery(Answers, anywidget.AnyWidget):
    """Label images in pages of thumbnails, or one by one; made by :meth:`customlabels_nb.project.Project.label`.

    Every label is stored at once. Other cells can read and steer it: ``selected``, ``set_filter``, ``observe``. It also
    speaks ipyannotations' language: ``options``, ``data``, ``display``, ``submit``, ``on_submit``, ``on_undo``.

    Attributes
    ----------
    selection : tuple of str
        The selected images, or the one in focus; ``observe(handler, "selection")`` follows it.
    """

    _esm = join_modules(STATIC / "gallery.js")
    _css = (STATIC / "gallery.css").read_text("utf-8")

    selection = traitlets.Tuple()

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
    ) -> None:
        if page_size not in PAGE_SIZES:
            raise InputError(f"page_size={page_size!r} is not known; use one of {PAGE_SIZES!r}.")
        if mode not in MODES:
            raise InputError(f"mode={mode!r} is not known; use one of {MODES!r}.")
        super().__init__()
        self.session = session
        self._files = files
        self._project = project
        self._key = key
        self._size = page_size
        self._mode = mode
        self._place = 0
        self._focus = 0
        self._submitted: list[Callable[[Any], object]] = []
        self._undone: list[Callable[[], object]] = []
        self._labels_seen = session.label_state()
        self.handlers = {
            "hello": self._hello,
            "show": self._show,
            "page": self._page,
            "rows": self._rows,
            "edit": self._edit,
            "undo": self._take_back,
            "redo": self._redo,
            "follow": self._follow,
            "select": self._select,
            "add label": self._add_label,
            "task": self._set_task,
            "instructions": self._set_instructions,
            "full": self._full,
            "picture": self._picture,
            "upload begin": self._begin_upload,
            "upload part": self._add_part,
            "upload end": self._end_upload,
        }
        session.show(query or Query())
        self.on_msg(self.answer)

    # -- for other cells ----------------------------------------------------------------------------
    @property
    def selected(self) -> pd.DataFrame:
        """The selected images (else the one in focus): rows of the images table with their ``label``."""
        return self.session.selected(self.selection)

    def select(self, images: Sequence[str]) -> None:
        """Select these images, as far as the page has seen them."""
        self.selection = tuple(images)
        self.send({"push": "select", "images": list(images)})

    def set_filter(self, where: Any = None, **change: Any) -> None:
        """Show other images.

        Parameters
        ----------
        where : str, sequence of bool or callable, optional
            As in :meth:`customlabels_nb.dataset.Dataset.filter`: ``"label == 'apple' and width > 100"``.
        **change
            ``show``, ``label``, ``predicted``, ``annotator``, ``search``, ``sort``, ``seed``; see
            :class:`customlabels_nb.labeling.Query`. Without any argument, everything is shown.
        """
        images = (
            None if where is None else frozenset(self._files.dataset(self.session.split).filter(where).images["image"])
        )
        base = self.session.view.query if where is not None or change else Query(sort=self.session.view.query.sort)
        try:
            query = replace(base, **change) if where is None else replace(base, **change, images=images)
        except TypeError as error:
            raise InputError(
                f"{str(error).split()[-1]} is nothing to filter by; see help(gallery.set_filter)."
            ) from error
        self._place = 0
        self.session.show(query)
        self.send({"push": "show", "change": {"place": 0, "query": _shown(query)}})

    # -- ipyannotations' conventions ----------------------------------------------------------------
    @property
    def options(self) -> list[str]:
        """The labels."""
        return self.session.labels()["label"].tolist()

    @property
    def data(self) -> Any:
        """Labels as ipyannotations has them, of the image in focus (``mode="single"``) or by image of the page."""
        if self._mode == "single":
            names = self.session.images_at([(self._focus, self._focus)])
        else:
            _, names = self.session.page(self._place, self._size)
        data = {name: self.session.data_of(name) for name in names}
        return next(iter(data.values()), None) if self._mode == "single" else data

    def display(self, image: str) -> None:
        """Turn to an image."""
        place = self.session.place_of(image)
        if place is None:
            raise InputError(f"The image {image!r} is not among those that are shown; set_filter() shows all.")
        self._focus, self._place = place, place // self._size * self._size
        self.send({"push": "show", "change": {"place": self._place, "keep": place}})

    def submit(self, sender: Any = None) -> None:
        """Say that the page (in ``mode="single"`` the image) is done and go on."""
        self.send({"push": "submit"})

    def on_submit(self, callback: Callable[[Any], object]) -> None:
        """Call ``callback(data)`` whenever a page or image is submitted."""
        self._submitted.append(callback)

    def on_undo(self, callback: Callable[[], object]) -> None:
        """Call ``callback()`` whenever something is taken back."""
        self._undone.append(callback)

    # -- display ------------------------------------------------------------------------------------
    def _ipython_display_(self) -> None:
        """Display a still picture for the saved notebook, and the widget, which hides it."""
        from IPython.display import HTML, display

        size = min(self._size, 24)
        _, names = self.session.page(self._place, size)
        pictures = self._files.thumbnails([(name, self.session.content_of(name)) for name in names], 160)
        rows = self.session.rows(names)
        captions = [": ".join([row["short"], ", ".join(row["labels"]) or row["status"]]) for row in rows]
        done, total = self.session.table.by_status["labelled"], len(self.session.table)
        words = f"{self._project}, {self.session.split}: {done:,} of {total:,} labelled. Run this cell to label."
        display(HTML(still_picture(pictures, captions, words)))
        bundle = self._repr_mimebundle_()
        if bundle is not None:
            data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
            display(data, metadata=metadata, raw=True)

    # -- what the page asks for ---------------------------------------------------------------------
    def _info(self) -> dict[str, Any]:
        session = self.session
        labels = session.labels()
        return {
            "project": self._project,
            "split": session.split,
            "splits": session.totals(),
            "task": session.task,
            "labels": [{"label": n, "colour": c} for n, c in zip(labels["label"], labels["colour"], strict=True)],
            "counts": dict(session.table.by_label),
            "statuses": dict(session.table.by_status),
            "annotators": session.annotators(),
            "has_predictions": bool(session.predictions),
            "similarity": session.can_sort_by_similarity,
            "instructions": session.instructions,
            "read_only": session.read_only,
            "query": _shown(session.view.query),
            "view": session.view.number,
        }

    def _hello(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        return {**self._info(), "key": self._key, "mode": self._mode, "size": self._size, "place": self._place}

    def _show(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        """Settle what is shown, and its page around a place."""
        session, wanted = self.session, content["query"]
        self._size = _page_size(content["size"])
        images = session.view.query.images if wanted.pop("images", False) else None
        wanted["images"] = images
        query = Query(**{name: wanted[name] for name in _QUERY_FIELDS if name in wanted})
        if content["split"] != session.split:
            session.open(content["split"])
        try:
            session.show(query)
        except NotReadyError as error:
            return {"wait": {"done": error.done, "total": error.total}}
        page, sent = self._pages(session.view, int(content["place"]), int(content["pixels"]))
        self._place = page["place"]
        return {"info": self._info(), "page": page}, sent

    def _page(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        view = self.session.view_numbered(int(content["view"]))
        return self._pages(view, int(content["place"]), int(content["pixels"]))

    def _pages(self, view: View, place: int, pixels: int) -> tuple[dict[str, Any], list[bytes]]:
        start, names = self.session.page(place, self._size, view)
        pictures = self._files.thumbnails([(name, self.session.content_of(name)) for name in names], pixels)
        thumbs: list[int | str] = []
        sent: list[bytes] = []
        for name, picture in zip(names, pictures, strict=True):
            if isinstance(picture, ImageError):
                self.session.note_broken(name, picture.reason)
                thumbs.append(picture.reason)
            else:
                thumbs.append(len(sent))
                sent.append(picture)
        return {
            "place": start,
            "total": len(view),
            "rows": [self.session.row(n) for n in names],
            "thumbs": thumbs,
        }, sent

    def _rows(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        """Rows of places that no page has shown yet."""
        view = self.session.view_numbered(int(content["view"]))
        places = [place for first, last in content["ranges"] for place in range(int(first), int(last) + 1)]
        return {"places": places, "rows": self.session.rows(self.session.images_at(content["ranges"], view))}

    def _edit(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        session = self.session
        if content["split"] != session.split:
            session.open(content["split"])
        images, named = content.get("images"), True
        if images is None:
            images, named = session.images_at(content["ranges"], session.view_numbered(int(content["view"]))), False
        operation = _OPERATIONS.get(content["op"])
        if operation is None:
            raise InputError(f"op={content['op']!r} is not known; use one of {sorted(_OPERATIONS)!r}.")
        if content["op"] == "submit":
            self._tell_submitted(images)
        outcome = operation(session, images, content, content.get("revisions"))
        return self._outcome(outcome, images if named else None, content)

    def _outcome(self, outcome: Outcome, images: Sequence[str] | None, edit: dict[str, Any] | None = None) -> Any:
        conflicts = [
            {"image": c.image, "short": short_name(c.image), "theirs": c.theirs, "yours": c.yours}
            for c in outcome.conflicts
        ]
        retry = {name: edit[name] for name in ("op", "label", "status") if name in edit} if edit else None
        return {
            "info": self._info(),
            "split": self.session.split,
            "rows": self.session.rows(images if images is not None else outcome.images[:_MOST_ROWS]),
            "images": outcome.images[:1],
            "conflicts": conflicts,
            "edit": retry,
            "reload": images is None,
        }

    def _tell_submitted(self, images: Sequence[str]) -> None:
        data: Any = {name: self.session.data_of(name) for name in images}
        for callback in self._submitted:
            callback(next(iter(data.values()), None) if self._mode == "single" else data)

    def _take_back(self, content: dict[str, Any], buffers: list[Any], *, redo: bool = False) -> Any:
        outcome = self.session.redo() if redo else self.session.undo()
        if outcome.images and not redo:
            for callback in self._undone:
                callback()
        return self._outcome(outcome, outcome.images[:_MOST_ROWS])

    def _redo(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        return self._take_back(content, buffers, redo=True)

    def _follow(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        before = len(self.session.table)
        changed = self.session.follow()
        if changed is not None and not changed and self._labels_seen == self.session.label_state():
            return {}
        self._labels_seen = self.session.label_state()
        rows = self.session.rows(content.get("images") or [])
        return {"info": self._info(), "rows": rows, "more": abs(len(self.session.table) - before)}

    def _select(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        view = self.session.view_numbered(int(content["view"]))
        self._place, self._focus = int(content["place"]), int(content["focus"])
        ranges = content["ranges"] or ([[self._focus, self._focus]] if len(view) else [])
        self.selection = tuple(self.session.images_at(ranges, view))
        return {}

    def _add_label(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        label = self.session.add_label(content["label"])
        return {"info": self._info(), "label": label}

    def _set_task(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        self.session.set_task(content["task"])
        return {"info": self._info()}

    def _set_instructions(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        self.session.set_instructions(content["text"])
        return {"info": self._info()}

    def _full(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        name = content["image"]
        if name not in self.session.table.position:
            raise InputError(f"The image {name!r} is not in the {self.session.split} set.")
        view = self._files.full(name, self.session.content_of(name))
        return {"mime": view.mime, "width": view.width, "height": view.height}, [view.data]

    def _picture(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        return {"mime": "image/jpeg"}, [self._files.instruction_picture(str(content["path"]))]

    def _begin_upload(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        return {"batch": self._files.begin_upload()}

    def _add_part(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        self._files.add_part(content["batch"], str(content["name"]), buffers[0], first=bool(content["first"]))
        return {}

    def _end_upload(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        report = self._files.end_upload(content["batch"], self.session.split, content.get("label"))
        self.session.follow()
        return report_as_json(report)


def _shown(query: Query) -> dict[str, Any]:
    """A query as the page has it: of a set of images only whether there is one."""
    return {**asdict(replace(query, images=None)), "images": query.images is not None}


def _page_size(size: Any) -> int:
    if size not in PAGE_SIZES:
        raise InputError(f"size={size!r} is not known; use one of {PAGE_SIZES!r}.")
    return int(size)
