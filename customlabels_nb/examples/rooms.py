"""Example "rooms": rooms and outdoor areas of a home, with ten labels and one label per photo.

Rooms share walls, windows, plants and colors, and are seen from many viewpoints at many times of day, so only the
furniture distinguishes them. Some rooms even share furniture: a kitchen may have a sofa, a living space a counter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from PIL import Image

from customlabels_nb.errors import InputError
from customlabels_nb.examples._drawing import (
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

LABELS = (
    "backyard", "bathroom", "bedroom", "closet", "entry_way",
    "floor_plan", "front_yard", "kitchen", "living_space", "patio",
)  # fmt: skip
TASK = "single-label"
FILES = {"train": "folders", "test": "folders"}
TRAIN, TEST, SIZE = 60, 56, (480, 360)

_WALLS = colors("f2e8da e4dccf dce6e2 d3deea efdfdb e6e0ef f3dfbf bfd3c8 7fa09a 4f6a80 cf9a7c d9b8b0")
_WOODS = colors("c99a6b a9744a dfbb8c 8a5a3b d5c2a6")
_FABRICS = colors("d9693f 2f6f73 e3a93b 3d5a80 8a4f7d 6b8f5a c8506b 5b6470 cbb79b")
_GREENS = colors("4f8a4b 6fa052 3f7357 86a95a")
_STONES = colors("e6e2da c9d2d6 d9c8b4 8f9aa3 b9b2a6")
_WHITE, _DARK, _GLASS, _LIT = colors("f7f5f0 33343f b9d4de ffe6a6")
_HOURS = (  # tint of the image, and colors of the sky at the top and bottom
    ((1.0, 1.0, 1.0), *colors("6fb1dd d8edf5")),
    ((1.05, 1.0, 0.93), *colors("8fc3e8 fbe6c4")),
    ((1.02, 0.9, 0.82), *colors("6d7fb8 f7a877")),
    ((0.95, 0.98, 1.02), *colors("b4bec8 e2e6e8")),
    ((0.66, 0.64, 0.78), *colors("1d2450 4a4f88")),
)

Cuboid = tuple[Any, ...]


def _doors(left: float, right: float, w: float, low: float, high: float, across: int, down: int) -> list[Cuboid]:
    """Return the front of a cabinet: doors or drawers in a grid, each with a handle."""
    cuboids: list[Cuboid] = []
    for u0, u1 in pairwise(np.linspace(left, right, across + 1).tolist()):
        for v0, v1 in pairwise(np.linspace(low, high, down + 1).tolist()):
            middle = (u0 + u1) / 2
            cuboids.append((u0 + 0.02, u1 - 0.02, w - 0.02, w, v0 + 0.02, v1 - 0.02, "front"))
            cuboids.append((middle - 0.07, middle + 0.07, w - 0.04, w - 0.02, v1 - 0.12, v1 - 0.09, "dark"))
    return cuboids


def _chair(u: float, w: float, back: float) -> list[Cuboid]:
    legs = [(u + a, u + a + 0.05, w - 0.2, w + 0.2, 0, 0.42, "wood") for a in (-0.2, 0.15)]
    rest = w + 0.18 * back
    return [*legs, (u - 0.22, u + 0.22, w - 0.22, w + 0.22, 0.42, 0.47, "wood"),
            (u - 0.22, u + 0.22, rest - 0.02, rest + 0.02, 0.47, 0.92, "wood")]  # fmt: skip


def _row(left: float, right: float, step: float, low: float, high: float) -> list[Cuboid]:
    """Return a row of objects with gaps between them, such as books or clothes."""
    return [(u, u + step * 0.8, -0.34, -0.06, low, high - 0.07 * (k * k % 4), "any")
            for k, u in enumerate(np.arange(left, right - step / 2, step).tolist())]  # fmt: skip


# Cuboids: start and end along the wall (u) and away from it (w), bottom, top, color, corner radius.
_FURNITURE: dict[str, list[Cuboid]] = {
    "sofa": [
        (-0.9, 0.9, -0.25, 0, 0.1, 0.86, "cloth", 0.1), (-0.9, 0.9, -0.9, -0.25, 0.1, 0.45, "cloth", 0.1),
        (-1.1, -0.9, -0.92, 0, 0.06, 0.63, "cloth", 0.08), (0.9, 1.1, -0.92, 0, 0.06, 0.63, "cloth", 0.08),
        (-0.7, -0.3, -0.38, -0.25, 0.45, 0.84, "any", 0.06), (0.25, 0.65, -0.38, -0.25, 0.45, 0.84, "any", 0.06),
    ],
    "coffee table": [
        (-0.6, 0.6, -0.35, 0.35, 0.36, 0.42, "wood", 0.3), (-0.5, -0.44, -0.25, 0.25, 0, 0.36, "dark"),
        (0.44, 0.5, -0.25, 0.25, 0, 0.36, "dark"), (-0.3, 0.0, -0.1, 0.1, 0.42, 0.46, "any"),
        (0.2, 0.3, 0.0, 0.1, 0.42, 0.6, "any", 0.05),
    ],
    "television": [
        (-0.9, 0.9, -0.4, 0, 0, 0.45, "wood"), *_doors(-0.9, 0.9, -0.4, 0, 0.45, 3, 1),
        (-0.65, 0.65, -0.12, -0.06, 0.6, 1.36, "dark"),
    ],
    "bookcase": [
        (-0.5, 0.5, -0.02, 0, 0, 1.9, "wood"), (-0.53, -0.5, -0.36, 0, 0, 1.9, "wood"),
        (0.5, 0.53, -0.36, 0, 0, 1.9, "wood"), (-0.53, 0.53, -0.36, 0, 1.9, 1.94, "wood"),
        *[(-0.5, 0.5, -0.36, -0.02, v - 0.04, v, "wood") for v in (0.1, 0.55, 1.0, 1.45)],
        *[book for v in (0.1, 0.55, 1.0, 1.45) for book in _row(-0.45, 0.45, 0.08, v, v + 0.36)],
    ],
    "bed": [
        (-0.85, 0.85, -0.1, 0, 0, 1.0, "wood", 0.04), (-0.8, 0.8, -2.05, -0.1, 0.08, 0.3, "wood"),
        (-0.78, 0.78, -0.8, -0.1, 0.3, 0.52, "white", 0.08), (-0.82, 0.82, -2.07, -0.8, 0.3, 0.56, "cloth", 0.08),
        (-0.7, -0.08, -0.55, -0.15, 0.52, 0.66, "white", 0.12), (0.08, 0.7, -0.55, -0.15, 0.52, 0.66, "white", 0.12),
        (-0.82, 0.82, -1.1, -0.8, 0.56, 0.6, "any", 0.05),
    ],
    "nightstand": [
        (-0.22, 0.22, -0.4, 0, 0, 0.5, "wood"), *_doors(-0.22, 0.22, -0.4, 0, 0.5, 1, 2),
        (-0.03, 0.03, -0.23, -0.17, 0.5, 0.72, "dark"), (-0.14, 0.14, -0.34, -0.06, 0.72, 0.95, "lit", 0.14),
    ],
    "wardrobe": [(-0.65, 0.65, -0.55, 0, 0, 2.0, "wood"), *_doors(-0.65, 0.65, -0.55, 0, 2.0, 2, 1)],
    "chest": [(-0.6, 0.6, -0.45, 0, 0, 0.9, "paint"), *_doors(-0.6, 0.6, -0.45, 0, 0.9, 2, 3)],
    "tub": [
        (-0.8, 0.8, -0.75, 0, 0, 0.55, "white", 0.15), (-0.7, 0.7, -0.66, -0.09, 0.55, 0.56, "water", 0.25),
        (0.55, 0.6, -0.06, -0.02, 0.56, 0.85, "dark"), (-0.35, 0.0, -0.78, -0.75, 0.15, 0.58, "any"),
    ],
    "toilet": [
        (-0.22, 0.22, -0.2, 0, 0.35, 0.82, "white", 0.05), (-0.14, 0.14, -0.55, -0.2, 0, 0.37, "white", 0.14),
        (-0.21, 0.21, -0.68, -0.2, 0.37, 0.43, "white", 0.21), (-0.13, 0.13, -0.6, -0.3, 0.43, 0.44, "water", 0.13),
    ],
    "vanity": [
        (-0.5, 0.5, -0.48, 0, 0, 0.8, "paint"), *_doors(-0.5, 0.5, -0.48, 0, 0.8, 2, 1),
        (-0.54, 0.54, -0.52, 0, 0.8, 0.85, "white"), (-0.25, 0.25, -0.45, -0.1, 0.85, 0.92, "white", 0.17),
        (-0.02, 0.02, -0.08, -0.04, 0.85, 1.1, "dark"), (-0.42, 0.42, -0.03, 0, 1.2, 1.95, "glass"),
    ],
    "shelves": [
        (-1.2, 1.2, -0.02, 0, 0, 2.2, "shade"), (-1.25, 1.25, -0.4, 0, 2.2, 2.25, "wood"),
        *[(u - 0.03, u + 0.03, -0.4, -0.02, 0, 2.2, "wood") for u in (-1.2, -0.42, 0.42, 1.2)],
        *[(-0.39, 0.39, -0.38, -0.02, v - 0.04, v, "wood") for v in (0.1, 0.5, 0.9, 1.3, 1.7)],
        *[row for v in (0.1, 0.5, 0.9, 1.3, 1.7) for row in _row(-0.36, 0.36, 0.25, v, v + 0.3)],
        *[cloth for u in (-1.15, 0.47) for cloth in _row(u, u + 0.68, 0.085, 1.1, 2.0)],
        *[shoe for u in (-1.15, 0.47) for shoe in _row(u, u + 0.68, 0.16, 0.0, 0.2)],
    ],
    "door": [
        (-0.62, 0.62, -0.04, 0, 0, 2.2, "white"), (-0.5, 0.5, -0.06, -0.04, 0, 2.1, "paint"),
        (-0.32, 0.32, -0.07, -0.06, 1.2, 1.9, "sky"), (-0.32, 0.32, -0.07, -0.06, 0.25, 0.95, "front"),
        (0.38, 0.45, -0.1, -0.06, 1.0, 1.07, "lit"), (-0.6, 0.6, -1.2, -0.4, 0, 0.02, "cloth"),
    ],
    "coats": [
        (-0.7, 0.7, -0.04, 0, 1.6, 1.72, "wood"), *_row(-0.6, 0.6, 0.3, 0.8, 1.6),
        (-0.7, 0.7, -0.45, -0.02, 0.42, 0.48, "wood"), (-0.65, -0.55, -0.42, -0.02, 0, 0.42, "wood"),
        (0.55, 0.65, -0.42, -0.02, 0, 0.42, "wood"), *_row(-0.5, 0.5, 0.2, 0.0, 0.25),
    ],
    "counter": [
        (-1.5, 1.5, -0.6, 0, 0, 0.88, "paint"), *_doors(-1.5, 0.4, -0.6, 0, 0.88, 3, 2),
        *_doors(1.0, 1.5, -0.6, 0, 0.88, 1, 3),
        (0.4, 1.0, -0.62, -0.6, 0, 0.86, "dark"), (0.48, 0.92, -0.63, -0.62, 0.2, 0.6, "glass"),
        (-1.52, 1.52, -0.63, 0, 0.88, 0.93, "top"), (0.45, 0.95, -0.55, -0.1, 0.93, 0.94, "dark", 0.05),
        (-0.9, -0.4, -0.5, -0.12, 0.93, 0.94, "glass", 0.05), (-0.67, -0.63, -0.1, -0.06, 0.93, 1.2, "dark"),
        (-0.2, 0.0, -0.35, -0.15, 0.93, 1.15, "any", 0.1), (-1.3, -1.15, -0.3, -0.15, 0.93, 1.25, "any", 0.08),
        (-1.5, 1.5, -0.02, 0, 0.93, 1.5, "white"),
    ],
    "cupboards": [
        (-1.5, 0.35, -0.34, 0, 1.5, 2.15, "paint"), *_doors(-1.5, 0.35, -0.34, 1.5, 2.15, 4, 1),
        (0.4, 1.0, -0.45, 0, 1.55, 1.65, "glass"), (0.6, 0.8, -0.3, 0, 1.65, 2.3, "glass"),
    ],
    "fridge": [(-0.35, 0.35, -0.65, 0, 0, 1.85, "paint"), *_doors(-0.35, 0.35, -0.65, 0, 1.85, 1, 2)],
    "island": [
        (-0.85, 0.85, -0.3, 0.3, 0, 0.88, "paint"), (-0.95, 0.95, -0.4, 0.4, 0.88, 0.94, "top"),
        *_doors(-0.85, 0.85, -0.3, 0, 0.88, 3, 1), (-0.2, 0.2, -0.15, 0.15, 0.94, 1.05, "any", 0.2),
        *[(u - 0.17, u + 0.17, -0.85, -0.5, 0.6, 0.66, "wood", 0.17) for u in (-0.5, 0.5)],
        *[(u - 0.03, u + 0.03, -0.7, -0.64, 0, 0.6, "dark") for u in (-0.5, 0.5)],
    ],
    "dining": [
        (-0.7, 0.7, -0.4, 0.4, 0.7, 0.75, "wood", 0.1), (-0.6, -0.53, -0.3, 0.3, 0, 0.7, "wood"),
        (0.53, 0.6, -0.3, 0.3, 0, 0.7, "wood"), *[c for u in (-0.3, 0.3) for c in _chair(u, 0.7, 1)],
        *[c for u in (-0.3, 0.3) for c in _chair(u, -0.7, -1)], (-0.15, 0.15, -0.1, 0.1, 0.75, 0.9, "any", 0.1),
    ],
    "trampoline": [
        *[(u, u + 0.06, w, w + 0.06, 0, 0.65, "dark") for u in (-0.9, 0.84) for w in (-0.8, 0.74)],
        (-1.4, 1.4, -1.2, 1.2, 0.65, 0.72, "cloth", 1.2), (-1.15, 1.15, -0.97, 0.97, 0.72, 0.73, "dark", 1.2),
    ],
    "pool": [(-1.4, 1.4, -1.1, 1.1, 0, 0.4, "cloth", 1.2), (-1.25, 1.25, -0.95, 0.95, 0.4, 0.41, "water", 1.2)],
    "swing": [
        *[(u, u + 0.1, w, w + 0.1, 0, 2.1, "wood") for u in (-1.3, 1.2) for w in (-0.5, 0.4)],
        (-1.35, 1.35, -0.1, 0.1, 2.1, 2.2, "wood"), *[(u, u + 0.5, -0.1, 0.1, 0.5, 0.55, "cloth") for u in (-0.8, 0.3)],
        *[(u, u + 0.03, 0, 0.03, 0.55, 2.1, "dark") for u in (-0.8, -0.33, 0.3, 0.77)],
    ],
    "flower bed": [
        (-1, 1, -0.5, 0.5, 0, 0.25, "wood"), (-0.95, 0.95, -0.45, 0.45, 0.25, 0.26, "dark"),
        *[(u, u + 0.14, w, w + 0.14, 0.26, 0.45, "leaf", 0.07) for u in np.linspace(-0.9, 0.7, 7) for w in (-0.3, 0.2)],
        *[(u, u + 0.14, w, w + 0.14, 0.45, 0.6, "any", 0.07) for u in np.linspace(-0.9, 0.7, 7) for w in (-0.3, 0.2)],
    ],
}  # fmt: skip

# Furniture of a room: name, which of the three walls (-1: in the middle), position along it, probability.
_ROOMS: dict[str, tuple[tuple[str, int, float, float], ...]] = {
    "bathroom": (("tub", 0, 0.3, 0.85), ("vanity", 1, 0.4, 0.9), ("toilet", 2, 0.3, 0.9), ("shelves", 0, -1.9, 0.12)),
    "bedroom": (("bed", 0, 0, 1), ("nightstand", 0, 1.15, 0.8), ("nightstand", 0, -1.15, 0.7), ("wardrobe", 1, 0, 0.6)),
    "closet": (("shelves", 0, 0, 1), ("shelves", 1, 0.2, 0.6), ("shelves", 2, 0.2, 0.5), ("chest", 2, -0.4, 0.3)),
    "entry_way": (("door", 0, 0, 1), ("coats", 1, 0.2, 0.95), ("vanity", 2, 0.2, 0.1), ("shelves", 2, -1.2, 0.2)),
    "kitchen": (
        ("counter", 0, 0, 1), ("cupboards", 0, 0, 0.8), ("fridge", 0, 1.9, 0.7), ("island", -1, 0, 0.5),
        ("dining", -1, 0.2, 0.3), ("sofa", 2, -0.2, 0.12),
    ),
    "living_space": (
        ("sofa", 0, 0, 1), ("coffee table", -1, 0, 0.95), ("television", 1, 0.2, 0.75), ("bookcase", 2, 0.6, 0.7),
        ("sofa", 2, -0.6, 0.3), ("counter", 1, 0, 0.1), ("dining", -1, 1.2, 0.1),
    ),
}  # fmt: skip
_PLAY = ("trampoline", "pool", "swing", "flower bed")


def _place(space: Space, rng: np.random.Generator, name: str, hour: int) -> None:
    """Draw a piece of furniture with a random width."""
    if name in _SHAPES:
        _SHAPES[name](space, rng)
        return
    pieces, wide = _FURNITURE[name], rng.uniform(0.88, 1.12)
    wood, cloth, paint = (vary(pick(rng, set_), rng) for set_ in (_WOODS, _FABRICS, (_WHITE, *_WOODS, *_FABRICS)))
    tones = {
        "wood": wood if rng.random() < 0.75 else _WHITE, "cloth": cloth, "paint": paint, "front": shade(paint, 1.06),
        "white": _WHITE, "dark": _DARK, "glass": _GLASS, "water": shade(_GLASS, 0.9), "shade": shade(wood, 0.7),
        "top": pick(rng, (_WHITE, _DARK, *_WOODS)), "leaf": pick(rng, _GREENS), "sky": _HOURS[hour][2],
        "lit": _LIT if hour in (2, 4) else mix(_LIT, _WHITE, 0.7),
    }  # fmt: skip
    cuboids = []
    for u0, u1, w0, w1, low, high, tone, *radius in pieces:
        if tone != "any" or rng.random() < 0.85:
            color = tones[tone] if tone != "any" else vary(pick(rng, (*_FABRICS, *_FABRICS, _WHITE)), rng, 0.09)
            cuboids.append((u0 * wide, u1 * wide, w0, w1, low, high, color, *radius))
    ground = [piece for piece in cuboids if piece[4] < 0.2]
    if ground:
        u0, u1, w0, w1 = (f(p[k] for p in ground) for k, f in enumerate((min, max, min, max)))
        space.shadow(rect(u0, w0, u1, w1), 0.3)
    space.build(*cuboids)


def _plant(space: Space, rng: np.random.Generator) -> None:
    space, pot = space.at(0, -0.3), vary(pick(rng, (*_FABRICS, _WHITE)), rng)
    green, size = vary(pick(rng, _GREENS), rng), rng.uniform(0.9, 1.5)
    space.shadow(oval(0, 0, 0.22 * size))
    space.solid(oval(0, 0, 0.16 * size), 0, 0.34 * size, pot, shade(pot, 0.6))
    for lean in rng.normal(0, 32, 9).tolist():
        leaf = petal(rng.uniform(0.5, 0.95) * size, 0.2 * size, 0.6, 0.8)
        space.front().draw(turned(leaf, lean, 0, 0.3 * size), vary(green, rng, 0.1))


def _tree(space: Space, rng: np.random.Generator) -> None:
    front, green, size = space.front(), vary(pick(rng, _GREENS), rng), rng.uniform(0.9, 1.5)
    space.shadow(oval(0, 0, size, 0.5 * size))
    front.draw([(-0.12 * size, 0), (0.12 * size, 0), (0.07 * size, 1.6 * size), (-0.07 * size, 1.6 * size)], _WOODS[3])
    for _ in range(7):
        x, y = rng.normal(0, 0.4 * size), size * rng.uniform(1.5, 2.5)
        leaves = blob(rng, x, y, size * rng.uniform(0.4, 0.6))
        front.draw(leaves, shade(vary(green, rng), 1.1), shade(green, 0.8))


def _bush(space: Space, rng: np.random.Generator) -> None:
    green, size = vary(pick(rng, _GREENS), rng), rng.uniform(0.3, 0.55)
    space.shadow(oval(0, 0, size, 0.3 * size))
    space.front().draw(blob(rng, 0, size * 0.7, size), shade(green, 1.1), shade(green, 0.8))
    tone = vary(pick(rng, _FABRICS), rng)
    for x, y in rng.normal((0, size * 0.8), size * 0.4, (int(rng.choice([0, 7])), 2)).tolist():
        space.front(-0.05).draw(oval(x, y, 0.07), tone)


def _parasol(space: Space, rng: np.random.Generator) -> None:
    front, tone = space.front(), vary(pick(rng, _FABRICS), rng)
    front.line([(0, 0.76), (0, 2.4)], 0.06, _WOODS[3])
    for k, (a, b) in enumerate(pairwise(np.linspace(-1.5, 1.5, 7).tolist())):
        stripe = tone if k % 2 else _WHITE
        front.draw([(a, 1.95), (0, 2.65), (b, 1.95)], stripe, shade(stripe, 0.88))


def _fence(space: Space, rng: np.random.Generator, high: float, gap: float, color: Color, reach: float) -> None:
    front = space.front()
    front.shadow(rect(-reach, -0.1, reach, 0.1), 0.3, 0.015)
    for v in (0.3, 0.75):
        front.draw(rect(-reach, high * v, reach, high * v + 0.12), shade(color, 0.8))
    for x in np.arange(-reach, reach, 0.2 + gap).tolist():
        tone, plank = vary(color, rng, 0.03), [(0, 0), (0, high), (0.1, high + 0.08), (0.2, high), (0.2, 0)]
        front.draw(turned(plank, 0, x), tone, shade(tone, 0.85))


_SHAPES: dict[str, Callable[[Space, np.random.Generator], None]] = {
    "plant": _plant, "tree": _tree, "bush": _bush, "parasol": _parasol,
    "picket fence": partial(_fence, high=0.75, gap=0.12, color=_WHITE, reach=6),
}  # fmt: skip


def _window(front: Plane, rng: np.random.Generator, hour: int, x: float) -> None:
    (_, above, below), wide = _HOURS[hour], rng.uniform(0.45, 0.75)
    low, high = rng.uniform(0.85, 1.1), rng.uniform(1.95, 2.25)
    front.draw(rect(x - wide - 0.07, low - 0.07, x + wide + 0.07, high + 0.07), _WHITE)
    front.draw(rect(x - wide, low, x + wide, high), above, below)
    hill = curve((x - wide, low + 0.3), (x, low + rng.uniform(0.3, 0.9)), (x + wide, low + 0.25))
    front.draw([(x - wide, low), *hill, (x + wide, low)], mix(pick(rng, _GREENS), above, 0.35))
    front.line([(x, low), (x, high)], 0.05, _WHITE)
    front.line([(x - wide, (low + high) / 2), (x + wide, (low + high) / 2)], 0.04, _WHITE)
    cloth = vary(mix(pick(rng, _FABRICS), _WHITE, rng.uniform(0.2, 0.8)), rng)
    for edge in (x - wide - 0.2, x + wide + 0.2) if rng.random() < 0.6 else ():
        front.draw(rect(edge - 0.2, low - 0.4, edge + 0.2, high + 0.18), cloth, shade(cloth, 0.9))
        for fold in (edge - 0.1, edge + 0.04):
            front.line([(fold, low - 0.38), (fold, high + 0.16)], 0.04, shade(cloth, 0.9))


def _picture(front: Plane, rng: np.random.Generator, x: float, y: float) -> None:
    wide, high = rng.uniform(0.22, 0.42, 2).tolist()
    front.shadow(rect(x - wide, y - high - 0.05, x + wide + 0.05, y + high), 0.2, 0.01)
    front.draw(rect(x - wide, y - high, x + wide, y + high), pick(rng, (_DARK, _WHITE, *_WOODS)))
    front.draw(rect(x - wide + 0.05, y - high + 0.05, x + wide - 0.05, y + high - 0.05), vary(_WHITE, rng, 0.02))
    for _ in range(3):
        r = min(wide, high) * rng.uniform(0.25, 0.6)
        u, v = (rng.uniform(-1, 1, 2) * (wide - r - 0.06, high - r - 0.06)).tolist()
        front.draw(oval(x + u, y + v, r, end=float(rng.choice([180, 360]))), vary(pick(rng, _FABRICS), rng))


def _finish(space: Space, rng: np.random.Generator, hour: int, things: list[tuple[str, Space]]) -> Image.Image:
    """Draw the objects from far to near, and return the finished image."""
    for name, spot in sorted(things, key=lambda thing: -thing[1].at(0, -0.4).distance()):
        _place(spot, rng, name, hour)
    return space.canvas.finish(rng, _HOURS[hour][0], 0.3 if hour == 4 else 0.15)


def _indoors(label: str, rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Draw one of ``_ROOMS``: three walls, a floor and a ceiling, windows or paintings, and furniture."""
    (width, depth, high), yaw = rng.uniform((3.4, 2.7, 2.4), (4.6, 3.5, 2.8)).tolist(), rng.normal(0, 11)
    eye = (-yaw * 0.05 + rng.normal(0, 0.4), rng.uniform(1.2, 1.7), rng.uniform(-1.5, -0.8))
    camera = Camera(eye, yaw, rng.uniform(-14, -5), rng.normal(0, 1), rng.uniform(0.66, 0.9))
    wall, hour, x = vary(pick(rng, _WALLS), rng), int(rng.choice(5, p=(0.32, 0.24, 0.18, 0.14, 0.12))), width / 2
    space = Space(Painting(size, wall), camera)
    tiles = rng.random() < {"bathroom": 0.95, "kitchen": 0.6, "entry_way": 0.2}.get(label, 0.0)
    ground, step = vary(pick(rng, _STONES if tiles else _WOODS), rng), rng.uniform(0.4, 0.6) if tiles else 0.22
    space.floor(high).draw(rect(-x, -2, x, depth), shade(_WHITE, 0.97), shade(_WHITE, 0.9))
    space.floor().draw(rect(-x, -2, x, depth), shade(ground, 0.94), shade(ground, 1.06))
    for u in np.arange(-x, x, step).tolist():
        space.floor().line([(u, -2), (u, depth)], 0.012, shade(ground, 0.87))
    for w in np.arange(-2, depth, step if tiles else 1.4).tolist():
        space.floor().line([(-x, w), (x, w)], 0.012, shade(ground, 0.87))
    walls = [space.at(0, depth), space.at(-x, depth / 2, 90), space.at(x, depth / 2, -90)]
    panel = tiles or rng.random() < 0.2
    for spot, reach, tone in ((walls[1], depth / 2 + 2, 0.9), (walls[2], depth / 2 + 2, 0.96), (walls[0], x, 1.0)):
        front, offset = spot.front(), rng.uniform(-0.6, 0.6)
        front.draw(rect(-reach, 0, reach, high), shade(wall, tone * 1.03), shade(wall, tone * 0.93))
        if panel:
            front.draw(rect(-reach, 0, reach, 1.05), shade(mix(wall, _WHITE, 0.6), tone))
        front.draw(rect(-reach, 0, reach, 0.1), shade(_WHITE, tone * 0.97))
        front.shadow(rect(-reach, 0.0, reach, 0.04), 0.25, 0.02)
        if rng.random() < 0.55:
            _window(front, rng, hour, offset)
        else:
            for k in range(int(rng.integers(0, 4))):
                _picture(front, rng, offset + 0.9 * k - 0.9, rng.uniform(1.5, 1.8))
    if rng.random() < 0.5:
        _rug(space.floor(), rng, depth)
    things = _furniture(label, rng, space, walls, depth)
    things += [("plant", space.at(s * (x - 0.35), depth - 0.1)) for s in (-1, 1) if rng.random() < 0.3]
    return _finish(space, rng, hour, things)


def _rug(floor: Plane, rng: np.random.Generator, depth: float) -> None:
    a, b, cloth = rng.uniform(0.8, 1.3), rng.uniform(0.6, 0.9), vary(pick(rng, _FABRICS), rng)
    for share, color in ((1.0, cloth), (0.86, mix(cloth, _WHITE, 0.6)), (0.74, cloth)):
        rug = rect(-a * share, depth * 0.42 - b * share, a * share, depth * 0.42 + b * share, float(a > 1.1))
        floor.draw(rug, mix(color, _WHITE, 0.15))


def _furniture(
    label: str, rng: np.random.Generator, space: Space, walls: list[Space], depth: float
) -> list[tuple[str, Space]]:
    """Place the furniture of a room, at its walls or in the middle."""
    order, shift, things = rng.permutation(3).tolist(), rng.normal(0, 0.25), []
    if rng.random() < 0.8:
        order.sort()
    for name, side, along, share in _ROOMS[label]:
        if rng.random() < share:
            middle = space.at(along + rng.normal(0, 0.3), depth * rng.uniform(0.35, 0.5))
            deeper = (0.0, 0.7, -0.7)[order[side]] if side >= 0 else 0.0
            things.append((name, middle if side < 0 else walls[order[side]].at(along + shift + deeper, 0)))
    return things


def _house(front: Plane, rng: np.random.Generator, hour: int) -> None:
    wide, floors = rng.uniform(2.8, 4.2), int(rng.integers(1, 3))
    wall, roof = vary(pick(rng, (_WHITE, *_WALLS)), rng), vary(pick(rng, colors("8a4a3b 56606b 6b5a4e 3f4a55")), rng)
    front.shadow(rect(-wide - 0.4, -0.3, wide + 0.4, 0.1), 0.4, 0.02)
    high, ridge = 2.8 * floors, wide * rng.choice([0.0, 0.6])
    front.draw(rect(wide * 0.4, high, wide * 0.4 + 0.6, high + 2.2), shade(roof, 0.9))
    front.draw(rect(-wide, 0, wide, high), shade(wall, 1.03), shade(wall, 0.93))
    outline = [(-wide - 0.4, high - 0.1), (-ridge, high + 2), (ridge, high + 2), (wide + 0.4, high - 0.1)]
    front.draw(outline, roof, shade(roof, 0.85))
    door = vary(pick(rng, _FABRICS), rng)
    for x in (-wide * 0.65, 0.0, wide * 0.65):
        for low in np.arange(0.9, high, 2.8).tolist():
            pane = _LIT if hour == 4 and rng.random() < 0.6 else _GLASS
            front.draw(rect(x - 0.58, low - 0.08, x + 0.58, low + 1.28), _WHITE)
            front.draw(rect(x - 0.5, low, x + 0.5, low + 1.2), pane, shade(pane, 0.8))
            front.line([(x, low), (x, low + 1.2)], 0.06, _WHITE)
    front.draw(rect(-0.65, 0, 0.65, 2.4), _WHITE)
    front.draw(rect(-0.5, 0, 0.5, 2.2), door, shade(door, 0.85))


def _outdoors(label: str, rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Draw the sky, hills and the ground, then a house, or a fence with objects in front of it."""
    hour, (depth, high) = int(rng.choice(5, p=(0.36, 0.2, 0.16, 0.18, 0.1))), rng.uniform((8, 1.2), (10, 2)).tolist()
    x, bend, yaw = rng.normal(0, (0.7, 1.2, 7)).tolist()
    camera = Camera((-x, rng.uniform(1.5, 2.6), -2.5), yaw, rng.uniform(-8, 1), 0.0, rng.uniform(0.65, 0.95))
    space = Space(Painting(size, *_HOURS[hour][1:]), camera)
    floor, green = space.floor(), vary(pick(rng, _GREENS), rng)
    _clouds_and_hills(space.front(40), rng, green, _HOURS[hour][2])
    floor.draw(rect(-60, -2.2, 60, 60), shade(green, 1.12), shade(green, 1.25))
    for u, w in rng.uniform((-7, -1), (7, 12), (26, 2)).tolist():
        space.front(w).draw([(u - 0.05, 0), (u, 0.16), (u + 0.05, 0)], green)
    ground, at_house = vary(pick(rng, (*_STONES, *_WOODS)), rng), label == "patio" and rng.random() < 0.5
    if label == "front_yard":
        right = curve((0.8, -2.2), (bend + 0.6, 4), (x + 0.5, depth))
        left = curve((x - 0.5, depth), (bend - 0.6, 4), (-0.8, -2.2))
        floor.draw(np.concatenate([left, right]), shade(ground, 0.95), ground)
        _house(space.at(x, depth).front(), rng, hour)
    elif at_house:
        _house(space.at(x, 5).front(), rng, hour)
    else:
        _fence(space.at(0, depth + 1), rng, high, 0.02, vary(pick(rng, (*_WOODS, _WHITE)), rng), 14)
    sides = [side * rng.uniform(1.5, 5) for side in (-1, 1, -1, 1, -1)]
    things = [(pick(rng, ("bush", "bush", "tree")), space.at(u, rng.uniform(depth - 4, depth - 0.5))) for u in sides]
    things = things[: int(rng.integers(0, 6))] if not at_house else []
    if label == "patio":
        things += _patio(space, rng, ground, x, sides)
    elif label == "backyard":
        for k, u in zip(rng.permutation(4).tolist(), (-1.9, 1.6, 0.2)[: int(rng.integers(2, 4))], strict=False):
            spot = space.at(u + rng.normal(0, 0.4), rng.uniform(2.6, 6), rng.normal(0, 15))
            things.append((_PLAY[k] if rng.random() < 0.9 else "dining", spot))
    elif rng.random() < 0.45:
        things.append(("picket fence", space.at(0, 1.5)))
    return _finish(space, rng, hour, things)


def _clouds_and_hills(far: Plane, rng: np.random.Generator, green: Color, haze: Color) -> None:
    for u, v in rng.uniform((-26, 12), (26, 22), (int(rng.integers(0, 5)), 2)).tolist():
        for k in range(4):
            far.draw(oval(u + k * 1.6, v + 0.4 * (k % 2), rng.uniform(1.2, 2.4), 0.9), _WHITE, alpha=0.75)
    for u in np.arange(-40, 40, 6).tolist():
        far.draw(blob(rng, u, 1, rng.uniform(3, 5)), mix(vary(green, rng), haze, 0.5))


def _patio(
    space: Space, rng: np.random.Generator, ground: Color, x: float, sides: list[float]
) -> list[tuple[str, Space]]:
    """Draw the paving, and place the seats and plants."""
    floor = space.floor()
    floor.draw(rect(-4.5, -2.2, 4.5, 5), shade(ground, 0.95), shade(ground, 1.08))
    for u in np.arange(-4.5, 4.6, pick(rng, (0.25, 0.7))).tolist():
        floor.line([(u, -2.2), (u, 5)], 0.025, shade(ground, 0.85))
    middle = space.at(x, rng.uniform(1.2, 2.4), rng.normal(0, 20))
    seats = [("coffee table", 0.0), ("sofa", 1.4)] if rng.random() < 0.3 else [("dining", 0.0), ("parasol", -0.05)]
    things = [(name, middle.at(0, w)) for name, w in seats]
    return things + [("plant", space.at(u, rng.uniform(1.5, 4.5))) for u in sides if rng.random() < 0.6]


def _floor_plan(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    paper, line = vary(_WHITE, rng, 0.02), _DARK
    canvas, wide = Painting(size, pick(rng, (*_WOODS, *_WALLS)), pick(rng, _WOODS)), rng.uniform(1.15, 1.4)
    x, y, turn = rng.normal(0, (0.06, 0.06, 6)).tolist()
    plane = canvas.flat().moved(x, y, turn, rng.uniform(0.85, 1.05))
    plane.shadow(rect(-wide, -1.0, wide, 0.92), 0.4, 0.03)
    plane.draw(rect(-wide, -0.95, wide, 0.95), paper, shade(paper, 0.95))
    names = rng.permutation(["BED", "BATH", "KITCHEN", "LIVING", "HALL", "CLOSET", "STUDY", "DINING", "PATIO"]).tolist()
    for low, high in pairwise([-0.7, rng.uniform(-0.2, 0.2), 0.75]):
        cuts = np.linspace(-wide * 0.82, wide * 0.82, int(rng.integers(3, 6)))
        cuts[1:-1] += rng.normal(0, 0.07)
        for left, right in pairwise(cuts.tolist()):
            tint = mix(paper, pick(rng, _FABRICS), 0.22) if rng.random() < 0.5 else paper
            plane.draw(rect(left - 0.02, low - 0.02, right + 0.02, high + 0.02), line)
            plane.draw(rect(left + 0.02, low + 0.02, right - 0.02, high - 0.02), tint)
            for middle in (left + (right - left) * 0.3, left + (right - left) * 0.7)[: int(rng.integers(1, 3))]:
                x0, y0, x1, y1 = (rng.uniform(0.06, 0.13, 4) * (-1, -1, 1, 1)).tolist()
                shape = rect(x0, y0, x1, y1, float(rng.choice([0.02, 0.2])))
                for share, tone in ((1.0, line), (0.85, tint)):
                    plane.draw(turned(shape, 0, middle, high - 0.2, share), tone)
            plane.write(names.pop(), (left + right) / 2, low + 0.14, 0.055, line)
            plane.line([(left + 0.05, low), (left + 0.2, low)], 0.045, tint)
            plane.line(oval(left + 0.05, low, 0.15, start=0, end=90), 0.008, line)
    plane.line([(-wide * 0.82, 0.85), (wide * 0.82, 0.85)], 0.008, line)
    plane.write(f"{rng.uniform(8, 14):.2f} m", 0, 0.89, 0.05, line)
    plane.write(pick(rng, ("GROUND FLOOR", "FIRST FLOOR", "FLAT 3B", "LEVEL 2")), 0, -0.84, 0.08, line)
    return canvas.finish(rng, _HOURS[int(rng.integers(4))][0])


def paint(split: str, number: int, rng: np.random.Generator, size: tuple[int, int]) -> Picture:
    """Draw a photo of a room. The labels take turns."""
    label = LABELS[number % len(LABELS)]
    return Picture(draw(label, rng, size), (label,))


def draw(label: str, rng: np.random.Generator, size: tuple[int, int] = SIZE) -> Image.Image:
    """Draw an image of a room, one of :data:`LABELS`. The same state of ``rng`` gives the same image."""
    if label not in LABELS:
        raise InputError(f"label={label!r} is not a label of this example. Choose one of: {', '.join(LABELS)}.")
    if label == "floor_plan":
        return _floor_plan(rng, size)
    return (_indoors if label in _ROOMS else _outdoors)(label, rng, size)
