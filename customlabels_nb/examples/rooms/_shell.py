"""The shell of a room: walls, floor, tiles, windows with their light, doors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from customlabels_nb.examples._drawing import Colour, Scene, dim, mix, rgb, vary
from customlabels_nb.examples._shapes import Frame, Palette

DARK = rgb("2b2624")
WHITE = rgb("f8f6f1")
STEEL = rgb("c3c7ca")


@dataclass(frozen=True)
class Room:
    """An empty room: its walls as frames whose u runs from the wall's middle, its size and palette."""

    scene: Scene
    kit: Palette
    width: float
    depth: float
    height: float
    back: Frame
    left: Frame
    right: Frame

    def floor(self, x: float, z: float, turn: float = 0.0) -> Frame:
        """A frame on the floor, ``x`` from the middle and ``z`` from the viewer's end."""
        return Frame(self.scene, (x, 0.0, z), turn)


def room(scene: Scene, kit: Palette, width: float, depth: float, height: float = 2.6) -> Room:
    """A room around the viewer whose back wall lies ``depth`` metres ahead."""
    half = width / 2
    return Room(
        scene,
        kit,
        width,
        depth,
        height,
        Frame(scene, (0.0, 0.0, depth)),
        Frame(scene, (-half, 0.0, depth / 2), -90),
        Frame(scene, (half, 0.0, depth / 2), 90),
    )


def paint_shell(r: Room, *, floor: str = "wood", wainscot: float = 0.0, tiles: float = 0.0) -> None:
    """Walls, ceiling and floor; ``wainscot`` and ``tiles`` are the height of panelling or wall tiles."""
    scene, kit, half, near = r.scene, r.kit, r.width / 2, -4.0
    h, d = r.height, r.depth
    scene.face([(-half, h, near), (half, h, near), (half, h, d), (-half, h, d)], dim(mix(kit.wall, WHITE, 0.75), 1.22))
    scene.face([(-half, 0, near), (-half, 0, d), (-half, h, d), (-half, h, near)], kit.wall)
    scene.face([(half, 0, near), (half, 0, d), (half, h, d), (half, h, near)], kit.wall)
    scene.face([(-half, 0, d), (half, 0, d), (half, h, d), (-half, h, d)], dim(kit.wall, 0.97))
    paint_floor(scene, kit.floor, (-half, half, near, d), floor)
    behind = d / 2 - 0.5
    tile = (
        float(scene.rng.uniform(0.1, 0.2)),
        vary(mix(kit.trim, kit.accent, float(scene.rng.choice([0.05, 0.1, 0.5]))), scene.rng),
    )
    for wall, u0, u1 in ((r.left, -behind, d / 2), (r.right, -d / 2, behind), (r.back, -half, half)):
        if tiles:
            wall_tiles(wall, u0, u1, 0, tiles, *tile)
        if wainscot:
            wall.panel(u0, u1, 0, wainscot, 0.01, kit.trim)
            for u in np.arange(u0, u1 - 0.5, 0.55):
                wall.edge(u + 0.06, u + 0.49, 0.22, wainscot - 0.1, 0.012, 0.012, 0.16)
            wall.box(u0, u1, wainscot, wainscot + 0.04, 0, 0.03, kit.trim)
        wall.box(u0, u1, 0, 0.1, 0, 0.015, kit.trim)
        wall.box(u0, u1, h - 0.06, h, 0, 0.03, kit.trim)
    for x in (-half, half):
        _corner(scene, (x, 0, d), (x, h, d), 0.2)
        _corner(scene, (x, 0, near), (x, 0, d), 0.22)
        _corner(scene, (x, h, near), (x, h, d), 0.12)
    _corner(scene, (-half, 0, d), (half, 0, d), 0.26)
    _corner(scene, (-half, h, d), (half, h, d), 0.14)
    scene.cast(0.022)


def _corner(scene: Scene, start: tuple[float, float, float], end: tuple[float, float, float], strength: float) -> None:
    reach = 0.16
    for lift in ((reach, 0.0), (0.0, reach)):
        a = (
            start[0] - math.copysign(lift[0], start[0]) * (start[0] == end[0]),
            start[1] + lift[1] * (1 if start[1] < 1 else -1),
            start[2],
        )
        b = (
            end[0] - math.copysign(lift[0], end[0]) * (start[0] == end[0]),
            end[1] + lift[1] * (1 if end[1] < 1 else -1),
            end[2],
        )
        scene.shadow([start, end, b, a], strength)


def paint_floor(scene: Scene, colour: Colour, bounds: tuple[float, float, float, float], kind: str) -> None:
    """The floor between x0, x1, z0, z1: ``wood``, ``tiles``, ``checks`` or ``carpet``."""
    x0, x1, z0, z1 = bounds
    z0 = max(z0, float(scene.camera.eye[2]) - 0.2)
    rng = scene.rng
    scene.face([(x0, 0, z0), (x1, 0, z0), (x1, 0, z1), (x0, 0, z1)], colour, gloss=0.0 if kind == "carpet" else 0.28)
    if kind == "wood":
        wide = rng.uniform(0.14, 0.24)
        for x in np.arange(x0, x1, wide):
            z = z0 - rng.uniform(0, 1.4)
            while z < z1:
                end = min(z1, z + rng.uniform(1.0, 1.8))
                tone = rng.normal(0, 0.07)
                plank = [
                    (x, 0, max(z0, z)),
                    (min(x1, x + wide), 0, max(z0, z)),
                    (min(x1, x + wide), 0, end),
                    (x, 0, end),
                ]
                scene.veil(plank, (255, 235, 205) if tone > 0 else (60, 25, 5), abs(tone) + 0.01)
                scene.line([(x, 0, end), (min(x1, x + wide), 0, end)], 0.008, DARK, 0.25)
                z = end
            scene.line([(x, 0, z0), (x, 0, z1)], 0.008, DARK, 0.28)
    elif kind in ("tiles", "checks"):
        step = rng.uniform(0.3, 0.55)
        for i, x in enumerate(np.arange(x0, x1, step)):
            for j, z in enumerate(np.arange(z0, z1, step)):
                if kind == "checks" and (i + j) % 2:
                    scene.veil(
                        [
                            (x, 0, z),
                            (min(x1, x + step), 0, z),
                            (min(x1, x + step), 0, min(z1, z + step)),
                            (x, 0, min(z1, z + step)),
                        ],
                        DARK,
                        0.42,
                    )
        for x in np.arange(x0, x1, step):
            scene.line([(x, 0, z0), (x, 0, z1)], 0.008, mix(colour, DARK, 0.5), 0.5)
        for z in np.arange(z0, z1, step):
            scene.line([(x0, 0, z), (x1, 0, z)], 0.008, mix(colour, DARK, 0.5), 0.5)


def wall_tiles(f: Frame, u0: float, u1: float, v0: float, v1: float, high: float, base: Colour) -> None:
    """A stretch of wall with tiles ``high`` metres high: square ones, or long ones in running bond if they are low."""
    wide = high * (2.0 if high < 0.15 else 1.0)
    f.panel(u0, u1, v0, v1, 0.008, base, gloss=0.1)
    joint = mix(base, DARK, 0.35)
    for row, v in enumerate(np.arange(v0, v1, high)):
        f.line([(u0, v, 0.01), (u1, v, 0.01)], 0.006, joint, 0.5)
        shift = wide / 2 * (row % 2) if wide > high else 0.0
        for u in np.arange(u0 + shift, u1, wide):
            f.line([(u, v, 0.01), (u, min(v1, v + high), 0.01)], 0.006, joint, 0.4)


def sky_colours(rng: np.random.Generator, mood: str) -> tuple[Colour, Colour]:
    """The sky's colour above and at the horizon, or a pane's as seen from outside."""
    above, below = {
        "day": ("6fa8dc", "dcecf5"),
        "golden": ("8fb0d0", "fbd9a5"),
        "grey": ("b9c3cb", "e4e8ea"),
        "night": ("27335a", "5d6a96"),
        "glass": ("a9bfcb", "56656f"),
        "lamplit": ("ffdf9a", "ffbf66"),
    }[mood]
    return vary(rgb(above), rng, 0.04), vary(rgb(below), rng, 0.03)


def window(
    f: Frame,
    u0: float,
    u1: float,
    v0: float,
    v1: float,
    kit: Palette,
    mood: str,
    *,
    curtains: bool = True,
    panes: int = 2,
) -> None:
    """A window: with a view for a ``mood`` of the day, or seen from outside, ``glass`` or ``lamplit``."""
    rng = f.scene.rng
    above, below = sky_colours(rng, mood)
    f.box(u0 - 0.07, u1 + 0.07, v0 - 0.07, v1 + 0.07, 0, 0.035, kit.trim)
    f.scene.fade(
        [f.at(u, v, 0.04) for u, v in ((u0, v0), (u1, v0), (u1, v1), (u0, v1))], dim(above, 1.05), dim(below, 1.05)
    )
    green = mix(kit.leaf, above if mood == "night" else below, 0.45)
    for _ in range(0 if mood in ("glass", "lamplit") else int(rng.integers(2, 6))):
        u, size = rng.uniform(u0, u1), rng.uniform(0.12, 0.35) * (u1 - u0)
        ring = [
            (u + math.cos(a) * size, v0 + max(0.0, math.sin(a)) * size * rng.uniform(0.9, 1.4))
            for a in np.linspace(0, math.pi, 9)
        ]
        f.face([(min(u1, max(u0, a)), min(v1, b), 0.041) for a, b in ring], vary(green, rng, 0.1), lit=False)
    for k in range(1, panes):
        u = u0 + (u1 - u0) * k / panes
        f.box(u - 0.025, u + 0.025, v0, v1, 0.03, 0.055, kit.trim)
    if rng.random() < 0.6:
        v = v0 + (v1 - v0) * rng.uniform(0.5, 0.7)
        f.box(u0, u1, v - 0.02, v + 0.02, 0.03, 0.055, kit.trim)
    f.box(u0 - 0.12, u1 + 0.12, v0 - 0.1, v0 - 0.05, 0, 0.13, kit.trim)
    if curtains:
        cloth = vary(mix(kit.trim, kit.cloth, float(rng.uniform(0.1, 0.9))), rng)
        low = 0.05 if rng.random() < 0.6 else v0 - 0.15
        wide = (u1 - u0) * rng.uniform(0.16, 0.3)
        f.line([(u0 - 0.3, v1 + 0.17, 0.1), (u1 + 0.3, v1 + 0.17, 0.1)], 0.03, kit.metal)
        curtain(f, u0 - 0.22, u0 - 0.22 + wide, low, v1 + 0.17, 0.1, cloth)
        curtain(f, u1 + 0.22 - wide, u1 + 0.22, low, v1 + 0.17, 0.1, cloth)


def curtain(f: Frame, u0: float, u1: float, v0: float, v1: float, w: float, cloth: Colour) -> None:
    """Hanging cloth with folds."""
    folds = max(3, round((u1 - u0) / 0.09))
    f.panel(u0, u1, v0, v1, w, cloth)
    for k in range(folds):
        a = u0 + (u1 - u0) * k / folds
        wide = (u1 - u0) / folds
        f.veil([(a, v0, w), (a + wide * 0.4, v0, w), (a + wide * 0.3, v1, w), (a, v1, w)], DARK, 0.13)
        f.veil(
            [(a + wide * 0.5, v0, w), (a + wide * 0.8, v0, w), (a + wide * 0.75, v1, w), (a + wide * 0.55, v1, w)],
            WHITE,
            0.16,
        )


def sunlight(
    scene: Scene, wall: Frame, u0: float, u1: float, v0: float, v1: float, strength: float, colour: Colour
) -> None:
    """The patch that the sun throws through a window onto the floor."""
    slant = float(scene.rng.uniform(-0.5, 0.5))
    pane = []
    for k in range(2):
        a, b = u0 + (u1 - u0) * (k + 0.06) / 2, u0 + (u1 - u0) * (k + 0.94) / 2
        points = [wall.at(u + v * slant, 0.003, v * 1.15) for u, v in ((a, v0), (b, v0), (b, v1), (a, v1))]
        outline = scene.camera.project(points)
        if len(outline) > 2:
            pane.append((outline, strength))
    if pane:
        scene.soft(pane, colour, 0.006)


def door(
    f: Frame, u: float, kit: Palette, colour: Colour, *, wide: float = 0.9, high: float = 2.05, glass: bool = False
) -> None:
    """A panelled door in a wall's frame, its middle at ``u``."""
    u0, u1 = u - wide / 2, u + wide / 2
    f.box(u0 - 0.09, u1 + 0.09, 0, high + 0.09, 0, 0.03, kit.trim)
    f.panel(u0, u1, 0, high, 0.035, colour, gloss=0.08)
    f.edge(u0, u1, 0, high, 0.036, 0.012, 0.4)
    rows = ((0.12, 0.8), (0.95, high - 0.14))
    for column in range(2):
        a, b = u0 + 0.1 + column * (wide - 0.1) / 2, u0 + column * (wide - 0.1) / 2 + (wide - 0.1) / 2
        for row, (low, top) in enumerate(rows):
            if glass and row == 1:
                f.panel(a, b, low, top, 0.037, rgb("dfeaf0"), lit=False)
                f.veil(
                    [(a, low, 0.038), (b, low, 0.038), (b, top * 0.75, 0.038), (a, top * 0.62, 0.038)], kit.leaf, 0.35
                )
            f.edge(a, b, low, top, 0.038, 0.016, 0.3)
    f.ball(u1 - 0.07, 1.0, 0.07, 0.032, kit.metal)
