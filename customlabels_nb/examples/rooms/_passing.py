"""Closets and entry ways: rooms that one passes through."""

from __future__ import annotations

from functools import partial

import numpy as np
from PIL import Image

from customlabels_nb.examples._drawing import Colour, dim, mix, rgb, vary
from customlabels_nb.examples._shapes import Frame, Palette
from customlabels_nb.examples.rooms._furnishings import basket, mirror, pendant, pictures, plant, rug, shade_lamp, vase
from customlabels_nb.examples.rooms._setting import interior, pick
from customlabels_nb.examples.rooms._shell import DARK, WHITE, door, paint_shell


def closet(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Rods with clothes, shelves with folded things, shoes: walk-in or along one wall."""
    s = interior(rng, size, width=(1.9, 3.2), depth=(2.2, 3.2), lens=(0.58, 0.78))
    r, kit = s.room, s.kit
    paint_shell(r, floor=("wood", "carpet")[pick(rng, 0.6, 0.4)])
    wood = vary((WHITE, kit.wood, kit.trim, dim(kit.wood, 0.7))[int(rng.integers(4))], rng)
    if rng.random() < 0.2 and s.light_wall is not r.back:
        s.window(wide=0.7, low=1.3, high=2.0, curtains=False)
    cover = rng.random(3) < np.array([0.95, 0.6, 0.6])
    for wall, used in zip((r.back, r.left, r.right), cover, strict=True):
        if wall is s.light_wall and wall is not r.back and rng.random() < 0.4:
            continue
        if used:
            long_ = r.width if wall is r.back else r.depth - 0.85
            start = -r.width / 2 if wall is r.back else (-r.depth / 2 if wall is r.right else r.depth / 2 - long_)
            _bays(wall.moved(start), kit, wood, float(long_))
        elif rng.random() < 0.5:
            mirror(wall.moved(0 if wall is r.back else s.along(wall, r.depth * 0.7)), 0, 1.2, 0.55, 1.6, kit)
        else:
            s.adorn(wall, 0 if wall is r.back else s.along(wall, r.depth * 0.7))
    if rng.random() < 0.5:
        rug(r.floor(0, r.depth * 0.5), r.width * 0.45, 1.1, kit, oval=bool(rng.random() < 0.3))
    if rng.random() < 0.4:
        ottoman = r.floor(float(rng.uniform(-0.15, 0.15)) * r.width, r.depth * 0.55, float(rng.uniform(-20, 20)))
        tone = vary(kit.accent, rng)
        ottoman.put(lambda f: f.puff(-0.3, 0.3, 0.08, 0.42, -0.22, 0.22, tone, 0.08), (-0.3, 0.3, -0.22, 0.22))
    if rng.random() < 0.4:
        r.floor(float(rng.choice([-1, 1])) * r.width * 0.25, r.depth * 0.42).put(
            lambda f: basket(f, kit, 0.2, 0.42), (-0.2, 0.2, -0.2, 0.2)
        )
    if rng.random() < 0.4:
        pendant(r, 0, r.depth * 0.5, 0.4, on=s.lamps_on)
    return s.photo(size)


def entry_way(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """The front door from the inside, coats, shoes, a bench or console, perhaps the stairs."""
    s = interior(rng, size, width=(2.2, 3.4), depth=(2.8, 4.2), lens=(0.62, 0.84))
    r, kit = s.room, s.kit
    paint_shell(
        r, floor=("wood", "tiles", "checks")[pick(rng, 0.45, 0.3, 0.25)], wainscot=float(rng.choice([0, 0, 1.0]))
    )
    colour = vary((kit.accent, kit.second, kit.wood, WHITE, dim(kit.accent, 0.6))[int(rng.integers(5))], rng)
    way = s.main_wall(0.62)
    place = way.moved(
        float(rng.uniform(-0.25, 0.25)) * r.width
        if way is r.back
        else s.along(way, r.depth * float(rng.uniform(0.6, 0.75)))
    )
    door(place, 0, kit, colour, glass=bool(rng.random() < 0.5))
    if rng.random() < 0.45:
        for u in (-0.68, 0.68):
            place.box(u - 0.16, u + 0.16, 0.1, 2.05, 0, 0.03, kit.trim)
            place.scene.fade(
                [place.at(u + a, v, 0.034) for a, v in ((-0.1, 0.3), (0.1, 0.3), (0.1, 1.95), (-0.1, 1.95))],
                rgb("cfe3ee"),
                mix(rgb("dfe9da"), kit.leaf, 0.4),
            )
    elif s.light_wall is not way and rng.random() < 0.5:
        s.window(wide=float(rng.uniform(0.7, 1.1)), curtains=bool(rng.random() < 0.4))
    if rng.random() < 0.75:
        rug(place.moved(0, 0, 0.65), 1.0, 0.6, kit)
    if rng.random() < 0.35 and r.width > 2.5:
        rug(r.floor(0, r.depth * 0.35), 0.9, 1.8, kit)
    lit = s.lamps_on
    climbing = False
    for wall in s.other_walls(way):
        if wall is s.light_wall and rng.random() < 0.5:
            continue
        spot = wall.moved(
            float(rng.uniform(-0.15, 0.15)) * r.width
            if wall is r.back
            else s.along(wall, r.depth * float(rng.uniform(0.55, 0.72)))
        )
        kind = pick(rng, 0.42, 0.32, 0.18, 0.08)
        if kind == 0:
            spot.put(lambda f: coat_rack(f, kit), (-0.6, 0.6, 0, 0.4))
        elif kind == 1:
            spot.put(lambda f: console(f, kit, lit), (-0.5, 0.5, 0, 0.32))
        elif kind == 2 and wall is not r.back and not climbing:
            climbing = True
            stairs(s.room.floor(0, 0), r.width / 2 * (1 if wall is r.right else -1), r.depth, kit)
        else:
            s.adorn(spot, 0.0)
    if rng.random() < 0.45:
        s.potted(float(rng.choice([-1, 1])) * (r.width / 2 - 0.28), r.depth - 0.35, float(rng.uniform(0.6, 1.3)))
    if rng.random() < 0.3:
        r.floor(float(rng.choice([-1, 1])) * (r.width / 2 - 0.3), r.depth * 0.6).put(
            lambda f: umbrellas(f, kit), (-0.14, 0.14, -0.14, 0.14)
        )
    for _ in range(int(rng.integers(0, 3))):
        at = place.moved(float(rng.uniform(-0.9, 0.9)), 0, float(rng.uniform(0.25, 0.5)), float(rng.uniform(-30, 30)))
        tone = vary((kit.accent, DARK, kit.second, WHITE)[int(rng.integers(4))], rng)
        at.put(partial(shoes, tone=tone), (-0.1, 0.1, -0.1, 0.15), 0.3)
    if rng.random() < 0.45:
        pendant(r, 0, r.depth * 0.55, 0.45, on=lit)
    return s.photo(size)


def _bays(f: Frame, kit: Palette, wood: Colour, long_: float) -> None:
    """A wall of storage from u = 0 to ``long_``, each bay hung, shelved or with drawers."""
    rng = f.scene.rng
    count = max(1, round(long_ / 0.85))
    wide = long_ / count
    deep = 0.5
    plans = [(k, pick(rng, 0.34, 0.2, 0.26, 0.2)) for k in range(count)]
    for k, plan in plans:
        if not f.moved(k * wide).in_view(0, wide, 0, 2.3, 0, deep):
            continue
        bay = partial(_bay, kit=kit, wood=wood, wide=wide, deep=deep, plan=plan)
        f.moved(k * wide).put(bay, (0, wide, 0, deep), 0.4)


def _bay(f: Frame, kit: Palette, wood: Colour, wide: float, deep: float, plan: int) -> None:
    rng = f.scene.rng
    f.panel(0, wide, 0.06, 2.25, 0.01, dim(wood, 0.82))
    f.box(0, 0.03, 0, 2.25, 0, deep, wood)
    f.box(wide - 0.03, wide, 0, 2.25, 0, deep, wood)
    f.box(0.02, wide - 0.02, 1.95, 1.98, 0, deep, wood)
    _stored(f, kit, wide, 1.98, deep)
    if plan == 0:
        rod(f, kit, 0.06, wide - 0.06, 1.85, float(rng.uniform(0.95, 1.3)))
        _shoe_row(f, kit, wide, 0.02, deep)
    elif plan == 1:
        rod(f, kit, 0.06, wide - 0.06, 1.85, 0.75)
        f.box(0.02, wide - 0.02, 0.98, 1.01, 0, deep, wood)
        rod(f, kit, 0.06, wide - 0.06, 0.92, 0.72)
    elif plan == 2:
        for v in (0.12, 0.5, 0.86, 1.22, 1.58):
            f.box(0.02, wide - 0.02, v - 0.03, v, 0, deep, wood)
            if v < 0.4:
                _shoe_row(f, kit, wide, v, deep)
            else:
                _stored(f, kit, wide, v, deep)
    else:
        f.box(0.02, wide - 0.02, 0.06, 0.98, 0, deep - 0.02, dim(wood, 0.98))
        for k in range(4):
            v = 0.09 + 0.22 * k
            f.edge(0.05, wide - 0.05, v, v + 0.2, deep - 0.018)
            f.line([(wide * 0.4, v + 0.12, deep), (wide * 0.6, v + 0.12, deep)], 0.02, kit.metal)
        rod(f, kit, 0.06, wide - 0.06, 1.85, 0.7)


def rod(f: Frame, kit: Palette, u0: float, u1: float, v: float, long_: float) -> None:
    """A rod full of clothes on hangers."""
    rng = f.scene.rng
    f.line([(u0, v, 0.26), (u1, v, 0.26)], 0.03, kit.metal)
    tones = [
        kit.accent,
        kit.second,
        kit.cloth,
        WHITE,
        rgb("34405a"),
        rgb("2f2f33"),
        kit.leaf,
        rgb("7b8fa8"),
        rgb("c9a5a0"),
    ]
    family = [tones[int(k)] for k in rng.integers(len(tones), size=5)]
    ups = list(np.arange(u0 + 0.04, u1 - 0.03, float(rng.uniform(0.05, 0.075))))
    eye_right = f.scene.camera.view(f.at(u0, v, 0.3))[0] < 0
    for u in ups if not eye_right else ups[::-1]:
        if rng.random() < 0.12:
            continue
        cloth = vary(family[int(rng.integers(5))], rng, 0.1)
        low = v - long_ * float(rng.uniform(0.7, 1.0))
        thick = float(rng.uniform(0.035, 0.06))
        half = float(rng.uniform(0.17, 0.22))
        f.line([(u, v + 0.02, 0.26), (u, v - 0.04, 0.26)], 0.012, kit.metal)
        side = u + thick if f.scene.camera.view(f.at(u, v, 0.3))[0] < 0 else u
        f.face(
            [
                (side, v - 0.05, 0.24),
                (side, v - 0.12, 0.26 - half),
                (side, low, 0.26 - half),
                (side, low, 0.26 + half),
                (side, v - 0.12, 0.26 + half),
                (side, v - 0.05, 0.28),
            ],
            dim(cloth, 0.86),
        )
        f.face(
            [
                (u, low, 0.26 + half),
                (u + thick, low, 0.26 + half),
                (u + thick, v - 0.12, 0.26 + half),
                (u + thick * 0.6, v - 0.05, 0.3),
                (u + thick * 0.4, v - 0.05, 0.3),
                (u, v - 0.12, 0.26 + half),
            ],
            cloth,
        )
        f.line([(u + thick * 0.5, low, 0.262 + half), (u + thick * 0.5, v - 0.15, 0.262 + half)], 0.008, DARK, 0.22)


def _stored(f: Frame, kit: Palette, wide: float, v: float, deep: float) -> None:
    """Folded clothes, boxes or baskets on a shelf."""
    rng = f.scene.rng
    u = 0.07
    while u < wide - 0.28:
        kind, w = pick(rng, 0.5, 0.28, 0.22), float(rng.uniform(0.22, 0.3))
        if kind == 0:
            high = v
            for _ in range(int(rng.integers(2, 5))):
                thick = float(rng.uniform(0.035, 0.055))
                cloth = vary((kit.accent, kit.second, kit.cloth, WHITE, rgb("4b566b"))[int(rng.integers(5))], rng, 0.1)
                f.puff(u, u + w, high, high + thick, 0.08, deep - 0.06, cloth, 0.025)
                high += thick
        elif kind == 1:
            tone = vary((kit.second, mix(kit.wood, WHITE, 0.4), WHITE, kit.accent)[int(rng.integers(4))], rng)
            tall = float(rng.uniform(0.13, 0.22))
            f.box(u, u + w, v, v + tall, 0.06, deep - 0.05, tone)
            f.box(u - 0.008, u + w + 0.008, v + tall, v + tall + 0.035, 0.05, deep - 0.04, dim(tone, 0.92))
            f.panel(u + w * 0.35, u + w * 0.65, v + tall * 0.35, v + tall * 0.65, deep - 0.048, WHITE)
        u += w + float(rng.uniform(0.02, 0.08))


def _shoe_row(f: Frame, kit: Palette, wide: float, v: float, deep: float) -> None:
    rng = f.scene.rng
    for u in np.arange(0.16, wide - 0.12, 0.24):
        if rng.random() < 0.75:
            tone = vary((kit.accent, DARK, WHITE, kit.wood, kit.second)[int(rng.integers(5))], rng, 0.1)
            shoes(f.moved(float(u), v, deep - 0.22), tone)


def shoes(f: Frame, tone: Colour) -> None:
    """A pair of shoes, their tips towards the viewer."""
    for u in (-0.052, 0.052):
        f.puff(u - 0.042, u + 0.042, 0.0, 0.03, -0.12, 0.14, dim(WHITE, 0.9), 0.03)
        f.puff(u - 0.04, u + 0.04, 0.02, 0.075, -0.03, 0.135, tone, 0.035)
        f.puff(u - 0.04, u + 0.04, 0.02, 0.115, -0.12, 0.0, tone, 0.03)
        f.disc(u, 0.117, -0.06, 0.028, dim(tone, 0.4), level=True)


def coat_rack(f: Frame, kit: Palette) -> None:
    """Coats and bags on hooks, a bench with shoes below."""
    rng = f.scene.rng
    board = vary((kit.wood, WHITE)[int(rng.integers(2))], rng)
    f.box(-0.6, 0.6, 1.62, 1.76, 0, 0.03, board)
    if rng.random() < 0.6:
        f.box(-0.62, 0.62, 1.84, 1.87, 0, 0.22, board)
        basket(f.moved(float(rng.uniform(-0.3, 0.3)), 1.87, 0.11), kit, 0.11, 0.15)
    for k in range(5):
        u = -0.48 + 0.24 * k
        f.line([(u, 1.68, 0.03), (u, 1.66, 0.09), (u, 1.7, 0.1)], 0.02, kit.metal)
        if rng.random() < 0.72:
            cloth = vary(
                (kit.accent, kit.second, rgb("3b4560"), rgb("6b5a48"), kit.cloth, rgb("c8a22e"))[int(rng.integers(6))],
                rng,
                0.1,
            )
            coat(f, u, 1.68, float(rng.uniform(0.55, 0.95)), cloth, bag=rng.random() < 0.2)
    if rng.random() < 0.8:
        bench = vary(kit.wood, rng)
        for u in (-0.55, 0.55):
            f.box(u - 0.025, u + 0.025, 0, 0.43, 0.04, 0.38, bench)
        for k in range(3):
            if rng.random() < 0.7:
                shoes(
                    f.moved(-0.35 + 0.33 * k, 0, 0.24), vary((kit.accent, DARK, kit.second)[int(rng.integers(3))], rng)
                )
        f.box(-0.6, 0.6, 0.42, 0.46, 0.02, 0.4, bench)
        if rng.random() < 0.5:
            f.puff(-0.58, 0.58, 0.46, 0.52, 0.03, 0.39, vary(kit.accent, rng), 0.03)


def coat(f: Frame, u: float, v: float, long_: float, cloth: Colour, *, bag: bool) -> None:
    """A coat on a hook, or a bag."""
    rng = f.scene.rng
    if bag:
        f.line([(u - 0.09, v - 0.35, 0.1), (u, v, 0.1), (u + 0.09, v - 0.35, 0.1)], 0.015, dim(cloth, 0.6))
        f.face(
            [(u - 0.13, v - 0.62, 0.1), (u + 0.13, v - 0.62, 0.1), (u + 0.1, v - 0.34, 0.1), (u - 0.1, v - 0.34, 0.1)],
            cloth,
            round=0.04,
        )
        return
    flare, low = float(rng.uniform(0.15, 0.2)), v - long_
    for side in (-1, 1):
        f.face(
            [
                (u + side * 0.08, v - 0.08, 0.09),
                (u + side * 0.2, v - 0.55, 0.09),
                (u + side * 0.13, v - 0.58, 0.09),
                (u, v - 0.2, 0.09),
            ],
            dim(cloth, 0.8),
        )
    f.face(
        [
            (u - flare, low, 0.1),
            (u + flare, low, 0.1),
            (u + 0.11, v - 0.12, 0.1),
            (u + 0.03, v, 0.1),
            (u - 0.03, v, 0.1),
            (u - 0.11, v - 0.12, 0.1),
        ],
        cloth,
        round=0.05,
    )
    f.line([(u, v - 0.05, 0.11), (u + 0.01, low + 0.01, 0.11)], 0.014, dim(cloth, 0.55), 0.7)
    f.veil(
        [(u + 0.05, low, 0.11), (u + flare * 0.8, low, 0.11), (u + 0.09, v - 0.15, 0.11), (u + 0.05, v - 0.1, 0.11)],
        DARK,
        0.14,
    )


def console(f: Frame, kit: Palette, lit: bool) -> None:
    """A narrow table with a lamp, a bowl for keys, and a mirror above."""
    rng = f.scene.rng
    tone = vary((kit.wood, DARK, WHITE)[pick(rng, 0.6, 0.15, 0.25)], rng)
    if rng.random() < 0.7:
        mirror(f, 0, 1.5, 0.6, 0.75, kit, round_=bool(rng.random() < 0.55))
    else:
        pictures(f, 0, 1.55, kit)
    for u in (-0.46, 0.46):
        for w in (0.04, 0.27):
            f.leg(u, w, 0.8, 0.045, tone)
    f.box(-0.48, 0.48, 0.68, 0.8, 0.02, 0.29, tone)
    f.edge(-0.44, -0.02, 0.695, 0.785, 0.292)
    f.edge(0.02, 0.44, 0.695, 0.785, 0.292)
    f.box(-0.52, 0.52, 0.8, 0.83, 0, 0.31, tone, gloss=0.15)
    shade_lamp(f.moved(-0.33, 0.83, 0.15), kit, 0.48, on=lit, radius=0.13)
    vase(f, 0.3, 0.83, 0.15, kit, 0.22)
    if rng.random() < 0.6:
        basket(f.moved(float(rng.uniform(-0.2, 0.2)), 0, 0.16), kit, 0.16, 0.28)


def stairs(f: Frame, side: float, depth: float, kit: Palette) -> None:
    """A flight that climbs along a side wall towards the back, with a railing."""
    sign = 1 if side > 0 else -1
    inner = side - sign * 0.8
    tread = vary(kit.wood, f.scene.rng)
    x0, x1 = min(inner, side), max(inner, side)
    steps = 9
    start = depth - steps * 0.24

    def paint(f: Frame) -> None:
        for k in range(steps - 1, -1, -1):
            high, z = 0.18 * (k + 1), start + 0.24 * k
            f.box(x0, x1, 0, high - 0.03, -(depth - 0.02), -z, kit.trim)
            f.box(x0 - 0.02, x1 + 0.02, high - 0.03, high, -(z + 0.24), -(z - 0.02), tread)
        for k in range(steps):
            high, z = 0.18 * (k + 1), start + 0.24 * k + 0.1
            f.line([(inner, high, -z), (inner, high + 0.8, -z)], 0.03, kit.trim)
        f.line([(inner, 1.0, -start), (inner, 0.18 * steps + 0.82, -(start + 0.24 * steps))], 0.06, tread)
        f.box(inner - 0.04, inner + 0.04, 0, 1.1, -start - 0.02, -start + 0.06, tread)

    f.scene.put((inner, 0, depth - 0.6), lambda: paint(f))
    f.shade_floor(x0, x1, -depth, -start)


def umbrellas(f: Frame, kit: Palette) -> None:
    """A stand with umbrellas."""
    rng = f.scene.rng
    for k in range(int(rng.integers(1, 4))):
        tone = vary((kit.accent, DARK, kit.second)[k % 3], rng)
        lean = float(rng.uniform(-0.1, 0.1))
        f.line([(lean * 0.3, 0.3, 0.02 * k), (lean, 0.75, 0.02 * k)], 0.05, tone)
        f.line(
            [(lean, 0.75, 0.02 * k), (lean * 1.2, 0.9, 0.02 * k), (lean * 1.2 + 0.05, 0.93, 0.02 * k)], 0.02, kit.wood
        )
    f.lathe(0, 0, [(0.11, 0), (0.13, 0.5)], vary((kit.metal, WHITE, kit.accent)[int(rng.integers(3))], rng))
    if rng.random() < 0.1:
        plant(f.moved(0.35), kit, 0.5)
