"""What many rooms share: pictures, mirrors, rugs, plants, lamps, books, vases, shelves, cushions."""

from __future__ import annotations

import math

import numpy as np

from customlabels_nb.examples._drawing import Colour, dim, ink, mix, rgb, rounded, vary
from customlabels_nb.examples._shapes import Frame, Palette
from customlabels_nb.examples.rooms._shell import DARK, WHITE, Room


def picture(f: Frame, u: float, v: float, wide: float, high: float, kit: Palette) -> None:
    """A framed picture: a landscape, a few shapes, or stripes."""
    rng = f.scene.rng
    u0, u1, v0, v1 = u - wide / 2, u + wide / 2, v - high / 2, v + high / 2
    wood = (DARK, kit.wood, WHITE, kit.metal)[int(rng.integers(4))]
    f.box(u0, u1, v0, v1, 0, 0.03, wood)
    a, b, c, d = u0 + 0.03, u1 - 0.03, v0 + 0.03, v1 - 0.03
    f.panel(a, b, c, d, 0.032, mix(WHITE, kit.second, float(rng.uniform(0.0, 0.4))))
    kind = int(rng.integers(3))
    tones = [vary(t, rng, 0.1) for t in (kit.accent, kit.second, kit.leaf, kit.cloth)]
    rng.shuffle(tones)
    if kind == 0:
        for k, tone in enumerate(tones[:3]):
            top = c + (d - c) * (0.62 - 0.2 * k)
            bump = (d - c) * rng.uniform(-0.12, 0.12)
            f.face(
                [
                    (a, c, 0.033),
                    (b, c, 0.033),
                    (b, top - bump, 0.033),
                    ((a + b) / 2, top + bump, 0.033),
                    (a, top, 0.033),
                ],
                tone,
            )
        f.disc(a + (b - a) * rng.uniform(0.25, 0.75), d - (d - c) * 0.2, 0.033, (d - c) * 0.09, kit.second)
    elif kind == 1:
        for tone in tones[:3]:
            f.disc(
                rng.uniform(a + 0.2 * (b - a), b - 0.2 * (b - a)),
                rng.uniform(c + 0.2 * (d - c), d - 0.2 * (d - c)),
                0.033,
                min(b - a, d - c) * rng.uniform(0.1, 0.2),
                tone,
            )
    else:
        middle = (a + b) / 2
        f.line([(middle, c + 0.05, 0.033), (middle, d - (d - c) * 0.2, 0.033)], 0.012, tones[0])
        for k in range(5):
            v_leaf = c + (d - c) * (0.25 + 0.12 * k)
            side = 1 if k % 2 else -1
            f.face(
                [
                    (middle, v_leaf, 0.033),
                    (middle + side * (b - a) * 0.2, v_leaf + 0.03, 0.033),
                    (middle + side * (b - a) * 0.28, v_leaf + (d - c) * 0.14, 0.033),
                ],
                tones[0],
            )


def pictures(f: Frame, u: float, v: float, kit: Palette) -> None:
    """One large picture or a small group of them."""
    rng = f.scene.rng
    if rng.random() < 0.45:
        picture(f, u, v, float(rng.uniform(0.6, 1.1)), float(rng.uniform(0.5, 0.8)), kit)
        return
    for k in range(int(rng.integers(2, 4))):
        picture(f, u + (k - 1) * 0.5, v + float(rng.uniform(-0.06, 0.06)), 0.38, float(rng.uniform(0.4, 0.55)), kit)


def mirror(f: Frame, u: float, v: float, wide: float, high: float, kit: Palette, *, round_: bool = False) -> None:
    """A mirror, the pale light of the room in it."""
    glass = mix(rgb("cfdbe0"), kit.wall, 0.35)
    if round_:
        f.disc(u, v, 0.02, wide / 2 + 0.03, kit.metal)
        f.disc(u, v, 0.024, wide / 2, glass, lit=False)
    else:
        f.box(u - wide / 2 - 0.03, u + wide / 2 + 0.03, v - high / 2 - 0.03, v + high / 2 + 0.03, 0, 0.025, kit.metal)
        f.panel(u - wide / 2, u + wide / 2, v - high / 2, v + high / 2, 0.027, glass, lit=False)
    for shift, thick in ((-0.12, 0.09), (0.06, 0.04)):
        a = u + shift * wide
        f.veil(
            [
                (a, v - high * 0.32, 0.03),
                (a + thick * wide, v - high * 0.32, 0.03),
                (a + (thick + 0.22) * wide, v + high * 0.32, 0.03),
                (a + 0.22 * wide, v + high * 0.32, 0.03),
            ],
            WHITE,
            0.4,
        )


def rug(f: Frame, wide: float, deep: float, kit: Palette, *, oval: bool = False) -> None:
    """A rug around the frame's origin, painted at once: it lies below all that stands."""
    rng = f.scene.rng
    tones = [
        vary(t, rng, 0.06) for t in (kit.accent, kit.second, mix(kit.cloth, WHITE, 0.4), mix(kit.trim, kit.wood, 0.2))
    ]
    rng.shuffle(tones)
    if oval:
        for k in range(4):
            f.disc(0, 0.004 + k * 0.001, 0, wide / 2 * (1 - 0.2 * k), tones[k % 2], level=True, stretch=deep / wide)
        return
    f.top(-wide / 2, wide / 2, -deep / 2, deep / 2, 0.006, tones[0])
    f.top(-wide / 2 + 0.1, wide / 2 - 0.1, -deep / 2 + 0.1, deep / 2 - 0.1, 0.007, tones[1])
    kind = int(rng.integers(3))
    if kind == 0:
        for w in np.arange(-deep / 2 + 0.2, deep / 2 - 0.2, 0.24):
            f.top(-wide / 2 + 0.1, wide / 2 - 0.1, w, w + 0.1, 0.008, tones[2])
    elif kind == 1:
        for u in np.arange(-wide / 2 + 0.3, wide / 2 - 0.2, 0.42):
            for w in np.arange(-deep / 2 + 0.3, deep / 2 - 0.2, 0.42):
                f.face(
                    [(u - 0.15, 0.008, w), (u, 0.008, w - 0.15), (u + 0.15, 0.008, w), (u, 0.008, w + 0.15)], tones[2]
                )
    else:
        f.top(-wide / 2 + 0.22, wide / 2 - 0.22, -deep / 2 + 0.22, deep / 2 - 0.22, 0.008, tones[2])


def plant(f: Frame, kit: Palette, height: float = 1.0) -> None:
    """A potted plant: broad leaves, upright blades, or drooping fronds."""
    rng = f.scene.rng
    pot = vary((kit.accent, WHITE, kit.second, rgb("b5643c"), rgb("54585c"))[int(rng.integers(5))], rng)
    size = max(0.07, height * 0.15)
    rim = size * 1.5
    f.lathe(0, 0, [(size * 0.72, 0), (size, rim)], pot, rim=rgb("3b2c22"))
    kind = int(rng.integers(3))
    leaves = {0: 13, 1: 12, 2: 20}[kind]
    for k in range(leaves):
        angle = k * 2.4 + rng.uniform(-0.3, 0.3)
        tone = dim(vary(kit.leaf, rng, 0.12), 0.72 + 0.5 * k / leaves)
        lean = (0.5, 0.16, 0.62)[kind] * rng.uniform(0.5, 1.0) * height
        tall = (height - rim) * ((0.35 + 0.65 * (k + 1) / leaves), rng.uniform(0.6, 1.0), rng.uniform(0.3, 0.9))[kind]
        tip = (math.cos(angle) * lean, rim + tall, math.sin(angle) * lean)
        bend = (tip[0] * 0.35, rim + tall * 0.9, tip[2] * 0.35)
        end = (tip[0], tip[1] - height * (0.12, 0.0, 0.4)[kind] * (lean / height) / 0.5, tip[2])
        _leaf(
            f, (tip[0] * 0.05, rim, tip[2] * 0.05), bend, end, height * (0.17, 0.055, 0.05)[kind], tone, stalk=kind == 0
        )


def _leaf(
    f: Frame,
    root: tuple[float, float, float],
    bend: tuple[float, float, float],
    tip: tuple[float, float, float],
    wide: float,
    tone: Colour,
    *,
    stalk: bool,
) -> None:
    """A blade along a curve from root to tip, drawn in the plane of the picture, one half in shade."""
    a, b, c = (f.scene.camera.project([f.at(*p)]) for p in (root, bend, tip))
    if not (a and b and c):
        return
    t = np.linspace(0, 1, 9)[:, None]
    curve = (1 - t) ** 2 * np.array(a) + 2 * t * (1 - t) * np.array(b) + t**2 * np.array(c)
    along = np.gradient(curve, axis=0)
    along /= np.linalg.norm(along, axis=1)[:, None] + 1e-9
    side = np.stack([-along[:, 1], along[:, 0]], axis=1)
    breadth = (
        np.sin(np.pi * np.clip((t[:, 0] - 0.45) / 0.55, 0, 1) ** 0.8)
        if stalk
        else np.sin(np.pi * (0.15 + 0.85 * t[:, 0])) * 0.8
    )
    reach = side * (breadth * wide * f.scene.camera.scale(f.at(*bend)))[:, None]
    lit = f.scene.light.on(np.array([f.at(*tip)]), np.array([0.0, 1.0, 0.0]))[0]
    shade = (tone[0] * lit[0], tone[1] * lit[1], tone[2] * lit[2])
    pen = f.scene.pen
    if stalk:
        pen.line(
            [tuple(p) for p in curve[:6].tolist()],
            fill=ink(dim(shade, 0.8)),
            width=max(1, round(0.015 * f.scene.camera.scale(f.at(*root)))),
        )
    for sign, factor in ((1, 0.82), (-1, 1.08)):
        outline = np.concatenate([curve, (curve + sign * reach)[::-1]])
        pen.polygon([tuple(p) for p in outline.tolist()], fill=ink(dim(shade, factor)))


def shade_lamp(f: Frame, kit: Palette, height: float, *, on: bool, radius: float = 0.16) -> None:
    """A lamp with a cloth shade, for tables (0.5 m) or the floor (1.5 m)."""
    foot = vary((kit.metal, kit.accent, WHITE, DARK)[int(f.scene.rng.integers(4))], f.scene.rng)
    if height < 0.8:
        f.lathe(0, 0, [(0.05, 0), (0.085, 0.08), (0.03, height * 0.5), (0.015, height * 0.6)], foot)
    else:
        f.lathe(0, 0, [(0.14, 0), (0.14, 0.03)], foot)
        f.leg(0, 0, height - 0.2, 0.03, foot)
    cloth = mix(WHITE, kit.second, 0.25)
    low = height - max(0.2, radius * 1.3)
    f.lathe(
        0, 0, [(radius, low), (radius * 0.72, height)], dim(cloth, 1.7) if on else cloth, gloss=0.0, rim=dim(cloth, 1.2)
    )
    if on:
        f.scene.glow(f.at(0, (low + height) / 2, 0), 0.55, (105, 72, 30))


def pendant(r: Room, x: float, z: float, drop: float, *, on: bool) -> None:
    """A lamp that hangs from the ceiling."""
    f = r.floor(x, z)
    rng = r.scene.rng
    tone = vary((r.kit.accent, DARK, r.kit.metal, WHITE)[int(rng.integers(4))], rng)
    v = r.height - drop
    kind = int(rng.integers(3))

    def paint(f: Frame) -> None:
        f.line([(0, r.height, 0), (0, v, 0)], 0.012, DARK)
        if kind == 0:
            f.lathe(0, 0, [(0.2, v - 0.2), (0.05, v)], tone)
        elif kind == 1:
            f.ball(0, v - 0.13, 0, 0.14, dim(WHITE, 1.5) if on else WHITE)
        else:
            f.lathe(
                0,
                0,
                [(0.22, v - 0.26), (0.22, v - 0.02)],
                dim(mix(WHITE, r.kit.second, 0.3), 1.4 if on else 1.0),
                gloss=0.0,
            )
        if on:
            f.scene.glow(f.at(0, v - 0.2, 0), 0.45, (110, 80, 36))

    r.scene.put(f.at(0, 0, 0), lambda: paint(f))


def books(f: Frame, u0: float, u1: float, v: float, w: float, kit: Palette, high: float = 0.26) -> None:
    """A row of books from ``u0`` to ``u1`` standing on height ``v``."""
    rng = f.scene.rng
    tones = (kit.accent, kit.second, kit.cloth, kit.leaf, DARK, WHITE, kit.wood)
    u = u0
    while u < u1 - 0.03:
        thick = float(rng.uniform(0.025, 0.06))
        tall = high * float(rng.uniform(0.65, 0.98))
        f.box(
            u,
            min(u1, u + thick * 0.92),
            v,
            v + tall,
            w - 0.16,
            w,
            vary(tones[int(rng.integers(len(tones)))], rng, 0.12),
        )
        u += thick
        if rng.random() < 0.08:
            u += 0.1


def vase(f: Frame, u: float, v: float, w: float, kit: Palette, size: float = 0.22) -> None:
    """A small vase or bowl, sometimes with a sprig in it."""
    rng = f.scene.rng
    tone = vary((kit.accent, kit.second, WHITE, kit.cloth)[int(rng.integers(4))], rng)
    g = f.moved(u, v, w)
    if rng.random() < 0.5:
        for k in range(7):
            lean = rng.uniform(-0.5, 0.5) * size
            _leaf(
                g,
                (0, size * 0.8, 0),
                (lean * 0.3, size * 1.5, 0),
                (lean, size * rng.uniform(1.5, 2.2), 0.02 * k),
                size * 0.09,
                vary(kit.leaf, rng, 0.15),
                stalk=False,
            )
    g.lathe(
        0,
        0,
        [(size * 0.22, 0), (size * 0.36, size * 0.35), (size * 0.14, size * 0.8), (size * 0.18, size)],
        tone,
        rim=DARK,
    )


def shelf(f: Frame, u: float, v: float, wide: float, kit: Palette) -> None:
    """A board on the wall with books and small things."""
    rng = f.scene.rng
    f.box(u - wide / 2, u + wide / 2, v - 0.04, v, 0, 0.22, kit.wood)
    books(f, u - wide / 2 + 0.05, u - wide / 2 + wide * float(rng.uniform(0.3, 0.6)), v, 0.18, kit, 0.24)
    vase(f, u + wide * 0.3, v, 0.12, kit, float(rng.uniform(0.16, 0.24)))


def cushion(f: Frame, u: float, v: float, w: float, size: float, colour: Colour) -> None:
    """A throw pillow that leans back, upright in the frame."""
    lean = size * 0.35
    outline = [
        (u - size / 2, v, w),
        (u + size / 2, v, w),
        (u + size / 2, v + size * 0.9, w - lean),
        (u - size / 2, v + size * 0.9, w - lean),
    ]
    f.face([(a, b, c) for a, b, c in rounded(outline, size * 0.3)], dim(colour, 0.85))
    inner = [(a + (u - a) * 0.07, b + 0.012, c + 0.02) for a, b, c in outline]
    f.face([(a, b, c) for a, b, c in rounded(inner, size * 0.26)], colour)
    f.veil(
        [
            (a, b, c + 0.021)
            for a, b, c in rounded(
                [
                    (u - size * 0.3, v + size * 0.1, w),
                    (u + size * 0.38, v + size * 0.08, w),
                    (u + size * 0.4, v + size * 0.34, w - lean * 0.4),
                    (u - size * 0.1, v + size * 0.2, w - lean * 0.2),
                ],
                0.08,
            )
        ],
        DARK,
        0.1,
    )


def basket(f: Frame, kit: Palette, radius: float = 0.2, high: float = 0.3) -> None:
    """A woven basket."""
    tone = mix(kit.wood, rgb("d9b88a"), 0.6)
    f.lathe(0, 0, [(radius * 0.85, 0), (radius, high)], tone, gloss=0.0, rim=dim(tone, 0.55))
    for k in range(1, 6):
        r = radius * (0.85 + 0.15 * k / 6)
        arc = [(math.cos(a) * r, high * k / 6, math.sin(a) * r) for a in np.linspace(0.2, math.pi - 0.2, 9)]
        f.line(arc, 0.012, dim(tone, 0.6), 0.5)
