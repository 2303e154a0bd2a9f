"""Solid shapes in a piece of furniture's own coordinates, and the palettes that furnish a room."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from customlabels_nb.examples._drawing import Colour, Flat, Point, Scene, dim, hull, rgb, rounded, vary


@dataclass(frozen=True)
class Frame:
    """A place to build: u to the right, v up, w towards whoever faces it, in metres from ``origin``.

    A wall is a frame too, its w pointing into the room. ``turn`` is in degrees: 0 looks towards the viewer,
    -90 stands at the left wall, 90 at the right one.
    """

    scene: Scene
    origin: Point
    turn: float = 0.0

    def at(self, u: float, v: float, w: float) -> Point:
        """The world's coordinates of a point of this frame."""
        angle = math.radians(self.turn)
        c, s = math.cos(angle), math.sin(angle)
        x, y, z = self.origin
        return (x + c * u - s * w, y + v, z - s * u - c * w)

    def moved(self, u: float = 0.0, v: float = 0.0, w: float = 0.0, turn: float = 0.0) -> Frame:
        """A frame that starts at (u, v, w) of this one, turned by ``turn`` degrees more."""
        return replace(self, origin=self.at(u, v, w), turn=self.turn + turn)

    def put(
        self, paint: Callable[[Frame], None], footprint: tuple[float, float, float, float], shadow: float = 0.45
    ) -> None:
        """Have ``paint(self)`` called in its turn; ``footprint`` (u0, u1, w0, w1) is what darkens the floor."""
        u0, u1, w0, w1 = footprint
        self.scene.put(self.at((u0 + u1) / 2, 0, (w0 + w1) / 2), lambda: paint(self))
        self.shade_floor(u0, u1, w0, w1, shadow)

    def in_view(self, u0: float, u1: float, v0: float, v1: float, w0: float, w1: float) -> bool:
        """Whether some of a block may be seen."""
        corners = self.scene.camera.project([self.at(u, v, w) for u in (u0, u1) for v in (v0, v1) for w in (w0, w1)])
        if not corners:
            return False
        (width, height), xs, ys = self.scene.size, [x for x, _ in corners], [y for _, y in corners]
        return max(xs) > 0 and min(xs) < width and max(ys) > 0 and min(ys) < height

    def shade_floor(self, u0: float, u1: float, w0: float, w1: float, shadow: float = 0.45) -> None:
        """Note the shadow of something on the floor: dark below it and fainter away from the light."""
        light = self.scene.light
        x, _, z = self.at((u0 + u1) / 2, 0, (w0 + w1) / 2)
        away = (
            (x - light.position[0], z - light.position[2])
            if light.position
            else (-light.direction[0], -light.direction[2])
        )
        length = math.hypot(*away) + 1e-6
        reach = 0.22
        dx, dz = away[0] / length * reach, away[1] / length * reach
        corners = [self.at(u, 0.004, w) for u, w in ((u0, w0), (u1, w0), (u1, w1), (u0, w1))]
        self.scene.shadow([(px + dx, py, pz + dz) for px, py, pz in corners], shadow * 0.6)
        self.scene.shadow(corners, shadow)

    def face(
        self, points: Sequence[Point], colour: Colour, *, gloss: float = 0.0, round: float = 0.0, lit: bool = True
    ) -> None:
        """A plane polygon; ``round`` is the radius of its corners."""
        shaped = rounded(points, round) if round else points
        self.scene.face([self.at(*p) for p in shaped], colour, gloss=gloss, lit=lit)

    def panel(
        self,
        u0: float,
        u1: float,
        v0: float,
        v1: float,
        w: float,
        colour: Colour,
        *,
        gloss: float = 0.0,
        round: float = 0.0,
        lit: bool = True,
    ) -> None:
        """An upright rectangle that faces the viewer of this frame."""
        self.face([(u0, v0, w), (u1, v0, w), (u1, v1, w), (u0, v1, w)], colour, gloss=gloss, round=round, lit=lit)

    def top(
        self,
        u0: float,
        u1: float,
        w0: float,
        w1: float,
        v: float,
        colour: Colour,
        *,
        gloss: float = 0.0,
        round: float = 0.0,
    ) -> None:
        """A level rectangle at height ``v``."""
        self.face([(u0, v, w0), (u1, v, w0), (u1, v, w1), (u0, v, w1)], colour, gloss=gloss, round=round)

    def disc(
        self,
        u: float,
        v: float,
        w: float,
        radius: float,
        colour: Colour,
        *,
        level: bool = False,
        lit: bool = True,
        stretch: float = 1.0,
    ) -> None:
        """A round plate, upright or level; ``stretch`` makes it an ellipse, higher or deeper than wide."""
        ring = [
            (math.cos(a) * radius, math.sin(a) * radius * stretch)
            for a in np.linspace(0, 2 * math.pi, 24, endpoint=False)
        ]
        self.face([(u + a, v, w + b) if level else (u + a, v + b, w) for a, b in ring], colour, lit=lit)

    def line(self, points: Sequence[Point], width: float, colour: Colour, alpha: float = 1.0) -> None:
        """A stroke of ``width`` metres."""
        self.scene.line([self.at(*p) for p in points], width, colour, alpha)

    def veil(self, points: Sequence[Point], colour: Colour, alpha: float) -> None:
        """A thin coat of colour over a polygon."""
        self.scene.veil([self.at(*p) for p in points], colour, alpha)

    def edge(
        self, u0: float, u1: float, v0: float, v1: float, w: float, width: float = 0.008, alpha: float = 0.35
    ) -> None:
        """The dark joint around a door or drawer."""
        self.line([(u0, v0, w), (u1, v0, w), (u1, v1, w), (u0, v1, w), (u0, v0, w)], width, (30, 24, 24), alpha)

    def box(
        self,
        u0: float,
        u1: float,
        v0: float,
        v1: float,
        w0: float,
        w1: float,
        colour: Colour,
        *,
        gloss: float = 0.0,
        top: Colour | None = None,
    ) -> None:
        """A block; only the sides that the camera sees are painted."""
        for side in self._seen(u0, u1, v0, v1, w0, w1):
            points = _side(side, u0, u1, v0, v1, w0, w1)
            self.face(
                points, top if top and side == "top" else colour, gloss=gloss if side in ("top", "front") else 0.0
            )

    def puff(
        self, u0: float, u1: float, v0: float, v1: float, w0: float, w1: float, colour: Colour, radius: float = 0.06
    ) -> None:
        """A soft block: a cushion, mattress or bathtub with rounded edges."""
        corners = [self.at(u, v, w) for u in (u0, u1) for v in (v0, v1) for w in (w0, w1)]
        outline = hull(self.scene.camera.project(corners))
        if len(outline) < 3:
            return
        middle = self.at((u0 + u1) / 2, (v0 + v1) / 2, (w0 + w1) / 2)
        scale = self.scene.camera.scale(middle)
        pixels = radius * 1.1 * scale
        self.scene.shape(rounded(outline, pixels), self._paint(dim(colour, 0.92)), middle)
        inset = radius * 0.3
        for side in self._seen(u0, u1, v0, v1, w0, w1):
            shrunk = (u0 + inset, u1 - inset, v0 + inset, v1 - inset, w0 + inset, w1 - inset)
            keep = {
                "left": (0, u0),
                "right": (1, u1),
                "bottom": (2, v0),
                "top": (3, v1),
                "back": (4, w0),
                "front": (5, w1),
            }[side]
            bounds = list(shrunk)
            bounds[keep[0]] = keep[1]
            self.face(
                _side(side, *bounds), dim(colour, 1.05 if side == "top" else 1.0), round=radius if pixels > 4 else 0.0
            )

    def lathe(
        self,
        u: float,
        w: float,
        profile: Sequence[tuple[float, float]],
        colour: Colour,
        *,
        gloss: float = 0.25,
        rim: Colour | None = None,
    ) -> None:
        """A turned shape: ``profile`` holds (radius, height) from the foot up; ``rim`` colours what is seen inside."""
        rings = [self._ring(u, v, w, radius) for radius, v in profile]
        middle = self.at(u, profile[len(profile) // 2][1], w)
        paint = self._paint(colour, gloss)
        for low, high in pairwise(rings):
            if low and high:
                self.scene.shape(hull(low + high), paint, middle)
        if rim is not None and rings[-1]:
            self.scene.shape(rings[-1], self._paint(rim), middle)

    def solid(self, points: Sequence[Point], colour: Colour, gloss: float = 0.0) -> None:
        """The outline of a round thing through world ``points``, shaded from side to side."""
        outline = hull(self.scene.camera.project(points))
        if len(outline) > 2:
            self.scene.shape(outline, self._paint(colour, gloss), points[len(points) // 2])

    def ball(self, u: float, v: float, w: float, radius: float, colour: Colour, *, stretch: float = 1.0) -> None:
        """A round thing, ``stretch`` times as high as wide."""
        middle = self.at(u, v, w)
        centre = self.scene.camera.project([middle])
        if centre:
            (x, y), size = centre[0], radius * self.scene.camera.scale(middle)
            ring = [
                (x + math.cos(a) * size, y + math.sin(a) * size * stretch)
                for a in np.linspace(0, 2 * math.pi, 20, endpoint=False)
            ]
            self.scene.shape(ring, self._paint(colour, 0.15), middle)

    def leg(self, u: float, w: float, height: float, thick: float, colour: Colour, foot: float = 0.0) -> None:
        """A round leg from the floor up to ``height``."""
        self.line([(u, foot, w), (u, height, w)], thick, dim(colour, 0.72))
        self.line([(u - thick * 0.15, foot, w), (u - thick * 0.15, height, w)], thick * 0.4, dim(colour, 0.95))

    def _ring(self, u: float, v: float, w: float, radius: float) -> list[Flat]:
        angles = np.linspace(0, 2 * math.pi, 16, endpoint=False)
        ring = [self.at(u + math.cos(a) * radius, v, w + math.sin(a) * radius) for a in angles]
        return self.scene.camera.project(ring)

    def _paint(self, colour: Colour, gloss: float = 0.0) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        light, eye = self.scene.light, self.scene.camera.eye

        def paint(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
            lit: np.ndarray = np.array(colour) * light.on(points, normals)
            if gloss:
                toward = (
                    np.array(light.position) - points
                    if light.position
                    else np.broadcast_to(np.array(light.direction), points.shape)
                )
                half = toward / np.linalg.norm(toward, axis=1)[:, None]
                gap = eye - points
                half = half + gap / np.linalg.norm(gap, axis=1)[:, None]
                half /= np.linalg.norm(half, axis=1)[:, None] + 1e-9
                lit = lit + 255 * gloss * (np.clip((half * normals).sum(axis=1), 0, 1) ** 20)[:, None]
            return lit

        return paint

    def _seen(self, u0: float, u1: float, v0: float, v1: float, w0: float, w1: float) -> list[str]:
        x, y, z = (e - o for e, o in zip(self.scene.camera.eye.tolist(), self.origin, strict=True))
        angle = math.radians(self.turn)
        c, s = math.cos(angle), math.sin(angle)
        u, v, w = c * x - s * z, y, -s * x - c * z
        tests = {"back": w < w0, "left": u < u0, "right": u > u1, "bottom": v < v0, "front": w > w1, "top": v > v1}
        return [side for side, seen in tests.items() if seen]


def _side(side: str, u0: float, u1: float, v0: float, v1: float, w0: float, w1: float) -> list[Point]:
    if side in ("left", "right"):
        u = u0 if side == "left" else u1
        return [(u, v0, w0), (u, v0, w1), (u, v1, w1), (u, v1, w0)]
    if side in ("bottom", "top"):
        v = v0 if side == "bottom" else v1
        return [(u0, v, w0), (u1, v, w0), (u1, v, w1), (u0, v, w1)]
    w = w0 if side == "back" else w1
    return [(u0, v0, w), (u1, v0, w), (u1, v1, w), (u0, v1, w)]


@dataclass(frozen=True)
class Palette:
    """Colours that go together: walls, woodwork, floor, wood, cloth, two accents, metal, green."""

    wall: Colour
    trim: Colour
    floor: Colour
    wood: Colour
    cloth: Colour
    accent: Colour
    second: Colour
    metal: Colour
    leaf: Colour


_PALETTES = (
    # wall, trim, floor, wood, cloth, accent, second accent, metal, leaf
    "efe6d8 fbf8f2 c89f6d b07a48 8fa59a d98b5f e8c27a c9a45c 5f8a57",
    "c9d3c4 f7f6ef b98b5c 9a6a42 e9dfcf b9654b 6e8b74 b08d57 4c7a4f",
    "b9cbd6 fafafa d2b48c c49a6c f1ece2 33576f e2a36b 9fa6aa 5d8f63",
    "e6c9b8 fdf7f1 a9805a 8a5a3c f3e8dc a4503f 5b7b7a c79a5b 60834f",
    "dcd6cd fdfcf9 9b8468 6f4e37 7c8791 c98f3d 44606b 8f8a82 567d52",
    "51647a f1eee7 b58a5e 8b5e3c d8cbb8 e0a458 c8553d c7a768 6a9a62",
    "f3efe9 ffffff e0cdb0 d9b98d c6ccd0 7fa3b5 f0b7a4 b4b8bb 79a36b",
    "e9dba9 fdfaf0 ab7c4f 8d6239 f0ebe0 4f7f83 cc6f4a b58f4f 5c8a4a",
    "d8c6d6 fbf9fb c6a580 a67c52 f2edf0 7c5f86 e3a6a1 b9a98f 6b9370",
    "3f5a4f efe9dc a67c52 7b5233 e6d9c3 d9a05b b7573f c9a45c 7fae72",
)


def palette(rng: np.random.Generator) -> Palette:
    """One of the palettes, each colour a little off."""
    words = _PALETTES[int(rng.integers(len(_PALETTES)))].split()
    return Palette(*(vary(rgb(word), rng, 0.04) for word in words))
