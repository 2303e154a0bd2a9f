"""Marks made of polygons: the three brands, signs that only look like them, and letters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from customlabels_nb.examples._drawing import Colour, Flat, dim, mix, rgb, rounded, vary

WHITE: Colour = (250, 250, 248)
_STEP = 0.12  # edges are cut into pieces no longer than this, so that they bend with what they lie on
_THICK = 0.1  # half the stroke of a letter one unit high


@dataclass(frozen=True)
class Layer:
    """Outlines of one colour; of two that overlap the later one counts, and a hole lets through what is below."""

    colour: Colour
    outlines: tuple[tuple[tuple[Flat, ...], bool], ...]


Mark = tuple[Layer, ...]


@dataclass(frozen=True)
class Inks:
    """Colours of a mark: the main one, a second one and an accent."""

    main: Colour
    second: Colour
    accent: Colour


@dataclass(frozen=True)
class Brand:
    """A brand's sign, with its colours on light grounds and on dark ones."""

    word: str
    sign: Callable[[Inks], list[Layer]]
    light: Inks
    dark: Inks


def _layer(colour: Colour, *outlines: Sequence[Flat], holes: Sequence[Sequence[Flat]] = ()) -> Layer:
    return Layer(colour, (*((_fine(o), False) for o in outlines), *((_fine(o), True) for o in holes)))


def _fine(outline: Sequence[Flat]) -> tuple[Flat, ...]:
    points: list[Flat] = []
    for (ax, ay), (bx, by) in zip(outline, [*outline[1:], outline[0]], strict=True):
        count = max(1, math.ceil(math.hypot(bx - ax, by - ay) / _STEP))
        points += [(ax + (bx - ax) * k / count, ay + (by - ay) * k / count) for k in range(count)]
    return tuple(points)


def _ring(x: float, y: float, radius: float, count: int = 40, turn: float = 0.0) -> list[Flat]:
    """A circle, or with few points a regular polygon that stands on a side for ``turn`` 0."""
    angles = [2 * math.pi * k / count + turn for k in range(count)]
    return [(x + math.sin(a) * radius, y + math.cos(a) * radius) for a in angles]


def _drop(x: float, y: float, size: float, lean: float = 0.0) -> list[Flat]:
    """A drop or flame with its tip up."""
    points = []
    for k in range(36):
        a = 2 * math.pi * k / 36
        rise = 0.5 * (1 + math.cos(a))
        points.append((x + size * (0.62 * math.sin(a) * (1 - rise**1.6) + lean * rise**2), y + size * math.cos(a)))
    return points


def _vanes(count: int, reach: float, bend: float, wide: float) -> list[list[Flat]]:
    """Blades around a hub, each bent the same way."""
    found = []
    t = (1 - np.cos(np.linspace(0, math.pi, 36))) / 2
    for k in range(count):
        start = 2 * math.pi * k / count
        radius = 0.2 + (reach - 0.2) * t
        front = start + bend * t
        back = front + wide * np.sin(math.pi * (0.12 + 0.88 * t)) ** 0.9
        r = np.concatenate([radius, radius[::-1]])
        a = np.concatenate([front, back[::-1]])
        found.append(list(zip((r * np.sin(a)).tolist(), (r * np.cos(a)).tolist(), strict=True)))
    return found


def _lumivane(inks: Inks) -> list[Layer]:
    first, *others = _vanes(5, 1.0, 0.75, 0.95)
    return [
        _layer(inks.main, *others),
        _layer(inks.accent, first, _ring(0, 0, 0.13)),
    ]


def _pellwick(inks: Inks) -> list[Layer]:
    return [
        _layer(inks.main, rounded(_ring(0, 0, 1.0, 6), 0.12), holes=[rounded(_ring(0, 0, 0.76, 6), 0.1)]),
        _layer(inks.accent, _drop(0, 0.06, 0.5, 0.1), holes=[_drop(0.03, -0.1, 0.2, 0.1)]),
        _layer(inks.main, [(-0.3, -0.6), (0.3, -0.6), (0.3, -0.5), (-0.3, -0.5)]),
    ]


def _tarnfold(inks: Inks) -> list[Layer]:
    return [
        _layer(inks.main, [(-1.0, -0.22), (-0.28, 0.88), (-0.06, -0.22)]),
        _layer(inks.second, [(-0.28, 0.88), (0.22, 0.12), (0.06, -0.22), (-0.06, -0.22)]),
        _layer(inks.accent, [(0.12, -0.22), (0.48, 0.5), (1.0, -0.22)]),
        _layer(inks.main, [(-0.86, -0.34), (0.86, -0.34), (0.72, -0.52), (-0.72, -0.52)]),
        _layer(inks.second, [(-0.58, -0.64), (0.58, -0.64), (0.44, -0.82), (-0.44, -0.82)]),
    ]


BRANDS = {
    "lumivane": Brand(
        "LUMIVANE",
        _lumivane,
        Inks(rgb("0d8d88"), rgb("0d8d88"), rgb("f29b1d")),
        Inks(rgb("f4faf8"), rgb("f4faf8"), rgb("f8b23c")),
    ),
    "pellwick": Brand(
        "PELLWICK",
        _pellwick,
        Inks(rgb("5b2b86"), rgb("5b2b86"), rgb("ea4f3a")),
        Inks(rgb("f6f1fa"), rgb("f6f1fa"), rgb("ff7d5e")),
    ),
    "tarnfold": Brand(
        "TARNFOLD",
        _tarnfold,
        Inks(rgb("17436f"), rgb("3c86b4"), rgb("46a06b")),
        Inks(rgb("f2f7fb"), rgb("b9d8ea"), rgb("8ed6a4")),
    ),
}


def logo(brand: str, inks: Inks, *, word: bool) -> Mark:
    """A brand's mark, about 2 units high and wide; ``word`` adds its name below and makes all of it smaller."""
    layers = BRANDS[brand].sign(inks)
    if word:
        layers = [*_moved(layers, 0, 0.26, 0.74), letters(BRANDS[brand].word, inks.main, 0, -0.83, 1.72, 0.3)]
    return tuple(layers)


def inks_for(brand: str, ground: Colour, rng: np.random.Generator) -> Inks:
    """The brand's colours as they are printed on that ground: in full, in one colour, or light on dark."""
    bright = 0.3 * ground[0] + 0.59 * ground[1] + 0.11 * ground[2]
    known, plain = BRANDS[brand], bool(rng.random() < 0.18)
    loud = max(ground) - min(ground) > 70
    if bright > 150 and not (loud and plain):
        full = known.light if not plain else Inks(*[_dark(rng)] * 3)
    elif plain or loud:
        full = Inks(WHITE, WHITE, WHITE)
    else:
        full = known.dark
    return Inks(vary(full.main, rng, 0.03), vary(full.second, rng, 0.03), vary(full.accent, rng, 0.03))


def _dark(rng: np.random.Generator) -> Colour:
    return (rgb("26292e"), rgb("3b2a20"), rgb("1f3348"))[int(rng.integers(3))]


def decoy(ground: Colour, rng: np.random.Generator) -> Mark:
    """A sign that is none of the brands: some are made of the same shapes, some of the same colours."""
    brands = list(BRANDS.values())
    borrowed = brands[int(rng.integers(len(brands)))]
    bright = 0.3 * ground[0] + 0.59 * ground[1] + 0.11 * ground[2]
    inks = borrowed.light if bright > 140 else borrowed.dark
    if rng.random() < 0.6:
        tones = [vary(rgb(c), rng, 0.08) for c in ("c2413b", "2f6f4f", "2b4c8c", "b07a1c", "7a3b69", "2a2d33")]
        order = rng.permutation(len(tones)).tolist()
        tones = tones if bright > 140 else [mix(tone, WHITE, 0.72) for tone in tones]
        inks = Inks(*(tones[k] for k in order[:3]))
    layers = _DECOYS[int(rng.integers(len(_DECOYS)))](inks, rng)
    if rng.random() < 0.35:
        name = WORDS[int(rng.integers(len(WORDS)))]
        layers = [*_moved(layers, 0, 0.26, 0.74), letters(name, inks.main, 0, -0.83, 1.6, 0.3)]
    return tuple(layers)


def _moved(layers: Sequence[Layer], dx: float, dy: float, scale: float) -> list[Layer]:
    return [
        Layer(
            one.colour, tuple((tuple((x * scale + dx, y * scale + dy) for x, y in o), hole) for o, hole in one.outlines)
        )
        for one in layers
    ]


def _other_wheel(inks: Inks, rng: np.random.Generator) -> list[Layer]:
    blades = _vanes(int(rng.choice([3, 4, 8])), 1.0, float(rng.choice([-0.7, 0.2])), 0.55)
    return [_layer(inks.main, *blades, _ring(0, 0, 0.2))]


def _sun(inks: Inks, rng: np.random.Generator) -> list[Layer]:
    count = int(rng.choice([8, 12]))
    rays = []
    for k in range(count):
        a = 2 * math.pi * k / count
        s, c = math.sin(a), math.cos(a)
        rays.append([(s * 0.62 - c * 0.1, c * 0.62 + s * 0.1), (s, c), (s * 0.62 + c * 0.1, c * 0.62 - s * 0.1)])
    return [_layer(inks.accent, _ring(0, 0, 0.5), *rays)]


def _hexagon(inks: Inks, rng: np.random.Generator) -> list[Layer]:
    ring = _layer(inks.main, _ring(0, 0, 1.0, 6), holes=[_ring(0, 0, 0.8, 6)])
    if rng.random() < 0.5:
        return [ring, _layer(inks.accent, _star(0.62))]
    return [ring, _layer(inks.accent, _ring(0, 0, 0.45), holes=[_ring(0, 0, 0.2)])]


def _water(inks: Inks, rng: np.random.Generator) -> list[Layer]:
    disc = _layer(inks.main, _ring(0, 0, 1.0), holes=[_ring(0, 0, 0.86)] if rng.random() < 0.6 else [])
    tone = inks.accent if len(disc.outlines) > 1 else WHITE
    return [disc, _layer(tone, _drop(0, 0.02, 0.6))]


def _hills(inks: Inks, rng: np.random.Generator) -> list[Layer]:
    back = _layer(inks.accent, [(-0.2, -0.6), (0.42, 0.6), (1.0, -0.6)])
    front = _layer(inks.main, [(-1.0, -0.6), (-0.36, 0.85), (0.34, -0.6)])
    snow = _layer(
        WHITE if inks.main[0] < 160 else inks.second, [(-0.6, 0.3), (-0.36, 0.85), (-0.1, 0.3), (-0.34, 0.44)]
    )
    return [back, front, snow] if rng.random() < 0.6 else [back, front, _layer(inks.second, _ring(0.72, 0.7, 0.2))]


def _house(inks: Inks, rng: np.random.Generator) -> list[Layer]:
    roof = _layer(inks.main, [(-1, 0.1), (0, 0.95), (1, 0.1)])
    walls = [(-0.72, 0.0), (0.72, 0.0), (0.72, -0.85), (-0.72, -0.85)]
    door = [(-0.2, -0.85), (0.2, -0.85), (0.2, -0.25), (-0.2, -0.25)]
    return [roof, _layer(inks.second if rng.random() < 0.5 else inks.accent, walls, holes=[door])]


def _bars(inks: Inks, rng: np.random.Generator) -> list[Layer]:
    lean = float(rng.uniform(-0.25, 0.25))
    tones = (inks.main, inks.second, inks.accent)
    return [
        _layer(tone, [(x + lean, 0.9 - 0.4 * k), (x + 0.5 + lean, 0.9 - 0.4 * k), (x + 0.5, -0.9), (x, -0.9)])
        for k, (tone, x) in enumerate(zip(tones, (-0.95, -0.27, 0.41), strict=True))
    ]


def _shield(inks: Inks, rng: np.random.Generator) -> list[Layer]:
    shape = rounded([(-0.8, 0.9), (0.8, 0.9), (0.8, -0.1), (0, -1), (-0.8, -0.1)], 0.25)
    inner = [(x * 0.6, y * 0.6 + 0.05) for x, y in _star(1.0)] if rng.random() < 0.5 else _drop(0, 0.05, 0.5)
    return [_layer(inks.main, shape, holes=[inner])]


def _badge(inks: Inks, rng: np.random.Generator) -> list[Layer]:
    name = WORDS[int(rng.integers(len(WORDS)))]
    tone = WHITE if sum(inks.main) < 480 else dim(inks.main, 0.25)
    return [_layer(inks.main, _ring(0, 0, 1.0)), letters(name, tone, 0, 0, 1.5, 0.5)]


def _leaf(inks: Inks, rng: np.random.Generator) -> list[Layer]:
    t = np.linspace(0, math.pi, 16)
    side = [(0.55 * math.sin(a) + 0.1, math.cos(a)) for a in t.tolist()]
    other = [(-0.55 * math.sin(a) + 0.1, math.cos(a)) for a in t[::-1].tolist()]
    if rng.random() < 0.5:
        return [_layer(inks.main, side), _layer(inks.accent, other)]
    return [_layer(inks.accent, side + other, holes=[[(0.07, 0.6), (0.13, 0.6), (0.15, -0.9), (0.05, -0.9)]])]


def _star(radius: float) -> list[Flat]:
    outer, inner = _ring(0, 0, radius, 5), _ring(0, 0, radius * 0.45, 5, math.pi / 5)
    return [point for pair in zip(outer, inner, strict=True) for point in pair]


_DECOYS = (_other_wheel, _sun, _hexagon, _water, _hills, _house, _bars, _shield, _badge, _leaf)

WORDS = ("CAFE", "BOOKS", "RADIO", "OTTO", "MAYA", "SALON", "NORD", "FRESH", "BAKERY", "GARDEN", "HOTEL", "CYCLE")

_STROKES = {
    "A": "00 26 40/12 32", "B": "00 06 36 45 44 33 03/33 42 41 30 00", "C": "45 36 16 05 01 10 30 41",
    "D": "00 06 26 44 42 20 00", "E": "46 06 00 40/03 33", "F": "46 06 00/03 33", "G": "45 36 16 05 01 10 30 41 43 23",
    "H": "00 06/40 46/03 43", "I": "00 06", "J": "46 41 30 10 01", "K": "00 06/46 03 40", "L": "06 00 40",
    "M": "00 06 23 46 40", "N": "00 06 40 46", "O": "10 01 05 16 36 45 41 30 10", "P": "00 06 36 45 44 33 03",
    "Q": "10 01 05 16 36 45 41 30 10/22 40", "R": "00 06 36 45 44 33 03/23 40",
    "S": "45 36 16 05 04 13 33 42 41 30 10 01", "T": "06 46/26 20", "U": "06 01 10 30 41 46", "V": "06 20 46",
    "W": "06 10 23 30 46", "X": "00 46/06 40", "Y": "06 23 46/23 20", "Z": "06 46 00 40",
}  # fmt: skip


def letters(text: str, colour: Colour, x: float, y: float, wide: float, high: float) -> Layer:
    """Capital letters around (x, y), as large as fits into that width and height."""
    placed, at = [], 0.0
    for letter in text:
        strokes = [[(int(p[0]) / 6, int(p[1]) / 6) for p in run.split()] for run in _STROKES[letter].split("/")]
        placed += [[(at + u, v) for u, v in run] for run in strokes]
        at += max(u for run in strokes for u, _ in run) + 0.36
    size = min(high / (1 + 2 * _THICK), wide / (at - 0.36 + 2 * _THICK))
    shift = (at - 0.36) / 2
    outlines: list[list[Flat]] = []
    for run in placed:
        for (ax, ay), (bx, by) in pairwise(run):
            long_ = math.hypot(bx - ax, by - ay)
            nx, ny = -(by - ay) / long_ * _THICK, (bx - ax) / long_ * _THICK
            outlines.append([(ax + nx, ay + ny), (bx + nx, by + ny), (bx - nx, by - ny), (ax - nx, ay - ny)])
        outlines += [_ring(u, v, _THICK, 10) for u, v in run]
    return Layer(
        colour, tuple((tuple((x + (u - shift) * size, y + (v - 0.5) * size) for u, v in o), False) for o in outlines)
    )
