"""Bedrooms and living spaces."""

from __future__ import annotations

from functools import partial

import numpy as np
from PIL import Image

from customlabels_nb.examples._drawing import Colour, dim, mix, rgb, vary
from customlabels_nb.examples._shapes import Frame, Palette
from customlabels_nb.examples.rooms._furnishings import basket, books, cushion, pendant, rug, shade_lamp, vase
from customlabels_nb.examples.rooms._setting import interior, pick
from customlabels_nb.examples.rooms._shell import DARK, WHITE, paint_shell


def bedroom(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A bed with what stands around one."""
    s = interior(rng, size, width=(3.2, 4.3), depth=(3.2, 4.2))
    r, kit = s.room, s.kit
    paint_shell(r, floor=("wood", "carpet")[pick(rng, 0.65, 0.35)], wainscot=float(rng.choice([0, 0, 0, 0.9])))
    s.window()
    wall = s.main_wall(0.7 if s.light_wall is not r.back else 0.35)
    on_back = wall is r.back
    u = float(rng.uniform(-0.22, 0.22)) * r.width if on_back else s.along(wall, r.depth * float(rng.uniform(0.5, 0.62)))
    place = wall.moved(u)
    wide = float(rng.uniform(1.2, 1.8))
    if not (on_back and s.light_wall is r.back):
        s.adorn(place, 0.0, 1.75)
    for other in s.other_walls(wall):
        if other is not s.light_wall and rng.random() < 0.7:
            s.adorn(other, s.along(other, r.depth * 0.7) if other is not r.back else 0.0)
    if rng.random() < 0.7:
        rug(place.moved(0, 0, 1.5), wide + 1.1, 1.6, kit)
    place.put(lambda f: bed(f, kit, wide), (-wide / 2, wide / 2, 0, 2.05))
    lit = s.lamps_on
    for side in (-1, 1):
        if rng.random() < 0.85:
            place.moved(side * (wide / 2 + 0.34), 0, 0.05).put(lambda f: nightstand(f, kit, lit), (-0.25, 0.25, 0, 0.4))
    free = [w for w in (r.left, r.right) if w is not wall and w is not s.light_wall]
    if free and rng.random() < 0.65:
        at = free[0].moved(s.along(free[0], r.depth * float(rng.uniform(0.55, 0.75))))
        piece = wardrobe if rng.random() < 0.55 else dresser
        at.put(lambda f: piece(f, kit), (-0.6, 0.6, 0, 0.55))
    if rng.random() < 0.45:
        s.potted(float(rng.choice([-1, 1])) * (r.width / 2 - 0.35), r.depth - 0.4, float(rng.uniform(0.7, 1.3)))
    if rng.random() < 0.3:
        pendant(r, 0, r.depth * 0.5, 0.55, on=lit)
    return s.photo(size)


def living_space(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A sofa and the rest of a sitting room."""
    s = interior(rng, size, width=(3.7, 5.2), depth=(3.6, 4.7))
    r, kit = s.room, s.kit
    paint_shell(
        r, floor=("wood", "carpet", "tiles")[pick(rng, 0.7, 0.15, 0.15)], wainscot=float(rng.choice([0, 0, 0, 0.9]))
    )
    s.window(wide=float(rng.uniform(1.2, 2.2)), low=float(rng.uniform(0.35, 0.95)))
    lit = s.lamps_on
    middle = r.floor(float(rng.uniform(-0.12, 0.12)) * r.width, r.depth * float(rng.uniform(0.52, 0.62)))
    if rng.random() < 0.8:
        rug(middle, float(rng.uniform(2.0, 2.8)), float(rng.uniform(1.5, 2.0)), kit, oval=bool(rng.random() < 0.25))
    wide = float(rng.uniform(1.7, 2.4))
    wall = s.main_wall(0.6)
    u = float(rng.uniform(-0.15, 0.15)) * r.width if wall is r.back else s.along(wall, r.depth * 0.58)
    sitting = wall.moved(u, 0, 0.06)
    sitting.put(lambda f: sofa(f, kit, wide), (-wide / 2, wide / 2, 0, 0.92))
    if wall is not s.light_wall:
        s.adorn(sitting, 0.0, 1.7)
    pieces = [
        (bookcase, (-0.5, 0.5, 0, 0.32)),
        (television, (-0.85, 0.85, 0, 0.42)),
        (fireplace, (-0.75, 0.75, 0, 0.35)),
    ]
    order = rng.permutation(len(pieces)).tolist()
    for other in s.other_walls(wall):
        if other is s.light_wall:
            continue
        place = other.moved(
            float(rng.uniform(-0.2, 0.2)) * r.width if other is r.back else s.along(other, r.depth * 0.72)
        )
        if rng.random() < 0.8:
            piece, footprint = pieces[order.pop()]
            place.put(partial(piece, kit=kit), footprint)
        else:
            s.adorn(place, 0.0)
    if rng.random() < 0.75:
        middle.put(lambda f: coffee_table(f, kit), (-0.5, 0.5, -0.3, 0.3))
    if rng.random() < 0.5:
        side = float(rng.choice([-1, 1]))
        seat = r.floor(
            side * r.width * 0.34, r.depth * float(rng.uniform(0.42, 0.55)), turn=-side * float(rng.uniform(-70, -20))
        )
        tone = vary(kit.second, rng)
        seat.put(lambda f: sofa(f, kit, 0.85, tone), (-0.42, 0.42, 0, 0.85))
    if rng.random() < 0.6:
        corner = r.floor(float(rng.choice([-1, 1])) * (r.width / 2 - 0.35), r.depth - 0.4)
        corner.put(lambda f: shade_lamp(f, kit, 1.5, on=lit, radius=0.2), (-0.14, 0.14, -0.14, 0.14))
    if rng.random() < 0.65:
        s.potted(
            float(rng.choice([-1, 1])) * (r.width / 2 - 0.4),
            r.depth - float(rng.uniform(0.4, 1.2)),
            float(rng.uniform(0.8, 1.6)),
        )
    if rng.random() < 0.25:
        r.floor(float(rng.uniform(-0.3, 0.3)) * r.width, r.depth * 0.4).put(
            lambda f: basket(f, kit), (-0.2, 0.2, -0.2, 0.2)
        )
    return s.photo(size)


def bed(f: Frame, kit: Palette, wide: float) -> None:
    """A made bed, its head at the wall."""
    rng, half = f.scene.rng, wide / 2
    long, base = 2.0, vary(kit.wood, rng)
    duvet = vary((kit.cloth, kit.accent, WHITE, kit.second)[int(rng.integers(4))], rng)
    sheet = mix(WHITE, duvet, 0.08)
    head = float(rng.uniform(0.9, 1.25))
    if rng.random() < 0.5:
        f.box(-half - 0.05, half + 0.05, 0, head, 0, 0.07, base)
    else:
        f.puff(-half - 0.06, half + 0.06, 0.1, head, 0, 0.12, vary(kit.accent, rng), 0.12)
        for k in range(1, 4):
            u = -half + wide * k / 4
            f.line([(u, 0.5, 0.125), (u, head - 0.05, 0.125)], 0.02, DARK, 0.2)
    f.box(-half, half, 0.12, 0.32, 0.08, long, base)
    f.puff(-half + 0.01, half - 0.01, 0.3, 0.52, 0.08, long - 0.02, sheet, 0.07)
    count = 2 if wide > 1.35 else 1
    for row in range(int(rng.integers(1, 3))):
        tone = (WHITE, vary(kit.second, rng), sheet)[int(rng.integers(3))]
        for k in range(count):
            u = (k - (count - 1) / 2) * (wide * 0.48)
            w = 0.16 + 0.17 * row
            f.puff(u - wide * 0.22, u + wide * 0.22, 0.5, 0.76 - 0.08 * row, w, w + 0.2, tone, 0.11)
    fold = float(rng.uniform(0.55, 0.75))
    f.puff(-half - 0.04, half + 0.04, 0.24, 0.6, fold + 0.18, long + 0.03, duvet, 0.1)
    f.puff(-half - 0.03, half + 0.03, 0.46, 0.62, fold, fold + 0.32, sheet, 0.06)
    for _ in range(6):
        u, w = rng.uniform(-half, half), rng.uniform(fold + 0.4, long - 0.3)
        f.line(
            [(u, 0.602, w), (u + rng.uniform(-0.25, 0.25), 0.602, w + rng.uniform(0.1, 0.3))],
            0.03,
            dim(duvet, 0.7),
            0.22,
        )
    if rng.random() < 0.6:
        throw = vary(kit.accent if duvet != kit.accent else kit.second, rng)
        w = float(rng.uniform(1.35, 1.55))
        f.puff(-half - 0.06, half + 0.06, 0.22, 0.625, w, w + 0.38, throw, 0.05)
        for k in range(5):
            f.line([(-half, 0.63, w + 0.05 + 0.07 * k), (half, 0.63, w + 0.05 + 0.07 * k)], 0.012, WHITE, 0.3)
    if rng.random() < 0.5:
        cushion(f, 0, 0.6, 0.72, 0.36, vary(kit.accent, rng))


def nightstand(f: Frame, kit: Palette, lit: bool) -> None:
    """A small chest with a lamp or a plant on it."""
    rng = f.scene.rng
    tone = vary((kit.wood, WHITE)[int(rng.random() < 0.3)], rng)
    f.box(-0.22, 0.22, 0.1, 0.52, 0, 0.38, tone)
    for v in (0.14, 0.33):
        f.edge(-0.19, 0.19, v, v + 0.16, 0.382)
        f.ball(0, v + 0.08, 0.4, 0.018, kit.metal)
    if rng.random() < 0.75:
        shade_lamp(f.moved(0, 0.52, 0.18), kit, 0.5, on=lit)
    else:
        vase(f, 0, 0.52, 0.18, kit, 0.2)


def wardrobe(f: Frame, kit: Palette, wide: float = 1.2) -> None:
    """Tall doors with handles."""
    rng = f.scene.rng
    tone, high = vary((kit.wood, kit.trim, WHITE)[int(rng.integers(3))], rng), float(rng.uniform(1.9, 2.2))
    f.box(-wide / 2, wide / 2, 0, high, 0, 0.55, tone)
    for k in range(2):
        u = -wide / 2 + wide / 2 * k
        f.edge(u + 0.015, u + wide / 2 - 0.015, 0.08, high - 0.04, 0.552)
        f.edge(u + 0.09, u + wide / 2 - 0.09, 0.2, high - 0.16, 0.552, 0.014, 0.18)
        knob = u + (wide / 2 - 0.06 if k == 0 else 0.06)
        f.line([(knob, 0.95, 0.57), (knob, 1.15, 0.57)], 0.025, kit.metal)


def dresser(f: Frame, kit: Palette, wide: float = 1.1) -> None:
    """A chest of drawers with things on top."""
    rng = f.scene.rng
    tone = vary(kit.wood, rng)
    f.box(-wide / 2, wide / 2, 0.08, 0.85, 0, 0.45, tone)
    for row in range(3):
        for k in range(2):
            u, v = -wide / 2 + 0.03 + k * wide / 2, 0.12 + row * 0.24
            f.edge(u, u + wide / 2 - 0.06, v, v + 0.21, 0.452)
            f.ball(u + wide / 4 - 0.03, v + 0.11, 0.47, 0.02, kit.metal)
    vase(f, -wide * 0.3, 0.85, 0.2, kit)
    books(f, wide * 0.1, wide * 0.35, 0.85, 0.3, kit, 0.22)


def sofa(f: Frame, kit: Palette, wide: float, tone: Colour | None = None) -> None:
    """A sofa, or an armchair if it is less than a metre wide."""
    rng, half = f.scene.rng, wide / 2
    base = tone or vary((kit.cloth, kit.accent, kit.second, mix(kit.cloth, DARK, 0.4))[int(rng.integers(4))], rng)
    back, arm, deep = float(rng.uniform(0.75, 0.9)), float(rng.uniform(0.5, 0.64)), 0.88
    for u in (-half + 0.08, half - 0.08):
        f.leg(u, deep - 0.08, 0.14, 0.04, kit.wood)
    f.puff(-half, half, 0.12, 0.34, 0.05, deep, dim(base, 0.9), 0.06)
    f.puff(-half + 0.1, half - 0.1, 0.3, back, 0, 0.26, dim(base, 0.95), 0.1)
    seats = max(1, round((wide - 0.3) / 0.72))
    seat = (wide - 0.32) / seats
    for k in range(seats):
        u = -half + 0.16 + seat * k
        f.puff(u, u + seat, 0.42, back + 0.03, 0.18, 0.36, base, 0.1)
    for k in range(seats):
        u = -half + 0.16 + seat * k
        f.puff(u, u + seat, 0.32, 0.47, 0.3, deep + 0.01, dim(base, 1.03), 0.06)
    sides = (-half, half - 0.18)
    for u in (
        sides if f.scene.camera.view(f.at(-half, 0, 0))[2] > f.scene.camera.view(f.at(half, 0, 0))[2] else sides[::-1]
    ):
        f.puff(u, u + 0.18, 0.12, arm, 0.02, deep, dim(base, 0.97), 0.08)
    for _ in range(int(rng.integers(0, 2 + seats))):
        tint = vary((kit.accent, kit.second, WHITE, kit.leaf)[int(rng.integers(4))], rng)
        cushion(
            f,
            float(rng.uniform(-half + 0.38, half - 0.38)) if wide > 1 else 0.0,
            0.46,
            0.55,
            float(rng.uniform(0.36, 0.46)),
            tint,
        )
    if wide > 1 and rng.random() < 0.35:
        u, cloth = float(rng.uniform(-half + 0.3, half - 0.6)), vary(kit.second, rng)
        f.puff(u, u + 0.4, 0.36, 0.485, 0.4, deep + 0.03, cloth, 0.03)


def coffee_table(f: Frame, kit: Palette) -> None:
    """A low table, square or round, with a few things on it."""
    rng = f.scene.rng
    tone = vary((kit.wood, DARK, WHITE)[pick(rng, 0.65, 0.15, 0.2)], rng)
    high = 0.42
    if rng.random() < 0.5:
        for u in (-0.44, 0.44):
            for w in (-0.24, 0.24):
                f.leg(u, w, high, 0.05, tone)
        f.box(-0.5, 0.5, high - 0.05, high, -0.3, 0.3, tone, gloss=0.2)
    else:
        for angle in (0.5, 2.6, 4.4):
            f.leg(float(np.cos(angle)) * 0.3, float(np.sin(angle)) * 0.3, high, 0.05, tone)
        f.lathe(0, 0, [(0.42, high - 0.05), (0.42, high)], tone, rim=dim(tone, 1.06))
    f.box(-0.3, 0.02, high, high + 0.03, -0.1, 0.12, vary(kit.accent, rng))
    f.box(-0.27, 0.0, high + 0.03, high + 0.055, -0.08, 0.1, WHITE)
    vase(f, 0.2, high, 0.0, kit, 0.18)


def bookcase(f: Frame, kit: Palette, wide: float = 1.0) -> None:
    """Shelves of books and small things."""
    rng = f.scene.rng
    tone, high = vary((kit.wood, WHITE)[int(rng.random() < 0.35)], rng), float(rng.uniform(1.5, 2.1))
    f.box(-wide / 2, wide / 2, 0, high, 0, 0.3, tone)
    f.panel(-wide / 2 + 0.04, wide / 2 - 0.04, 0.06, high - 0.04, 0.301, dim(tone, 0.62))
    levels = 5
    for k in range(levels):
        v = 0.06 + (high - 0.1) * k / levels
        f.panel(-wide / 2 + 0.04, wide / 2 - 0.04, v - 0.03, v, 0.305, tone)
        kind = pick(rng, 0.6, 0.25, 0.15)
        if kind < 2:
            books(f, -wide / 2 + 0.06, wide * (0.42 if kind == 0 else 0.05), v, 0.3, kit, (high - 0.1) / levels * 0.88)
        if kind > 0:
            vase(f, wide * 0.28, v, 0.26, kit, (high - 0.1) / levels * 0.6)


def television(f: Frame, kit: Palette) -> None:
    """A low cabinet below a screen."""
    rng = f.scene.rng
    tone = vary((kit.wood, WHITE, DARK)[pick(rng, 0.6, 0.3, 0.1)], rng)
    f.box(-0.85, 0.85, 0.1, 0.5, 0, 0.4, tone, gloss=0.1)
    for u in (-0.83, -0.27, 0.29):
        f.edge(u, u + 0.54, 0.13, 0.47, 0.402)
    v = float(rng.uniform(0.6, 0.85))
    f.box(-0.65, 0.65, v, v + 0.74, 0.03, 0.08, rgb("17181b"))
    f.panel(-0.63, 0.63, v + 0.02, v + 0.72, 0.082, rgb("23262c"), gloss=0.4)
    f.veil(
        [(-0.6, v + 0.05, 0.083), (-0.2, v + 0.05, 0.083), (0.2, v + 0.69, 0.083), (-0.3, v + 0.69, 0.083)], WHITE, 0.07
    )
    vase(f, float(rng.choice([-0.75, 0.75])), 0.5, 0.25, kit, 0.2)


def fireplace(f: Frame, kit: Palette) -> None:
    """A mantelpiece around a fire."""
    rng = f.scene.rng
    stone = vary((WHITE, rgb("a9a29a"), rgb("9c5a44"))[int(rng.integers(3))], rng)
    f.box(-0.7, 0.7, 0, 1.1, 0, 0.28, stone)
    f.panel(-0.4, 0.4, 0.05, 0.75, 0.281, rgb("1d1715"))
    for k in range(9):
        u, high = rng.uniform(-0.22, 0.22), rng.uniform(0.14, 0.36)
        flame = [(u - 0.06, 0.1, 0.283), (u + 0.06, 0.1, 0.283), (u + rng.uniform(-0.03, 0.03), 0.1 + high, 0.283)]
        f.face(flame, (rgb("ff9a3c"), rgb("ffd166"), rgb("f26b38"))[k % 3], lit=False, round=0.05)
    f.line([(-0.25, 0.09, 0.285), (0.25, 0.11, 0.285)], 0.07, rgb("4a3426"))
    f.box(-0.8, 0.8, 1.1, 1.17, 0, 0.36, vary(kit.wood, rng))
    f.scene.glow(f.at(0, 0.3, 0.3), 0.4, (95, 48, 12))
    vase(f, -0.55, 1.17, 0.2, kit, 0.22)
    if rng.random() < 0.6:
        vase(f, 0.5, 1.17, 0.2, kit, 0.16)
