"""Example "logos": three fictional brands, with logo images for training and scenes with boxes for testing.

A scene shows one or two logos, and signs that only resemble a logo. A box encloses the visible part of a logo,
including its brand name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from PIL import Image

from customlabels_nb.examples._drawing import (
    OVERSAMPLE,
    Camera,
    Color,
    Painting,
    Picture,
    Plane,
    Space,
    blob,
    colors,
    curve,
    mix,
    oval,
    petal,
    pick,
    rect,
    shade,
    turned,
    vary,
)

LABELS = ("lumivane", "pellwick", "tarnfold")
TASK = "boxes"
FILES = {"train": "folders", "test": "coco"}
TRAIN, TEST, SIZE = 21, 42, (640, 480)

_WHITE, _DARK, _GLASS, _CARD = colors("fbfaf7 2a2c35 b5cfd8 cfa274")
# main, secondary and accent colors of the brands, on light and on dark backgrounds
_ON_LIGHT = {
    "lumivane": colors("0f8f88 0f8f88 f29c1f"),
    "pellwick": colors("5c2d8a 5c2d8a ee5140"),
    "tarnfold": colors("17406f 3f86b8 4aa26d"),
}
_ON_DARK = {
    "lumivane": colors("f3f7f6 f3f7f6 f9b13c"),
    "pellwick": colors("f1edf8 f1edf8 ff7a5c"),
    "tarnfold": colors("f2f6fa b9d6ea 8fd6a5"),
}
_TINTS = colors("f3e4c8 dcebe6 e9e2f0 f7dcd2 d9e4f2")
_STRONG = colors("22303f 3c2a45 1f3d36 7a2e28 2b2b2e")
_PAINTS = colors("c94f3d 2f6f73 e0b04a 33507a 8a4f6d 5f8a5a e7e0d2 3b3f4a f6f4ee d98c5f")
_GREENS = colors("4f8a4b 6fa052 3f7357")
_WORDS = ("CAFE", "BAKERY", "CYCLE", "HOTEL", "SALON", "BOOKS", "DELI", "STUDIO")

_TRIES = 5


def _ring(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Return a shape with a hole as a single outline."""
    return np.concatenate([outer, outer[:1], inner[:1], inner[::-1]])


def _shapes(brand: str) -> list[tuple[int, np.ndarray]]:
    """Return the shapes of a brand's logo: the index of the ink, and an outline within about 1 of the centre."""
    if brand == "lumivane":
        blade = petal(0.88, 0.56, 0.64, 0.6)
        blade[:, 0] += 0.45 * blade[:, 1] ** 2
        blade[:, 1] += 0.16
        return [(2 if k == 4 else 0, turned(blade, 72 * k + 20)) for k in range(5)] + [(2, oval(0, 0, 0.15))]
    if brand == "pellwick":
        hexagon = np.array([(math.sin(math.radians(60 * k)), math.cos(math.radians(60 * k))) for k in range(6)])
        flame, core = petal(0.98, 0.52, 0.33, 0.75), petal(0.4, 0.22, 0.35, 0.75)
        core[:, 1] += 0.08
        return [
            (0, _ring(hexagon, hexagon * 0.76)),
            (2, turned(_ring(flame, core), 0, 0, -0.4)),
            (0, rect(-0.34, -0.56, 0.34, -0.47)),
        ]
    return [
        (0, np.array([(-1.0, -0.08), (-0.28, 0.95), (-0.02, -0.08)])),
        (1, np.array([(-0.28, 0.95), (0.26, 0.2), (0.12, -0.08), (-0.02, -0.08)])),
        (2, np.array([(0.2, -0.08), (0.5, 0.58), (1.0, -0.08)])),
        (0, np.array([(-0.9, -0.2), (0.9, -0.2), (0.76, -0.42), (-0.76, -0.42)])),
        (1, np.array([(-0.6, -0.54), (0.6, -0.54), (0.47, -0.75), (-0.47, -0.75)])),
    ]


def _logo(plane: Plane, brand: str, inks: tuple[Color, ...], word: bool) -> None:
    for ink, outline in _shapes(brand):
        plane.draw(outline, inks[ink])
    if word:
        plane.write(brand.upper(), 0, -1.36, 0.34, inks[0])


def _decoy(plane: Plane, rng: np.random.Generator, inks: tuple[Color, ...]) -> None:
    """Draw a sign that does not belong to a brand: a flower, a star in a ring or a house, sometimes with a word."""
    kind = int(rng.integers(3))
    if kind == 0:
        for k in range(6):
            plane.draw(turned(petal(0.95, 0.5), 60 * k), inks[k % 2])
    elif kind == 1:
        plane.draw(_ring(oval(0, 0, 1), oval(0, 0, 0.78)), inks[0])
        plane.draw([p for k in range(5) for p in turned([(0, 0.62), (0.16, 0.2)], -72 * k).tolist()], inks[2])
    else:
        plane.draw([(-0.9, 0.0), (0, 0.85), (0.9, 0.0)], inks[0])
        plane.draw(rect(-0.6, -0.8, 0.6, -0.1), inks[1])
    if rng.random() < 0.5:
        plane.write(pick(rng, _WORDS), 0, -1.36, 0.4, inks[0])


@dataclass
class Stage:
    """Scene being drawn: its canvas, its coordinate system, and the signs still to draw (``None`` for a decoy)."""

    rng: np.random.Generator
    space: Space
    signs: list[str | None]
    shown: list[str] = field(default_factory=list)

    def paint(self, *choice: Color) -> Color:
        return vary(pick(self.rng, choice or _PAINTS), self.rng)

    def sign(self, plane: Plane, ground: Color) -> None:
        """Draw the next sign, or a decoy, on a plane with background color ``ground``."""
        brand = self.signs.pop(0) if self.signs else None
        dark = sum(ground) < 400
        if brand is None:
            inks = pick(self.rng, list((_ON_DARK if dark else _ON_LIGHT).values()))
            _decoy(plane.moved(0, 0, 0, 0.9), self.rng, inks)
            return
        inks = (_ON_DARK if dark else _ON_LIGHT)[brand]
        if self.rng.random() < 0.15 or abs(sum(ground) - 400) < 70:
            inks = (_WHITE if dark else _DARK,) * 3
        self.shown.append(brand)
        self.space.canvas.owner = len(self.shown)
        _logo(plane, brand, tuple(mix(ink, ground, 0.06) for ink in inks), bool(self.rng.random() < 0.35))
        self.space.canvas.owner = 0


def _mug(stage: Stage, space: Space) -> None:
    tone, r = stage.paint(), 0.5
    space.shadow(oval(0, 0, r), 0.45, 0.03, 0.25)
    side = float(stage.rng.choice([-1, 1]))
    space.front().draw(_ring(oval(side * r, 0.52, 0.33, 0.36), oval(side * r, 0.52, 0.22, 0.25)), shade(tone, 0.9))
    space.solid(oval(0, 0, r), 0, 1.15, tone, shade(tone, 0.55))
    space.floor(1.15).draw(oval(0, 0, r * 0.86), (92, 58, 40))
    stage.sign(space.round(r).moved(stage.rng.normal(0, 0.12), 0.62, 0, 0.3), tone)


def _parcel(stage: Stage, space: Space) -> None:
    u, w, high = stage.rng.uniform((0.9, 0.6, 0.9), (1.3, 0.9, 1.5)).tolist()
    tone = stage.paint(_CARD, _CARD, _WHITE)
    space.shadow(rect(-u, -w, u, w), 0.45, 0.03, 0.25)
    space.box(-u, u, -w, w, 0, high, tone)
    space.floor(high).draw(rect(-0.12, -w, 0.12, w), shade(tone, 0.92))
    front = space.front(-w)
    front.draw(rect(-0.12, high * 0.75, 0.12, high), shade(tone, 0.88))
    front.draw(rect(u - 0.55, 0.12, u - 0.1, 0.42), _WHITE)
    for k in range(7):
        front.line([(u - 0.5 + 0.05 * k, 0.17), (u - 0.5 + 0.05 * k, 0.36)], 0.02, _DARK)
    stage.sign(front.moved(-u * 0.3, high * 0.52, stage.rng.normal(0, 3), high * 0.3), tone)


def _laptop(stage: Stage, space: Space) -> None:
    tone = stage.paint(_GLASS, _DARK, _WHITE, *_PAINTS)
    space.shadow(rect(-1.6, -0.2, 1.6, 0.5), 0.45, 0.03, 0.2)
    space.box(-1.6, 1.6, -0.05, 1.2, 0, 0.08, shade(tone, 0.85))
    front = space.front(-0.06)
    front.draw(rect(-1.6, 0.05, 1.6, 2.1, 0.12), shade(tone, 1.05), shade(tone, 0.92))
    front.draw([(-0.4, 0.05), (0.1, 0.05), (1.0, 2.1), (0.5, 2.1)], _WHITE, alpha=0.12)
    stage.sign(front.moved(0, 1.2, 0, stage.rng.uniform(0.35, 0.55)), tone)


def _bag(stage: Stage, space: Space) -> None:
    tone, u = stage.paint(_CARD, *_PAINTS), stage.rng.uniform(0.8, 1.05)
    space.shadow(rect(-u, -0.4, u, 0.4), 0.45, 0.03, 0.25)
    space.box(-u, u, -0.4, 0.4, 0, 2.1, tone, 0.0, shade(tone, 0.5))
    front = space.front(-0.41)
    front.line(curve((-0.4, 2.05), (0, 3.0), (0.4, 2.05)), 0.07, shade(tone, 0.7))
    front.draw([(-u, 0), (-u * 0.7, 0), (-u * 0.8, 2.1), (-u, 2.1)], shade(tone, 0.93))
    stage.sign(front.moved(0, 1.15, 0, u * 0.5), tone)


def _on_table(thing: Callable[[Stage, Space], None], stage: Stage) -> None:
    """Draw an object on a table, with other objects around it."""
    rng, space = stage.rng, stage.space
    wall, wood = stage.paint(*_TINTS, *_PAINTS), stage.paint(*colors("c9986a b9835a e3d3b8 8f8f95 dfe2e3 6d5246"))
    back = space.front(9)
    back.draw(rect(-30, -12, 30, 20), shade(wall, 1.05), shade(wall, 0.85))
    for x in rng.uniform(-7, 7, 6).tolist():
        y, a, b = rng.uniform((0, 0.5, 0.5), (5, 1.6, 1.8)).tolist()
        back.shadow(rect(x - a, y - b, x + a, y + b), 0.55, 0.03, stage.paint())
    space.floor().draw(rect(-20, -3.6, 20, 3.6), shade(wood, 0.9), shade(wood, 1.08))
    for w in np.arange(-3.4, 3.6, 1.1).tolist():
        space.floor().line([(-20, w), (20, w)], 0.02, shade(wood, 0.85))
    x = rng.normal(0, 0.5)
    main = space.at(x, rng.uniform(-0.4, 0.4), rng.normal(0, 16))
    other = space.at(x + rng.choice([-2.2, 2.2]), rng.uniform(1.0, 2.4), rng.normal(0, 16))
    first, stage.signs = stage.signs[:1], stage.signs[1:]
    pick(rng, (_mug, _parcel, _laptop, _bag))(stage, other)
    stage.signs = first
    thing(stage, main)
    for _ in range(int(rng.integers(0, 3))):
        spot, tone = space.at(x + rng.uniform(-1.7, 1.7), rng.uniform(-1.9, -1.3)), stage.paint()
        spot.shadow(oval(0, 0, 0.24), 0.4, 0.02, 0.15)
        if rng.random() < 0.6:
            spot.front().draw(oval(0, 0.26, 0.26), shade(tone, 1.15), shade(tone, 0.8))
        else:
            for k in range(3):
                spot.front().line([(0.05 * k - 0.1, 0.2), (0.12 * k - 0.2, 0.95)], 0.06, stage.paint())
            spot.solid(oval(0, 0, 0.2), 0, 0.5, tone, shade(tone, 0.5))


def _shirts(stage: Stage) -> None:
    rng, wall = stage.rng, stage.paint(*_TINTS, *_PAINTS)
    stage.space.front(3).draw(rect(-12, -1, 12, 9), shade(wall, 1.06), shade(wall, 0.95))
    stage.space.floor(-1).draw(rect(-12, -3, 12, 3), shade(_CARD, 0.82), _CARD)
    rail = stage.space.front(0)
    for x in (-2.6, 2.6):
        rail.line([(x, -0.9), (x, 3.6)], 0.08, shade(_DARK, 2))
    rail.line([(-2.6, 3.6), (2.6, 3.6)], 0.08, shade(_DARK, 2))
    rng.shuffle(stage.signs)
    stage.signs += [None] * (3 - len(stage.signs))
    for x in (-1.7, 0.0, 1.7):
        tone, hanger = stage.paint(), rail.moved(x + rng.normal(0, 0.12), 3.1, rng.normal(0, 2), 0.85)
        hanger.line([(-0.6, 0), (0, 0.35), (0.6, 0)], 0.06, _CARD)
        hanger.line([(0, 0.3), (0, 0.62)], 0.04, shade(_DARK, 2))
        right = [(0.25, 0.12), (0.75, 0), (1.15, -0.85), (0.82, -1.0), (0.7, -0.6), (0.72, -2.3)]
        shirt = np.array([*right, *((-u, v) for u, v in right[::-1])])
        hanger.moved(0.07, -0.07).shadow(shirt, 0.3, 0.02)
        hanger.draw(shirt, shade(tone, 1.04), shade(tone, 0.88))
        hanger.draw(oval(0, 0.14, 0.25, 0.2, 180, 360), shade(tone, 0.7))
        stage.sign(hanger.moved(0, -0.85, 0, rng.uniform(0.32, 0.46)), tone)


def _street(stage: Stage, houses: bool) -> None:
    """Draw the sky, a road and a pavement, with trees or house walls behind them."""
    rng, space = stage.rng, stage.space
    if houses:
        wall = stage.paint(*colors("b8715a d9bfa3 c9cfd2 e6d9c6 8f6f66"))
        front = space.front(4)
        front.draw(rect(-14, 0, 14, 14), shade(wall, 0.95), wall)
        for v in np.arange(0.2, 8, 0.35).tolist():
            front.line([(-14, v), (14, v)], 0.02, shade(wall, 0.92))
        for x in np.arange(-9, 10, 2.3).tolist():
            front.draw(rect(x - 0.6, 3.9, x + 0.6, 5.9), _WHITE)
            front.draw(rect(x - 0.5, 4.0, x + 0.5, 5.8), _GLASS, shade(_GLASS, 0.8))
    else:
        for x in np.arange(-30, 30, 4).tolist():
            space.front(22).draw(blob(rng, x, 1, rng.uniform(2, 3.6)), vary(mix(_GREENS[0], _GLASS, 0.4), rng))
        space.floor().draw(rect(-40, -5, 40, 22), stage.paint(*_GREENS), stage.paint(*_GREENS))
    road = stage.paint(*colors("8b8d93 6f727b a59c92"))
    space.floor().draw(rect(-40, -6, 40, 1.4), shade(road, 0.95), shade(road, 1.05))
    space.floor().draw(rect(-40, 1.4, 40, 4 if houses else 2.2), shade(road, 1.35), shade(road, 1.25))


def _passer(stage: Stage) -> None:
    """Draw a post or a tree in the foreground of some scenes."""
    spot = stage.space.at(stage.rng.uniform(-1.6, 1.6), -1.6)
    if stage.rng.random() < 0.3:
        spot.front().line([(0, 0), (0, 6)], 0.12, _DARK)
    elif stage.rng.random() < 0.3:
        spot.front().draw(blob(stage.rng, 0, 0.35, 0.45), stage.paint(*_GREENS), shade(_GREENS[2], 0.8))


def _shop(stage: Stage) -> None:
    _street(stage, houses=True)
    rng, frame, board = stage.rng, stage.paint(), stage.paint()
    front = stage.space.at(rng.normal(0, 0.7), 3.9).front()
    front.draw(rect(-2.7, 0, 2.7, 3.0), frame, shade(frame, 0.85))
    for left, right in ((-2.4, 0.8), (1.2, 2.4)):
        front.draw(rect(left, 0.15 if left > 0 else 0.6, right, 2.75), _GLASS, shade(_GLASS, 0.6))
    for x in np.linspace(-2.1, 0.5, 5).tolist():
        front.draw(rect(x - 0.2, 0.6, x + 0.2, 1.1 + 0.2 * rng.normal(), 0.05), stage.paint())
    front.draw([(-1.6, 0.6), (-1.0, 0.6), (0.2, 2.75), (-0.4, 2.75)], _WHITE, alpha=0.2)
    front.shadow(rect(-2.8, 2.7, 2.8, 3.0), 0.4, 0.02)
    front.draw(rect(-2.85, 2.95, 2.85, 4.25), board, shade(board, 0.9))
    x = float(rng.choice([-1.3, -0.9, 0.0]))
    stage.sign(front.moved(x, 3.68, 0, 0.42), board)
    if x:
        front.write(pick(rng, _WORDS), 1.0, 3.6, 0.5, _WHITE if sum(board) < 400 else _DARK)
    front.draw(oval(3.4, 3.2, 0.55), board)
    stage.sign(front.moved(3.4, 3.25, 0, 0.3), board)
    _passer(stage)


def _van(stage: Stage) -> None:
    _street(stage, houses=bool(stage.rng.random() < 0.6))
    rng, tone = stage.rng, stage.paint()
    spot = stage.space.at(rng.normal(0, 0.4), 1.6, rng.normal(0, 10))
    spot.shadow(rect(-2.5, -0.9, 2.6, 1), 0.5, 0.02)
    spot.box(-2.4, 1.3, -0.9, 0.9, 0.4, 2.6, tone)
    spot.box(1.3, 2.5, -0.9, 0.9, 0.4, 1.3, tone)
    side = spot.front(-0.91)
    side.draw([(1.29, 0.4), (2.5, 0.4), (2.45, 1.2), (1.95, 2.1), (1.29, 2.5)], shade(tone, 0.98), shade(tone, 0.8))
    side.draw([(1.4, 1.35), (2.2, 1.35), (1.85, 2.0), (1.4, 2.15)], _GLASS, shade(_GLASS, 0.7))
    side.draw(rect(-2.4, 0.4, 2.5, 0.62), shade(tone, 0.65))
    for x in (-1.5, 1.7):
        side.draw(oval(x, 0.42, 0.44), shade(_DARK, 0.8))
        side.draw(oval(x, 0.42, 0.22), shade(_GLASS, 0.9))
    stage.sign(side.moved(rng.uniform(-1.4, 0.2), 1.62, 0, rng.uniform(0.45, 0.65)), tone)
    _passer(stage)


# distance, height, pitch and lens of the camera, and the function that draws the scene
SCENES: dict[str, tuple[tuple[float, float, float, float], Callable[[Stage], None]]] = {
    "mug": ((-4.6, 2.0, -14, 1.15), partial(_on_table, _mug)),
    "van": ((-5.0, 1.7, -1, 0.8), _van),
    "shirts": ((-5.5, 2.2, 0, 0.8), _shirts),
    "parcel": ((-4.8, 2.4, -17, 1.0), partial(_on_table, _parcel)),
    "laptop": ((-4.8, 2.2, -11, 0.95), partial(_on_table, _laptop)),
    "bag": ((-4.8, 2.2, -10, 0.9), partial(_on_table, _bag)),
    "shop": ((-4.2, 1.7, 8, 0.8), _shop),
}


def paint(split: str, number: int, rng: np.random.Generator, size: tuple[int, int]) -> Picture:
    """Draw a logo for the training split, or a scene otherwise. Brands and kinds of scenes take turns."""
    brand = LABELS[number % len(LABELS)]
    if split == "train":
        return Picture(_alone(brand, number // len(LABELS), rng, min(size)), (brand,))
    for _ in range(_TRIES):  # the COCO format cannot mark an image without boxes as labelled
        other = [str(rng.choice(LABELS))] if rng.random() < 0.4 else [None] if rng.random() < 0.7 else []
        canvas, shown = compose(list(SCENES)[number % len(SCENES)], rng, size, [brand, *other])
        boxes = canvas.boxes(shown)
        if boxes:
            break
    tint = pick(rng, ((1.0, 1.0, 1.0), (1.05, 0.99, 0.9), (0.94, 0.98, 1.04), (0.72, 0.72, 0.86), (1.02, 0.92, 0.84)))
    return Picture(canvas.finish(rng, tint, rng.uniform(0.1, 0.3), rng.uniform(2, 4.5)), boxes=boxes)


def compose(
    kind: str, rng: np.random.Generator, size: tuple[int, int], signs: list[str | None]
) -> tuple[Painting, list[str]]:
    """Draw a scene with the given signs, and return it with the brand of each object, in order of object number."""
    (z, y, pitch, lens), scene = SCENES[kind]
    eye = (rng.normal(0, 0.5), y + rng.normal(0, 0.15), z + rng.normal(0, 0.3))
    camera = Camera(eye, rng.normal(0, 4), pitch + rng.normal(0, 1.5), rng.normal(0, 2), lens)
    canvas = Painting(size, *pick(rng, (colors("7fb4dc dbe9ef"), colors("8d9ac4 f6c9a0"), colors("b9c2c9 e4e6e6"))))
    stage = Stage(rng, Space(canvas, camera), list(signs))
    scene(stage)
    return canvas, stage.shown


def _alone(brand: str, look: int, rng: np.random.Generator, side: int) -> Image.Image:
    """Draw a logo on its own, as a brand publishes it or, in the last of seven variants, on paper."""
    light, dark, kind = _ON_LIGHT[brand], _ON_DARK[brand], look % 7
    ground, inks = (
        (_WHITE, light),
        (vary(pick(rng, _TINTS), rng, 0.02), light),
        (vary(pick(rng, _STRONG), rng, 0.02), dark),
        (colors("f6f2e9")[0], (_DARK,) * 3),
        (_WHITE, light),
        (mix(light[0], _DARK, 0.12), (_WHITE,) * 3),
        (vary(_WHITE, rng, 0.02), light),
    )[kind]
    canvas = Painting((side, side), ground)
    word = kind in (1, 4) or (kind == 2 and look >= 7)
    turn = rng.normal(0, 7) if kind in (1, 4, 6) else 0.0
    scale = rng.uniform(0.58, 0.78) * (0.9 if word else 1)
    _logo(canvas.flat().moved(0, 0.2 * scale if word else 0, turn, scale), brand, inks, word)
    return canvas.finish(rng, light=0.1, grain=2.0) if kind == 6 else canvas.image.reduce(OVERSAMPLE)
