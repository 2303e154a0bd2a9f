"""Backyards, front yards and patios."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from PIL import Image

from customlabels_nb.examples._drawing import Colour, Scene, dim, mix, rgb, vary
from customlabels_nb.examples._shapes import Frame, Palette
from customlabels_nb.examples.rooms._furnishings import plant
from customlabels_nb.examples.rooms._gardens import (
    barbecue,
    bush,
    fence,
    flowers,
    garden_chair,
    ground,
    mailbox,
    path,
    pool,
    shed,
    string_lights,
    swing,
    table_round,
    trampoline,
    tree,
    treeline,
    washing,
)
from customlabels_nb.examples.rooms._setting import develop, exterior, pick
from customlabels_nb.examples.rooms._shell import DARK, WHITE, door, paint_floor, window


def backyard(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A lawn behind the house, fenced in, with things to play on."""
    scene, kit, mood = exterior(rng, size)
    far = float(rng.uniform(8, 12))
    treeline(scene, kit, far + 6, mood)
    ground(scene, mix(kit.leaf, rgb("8fb35a"), 0.5), stripes=rng.random() < 0.4)
    wide = float(rng.uniform(4.5, 7))
    fence(scene, kit, wide, far, 1.8, picket=rng.random() < 0.15)
    if rng.random() < 0.35:
        paved(scene, kit, float(rng.uniform(1.8, 3.2)))
    toys = [swing, trampoline, shed, washing, pool, barbecue]
    order = rng.permutation(len(toys))
    for k in range(int(rng.integers(1, 4))):
        x = (-1, 1, 0)[k] * wide * 0.48 + float(rng.uniform(-0.6, 0.6))
        spot = Frame(scene, (x, 0, float(rng.uniform(0.5, 0.75)) * far), float(rng.uniform(-25, 25)))
        toy = toys[int(order[k])]
        spot.put(partial(toy, kit=kit), (-0.7, 0.7, -0.4, 0.4), 0.3)
    if rng.random() < 0.3:
        seats(scene, kit, float(rng.uniform(-2, 2)), far * 0.4, int(rng.integers(1, 3)))
    _planting(scene, kit, far, wide, trees=int(rng.integers(1, 4)))
    return _taken(scene, size, mood)


def front_yard(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """The house from the street, with the way to its door."""
    scene, kit, mood = exterior(rng, size, height=(1.5, 2.3), pitch=(-5, 3))
    far = float(rng.uniform(8.5, 13))
    treeline(scene, kit, far + 9, mood)
    ground(scene, mix(kit.leaf, rgb("8fb35a"), 0.5), stripes=rng.random() < 0.25)
    at = Frame(scene, (float(rng.uniform(-2.2, 2.2)), 0, far), float(rng.uniform(-16, 16)))
    way = house(at, kit, mood)
    path(scene, at.at(way, 0, 0), (float(rng.uniform(-1.2, 1.2)), 0, 0.4), kit)
    if rng.random() < 0.4:
        fence(scene, kit, float(rng.uniform(5, 8)), far * float(rng.uniform(0.38, 0.5)), 0.8, picket=True, gap=1.1)
    if rng.random() < 0.45:
        spot = Frame(
            scene, (float(rng.choice([-1, 1])) * float(rng.uniform(1.0, 2.0)), 0, float(rng.uniform(3.2, 4.5)))
        )
        spot.put(lambda f: mailbox(f, kit), (-0.1, 0.1, -0.1, 0.1))
    for k in range(int(rng.integers(3, 8))):
        u = -4.2 + 1.2 * k + float(rng.uniform(-0.3, 0.3))
        if abs(u - way) > 0.9:
            at.moved(u, 0, float(rng.uniform(0.4, 0.8))).put(
                lambda f: bush(f, kit, float(rng.uniform(0.3, 0.55))), (-0.4, 0.4, -0.3, 0.3)
            )
    if rng.random() < 0.2:
        seats(scene, kit, float(rng.uniform(-2.5, 2.5)), far * 0.6, 1)
    _planting(scene, kit, far * 0.85, 5.5, trees=int(rng.integers(0, 3)))
    return _taken(scene, size, mood)


def patio(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A paved place with a table and chairs, between house and garden."""
    scene, kit, mood = exterior(rng, size, pitch=(-14, -6))
    far = float(rng.uniform(6, 9))
    treeline(scene, kit, far + 7, mood)
    ground(scene, mix(kit.leaf, rgb("8fb35a"), 0.5), stripes=False)
    deep = float(rng.uniform(3.8, 5.4))
    paved(scene, kit, deep)
    side = float(rng.choice([-1, 1]))
    kind = pick(rng, 0.45, 0.3, 0.25)
    if kind == 0:
        wall_behind(Frame(scene, (0, 0, deep + 0.7), float(rng.uniform(-5, 5))), kit, mood)
        far = deep + 0.2
    else:
        fence(scene, kit, float(rng.uniform(4, 6)), far, 1.8, picket=False)
    if kind == 1:
        wall_behind(Frame(scene, (side * 3.1, 0, deep * 0.6), side * 90), kit, mood)
    x, z = float(rng.uniform(-0.9, 0.9)), float(rng.uniform(0.58, 0.72)) * deep
    shaded = rng.random() < 0.5
    if rng.random() < 0.9:
        table = Frame(scene, (x, 0, z))
        table.put(lambda f: table_round(f, kit, parasol_above=shaded), (-0.5, 0.5, -0.5, 0.5))
        seats(scene, kit, x, z, int(rng.integers(2, 5)))
    if rng.random() < 0.3:
        Frame(scene, (-side * 1.9, 0, deep * 0.8)).put(lambda f: barbecue(f, kit), (-0.4, 0.4, -0.3, 0.3))
    for _ in range(int(rng.integers(1, 5))):
        spot = Frame(
            scene, (float(rng.choice([-1, 1])) * float(rng.uniform(1.4, 2.6)), 0, float(rng.uniform(0.5, 1.0)) * deep)
        )
        tall = float(rng.uniform(0.6, 1.4))
        spot.put(partial(plant, kit=kit, height=tall), (-0.2, 0.2, -0.2, 0.2))
    if rng.random() < 0.5:
        string_lights(scene, deep, lit=mood in ("night", "golden"))
    _planting(scene, kit, far, 5, trees=0 if kind == 0 else int(rng.integers(0, 3)), beyond=deep)
    return _taken(scene, size, mood)


def _taken(scene: Scene, size: tuple[int, int], mood: str) -> Image.Image:
    scene.cast(0.01, (20, 30, 30))
    scene.finish_painting()
    return develop(scene, size, mood)


def _planting(scene: Scene, kit: Palette, far: float, wide: float, *, trees: int, beyond: float = 3.0) -> None:
    rng = scene.rng
    for _ in range(trees):
        x = float(rng.choice([-1, 1])) * float(rng.uniform(0.35, 0.95)) * wide
        tall = float(rng.uniform(2.4, 4.2))
        spot = Frame(scene, (x, 0, float(rng.uniform(0.6, 0.95)) * far))
        spot.put(partial(tree, kit=kit, tall=tall), (-0.7, 0.7, -0.5, 0.5), 0.35)
    for _ in range(int(rng.integers(2, 6))):
        x, z = float(rng.uniform(-1, 1)) * wide, float(rng.uniform(max(0.7 * far, beyond), max(far, beyond + 0.2)))
        Frame(scene, (x, 0, z)).put(lambda f: bush(f, kit, float(rng.uniform(0.3, 0.6))), (-0.4, 0.4, -0.3, 0.3), 0.35)
    for _ in range(int(rng.integers(0, 3))):
        x, z = (
            float(rng.choice([-1, 1])) * float(rng.uniform(1.2, wide)),
            float(rng.uniform(beyond, max(far * 0.7, beyond + 0.5))),
        )
        Frame(scene, (x, 0, z)).put(lambda f: flowers(f, kit), (-0.4, 0.4, -0.2, 0.2), 0.25)


def paved(scene: Scene, kit: Palette, deep: float) -> None:
    """Flagstones or decking from the viewer's feet to ``deep`` metres ahead."""
    rng = scene.rng
    if rng.random() < 0.35:
        paint_floor(scene, vary(mix(kit.wood, rgb("a98b6d"), 0.6), rng), (-3.2, 3.2, 0.3, deep), "wood")
    else:
        stone = vary((rgb("c9c2b6"), rgb("b9a58f"), rgb("a8aaab"), rgb("c79f86"))[int(rng.integers(4))], rng)
        paint_floor(scene, stone, (-3.2, 3.2, 0.3, deep), "tiles" if rng.random() < 0.75 else "checks")


def seats(scene: Scene, kit: Palette, x: float, z: float, count: int) -> None:
    """Garden chairs around a point."""
    rng = scene.rng
    tone = vary((kit.accent, WHITE, kit.wood, kit.second)[int(rng.integers(4))], rng)
    turn = float(rng.uniform(0, 360))
    for k in range(count):
        angle = math.radians(turn + 360 * k / max(2, count))
        spot = Frame(scene, (x + 0.95 * math.cos(angle), 0, z + 0.8 * math.sin(angle)))
        facing = math.degrees(math.atan2(math.cos(angle), math.sin(angle)))
        spot.moved(turn=facing).put(lambda f: garden_chair(f, tone), (-0.27, 0.27, -0.27, 0.27), 0.35)


def siding(
    f: Frame, u0: float, u1: float, v0: float, v1: float, colour: Colour, w: float = 0.0, *, brick: bool = False
) -> None:
    """A house's wall of boards or bricks."""
    f.panel(u0, u1, v0, v1, w, colour)
    step = 0.09 if brick else 0.16
    for row, v in enumerate(np.arange(v0 + step, v1, step)):
        f.line([(u0, v, w + 0.004), (u1, v, w + 0.004)], 0.018, dim(colour, 0.7), 0.45)
        if brick and row % 2:
            for u in np.arange(u0 + 0.1, u1, 0.34):
                f.line([(u, v, w + 0.004), (u, v + step, w + 0.004)], 0.014, WHITE, 0.25)


def wall_behind(f: Frame, kit: Palette, mood: str) -> None:
    """The back of a house with a glazed door to the garden."""
    rng = f.scene.rng
    siding(f, -5, 5, 0, 3.4, vary(mix(kit.wall, WHITE, 0.3), rng), brick=rng.random() < 0.3)
    u = float(rng.uniform(-1.6, 0.6))
    f.box(u - 0.95, u + 0.95, 0, 2.2, 0, 0.05, kit.trim)
    for k in range(2):
        a, b = u - 0.88 + 0.9 * k, u - 0.04 + 0.9 * k
        f.scene.fade(
            [f.at(p, q, 0.055) for p, q in ((a, 0.08), (b, 0.08), (b, 2.1), (a, 2.1))], rgb("8aa1ad"), rgb("39424a")
        )
        f.veil(
            [(a + 0.1, 0.1, 0.056), (a + 0.3, 0.1, 0.056), (b - 0.05, 2.0, 0.056), (b - 0.25, 2.0, 0.056)], WHITE, 0.14
        )
        if mood == "night":
            f.veil([(a, 0.08, 0.057), (b, 0.08, 0.057), (b, 2.1, 0.057), (a, 2.1, 0.057)], rgb("ffc46b"), 0.7)
    if rng.random() < 0.7:
        window(f, u + 1.7, u + 2.8, 0.95, 2.05, kit, _panes(mood), curtains=False)
    f.ball(u + 1.25, 2.0, 0.1, 0.09, dim(WHITE, 1.3))


def _panes(mood: str) -> str:
    """What a window looks like from outside."""
    return "lamplit" if mood == "night" else "glass"


def house(f: Frame, kit: Palette, mood: str) -> float:
    """A house that faces the viewer of ``f``; returns where along it the door is."""
    rng = f.scene.rng
    colour = vary(
        (kit.wall, mix(kit.accent, WHITE, 0.35), WHITE, mix(kit.second, WHITE, 0.3), rgb("a8624a"))[
            int(rng.integers(5))
        ],
        rng,
    )
    brick = colour[0] - colour[2] > 60
    wide, high = float(rng.uniform(6.5, 9)), float(rng.choice([2.8, 2.9, 5.2]))
    roof = vary((rgb("6b4a3f"), rgb("4d5560"), rgb("8c4b3a"), rgb("59524c"))[int(rng.integers(4))], rng)
    half, deep = wide / 2, 6.0
    f.box(-half, half, 0, high, -deep, -0.02, dim(colour, 0.9))
    peak, hipped = float(rng.uniform(1.4, 2.4)), rng.random() < 0.5
    if not hipped:
        for a in (-1, 1):
            f.face(
                [
                    (a * (half + 0.3), high - 0.15, 0.3),
                    (0, high + peak, 0.3),
                    (0, high + peak, -deep),
                    (a * (half + 0.3), high - 0.15, -deep),
                ],
                roof,
            )
    siding(f, -half, half, 0, high, colour, 0.0, brick=brick)
    f.box(-half, half, 0, 0.3, 0, 0.02, rgb("8d8a86"))
    if hipped:
        eaves = [(-half - 0.3, high - 0.1, 0.3), (half + 0.3, high - 0.1, 0.3)]
        f.face([*eaves, (half - 0.5, high + peak, -deep / 2), (-half + 0.5, high + peak, -deep / 2)], roof)
        for k in range(1, 9):
            t = k / 9
            end, v, w = half + 0.3 - 0.8 * t, high - 0.1 + (peak + 0.1) * t, 0.3 - (deep / 2 + 0.3) * t
            f.line([(-end, v, w), (end, v, w)], 0.03, DARK, 0.18)
        f.box(-half - 0.3, half + 0.3, high - 0.16, high - 0.06, 0.24, 0.34, kit.trim)
    else:
        f.face([(-half, high, 0.01), (half, high, 0.01), (0, high + peak - 0.1, 0.01)], dim(colour, 1.02))
        f.disc(0, high + peak * 0.4, 0.02, 0.28, kit.trim)
        f.disc(0, high + peak * 0.4, 0.03, 0.2, rgb("5f7684"), lit=False)
        for a in (-1, 1):
            f.line([(a * (half + 0.3), high - 0.15, 0.31), (0, high + peak, 0.31)], 0.16, kit.trim)
    if rng.random() < 0.5:
        u = half * 0.5
        f.box(u - 0.25, u + 0.25, high + peak * 0.3, high + peak + 0.5, -deep * 0.4, -deep * 0.4 + 0.5, rgb("8a5a4a"))
    way = float(rng.uniform(-0.35, 0.35)) * wide
    for level in range(2 if high > 4 else 1):
        for u in np.arange(-half + 1.2, half - 0.6, float(rng.uniform(1.7, 2.1))):
            if level or abs(u - way) > 1.25:
                v = 0.95 + 2.5 * level
                window(f, u - 0.5, u + 0.5, v, v + 1.2, kit, _panes(mood), curtains=False)
                for a in (-1, 1):
                    f.panel(u + a * 0.72 - 0.16, u + a * 0.72 + 0.16, v - 0.05, v + 1.25, 0.03, dim(kit.accent, 0.8))
    f.box(way - 0.9, way + 0.9, 0, 0.16, 0, 0.9, rgb("b5b0a8"))
    g = f.moved(way, 0.16, 0)
    door(g, 0, kit, vary((kit.accent, kit.second, kit.wood)[int(rng.integers(3))], rng), glass=bool(rng.random() < 0.4))
    if rng.random() < 0.6:
        for u in (way - 0.8, way + 0.8):
            f.box(u - 0.07, u + 0.07, 0.16, 2.5, 0.7, 0.84, kit.trim)
        f.box(way - 1.05, way + 1.05, 2.5, 2.66, 0, 0.95, kit.trim)
        f.face([(way - 1.1, 2.66, 0.96), (way + 1.1, 2.66, 0.96), (way, 3.15, 0.96)], kit.trim)
    if rng.random() < 0.4 and half - abs(way) > 1.5:
        side = -1 if way > 0 else 1
        u = side * (half - 1.5)
        f.box(u - 1.25, u + 1.25, 0, 2.25, 0, 0.06, kit.trim)
        for k in range(4):
            f.panel(u - 1.15, u + 1.15, 0.05 + 0.53 * k, 0.05 + 0.53 * k + 0.49, 0.065, dim(kit.trim, 0.94))
    return way
