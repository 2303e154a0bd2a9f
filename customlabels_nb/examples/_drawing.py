"""Draw synthetic images: colors, outlines, planes, a camera, and an object map to compute boxes from.

Everything is drawn at ``OVERSAMPLE`` times the image size and then scaled down, which smooths the edges (antialiasing).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Color = tuple[float, float, float]
Points = Sequence[tuple[float, float]] | np.ndarray
T = TypeVar("T")

OVERSAMPLE = 2
_LEAST = 4  # pixels; narrower objects get no box
_NEAR = 0.2  # distance from the camera at which shapes are clipped
_COARSE = 4  # soft shapes are drawn at this fraction of the size
_FLAT = 900  # canvas pixels; smaller shapes are not worth a gradient


@dataclass(frozen=True)
class Box:
    """Labelled box in pixels of the image."""

    label: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Picture:
    """RGB image with its labels and labelled boxes."""

    image: Image.Image
    labels: tuple[str, ...] = ()
    boxes: tuple[Box, ...] = ()

    @property
    def shown(self) -> tuple[str, ...]:
        """Labels of the image and its boxes, without duplicates."""
        return tuple(dict.fromkeys([*self.labels, *(box.label for box in self.boxes)]))


def colors(text: str) -> tuple[Color, ...]:
    """Parse hexadecimal color codes separated by spaces."""
    return tuple((int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)) for code in text.split())


def mix(first: Color, second: Color, share: float) -> Color:
    """Blend ``first`` with ``share`` (0 to 1) of ``second``."""
    a, b, c = (x + (y - x) * share for x, y in zip(first, second, strict=True))
    return a, b, c


def shade(color: Color, factor: float) -> Color:
    """Multiply a color by ``factor``, clipped at white."""
    a, b, c = (min(255.0, x * factor) for x in color)
    return a, b, c


def vary(color: Color, rng: np.random.Generator, spread: float = 0.05) -> Color:
    """Make a color slightly lighter or darker, and shift its hue slightly."""
    factors = 1 + rng.normal(0, spread) + rng.normal(0, spread / 3, 3)
    a, b, c = np.clip(np.array(color) * factors, 0, 255).tolist()
    return a, b, c


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    return items[int(rng.integers(len(items)))]


def _ink(color: Color) -> tuple[int, int, int]:
    r, g, b = (round(min(255.0, max(0.0, x))) for x in color)
    return r, g, b


def oval(x: float, y: float, rx: float, ry: float | None = None, start: float = 0, end: float = 360) -> np.ndarray:
    """Return the outline of an ellipse, or its arc from ``start`` to ``end`` in degrees."""
    angles = np.radians(np.linspace(start, end, 29, endpoint=end - start < 360))
    return np.stack([x + rx * np.cos(angles), y + (rx if ry is None else ry) * np.sin(angles)], axis=1)


def rect(x0: float, y0: float, x1: float, y1: float, radius: float = 0.0) -> np.ndarray:
    """Return the outline of a rectangle, with corners rounded by ``radius``."""
    if radius <= 0:
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=float)
    r = min(radius, abs(x1 - x0) / 2, abs(y1 - y0) / 2)
    middles = ((x1 - r, y1 - r, 0), (x0 + r, y1 - r, 90), (x0 + r, y0 + r, 180), (x1 - r, y0 + r, 270))
    return np.concatenate([oval(x, y, r, start=a, end=a + 90)[::4] for x, y, a in middles])


def petal(length: float, width: float, belly: float = 0.55, point: float = 0.6) -> np.ndarray:
    """Return the outline of a petal or leaf, widest at ``belly`` (0 to 1), with ``point`` from 0.5 (round) to 1.2."""
    along = (1 - np.cos(np.linspace(0, math.pi, 15))) / 2
    half = width / 2 * np.abs(np.sin(math.pi * along ** (math.log(0.5) / math.log(belly)))) ** point
    return np.stack([np.concatenate([half, -half[::-1]]), length * np.concatenate([along, along[::-1]])], axis=1)


def blob(rng: np.random.Generator, x: float, y: float, radius: float, rough: float = 0.1) -> np.ndarray:
    """Return a bumpy round outline, such as that of a bush."""
    angles = np.linspace(0, 2 * math.pi, 48, endpoint=False)
    bumps = 1 + rough * np.abs(np.sin(angles * float(rng.integers(3, 6)) / 2 + float(rng.uniform(0, 6))))
    bumps += rough * np.abs(np.sin(angles * float(rng.integers(7, 10)) / 2 + float(rng.uniform(0, 6))))
    return np.stack([x + radius * bumps * np.cos(angles), y + radius * bumps * np.sin(angles)], axis=1)


def curve(start: tuple[float, float], middle: tuple[float, float], end: tuple[float, float]) -> np.ndarray:
    """Return the points of a quadratic Bézier curve."""
    t = np.linspace(0, 1, 15)[:, None]
    return (1 - t) ** 2 * np.array(start) + 2 * t * (1 - t) * np.array(middle) + t**2 * np.array(end)


def turned(points: Points, degrees: float, x: float = 0.0, y: float = 0.0, scale: float = 1.0) -> np.ndarray:
    """Rotate points counter-clockwise about the origin, then scale them and move them to (``x``, ``y``)."""
    c, s = math.cos(math.radians(degrees)) * scale, math.sin(math.radians(degrees)) * scale
    return np.asarray(points) @ np.array([(c, s), (-s, c)]) + (x, y)


class Painting:
    """Canvas that records which object each pixel shows, by ``owner``, the one being drawn (0 for the background)."""

    def __init__(self, size: tuple[int, int], above: Color, below: Color | None = None) -> None:
        self.size = (size[0] * OVERSAMPLE, size[1] * OVERSAMPLE)
        self.image = Image.new("RGB", self.size)
        self.owners = Image.new("L", self.size)
        self.owner = 0
        self.polygon(rect(0, 0, *self.size), above, below)

    def polygon(self, points: np.ndarray, color: Color, below: Color | None = None, alpha: float = 1.0) -> None:
        """Fill an outline with ``color``, or with a vertical gradient from ``color`` to ``below``."""
        if len(points) < 3:
            return
        outline = [(x, y) for x, y in points.tolist()]
        left, top = (max(0, math.floor(v)) for v in points.min(axis=0).tolist())
        ends = points.max(axis=0).tolist()
        width, height = (
            min(side, math.ceil(v) + 1) - v0 for side, v, v0 in zip(self.size, ends, (left, top), strict=True)
        )
        if width <= 0 or height <= 0:
            return
        if alpha >= 1 and (below is None or width * height < _FLAT):
            ImageDraw.Draw(self.image).polygon(outline, fill=_ink(color))
        else:
            mask = Image.new("L", (width, height))
            ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in outline], fill=round(255 * alpha))
            ramp = np.linspace(color, below or color, height).clip(0, 255).astype(np.uint8)[:, None]
            self.image.paste(Image.fromarray(ramp).resize((width, height)), (left, top), mask)
        if alpha > 0.5:
            ImageDraw.Draw(self.owners).polygon(outline, fill=self.owner)

    def boxes(self, labels: Sequence[str]) -> tuple[Box, ...]:
        """Return the bounding box of each object's visible pixels, by its label, unless that is empty."""
        owners, boxes = np.asarray(self.owners), []
        for number, label in enumerate(labels, start=1):
            seen = owners == number
            columns, rows = (np.flatnonzero(seen.any(axis=k)) // OVERSAMPLE for k in (0, 1))
            if label and len(columns) and min(np.ptp(columns), np.ptp(rows)) + 1 >= _LEAST:
                left, top = int(columns[0]), int(rows[0])
                boxes.append(Box(label, left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top))
        return tuple(boxes)

    def finish(
        self, rng: np.random.Generator, tint: Color = (1, 1, 1), light: float = 0.14, grain: float = 3.0
    ) -> Image.Image:
        """Return the image at its final size, with soft light from one side, darker corners and a little grain."""
        photo = self.image.reduce(OVERSAMPLE)
        width, height = photo.size
        ys, xs = np.mgrid[-1:1:36j, -1:1:48j]
        x, y = rng.uniform(-1, 1), rng.uniform(-1.1, 0)
        bright = 1 + light * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 0.9) - 0.09 * (xs**2 + ys**2)
        steps = Image.fromarray(np.clip(bright * 160, 0, 255).astype(np.uint8)).resize(photo.size)
        pixels = np.asarray(photo, dtype=np.float32) * (np.asarray(steps, dtype=np.float32) / 160)[..., None]
        pixels = pixels * np.array(tint, dtype=np.float32)
        over = np.maximum(pixels - 215, 0)
        pixels -= over - 40 * over / (over + 40)  # highlights fade to white instead of being clipped
        pixels += rng.standard_normal((height, width, 1), dtype=np.float32) * grain
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    def flat(self) -> Plane:
        """Return the image plane, with (0, 0) in the middle, ±1 at the nearer edges and y pointing up."""
        half = np.array(self.size) / 2
        return Plane(self, lambda points: half + points * (half.min(), -half.min()))


@dataclass(frozen=True)
class Plane:
    """Drawing plane with its own coordinates, which ``project`` converts to canvas pixels (points of shape (n, 2))."""

    canvas: Painting
    project: Callable[[np.ndarray], np.ndarray]

    def moved(self, x: float, y: float, turn: float = 0.0, scale: float = 1.0) -> Plane:
        """Return the same plane with a different origin, direction (degrees, counter-clockwise) and unit."""
        return Plane(self.canvas, lambda points: self.project(turned(points, turn, x, y, scale)))

    def draw(self, points: Points, color: Color, below: Color | None = None, alpha: float = 1.0) -> None:
        """Fill an outline as in :meth:`Painting.polygon`."""
        self.canvas.polygon(self.project(np.asarray(points, dtype=float)), color, below, alpha)

    def line(self, points: Points, width: float, color: Color, alpha: float = 1.0) -> None:
        """Draw a stroke with round ends."""
        path = np.asarray(points, dtype=float)
        step = np.gradient(path, axis=0)
        side = np.stack([-step[:, 1], step[:, 0]], axis=1) / (np.hypot(*step.T)[:, None] + 1e-9) * width / 2
        self.draw(np.concatenate([path + side, (path - side)[::-1]]), color, alpha=alpha)
        if alpha >= 1:
            for x, y in (path[0], path[-1]):
                self.draw(oval(x, y, width / 2), color)

    def shadow(self, points: Points, strength: float = 0.3, blur: float = 0.03, color: Color = (30, 22, 50)) -> None:
        """Draw a soft shadow in the shape of an outline. ``blur`` is a fraction of the canvas's shorter side."""
        canvas, outline = self.canvas, self.project(np.asarray(points, dtype=float)) / _COARSE
        mask = Image.new("L", (canvas.size[0] // _COARSE + 1, canvas.size[1] // _COARSE + 1))
        if len(outline) > 2:
            ImageDraw.Draw(mask).polygon([(x, y) for x, y in outline.tolist()], round(255 * strength))
        mask = mask.filter(ImageFilter.GaussianBlur(blur * min(mask.size)))
        box = mask.getbbox()
        if box is not None:
            patch = mask.crop(box).resize(((box[2] - box[0]) * _COARSE, (box[3] - box[1]) * _COARSE))
            canvas.image.paste(_ink(color), (box[0] * _COARSE, box[1] * _COARSE), patch)

    def write(self, text: str, x: float, y: float, height: float, color: Color) -> None:
        """Write text centred at (``x``, ``y``)."""
        font, canvas = ImageFont.load_default(60), self.canvas
        x0, y0, x1, y1 = font.getbbox(text)
        letters = Image.new("L", (int(x1 - x0) + 2, int(y1 - y0) + 2))
        ImageDraw.Draw(letters).text((1 - x0, 1 - y0), text, fill=255, font=font)
        half = height * (x1 - x0) / (y1 - y0) / 2
        corners = self.project(rect(x - half, y + height / 2, x + half, y - height / 2))
        if len(corners) != 4:  # partly behind the camera
            return
        left, top = np.floor(corners.min(axis=0)).astype(int).tolist()
        width, high = (np.ceil(corners.max(axis=0)).astype(int) - (left, top) + 1).tolist()
        rows, values = [], []
        ends = rect(0, 0, *letters.size).tolist()
        for (x, y), (u, v) in zip((corners - (left, top)).tolist(), ends, strict=True):
            rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
            values += [u, v]
        weights = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0].tolist()
        mask = letters.transform((width, high), Image.Transform.PERSPECTIVE, weights, Image.Resampling.BILINEAR)
        canvas.image.paste(_ink(color), (left, top), mask)
        canvas.owners.paste(canvas.owner, (left, top), mask.point(lambda value: 255 * (value > 127)))


@dataclass(frozen=True)
class Camera:
    """Camera position (x right, y up, z away), angles in degrees, focal length by the canvas's longer side, and sun."""

    eye: tuple[float, float, float]
    yaw: float
    pitch: float
    roll: float
    lens: float
    sun: tuple[float, float] = (-0.6, -0.8)

    def project(self, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Project the points of a polygon, shape (n, 3), to pixels, clipping the part behind the camera."""
        y, p, r = (math.radians(angle) for angle in (self.yaw, self.pitch, self.roll))
        right = np.array([math.cos(y), 0, -math.sin(y)])
        up = np.array([-math.sin(y) * math.sin(p), math.cos(p), -math.cos(y) * math.sin(p)])
        ahead = np.array([math.sin(y) * math.cos(p), math.sin(p), math.cos(y) * math.cos(p)])
        right, up = right * math.cos(r) + up * math.sin(r), up * math.cos(r) - right * math.sin(r)
        seen = (points - self.eye) @ np.stack([right, up, ahead]).T
        if (seen[:, 2] < _NEAR).any():
            kept = []
            for here, before in zip(seen, np.roll(seen, 1, axis=0), strict=True):
                if (here[2] < _NEAR) != (before[2] < _NEAR):
                    kept.append(before + (here - before) * (_NEAR - before[2]) / (here[2] - before[2]))
                if here[2] >= _NEAR:
                    kept.append(here)
            seen = np.array(kept).reshape(-1, 3)
        pixels: np.ndarray = np.array(size) / 2 + seen[:, :2] / seen[:, 2:] * (1, -1) * self.lens * max(size)
        return pixels


@dataclass(frozen=True)
class Space:
    """Local coordinates in the world: u to the right, v up, w away, rotated by ``turn`` degrees about the vertical."""

    canvas: Painting
    camera: Camera
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    turn: float = 0.0

    def at(self, u: float, w: float, turn: float = 0.0, v: float = 0.0) -> Space:
        """Return the coordinate system at a position relative to this one."""
        ((x, z),) = turned([(u, w)], self.turn, self.origin[0], self.origin[2]).tolist()
        return Space(self.canvas, self.camera, (x, self.origin[1] + v, z), self.turn + turn)

    def distance(self) -> float:
        return math.dist(self.origin, self.camera.eye)

    def _eye(self) -> np.ndarray:
        """Return the camera position in these coordinates, as (u, w, v)."""
        x, y, z = (eye - here for eye, here in zip(self.camera.eye, self.origin, strict=True))
        return np.append(turned([(x, z)], -self.turn), y)

    def _project(self, u: np.ndarray, v: np.ndarray | float, w: np.ndarray | float) -> np.ndarray:
        flat = turned(np.stack([u, np.broadcast_to(w, u.shape)], axis=1), self.turn, self.origin[0], self.origin[2])
        points = np.stack([flat[:, 0], np.broadcast_to(v, u.shape) + self.origin[1], flat[:, 1]], axis=1)
        return self.camera.project(points, self.canvas.size)

    def floor(self, v: float = 0.0) -> Plane:
        """Return the horizontal plane at height ``v``, with coordinates (u, w)."""
        return Plane(self.canvas, lambda points: self._project(points[:, 0], v, points[:, 1]))

    def front(self, w: float = 0.0) -> Plane:
        """Return the vertical plane at ``w``, with coordinates (u, v)."""
        return Plane(self.canvas, lambda points: self._project(points[:, 0], points[:, 1], w))

    def round(self, radius: float) -> Plane:
        """Return the surface of an upright cylinder around the origin, with coordinates (u, v), u along its front."""

        def project(points: np.ndarray) -> np.ndarray:
            angles = np.clip(points[:, 0] / radius, -1.5, 1.5)
            return self._project(radius * np.sin(angles), points[:, 1], -radius * np.cos(angles))

        return Plane(self.canvas, project)

    def solid(self, outline: Points, low: float, high: float, color: Color, top: Color | None = None) -> None:
        """Draw a convex outline (u, w) extruded from ``low`` to ``high``, lit by the camera's sun."""
        points = np.asarray(outline, dtype=float)
        sun = turned([self.camera.sun], -self.turn)[0]
        ends = np.roll(points, -1, axis=0)
        middles = (points + ends) / 2
        normals = (ends - points)[:, ::-1] * (1, -1)
        normals *= np.sign(((middles - points.mean(axis=0)) * normals).sum(axis=1))[:, None]
        facing = ((self._eye()[:2] - middles) * normals).sum(axis=1) > 0
        for k in np.flatnonzero(facing):
            slant = float(normals[k] @ sun) / (math.hypot(*normals[k]) + 1e-9)
            tone = shade(color, 0.84 + 0.14 * slant)
            corners = np.array([points[k], ends[k], ends[k], points[k]])
            pixels = self._project(corners[:, 0], np.array([low, low, high, high]), corners[:, 1])
            self.canvas.polygon(pixels, tone, shade(tone, 0.88))
        height = self._eye()[2]
        if height > high:
            self.floor(high).draw(points, top or shade(color, 1.07))
        elif height < low:
            self.floor(low).draw(points, shade(color, 0.7))

    def box(
        self, u0: float, u1: float, w0: float, w1: float, low: float, high: float, color: Color,
        radius: float = 0.0, top: Color | None = None,
    ) -> None:  # fmt: skip
        """Draw a cuboid with upright edges rounded by ``radius``."""
        self.solid(rect(u0, w0, u1, w1, radius), low, high, color, top)

    def build(self, *cuboids: tuple[Any, ...]) -> None:
        """Draw non-intersecting cuboids from far to near. Each is a tuple of arguments of :meth:`box`."""
        bounds = np.array([cuboid[:6] for cuboid in cuboids], dtype=float)
        low, high = bounds[:, 0::2] - 1e-6, bounds[:, 1::2] - 2e-6
        eye = self._eye()
        apart = high[:, None] <= low[None]  # per axis: the first cuboid ends before the second begins
        hides = (apart & (eye > high)[:, None]) | (apart.transpose(1, 0, 2) & (eye < low)[:, None])
        before = np.asarray(hides.any(axis=2))
        remaining = list(range(len(cuboids)))
        while remaining:
            free = [k for k in remaining if not (before[remaining, k] & ~before[k, remaining]).any()]
            self.box(*cuboids[(free or remaining)[0]])
            remaining.remove((free or remaining)[0])

    def shadow(self, outline: Points, strength: float = 0.3, blur: float = 0.02, reach: float = 0.1) -> None:
        """Cast a soft shadow of an outline (u, w) onto the floor, shifted by ``reach`` away from the sun."""
        away = turned([self.camera.sun], -self.turn)[0] * -reach
        self.floor().shadow(np.asarray(outline, dtype=float) + away, strength, blur)
