"""Outlines of objects found from a box or from clicks, with GrabCut or a pretrained model.

GrabCut (Rother et al., 2004) works on a small crop of the image. It needs the extra ``outline`` (OpenCV), and neither
a network nor a model. A pretrained model is a :class:`Segmenter`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from customlabels_nb._utils.arguments import plain_repr
from customlabels_nb._utils.installing import extra_command
from customlabels_nb.core.polygons import FloatArray, Polygon, contains, polygon_of, ring_area, rings_of, simplified
from customlabels_nb.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    from PIL import Image

Box = tuple[float, float, float, float]
Mask = npt.NDArray[Any]  # bool, 0 and 1, or the states of GrabCut
Logits: TypeAlias = npt.NDArray[np.float32]
#: Features of an image, which are computed once, by name.
Encoded: TypeAlias = dict[str, npt.NDArray[np.float16]]

_SIDE = 200  # pixels of the longer side of the crop around a box
_COARSE, _FOUND = 128, 160  # the same for a view that is searched from clicks, and for the crop around what is found
_FEWER, _FEWEST = 18_000, 8_000  # pixels of the reduced crop that is cut first, without and with a searched view
_BAND = 8  # pixels on both sides of an outline in which the next round can move it
_MARGIN = 0.15  # around a box, as a share of its sides
_LEAST_MARGIN = 8.0
_ALIKE = 10  # difference of colors up to which pixels around an outer click are probably outside, in 8-bit CIELAB
_SAMPLES = 24  # colors that are compared before the first round
_SMALL_PART, _SMALL_HOLE = 0.1, 0.03  # of the largest part: smaller ones are noise, except where the user clicked
_FINE = 4  # the outline is traced on a grid this much finer
_MOST_CLICKS = 100
_MOST_PARTS = 200  # of a mask; noise may have thousands
_EXACT = 0.3  # tolerance of the traced outline in pixels of the crop


@dataclass(frozen=True)
class Click:
    """Point in pixels of the image that the user clicked, inside or outside of the object."""

    x: float
    y: float
    inside: bool


class Segmenter(Protocol):
    """Model that outlines objects. It encodes an image once, so that each click is fast.

    ``name`` becomes the annotator of polygons. Features of another ``version`` (of the weights) are not used.
    """

    name: str
    version: str

    def encode(self, image: Image.Image) -> Encoded:
        """Compute the features of an RGB image."""

    def mask(
        self,
        encoded: Encoded,
        size: tuple[int, int],
        *,
        box: Box | None = None,
        clicks: Sequence[Click] = (),
        previous: Logits | None = None,
    ) -> tuple[Logits, float]:
        """Predict the mask in a box or at clicks: logits, positive inside the object, and the predicted IoU.

        Boxes and clicks are in pixels of an image of ``size``. The logits cover it with a grid of any size.
        ``previous`` are the logits for the same prompts without the last click, which the model refines.
        """


def find_mask_outline(
    logits: Logits, size: tuple[int, int], clicks: Sequence[Click] = ()
) -> tuple[Polygon | None, float]:
    """Return the outline of a mask without small parts, except clicked ones, and the size of a cell of its grid.

    The outline is None if there is no object.
    """
    from contourpy import FillType, contour_generator

    scale = np.array([size[0] / logits.shape[1], size[1] / logits.shape[0]])
    grid = np.pad(logits.astype(np.float64), 1, mode="edge")
    for edge in (grid[0], grid[-1], grid[:, 0], grid[:, -1]):
        edge[:] = -np.abs(edge)  # parts end at the edges of the image
    contours: Any = contour_generator(z=grid, fill_type=FillType.OuterOffset).filled(0, np.inf)
    parts = [
        [points[start:end] - 0.5 for start, end in pairwise(offsets)] for points, offsets in zip(*contours, strict=True)
    ]  # rings end with their first point
    parts = sorted(parts, key=lambda part: -ring_area(part[0]))[:_MOST_PARTS]
    largest = max((ring_area(outer) for outer, *_ in parts), default=0.0)

    def is_kept(ring: FloatArray, share: float, *, inside: bool) -> bool:
        clicked = (click for click in clicks if click.inside == inside)
        return ring_area(ring) >= share * largest or any(contains(ring, (c.x, c.y) / scale) for c in clicked)

    rings = []
    for outer, *holes in parts:
        if is_kept(outer, _SMALL_PART, inside=True):
            rings += [outer, *(hole for hole in holes if is_kept(hole, _SMALL_HOLE, inside=False))]
    rings = [ring[:-1] for ring in rings if len(ring) > 3 and ring_area(ring) > 0]
    polygon = simplified(polygon_of(rings), _EXACT)
    pixel = float(scale.max())
    return polygon_of((ring * scale).clip(0, size) for ring in rings_of(polygon)), pixel


def check_prompts(size: tuple[int, int], box: Box | None, clicks: Sequence[Click]) -> None:
    """Check that clicks and a box are inside an image of this size, and not too many."""
    width, height = size
    if len(clicks) > _MOST_CLICKS:
        raise InputError(
            f"An outline can have at most {_MOST_CLICKS} clicks. Keep this one (Enter) and correct its corners."
        )
    for click in clicks:
        if not (0 <= click.x <= width and 0 <= click.y <= height):
            raise InputError(f"The click ({click.x:g}, {click.y:g}) is outside the {width} × {height} pixel image.")
    if box is not None:
        left, top, across, down = box
        if across <= 0 or down <= 0 or left >= width or top >= height or left + across <= 0 or top + down <= 0:
            raise InputError(f"The box {plain_repr(box)} is empty or outside the {width} × {height} pixel image.")


def import_opencv() -> Any:
    """Import OpenCV."""
    try:
        import cv2
    except ImportError as error:
        raise MissingDependencyError(f"Outlining needs OpenCV. Install it with: {extra_command('outline')}") from error
    return cv2


def find_outline(
    image: Image.Image, *, box: Box | None = None, clicks: Sequence[Click] = (), view: Box | None = None
) -> tuple[Polygon | None, float]:
    """Find the outline of the object in a box or at clicks, and the size of a pixel of the searched crop.

    Boxes are left, top, width, height in pixels. Without a box, at least one click is inside, and ``view`` (by default
    the complete image) is searched. The polygon is None if no object was found.
    """
    cv2 = import_opencv()
    if box is not None:
        crop = _Crop(image, _around(box), clicks, _SIDE)
        mask = crop.segment(cv2, crop.from_box(cv2, box))
    else:
        crop = _Crop(image, view or (0.0, 0.0, float(image.width), float(image.height)), clicks, _COARSE)
        mask = crop.segment(cv2, crop.from_colors(cv2))
        if (inner := crop.bounds(mask)) is not None:  # once more, in the object's own crop
            rough, view_crop = mask, crop
            crop = _Crop(image, _around(inner), clicks, _FOUND)
            mask = crop.segment(cv2, crop.from_mask(cv2, rough, view_crop), _FEWEST)
        if mask.all() or not (mask > crop.inside).any():  # everything, or only the clicked dots: there was no edge
            return None, 1 / crop.scale
    return crop.traced(cv2, mask), 1 / crop.scale


def _around(box: Box) -> Box:
    left, top, width, height = box
    x, y = max(_MARGIN * width, _LEAST_MARGIN), max(_MARGIN * height, _LEAST_MARGIN)
    return left - x, top - y, width + 2 * x, height + 2 * y


class _Crop:
    """Region of an image, scaled to at most ``side`` pixels, with the clicks in it."""

    def __init__(self, image: Image.Image, region: Box, clicks: Sequence[Click], side: int) -> None:
        left, top, width, height = region
        xs, ys = (
            [left, left + width, *(point.x for point in clicks)],
            [top, top + height, *(point.y for point in clicks)],
        )
        self.size = image.size
        self.left = min(max(0, int(min(xs))), image.width - 1)  # a page may send a view beyond the image
        self.top = min(max(0, int(min(ys))), image.height - 1)
        right, bottom = min(image.width, int(np.ceil(max(xs)))), min(image.height, int(np.ceil(max(ys))))
        across, down = max(1, right - self.left), max(1, bottom - self.top)
        self.scale = min(1.0, side / max(across, down))
        size = max(1, round(across * self.scale)), max(1, round(down * self.scale))
        part = image.resize(size, box=(self.left, self.top, self.left + across, self.top + down), reducing_gap=2.0)
        self.pixels = np.ascontiguousarray(np.asarray(part.convert("RGB"))[:, :, ::-1])
        self.frame = np.zeros(self.pixels.shape[:2], dtype=bool)  # edges of the crop that are not edges of the image
        self.frame[0], self.frame[-1] = self.top > 0, bottom < image.height
        self.frame[:, 0] |= self.left > 0
        self.frame[:, -1] |= right < image.width
        self.inside, self.outside = self._marked(clicks, inside=True), self._marked(clicks, inside=False)
        places = [self._place(click) for click in clicks if not click.inside]
        self.outer = [(min(int(x), size[0] - 1), min(int(y), size[1] - 1)) for x, y in places]

    def _place(self, click: Click) -> tuple[float, float]:
        return (click.x - self.left) * self.scale, (click.y - self.top) * self.scale

    def _marked(self, clicks: Sequence[Click], *, inside: bool) -> Mask:
        height, width = self.pixels.shape[:2]
        y, x = np.ogrid[:height, :width]
        radius = max(1.5, max(height, width) / 60)
        marked = np.zeros((height, width), dtype=bool)
        for click in clicks:
            if click.inside == inside:
                center = self._place(click)
                marked |= np.hypot(x - center[0], y - center[1]) <= radius
        return marked

    def from_box(self, cv2: Any, box: Box) -> Mask:
        """Start with everything in the box as probably inside."""
        left, top, width, height = box
        state = np.full(self.pixels.shape[:2], cv2.GC_BGD, dtype=np.uint8)
        x0, x1 = (max(0, round((x - self.left) * self.scale)) for x in (left, left + width))
        y0, y1 = (max(0, round((y - self.top) * self.scale)) for y in (top, top + height))
        state[y0:y1, x0:x1] = cv2.GC_PR_FGD
        return state

    def from_colors(self, cv2: Any) -> Mask:
        """Start with pixels around the clicks whose color is closer to that of inner clicks than to the border's."""
        border = np.zeros(self.pixels.shape[:2], dtype=bool)
        border[[0, -1]] = border[:, [0, -1]] = True
        lab = cv2.cvtColor(self.pixels, cv2.COLOR_BGR2LAB).astype(np.float32)
        near = self._distance(lab, self.inside) < self._distance(lab, self.outside | (border & ~self.inside))
        state = np.where(self._touching(cv2, near | self.inside), cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        state[self.frame] = cv2.GC_BGD
        return np.asarray(state)

    def _distance(self, lab: npt.NDArray[np.float32], where: Mask) -> Any:
        colors = lab[where]
        if not len(colors):
            return np.full(lab.shape[:2], np.inf)
        chosen = colors[np.linspace(0, len(colors) - 1, min(_SAMPLES, len(colors))).astype(int)]
        flat = lab.reshape(-1, 3)
        squares = (flat**2).sum(1)[:, None] - 2 * flat @ chosen.T + (chosen**2).sum(1)
        return np.asarray(squares.min(1).reshape(lab.shape[:2]))

    def from_mask(self, cv2: Any, mask: Mask, other: _Crop) -> Mask:
        """Start with the result of another crop."""
        height, width = self.pixels.shape[:2]
        x = ((np.arange(width) / self.scale + self.left - other.left) * other.scale).astype(int)
        y = ((np.arange(height) / self.scale + self.top - other.top) * other.scale).astype(int)
        inner = mask[np.clip(y, 0, mask.shape[0] - 1)[:, None], np.clip(x, 0, mask.shape[1] - 1)]
        state = np.where(inner, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        state[self.frame] = cv2.GC_BGD
        return np.asarray(state)

    def segment(self, cv2: Any, state: Mask, fewer: int = _FEWER) -> Mask:
        """Separate the object from its surroundings, first on ``fewer`` pixels, and return it as a mask of 0 and 1."""
        state[self._alike(cv2) & (state != cv2.GC_BGD)] = cv2.GC_PR_BGD
        state[self.inside], state[self.outside] = cv2.GC_FGD, cv2.GC_BGD
        if not _has_both(state):
            return state & 1
        height, width = state.shape
        share = min(1.0, (fewer / (height * width)) ** 0.5)
        size = max(1, round(width * share)), max(1, round(height * share))
        start = cv2.resize(state, size, interpolation=cv2.INTER_NEAREST)
        if not _has_both(start):
            size, start = (width, height), state
        calm = cv2.bilateralFilter(self.pixels, 5, 25, 2)  # without noise, outlines are better and found faster
        reduced = cv2.resize(calm, size, interpolation=cv2.INTER_AREA)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.setRNGSeed(0)
        mask = _cut(cv2, reduced, start.copy(), models, cv2.GC_INIT_WITH_MASK)
        mask = _cut(cv2, reduced, _near(cv2, mask, start, holes=size == (width, height)), models, cv2.GC_EVAL)
        if size != (width, height):
            mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
            mask = _cut(cv2, self.pixels, _near(cv2, mask, state, holes=True), models, cv2.GC_EVAL)
        return self._touching(cv2, mask) if self.inside.any() else _large_parts(cv2, mask)

    def _alike(self, cv2: Any) -> Mask:
        """Return the pixels around outer clicks that have their colors, so that a click takes away more than a dot."""
        height, width = self.pixels.shape[:2]
        lab = cv2.cvtColor(cv2.GaussianBlur(self.pixels, (0, 0), 1), cv2.COLOR_BGR2LAB)
        filled = np.zeros((height + 2, width + 2), dtype=np.uint8)
        filled[1:-1, 1:-1] = self.inside
        flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (2 << 8)
        for x, y in self.outer:
            cv2.floodFill(lab, filled, (x, y), 0, (_ALIKE,) * 3, (_ALIKE,) * 3, flags)
        return np.asarray(filled[1:-1, 1:-1] == 2)

    def _touching(self, cv2: Any, mask: Mask) -> Mask:
        """Return the parts that an inner click touches."""
        _, parts = cv2.connectedComponents(mask.astype(np.uint8))
        return (np.isin(parts, np.unique(parts[self.inside])) & (mask > 0)).astype(np.uint8)

    def bounds(self, mask: Mask) -> Box | None:
        """Return the bounding box of a mask in pixels of the image, or None if it is empty."""
        y, x = np.nonzero(mask)
        if not len(x):
            return None
        left, top = x.min() / self.scale + self.left, y.min() / self.scale + self.top
        return left, top, (np.ptp(x) + 1) / self.scale, (np.ptp(y) + 1) / self.scale

    def traced(self, cv2: Any, mask: Mask) -> Polygon | None:
        """Trace a mask smoothly, and return its rings in pixels of the image."""
        if not mask.any():
            return None
        fine = cv2.resize(np.pad(mask, 1) * 255, None, fx=_FINE, fy=_FINE, interpolation=cv2.INTER_LINEAR)
        smooth = cv2.GaussianBlur(fine, (0, 0), 0.8 * _FINE)
        contours, nesting = cv2.findContours((smooth > 127).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        largest = max((cv2.contourArea(contour) for contour in contours), default=0)
        rings = []
        for contour, (_, _, _, parent) in zip(contours, nesting[0] if contours else (), strict=True):
            if len(contour) < 3 or cv2.contourArea(contour) < (_SMALL_HOLE if parent >= 0 else 0.0) * largest:
                continue
            rings.append((contour[:, 0, :] + 0.5) / _FINE - 1)
        if not rings:
            return None
        corner = np.array([self.left, self.top])
        polygon = simplified(polygon_of(rings), _EXACT)
        return polygon_of((ring / self.scale + corner).clip(0, self.size) for ring in rings_of(polygon))


def _has_both(state: Mask) -> bool:
    """Check whether a state has pixels inside and outside, which GrabCut needs."""
    return bool((state & 1).any() and (~state & 1).any())


def _cut(cv2: Any, pixels: Mask, state: Mask, models: tuple[Any, Any], mode: int) -> Mask:
    """Run one round of GrabCut, which changes the state and the models of the colors."""
    if _has_both(state):
        cv2.grabCut(pixels, state, None, *models, 1, mode)
    return state & 1


def _near(cv2: Any, mask: Mask, state: Mask, *, holes: bool) -> Mask:
    """Return a state that can change near a mask's outline (with ``holes``, also inside), unless it is certain."""
    around = np.ones((2 * _BAND + 1, 2 * _BAND + 1), dtype=np.uint8)
    near = np.where(mask, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    near[cv2.dilate(mask, around) == 0] = cv2.GC_BGD
    if not holes:
        near[cv2.erode(mask, around) > 0] = cv2.GC_FGD
    return np.where(state & 2, near, state).astype(np.uint8)


def _large_parts(cv2: Any, mask: Mask) -> Mask:
    count, parts, sizes, _ = cv2.connectedComponentsWithStats(mask)
    areas = sizes[1:, cv2.CC_STAT_AREA]
    kept = [0, *(areas >= _SMALL_PART * areas.max())] if count > 1 else [0]
    return np.asarray(np.array(kept, dtype=np.uint8)[parts])
