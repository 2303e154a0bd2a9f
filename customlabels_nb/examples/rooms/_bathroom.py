"""Bathrooms."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from customlabels_nb.examples._drawing import dim, mix, rgb, vary
from customlabels_nb.examples._shapes import Frame, Palette
from customlabels_nb.examples.rooms._furnishings import basket, mirror, plant, rug
from customlabels_nb.examples.rooms._setting import interior, pick
from customlabels_nb.examples.rooms._shell import DARK, STEEL, WHITE, paint_shell, wall_tiles


def bathroom(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A basin with a mirror, and some of tub, shower and toilet."""
    s = interior(rng, size, width=(2.5, 3.5), depth=(2.6, 3.5), lens=(0.58, 0.74))
    r, kit = s.room, s.kit
    paint_shell(
        r,
        floor=("tiles", "checks", "wood")[pick(rng, 0.55, 0.25, 0.2)],
        tiles=float(rng.choice([0, 1.2, 1.2, r.height])),
    )
    s.window(wide=float(rng.uniform(0.6, 1.0)), low=1.2, high=2.0, curtains=bool(rng.random() < 0.2))
    first = s.main_wall(0.5)
    walls = [first, *s.other_walls(first)]
    if first is s.light_wall:
        walls = walls[::-1]

    def spot(wall: Frame) -> Frame:
        return wall.moved(
            float(rng.uniform(-0.2, 0.2)) * r.width
            if wall is r.back
            else s.along(wall, r.depth * float(rng.uniform(0.56, 0.68)))
        )

    basin = spot(walls[0])
    mirror(basin, 0, 1.55, float(rng.uniform(0.55, 0.8)), 0.8, kit, round_=bool(rng.random() < 0.4))
    if rng.random() < 0.75:
        basin.put(lambda f: vanity(f, kit), (-0.45, 0.45, 0, 0.5))
    else:
        basin.put(pedestal, (-0.25, 0.25, 0, 0.45))
    if rng.random() < 0.92:
        spot(walls[1]).put(
            (lambda f: bathtub(f, kit)) if rng.random() < 0.6 else (lambda f: shower(f, kit)), (-0.75, 0.75, 0, 0.75)
        )
    if rng.random() < 0.8:
        seat = walls[2].moved(float(rng.uniform(-0.3, 0.3)) * r.width) if walls[2] is r.back else spot(walls[2])
        seat.put(toilet, (-0.2, 0.2, 0.05, 0.68))
    for wall in walls[1:]:
        if wall is not s.light_wall and rng.random() < 0.5:
            towel(spot(wall), kit)
    if rng.random() < 0.6:
        rug(
            r.floor(float(rng.uniform(-0.2, 0.2)) * r.width, r.depth * 0.55),
            0.9,
            0.55,
            kit,
            oval=bool(rng.random() < 0.5),
        )
    if rng.random() < 0.4:
        s.potted(float(rng.choice([-1, 1])) * (r.width / 2 - 0.25), r.depth - 0.3, float(rng.uniform(0.5, 1.0)))
    if rng.random() < 0.35:
        r.floor(float(rng.uniform(-0.3, 0.3)) * r.width, r.depth * 0.45).put(
            lambda f: basket(f, kit, 0.18, 0.35), (-0.18, 0.18, -0.18, 0.18)
        )
    return s.photo(size)


def vanity(f: Frame, kit: Palette) -> None:
    """A basin on a cabinet."""
    rng = f.scene.rng
    tone = vary((kit.wood, WHITE, kit.accent)[int(rng.integers(3))], rng)
    f.box(-0.45, 0.45, 0.1, 0.78, 0, 0.46, tone)
    for k in range(2):
        f.edge(-0.43 + 0.44 * k, -0.01 + 0.44 * k, 0.14, 0.74, 0.462)
        f.ball(-0.05 + 0.1 * k, 0.55, 0.475, 0.018, kit.metal)
    f.box(-0.47, 0.47, 0.78, 0.82, 0, 0.49, vary(rgb("e9e7e3"), rng), gloss=0.25)
    f.lathe(0, 0.25, [(0.14, 0.82), (0.21, 0.93)], dim(WHITE, 1.03), rim=dim(WHITE, 0.86))
    _tap(f, 0, 0.82, 0.07)
    f.lathe(0.32, 0.2, [(0.035, 0.82), (0.035, 0.95), (0.012, 0.98)], vary(kit.second, rng))
    if rng.random() < 0.5:
        plant(f.moved(-0.33, 0.82, 0.2), kit, 0.3)


def pedestal(f: Frame) -> None:
    """A basin on a foot."""
    f.lathe(0, 0.22, [(0.12, 0), (0.09, 0.3), (0.1, 0.66)], WHITE)
    f.lathe(0, 0.25, [(0.14, 0.66), (0.27, 0.8), (0.28, 0.84)], dim(WHITE, 1.03), rim=dim(WHITE, 0.85))
    _tap(f, 0, 0.84, 0.06)


def _tap(f: Frame, u: float, v: float, w: float) -> None:
    f.line([(u, v, w), (u, v + 0.2, w), (u, v + 0.23, w + 0.05), (u, v + 0.19, w + 0.13)], 0.026, STEEL)


def toilet(f: Frame) -> None:
    """A toilet with its cistern at the wall."""
    f.puff(-0.2, 0.2, 0.4, 0.8, 0.02, 0.2, WHITE, 0.05)
    f.box(-0.21, 0.21, 0.8, 0.83, 0.01, 0.21, dim(WHITE, 1.03))
    f.lathe(0, 0.42, [(0.13, 0), (0.1, 0.16), (0.17, 0.34), (0.2, 0.4)], WHITE)
    f.disc(0, 0.41, 0.43, 0.2, dim(WHITE, 1.03), level=True, stretch=1.25)
    f.disc(0, 0.415, 0.44, 0.13, dim(WHITE, 0.72), level=True, stretch=1.25)
    if f.scene.rng.random() < 0.6:
        f.puff(-0.18, 0.18, 0.42, 0.76, 0.2, 0.24, dim(WHITE, 0.99), 0.14)


def bathtub(f: Frame, kit: Palette) -> None:
    """A tub along the wall, free-standing or built in."""
    rng = f.scene.rng
    if rng.random() < 0.5:
        skirt = vary((WHITE, kit.accent, WHITE)[int(rng.integers(3))], rng)
        ring = [(math.cos(a), math.sin(a)) for a in np.linspace(0, 2 * math.pi, 28, endpoint=False)]
        scene = f.scene
        for low, high, a, b in ((0.02, 0.3, 0.82, 0.93), (0.3, 0.58, 0.93, 1.0)):
            points = [f.at(c * 0.78 * a, low, 0.42 + d * 0.36 * a) for c, d in ring] + [
                f.at(c * 0.78 * b, high, 0.42 + d * 0.36 * b) for c, d in ring
            ]
            f.solid(points, skirt, 0.3)
        scene.face([f.at(c * 0.79, 0.585, 0.42 + d * 0.37) for c, d in ring], dim(WHITE, 1.04))
        scene.face([f.at(c * 0.72, 0.588, 0.42 + d * 0.31) for c, d in ring], dim(WHITE, 0.74))
        scene.face(
            [f.at(c * 0.66, 0.589, 0.45 + d * 0.25) for c, d in ring],
            rgb("a9cfd6") if rng.random() < 0.6 else dim(WHITE, 0.82),
        )
    else:
        f.box(-0.78, 0.78, 0, 0.52, 0, 0.74, vary(mix(WHITE, kit.wall, 0.25), rng))
        f.puff(-0.8, 0.8, 0.49, 0.56, 0, 0.76, dim(WHITE, 1.03), 0.04)
        f.face(
            [(-0.7, 0.562, 0.09), (0.7, 0.562, 0.09), (0.7, 0.562, 0.68), (-0.7, 0.562, 0.68)],
            dim(WHITE, 0.72),
            round=0.2,
        )
        f.face(
            [(-0.62, 0.563, 0.16), (0.62, 0.563, 0.16), (0.62, 0.563, 0.66), (-0.62, 0.563, 0.66)],
            rgb("a9cfd6"),
            round=0.2,
            gloss=0.3,
        )
    _tap(f, 0.55, 0.58, 0.08)
    if rng.random() < 0.4:
        cloth = vary(kit.second, rng)
        f.face([(-0.45, 0.59, 0.8), (-0.1, 0.59, 0.8), (-0.1, 0.15, 0.81), (-0.45, 0.15, 0.81)], cloth)


def shower(f: Frame, kit: Palette) -> None:
    """A glazed corner with a shower head."""
    wall_tiles(f, -0.6, 0.6, 0.05, 2.2, 0.15, vary(mix(kit.accent, WHITE, 0.4), f.scene.rng))
    f.box(-0.6, 0.6, 0, 0.07, 0, 0.8, WHITE)
    f.line([(0.2, 1.0, 0.05), (0.2, 2.05, 0.05), (0.2, 2.1, 0.25)], 0.03, STEEL)
    f.lathe(0.2, 0.3, [(0.11, 2.05), (0.03, 2.1)], STEEL)
    f.ball(0.2, 1.1, 0.06, 0.05, STEEL)
    for pane in (
        [(-0.6, 0.07, 0.8), (0.6, 0.07, 0.8), (0.6, 2.0, 0.8), (-0.6, 2.0, 0.8)],
        [(-0.6, 0.07, 0), (-0.6, 0.07, 0.8), (-0.6, 2.0, 0.8), (-0.6, 2.0, 0)],
    ):
        f.veil(pane, rgb("dcf0f2"), 0.24)
        f.line([*pane, pane[0]], 0.025, STEEL)
    f.veil([(-0.4, 0.2, 0.81), (-0.15, 0.2, 0.81), (0.25, 1.9, 0.81), (0.0, 1.9, 0.81)], WHITE, 0.2)


def towel(f: Frame, kit: Palette) -> None:
    """A rail with one or two towels."""
    rng = f.scene.rng
    v = float(rng.uniform(1.15, 1.4))
    f.line([(-0.3, v, 0.06), (0.3, v, 0.06)], 0.025, STEEL)
    for u in (-0.2, 0.05)[: int(rng.integers(1, 3))]:
        cloth = vary((kit.accent, kit.second, WHITE)[int(rng.integers(3))], rng)
        low = v - float(rng.uniform(0.4, 0.65))
        f.panel(u, u + 0.22, low, v + 0.015, 0.08, cloth)
        f.veil([(u + 0.13, low, 0.081), (u + 0.2, low, 0.081), (u + 0.18, v, 0.081), (u + 0.14, v, 0.081)], DARK, 0.12)
        f.line([(u, low + 0.07, 0.082), (u + 0.22, low + 0.07, 0.082)], 0.025, WHITE, 0.6)
