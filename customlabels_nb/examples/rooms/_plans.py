"""Floor plans: drawn, printed, coloured in or blue, lying flat or on a desk."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from customlabels_nb.examples._drawing import OVERSAMPLE, Camera, Colour, Light, Scene, ink, mix, rgb, vary
from customlabels_nb.examples._shapes import Frame, Palette, palette
from customlabels_nb.examples.rooms._furnishings import plant
from customlabels_nb.examples.rooms._setting import develop, pick
from customlabels_nb.examples.rooms._shell import DARK, WHITE

Rect = tuple[float, float, float, float]  # u0, u1, w0, w1 in metres of the plan


@dataclass(frozen=True)
class _Sheet:
    """A plan's place and colours."""

    frame: Frame
    paper: Colour
    line: Colour
    wall: Colour
    fills: tuple[Colour, ...]
    wood: bool

    def fill(self, r: Rect, colour: Colour, alpha: float = 1.0) -> None:
        self.frame.veil([(r[0], 0, r[2]), (r[1], 0, r[2]), (r[1], 0, r[3]), (r[0], 0, r[3])], colour, alpha)

    def stroke(self, points: list[tuple[float, float]], width: float = 0.05, alpha: float = 1.0) -> None:
        self.frame.line([(u, 0, w) for u, w in points], width, self.line, alpha)

    def outline(self, r: Rect, width: float = 0.05, inside: Colour | None = None) -> None:
        self.fill(r, inside or mix(self.paper, WHITE, 0.3))
        self.stroke([(r[0], r[2]), (r[1], r[2]), (r[1], r[3]), (r[0], r[3]), (r[0], r[2])], width)

    def oval(self, u: float, w: float, a: float, b: float, width: float = 0.05) -> None:
        ring = [(u + a * math.cos(t), w + b * math.sin(t)) for t in np.linspace(0, 2 * math.pi, 18)]
        self.frame.veil([(p, 0, q) for p, q in ring], mix(self.paper, WHITE, 0.3), 1.0)
        self.stroke(ring, width)

    def text(self, u: float, w: float, words: str, high: float) -> None:
        """Capitals of ``high`` metres around a point, turned as the sheet is."""
        scene = self.frame.scene
        spot = scene.camera.project([self.frame.at(u, 0, w), self.frame.at(u + 1, 0, w)], closed=False)
        if len(spot) < 2:
            return
        (x, y), (x1, y1) = spot
        size = max(6, round(high * math.dist(spot[0], spot[1]) * 1.35))
        font = ImageFont.load_default(size)
        left, top, right, bottom = font.getbbox(words)
        mask = Image.new("L", (int(right - left) + 4, int(bottom - top) + 4))
        ImageDraw.Draw(mask).text((2 - left, 2 - top), words, fill=255, font=font)
        mask = mask.rotate(-math.degrees(math.atan2(y1 - y, x1 - x)), Image.Resampling.BICUBIC, expand=True)
        scene.image.paste(ink(self.line)[:3], (round(x - mask.width / 2), round(y - mask.height / 2)), mask)


def floor_plan(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """The plan of a flat: walls, doors, windows, furniture, names and measures."""
    kit = palette(rng)
    canvas = (size[0] * OVERSAMPLE, size[1] * OVERSAMPLE)
    desk = rng.random() < 0.4
    wide, deep = float(rng.uniform(9.5, 13)), float(rng.uniform(7, 9))
    height = float(rng.uniform(12.5, 15.5)) * (1.15 if desk else 1.0)
    tilt = float(rng.uniform(0, 32)) if desk else float(rng.uniform(0, 3))
    back = -math.tan(math.radians(tilt)) * height
    eye = (float(rng.uniform(-0.6, 0.6)), height, back + float(rng.uniform(-0.4, 0.4)))
    camera = Camera(eye, 0, tilt - 90, float(rng.normal(0, 7 if desk else 2.0)), float(rng.uniform(0.84, 1.0)), canvas)
    light = Light((0.78, 0.78, 0.79), (0.34, 0.32, 0.28), (float(rng.choice([-1, 1])) * 8.0, 9.0, 6.0), reach=11)
    scene = Scene(canvas, camera, light, rng)
    sheet = _style(Frame(scene, (0.0, 0.0, 0.0)), kit, rng)
    rim = (wide / 2 + float(rng.uniform(1.0, 1.7)), deep / 2 + float(rng.uniform(1.0, 1.7))) if desk else (30.0, 30.0)
    if desk:
        _desk(scene, kit, rim)
    sheet.frame.top(-rim[0], rim[0], -rim[1], rim[1], 0, sheet.paper)
    if rng.random() < 0.3:
        for k in np.arange(-15, 15, 0.5).tolist():
            sheet.stroke([(k, -rim[1]), (k, rim[1])], 0.02, 0.16)
            sheet.stroke([(-rim[0], k), (rim[0], k)], 0.02, 0.16)
    _plan(sheet, wide, deep, rng)
    if desk:
        _desk_things(scene, kit, rim)
    scene.finish_painting()
    return develop(scene, size, "day", quiet=True)


def _style(frame: Frame, kit: Palette, rng: np.random.Generator) -> _Sheet:
    kind = pick(rng, 0.34, 0.32, 0.2, 0.14)
    if kind == 0:
        ink_ = vary(rgb("33363b"), rng)
        return _Sheet(frame, vary(rgb("f6f4ef"), rng, 0.01), ink_, ink_, (), False)
    if kind == 1:
        fills = tuple(
            mix(vary(tone, rng), WHITE, 0.62) for tone in (kit.accent, kit.second, kit.leaf, kit.wood, kit.cloth)
        )
        return _Sheet(frame, vary(rgb("fbfaf7"), rng, 0.01), rgb("4a4440"), rgb("3a3633"), fills, True)
    if kind == 2:
        blue = vary(rgb("28579a"), rng, 0.12)
        return _Sheet(frame, blue, rgb("e6effa"), rgb("e6effa"), (), False)
    return _Sheet(frame, vary(rgb("ead9b8"), rng, 0.04), rgb("5a4230"), rgb("6d4f38"), (), False)


def _desk(scene: Scene, kit: Palette, rim: tuple[float, float]) -> None:
    wood = vary((kit.wood, rgb("6b4a35"), rgb("d8c3a5"), rgb("8c9096"))[int(scene.rng.integers(4))], scene.rng)
    scene.face([(-30, -0.05, -25), (30, -0.05, -25), (30, -0.05, 25), (-30, -0.05, 25)], wood, gloss=0.1)
    for z in np.arange(-16, 18, 2.3).tolist():
        tone = float(scene.rng.normal(0, 0.08))
        scene.veil(
            [(-20, -0.05, z), (20, -0.05, z), (20, -0.05, z + 2.3), (-20, -0.05, z + 2.3)],
            WHITE if tone > 0 else DARK,
            abs(tone),
        )
        scene.line([(-20, -0.05, z), (20, -0.05, z)], 0.05, DARK, 0.35)
    shift = 0.35
    scene.shadow(
        [(x * rim[0] + shift, -0.04, z * rim[1] - shift) for x, z in ((-1, -1), (1, -1), (1, 1), (-1, 1))], 0.5
    )
    scene.cast(0.01)


def _desk_things(scene: Scene, kit: Palette, rim: tuple[float, float]) -> None:
    rng = scene.rng
    if rng.random() < 0.7:
        x, z, a = (
            float(rng.uniform(-0.5, 0.5)) * rim[0],
            -rim[1] * float(rng.uniform(0.72, 1.0)),
            float(rng.uniform(-0.5, 0.5)),
        )
        end = (x + 4 * math.cos(a), 0.15, z + 4 * math.sin(a))
        tip = (end[0] + 0.5 * math.cos(a), 0.1, end[2] + 0.5 * math.sin(a))
        scene.shadow([(x + 0.2, 0, z - 0.35), (end[0] + 0.2, 0, end[2] - 0.35), (end[0], 0, end[2]), (x, 0, z)], 0.4)
        scene.cast(0.006)
        scene.line(
            [(x, 0.15, z), end], 0.3, vary((rgb("e3a72f"), kit.accent, rgb("3f6fb0"))[int(rng.integers(3))], rng)
        )
        scene.line([(x, 0.17, z + 0.06), (end[0], 0.17, end[2] + 0.06)], 0.08, WHITE, 0.35)
        scene.line([end, tip], 0.2, rgb("e8cfa5"))
        scene.line([(tip[0] - 0.12 * math.cos(a), 0.1, tip[2] - 0.12 * math.sin(a)), tip], 0.12, DARK)
    if rng.random() < 0.5:
        cup = Frame(scene, (float(rng.choice([-1, 1])) * (rim[0] + 0.4), 0, rim[1] * float(rng.uniform(-0.5, 0.8))))
        cup.lathe(0, 0, [(0.7, 0), (0.9, 1.3)], vary((WHITE, kit.accent)[int(rng.integers(2))], rng), rim=rgb("e9e2d8"))
        cup.disc(0, 1.31, 0, 0.78, rgb("4b2e1e"), level=True)
    elif rng.random() < 0.4:
        plant(Frame(scene, (float(rng.choice([-1, 1])) * (rim[0] + 0.6), 0, rim[1])), kit, 4.0)


def _plan(sheet: _Sheet, wide: float, deep: float, rng: np.random.Generator) -> None:
    outer: Rect = (-wide / 2, wide / 2, -deep / 2, deep / 2)
    rooms: list[Rect] = []
    walls: list[tuple[tuple[float, float], tuple[float, float]]] = []
    _split(outer, rng, rooms, walls)
    rooms.sort(key=lambda r: -(r[1] - r[0]) * (r[3] - r[2]))
    names = ["LIVING", "BEDROOM", "KITCHEN", "BEDROOM", "BATH", "OFFICE", "BATH", "CLOSET", "HALL", "STORE"]
    high = float(rng.uniform(0.26, 0.36))
    for k, r in enumerate(rooms):
        if sheet.fills:
            sheet.fill(r, sheet.fills[k % len(sheet.fills)])
        _furnish(sheet, r, names[min(k, 9)], rng)
    for start, end in walls:
        _wall(sheet, start, end, 0.16, rng, doors=True)
    corners = [(outer[0], outer[2]), (outer[1], outer[2]), (outer[1], outer[3]), (outer[0], outer[3])]
    for k in range(4):
        _wall(sheet, corners[k], corners[(k + 1) % 4], 0.3, rng, doors=False)
    for k, r in enumerate(rooms):
        name = names[min(k, 9)]
        u, w = (r[0] + r[1]) / 2, r[2] + (r[3] - r[2]) * (0.74 if name == "BEDROOM" else 0.5)
        fits = min(high, (r[1] - r[0]) / len(name) * 0.95)
        sheet.text(u, w, name, fits)
        sheet.text(u, w + fits * 1.4, f"{r[1] - r[0]:.1f} x {r[3] - r[2]:.1f}", fits * 0.75)
    if rng.random() < 0.75:
        _measures(sheet, outer, high)
    if rng.random() < 0.5:
        sheet.text(
            0, outer[3] + 1.25, ("GROUND FLOOR", "FIRST FLOOR", "FLOOR PLAN", "PLAN 1:50")[int(rng.integers(4))], 0.5
        )


def _split(
    r: Rect,
    rng: np.random.Generator,
    rooms: list[Rect],
    walls: list[tuple[tuple[float, float], tuple[float, float]]],
    level: int = 0,
) -> None:
    wide, deep = r[1] - r[0], r[3] - r[2]
    across = wide > deep * float(rng.uniform(0.8, 1.3))
    long_ = wide if across else deep
    if long_ < 4.4 or wide * deep < 13 or (level > 2 and rng.random() < 0.5):
        rooms.append(r)
        return
    share = float(rng.uniform(0.36, 0.64))
    if across:
        u = r[0] + wide * share
        walls.append(((u, r[2]), (u, r[3])))
        halves = ((r[0], u, r[2], r[3]), (u, r[1], r[2], r[3]))
    else:
        w = r[2] + deep * share
        walls.append(((r[0], w), (r[1], w)))
        halves = ((r[0], r[1], r[2], w), (r[0], r[1], w, r[3]))
    for half in halves:
        _split(half, rng, rooms, walls, level + 1)


def _wall(
    sheet: _Sheet,
    start: tuple[float, float],
    end: tuple[float, float],
    thick: float,
    rng: np.random.Generator,
    *,
    doors: bool,
) -> None:
    """A wall with doors in it, or with windows if it is an outer one."""
    long_ = math.dist(start, end)
    du, dw = (end[0] - start[0]) / long_, (end[1] - start[1]) / long_

    def at(along: float, off: float = 0.0) -> tuple[float, float]:
        return (start[0] + du * along - dw * off, start[1] + dw * along + du * off)

    def bar(a: float, b: float, colour: Colour) -> None:
        points = [at(a, -thick / 2), at(b, -thick / 2), at(b, thick / 2), at(a, thick / 2)]
        sheet.frame.veil([(u, 0, w) for u, w in points], colour, 1.0)

    bar(-thick / 2, long_ + thick / 2, sheet.wall)
    count = max(1, round(long_ / 3.2))
    for k in range(count):
        middle = long_ * (k + float(rng.uniform(0.3, 0.7))) / count
        if doors:
            wide, side = 0.9, float(rng.choice([-1, 1]))
            if long_ < 1.8:
                continue
            a = middle - wide / 2
            bar(a, a + wide, sheet.paper)
            swing = [
                at(a + wide * math.cos(t), side * wide * math.sin(t)) for t in np.linspace(0, math.pi / 2, 9).tolist()
            ]
            sheet.stroke(swing, 0.03, 0.8)
            sheet.stroke([at(a), at(a, side * wide)], 0.07)
        elif rng.random() < 0.85:
            wide = float(rng.uniform(0.9, 1.7))
            a, b = middle - wide / 2, middle + wide / 2
            bar(a, b, mix(sheet.paper, rgb("b9dcec"), 0.5))
            for off in (-thick / 2, 0, thick / 2):
                sheet.stroke([at(a, off), at(b, off)], 0.04)


def _measures(sheet: _Sheet, outer: Rect, high: float) -> None:
    for (u0, w0), (u1, w1) in (
        ((outer[0], outer[2] - 0.7), (outer[1], outer[2] - 0.7)),
        ((outer[0] - 0.7, outer[2]), (outer[0] - 0.7, outer[3])),
    ):
        sheet.stroke([(u0, w0), (u1, w1)], 0.03)
        for u, w in ((u0, w0), (u1, w1)):
            sheet.stroke([(u - 0.13, w + 0.13), (u + 0.13, w - 0.13)], 0.05)
    sheet.text(0, outer[2] - 1.0, f"{outer[1] - outer[0]:.2f} m", high)


def _furnish(sheet: _Sheet, r: Rect, name: str, rng: np.random.Generator) -> None:
    """A few symbols in a room's upper corners, where its name doesn't lie."""
    u0, u1, w0, w1 = r[0] + 0.2, r[1] - 0.2, r[2] + 0.22, r[3] - 0.2
    wide, deep = u1 - u0, w1 - w0
    if name == "BEDROOM":
        size = min(1.6, wide * 0.6)
        u = u0 + (wide - size) * float(rng.choice([0.1, 0.5, 0.9]))
        long_ = min(2.0, deep * 0.55)
        sheet.outline((u, u + size, w0, w0 + long_))
        sheet.stroke([(u, w0 + long_ * 0.36), (u + size, w0 + long_ * 0.36)])
        for k in range(2):
            a = u + size * (0.08 + 0.46 * k)
            sheet.outline((a, a + size * 0.38, w0 + 0.08, w0 + long_ * 0.28), 0.035)
        sheet.outline((u1 - min(1.4, wide * 0.5), u1, w1 - 0.3, w1))
    elif name == "LIVING":
        long_ = min(2.2, wide * 0.6)
        u = u0 + (wide - long_) / 2
        sheet.outline((u, u + long_, w0, w0 + 0.85))
        sheet.outline((u + 0.2, u + long_ - 0.2, w0 + 0.25, w0 + 0.85), 0.035)
        sheet.stroke([(u + long_ / 2, w0 + 0.25), (u + long_ / 2, w0 + 0.85)], 0.035)
        if deep > 3.4:
            sheet.oval(u + long_ / 2, w1 - 0.5, min(0.75, wide * 0.25), 0.36)
    elif name == "KITCHEN":
        sheet.outline((u0, u1, w0, w0 + 0.6))
        sheet.outline((u0 + 0.2, u0 + 0.75, w0 + 0.1, w0 + 0.5), 0.035)
        for k in range(4):
            sheet.oval(u1 - 0.65 + 0.32 * (k % 2), w0 + 0.17 + 0.26 * (k // 2), 0.1, 0.1, 0.03)
        if deep > 3.8:
            u = (u0 + u1) / 2
            for a in (-0.45, 0.45):
                for b in (-0.5, 0.5):
                    sheet.outline((u + a - 0.2, u + a + 0.2, w1 - 0.85 + b - 0.18, w1 - 0.85 + b + 0.18), 0.035)
            sheet.outline((u - 0.75, u + 0.75, w1 - 1.2, w1 - 0.5))
    elif name == "BATH":
        sheet.outline((u0, u0 + min(1.6, wide * 0.7), w0, w0 + 0.75))
        sheet.oval(u0 + min(1.6, wide * 0.7) / 2, w0 + 0.37, min(0.68, wide * 0.28), 0.27, 0.035)
        sheet.outline((u1 - 0.45, u1 - 0.05, w1 - 0.22, w1), 0.035)
        sheet.oval(u1 - 0.25, w1 - 0.45, 0.18, 0.25)
    elif name == "OFFICE":
        sheet.outline((u0, u0 + min(1.4, wide * 0.6), w0, w0 + 0.65))
        sheet.oval(u0 + min(0.7, wide * 0.3), w0 + 0.95, 0.24, 0.24)
    elif name == "HALL":
        for k in range(7):
            sheet.stroke([(u0 + 0.22 * k, w0), (u0 + 0.22 * k, w0 + 0.8)], 0.04)
    else:
        sheet.stroke([(u0, w0 + 0.3), (u1, w0 + 0.3)])
        for u in np.arange(u0 + 0.1, u1, 0.18).tolist():
            sheet.stroke([(u, w0 + 0.05), (u + 0.06, w0 + 0.55)], 0.03)
