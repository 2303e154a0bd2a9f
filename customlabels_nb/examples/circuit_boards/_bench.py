"""A workbench seen from above: what is painted on it, and which pixels belong to which part.

Everything is in millimetres. Each polygon is painted twice, in its colour on the canvas and in its part's number on
a map of the same size, so what is left of a part under everything painted later is known to the pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from customlabels_nb.examples._drawing import Camera, Colour, Light, Scene, hull, ink

Spots = Sequence[tuple[float, float, float]]

_UP = np.array([0.0, 1.0, 0.0])


class Bench:
    """The canvas, the camera above it, the light, and the map of parts.

    Attributes
    ----------
    part : int
        Whose pixels are painted now: 1..255, or 0 for what has no box.
    """

    def __init__(self, size: tuple[int, int], camera: Camera, light: Light, rng: np.random.Generator) -> None:
        self.scene = Scene(size, camera, light, rng)
        self.owners = Image.new("L", size)
        self.part = 0
        self._owner = ImageDraw.Draw(self.owners)
        direction = np.array(light.direction)
        self.toward_light: np.ndarray = direction / np.linalg.norm(direction)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels, shape (n, 2), of world points (n, 3); everything on a bench is before the camera."""
        camera = self.scene.camera
        seen = (points - camera.eye) @ camera.axes.T
        across = seen[:, :2] * (camera.focal / seen[:, 2:3])
        pixels: np.ndarray = across * (1.0, -1.0) + camera.centre
        return pixels

    def polygon(self, pixels: np.ndarray | Sequence[tuple[float, float]], colour: Colour, alpha: float = 1.0) -> None:
        """Paint an outline of pixels; ``alpha`` below 1 lets what lies below shine through."""
        flat = np.asarray(pixels, dtype=float).ravel().tolist()
        if len(flat) < 6:
            return
        if alpha >= 1:
            self.scene.pen.polygon(flat, fill=ink(colour))
        else:
            self.scene.brush.polygon(flat, fill=ink(colour, alpha))
        self._owner.polygon(flat, fill=self.part)

    def stroke(self, pixels: np.ndarray, width: float, colour: Colour, alpha: float = 1.0) -> None:
        """Paint a line ``width`` pixels wide with round joints."""
        flat, wide = pixels.ravel().tolist(), max(1, round(width))
        joint = "curve" if wide > 2 and len(pixels) > 2 else None
        (self.scene.pen if alpha >= 1 else self.scene.brush).line(
            flat, fill=ink(colour, alpha), width=wide, joint=joint
        )
        self._owner.line(flat, fill=self.part, width=wide, joint=joint)

    def mesh(self, points: np.ndarray, normals: np.ndarray, colours: np.ndarray, gloss: float) -> None:
        """Paint the side of a convex surface that the camera sees.

        ``points`` and ``normals`` are grids (m, n, 3); ``colours`` has one a patch, shape (m-1, n-1, 3).
        """
        eye = self.scene.camera.eye
        middle = (points[:-1, :-1] + points[1:, :-1] + points[:-1, 1:] + points[1:, 1:]).reshape(-1, 3) / 4
        normal = (normals[:-1, :-1] + normals[1:, :-1] + normals[:-1, 1:] + normals[1:, 1:]).reshape(-1, 3)
        normal = normal / (np.linalg.norm(normal, axis=1)[:, None] + 1e-9)
        view = eye - middle
        view /= np.linalg.norm(view, axis=1)[:, None]
        facing = np.einsum("ij,ij->i", view, normal)
        half = view + self.toward_light
        half /= np.linalg.norm(half, axis=1)[:, None] + 1e-9
        lit = colours.reshape(-1, 3) * self.scene.light.on(middle, normal)
        lit = lit + 255 * gloss * (np.clip(np.einsum("ij,ij->i", half, normal), 0, 1) ** 22)[:, None]
        pixels = self.project(points.reshape(-1, 3)).reshape(*points.shape[:2], 2)
        corners = np.stack([pixels[:-1, :-1], pixels[:-1, 1:], pixels[1:, 1:], pixels[1:, :-1]], axis=2)
        shades = np.clip(lit, 0, 255).tolist()
        outlines = corners.reshape(-1, 8).tolist()
        for outline, (r, g, b), seen in zip(outlines, shades, facing.tolist(), strict=True):
            if seen > -0.05:
                self.scene.pen.polygon(outline, fill=ink((r, g, b)))
                self._owner.polygon(outline, fill=self.part)

    def glass(self, outline: Sequence[tuple[float, float]], clear: float, paint: Callable[[], None]) -> None:
        """Have ``paint()`` called, then let what was there before show through by ``clear`` (0..1) of it."""
        xs, ys = [x for x, _ in outline], [y for _, y in outline]
        width, height = self.scene.size
        left, top = max(0, math.floor(min(xs))), max(0, math.floor(min(ys)))
        right, bottom = min(width, math.ceil(max(xs)) + 1), min(height, math.ceil(max(ys)) + 1)
        if right <= left or bottom <= top:
            return
        before = self.scene.image.crop((left, top, right, bottom))
        paint()
        mask = Image.new("L", before.size)
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in outline], fill=int(255 * clear))
        self.scene.image.paste(before, (left, top), mask)


class Spot:
    """A place on the bench with axes of its own: u to its right, v up, w towards its foot; ``turn`` in degrees."""

    def __init__(self, bench: Bench, origin: np.ndarray, turn: float = 0.0) -> None:
        self.bench, self.origin, self.turn = bench, np.asarray(origin, dtype=float), turn
        c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        self.axes = np.array([[c, 0, -s], [0, 1, 0], [-s, 0, -c]])

    def moved(self, u: float, w: float, turn: float = 0.0, v: float = 0.0) -> Spot:
        """A spot at (u, v, w) of this one, turned by ``turn`` degrees more."""
        return Spot(self.bench, self.world([(u, v, w)])[0], self.turn + turn)

    def world(self, points: Spots | np.ndarray) -> np.ndarray:
        """World points, shape (n, 3), of points (u, v, w) of this spot."""
        found: np.ndarray = self.origin + np.asarray(points, dtype=float) @ self.axes
        return found

    def pixels(self, points: Spots | np.ndarray) -> np.ndarray:
        """Where points (u, v, w) are on the canvas, shape (n, 2)."""
        return self.bench.project(self.world(points))

    @property
    def pitch(self) -> float:
        """Pixels of the canvas a millimetre takes here."""
        camera = self.bench.scene.camera
        return float(camera.focal / ((self.origin - camera.eye) @ camera.axes[2]))

    def shade(self, colour: Colour, normal: Sequence[float] = (0, 1, 0)) -> Colour:
        """The colour as lit on a surface whose normal (u, v, w) is given."""
        r, g, b = self.bench.scene.light.at(
            self.origin.tolist(), (np.asarray(normal, dtype=float) @ self.axes).tolist()
        )
        return (colour[0] * r, colour[1] * g, colour[2] * b)

    def plate(self, points: Spots, colour: Colour, alpha: float = 1.0, normal: Sequence[float] = (0, 1, 0)) -> None:
        """A plane polygon."""
        self.bench.polygon(self.pixels(points), self.shade(colour, normal), alpha)

    def rect(self, u0: float, u1: float, w0: float, w1: float, v: float, colour: Colour, alpha: float = 1.0) -> None:
        """A level rectangle."""
        self.plate([(u0, v, w0), (u1, v, w0), (u1, v, w1), (u0, v, w1)], colour, alpha)

    def disc(
        self, u: float, w: float, v: float, radius: float, colour: Colour, alpha: float = 1.0, sides: int = 20
    ) -> None:
        """A level round plate."""
        turn = np.linspace(0, 2 * math.pi, sides, endpoint=False)
        ring = np.stack([u + radius * np.cos(turn), np.full(sides, v), w + radius * np.sin(turn)], axis=1)
        self.bench.polygon(self.pixels(ring), self.shade(colour), alpha)

    def line(self, points: Spots, width: float, colour: Colour, alpha: float = 1.0) -> None:
        """A stroke ``width`` millimetres wide."""
        self.bench.stroke(self.pixels(points), width * self.pitch, self.shade(colour), alpha)

    def wire(self, points: Spots, width: float, colour: Colour, shine: float = 0.5) -> None:
        """A round wire: darker at its edges, brighter along the middle."""
        pixels, wide = self.pixels(points), width * self.pitch
        r, g, b = self.shade(colour)
        self.bench.stroke(pixels, wide, (r * 0.55, g * 0.55, b * 0.55))
        self.bench.stroke(pixels, wide * 0.62, (r, g, b))
        light = (r + (255 - r) * shine, g + (255 - g) * shine, b + (255 - b) * shine)
        if wide > 2.5:
            self.bench.stroke(pixels - (0, wide * 0.12), max(1, wide * 0.2), light)

    def block(
        self,
        u: tuple[float, float],
        w: tuple[float, float],
        v: tuple[float, float],
        colour: Colour,
        *,
        top: Colour | None = None,
        taper: float = 0.0,
    ) -> None:
        """A block whose top is ``taper`` smaller on every side."""
        (u0, u1), (w0, w1), (v0, v1), t = u, w, v, taper
        low = [(u0, v0, w0), (u1, v0, w0), (u1, v0, w1), (u0, v0, w1)]
        high = [(u0 + t, v1, w0 + t), (u1 - t, v1, w0 + t), (u1 - t, v1, w1 - t), (u0 + t, v1, w1 - t)]
        lean = t / max(1e-6, v1 - v0)
        for k, normal in enumerate(((0, lean, -1), (1, lean, 0), (0, lean, 1), (-1, lean, 0))):
            n = (k + 1) % 4
            at = self.world([low[k]])[0]
            if float((np.array(normal, dtype=float) @ self.axes) @ (self.bench.scene.camera.eye - at)) > 0:
                self.plate(
                    [low[k], low[n], high[n], high[k]], colour, normal=(np.array(normal) / math.hypot(1, lean)).tolist()
                )
        self.plate(high, top or colour)

    def turned(
        self,
        at: tuple[float, float, float],
        axis: tuple[float, float, float],
        profile: Sequence[tuple[float, float]],
        colour: Colour | Sequence[Colour],
        *,
        gloss: float = 0.3,
        sides: int = 16,
        clear: float = 0.0,
    ) -> None:
        """A turned shape: ``profile`` holds (radius, distance along ``axis``) from ``at`` on, in order.

        ``colour`` may be one colour a section. ``clear`` is how much (0..1) of what lies below shows through.
        """
        points, normals = self.surface(at, axis, profile, np.linspace(0, 2 * math.pi, sides + 1))
        flat = np.array(colour, dtype=float)
        colours = np.broadcast_to(flat if flat.ndim == 1 else flat[:, None, :], (len(profile) - 1, sides, 3))
        bench = self.bench
        if not clear:
            bench.mesh(points, normals, colours, gloss)
            return
        pixels = bench.project(points.reshape(-1, 3))
        outline = hull([(x, y) for x, y in pixels.tolist()])
        bench.glass(outline, clear, lambda: bench.mesh(points, normals, colours, gloss))

    def surface(
        self,
        at: tuple[float, float, float],
        axis: tuple[float, float, float],
        profile: Sequence[tuple[float, float]],
        turns: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """World points and normals, each (len(profile), len(turns), 3), of a turned shape.

        A turn of 0 is on its upper side (or, if it stands, towards w).
        """
        along = np.array(axis, dtype=float) @ self.axes
        along /= np.linalg.norm(along)
        ahead = self.axes[2] if abs(along[1]) > 0.99 else _UP
        first = ahead - along * float(ahead @ along)
        first /= np.linalg.norm(first)
        second = np.cross(along, first)
        ring = np.cos(turns)[:, None] * first + np.sin(turns)[:, None] * second
        steps = np.array(profile, dtype=float)
        slope = np.gradient(steps, axis=0) if len(steps) > 2 else np.repeat(np.diff(steps, axis=0), 2, axis=0)
        slope /= np.linalg.norm(slope, axis=1)[:, None] + 1e-9
        start = self.world([at])[0]
        points = start + steps[:, 1][:, None, None] * along + steps[:, 0][:, None, None] * ring
        normals = slope[:, 1][:, None, None] * ring - slope[:, 0][:, None, None] * along
        return points, normals

    def shadow(self, foot: Sequence[tuple[float, float]], height: float, strength: float = 0.5) -> None:
        """Note the shadow of something ``height`` high on a footprint of (u, w)."""
        base = self.world([(u, 0.02, w) for u, w in foot])
        x, y, z = self.bench.toward_light.tolist()
        away = base - np.array([x, 0.0, z]) * (height / max(y, 0.35))
        ground = self.bench.scene
        around = hull([(px, pz) for px, _, pz in np.concatenate([base, away]).tolist()])
        level = float(base[0, 1])
        ground.shadow([(px, level, pz) for px, pz in around], strength)
        ground.shadow([(px, level, pz) for px, _, pz in base.tolist()], strength * 0.6)

    def text(self, u: float, w: float, v: float, words: str, height: float, colour: Colour, alpha: float = 1.0) -> None:
        """Marks of strokes, ``height`` high, that start at (u, w) with their foot."""
        wide = height * 0.62
        for place, letter in enumerate(words):
            for run in _STROKES.get(letter, ()):
                points = [(u + place * wide * 1.3 + x / 4 * wide, v, w - y / 6 * height) for x, y in run]
                self.line(points, max(height * 0.13, 0.12), colour, alpha)


def _runs(text: str) -> tuple[tuple[tuple[int, int], ...], ...]:
    return tuple(tuple((int(p[0]), int(p[1])) for p in run.split()) for run in text.split("/"))


# Each letter is runs of points on a grid 4 wide and 6 high, x before y, from its foot.
_STROKES = {
    letter: _runs(text)
    for letter, text in {
        "0": "00 40 46 06 00",
        "1": "14 26 20",
        "2": "06 46 43 03 00 40",
        "3": "06 46 40 00/13 43",
        "4": "06 03 43/46 40",
        "5": "46 06 03 43 40 00",
        "6": "46 06 00 40 43 03",
        "7": "06 46 10",
        "8": "00 40 46 06 00/03 43",
        "9": "43 03 06 46 40 00",
        "A": "00 04 26 44 40/02 42",
        "C": "46 06 00 40",
        "D": "00 06 36 44 42 30 00",
        "E": "46 06 00 40/03 33",
        "I": "20 26",
        "J": "46 41 30 10 01",
        "K": "00 06/46 03 40",
        "L": "06 00 40",
        "M": "00 06 23 46 40",
        "N": "00 06 40 46",
        "B": "00 06 36 45 44 33 42 41 30 00/03 33",
        "F": "00 06 46/03 33",
        "G": "46 06 00 40 43 23",
        "H": "00 06/03 43/46 40",
        "O": "10 01 05 16 36 45 41 30 10",
        "P": "00 06 46 43 03",
        "Q": "00 06 46 41 30 00/22 40",
        "R": "00 06 46 43 03 40",
        "S": "46 06 03 43 40 00",
        "T": "06 46/26 20",
        "U": "06 00 40 46",
        "V": "06 20 46",
        "W": "06 10 23 30 46",
        "X": "00 46/06 40",
        "Y": "06 23 46/23 20",
        "+": "23 03 43 23 25 21",
        "-": "03 43",
    }.items()
}


def smooth(points: Sequence[tuple[float, float, float]], steps: int = 24) -> Spots:
    """A curve through the middles of a run of points, from the first to the last (quadratic Bézier pieces)."""
    knots = np.array(points, dtype=float)
    middles = [knots[0], *((a + b) / 2 for a, b in pairwise(knots[1:-1])), knots[-1]]
    t = np.linspace(0, 1, max(2, steps // max(1, len(middles) - 1)))[:, None]
    pieces = [
        (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
        for (a, c), b in zip(pairwise(middles), knots[1:-1], strict=True)
    ]
    return [(float(u), float(v), float(w)) for u, v, w in np.concatenate(pieces)]
