"""Annotator widget: draw bounding boxes and polygons in a :class:`~customlabels_nb.labeling.drawing.DrawingSession`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from customlabels_nb.core import change_signal
from customlabels_nb.core.polygons import to_one_ring
from customlabels_nb.images.outlining import Click
from customlabels_nb.labeling.drawing import DrawingSession, Shape
from customlabels_nb.labeling.session_files import SessionFiles
from customlabels_nb.labeling.view import Query
from customlabels_nb.widgets._base import STATIC, Handler, join_modules, join_styles
from customlabels_nb.widgets._pages import ImagePages


class _Area(NamedTuple):
    left: float
    top: float
    width: float
    height: float


class _DrawnShapes(TypedDict):
    split: str
    image: str
    shapes: list[dict[str, Any]]
    labels: list[str]
    status: str


class Drawn(_DrawnShapes, total=False):
    """All shapes, labels and the status of an image to save, and its note if that has changed."""

    note: str
    revision: int | None
    reason: str | None


class Annotator(ImagePages):
    """Widget to draw bounding boxes and polygons, created by :meth:`customlabels_nb.project.project.Project.annotate`.

    Drawing runs entirely in the browser, and every change of an image is saved immediately. Other cells can read and
    control the widget with ``selected``, ``set_filter``, ``observe`` and ``display``. ``data`` contains the shapes of
    the image in the format of ipyannotations.

    Examples
    --------
    >>> annotator = boxes.annotate()
    >>> annotator.options
    ['diode', 'resistor']
    """

    _esm = join_modules(STATIC / "annotator.js")
    _css = join_styles("shared/base.css", "annotator.css", "label_manager/label_manager.css")

    session: DrawingSession
    _with_shapes = False
    _box: list[float] | None = None

    def __init__(
        self,
        session: DrawingSession,
        files: SessionFiles,
        *,
        project: str,
        key: str,
        query: Query | None = None,
        label_handlers: Mapping[str, Handler] | None = None,
    ) -> None:
        super().__init__(session, files, project=project, key=key, query=query, label_handlers=label_handlers)
        self._focus = session.first_unlabelled()
        self.handlers |= {
            "image": self._image,
            "save": self._save,
            "add again": self._add_again,
            "region": self._region,
            "outline": self._outline,
            "prepare outlines": self._prepare_outlines,
        }
        files.outliner.report = lambda text: self.send({"push": "outlines", "text": text})

    @property
    def data(self) -> list[dict[str, Any]]:
        """Shapes of the image in focus in the format of ipyannotations: ``xyxy`` of boxes, ``points`` of polygons.

        The rings of a polygon with holes or several parts are joined into one.
        """
        names = self.session.images_at([(self._focus, self._focus)])
        shapes = self.session.shapes(names[0])["shapes"] if names else []
        return [_to_ipyannotations(shape) for shape in shapes]

    def display(self, image: str, *, box: Sequence[float] | None = None) -> None:
        """Go to an image.

        Parameters
        ----------
        image : str
            Name of the image.
        box : sequence of float, optional
            Left, top, width and height of a shape to select.

        Raises
        ------
        InputError
            If the current filter does not show the image.

        Examples
        --------
        >>> annotator = boxes.annotate("train")
        >>> annotator.display(boxes.train_set.images["image"].iloc[1])
        """
        self._focus = self._place_of(image)
        self._box = None if box is None else list(box)  # for a page that is not displayed yet
        self.send({"push": "go", "place": self._focus, "box": self._box})

    def _hello(self) -> Any:
        return {**super()._hello(), "place": self._focus, "box": self._box}

    def _image(self, image: str, pixels: int) -> Any:
        facts = self.session.shapes(image)
        view = self._files.drawing_view(image, self.session.content_of(image), pixels)
        width = facts["width"] or round(view.width / view.scale)
        height = facts["height"] or round(view.height / view.scale)
        shown = {"mime": view.mime, "view_width": view.width, "view_height": view.height}
        return {**facts, **shown, "width": width, "height": height}, [view.data]

    def _save(self, content: Drawn) -> Any:
        session, name = self.session, content["image"]
        if content["split"] != session.split:
            session.open(content["split"])
        shapes = [Shape.read(value) for value in content["shapes"]]
        with session.giving(*dict.fromkeys([*(shape.label for shape in shapes), *content["labels"]])):
            facts: dict[str, Any] = {key: content.get(key) for key in ("status", "note", "revision")}
            outcome = session.set_shapes(name, shapes, labels=content["labels"], **facts)
        rows = session.rows([name])
        change_signal.notify(session.root)
        return {
            "info": self._info(),
            "image": name,
            "short": session.table.shown_name(name),
            "rows": rows,
            "revision": rows[0]["revision"] if rows else None,
            "conflict": bool(outcome.conflicts),
            "gone": bool(outcome.gone),
        }

    def _add_again(self, image: str, split: str) -> Any:
        session = self.session
        if split != session.split:
            session.open(split)
        session.add_again(image)
        change_signal.notify(session.root)
        return {"info": self._info(), "rows": session.rows([image])}

    def _region(self, image: str, region: _Area, pixels: int) -> Any:
        left, top, width, height = map(int, region)
        return {"mime": "image/jpeg"}, [self._files.region(self._checked(image), (left, top, width, height), pixels)]

    def _outline(self, image: str, points: list[Click], box: _Area | None = None, view: _Area | None = None) -> Any:
        """Find the outline of an object from a box or clicks."""
        return self._files.outliner.find(self._image_key(image), box=box, clicks=points, view=view)

    def _prepare_outlines(self, image: str, following: str | None = None) -> Any:
        """Load the engine for outlines and encode the image in view and the following one."""
        after = self._image_key(following) if following in self.session.table.position else None
        return self._files.outliner.prepare(self._image_key(image), after)

    def _image_key(self, image: str) -> tuple[str, str | None]:
        return self._checked(image), self.session.content_of(image)


def _to_ipyannotations(shape: dict[str, Any]) -> dict[str, Any]:
    if shape["polygon"] is not None:
        points = [(x, y) for x, y in to_one_ring(shape["polygon"])]
        return {"type": "polygon", "label": shape["label"], "points": [*points, points[0]]}
    left, top = shape["left"], shape["top"]
    corners = (left, top, left + shape["width"], top + shape["height"])
    return {"type": "box", "label": shape["label"], "xyxy": corners}
