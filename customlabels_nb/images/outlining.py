"""Outlines of objects found from a box or from clicks, with GrabCut (Rother et al., 2004) on a small crop of the image.

It needs the extra ``outline`` (OpenCV), and neither a network nor a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from customlabels_nb._utils.installing import extra_command
from customlabels_nb.core.polygons import Polygon, polygon_of, rings_of, simplified
from customlabels_nb.errors import MissingDependencyError

if TYPE_CHECKING:
    from PIL import Image

Box = tuple[float, float, float, float]
Mask = npt.NDArray[Any]  # bool, 0 and 1, or the states of GrabCut

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
_EXACT = 0.3  # tolerance of the traced outline in pixels of the crop


@dataclass(frozen=True)
class Click:
    """Point in pixels of the image that the user clicked, inside or outside of the object."""

    x: float
    y: float
    inside: bool


def import_opencv() -> Any:
    """Import OpenCV.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingDependencyError(f"Outlining needs OpenCV. Install it with: {extra_command('outline')}") from error
    return cv2


def find_outline(
    image: Image.Image, *, box: Box | None = None, clicks: Sequence[Click] = (), view: Box | None = None
) -> tuple[Polygon | None, float]:
    """Find the outline of the object in a box or at clicks.

    Parameters
    ----------
    box : tuple of float, optional
        Box around the object: left, top, width, height in pixels.
    clicks : sequence of Click
        Points inside and outside of the object. Without a box, at least one is inside.
    view : tuple of float, optional
        Without a box, region that is searched, like ``box``. By default it is the complete image.

    Returns
    -------
    (polygon, float)
        Polygon in pixels of the image, or None if no object was found, and the size of a pixel of the crop that
        was searched.

    Raises
    ------
    MissingDependencyError
        If OpenCV is not installed.
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
        self.left, self.top = max(0, int(min(xs))), max(0, int(min(ys)))
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
    """Return a state that can change near the outline of a mask, with ``holes`` also inside of it.

    It cannot change where ``state`` is certain.
    """
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
