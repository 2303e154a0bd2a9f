"""Kitchens."""

from __future__ import annotations

import numpy as np
from PIL import Image

from customlabels_nb.examples._drawing import Colour, dim, mix, rgb, vary
from customlabels_nb.examples._shapes import Frame, Palette
from customlabels_nb.examples.rooms._furnishings import pendant, rug, shelf, vase
from customlabels_nb.examples.rooms._setting import Setting, interior, pick
from customlabels_nb.examples.rooms._shell import DARK, STEEL, WHITE, paint_shell, wall_tiles


def kitchen(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Cabinets along a wall or two, and what is cooked and eaten at."""
    s = interior(rng, size, width=(3.2, 4.6), depth=(3.2, 4.4))
    r, kit = s.room, s.kit
    paint_shell(r, floor=("wood", "tiles", "checks")[pick(rng, 0.45, 0.35, 0.2)])
    front = vary((kit.accent, kit.trim, kit.wood, kit.second, WHITE)[int(rng.integers(5))], rng)
    counter = vary((kit.wood, rgb("e8e6e1"), rgb("4b4a4a"))[int(rng.integers(3))], rng)
    long_ = r.width if rng.random() < 0.6 else r.width * float(rng.uniform(0.6, 0.8))
    start = -r.width / 2 if rng.random() < 0.5 else r.width / 2 - long_
    line = r.back.moved(start)
    tile = vary(mix(kit.trim, kit.second, float(rng.uniform(0, 0.5))), rng)
    wall_tiles(line, 0, long_, 0.9, 1.45, float(rng.uniform(0.09, 0.18)), tile)
    open_shelves = rng.random() < 0.3
    if s.light_wall is r.back:
        s.window(wide=float(rng.uniform(0.9, 1.3)), low=1.1, high=2.05, curtains=False)
    else:
        s.window(curtains=bool(rng.random() < 0.3))
    line.put(lambda f: cabinets(f, kit, long_, front, counter), (0, long_, 0, 0.62), 0.35)
    gap = (s.light_u - start - 0.8, s.light_u - start + 0.8) if s.light_wall is r.back else (9.0, 9.0)
    line.put(lambda f: uppers(f, kit, long_, front, gap, open_shelves=open_shelves), (0, long_, 0, 0.3), 0.0)
    side = (r.left, r.right)[int(rng.integers(2))]
    if rng.random() < 0.7 and side is not s.light_wall:
        tall = side.moved(s.along(side, r.depth - 1.05))
        piece = fridge if rng.random() < 0.75 else pantry
        tall.put(lambda f: piece(f, kit, front), (-0.36, 0.36, 0, 0.66))
    for other in (r.left, r.right):
        if other is not s.light_wall and other is not side and rng.random() < 0.6:
            s.adorn(other, s.along(other, r.depth * 0.6))
    lit = s.lamps_on
    kind = pick(rng, 0.35, 0.3, 0.35)
    x, z = float(rng.uniform(-0.15, 0.15)) * r.width, r.depth * float(rng.uniform(0.42, 0.55))
    if kind == 0:
        r.floor(x, z, float(rng.uniform(-6, 6))).put(lambda f: island(f, kit, front, counter), (-0.7, 0.7, -0.35, 0.35))
    elif kind == 1:
        dining(s, x, z)
    elif rng.random() < 0.4:
        rug(r.floor(x, r.depth - 1.1), 1.5, 0.6, kit)
    if kind < 2 and rng.random() < 0.75:
        for shift in (-0.35, 0.35):
            pendant(r, x + shift, z, float(rng.uniform(0.6, 0.8)), on=lit)
    if rng.random() < 0.25:
        s.potted(float(rng.choice([-1, 1])) * (r.width / 2 - 0.3), r.depth * 0.5, float(rng.uniform(0.6, 1.1)))
    return s.photo(size)


def cabinets(f: Frame, kit: Palette, long_: float, front: Colour, counter: Colour) -> None:
    """Base cabinets with a counter, a sink and a stove, from u = 0 to ``long_``."""
    rng = f.scene.rng
    f.box(0, long_, 0, 0.1, 0, 0.52, dim(DARK, 1.2))
    f.box(0, long_, 0.1, 0.88, 0, 0.58, front)
    count = max(3, round(long_ / 0.55))
    wide = long_ / count
    stove = int(rng.integers(count))
    sink = (stove + int(rng.integers(1, count))) % count
    for k in range(count):
        u0, u1 = k * wide + 0.015, (k + 1) * wide - 0.015
        if k == stove:
            f.panel(u0, u1, 0.1, 0.88, 0.585, vary(rgb("4a4d50"), rng), gloss=0.2)
            f.panel(u0 + 0.06, u1 - 0.06, 0.25, 0.62, 0.588, rgb("191a1c"), gloss=0.5)
            f.line([(u0 + 0.05, 0.68, 0.61), (u1 - 0.05, 0.68, 0.61)], 0.025, STEEL)
            for j in range(4):
                f.ball(u0 + 0.08 + j * (wide - 0.16) / 3.4, 0.79, 0.6, 0.022, STEEL)
            continue
        drawers = rng.random() < 0.3
        for v0, v1 in ((0.13, 0.36), (0.38, 0.61), (0.63, 0.85)) if drawers else ((0.13, 0.66), (0.68, 0.85)):
            f.edge(u0, u1, v0, v1, 0.582, 0.01, 0.32)
            f.line([(u0 + wide * 0.35, v1 - 0.05, 0.6), (u1 - wide * 0.35, v1 - 0.05, 0.6)], 0.018, kit.metal)
    f.box(-0.01, long_ + 0.01, 0.88, 0.92, 0, 0.62, counter, gloss=0.22)
    u = (sink + 0.5) * wide
    f.top(u - 0.24, u + 0.24, 0.12, 0.5, 0.922, dim(STEEL, 0.7))
    f.line([(u, 0.92, 0.09), (u, 1.2, 0.09), (u, 1.24, 0.16), (u, 1.18, 0.26)], 0.028, STEEL)
    u = (stove + 0.5) * wide
    f.top(u - wide / 2 + 0.02, u + wide / 2 - 0.02, 0.06, 0.56, 0.923, rgb("222325"))
    for du, w in ((-0.11, 0.18), (0.12, 0.18), (-0.11, 0.42), (0.12, 0.42)):
        f.disc(u + du, 0.925, w, 0.08, rgb("3c3e41"), level=True)
    if rng.random() < 0.6:
        f.lathe(
            u - 0.11,
            0.3,
            [(0.1, 0.93), (0.11, 1.06)],
            vary((kit.accent, STEEL, kit.second)[int(rng.integers(3))], rng),
            rim=DARK,
        )
    for k in range(count):
        if k not in (stove, sink) and rng.random() < 0.7:
            _on_counter(f, (k + 0.5) * wide, kit)


def _on_counter(f: Frame, u: float, kit: Palette) -> None:
    rng = f.scene.rng
    kind = int(rng.integers(4))
    if kind == 0:
        vase(f, u, 0.92, 0.28, kit, 0.24)
    elif kind == 1:
        f.lathe(u, 0.3, [(0.08, 0.92), (0.16, 1.0)], vary(kit.second, rng), rim=DARK)
        for k in range(5):
            f.ball(
                u - 0.09 + 0.045 * k,
                1.02 + 0.015 * (k % 2),
                0.3,
                0.045,
                vary((rgb("d9532c"), rgb("e3a72f"), rgb("86a83d"))[k % 3], rng),
            )
    elif kind == 2:
        for k in range(3):
            f.lathe(u - 0.13 + 0.13 * k, 0.2, [(0.05, 0.92), (0.05, 1.08 - 0.03 * k)], WHITE, rim=kit.wood)
    else:
        f.box(
            u - 0.15, u + 0.15, 0.92, 1.14, 0.12, 0.36, vary((STEEL, kit.accent)[int(rng.integers(2))], rng), gloss=0.15
        )


def uppers(
    f: Frame, kit: Palette, long_: float, front: Colour, gap: tuple[float, float], *, open_shelves: bool
) -> None:
    """Wall cabinets or open shelves, none before the window that ``gap`` names."""
    rng = f.scene.rng
    count = max(3, round(long_ / 0.55))
    wide = long_ / count
    hood = int(rng.integers(count))
    for k in range(count):
        u0, u1 = k * wide, (k + 1) * wide
        if u1 > gap[0] and u0 < gap[1]:
            continue
        if k == hood:
            steel = vary(STEEL, rng)
            f.face(
                [(u0 + 0.05, 1.55, 0.42), (u1 - 0.05, 1.55, 0.42), (u1 - 0.2, 1.85, 0.25), (u0 + 0.2, 1.85, 0.25)],
                steel,
                gloss=0.2,
            )
            f.box(u0 + 0.19, u1 - 0.19, 1.85, 2.4, 0, 0.25, steel)
            f.box(u0 + 0.04, u1 - 0.04, 1.5, 1.56, 0, 0.43, steel)
        elif open_shelves:
            shelf(f, (u0 + u1) / 2, 1.6, wide, kit)
            shelf(f, (u0 + u1) / 2, 1.98, wide, kit)
        else:
            f.box(u0, u1, 1.48, 2.2, 0, 0.33, front)
            f.edge(u0 + 0.015, u1 - 0.015, 1.5, 2.18, 0.332)
            f.edge(u0 + 0.08, u1 - 0.08, 1.57, 2.11, 0.332, 0.01, 0.16)
            f.line([(u1 - 0.05, 1.55, 0.35), (u1 - 0.05, 1.68, 0.35)], 0.018, kit.metal)


def fridge(f: Frame, kit: Palette, front: Colour) -> None:
    """A refrigerator with a few notes on it."""
    rng = f.scene.rng
    tone = vary((STEEL, WHITE, kit.accent)[pick(rng, 0.5, 0.35, 0.15)], rng)
    f.box(-0.36, 0.36, 0.04, 1.85, 0, 0.66, tone, gloss=0.12)
    f.line([(-0.36, 0.66, 0.662), (0.36, 0.66, 0.662)], 0.014, DARK, 0.6)
    for v0, v1 in ((0.75, 1.25), (0.36, 0.58)):
        f.line([(-0.3, v0, 0.69), (-0.3, v1, 0.69)], 0.03, dim(STEEL, 0.8))
    for _ in range(int(rng.integers(0, 5))):
        u, v = rng.uniform(-0.15, 0.25), rng.uniform(0.95, 1.6)
        f.panel(u, u + 0.1, v, v + 0.12, 0.664, vary((kit.second, WHITE, kit.accent)[int(rng.integers(3))], rng))


def pantry(f: Frame, kit: Palette, front: Colour) -> None:
    """A tall cabinet with an oven in it."""
    f.box(-0.36, 0.36, 0, 2.2, 0, 0.62, front)
    f.edge(-0.34, 0.34, 1.6, 2.17, 0.622)
    f.edge(-0.34, 0.34, 0.1, 0.72, 0.622)
    f.panel(-0.31, 0.31, 0.8, 1.5, 0.624, rgb("3a3c3f"), gloss=0.2)
    f.panel(-0.25, 0.25, 0.88, 1.25, 0.626, rgb("18191a"), gloss=0.5)
    f.line([(-0.26, 1.32, 0.65), (0.26, 1.32, 0.65)], 0.025, kit.metal)


def island(f: Frame, kit: Palette, front: Colour, counter: Colour) -> None:
    """A block to work and sit at, with stools before it."""
    rng = f.scene.rng
    f.box(-0.68, 0.68, 0, 0.88, -0.33, 0.28, dim(front, 0.95))
    for k in range(3):
        f.edge(-0.64 + 0.43 * k, -0.23 + 0.43 * k, 0.1, 0.82, 0.282, 0.012, 0.2)
    f.box(-0.75, 0.75, 0.88, 0.93, -0.38, 0.42, counter, gloss=0.25)
    if rng.random() < 0.8:
        _on_counter(f.moved(0, 0.01, -0.25), float(rng.uniform(-0.4, 0.4)), kit)
    for u in (-0.4, 0.4) if rng.random() < 0.5 else (-0.45, 0.0, 0.45):
        stool(f.moved(u, 0, 0.62), kit)


def stool(f: Frame, kit: Palette, high: float = 0.66) -> None:
    """A bar stool."""
    for u, w in ((-0.15, -0.15), (0.15, -0.15), (-0.15, 0.15), (0.15, 0.15)):
        f.line([(u * 1.15, 0, w * 1.15), (u * 0.8, high, w * 0.8)], 0.03, dim(kit.wood, 0.75))
    f.lathe(0, 0, [(0.17, high - 0.03), (0.18, high + 0.02)], kit.wood, rim=dim(kit.wood, 1.08))


def chair(f: Frame, kit: Palette, tone: Colour) -> None:
    """A chair whose back is away from the viewer of its frame."""
    for u in (-0.19, 0.19):
        f.line([(u, 0, -0.19), (u, 0.92, -0.22)], 0.04, dim(tone, 0.8))
        f.line([(u, 0, 0.19), (u, 0.45, 0.19)], 0.04, dim(tone, 0.85))
    f.box(-0.21, 0.21, 0.43, 0.47, -0.21, 0.21, tone)
    f.box(-0.2, 0.2, 0.72, 0.92, -0.235, -0.21, tone)


def dining(s: Setting, x: float, z: float) -> None:
    """A table with chairs, each in its place in depth."""
    rng, kit, r = s.rng, s.kit, s.room
    turn = float(rng.uniform(-15, 15))
    table = r.floor(x, z, turn)
    wood, tone = vary(kit.wood, rng), vary((kit.wood, WHITE, kit.accent)[int(rng.integers(3))], rng)

    def paint(f: Frame) -> None:
        for u in (-0.55, 0.55):
            for w in (-0.3, 0.3):
                f.leg(u, w, 0.72, 0.06, wood)
        f.box(-0.62, 0.62, 0.71, 0.75, -0.37, 0.37, wood, gloss=0.15)
        vase(f, float(rng.uniform(-0.3, 0.3)), 0.75, 0, kit, 0.22)

    table.put(paint, (-0.62, 0.62, -0.37, 0.37))
    for u, w, face in (
        (-0.3, -0.5, 0),
        (0.3, -0.5, 0),
        (-0.3, 0.5, 180),
        (0.3, 0.5, 180),
        (-0.85, 0, 90),
        (0.85, 0, -90),
    ):
        if rng.random() < 0.6:
            table.moved(u, 0, w, face).put(lambda f: chair(f, kit, tone), (-0.2, 0.2, -0.2, 0.2), 0.3)
