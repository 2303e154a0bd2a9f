"""What grows and stands outdoors: lawns, trees, fences, garden furniture, things to play on."""

from __future__ import annotations

import math

import numpy as np

from customlabels_nb.examples._drawing import Colour, Point, Scene, dim, ink, mix, rgb, vary
from customlabels_nb.examples._shapes import Frame, Palette
from customlabels_nb.examples.rooms._shell import DARK, WHITE, sky_colours


def ground(scene: Scene, grass: Colour, *, stripes: bool) -> None:
    """A lawn to the horizon, mown in stripes or not, with tufts near the viewer."""
    rng = scene.rng
    r, g, b = (np.array(grass) * scene.light.on(np.zeros((1, 3)), np.array([0.0, 1.0, 0.0]))[0]).tolist()
    lit = (r, g, b)
    scene.fade(
        [(-40, 0, 0.6), (40, 0, 0.6), (40, 0, 45), (-40, 0, 45)],
        dim(mix(lit, rgb("c9d9a0"), 0.22), 1.05),
        dim(lit, 0.9),
    )
    if stripes:
        for x in np.arange(-8, 8, 1.2):
            scene.veil([(x, 0, 0.3), (x + 0.6, 0, 0.3), (x + 0.6, 0, 12), (x, 0, 12)], WHITE, 0.09)
    for _ in range(22):
        x, z, r = rng.uniform(-6, 6), rng.uniform(1.5, 12), rng.uniform(0.3, 1.2)
        ring = [
            (x + r * math.cos(a), 0.0, z + r * 0.5 * math.sin(a))
            for a in np.linspace(0, 2 * math.pi, 10, endpoint=False)
        ]
        scene.veil(ring, rgb("2d5a24") if rng.random() < 0.6 else rgb("e7e58a"), 0.07)
    near = 300
    xs, zs = rng.uniform(-4.5, 4.5, near), rng.uniform(0, 1, near) ** 1.6 * 8 + 1.2
    for x, z in zip(xs.tolist(), zs.tolist(), strict=True):
        foot = scene.camera.project([(x, 0, z), (x + 0.02, 0.07, z)], closed=False)
        if len(foot) == 2:
            dark = bool(x * 997 % 2 < 1)
            scene.brush.line(
                foot,
                fill=ink(dim(grass, 0.62 if dark else 1.18), 0.5),
                width=max(1, round(0.012 * scene.camera.scale((x, 0, z)))),
            )


def treeline(scene: Scene, kit: Palette, far: float, mood: str) -> None:
    """Trees beyond the garden, hazy with distance."""
    rng = scene.rng
    haze = sky_colours(rng, mood)[1]
    for row in range(2):
        green = mix(vary(kit.leaf, rng, 0.06), haze, 0.55 - 0.25 * row)
        if mood == "night":
            green = dim(green, 0.5)
        z = far + 5 - 4 * row
        for x in np.arange(-z * 1.1, z * 1.1, 1.6):
            if rng.random() < 0.7:
                r, tall = float(rng.uniform(0.9, 2.0)), float(rng.uniform(1.2, 3.4)) * (1.25 - 0.35 * row)
                blob = [
                    (x + r * math.cos(a), tall * 0.5 + tall * 0.5 * math.sin(a) + 0.3, z)
                    for a in np.linspace(0, 2 * math.pi, 12, endpoint=False)
                ]
                scene.veil(blob, vary(green, rng, 0.04), 1.0)
        scene.veil([(-z * 1.3, 0, z), (z * 1.3, 0, z), (z * 1.3, 1.3, z), (-z * 1.3, 1.3, z)], green, 1.0)


def _foliage(f: Frame, middle: Point, radius: float, stretch: float, tone: Colour, count: int) -> None:
    """A crown of leaf clumps, lit as a ball is: dark below, bright towards the light."""
    scene, rng = f.scene, f.scene.rng
    centre = scene.camera.project([f.at(*middle)])
    if not centre:
        return
    scale = scene.camera.scale(f.at(*middle)) * radius
    angles, reach = rng.uniform(0, 2 * math.pi, count), np.sqrt(rng.uniform(0, 1, count))
    x, y = np.cos(angles) * reach, np.sin(angles) * reach
    axes = scene.camera.axes
    depth = np.sqrt(np.clip(1 - x**2 - y**2, 0.02, 1))
    normals = x[:, None] * axes[0] + y[:, None] * axes[1] - depth[:, None] * axes[2]
    lit = scene.light.on(np.broadcast_to(np.array(f.at(*middle)), normals.shape), normals)
    lit = lit * (0.72 + 0.5 * (y[:, None] + 1) / 2)
    colours = np.clip(np.array(tone) * lit * (1 + rng.normal(0, 0.09, (count, 1))), 0, 255)
    sizes = rng.uniform(0.14, 0.26, count) * scale
    (cx, cy) = centre[0]
    under = dim(tone, 0.42)
    scene.pen.ellipse([cx - scale, cy - scale * stretch, cx + scale, cy + scale * stretch], fill=ink(under))
    for k in np.argsort(lit[:, 1] + rng.normal(0, 0.12, count)).tolist():
        px, py, r = cx + x[k] * scale, cy - y[k] * scale * stretch, sizes[k]
        c = colours[k]
        scene.pen.ellipse([px - r, py - r * 0.85, px + r, py + r * 0.85], fill=(int(c[0]), int(c[1]), int(c[2]), 255))


def tree(f: Frame, kit: Palette, tall: float) -> None:
    """A round tree or a pointed fir."""
    rng = f.scene.rng
    bark = vary(rgb("6f5140"), rng)
    tone = vary(kit.leaf, rng, 0.12) if rng.random() < 0.85 else vary(rgb("d98a3d"), rng)
    f.lathe(0, 0, [(0.14, 0), (0.1, tall * 0.5)], bark, gloss=0.0)
    if rng.random() < 0.3:
        for k in range(5):
            r = tall * 0.3 * (1 - k / 6)
            v = tall * (0.22 + 0.15 * k)
            f.lathe(0, 0, [(r, v), (r * 0.12, v + tall * 0.27)], dim(tone, 0.75 + 0.07 * k), gloss=0.0)
        return
    f.line([(0, tall * 0.35, 0), (tall * 0.16, tall * 0.6, 0)], 0.08, dim(bark, 0.8))
    for _ in range(int(rng.integers(2, 4))):
        _foliage(
            f,
            (float(rng.uniform(-0.2, 0.2)) * tall, tall * float(rng.uniform(0.6, 0.8)), 0),
            tall * float(rng.uniform(0.22, 0.3)),
            0.85,
            tone,
            60,
        )


def bush(f: Frame, kit: Palette, radius: float) -> None:
    """A clipped or flowering bush."""
    rng = f.scene.rng
    _foliage(f, (0, radius * 0.75, 0), radius, 0.8, vary(dim(kit.leaf, 0.9), rng, 0.1), 45)
    if rng.random() < 0.4:
        bloom = vary((rgb("e86a8a"), WHITE, rgb("f0c04a"), rgb("a06ac0"))[int(rng.integers(4))], rng)
        for _ in range(14):
            a, r = rng.uniform(0, 2 * math.pi), radius * math.sqrt(rng.uniform(0, 0.85))
            f.ball(math.cos(a) * r, radius * 0.8 + math.sin(a) * r * 0.75, radius * 0.7, 0.045, bloom)


def flowers(f: Frame, kit: Palette) -> None:
    """A bed of flowers."""
    rng = f.scene.rng
    f.disc(0, 0.01, 0, 0.6, rgb("5d4333"), level=True, stretch=0.45)
    tones = [rgb("e5556f"), rgb("f4c84a"), WHITE, rgb("9a6bc4"), rgb("f08a4b")]
    for _ in range(26):
        u, w, v = rng.uniform(-0.5, 0.5), rng.uniform(-0.2, 0.2), rng.uniform(0.14, 0.32)
        f.line([(u, 0, w), (u + 0.02, v, w)], 0.014, dim(kit.leaf, 0.8))
        f.ball(u + 0.02, v, w, 0.045, vary(tones[int(rng.integers(5))], rng))


def fence(scene: Scene, kit: Palette, wide: float, far: float, high: float, *, picket: bool, gap: float = 0.0) -> None:
    """A fence across the view and, if high, along both sides; ``gap`` metres stay open in the middle."""
    rng = scene.rng
    tone = WHITE if picket else vary(mix(kit.wood, rgb("b08d68"), 0.5), rng)
    runs = [(Frame(scene, (0, 0, far)), -wide, wide)]
    if high > 1.2:
        runs += [
            (Frame(scene, (-wide, 0, far / 2), -90), -far / 2 + 1.5, far / 2),
            (Frame(scene, (wide, 0, far / 2), 90), -far / 2, far / 2 - 1.5),
        ]
    for run, (f, u0, u1) in enumerate(runs):
        board = 0.12 if picket else 0.2

        def paint(f: Frame = f, u0: float = u0, u1: float = u1, board: float = board, side: bool = run > 0) -> None:
            if picket:
                for v in (high * 0.3, high * 0.75):
                    for a, b in ((u0, -gap / 2), (gap / 2, u1)) if gap else ((u0, u1),):
                        f.line([(a, v, -0.02), (b, v, -0.02)], 0.05, dim(tone, 0.85))
                for u in np.arange(u0, u1, board * 1.8).tolist():
                    if abs(u) >= gap / 2:
                        f.face(
                            [
                                (u, 0.06, 0),
                                (u + board, 0.06, 0),
                                (u + board, high, 0),
                                (u + board / 2, high + 0.08, 0),
                                (u, high, 0),
                            ],
                            tone,
                        )
                return
            f.panel(u0, u1, 0, high, 0, dim(tone, 0.92 if side else 1.0))
            for u in np.arange(u0, u1, board).tolist():
                shade = abs(math.sin(u * 57.3))
                f.veil(
                    [(u, 0, 0.01), (u + board, 0, 0.01), (u + board, high, 0.01), (u, high, 0.01)],
                    DARK if shade > 0.5 else WHITE,
                    0.1 * shade,
                )
                f.line([(u, 0, 0.01), (u, high, 0.01)], 0.02, DARK, 0.45)
            f.line([(u0, high, 0.02), (u1, high, 0.02)], 0.08, dim(tone, 0.85))

        if run == 0 and picket and gap:
            scene.put(f.at(0, 0, 0), paint)
        else:
            paint()
            f.shade_floor(u0, u1, -0.2, 0.35, 0.3)


def path(scene: Scene, start: Point, end: Point, kit: Palette) -> None:
    """A way that bends from a door to the viewer."""
    rng = scene.rng
    stone = vary((rgb("cfc8bb"), rgb("b7aa98"), rgb("b98d78"))[int(rng.integers(3))], rng)
    bend, half = float(rng.uniform(-1.2, 1.2)), float(rng.uniform(0.5, 0.7))
    t = np.linspace(0, 1, 14)
    x = start[0] + (end[0] - start[0]) * t + bend * np.sin(np.pi * t)
    z = start[2] - 0.8 + (end[2] - start[2] + 0.8) * t
    for a, b, c, d in zip(x, x[1:], z, z[1:], strict=False):
        scene.face(
            [(a - half, 0.005, c), (a + half, 0.005, c), (b + half, 0.005, d), (b - half, 0.005, d)],
            vary(stone, rng, 0.03),
        )
        scene.line([(b - half, 0.006, d), (b + half, 0.006, d)], 0.02, DARK, 0.25)


def garden_chair(f: Frame, tone: Colour) -> None:
    """A slatted chair that looks towards w."""
    for u in (-0.24, 0.24):
        f.line([(u, 0, 0.24), (u, 0.6, 0.24)], 0.045, dim(tone, 0.7))
        f.line([(u, 0, -0.2), (u, 0.95, -0.3)], 0.045, dim(tone, 0.7))
        f.line([(u, 0.6, 0.26), (u, 0.6, -0.26)], 0.05, dim(tone, 0.9))
    parts = [(0.42, 0.46, -0.22, 0.26)]
    for v0, v1, w0, w1 in parts:
        f.box(-0.26, 0.26, v0, v1, w0, w1, tone)
    for k in range(4):
        u = -0.2 + 0.115 * k
        f.face([(u, 0.5, -0.24), (u + 0.09, 0.5, -0.24), (u + 0.09, 0.95, -0.31), (u, 0.95, -0.31)], tone)


def table_round(f: Frame, kit: Palette, *, parasol_above: bool) -> None:
    """A garden table, a parasol through it or not."""
    rng = f.scene.rng
    tone = vary((kit.wood, WHITE, kit.metal)[int(rng.integers(3))], rng)
    for a in (0.6, 2.7, 4.7):
        f.leg(math.cos(a) * 0.32, math.sin(a) * 0.32, 0.7, 0.05, tone)
    f.lathe(0, 0, [(0.55, 0.68), (0.55, 0.72)], tone, rim=dim(tone, 1.06))
    for _ in range(3):
        a, r = rng.uniform(0, 6.28), rng.uniform(0.15, 0.38)
        u, w = math.cos(a) * r, math.sin(a) * r
        f.lathe(
            u,
            w,
            [(0.04, 0.72), (0.045, 0.84)],
            vary((kit.second, WHITE, rgb("d98a3d"))[int(rng.integers(3))], rng),
            rim=DARK,
        )
    if parasol_above:
        parasol(f, kit)


def parasol(f: Frame, kit: Palette) -> None:
    """A parasol in two colours."""
    first, second = vary(kit.accent, f.scene.rng), (WHITE, kit.second)[int(f.scene.rng.integers(2))]
    f.leg(0, 0, 2.35, 0.05, kit.wood, foot=0.7)
    ring = [(math.cos(a) * 1.35, 2.02, math.sin(a) * 1.35) for a in np.linspace(0, 2 * math.pi, 12, endpoint=False)]
    order = sorted(range(12), key=lambda k: -f.scene.camera.view(f.at(*ring[k]))[2])
    for k in order:
        f.face([ring[k], ring[(k + 1) % 12], (0, 2.5, 0)], first if k % 2 else second)
    f.ball(0, 2.53, 0, 0.04, kit.wood)


def string_lights(scene: Scene, deep: float, *, lit: bool) -> None:
    """Two sagging strings of bulbs overhead."""
    for start, end in (
        ((-3.2, 2.9, deep * 0.7), (3.2, 2.7, deep * 1.0)),
        ((-3.2, 2.6, deep), (3.2, 2.95, deep * 0.75)),
    ):
        t = np.linspace(0, 1, 15)
        points = [
            (
                start[0] + (end[0] - start[0]) * k,
                start[1] + (end[1] - start[1]) * k - 0.45 * math.sin(math.pi * k),
                start[2] + (end[2] - start[2]) * k,
            )
            for k in t.tolist()
        ]

        def paint(points: list[Point] = points) -> None:
            scene.line(points, 0.015, DARK)
            for point in points:
                Frame(scene, point).ball(0, -0.06, 0, 0.05, dim(rgb("ffe2a8"), 1.8 if lit else 1.1))
                if lit:
                    scene.glow(point, 0.22, (80, 55, 20))

        scene.put((0, 0, deep * 0.3), paint)


def swing(f: Frame, kit: Palette) -> None:
    """A swing in its frame."""
    tone = vary((kit.wood, kit.accent, rgb("c9503c"))[int(f.scene.rng.integers(3))], f.scene.rng)
    for u in (-1.1, 1.1):
        f.line([(u, 0, -0.7), (u * 0.95, 2.1, 0)], 0.09, dim(tone, 0.8))
        f.line([(u, 0, 0.7), (u * 0.95, 2.1, 0)], 0.09, tone)
    f.line([(-1.15, 2.1, 0), (1.15, 2.1, 0)], 0.1, tone)
    for u in (-0.45, 0.45):
        for a in (-0.17, 0.17):
            f.line([(u + a, 2.1, 0), (u + a, 0.5, 0.1)], 0.02, DARK)
        f.box(u - 0.22, u + 0.22, 0.47, 0.52, 0, 0.2, vary(kit.second, f.scene.rng))


def trampoline(f: Frame, kit: Palette) -> None:
    """A round trampoline with a safety rim."""
    for a in np.linspace(0, 2 * math.pi, 7)[:-1].tolist():
        f.leg(math.cos(a) * 1.3, math.sin(a) * 1.3, 0.6, 0.06, rgb("8d9499"))
    f.lathe(0, 0, [(1.4, 0.56), (1.4, 0.66)], vary(kit.accent, f.scene.rng))
    f.disc(0, 0.665, 0, 1.4, vary(rgb("3f7ec0"), f.scene.rng), level=True)
    f.disc(0, 0.67, 0, 1.15, rgb("25282c"), level=True)


def shed(f: Frame, kit: Palette) -> None:
    """A wooden hut with a pitched roof."""
    rng = f.scene.rng
    tone = vary((kit.wood, mix(kit.accent, WHITE, 0.2), kit.second)[int(rng.integers(3))], rng)
    f.box(-1.0, 1.0, 0, 1.9, -1.6, 0, tone)
    f.face([(-1.0, 1.9, 0), (1.0, 1.9, 0), (0, 2.6, 0)], tone)
    for u in np.arange(-0.9, 1.0, 0.2).tolist():
        f.line([(u, 0, 0.01), (u, 1.9 + 0.7 * (1 - abs(u)), 0.01)], 0.02, DARK, 0.3)
    roof = vary(rgb("5d5049"), rng)
    for a in (-1, 1):
        f.face([(a * 1.15, 1.78, 0.15), (0, 2.66, 0.15), (0, 2.66, -1.7), (a * 1.15, 1.78, -1.7)], roof)
        f.line([(a * 1.15, 1.78, 0.16), (0, 2.66, 0.16)], 0.1, WHITE)
    f.panel(-0.4, 0.35, 0, 1.7, 0.015, dim(tone, 0.8))
    f.line([(-0.4, 0.1, 0.02), (0.35, 1.6, 0.02)], 0.06, dim(tone, 0.6))
    f.edge(-0.4, 0.35, 0, 1.7, 0.02, 0.03)


def washing(f: Frame, kit: Palette) -> None:
    """A line with washing."""
    rng = f.scene.rng
    for u in (-1.7, 1.7):
        f.leg(u, 0, 1.9, 0.07, kit.wood)
    f.line([(-1.7, 1.85, 0), (0, 1.75, 0), (1.7, 1.85, 0)], 0.015, WHITE)
    u = -1.4
    while u < 1.2:
        wide, long_ = float(rng.uniform(0.3, 0.6)), float(rng.uniform(0.4, 0.85))
        cloth = vary((kit.accent, kit.second, WHITE, kit.cloth)[int(rng.integers(4))], rng, 0.1)
        sway = float(rng.uniform(-0.06, 0.1))
        f.face(
            [(u, 1.78, 0), (u + wide, 1.78, 0), (u + wide + sway, 1.78 - long_, 0.06), (u + sway, 1.78 - long_, 0.06)],
            cloth,
        )
        f.veil(
            [
                (u + wide * 0.6, 1.78, 0.01),
                (u + wide * 0.8, 1.78, 0.01),
                (u + wide * 0.8 + sway, 1.78 - long_, 0.07),
                (u + wide * 0.65 + sway, 1.78 - long_, 0.07),
            ],
            DARK,
            0.12,
        )
        u += wide + float(rng.uniform(0.08, 0.25))


def pool(f: Frame, kit: Palette) -> None:
    """A paddling pool with a ball in it."""
    f.lathe(0, 0, [(1.05, 0), (1.1, 0.16)], vary(rgb("5aa7d6"), f.scene.rng))
    f.lathe(0, 0, [(1.1, 0.16), (1.05, 0.34)], vary(kit.second, f.scene.rng))
    f.disc(0, 0.345, 0, 1.05, dim(WHITE, 0.95), level=True)
    f.disc(0, 0.35, 0, 0.93, rgb("7fcbe6"), level=True)
    f.ball(0.3, 0.45, 0.1, 0.16, rgb("e2574c"))


def barbecue(f: Frame, kit: Palette) -> None:
    """A kettle grill."""
    tone = vary((DARK, rgb("b23b32"))[int(f.scene.rng.integers(2))], f.scene.rng)
    for a in (0.5, 2.6, 4.6):
        f.line(
            [(math.cos(a) * 0.32, 0, math.sin(a) * 0.32), (math.cos(a) * 0.15, 0.65, math.sin(a) * 0.15)],
            0.04,
            rgb("8d9499"),
        )
    f.lathe(0, 0, [(0.12, 0.6), (0.27, 0.7), (0.31, 0.84)], tone)
    f.lathe(0, 0, [(0.32, 0.85), (0.27, 1.0), (0.08, 1.1)], dim(tone, 1.15))
    f.line([(-0.06, 1.12, 0.05), (0.06, 1.12, 0.05)], 0.03, kit.wood)


def mailbox(f: Frame, kit: Palette) -> None:
    """A letter box on a post."""
    f.box(-0.05, 0.05, 0, 1.0, -0.05, 0.05, WHITE)
    tone = vary((rgb("b8392f"), DARK, kit.accent)[int(f.scene.rng.integers(3))], f.scene.rng)
    f.puff(-0.12, 0.12, 1.0, 1.26, -0.25, 0.22, tone, 0.1)
    f.line([(0.13, 1.2, 0), (0.13, 1.38, 0), (0.13, 1.38, 0.1)], 0.03, rgb("e2a33b"))
