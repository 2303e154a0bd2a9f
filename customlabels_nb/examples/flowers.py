"""Example "flowers": a multi-label task with flowers and buds, with and without leaves.

There are nine labels, three per photo: the kind of flower (one of five), whether it has leaves, and whether it is in
full bloom. Every combination occurs. The kinds share colors, backgrounds and lighting. Blurred leaves may appear
behind flowers without leaves, and buds among open flowers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from customlabels_nb.examples._drawing import (
    Color,
    Painting,
    Picture,
    Plane,
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

_CREAM, _GOLD, _ORANGE, _GREEN, _WHITE = colors("fbf3d6 f2bb3c ec8a34 6f9a4c fffdf8")
_GROUNDS = colors("dfe9e0 f4e2d3 d6e2ee efd9dc e9e2f0 3f5a54 4a4a68 c9b59a 8fae9c f7eecb 704a4a")
_GARDENS = colors("5f8f5a 3f6f52 86a860 a9a266 5a7f86")
_TINTS = ((1.0, 1.0, 1.0), (1.06, 1.0, 0.9), (0.92, 0.97, 1.04), (0.84, 0.83, 0.92), (1.04, 0.95, 0.86))

Head = Callable[[Plane, np.random.Generator, Color, float], None]


@dataclass(frozen=True)
class _Species:
    """Appearance of a flower species: open head, heads per stem, bud petals, leaves and colors."""

    head: Head
    bunch: tuple[int, int]
    bud: tuple[float, float]  # width and pointedness of the petals
    leaf: tuple[float, float, float, float]  # length, width, belly, pointedness
    greens: tuple[Color, ...]  # of the leaves and the stem
    colors: tuple[Color, ...]


def _petal(plane: Plane, turn: float, shape: tuple[float, float, float, float], color: Color) -> None:
    """Draw a petal with a slightly darker edge and a lighter middle."""
    length, width, belly, point = shape
    turned = plane.moved(0, 0, turn)
    turned.draw(petal(length, width, belly, point), shade(color, 0.82))
    turned.draw(petal(length * 0.97, width * 0.92, belly, point), color, mix(color, _WHITE, 0.16))
    turned.draw(petal(length * 0.8, width * 0.35, belly, 1.0), mix(color, _WHITE, 0.3), alpha=0.35)


def _bougainvillea(plane: Plane, rng: np.random.Generator, color: Color, size: float) -> None:
    for _ in range(int(rng.integers(5, 9))):
        x, y = rng.normal(0, 0.38, 2).tolist()
        bract, turn = plane.moved(x, y, 0, 0.55), rng.uniform(0, 360)
        for k in range(3):
            _petal(bract, turn + 120 * k, (1.0, 0.95, 0.5, 0.7), vary(color, rng))
        for k in range(3):
            bract.line([(0, 0), turned([(0, 0.3)], turn + 60 + 120 * k)[0]], 0.06, mix(color, _CREAM, 0.5))
            bract.draw(turned(oval(0, 0.32, 0.1), turn + 60 + 120 * k), _CREAM)


def _camellia(plane: Plane, rng: np.random.Generator, color: Color, size: float) -> None:
    rings, start = int(rng.integers(3, 6)), rng.uniform(0, 360)
    for ring in range(rings):
        length, count = 1.0 - 0.75 * ring / rings, 8 - ring
        tone = mix(color, _WHITE if ring % 2 else color, 0.1)
        for k in range(count):
            turn = start + 360 * (k + 0.5 * ring) / count + rng.normal(0, 4)
            _petal(plane, turn, (length, length * 0.95, 0.66, 0.45), vary(tone, rng, 0.03))
    if rings < 5:
        for _ in range(16):
            plane.draw(turned(oval(0, 0, 0.045), 0, rng.normal(0, 0.1), rng.normal(0, 0.1)), vary(_GOLD, rng))


def _lilac(plane: Plane, rng: np.random.Generator, color: Color, size: float) -> None:
    for y in np.linspace(-0.8, 1.5, 80).tolist():
        wide = min(0.55, 0.3 + 0.3 * size) * min(1.0, (y + 1.2) * 1.5) * ((1.7 - y) / 2.5) ** 0.6
        x, tone = rng.uniform(-wide, wide), vary(color, rng, 0.09)
        floret, turn = plane.moved(x, y, rng.uniform(0, 90), 0.16), int(rng.integers(0, 90))
        if y > -0.4 + 2.2 * size + rng.normal(0, 0.2):
            floret.draw(oval(0, 0, 0.6), shade(tone, 0.8))
            continue
        for k in range(4):
            floret.draw(turned(petal(1.15, 0.85, 0.6, 0.6), turn + 90 * k), mix(tone, _WHITE, 0.06 * k))
        floret.draw(oval(0, 0, 0.17), mix(_GOLD, tone, 0.4))


def _frangipani(plane: Plane, rng: np.random.Generator, color: Color, size: float) -> None:
    turn = rng.uniform(0, 72)
    for k in range(5):
        shape, tone = petal(1.0, 0.78, 0.66, 0.55), vary(color, rng, 0.02)
        moved = plane.moved(0, 0, turn + 72 * k).moved(0.14, 0)  # each petal covers half of the next one
        moved.draw(shape, shade(tone, 0.84))
        moved.draw(shape * (0.92, 0.97), tone, mix(tone, _WHITE, 0.25))
        moved.draw(petal(0.62, 0.5, 0.45, 0.9), _GOLD, alpha=0.55)
        moved.draw(petal(0.38, 0.3, 0.45, 0.9), _ORANGE, alpha=0.5)


def _jonquil(plane: Plane, rng: np.random.Generator, color: Color, size: float) -> None:
    turn, cup = rng.uniform(0, 60), vary(pick(rng, (_GOLD, _ORANGE)), rng)
    for k in (0, 2, 4, 1, 3, 5):
        _petal(plane, turn + 60 * k, (1.0, 0.56, 0.55, 0.75), vary(color, rng, 0.03))
    for share, tone in ((1.0, shade(cup, 0.9)), (0.86, cup), (0.55, shade(cup, 0.7))):
        plane.draw(blob(rng, 0, 0, 0.36 * share, 0.06), tone)
    for k in range(5):
        plane.draw(turned(oval(0, 0.1, 0.045), 72 * k), _CREAM)


_SPECIES = {
    "bougainvillea": _Species(
        _bougainvillea, (1, 2), (0.5, 0.8), (0.9, 0.6, 0.45, 0.8), colors("5f9345 8a7355"),
        colors("c8246f b01c8a e0558e d8392f ea8a4a f6e3e6"),
    ),
    "camellia": _Species(
        _camellia, (1, 1), (0.85, 0.5), (1.25, 0.66, 0.5, 0.75), colors("2f6440 7a5f48"),
        colors("c2243f e2628a f0a9bb f8eee8 b51f5c f3d7d6"),
    ),
    "common_lilac": _Species(
        _lilac, (1, 2), (0.3, 0.6), (1.05, 0.85, 0.38, 0.75), colors("5f8f52 7d6a50"),
        colors("b08fd0 9468b8 d3a8d8 f4f0f6 c46aa8"),
    ),
    "frangipani": _Species(
        _frangipani, (2, 4), (0.34, 0.7), (1.9, 0.55, 0.55, 0.75), colors("4f8a48 9a9484"),
        colors("fbf5ea fbf5ea f7dfe0 ec9aae f6e6a4 d9506e"),
    ),
    "jonquil": _Species(
        _jonquil, (1, 3), (0.4, 0.8), (2.3, 0.2, 0.4, 0.6), colors("6f9f66 7fa25c"),
        colors("f6d23a f6d23a f8efc8 fcf8ee f3bd2e"),
    ),
}  # fmt: skip

_KINDS = tuple(_SPECIES)
LABELS = tuple(sorted((*_KINDS, "fully_grown", "not_fully_grown", "with_leaves", "without_leaves")))
TASK = "multi-label"
FILES = {"train": "csv", "test": "csv"}
TRAIN, TEST, SIZE = 100, 60, (480, 360)


def paint(split: str, number: int, rng: np.random.Generator, size: tuple[int, int]) -> Picture:
    """Draw a photo of flowers. The twenty combinations of labels take turns."""
    name, leafy, grown = _KINDS[number % 5], (number // 5) % 2 == 0, (number // 10) % 2 == 0
    canvas = compose(_SPECIES[name], leafy, grown, rng, size)
    image = canvas.finish(rng, pick(rng, _TINTS), rng.uniform(0.1, 0.35), rng.uniform(2, 4))
    ages, leaves = "fully_grown" if grown else "not_fully_grown", "with_leaves" if leafy else "without_leaves"
    return Picture(image, (name, ages, leaves))


def compose(species: _Species, leafy: bool, grown: bool, rng: np.random.Generator, size: tuple[int, int]) -> Painting:
    """Draw one to three stems, on a branch, in a vase or lying on a table."""
    way = pick(rng, ("branch", "branch", "vase", "lying"))
    canvas = _ground(rng, size, way)
    plane, color = canvas.flat(), vary(pick(rng, species.colors), rng)
    stems, scale = int(rng.choice([1, 1, 2, 3])), rng.uniform(0.34, 0.5)
    scale *= 1.0 if stems == 1 else 0.75
    turn = rng.uniform(0, 360) if way == "lying" else rng.normal(0, 8)
    foot = (rng.normal(0, 0.25), -0.72) if way == "vase" else (rng.normal(0, 0.5), -1.7)
    turned_plane = plane.moved(0, 0, turn) if way != "vase" else plane
    heads, paths = [], []
    for k in range(stems):
        x, y = 0.55 * (k - (stems - 1) / 2) + rng.normal(0, 0.1), rng.uniform(-0.05, 0.5)
        heads.append((x, y))
        start = foot if way == "vase" else (foot[0] + x * 0.6, foot[1])
        paths.append(curve(start, ((x + start[0]) / 2 + rng.normal(0, 0.2), (y + start[1]) / 2), (x, y)))
    if way == "lying":
        shadow = turned_plane.moved(rng.normal(0.05, 0.06), rng.normal(-0.08, 0.06))
        for (x, y), path in zip(heads, paths, strict=True):
            shadow.shadow(oval(x, y, scale * 0.9), 0.3, 0.03)
            shadow.shadow(np.concatenate([path, turned(path[::-1], 0, 0.06)]), 0.3, 0.015)
    for path in paths:
        turned_plane.line(path, 0.07 * scale / 0.4, species.greens[1])
        turned_plane.moved(-0.012, 0).line(path, 0.02, mix(species.greens[1], _WHITE, 0.35))
        if leafy:
            _leaves(turned_plane, rng, species, path, scale)
    if way == "vase":
        _vase(plane, rng, foot)
    strange = int(rng.integers(3 * stems))
    for k, (x, y) in enumerate(heads):
        open_ = grown if stems == 1 or k != strange else True
        _bunch(turned_plane.moved(x, y, rng.normal(0, 20), scale), rng, species, color, open_)
    return canvas


def _bunch(plane: Plane, rng: np.random.Generator, species: _Species, color: Color, grown: bool) -> None:
    count = int(rng.integers(species.bunch[0], species.bunch[1] + 1))
    opening = rng.uniform(0.85, 1.1)
    if species.head is _lilac:
        tone = color if grown else shade(mix(color, _GREEN, 0.15), 0.85)
        _lilac(plane, rng, tone, opening if grown else rng.uniform(0, 0.35))
        return
    for k in range(count):
        turn = 360.0 * k / count + rng.normal(0, 15) if grown else float(np.linspace(-50, 50, count)[k])
        ((x, y),) = turned([(0, 0.0 if count == 1 else 0.75)], turn).tolist()
        part = plane.moved(x, y, turn if not grown else 0, 1.0 if count == 1 else 0.78)
        if grown:
            species.head(part, rng, vary(color, rng, 0.03), opening)
        else:
            plane.line([(0, -0.2), (x, y - 0.1)], 0.09, mix(species.greens[1], _GREEN, 0.5))
            _bud(part, rng, species, vary(color, rng, 0.04), rng.choice([5, 24]) * rng.uniform(0.8, 1.2))


def _bud(plane: Plane, rng: np.random.Generator, species: _Species, color: Color, spread: float) -> None:
    """Draw a closed or half-open flower from the side: petals in a fan of ``spread`` degrees, sepals at the base."""
    width, point = species.bud
    tone = mix(color, species.greens[0], 0.12 if spread > 12 else 0.3)
    for _ in range(3 if species.head is _bougainvillea else 1):
        base = plane.moved(rng.normal(0, 0.02), -0.35)
        if species.head is _bougainvillea:
            base = plane.moved(rng.normal(0, 0.25), rng.normal(0, 0.25), rng.normal(0, 35), 0.75)
        for lean in (-2, 2, -1, 1, 0):
            _petal(base, lean * spread / 1.6, (1.05, width, 0.5, point), vary(tone, rng, 0.05))
        for lean in (-28, 28, 0):
            base.draw(turned(petal(0.42, 0.24, 0.45, 0.9), lean), shade(species.greens[0], 1.05 if lean else 0.95))


def _leaves(plane: Plane, rng: np.random.Generator, species: _Species, path: np.ndarray, scale: float) -> None:
    length, width, belly, point = (v * k for v, k in zip(species.leaf, (scale * 1.15, scale * 1.15, 1, 1), strict=True))
    blades = species.head is _jonquil
    for k, position in enumerate(
        rng.uniform(3 if blades else 6, 7 if blades else 13.5, int(rng.integers(3, 6))).tolist()
    ):
        x, y = path[int(position)].tolist()
        lean = (1 if k % 2 else -1) * float(rng.uniform(6, 25) if blades else rng.uniform(40, 85))
        leaf, green = plane.moved(x, y, lean, rng.uniform(0.8, 1.15)), vary(species.greens[0], rng, 0.07)
        blade = petal(length, width, belly, point)
        leaf.draw(blade, shade(green, 1.15), shade(green, 0.85))
        leaf.draw(blade[: len(blade) // 2], shade(green, 0.85), alpha=0.6)
        leaf.line([(0, 0), (0, length * 0.92)], width * 0.05, mix(green, _CREAM, 0.45))


def _vase(plane: Plane, rng: np.random.Generator, foot: tuple[float, float]) -> None:
    tone, ground = vary(pick(rng, (*_GROUNDS, _ORANGE, _CREAM)), rng), plane.moved(*foot)
    wide, neck = rng.uniform(0.2, 0.3), rng.uniform(0.09, 0.16)
    belly = curve((wide, -0.1), (wide, -0.3), (wide * 0.6, -0.34))
    right = np.concatenate([curve((neck * 1.2, 0.28), (neck * 0.7, 0.1), (wide, -0.1)), belly])
    ground.shadow(oval(0.08, -0.34, wide * 1.3, 0.08), 0.45, 0.02)
    ground.draw(np.concatenate([right, right[::-1] * (-1, 1)]), shade(tone, 1.08), shade(tone, 0.8))
    ground.draw(oval(-wide * 0.45, -0.12, wide * 0.12, 0.11), _WHITE, alpha=0.4)


def _ground(rng: np.random.Generator, size: tuple[int, int], way: str) -> Painting:
    """Draw the background of the flowers: a table in front of a blurred garden or a wall, or a cloth."""
    tone = vary(pick(rng, _GROUNDS), rng)
    garden = way != "lying" and rng.random() < 0.55
    if garden:
        tone = vary(pick(rng, _GARDENS), rng)
    canvas = Painting(size, shade(tone, 1.08), shade(tone, 0.88))
    plane = canvas.flat()
    if garden:
        blooms = (_CREAM, *pick(rng, list(_SPECIES.values())).colors)
        for x, y in rng.uniform(-1.4, 1.4, (int(rng.integers(6, 14)), 2)).tolist():
            leaf = rng.random() < 0.65
            shape = turned(petal(0.9, 0.5), rng.uniform(0, 360), x, y) if leaf else oval(x, y, 0.2)
            plane.shadow(shape, 0.6, rng.uniform(0.02, 0.06), vary(pick(rng, _GARDENS if leaf else blooms), rng))
    elif way == "lying":
        for x in np.arange(-2, 2, 0.5).tolist():
            plane.line([(x, -2), (x, 2)], 0.012, shade(tone, 0.93))
    elif rng.random() < 0.5:
        x = rng.uniform(-1.2, 0.4)
        for k in range(3):
            bar = turned([(0, -2), (0.3, -2), (1.1, 2), (0.8, 2)], 0, x + 0.42 * k)
            plane.shadow(bar, 0.3, 0.03, mix(tone, _WHITE, 0.8))
    if way == "vase":
        wood = vary(pick(rng, _GROUNDS), rng)
        plane.draw(rect(-4, -0.8, 4, -4), shade(wood, 0.92), shade(wood, 1.06))
    return canvas
