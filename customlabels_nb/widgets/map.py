"""Map widget: every image is a point beside similar ones. A lasso selects points, and keys label them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
from PIL import Image, ImageDraw

from customlabels_nb._utils.rendering import data_url
from customlabels_nb.errors import InputError, NotReadyError, OutdatedError
from customlabels_nb.labeling.evaluation_map import EvaluationMap
from customlabels_nb.labeling.image_map import ImageMap
from customlabels_nb.labeling.review import ReviewQuery
from customlabels_nb.labeling.session_files import SessionFiles
from customlabels_nb.labeling.view import Query, View
from customlabels_nb.widgets._base import STATIC, join_modules, join_styles
from customlabels_nb.widgets._pages import EditedPages, Near, Ranges
from customlabels_nb.widgets.gallery import CROP_OPERATIONS, OPERATIONS
from customlabels_nb.widgets.static_fallback import StillPicture, still_html

if TYPE_CHECKING:
    from customlabels_nb.labeling.crop_table import CropTable
    from customlabels_nb.labeling.image_table import ImageTable

_STILL, _DRAWN = (640, 420), 10_000  # pixels of the static image, and most of its points
_CHANGES = ("edit", "undo", "redo", "add label", "task", "instructions")


class ProjectMap(EditedPages):
    """Widget with a map of images, created by :meth:`.Project.map` and :meth:`.Report.map`.

    Selected images are shown beside the map and labelled with keys. Every label is saved immediately. A report's map
    changes no labels. Other cells can read and control the selection with ``selected``, ``select`` and ``set_filter``.

    Attributes
    ----------
    selection : tuple of str
        The selected images. ``observe(handler, "selection")`` calls ``handler`` when it changes.
    below : Gallery, Review or None
        Screen that is open below.

    Examples
    --------
    >>> unread = project.embed("train", progress=False)
    >>> image_map = project.map("train")
    >>> image_map.select(project.train_set.images["image"].head(2).tolist())
    >>> image_map.selected["label"].tolist()
    ['bathroom', 'bathroom']
    """

    _esm = join_modules(STATIC / "map.js")
    _css = join_styles("shared/base.css", "shared/tiles.css", "map.css")
    operations = OPERATIONS
    giving = ("label", "toggle")

    def __init__(
        self,
        image_map: ImageMap,
        files: SessionFiles,
        *,
        project: str,
        key: str,
        screen: Callable[[str, Query], Any],
    ) -> None:
        self._query_type = image_map.session.query_type
        nothing = self._query_type(images=frozenset(), sort="added")
        self._map, self._new_screen, self.below = image_map, screen, None
        self._box: ipywidgets.VBox | None = None
        self._map_seen = image_map.state()
        super().__init__(image_map.session, files, project=project, key=key, query=nothing, page_size=9)
        if isinstance(image_map, EvaluationMap):
            self.handlers = {kind: handler for kind, handler in self.handlers.items() if kind not in _CHANGES}
        if nothing.crops:
            self.operations = CROP_OPERATIONS
        self._box = ipywidgets.VBox([self])
        self.handlers |= {
            "points": self._points,
            "values": self._values,
            "pick": self._pick,
            "point": self._point,
            "ring": self._ring,
            "again": self._again,
            "open": self._open,
        }

    def select(self, images: Sequence[str]) -> None:
        """Select images.

        Parameters
        ----------
        images : sequence of str
            Names of the images.

        Examples
        --------
        >>> image_map = project.map("train")
        >>> image_map.select(project.train_set.images["image"].head(2).tolist())
        >>> len(image_map.selected)
        2
        """
        self.selection = tuple(self._checked(name) for name in images)
        self.send({"push": "pick", "points": [self._table.place_of(name) for name in images]})

    def close(self) -> None:
        """Close the map, the computation of its layout, and the screen that it opened.

        Examples
        --------
        >>> image_map = project.map("train")
        >>> image_map.close()
        """
        self._map.close()
        if self.below is not None:
            self.below.close()
        super().close()

    def _filtered(self) -> Query:
        return self._query_type(sort="added")  # a filter selects images, also beside the selection

    def _outermost(self) -> Any:
        return self._box

    # -- static image -------------------------------------------------------------------------------
    def _fallback_text(self) -> str:
        if not isinstance(self._map, EvaluationMap):
            return super()._fallback_text()
        wrong, total = len(self._map.session.wrong), len(self.session.table)
        return f"{self._project}: {wrong:,} of {total:,} test images are wrong. Run the cell to explore them."

    def _fallback(self) -> str:
        self._fallback_says = self._fallback_text()
        return still_html(StillPicture(self._drawing(), "map of the images"), self._fallback_says)

    def _drawing(self) -> str:
        colors, xy = list(self._map.still_colors()), self._map.layout().xy
        picture = Image.new("RGBA", (2 * _STILL[0], 2 * _STILL[1]))
        pen, radius = ImageDraw.Draw(picture), 5 if len(xy) < 5_000 else 3
        places = xy * (min(_STILL) - 2 * radius) + np.array(_STILL)
        some = slice(None, None, max(1, len(xy) // _DRAWN))
        for (x, y), color in zip(places[some].tolist(), colors[some], strict=True):
            if x == x:
                box = (x - radius, y - radius, x + radius, y + radius)
                pen.ellipse(box, fill=color or None, outline=color or "#808080")
        buffer = io.BytesIO()
        picture.resize(_STILL, Image.Resampling.LANCZOS).save(buffer, "WEBP", quality=70)
        return data_url(buffer.getvalue(), "image/webp")

    # -- requests of the page -----------------------------------------------------------------------
    @property
    def _table(self) -> ImageTable | CropTable:
        return self.session.rows_of(self.session.view)

    def _info(self) -> dict[str, Any]:
        judged = isinstance(self._map, EvaluationMap)
        return {**super()._info(), "map": self._map.state(), "judged": judged}

    def _follow(self, images: Near = (), whole: bool = False) -> Any:
        state = self._map.state()
        changed, self._map_seen = state != self._map_seen, state
        answer = super()._follow(images, whole or changed)
        return {**answer, "whole": whole} if answer else answer

    def _shown(self, view: View, place: int, pixels: int, near: Near) -> Any:
        answer, sent = super()._shown(view, place, pixels, near)
        suspects = self._map.suspects()
        names = set(self.session.images_at([(0, len(view))], view)) if suspects else set()
        return {**answer, "suspects": len(names & suspects)}, [*sent, view.order.astype("<i4").tobytes()]

    def _drawn(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for row in super()._drawn(rows):
            row["point"] = self._table.place_of(row["name"])
        return rows

    def _select(self, view: int, place: int, focus: int, ranges: Ranges) -> Any:
        self._place, self._focus = place, focus
        self.selection = tuple(self.session.images_at(ranges, self.session.view_numbered(view)))
        return {}

    def _check_split(self, split: str) -> None:
        if split != self.session.split:
            raise OutdatedError("Another dataset is open now.")

    def _points(self) -> Any:
        """Return the places and the numbers of the labels of all images."""
        xy, codes = self._map.layout().xy, self._map.label_codes()
        return {"map": self._map.state()}, [xy.astype("<f4").tobytes(), codes.astype("<i2").tobytes()]

    def _values(self, by: str) -> Any:
        legend, values = self._map.values(by)
        return legend, [values.astype("<f4").tobytes()]

    def _pick(self, split: str, pixels: int, buffer: memoryview) -> Any:
        """Select the images at these positions of the table."""
        self._check_split(split)
        if len(buffer) % 4:
            raise InputError(f"The selection has {len(buffer)} bytes, which are not positions of 4 bytes each.")
        count = len(self._map.label_codes())
        points = np.frombuffer(buffer, "<i4").astype(np.int64)
        names = self._table.names_at(points[(points >= 0) & (points < count)])
        return self._shown(self.session.show(self._query_type(images=frozenset(names), sort="added")), 0, pixels, ())

    def _point(self, split: str, point: int, pixels: int) -> Any:
        """Return the row and the thumbnail of one image."""
        self._check_split(split)
        count = len(self._map.label_codes())
        if not 0 <= point < count:
            raise InputError(f"point={point} must be from 0 to {count - 1}.")
        (name,) = self._table.names_at(np.array([point]))
        (picture,) = self._files.thumbnails([self.session.part_of(name)], pixels)
        return {"row": self.session.row(name)}, [picture] if isinstance(picture, bytes) else []

    def _ring(self, text: str) -> Any:
        try:
            return {"points": self._map.hits(text)}
        except NotReadyError:
            return {"wait": True}

    def _again(self) -> Any:
        self._map.lay_out_again()
        return {"map": self._map.state()}

    def _open(self, screen: str) -> Any:
        """Open the selected images in a gallery below, or the suspects among them in a review."""
        names = frozenset(self.selection)
        query = self._query_type(images=names, sort="added")
        if screen == "review":
            query = ReviewQuery(images=names & self._map.suspects(), queue="suspect")
        before, below = self.below, self._new_screen(self.session.split, query)
        self.below = below
        if self._box is not None:
            self._box.children = (self, below._outermost())
        if before is not None:
            before.close()
        return {}
