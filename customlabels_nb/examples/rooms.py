"""The example "rooms": a home's rooms and grounds, ten labels, one a photo.

Rooms share walls, windows, lamps, plants and colours, and are seen from many viewpoints at many hours, so what tells
them apart is the furniture. Some share even that: a kitchen may have a sofa, a living space a counter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from customlabels_nb.errors import InputError
from customlabels_nb.examples._drawing import (
    Camera,
    Canvas,
    Colour,
    Picture,
    Plane,
    Space,
    blob,
    colours,
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

_WALLS = colours("f2e8da e4dccf dce6e2 d3deea efdfdb e6e0ef f3dfbf bfd3c8 7fa09a 4f6a80 cf9a7c d9b8b0")
_WOODS = colours("c99a6b a9744a dfbb8c 8a5a3b d5c2a6")
_FABRICS = colours("d9693f 2f6f73 e3a93b 3d5a80 8a4f7d 6b8f5a c8506b 5b6470 cbb79b")
_GREENS = colours("4f8a4b 6fa052 3f7357 86a95a")
_WHITE, _DARK, _GLASS = colours("f7f5f0 33343f b9d4de")
_HOURS = (  # the picture's tint, the sky's top and bottom
    ((1.0, 1.0, 1.0), *colours("6fb1dd d8edf5")),
    ((1.05, 1.0, 0.93), *colours("8fc3e8 fbe6c4")),
    ((1.02, 0.9, 0.82), *colours("6d7fb8 f7a877")),
    ((0.95, 0.98, 1.02), *colours("b4bec8 e2e6e8")),
    ((0.6, 0.62, 0.82), *colours("1d2450 4a4f88")),
)

Paint = Callable[[Space], None]


@dataclass
class _Home:
    """A canvas, where its world begins, and what stands in it, to be drawn from far to near."""

    rng: np.random.Generator
    space: Space
    hour: int
    width: float = 0.0
    depth: float = 0.0
    things: list[tuple[Space, Paint]] = field(default_factory=list)

    def put(self, place: Space, *paints: Paint) -> None:
        self.things += [(place, paint) for paint in paints]

    def some(self, share: float) -> bool:
        return float(self.rng.random()) < share

    def wall(self, number: int, along: float = 0.0) -> Space:
        """Return a place at the foot of the back (0), left (1) or right (2) wall; w points into the wall."""
        side = self.width / 2
        if number == 0:
            return self.space.at(along, self.depth)
        return self.space.at(-side if number == 1 else side, self.depth * 0.5 + along, 90 if number == 1 else -90)

    def finish(self) -> Image.Image:
        for place, paint in sorted(self.things, key=lambda thing: -thing[0].distance()):
            paint(place)
        return self.space.canvas.finish(self.rng, _HOURS[self.hour][0], 0.3 if self.hour == 4 else 0.16)


def _indoors(rng: np.random.Generator, size: tuple[int, int], tiles: bool = False) -> _Home:
    """Build an empty room: floor, ceiling, three walls."""
    width, depth, high = rng.uniform(4.0, 5.6), rng.uniform(3.2, 4.6), rng.uniform(2.5, 2.9)
    yaw = float(rng.normal(0, 12))
    eye = (-yaw * 0.045 + float(rng.normal(0, 0.4)), float(rng.uniform(1.2, 1.75)), float(rng.uniform(-1.9, -1.0)))
    camera = Camera(eye, yaw, float(rng.uniform(-9, 0)), float(rng.normal(0, 1)), float(rng.uniform(0.6, 0.8)))
    wall = vary(pick(rng, _WALLS), rng)
    canvas = Canvas(size, wall)
    home = _Home(rng, Space(canvas, camera), int(rng.choice(5, p=(0.32, 0.24, 0.16, 0.14, 0.14))), width, depth)
    space, x = home.space, width / 2
    space.floor(high).draw(rect(-x, -2, x, depth), shade(_WHITE, 0.97), shade(_WHITE, 0.9))
    ground = vary(pick(rng, colours("e6e2da c9d2d6 d9c8b4 8f9aa3")) if tiles else pick(rng, _WOODS), rng)
    floor = space.floor()
    floor.draw(rect(-x, -2, x, depth), shade(ground, 0.94), shade(ground, 1.06))
    step = float(rng.uniform(0.4, 0.6)) if tiles else float(rng.uniform(0.18, 0.3))
    for u in np.arange(-x, x, step).tolist():
        floor.line([(u, -2), (u, depth)], 0.012, shade(ground, 0.87))
    for w in np.arange(-2, depth, step if tiles else 1.4).tolist():
        floor.line([(-x, w), (x, w)], 0.012, shade(ground, 0.87))
    lower = mix(wall, _WHITE, 0.6) if tiles or home.some(0.25) else wall
    for number, tone in ((1, 0.9), (2, 0.96), (0, 1.0)):
        reach = x if number == 0 else depth / 2 + (2 if number else 0)
        front = home.wall(number).front()
        front.draw(rect(-reach, 0, reach, high), shade(wall, tone * 1.03), shade(wall, tone * 0.93))
        if lower is not wall:
            front.draw(rect(-reach, 0, reach, 1.05), shade(lower, tone))
        front.draw(rect(-reach, 0, reach, 0.1), shade(_WHITE, tone * 0.97))
        front.shadow(rect(-reach, 0.0, reach, 0.04), 0.25, 0.02)
    return home


def _window(home: _Home, front: Plane, x: float, wide: float, curtains: bool = True) -> None:
    rng, (_, above, below) = home.rng, _HOURS[home.hour]
    low, high = rng.uniform(0.85, 1.1), rng.uniform(1.95, 2.25)
    front.draw(rect(x - wide - 0.07, low - 0.07, x + wide + 0.07, high + 0.07), _WHITE)
    front.draw(rect(x - wide, low, x + wide, high), above, below)
    hills = [(x - wide, low), *curve((x - wide, low + 0.3), (x, low + rng.uniform(0.3, 0.9)), (x + wide, low + 0.25))]
    front.draw([*hills, (x + wide, low)], mix(pick(rng, _GREENS), above, 0.35))
    front.line([(x, low), (x, high)], 0.05, _WHITE)
    front.line([(x - wide, (low + high) / 2), (x + wide, (low + high) / 2)], 0.04, _WHITE)
    if curtains:
        cloth = vary(mix(pick(rng, _FABRICS), _WHITE, rng.uniform(0.2, 0.8)), rng)
        for side in (-1, 1):
            edge = x + side * (wide + 0.2)
            front.draw(rect(edge - 0.2, low - 0.4, edge + 0.2, high + 0.18), cloth, shade(cloth, 0.9))
            for fold in (-0.1, 0.04):
                front.line([(edge + fold, low - 0.38), (edge + fold, high + 0.16)], 0.04, shade(cloth, 0.9))


def _picture(rng: np.random.Generator, front: Plane, x: float, y: float) -> None:
    wide, high = rng.uniform(0.22, 0.5, 2)
    front.shadow(rect(x - wide, y - high - 0.05, x + wide + 0.05, y + high), 0.2, 0.01)
    front.draw(rect(x - wide, y - high, x + wide, y + high), pick(rng, (_DARK, _WHITE, *_WOODS)))
    wide, high = wide - 0.05, high - 0.05
    front.draw(rect(x - wide, y - high, x + wide, y + high), vary(_WHITE, rng, 0.02))
    for _ in range(int(rng.integers(2, 4))):
        r = min(wide, high) * rng.uniform(0.3, 0.7)
        u, v = rng.uniform(-1, 1, 2) * (wide - r, high - r)
        front.draw(oval(x + u, y + v, r, end=float(rng.choice([180, 360]))), vary(pick(rng, _FABRICS), rng))


def _plant(space: Space, rng: np.random.Generator, size: float = 1.0) -> None:
    pot, green = vary(pick(rng, (*_FABRICS, _WHITE)), rng), vary(pick(rng, _GREENS), rng)
    space.shadow(oval(0, 0, 0.22 * size))
    space.solid(oval(0, 0, 0.16 * size), 0, 0.34 * size, pot, shade(pot, 0.6))
    front = space.front()
    for lean in rng.normal(0, 32, 9).tolist():
        leaf = petal(rng.uniform(0.5, 0.95) * size, 0.2 * size, 0.6, 0.8)
        front.draw(turned(leaf, lean, 0, 0.3 * size), vary(green, rng, 0.1))


def _lamp(home: _Home, space: Space, high: float) -> None:
    front, wood = space.front(), pick(home.rng, _WOODS)
    front.line([(0, 0), (0, high)], 0.03, _DARK if high > 1 else wood)
    lit = home.hour == 4 or home.some(0.3)
    if lit:
        front.shadow(oval(0, high, 0.7), 0.35, 0.08, (255, 226, 150))
    cone = [(-0.2, high - 0.1), (0.2, high - 0.1), (0.12, high + 0.22), (-0.12, high + 0.22)]
    front.draw(cone, (255, 238, 190) if lit else shade(_WHITE, 0.93), (255, 214, 130) if lit else shade(_WHITE, 0.85))


def _rug(home: _Home, u: float, w: float) -> None:
    rng, floor = home.rng, home.space.floor()
    wide, deep = rng.uniform(0.8, 1.5), rng.uniform(0.6, 1.0)
    tone, inner = (vary(colour, rng) for colour in (pick(rng, _FABRICS), pick(rng, (_WHITE, *_FABRICS))))
    round_ = home.some(0.4)
    for share, colour in ((1.0, tone), (0.85, inner), (0.72, tone)):
        a, b = wide * share, deep * share
        floor.draw(oval(u, w, a, b) if round_ else rect(u - a, w - b, u + a, w + b), mix(colour, _WHITE, 0.15))


def _sofa(space: Space, rng: np.random.Generator, wide: float) -> None:
    cloth, w = vary(pick(rng, _FABRICS), rng), wide
    space.shadow(rect(-w - 0.2, -0.95, w + 0.2, 0))
    space.build(
        (-w, w, -0.25, 0, 0.1, 0.86, shade(cloth, 0.93), 0.1),
        (-w, w, -0.9, -0.22, 0.1, 0.45, cloth, 0.1),
        (-w - 0.2, -w, -0.92, 0, 0.06, 0.63, cloth, 0.08),
        (w, w + 0.2, -0.92, 0, 0.06, 0.63, cloth, 0.08),
    )
    for x in np.arange(-w + 0.3, w, 0.75).tolist():
        cushion = turned(rect(-0.2, -0.2, 0.2, 0.2, 0.07), float(rng.normal(0, 14)), x, 0.64)
        space.front(-0.32).draw(cushion, vary(pick(rng, (_WHITE, *_FABRICS)), rng))


def _table(space: Space, rng: np.random.Generator, wide: float, deep: float, high: float, legs: float = 0.06) -> None:
    wood = vary(pick(rng, (*_WOODS, _WHITE)), rng)
    u, w = wide - legs, deep - legs
    space.shadow(rect(-wide, -deep, wide, deep), 0.3)
    posts = [(a * u - legs / 2, a * u + legs / 2, b * w - legs / 2, b * w + legs / 2) for a in (-1, 1) for b in (-1, 1)]
    space.build(*((*post, 0, high, shade(wood, 0.85)) for post in posts))
    space.box(-wide, wide, -deep, deep, high, high + 0.05, wood, 0.05)


def _chair(space: Space, rng: np.random.Generator, colour: Colour) -> None:
    legs = [(u, u + 0.05, w, w + 0.05, 0, 0.45, shade(colour, 0.8)) for u in (-0.2, 0.15) for w in (-0.2, 0.15)]
    space.shadow(rect(-0.22, -0.22, 0.22, 0.22))
    space.build(
        *legs, (-0.22, 0.22, -0.22, 0.22, 0.43, 0.48, colour, 0.04), (-0.22, 0.22, 0.18, 0.22, 0.5, 0.92, colour)
    )


def _drawers(space: Space, colour: Colour, wide: float, deep: float, high: float, across: int, down: int) -> None:
    """Draw a chest or cabinet: doors or drawers in a grid."""
    space.shadow(rect(-wide, -deep, wide, 0))
    space.box(-wide, wide, -deep, 0, 0, high, colour)
    front, u, v = space.front(-deep - 0.001), 2 * wide / across, high / down
    for x in range(across):
        for y in range(down):
            left, low = -wide + x * u, y * v
            front.draw(rect(left + 0.025, low + 0.025, left + u - 0.025, low + v - 0.025, 0.02), shade(colour, 1.05))
            front.draw(
                rect(left + u / 2 - 0.07, low + v - 0.1, left + u / 2 + 0.07, low + v - 0.07), shade(colour, 0.6)
            )


def _clothes(front: Plane, rng: np.random.Generator, left: float, right: float, high: float, count: int) -> None:
    front.line([(left, high), (right, high)], 0.03, shade(_DARK, 1.4))
    for x in np.linspace(left + 0.1, right - 0.1, count).tolist():
        long, cloth = rng.uniform(0.45, 0.85), vary(pick(rng, (*_FABRICS, _WHITE, _DARK)), rng, 0.1)
        outline = [(-0.02, 0), (0.02, 0), (0.1, -0.08), (0.1, -long), (-0.1, -long), (-0.1, -0.08)]
        front.draw(np.array(outline) + (x, high), cloth, shade(cloth, 0.85))


def _books(front: Plane, rng: np.random.Generator, left: float, right: float, low: float) -> None:
    x = left
    while x < right - 0.06:
        wide, high = rng.uniform(0.03, 0.07), rng.uniform(0.18, 0.28)
        front.draw(rect(x, low, x + wide, low + high), vary(pick(rng, _FABRICS), rng, 0.1))
        x += wide + (rng.uniform(0.1, 0.3) if rng.random() < 0.15 else 0.005)


def _shelves(space: Space, rng: np.random.Generator, wide: float, high: float, clothes: bool) -> None:
    wood = vary(pick(rng, (_WHITE, _WHITE, *_WOODS)), rng)
    space.shadow(rect(-wide, -0.4, wide, 0))
    back = space.front(-0.02)
    back.draw(rect(-wide, 0, wide, high), shade(wood, 0.72), shade(wood, 0.8))
    columns = max(1, round(wide / 0.45))
    for left in np.linspace(-wide, wide, columns + 1)[:-1].tolist():
        right, hung = left + 2 * wide / columns, clothes and rng.random() < 0.7
        for k, low in enumerate(np.arange(0.1, high - 0.2, 0.42).tolist()):
            shelf = space.front(-0.2)
            if hung and 0 < k < 4:
                if k == 3:
                    _clothes(shelf, rng, left + 0.04, right - 0.04, min(low + 0.5, high - 0.1), int(rng.integers(5, 9)))
                continue
            space.box(left, right, -0.36, -0.02, low - 0.03, low, wood)
            if not clothes and rng.random() < 0.75:
                _books(shelf, rng, left + 0.05, right - 0.05, low)
            elif rng.random() < 0.75:
                box, u = vary(pick(rng, (*_FABRICS, *_WOODS)), rng), left + rng.uniform(0.05, 0.2)
                for n in range(1 if rng.random() < 0.5 else 4):
                    tone = box if n == 0 else vary(pick(rng, _FABRICS), rng)
                    shelf.draw(
                        rect(u, low + n * 0.06, u + 0.34, low + (0.22 if n == 0 else n * 0.06 + 0.05), 0.02), tone
                    )
        space.box(left, left + 0.03, -0.38, 0, 0, high, wood)
    space.box(wide - 0.03, wide, -0.38, 0, 0, high, wood)
    space.box(-wide, wide, -0.38, 0, high, high + 0.04, wood)


def _counter(home: _Home, space: Space, wide: float, upper: bool) -> None:
    rng = home.rng
    tone, top = vary(pick(rng, (_WHITE, *_WOODS, *_FABRICS)), rng), vary(pick(rng, (_WHITE, _DARK, *_WOODS)), rng)
    units = max(2, round(wide / 0.32))
    if upper:
        space.front(-0.01).draw(rect(-wide, 0.9, wide, 1.5), mix(tone, _WHITE, 0.7), mix(tone, _WHITE, 0.5))
    _drawers(space, tone, wide, 0.6, 0.88, units, int(rng.integers(1, 4)))
    space.box(-wide - 0.02, wide + 0.02, -0.63, 0, 0.88, 0.93, top)
    x = (-wide + 0.35) if home.some(0.5) else (wide - 0.35)
    front = space.front(-0.61)
    front.draw(rect(x - 0.3, 0.02, x + 0.3, 0.86), shade(_DARK, 1.2), _DARK)
    front.draw(rect(x - 0.22, 0.15, x + 0.22, 0.55, 0.03), shade(_DARK, 0.6))
    front.line([(x - 0.22, 0.62), (x + 0.22, 0.62)], 0.03, _GLASS)
    for u, w in ((x - 0.14, -0.45), (x + 0.14, -0.2), (x + 0.14, -0.45), (x - 0.14, -0.2)):
        space.floor(0.931).draw(oval(u, w, 0.1), _DARK)
    space.floor(0.931).draw(rect(-x - 0.3, -0.5, -x + 0.3, -0.12, 0.06), shade(_GLASS, 0.8))
    space.front(-0.1).line(curve((-x, 0.93), (-x, 1.4), (-x + 0.2, 1.2)), 0.03, shade(_DARK, 1.8))
    for u in rng.uniform(-wide, wide, 4).tolist():
        pot = vary(pick(rng, _FABRICS), rng)
        space.at(u, -0.25).solid(oval(0, 0, 0.08), 0.93, 0.93 + rng.uniform(0.12, 0.3), pot)
    if upper:
        for k in range(units):
            u = -wide + k * 2 * wide / units
            if abs(u + wide / units - x) < 0.4:
                space.build(
                    (x - 0.28, x + 0.28, -0.45, 0, 1.55, 1.65, _GLASS), (x - 0.1, x + 0.1, -0.3, 0, 1.65, 2.3, _GLASS)
                )
            elif home.some(0.85):
                space.box(u + 0.01, u + 2 * wide / units - 0.01, -0.34, 0, 1.5, 2.15, tone)
                space.front(-0.345).draw(
                    rect(u + 0.04, 1.53, u + 2 * wide / units - 0.04, 2.12, 0.02), shade(tone, 1.05)
                )


def _decorate(home: _Home, windows: float = 0.7) -> None:
    """Hang a window or pictures on the walls that are left free, and put plants into corners."""
    rng, x = home.rng, home.width / 2
    for number in (0, 1, 2):
        front = home.wall(number).front(-0.02)
        at = float(rng.uniform(-0.6, 0.6))
        if home.some(windows):
            _window(home, front, at, float(rng.uniform(0.45, 0.8)), home.some(0.6))
        elif home.some(0.6):
            for k in range(int(rng.integers(1, 4))):
                _picture(rng, front, at + k * 0.9 - 0.9, float(rng.uniform(1.5, 1.8)))
    for side in (-1, 1):
        if home.some(0.4):
            home.put(
                home.space.at(side * (x - 0.35), home.depth - 0.35), lambda s: _plant(s, rng, rng.uniform(0.9, 1.5))
            )


def _kitchen(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    home = _indoors(rng, size, tiles=rng.random() < 0.6)
    _decorate(home, 0.45)
    side, wide = int(rng.integers(3)), float(rng.uniform(1.1, 1.8))
    home.put(home.wall(side), lambda s: _counter(home, s, wide, home.some(0.8)))
    if home.some(0.7):
        fridge = vary(pick(rng, (_WHITE, _GLASS, *_FABRICS)), rng)
        home.put(home.wall(side, wide + 0.45), lambda s: _drawers(s, fridge, 0.36, 0.65, 1.85, 1, 2))
    if home.some(0.55):
        island = home.space.at(float(rng.uniform(-0.6, 0.6)), home.depth * 0.42, float(rng.choice([0, 180])))
        tone = vary(pick(rng, (*_WOODS, *_FABRICS)), rng)
        home.put(island, lambda s: _drawers(s, tone, 0.85, 0.6, 0.88, 3, 1))
        home.put(island, lambda s: s.box(-0.95, 0.95, -0.7, 0.1, 0.88, 0.94, _WHITE))
        for u in (-0.5, 0.15):
            home.put(island.at(u, -1.0), lambda s: s.solid(oval(0, 0, 0.17), 0.6, 0.66, tone))
            home.put(island.at(u, -1.0), lambda s: s.front().line([(-0.08, 0), (0, 0.6), (0.08, 0)], 0.03, _DARK))
    elif home.some(0.6):
        dining = home.space.at(float(rng.uniform(-0.8, 0.8)), home.depth * 0.45)
        _dine(home, dining)
    if home.some(0.15):
        home.put(home.wall(1 + side % 2), lambda s: _sofa(s, rng, 0.7))
    return home.finish()


def _dine(home: _Home, place: Space) -> None:
    """Put a table with chairs."""
    rng, tone = home.rng, vary(pick(home.rng, (_WHITE, *_WOODS, *_FABRICS)), home.rng)
    home.put(place, lambda s: _table(s, rng, 0.7, 0.45, 0.7))
    for u, w, turn in ((-0.35, 0.65, 0), (0.35, 0.65, 0), (-0.35, -0.65, 180), (0.95, 0, -90), (-0.95, 0, 90)):
        if home.some(0.7):
            home.put(place.at(u, w, turn), lambda s: _chair(s, rng, tone))


def _living(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    home = _indoors(rng, size)
    _decorate(home)
    sides = rng.permutation(3).tolist()
    middle = float(rng.uniform(-0.4, 0.4)), home.depth * float(rng.uniform(0.4, 0.55))
    if home.some(0.75):
        _rug(home, *middle)
    wide = float(rng.uniform(0.65, 1.1))
    home.put(home.wall(sides[0], float(rng.normal(0, 0.3))), lambda s: _sofa(s, rng, wide))
    home.put(home.space.at(*middle), lambda s: _table(s, rng, rng.uniform(0.4, 0.65), 0.35, 0.36))

    def television(space: Space) -> None:
        _drawers(space, vary(pick(rng, (*_WOODS, _WHITE)), rng), 0.9, 0.4, 0.45, 3, 1)
        space.front(-0.1).draw(rect(-0.65, 0.62, 0.65, 1.36, 0.03), shade(_DARK, 0.7), shade(_DARK, 1.3))

    if home.some(0.6):
        home.put(home.wall(sides[1]), television)
    if home.some(0.5):
        home.put(home.wall(sides[2], 0.7), lambda s: _shelves(s, rng, 0.45, 1.9, False))
    if home.some(0.5):
        home.put(home.space.at(middle[0] + 1.3, middle[1], -60), lambda s: _sofa(s, rng, 0.32))
    if home.some(0.6):
        home.put(home.wall(sides[0], wide + 0.5).at(0, -0.3), lambda s: _lamp(home, s, 1.5))
    if home.some(0.15):
        home.put(home.wall(sides[2], -0.5), lambda s: _counter(home, s, 0.7, False))
    return home.finish()


def _bedroom(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    home = _indoors(rng, size)
    _decorate(home)
    if home.some(0.6):
        _rug(home, 0, home.depth * 0.4)
    wide, cloth, wood = rng.uniform(0.5, 0.95), vary(pick(rng, _FABRICS), rng), vary(pick(rng, _WOODS), rng)
    side, along = int(rng.choice([0, 0, 1, 2])), float(rng.uniform(-0.7, 0.7))

    def bed(space: Space) -> None:
        space.shadow(rect(-wide, -2.1, wide, 0))
        space.box(-wide - 0.05, wide + 0.05, -0.1, 0, 0, rng.uniform(0.8, 1.2), wood)
        space.box(-wide, wide, -2.05, -0.1, 0.12, 0.3, wood)
        space.box(-wide + 0.03, wide - 0.03, -2.0, -0.1, 0.3, 0.52, _WHITE, 0.1)
        for x in (-wide / 2, wide / 2) if wide > 0.65 else (0.0,):
            space.box(x - 0.3, x + 0.3, -0.55, -0.15, 0.52, 0.64, vary(_WHITE, rng, 0.03), 0.12)
        space.box(-wide, wide, -2.04, -0.75, 0.28, 0.57, cloth, 0.08)
        space.box(-wide, wide, -0.95, -0.7, 0.57, 0.59, mix(cloth, _WHITE, 0.5))

    home.put(home.wall(side, along).at(0, -1.0), lambda s: bed(s.at(0, 1.0)))
    for u in (-wide - 0.35, wide + 0.35):
        if home.some(0.75):
            home.put(home.wall(side, along).at(u, 0), lambda s: _drawers(s, wood, 0.22, 0.4, 0.5, 1, 2))
            if home.some(0.7):
                home.put(home.wall(side, along).at(u, -0.2), lambda s: _lamp(home, s.at(0, 0, v=0.5), 0.35))
    if home.some(0.5):
        tone = vary(pick(rng, (_WHITE, *_WOODS)), rng)
        home.put(
            home.wall(1 + side % 2, -0.2), lambda s: _drawers(s, tone, 0.6, 0.55, float(rng.choice([0.9, 2.0])), 2, 1)
        )
    return home.finish()


def _bathroom(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    home = _indoors(rng, size, tiles=True)
    _decorate(home, 0.3)
    sides, china = rng.permutation(3).tolist(), shade(_WHITE, 0.99)

    def tub(space: Space) -> None:
        space.shadow(rect(-0.8, -0.75, 0.8, 0))
        space.box(-0.8, 0.8, -0.75, 0, 0, 0.56, china, 0.15)
        space.floor(0.561).draw(rect(-0.7, -0.66, 0.7, -0.09, 0.25), shade(_GLASS, 0.85), shade(_GLASS, 1.1))
        space.front(-0.1).line(curve((0.6, 0.55), (0.6, 0.9), (0.4, 0.75)), 0.04, shade(_DARK, 2))
        if home.some(0.5):
            cloth = vary(pick(rng, _FABRICS), rng)
            space.front(-0.76).draw(rect(-0.3, 0.15, 0.05, 0.58), cloth, shade(cloth, 0.85))

    def toilet(space: Space) -> None:
        space.shadow(oval(0, -0.4, 0.25, 0.3))
        space.box(-0.22, 0.22, -0.2, 0, 0.35, 0.82, china, 0.05)
        space.solid(oval(0, -0.42, 0.14, 0.2), 0, 0.38, china)
        space.solid(oval(0, -0.42, 0.21, 0.28), 0.36, 0.43, china)
        space.floor(0.431).draw(oval(0, -0.42, 0.13, 0.19), shade(_GLASS, 0.8))

    def basin(space: Space) -> None:
        front = space.front(-0.01)
        front.draw(oval(0, 1.55, 0.36) if home.some(0.5) else rect(-0.45, 1.15, 0.45, 1.95, 0.05), shade(_WHITE, 0.9))
        front.draw(oval(0, 1.55, 0.3) if home.some(0.5) else rect(-0.38, 1.22, 0.38, 1.88), _GLASS, shade(_GLASS, 1.15))
        _drawers(space, vary(pick(rng, (_WHITE, *_WOODS, *_FABRICS)), rng), 0.5, 0.48, 0.8, 2, 1)
        space.box(-0.54, 0.54, -0.52, 0, 0.8, 0.85, china)
        space.solid(oval(0, -0.26, 0.26, 0.18), 0.85, 0.93, china, shade(_GLASS, 0.9))
        space.front(-0.08).line(curve((0, 0.85), (0, 1.15), (0, 1.02)), 0.04, shade(_DARK, 2))

    parts = [(sides[0], 0.2, tub), (sides[1], 0.4, basin), (sides[2], 0.3, toilet), (sides[0], -1.2, toilet)]
    for number, along, paint in parts:
        if home.some(0.8):
            home.put(home.wall(number, along).at(0, -0.3), lambda s, paint=paint: paint(s.at(0, 0.3)))
    if home.some(0.5):
        _rug(home, 0, home.depth * 0.4)
    return home.finish()


def _closet(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    home = _indoors(rng, size)
    for number in rng.permutation(3).tolist()[: int(rng.integers(1, 4))]:
        reach = home.width / 2 - 0.5 if number == 0 else home.depth / 2 - 0.3
        high = float(rng.uniform(2.0, 2.35))
        home.put(home.wall(number), lambda s, reach=reach, high=high: _shelves(s, rng, reach, high, True))
    if home.some(0.4):
        _rug(home, 0, home.depth * 0.4)
    tone = vary(pick(rng, (*_FABRICS, *_WOODS)), rng)
    seat = home.space.at(float(rng.uniform(-0.6, 0.6)), home.depth * 0.4)
    if home.some(0.5):
        home.put(
            seat, lambda s: s.shadow(oval(0, 0, 0.4)), lambda s: s.box(-0.4, 0.4, -0.3, 0.3, 0.05, 0.42, tone, 0.1)
        )
    else:
        home.put(seat, lambda s: _drawers(s, tone, 0.6, 0.5, 0.9, 2, 3))
    _shoes(home, home.depth * 0.75)
    return home.finish()


def _shoes(home: _Home, w: float) -> None:
    rng = home.rng
    for u in rng.uniform(-1.3, 1.3, 3).tolist():
        tone = vary(pick(rng, (_DARK, _WHITE, *_FABRICS)), rng)
        for k in (0, 0.14):
            home.put(home.space.at(u + k, w), lambda s, tone=tone: s.box(-0.05, 0.05, -0.14, 0.14, 0, 0.1, tone, 0.05))


def _entry(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    home = _indoors(rng, size, tiles=rng.random() < 0.5)
    sides, tone = rng.permutation(3).tolist(), vary(pick(rng, (*_FABRICS, *_WOODS)), rng)
    at = float(rng.uniform(-0.6, 0.6))
    door = home.wall(sides[0], at).front(-0.03)
    door.draw(rect(-0.62, 0, 0.62, 2.2), _WHITE)
    door.draw(rect(-0.5, 0, 0.5, 2.1), shade(tone, 1.05), shade(tone, 0.92))
    panes = int(rng.integers(1, 4))
    for k in range(panes):
        door.draw(rect(-0.35, 1.9 - 0.75 / panes * (k + 1), 0.35, 1.85 - 0.75 / panes * k), *_HOURS[home.hour][1:])
    door.draw(rect(-0.35, 0.2, 0.35, 0.85, 0.03), shade(tone, 0.85))
    door.draw(oval(0.42, 1.0, 0.05), (230, 190, 90))

    def coats(space: Space) -> None:
        front = space.front(-0.03)
        front.draw(rect(-0.7, 1.6, 0.7, 1.72), pick(rng, _WOODS))
        for x in rng.permutation(np.linspace(-0.55, 0.55, 5))[: int(rng.integers(2, 5))].tolist():
            cloth, long = vary(pick(rng, _FABRICS), rng), rng.uniform(0.6, 0.9)
            coat = [(0, 0), (0.16, -0.12), (0.17, -long), (-0.17, -long), (-0.16, -0.12)]
            space.front(-0.1).draw(np.array(coat) + (x, 1.64), cloth, shade(cloth, 0.85))
        if home.some(0.7):
            bench = vary(pick(rng, (_WHITE, *_WOODS)), rng)
            space.shadow(rect(-0.7, -0.45, 0.7, -0.05))
            space.build((-0.7, -0.6, -0.42, -0.05, 0, 0.42, bench), (0.6, 0.7, -0.42, -0.05, 0, 0.42, bench))
            space.box(-0.75, 0.75, -0.45, 0, 0.42, 0.5, vary(pick(rng, _FABRICS), rng), 0.03)

    def console(space: Space) -> None:
        _picture(rng, space.front(-0.02), 0, 1.6)
        _table(space.at(0, -0.2), rng, 0.5, 0.17, 0.78)
        _lamp(home, space.at(0.25, -0.2, v=0.83), 0.35)

    if home.some(0.85):
        home.put(home.wall(sides[1], float(rng.uniform(-0.3, 0.3))), coats)
    if home.some(0.6):
        home.put(home.wall(sides[2]), console)
    elif home.some(0.4):
        home.put(home.wall(sides[2]), lambda s: _shelves(s, rng, 0.45, 1.9, True))
    _rug(home, at if sides[0] == 0 else 0.0, home.depth - 1.2)
    if home.some(0.4):
        home.put(home.space.at(1.2, home.depth - 0.4), lambda s: _plant(s, rng))
    _shoes(home, home.depth * 0.8)
    return home.finish()


def _outdoors(rng: np.random.Generator, size: tuple[int, int], lawn: bool = True) -> _Home:
    """Build sky, hills and a ground."""
    hour = int(rng.choice(5, p=(0.36, 0.2, 0.16, 0.18, 0.1)))
    _, above, below = _HOURS[hour]
    eye = (float(rng.normal(0, 0.8)), float(rng.uniform(1.5, 2.6)), -2.5)
    camera = Camera(eye, float(rng.normal(0, 7)), float(rng.uniform(-8, 1)), 0.0, float(rng.uniform(0.65, 0.95)))
    home = _Home(rng, Space(Canvas(size, above, below), camera), hour, 14.0, float(rng.uniform(8, 10)))
    far = home.space.front(40)
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.uniform(-26, 26), rng.uniform(12, 22)
        for k in range(4):
            far.draw(oval(x + k * 1.6, y + rng.uniform(-0.3, 0.6), rng.uniform(1.2, 2.4), 0.9), _WHITE, alpha=0.75)
    green = vary(pick(rng, _GREENS), rng)
    for x in np.arange(-40, 40, 6).tolist():
        far.draw(blob(rng, x, 1, rng.uniform(3, 5)), mix(vary(green, rng), below, 0.5))
    grass = vary(shade(green, 1.2), rng) if lawn else vary(pick(rng, (*_WOODS, *colours("b9b2a6 a3a7ab"))), rng)
    floor = home.space.floor()
    floor.draw(rect(-60, -2.2, 60, 60), shade(shade(green, 1.2), 0.95), shade(green, 1.25))
    if lawn:
        for _ in range(26):
            x, z = rng.uniform(-7, 7), rng.uniform(-1, 12)
            home.space.front(z).draw([(x - 0.05, 0), (x, 0.16), (x + 0.05, 0)], shade(grass, 0.85))
    else:
        floor.draw(rect(-4.5, -2.2, 4.5, 5), shade(grass, 0.95), shade(grass, 1.08))
        step = pick(rng, (0.25, 0.7))
        for x in np.arange(-4.5, 4.6, step).tolist():
            floor.line([(x, -2.2), (x, 5)], 0.025, shade(grass, 0.85))
        for z in np.arange(-2, 5, 0.7).tolist() if step > 0.5 else ():
            floor.line([(-4.5, z), (4.5, z)], 0.025, shade(grass, 0.85))
    return home


def _fence(home: _Home, z: float, high: float, gap: float, colour: Colour, reach: float = 9) -> None:
    front = home.space.front(z)
    front.shadow(rect(-reach, -0.1, reach, 0.1), 0.3, 0.015)
    for v in (0.3, 0.75):
        front.draw(rect(-reach, high * v, reach, high * v + 0.12), shade(colour, 0.8))
    for x in np.arange(-reach, reach, 0.2 + gap).tolist():
        tone = vary(colour, home.rng, 0.03)
        front.draw([(x, 0), (x, high), (x + 0.1, high + 0.08), (x + 0.2, high), (x + 0.2, 0)], tone, shade(tone, 0.85))


def _tree(space: Space, rng: np.random.Generator, size: float) -> None:
    front, green = space.front(), vary(pick(rng, _GREENS), rng)
    space.shadow(oval(0, 0, size, 0.5 * size))
    front.draw([(-0.12 * size, 0), (0.12 * size, 0), (0.07 * size, 1.6 * size), (-0.07 * size, 1.6 * size)], _WOODS[3])
    for _ in range(7):
        x, y = rng.normal(0, 0.4 * size), size * rng.uniform(1.5, 2.5)
        front.draw(blob(rng, x, y, size * rng.uniform(0.4, 0.6)), shade(vary(green, rng), 1.1), shade(green, 0.8))


def _bush(space: Space, rng: np.random.Generator) -> None:
    green, size = vary(pick(rng, _GREENS), rng), rng.uniform(0.3, 0.55)
    space.shadow(oval(0, 0, size, 0.3 * size))
    space.front().draw(blob(rng, 0, size * 0.7, size), shade(green, 1.1), shade(green, 0.8))
    tone = vary(pick(rng, _FABRICS), rng)
    for _ in range(int(rng.choice([0, 6]))):
        space.front(-0.05).draw(oval(*rng.normal((0, size * 0.8), size * 0.4), 0.07), tone)


def _scatter(
    home: _Home, paint: Callable[[Space, np.random.Generator], None], count: int, near: float, far: float
) -> None:
    for _ in range(count):
        x = float(home.rng.uniform(1.2, 5)) * float(home.rng.choice([-1, 1]))
        home.put(home.space.at(x, float(home.rng.uniform(near, far))), lambda s: paint(s, home.rng))


def _house(home: _Home, z: float) -> None:
    rng, wide, floors = home.rng, float(home.rng.uniform(2.8, 4.2)), int(home.rng.integers(1, 3))
    high = 2.8 * floors
    wall, roof = vary(pick(rng, (_WHITE, *_WALLS)), rng), vary(pick(rng, colours("8a4a3b 56606b 6b5a4e 3f4a55")), rng)
    front = home.space.at(float(rng.normal(0, 0.7)), z).front()
    front.shadow(rect(-wide - 0.4, -0.3, wide + 0.4, 0.1), 0.4, 0.02)
    if home.some(0.5):
        front.draw(rect(wide * 0.5, high, wide * 0.5 + 0.6, high + 2.2), shade(roof, 0.9))
    front.draw(rect(-wide, 0, wide, high), shade(wall, 1.03), shade(wall, 0.93))
    ridge = wide * float(rng.choice([0.0, 0.6]))
    front.draw(
        [(-wide - 0.4, high - 0.1), (-ridge, high + 2), (ridge, high + 2), (wide + 0.4, high - 0.1)],
        roof,
        shade(roof, 0.85),
    )
    for v in range(floors):
        for x in (-wide * 0.65, 0.0, wide * 0.65):
            if v or abs(x) > 0:
                low = 2.8 * v + 0.9
                lit = home.hour == 4 and home.some(0.6)
                front.draw(rect(x - 0.58, low - 0.08, x + 0.58, low + 1.28), _WHITE)
                front.draw(
                    rect(x - 0.5, low, x + 0.5, low + 1.2), (255, 224, 150) if lit else _GLASS, shade(_GLASS, 0.8)
                )
                front.line([(x, low), (x, low + 1.2)], 0.06, _WHITE)
    door = vary(pick(rng, _FABRICS), rng)
    front.draw(rect(-0.6, 0, 0.6, 2.3), _WHITE)
    front.draw(rect(-0.5, 0, 0.5, 2.2), door, shade(door, 0.85))
    if home.some(0.4):
        front.draw(rect(wide * 0.3, 0, wide * 0.92, 2.2), shade(_WHITE, 0.95), shade(_WHITE, 0.85))
        for v in (0.55, 1.1, 1.65):
            front.line([(wide * 0.3, v), (wide * 0.92, v)], 0.05, shade(_WHITE, 0.8))


def _front_yard(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    home = _outdoors(rng, size)
    if home.some(0.8):
        path = vary(pick(rng, colours("cfc4b0 b7b3ac c99a7a")), rng)
        bend = float(rng.normal(0, 1.2))
        left, right = (
            curve((-0.5, home.depth), (bend - 0.6, 4), (-0.8, -2.2)),
            curve((0.8, -2.2), (bend + 0.6, 4), (0.5, home.depth)),
        )
        home.space.floor().draw(np.concatenate([left, right]), shade(path, 0.95), path)
    _house(home, home.depth)
    _scatter(home, _bush, int(rng.integers(2, 7)), home.depth - 2.5, home.depth - 0.5)
    _scatter(home, lambda s, r: _tree(s, r, r.uniform(0.9, 1.5)), int(rng.integers(0, 3)), 3, home.depth - 1)
    if home.some(0.45):
        _scatter(home, _bush, 1, 1, 3)
        home.put(
            home.space.at(0, 1.5), lambda s: _fence(home, 1.5, 0.75, 0.12, _WHITE, 2.5 + 4 * float(home.some(0.5)))
        )
    return home.finish()


def _play(home: _Home) -> list[Paint]:
    """Return what may stand in a backyard."""
    rng = home.rng
    tone, other = vary(pick(rng, _FABRICS), rng), vary(pick(rng, _FABRICS), rng)

    def trampoline(s: Space) -> None:
        s.shadow(oval(0, 0, 1.4, 1.2), 0.4)
        for x in (-1.0, -0.4, 0.4, 1.0):
            s.front(-0.8).line([(x, 0), (x, 0.7)], 0.06, _DARK)
        s.floor(0.7).draw(oval(0, 0, 1.4, 1.2), tone)
        s.floor(0.72).draw(oval(0, 0, 1.15, 0.98), _DARK)

    def pool(s: Space) -> None:
        s.solid(oval(0, 0, 1.3, 1.1), 0, 0.35, other, _WHITE)
        s.floor(0.36).draw(oval(0, 0, 1.15, 0.96), *colours("7fcbd8 4aa3c4"))

    def swing(s: Space) -> None:
        front = s.front()
        s.shadow(rect(-1.3, -0.5, 1.3, 0.5), 0.25)
        for x in (-1.2, 1.2):
            front.line([(x - 0.35, 0), (x, 2.1), (x + 0.35, 0)], 0.1, _WOODS[0])
        front.line([(-1.2, 2.1), (1.2, 2.1)], 0.1, _WOODS[0])
        for x in (-0.5, 0.5):
            front.line([(x - 0.2, 0.6), (x - 0.2, 2.1)], 0.03, _DARK)
            front.line([(x + 0.2, 0.6), (x + 0.2, 2.1)], 0.03, _DARK)
            front.draw(rect(x - 0.25, 0.5, x + 0.25, 0.6), tone)

    def shed(s: Space) -> None:
        s.shadow(rect(-1, -0.8, 1, 0.8), 0.35)
        s.box(-1, 1, -0.8, 0.8, 0, 1.9, other)
        s.front(-0.8).draw([(-1.2, 1.85), (0, 2.7), (1.2, 1.85)], shade(other, 0.7))
        s.front(-0.81).draw(rect(-0.4, 0, 0.4, 1.6), _WHITE, shade(_WHITE, 0.9))

    def bed(s: Space) -> None:
        s.box(-1, 1, -0.5, 0.5, 0, 0.25, _WOODS[1], 0.0, (96, 70, 56))
        for x, w in zip(rng.uniform(-0.9, 0.9, 14).tolist(), np.linspace(0.4, -0.4, 14).tolist(), strict=True):
            s.front(w).draw(turned(petal(0.4, 0.16), float(rng.normal(0, 15)), x, 0.25), vary(pick(rng, _GREENS), rng))
            s.front(w).draw(oval(x, 0.6, 0.09), vary(pick(rng, _FABRICS), rng))

    def grill(s: Space) -> None:
        s.shadow(oval(0, 0, 0.4))
        s.front().line([(-0.25, 0), (0, 0.7), (0.25, 0)], 0.05, _DARK)
        s.front().draw(oval(0, 0.85, 0.36, 0.3), shade(_DARK, 1.3), _DARK)

    return [trampoline, pool, swing, shed, bed, grill]


def _backyard(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    home = _outdoors(rng, size)
    wood = vary(pick(rng, (*_WOODS, _WHITE)), rng)
    _fence(home, home.depth + 1, float(rng.uniform(1.5, 2.0)), 0.02, wood, 14)
    _scatter(home, lambda s, r: _tree(s, r, r.uniform(0.9, 1.5)), int(rng.integers(1, 3)), 5, home.depth)
    _scatter(home, _bush, int(rng.integers(1, 5)), home.depth - 1, home.depth + 0.5)
    toys = _play(home)
    for k, x in zip(rng.permutation(len(toys)).tolist(), (-1.9, 1.6, 0.2), strict=False):
        if x != 0.2 or home.some(0.4):
            home.put(home.space.at(x + float(rng.normal(0, 0.4)), float(rng.uniform(2.6, 6))), toys[k])
    if home.some(0.2):
        _dine(home, home.space.at(float(rng.uniform(-1, 1)), 2))
    return home.finish()


def _patio(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    home = _outdoors(rng, size, lawn=False)
    if home.some(0.5):
        wall = vary(pick(rng, _WALLS), rng)
        front = home.space.front(5)
        front.draw(rect(-9, 0, 9, 4.5), shade(wall, 1.03), shade(wall, 0.92))
        x = float(rng.uniform(-2, 1))
        front.draw(rect(x - 0.1, 0, x + 2.5, 2.4), _WHITE)
        for k in (0, 1.2):
            front.draw(rect(x + k + 0.05, 0.1, x + k + 1.15, 2.3), _GLASS, shade(_GLASS, 0.75))
        _picture(rng, front, x - 1.2, 1.7)
    else:
        _fence(home, home.depth, float(rng.uniform(1.2, 1.9)), 0.03, vary(pick(rng, (*_WOODS, _WHITE)), rng), 14)
        _scatter(home, lambda s, r: _tree(s, r, r.uniform(0.9, 1.4)), int(rng.integers(0, 3)), 6, home.depth)
    place = home.space.at(float(rng.normal(0, 0.7)), float(rng.uniform(1.2, 2.4)), float(rng.normal(0, 20)))
    if home.some(0.7):
        _dine(home, place)
    else:
        home.put(place.at(-0.8, 0.9), lambda s: _sofa(s, rng, 0.9))
        home.put(place, lambda s: _table(s, rng, 0.5, 0.4, 0.35))
    tone = vary(pick(rng, _FABRICS), rng)

    def parasol(s: Space) -> None:
        s.front().line([(0, 0), (0, 2.4)], 0.06, _WOODS[3])
        ends = np.linspace(-1.5, 1.5, 7)
        for k, (a, b) in enumerate(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)):
            s.front().draw(
                [(a, 1.95), (0, 2.7), (b, 1.95)], tone if k % 2 else _WHITE, shade(tone if k % 2 else _WHITE, 0.9)
            )

    if home.some(0.55):
        home.put(place.at(0, 0.1), parasol)
    for _ in range(int(rng.integers(2, 5))):
        x = float(rng.uniform(1.6, 3.6)) * float(rng.choice([-1, 1]))
        home.put(home.space.at(x, float(rng.uniform(1, 4.5))), lambda s: _plant(s, rng, rng.uniform(0.9, 1.4)))
    if home.some(0.2):
        home.put(home.space.at(2.4, 2.5), _play(home)[-1])
    if home.some(0.5):

        def lights(s: Space) -> None:
            string = np.concatenate([curve((x, 3.1), (x + 1, 2.5), (x + 2, 3.1)) for x in (-4, -2, 0, 2)])
            s.front().line(string, 0.02, _DARK)
            for x, y in string[::5].tolist():
                s.front().draw(oval(x, y - 0.08, 0.07), (255, 236, 170))

        home.put(home.space.at(0, 2.6), lights)
    return home.finish()


def _floor_plan(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    blue = rng.random() < 0.25
    paper, line = colours("2f5f9a e8f0fa") if blue else (vary(_WHITE, rng, 0.02), _DARK)
    canvas = Canvas(size, shade(pick(rng, (*_WOODS, *_WALLS)), 0.95), pick(rng, _WOODS))
    plane = canvas.flat().moved(
        *rng.normal(0, 0.06, 2).tolist(), float(rng.normal(0, 6)), float(rng.uniform(0.85, 1.05))
    )
    aspect = float(rng.uniform(1.15, 1.4))
    plane.shadow(rect(-aspect, -1.0, aspect, 0.92), 0.4, 0.03)
    plane.draw(rect(-aspect, -0.95, aspect, 0.95), paper, shade(paper, 0.95))
    x0, x1 = -aspect * 0.82, aspect * 0.82
    rows = [-0.7, *(sorted(rng.uniform(-0.2, 0.25, int(rng.integers(1, 3))).tolist())), 0.75]
    names = rng.permutation(["BED", "BATH", "KITCHEN", "LIVING", "HALL", "CLOSET", "STUDY", "DINING", "PATIO"]).tolist()
    for low, high in zip(rows[:-1], rows[1:], strict=True):
        cuts = [x0, *sorted((np.linspace(x0, x1, int(rng.integers(3, 5)))[1:-1] + rng.normal(0, 0.07)).tolist()), x1]
        for left, right in zip(cuts[:-1], cuts[1:], strict=True):
            tint = paper if blue or rng.random() < 0.4 else mix(paper, pick(rng, _FABRICS), 0.22)
            plane.draw(rect(left, low, right, high), tint)
            middle = (left + right) / 2
            wide, tall = (right - left) * rng.uniform(0.2, 0.35), (high - low) * 0.2
            if high - low > 0.3:
                for share, tone in ((1.0, line), (0.9, tint)):
                    bed = rect(
                        middle - wide * share,
                        high - 0.05 - tall * (1 + share),
                        middle + wide * share,
                        high - 0.05,
                        0.04,
                    )
                    plane.draw(bed if rng.random() < 0.7 else oval(middle, high - tall * 1.5, tall * share), tone)
                plane.write(names.pop() if names else "ROOM", middle, low + 0.14, 0.06, line)
            plane.line([(left, low), (left, high)], 0.035, line)
            plane.line([(left, low), (right, low)], 0.035, line)
            plane.line([(left + 0.05, low), (left + 0.2, low)], 0.04, tint)
            plane.line(oval(left + 0.05, low, 0.15, start=0, end=90), 0.008, line)
    plane.draw(rect(x0 - 0.03, 0.735, x1 + 0.03, 0.775), line)
    plane.draw(rect(x1 - 0.02, -0.72, x1 + 0.02, 0.77), line)
    plane.line([(x0, 0.85), (x1, 0.85)], 0.008, line)
    plane.write(f"{rng.uniform(8, 14):.2f} m", 0, 0.89, 0.05, line)
    plane.write(pick(rng, ("GROUND FLOOR", "FIRST FLOOR", "FLAT 3B", "LEVEL 2")), 0, -0.84, 0.08, line)
    return canvas.finish(rng, (1.0, 1.0, 1.0) if math.isclose(rng.random(), 0) else _HOURS[int(rng.integers(4))][0])


_PAINTERS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Image.Image]] = {
    "backyard": _backyard,
    "bathroom": _bathroom,
    "bedroom": _bedroom,
    "closet": _closet,
    "entry_way": _entry,
    "floor_plan": _floor_plan,
    "front_yard": _front_yard,
    "kitchen": _kitchen,
    "living_space": _living,
    "patio": _patio,
}

LABELS = tuple(_PAINTERS)
TASK = "single-label"
FILES = {"train": "folders", "test": "folders"}
TRAIN, TEST, SIZE = 60, 56, (480, 360)


def paint(split: str, number: int, rng: np.random.Generator, size: tuple[int, int]) -> Picture:
    """Draw a room; labels take turns."""
    label = LABELS[number % len(LABELS)]
    return Picture(draw(label, rng, size), (label,))


def draw(label: str, rng: np.random.Generator, size: tuple[int, int] = SIZE) -> Image.Image:
    """Draw a picture of a room.

    Parameters
    ----------
    label : str
        One of :data:`LABELS`.
    rng : numpy.random.Generator
        Decides everything about the picture; the same state draws the same one.
    size : tuple of int
        Width and height in pixels.

    Returns
    -------
    PIL.Image.Image
        Mode RGB.

    Raises
    ------
    InputError
        If there is no such label.
    """
    if label not in _PAINTERS:
        raise InputError(f"label={label!r} isn't one of this example's labels: {', '.join(LABELS)}.")
    return _PAINTERS[label](rng, size)
