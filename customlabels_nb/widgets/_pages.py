"""Base of the widgets that show images page by page: pagination, thumbnails, polling for changes, and edits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

import anywidget
import ipywidgets
import pandas as pd
import traitlets

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb.core import change_signal
from customlabels_nb.errors import ImageError, InputError, NotAllowedError
from customlabels_nb.images.regions import Part
from customlabels_nb.labeling.session import EditResult, LabellingSession
from customlabels_nb.labeling.session_files import SessionFiles
from customlabels_nb.labeling.view import PAGE_SIZES, Query, View
from customlabels_nb.widgets._base import ChangeListener, Handler, MessageHandler
from customlabels_nb.widgets._requests import arguments_of
from customlabels_nb.widgets.static_fallback import display_with_fallback, redraw, static_picture

if TYPE_CHECKING:
    from customlabels_nb.datasets.dataset import Where

#: First and last positions in a view.
Ranges: TypeAlias = Sequence[tuple[int, int]]
#: Names of images on a page, None for positions whose names the page does not know.
Near: TypeAlias = Sequence[str | None]
#: Returns the method of the session, with its arguments from the request, that takes the images and their revisions.
Operation: TypeAlias = Callable[[Any, Any], Callable[..., EditResult]]

_MOST_ROWS = 2_000
_SOON = 0.25  # seconds
_SAID_AGAIN = ("op", "label", "status", "remove_labels", "instead_of", "note", "number", "reason")


class _AnyEdit(TypedDict):
    op: str
    split: str


class EditRequest(_AnyEdit, total=False):
    """Edit of images, which are listed or, if they are many, at ranges of a view. Operations need different fields."""

    images: list[str]
    view: int
    ranges: Ranges
    revisions: dict[str, int] | None
    guest: bool
    forget: bool
    label: str
    instead_of: str | None
    status: str
    remove_labels: bool
    labels: dict[str, list[str]]
    note: str
    number: int
    reason: str | None


class ImagePages(MessageHandler, ChangeListener, anywidget.AnyWidget):
    """Base class of widgets that show the images of a labelling session in pages.

    Other cells can read and control it. A subclass adds its actions to ``handlers``. ``key`` permanently identifies the
    project. ``label_handlers`` are those of :mod:`~customlabels_nb.widgets.label_manager`, if the page shows it.
    """

    selection = traitlets.Tuple()
    _with_shapes = True  # the tiles show boxes and polygons

    def __init__(
        self,
        session: LabellingSession,
        files: SessionFiles,
        *,
        project: str,
        key: str,
        query: Query | None = None,
        page_size: int = 24,
        label_handlers: Mapping[str, Handler] | None = None,
    ) -> None:
        check_page_size("page_size", page_size)
        super().__init__()
        self.session = session
        self._files = files
        self._project = project
        self._key = key
        self._size = page_size
        self._place = 0
        self._focus = 0
        self._labels_seen = session.label_state()
        self._still: Any = None
        self.handlers: dict[str, Handler] = {
            "hello": self._hello,
            "show": self._show,
            "arrange": self._arrange,
            "page": self._page,
            "pictures": self._later_pictures,
            "rows": self._rows,
            "follow": self._follow,
            "select": self._select,
            "add label": self._add_label,
            "task": self._set_task,
            "instructions": self._set_instructions,
            "search setup": self._set_up_search,
            "full": self._full,
            "picture": self._picture,
            **(label_handlers or {}),
        }
        self._manages_labels = label_handlers is not None
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="customlabels_nb pictures")
        self.listen_to(session.root)
        session.show(query or session.query_type())
        self.on_msg(self.answer)

    # -- for other cells ----------------------------------------------------------------------------
    @property
    def selected(self) -> pd.DataFrame:
        """Rows of the images table with ``file`` and ``label``, of the selected images, or of the image in focus."""
        return self.session.selected(self.selection)

    def select(self, images: Sequence[str]) -> None:
        """Select images.

        Images on pages that were not opened yet are not highlighted in the page.

        Parameters
        ----------
        images : sequence of str
            Names of the images.

        Examples
        --------
        >>> screen = project.label("train")  # or project.annotate(), project.review()
        >>> screen.select(project.train_set.images["image"].head(2).tolist())
        >>> len(screen.selected)
        2
        """
        self.selection = tuple(images)
        self.send({"push": "select", "images": list(images)})

    def set_filter(self, where: Where | None = None, **change: Any) -> None:
        """Filter the images that are shown.

        Parameters
        ----------
        where : str, sequence of bool or callable, optional
            Condition as in :meth:`customlabels_nb.datasets.dataset.Dataset.filter`, e.g.
            ``"label == 'apple' and width > 100"``.
        **change
            Values of ``show``, ``label``, ``predicted``, ``annotator``, ``search``, ``sort``, ``random_state``,
            ``like``, ``text``, ``confidence``. See :class:`customlabels_nb.labeling.view.Query`. Without arguments, all
            images are shown.

        Raises
        ------
        InputError
            If the filter does not exist, or cannot have that value.

        Examples
        --------
        >>> screen = project.label("train")  # or project.annotate(), project.review()
        >>> screen.set_filter(label="garden", sort="name")
        >>> screen.set_filter("width > 100")
        >>> screen.set_filter()
        """
        images = (
            None if where is None else frozenset(self._files.dataset(self.session.split).filter(where).images["image"])
        )
        base = self._filtered()
        if where is None and not change:
            base = type(base)(sort=base.sort, text=base.text)
        filters = {each.name for each in fields(base) if where is None or each.name != "images"}
        if unknown := [name for name in change if name not in filters]:
            raise InputError(f"{unknown[0]!r} is not a filter. The filters are {', '.join(sorted(filters))}.")
        query = replace(base, **change) if where is None else replace(base, **change, images=images)
        self._place = self._focus = 0
        self.session.show(query)
        self.send({"push": "show", "change": {"place": 0, "query": shown(query)}})

    def _filtered(self) -> Query:
        """Return the query that a filter changes."""
        return self.session.view.query

    @property
    def options(self) -> list[str]:
        """Labels, in order."""
        return self.session.labels()["label"].tolist()

    def display(self, image: str) -> None:
        """Go to an image.

        Parameters
        ----------
        image : str
            Name of the image.

        Raises
        ------
        InputError
            If the current filter does not show the image.

        Examples
        --------
        >>> screen = project.label("train")  # or project.annotate(), project.review()
        >>> screen.display(project.train_set.images["image"].iloc[-1])
        """
        position = self._place_of(image)
        self._focus, self._place = position, position // self._size * self._size
        self.send({"push": "show", "change": {"place": self._place, "keep": position}})

    def _place_of(self, image: str) -> int:
        position = self.session.place_of(image)
        if position is None:
            raise InputError(f"The image {image!r} is not shown by the current filter. set_filter() shows all images.")
        return position

    # -- display ------------------------------------------------------------------------------------
    def _ipython_display_(self) -> None:
        """Display the widget and a static image for the saved notebook, which the live widget hides."""
        _, self._fallback_names = self.session.page(self._place, min(self._size, 24))
        parts = [self.session.part_of(name) for name in self._fallback_names]
        self._fallback_pictures = self._files.thumbnails(parts, 160)
        self._still = display_with_fallback(self._outermost(), self._fallback())

    def _outermost(self) -> Any:
        """Return the widget to display: this one, or a box that contains it."""
        return self

    def _fallback(self) -> str:
        self._fallback_says = self._fallback_text()
        rows = self.session.rows(self._fallback_names)
        captions = [
            ": ".join([row["short"], ", ".join(row["labels"] or row["boxes"] * ("crop" in row)) or row["status"]])
            for row in rows
        ]
        return static_picture(self._fallback_pictures, captions, self._fallback_says)

    def _fallback_text(self) -> str:
        view, rows = self.session.view, self.session.rows_of(self.session.view)
        noun, finished = ("boxes ", "confirmed") if view.query.crops else ("", "labelled")
        done = f"{rows.by_status[finished]:,} of {len(rows):,} {noun}{finished}"
        return f"{self._project}, {self.session.split}: {done}. Run the cell to continue."

    # -- requests of the page -----------------------------------------------------------------------
    def _hello(self) -> Any:
        return {**self._info(), "screen": self.model_id, "key": self._key, "size": self._size, "place": self._place}

    def _info(self) -> dict[str, Any]:
        session = self.session
        labels, record = session.labels(), session.record()
        return {
            "project": self._project,
            "split": session.split,
            "splits": session.totals(),
            "task": record.task,
            "labels": [{"label": n, "color": c} for n, c in zip(labels["label"], labels["color"], strict=True)],
            "has_predictions": bool(session.predictions),
            "predictions_read": session.predictions_read,
            "similarity": session.can_sort_by_similarity,
            "without_vectors": session.without_vectors,
            "instructions": record.instructions,
            "read_only": session.read_only,
            "can_crop": session.can_crop,
            "manages_labels": self._manages_labels,
            "assist": session.assist_state(),
            "empty": session.why_empty(),
            "query": shown(session.view.query),
            "view": session.view.number,
            **self._figures(),
        }

    def _figures(self) -> dict[str, Any]:
        """Return the part of :meth:`_info` that edits change."""
        return self.session.summary()

    def _show(self, split: str, query: dict[str, Any], size: int, place: int, pixels: int, near: Near = ()) -> Any:
        """Apply a query and return the page around the first image of ``near`` that is shown, or around a position."""
        session = self.session
        values = {name: query[name] for name in query if name != "images"}
        images = session.view.query.images if query.get("images") else None
        kind = session.query_of(crops=values.get("crops") is True)
        wanted = kind(**arguments_of(kind, values) | {"images": images})
        session.check_queue(wanted, split)
        self._size = check_page_size("size", size)
        if split != session.split:
            session.open(split)
        return self._shown(session.show(wanted), place, pixels, near)

    def _arrange(self, place: int, pixels: int, near: Near = ()) -> Any:
        """Return the page once the sort order of the view has been computed."""
        view = self.session.arrange()
        return {"wait": view.waiting} if view.waiting else self._shown(view, place, pixels, near)

    def _shown(self, view: View, place: int, pixels: int, near: Near) -> Any:
        places = (self.session.place_of(name) for name in near if name is not None)
        page, sent = self._pages(view, next((position for position in places if position is not None), place), pixels)
        self._place = page["place"]
        return {"info": self._info(), "page": page, "wait": view.waiting}, sent

    def _page(self, view: int, place: int, pixels: int) -> Any:
        return self._pages(self.session.view_numbered(view), place, pixels)

    def _pages(self, view: View, place: int, pixels: int) -> tuple[dict[str, Any], list[bytes]]:
        start, names = self.session.page(place, self._size, view)
        pictures, sent = self._pictures(names, pixels)
        rows = self._drawn([self.session.row(name) for name in names])
        return {"place": start, "total": len(view), "rows": rows, **pictures}, sent

    def _pictures(self, images: Sequence[str], pixels: int) -> tuple[dict[str, Any], list[bytes]]:
        """Return the thumbnails that are ready soon, and None for the others, which the page requests again."""
        parts: dict[str, Part] = {}
        for name in images:
            with suppress(InputError):  # removed meanwhile
                parts[name] = self.session.part_of(self._checked(name))
        made = self._files.thumbnails(list(parts.values()), pixels, seconds=_SOON)
        pictures = dict(zip(parts, made, strict=True))
        thumbs: list[int | str | None] = []
        sent: list[bytes] = []
        for name in images:
            picture = pictures.get(name)
            if isinstance(picture, bytes):
                thumbs.append(len(sent))
                sent.append(picture)
            elif picture is not None:
                self.session.note_broken(name, picture.reason)
                thumbs.append(picture.reason)
            else:
                thumbs.append(None if name in parts else "This image or box was removed.")
        return {"thumbs": thumbs}, sent

    def _later_pictures(self, images: Sequence[str], pixels: int) -> Future[Any]:
        """Make pictures that did not come with their page, while edits are stored."""
        return self._maker.submit(self._pictures, images, pixels)

    def _rows(self, view: int, ranges: Ranges) -> Any:
        """Return rows of positions that no page has shown yet."""
        order = self.session.view_numbered(view)
        places = [position for first, last in ranges for position in range(len(order))[max(0, first) : last + 1]]
        return {"places": places, "rows": self._drawn(self.session.rows(self.session.images_at(ranges, order)))}

    def _drawn(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Add the shapes of images to their rows, unless there are more than a page shows."""
        if self._with_shapes and len(rows) <= PAGE_SIZES[-1]:
            self.session.add_shapes(rows)
            for row in rows:
                if row["size"] is None and (row["outlines"] or row["guesses"]):  # a remote image that was not checked
                    with suppress(ImageError):
                        view = self._files.full(self.session.part_of(row["name"]))
                        row["size"] = round(view.width / view.scale), round(view.height / view.scale)
        return rows

    def _follow(self, images: Near = (), whole: bool = False) -> Any:
        """Return what has changed since any page of this widget has asked, or with ``whole`` the state."""
        rows_of = partial(self.session.rows_of, self.session.view)
        before = len(rows_of())
        changed = self.session.follow()
        is_same = changed is not None and not changed and self._labels_seen == self.session.label_state()
        if is_same and not whole:
            return {}
        self._labels_seen = self.session.label_state()
        rows = self._drawn(self.session.rows(name for name in images if name is not None))
        if self._still is not None and self._fallback_text() != self._fallback_says:
            redraw(self._still, self._fallback)
        return {"info": self._info(), "rows": rows, "more": abs(len(rows_of()) - before), "whole": whole}

    def _select(self, view: int, place: int, focus: int, ranges: Ranges) -> Any:
        order = self.session.view_numbered(view)
        self._place, self._focus = place, focus
        self.selection = tuple(self.session.images_at(ranges or [(focus, focus)], order))
        return {}

    def _add_label(self, label: str) -> Any:
        name = self.session.add_label(label)
        change_signal.notify(self.session.root)
        return {"info": self._info(), "label": name}

    def _set_task(self, task: str) -> Any:
        self.session.set_task(task)
        return {"info": self._info()}

    def _set_instructions(self, text: str) -> Any:
        self.session.set_instructions(text)
        return {"info": self._info()}

    def _set_up_search(self, start: bool = False) -> Future[Any]:
        """Return what the search by a description needs, after starting to get it if the person wants that."""
        if start:
            self.session.search.prepare()
        return self._maker.submit(self.session.search.state)

    def _full(self, image: str) -> Any:
        view = self._files.full(self.session.part_of(self._checked(image)))
        return {"mime": view.mime, "width": view.width, "height": view.height}, [view.data]

    def _picture(self, instructions: str, line: int, nth: int) -> Any:
        path = self.session.picture_in(instructions, line, nth)
        return {"mime": "image/jpeg"}, [self._files.instruction_picture(path)]

    def _checked(self, image: str) -> str:
        if image not in self.session.table.position and not self.session.is_crop(image):
            raise InputError(f"The image {image!r} is not in the {self.session.split} set.")
        return image


class EditedPages(ImagePages):
    """Base class of widgets that edit the images they show in pages.

    ``annotator(split)`` creates the annotator in which boxes are edited below the page. None if that is not possible.
    ``operations`` are the edits that the page may request, by ``op``, and ``giving`` those of them that assign a label.
    """

    operations: Mapping[str, Operation] = {}
    giving: tuple[str, ...] = ()
    _annotator: Any = None
    _box: Any = None
    _new_annotator: Callable[[str], Any] | None = None

    def __init__(self, *args: Any, annotator: Callable[[str], Any] | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._new_annotator = annotator
        self._box = ipywidgets.VBox([self])
        self.handlers |= {"edit": self._edit, "undo": self._undo, "redo": self._redo, "fix": self._fix}

    def close(self) -> None:
        for widget in (self._annotator, self._box):
            if widget is not None:
                widget.close()
        super().close()

    def _outermost(self) -> Any:
        return self if self._new_annotator is None else self._box

    def _info(self) -> dict[str, Any]:
        return {**super()._info(), "can_draw": self._new_annotator is not None}

    def _fix(self, image: str) -> Any:
        """Open an image in an annotator below. For a crop, its box is selected."""
        part = self.session.part_of(self._checked(image))
        if self._new_annotator is None:
            raise NotAllowedError("Boxes cannot be edited here. Open the image in project.annotate().")
        split = self.session.split
        if self._annotator is None or self._annotator.session.split != split:
            if self._annotator is not None:
                self._annotator.close()
            self._annotator = self._new_annotator(split)
            self._box.children = (self, self._annotator)
        self._annotator.session.follow()
        self._annotator.display(part.image, box=self.session.box_of(image))
        return {}

    def _operations_on(self, names: Sequence[str]) -> Mapping[str, Operation]:
        return self.operations

    def _about_to(self, op: str, images: Sequence[str]) -> None:
        """Run before an edit of the page is applied."""

    def _undone_by_page(self) -> None:
        """Run when the page has undone an edit."""

    def _edit(self, content: EditRequest) -> Any:
        session, op = self.session, content["op"]
        if op not in self.operations:
            raise InputError(f"op={op!r} is not an operation. Choose one of {sorted(self.operations)!r}.")
        undoable, forget = not content.get("guest"), content.get("forget", False)
        labels = [content["label"]] if op in self.giving else []
        with session.visiting(content["split"], undoable=undoable, forget=forget), session.giving(*labels):
            names = images = content.get("images")
            if names is None:
                names = session.images_at(content["ranges"], session.view_numbered(content["view"]))
            apply = self._operations_on(names)[op](session, content)
            self._about_to(op, names)
            outcome = apply(names, revisions=content.get("revisions")) if names else EditResult()
            return self._outcome(outcome, images, content)

    def _outcome(self, outcome: EditResult, images: Sequence[str] | None, edit: Mapping[str, Any] | None = None) -> Any:
        shown_name = self.session.table.shown_name
        conflicts = [
            {"image": c.image, "short": shown_name(c.image), "theirs": c.theirs, "yours": c.yours}
            for c in outcome.conflicts
        ]
        retry = {name: edit[name] for name in _SAID_AGAIN if name in edit} if edit else None
        return {
            "info": self._figures(),
            "split": self.session.split,
            "rows": self._drawn(self.session.rows(outcome.images[:_MOST_ROWS] if images is None else images)),
            "images": outcome.images[:1],
            "conflicts": conflicts,
            "gone": [shown_name(name) for name in outcome.gone],
            "edit": retry,
            "reload": images is None,
        }

    def _undo(self) -> Any:
        outcome = self.session.undo()
        if outcome.images:
            self._undone_by_page()
        return self._outcome(outcome, outcome.images[:_MOST_ROWS])

    def _redo(self) -> Any:
        outcome = self.session.redo()
        return self._outcome(outcome, outcome.images[:_MOST_ROWS])


def shown(query: Query) -> dict[str, Any]:
    """Convert a query to JSON for the page, with a flag in place of a set of images."""
    return {**asdict(replace(query, images=None)), "images": query.images is not None, "crops": query.crops}


def check_page_size(argument: str, size: Any) -> int:
    """Return ``size`` if it is an allowed page size, or raise InputError."""
    number = check_integer(argument, size, 1)
    if number not in PAGE_SIZES:
        raise InputError(f"{argument}={number} is not a page size. Choose one of {PAGE_SIZES!r}.")
    return number
