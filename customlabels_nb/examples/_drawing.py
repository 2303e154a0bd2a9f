"""A small painter of scenes in perspective: camera, light, faces, shadows.

The world is in metres: x to the right, y up, z away from the viewer. Everything is painted far to near on a
canvas ``OVERSAMPLE`` times as wide and high as the picture and scaled down once, so edges come out smooth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[float, float, float]
Point = tuple[float, float, float]
Flat = tuple[float, float]

OVERSAMPLE = 2
_NEAR = 0.25  # metres before the eye at which shapes are cut off
_T = np.linspace(0, 1, 5)
_CURVE = np.stack([(1 - _T) ** 2, 2 * _T * (1 - _T), _T**2], axis=1)  # weights of a quadratic Bézier's three points
_PLAIN = 1400  # pixels of the canvas below which a face gets one colour instead of a gradient
_SOFT = 4  # shadows and glows are painted this much coarser than the canvas


def rgb(text: str) -> Colour:
    """A colour from its six hexadecimal digits."""
    return (int(text[0:2], 16), int(text[2:4], 16), int(text[4:6], 16))


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """``first`` with ``share`` (0..1) of ``second`` in it."""
    a, b, c = (x + (y - x) * share for x, y in zip(first, second, strict=True))
    return (a, b, c)


def dim(colour: Colour, factor: float) -> Colour:
    """The colour times ``factor``: below 1 darker, above 1 lighter, never past white."""
    a, b, c = (min(255.0, x * factor) for x in colour)
    return (a, b, c)


def vary(colour: Colour, rng: np.random.Generator, spread: float = 0.06) -> Colour:
    """The colour a little lighter or darker and a little off in hue, as two paints of a name are."""
    a, b, c = (
        float(x) for x in np.clip(np.array(colour) * (1 + rng.normal(0, spread) + rng.normal(0, 0.02, 3)), 0, 255)
    )
    return (a, b, c)


def ink(colour: Colour, alpha: float = 1.0) -> tuple[int, int, int, int]:
    """The colour as Pillow wants it; ``alpha`` from 0 (nothing) to 1 (opaque)."""
    r, g, b = (int(min(255.0, max(0.0, x)) + 0.5) for x in colour)
    return (r, g, b, int(255 * alpha + 0.5))


def rounded(points: Sequence[tuple[float, ...]], radius: float) -> list[Any]:
    """A polygon's points (2-D or 3-D) with each corner replaced by a curve that starts ``radius`` before it."""
    corners = np.array(points, dtype=float)
    curves = corners[:, None, :] * _CURVE[:, 1][:, None]
    for step, weights in ((1, _CURVE[:, 0]), (-1, _CURVE[:, 2])):
        gap = np.roll(corners, step, axis=0) - corners
        share = np.minimum(0.5, radius / np.maximum(1e-9, np.sqrt((gap * gap).sum(axis=1))))
        curves = curves + (corners + gap * share[:, None])[:, None, :] * weights[:, None]
    return [tuple(point) for point in curves.reshape(-1, corners.shape[1]).tolist()]


def _extent(outline: Sequence[Flat]) -> float:
    """The area in pixels of the box around a 2-D outline."""
    xs, ys = [p[0] for p in outline], [p[1] for p in outline]
    return (max(xs) - min(xs)) * (max(ys) - min(ys))


def hull(points: Sequence[Flat]) -> list[Flat]:
    """The convex hull of 2-D points (Andrew's monotone chain)."""
    ordered = sorted(set(points))
    if len(ordered) < 3:
        return ordered

    def chain(items: Sequence[Flat]) -> list[Flat]:
        kept: list[Flat] = []
        for p in items:
            while len(kept) > 1:
                (ax, ay), (bx, by) = kept[-2], kept[-1]
                if (bx - ax) * (p[1] - ay) - (by - ay) * (p[0] - ax) > 0:
                    break
                kept.pop()
            kept.append(p)
        return kept[:-1]

    return chain(ordered) + chain(ordered[::-1])


def _enlarged(small: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A smooth enlargement; in two steps, which costs a quarter and can't be told apart once scaled down."""
    if size[0] * size[1] > 6000:
        small = small.resize((max(1, size[0] // 2), max(1, size[1] // 2)), Image.Resampling.BILINEAR)
        return small.resize(size, Image.Resampling.NEAREST)
    return small.resize(size, Image.Resampling.BILINEAR)


@dataclass
class Light:
    """Light from all around plus one source: a lamp or window at ``position``, or the sun from ``direction``."""

    ambient: Colour
    key: Colour
    position: Point | None = None
    reach: float = 4.0
    direction: Point = (0.3, 0.8, -0.5)

    def on(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Factors, shape (n, 3), for a colour at ``points`` (n, 3) on surfaces of unit ``normals``, one or n."""
        if self.position is None:
            slant = normals @ (np.array(self.direction) / math.hypot(*self.direction))
            fade = np.ones(len(points))
        else:
            gap = np.array(self.position) - points
            squared = np.einsum("ij,ij->i", gap, gap) + 1e-9
            slant = (gap @ normals if normals.ndim == 1 else np.einsum("ij,ij->i", gap, normals)) / np.sqrt(squared)
            fade = 1 / (1 + squared / self.reach**2)
        facing = np.minimum(np.maximum((slant + 0.35) / 1.35, 0), 1)
        above = np.reshape(0.86 + 0.14 * normals[..., 1], (-1, 1))
        factors: np.ndarray = np.array(self.ambient) * above + np.array(self.key) * (facing * fade)[:, None]
        return factors

    def at(self, point: Sequence[float], normal: Sequence[float]) -> Colour:
        """:meth:`on` for one point, without arrays: a picture has hundreds of small faces."""
        if self.position is None:
            gap, squared = self.direction, 0.0
        else:
            (x, y, z), (px, py, pz) = point, self.position
            gap = (px - x, py - y, pz - z)
            squared = gap[0] ** 2 + gap[1] ** 2 + gap[2] ** 2
        slant = (gap[0] * normal[0] + gap[1] * normal[1] + gap[2] * normal[2]) / (math.hypot(*gap) + 1e-9)
        strength = min(max((slant + 0.35) / 1.35, 0.0), 1.0) / (1 + squared / self.reach**2)
        above = 0.86 + 0.14 * normal[1]
        a, b, c = (around * above + key * strength for around, key in zip(self.ambient, self.key, strict=True))
        return (a, b, c)

    def sheen(self, points: np.ndarray, normal: np.ndarray, eye: np.ndarray) -> np.ndarray:
        """How much of the source, 0..1, is seen mirrored in a polished surface at ``points``."""
        source = np.array(self.position) if self.position else np.array(self.direction) * 50
        toward = source - points
        toward /= np.linalg.norm(toward, axis=1)[:, None]
        seen = eye - points
        seen /= np.linalg.norm(seen, axis=1)[:, None]
        between = toward + seen
        between /= np.linalg.norm(between, axis=1)[:, None] + 1e-9
        strength: np.ndarray = np.clip(between @ normal, 0, 1) ** 24
        return strength


class Camera:
    """Where the picture is taken from.

    Parameters
    ----------
    eye : Point
        Metres.
    yaw, pitch, roll : float
        Degrees: to the right, up, and clockwise.
    lens : float
        Focal length as a share of the picture's width; 0.7 is a wide lens.
    size : tuple of int
        Width and height of the canvas in pixels.
    """

    def __init__(self, eye: Point, yaw: float, pitch: float, roll: float, lens: float, size: tuple[int, int]) -> None:
        self.eye = np.array(eye, dtype=float)
        self.focal = lens * size[0]
        self.centre = (size[0] / 2, size[1] / 2)
        y, p, r = math.radians(yaw), math.radians(pitch), math.radians(roll)
        forward = np.array([math.sin(y) * math.cos(p), math.sin(p), math.cos(y) * math.cos(p)])
        across = np.array([math.cos(y), 0.0, -math.sin(y)])
        up = np.array([-math.sin(y) * math.sin(p), math.cos(p), -math.cos(y) * math.sin(p)])
        self.axes = np.stack(
            [across * math.cos(r) + up * math.sin(r), up * math.cos(r) - across * math.sin(r), forward]
        )
        self._rows = [tuple(row) for row in self.axes.tolist()]
        self._eye = tuple(self.eye.tolist())

    def view(self, point: Sequence[float]) -> Point:
        """The point as the camera has it: right, up, ahead."""
        (x0, y0, z0), ((a, b, c), (d, e, f), (g, h, i)) = self._eye, self._rows
        x, y, z = point[0] - x0, point[1] - y0, point[2] - z0
        return (a * x + b * y + c * z, d * x + e * y + f * z, g * x + h * y + i * z)

    def project(self, points: Sequence[Sequence[float]], *, closed: bool = True) -> list[Flat]:
        """Pixels of a polygon's points (or of a stroke's, if not ``closed``), the part behind the viewer cut off."""
        seen = [self.view(point) for point in points]
        if min([p[2] for p in seen]) < _NEAR:
            seen = _cut(seen, closed)
        cx, cy = self.centre
        return [(cx + self.focal * x / z, cy - self.focal * y / z) for x, y, z in seen]

    def scale(self, point: Sequence[float]) -> float:
        """Pixels of a metre at that point."""
        return self.focal / max(_NEAR, self.view(point)[2])


def _cut(seen: Sequence[Point], closed: bool) -> list[Point]:
    kept: list[Point] = []
    for index, here in enumerate(seen):
        before = seen[index - 1] if index or closed else here
        if (here[2] < _NEAR) != (before[2] < _NEAR):
            t = (_NEAR - before[2]) / (here[2] - before[2])
            kept.append((before[0] + (here[0] - before[0]) * t, before[1] + (here[1] - before[1]) * t, _NEAR))
        if here[2] >= _NEAR:
            kept.append(here)
    return kept


@dataclass
class Scene:
    """A canvas, the camera before it and the light on it.

    Things that stand in the room are handed to :meth:`put` and painted by :meth:`finish_painting`, far ones first.
    """

    size: tuple[int, int]
    camera: Camera
    light: Light
    rng: np.random.Generator
    image: Image.Image = field(init=False)
    pen: ImageDraw.ImageDraw = field(init=False)  # covers what lies below
    brush: ImageDraw.ImageDraw = field(init=False)  # lets it shine through, and is ten times as slow
    _standing: list[tuple[float, Callable[[], None]]] = field(init=False, default_factory=list)
    _shadows: list[tuple[list[Flat], float]] = field(init=False, default_factory=list)
    glows: list[tuple[Flat, float, Colour]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.image = Image.new("RGB", self.size)
        self.pen = ImageDraw.Draw(self.image)
        self.brush = ImageDraw.Draw(self.image, "RGBA")

    def face(self, points: Sequence[Sequence[float]], colour: Colour, *, gloss: float = 0.0, lit: bool = True) -> None:
        """Paint a plane polygon of world points, lit by the scene's light; the side that is seen is meant."""
        outline = self.camera.project(points)
        if len(outline) < 3:
            return
        if not lit:
            self.pen.polygon(outline, fill=ink(colour))
            return
        normal = self._normal(points)
        if (self.light.position is None and not gloss) or _extent(outline) < _PLAIN:
            r, g, b = self.light.at(points[len(points) // 2], normal)
            self.pen.polygon(outline, fill=ink((colour[0] * r, colour[1] * g, colour[2] * b)))
            return
        self._fill(outline, lambda grid: self._lit(grid, points[0], np.array(normal), colour, gloss))

    def _normal(self, points: Sequence[Sequence[float]]) -> Point:
        """The unit normal of a plane polygon's side that the camera sees."""
        third = max(1, len(points) // 3)
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = points[0], points[third], points[2 * third]
        ux, uy, uz, vx, vy, vz = bx - ax, by - ay, bz - az, cx - ax, cy - ay, cz - az
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        ex, ey, ez = self.camera.eye.tolist()
        long_ = math.sqrt(x * x + y * y + z * z) + 1e-12
        if x * (ax - ex) + y * (ay - ey) + z * (az - ez) > 0:
            long_ = -long_
        return (x / long_, y / long_, z / long_)

    def fade(self, points: Sequence[Sequence[float]], above: Colour, below: Colour) -> None:
        """Paint a polygon that isn't lit, running from one colour at its top to another at its bottom."""
        outline = self.camera.project(points)
        if len(outline) < 3:
            return
        high, low = min(y for _, y in outline), max(y for _, y in outline)
        ends = np.array(above), np.array(below)

        def colours(grid: np.ndarray) -> np.ndarray:
            share: np.ndarray = ((grid[:, 1] - high) / (low - high + 1e-9))[:, None]
            return ends[0] + (ends[1] - ends[0]) * share

        self._fill(outline, colours)

    def shape(
        self, outline: Sequence[Flat], colours: Callable[[np.ndarray, np.ndarray], np.ndarray], at: Point
    ) -> None:
        """Paint a 2-D outline of a round thing near ``at``.

        ``colours`` gets points (n, 3), all ``at``, and the unit normals (n, 3) of a surface that bulges towards the
        viewer across the outline's width, and returns colours (n, 3).
        """
        axes = self.camera.axes

        def bulging(grid: np.ndarray) -> np.ndarray:
            low, high = grid.min(axis=0), grid.max(axis=0)
            t = 1.9 * (grid - (low + high) / 2) / (high - low + 1e-9)
            across = np.clip(t[:, 0], -0.97, 0.97)
            normals = across[:, None] * axes[0] - np.sqrt(1 - across**2)[:, None] * axes[2]
            return colours(np.broadcast_to(np.array(at), normals.shape), normals)

        self._fill(outline, bulging)

    def _lit(
        self, grid: np.ndarray, corner: Sequence[float], normal: np.ndarray, colour: Colour, gloss: float
    ) -> np.ndarray:
        camera = self.camera
        flat = (grid - camera.centre) / camera.focal
        rays = np.concatenate([flat[:, :1], -flat[:, 1:], np.ones((len(flat), 1))], axis=1) @ camera.axes
        slope = rays @ normal
        slope[np.abs(slope) < 1e-4] = -1e-4
        along = np.minimum(np.maximum(((np.array(corner) - camera.eye) @ normal) / slope, 0.1), 60)
        points = camera.eye + rays * along[:, None]
        lit = np.array(colour) * self.light.on(points, normal)
        if gloss:
            lit = lit + 255 * gloss * self.light.sheen(points, normal, camera.eye)[:, None]
        return lit

    def _fill(self, outline: Sequence[Flat], colours: Callable[[np.ndarray], np.ndarray]) -> None:
        xs, ys = [p[0] for p in outline], [p[1] for p in outline]
        left, top = max(0, math.floor(min(xs))), max(0, math.floor(min(ys)))
        right, bottom = min(self.size[0], math.ceil(max(xs)) + 1), min(self.size[1], math.ceil(max(ys)) + 1)
        width, height = right - left, bottom - top
        if width <= 0 or height <= 0:
            return
        if width * height < _PLAIN:
            middle = np.array([[(left + right) / 2, (top + bottom) / 2]])
            r, g, b = colours(middle)[0].tolist()
            self.pen.polygon(list(outline), fill=ink((r, g, b)))
            return
        columns, rows = min(16, 2 + width // 40), min(16, 2 + height // 40)
        grid = np.empty((rows, columns, 2))
        grid[..., 0] = left + (np.arange(columns) + 0.5) * (width / columns)
        grid[..., 1] = (top + (np.arange(rows) + 0.5) * (height / rows))[:, None]
        values = np.minimum(np.maximum(colours(grid.reshape(-1, 2)), 0), 255)
        small = Image.fromarray(values.astype(np.uint8).reshape(rows, columns, 3))
        mask = Image.new("L", (width, height))
        ImageDraw.Draw(mask).polygon([(px - left, py - top) for px, py in outline], fill=255)
        smooth = _enlarged(small, (width, height))
        self.image.paste(smooth, (left, top), mask)

    def line(self, points: Sequence[Sequence[float]], width: float, colour: Colour, alpha: float = 1.0) -> None:
        """A stroke along world points, ``width`` metres wide, not lit."""
        outline = self.camera.project(points, closed=False)
        if len(outline) > 1:
            pixels = max(1, round(width * min(self.camera.scale(point) for point in (points[0], points[-1]))))
            pen = self.pen if alpha >= 1 else self.brush
            pen.line(
                outline,
                fill=ink(colour, alpha),
                width=pixels,
                joint="curve" if pixels > 2 and len(outline) > 2 else None,
            )

    def veil(self, points: Sequence[Sequence[float]], colour: Colour, alpha: float) -> None:
        """Lay a thin coat of colour over what is painted already."""
        outline = self.camera.project(points)
        if len(outline) > 2:
            (self.pen if alpha >= 1 else self.brush).polygon(outline, fill=ink(colour, alpha))

    def shadow(self, points: Sequence[Sequence[float]], strength: float = 0.4) -> None:
        """Note a shadow on what lies below; :meth:`cast` paints all of them at once, with soft edges."""
        outline = self.camera.project(points)
        if len(outline) > 2:
            self._shadows.append((outline, strength))

    def cast(self, blur: float = 0.012, colour: Colour = (18, 14, 24)) -> None:
        """Paint the shadows noted so far; ``blur`` is a share of the canvas's width."""
        self.soft(self._shadows, colour, blur)
        self._shadows.clear()

    def soft(self, outlines: Sequence[tuple[Sequence[Flat], float]], colour: Colour, blur: float) -> None:
        """Paint each outline in its strength (0..1), fading at the edges."""
        mask = Image.new("L", (self.size[0] // _SOFT, self.size[1] // _SOFT))
        pen = ImageDraw.Draw(mask)
        for outline, strength in outlines:
            pen.polygon([(x / _SOFT, y / _SOFT) for x, y in outline], fill=int(255 * strength))
        mask = mask.filter(ImageFilter.GaussianBlur(blur * mask.width))
        box = mask.getbbox()
        if box is None:
            return
        left, top, right, bottom = (side * _SOFT for side in box)
        patch = _enlarged(mask.crop(box), (right - left, bottom - top))
        self.image.paste(Image.new("RGB", patch.size, ink(colour)[:3]), (left, top), patch)

    def put(self, at: Sequence[float], paint: Callable[[], None]) -> None:
        """Paint later, after everything that stands farther from the viewer than the point ``at``."""
        x, _, z = (a - b for a, b in zip(at, self.camera.eye.tolist(), strict=True))
        self._standing.append((math.hypot(x, z), paint))

    def finish_painting(self) -> None:
        """Paint what :meth:`put` was given, far to near."""
        for _, paint in sorted(self._standing, key=lambda item: -item[0]):
            paint()
        self._standing.clear()

    def glow(self, at: Sequence[float], radius: float, colour: Colour) -> None:
        """A lamp's halo of ``radius`` metres, added when the photo is developed."""
        outline = self.camera.project([at])
        if outline:
            self.glows.append((outline[0], radius * self.camera.scale(at), colour))
