"""What bears a logo indoors: mug, parcel, laptop, phone, cap and bag on a table, T-shirts on a rail."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from customlabels_nb.examples import rooms
from customlabels_nb.examples._drawing import OVERSAMPLE, Camera, Colour, Light, Point, Scene, dim, mix, rgb, vary
from customlabels_nb.examples._shapes import Frame, palette
from customlabels_nb.examples.logos._marks import WHITE, letters
from customlabels_nb.examples.logos._stage import Place, Stage, on_ball, on_panel, on_round, on_top, print_mark
from customlabels_nb.examples.rooms._furnishings import plant, rug
from customlabels_nb.examples.rooms._setting import MOODS, develop, interior, pick
from customlabels_nb.examples.rooms._shell import paint_shell

DARK: Colour = rgb("1e2024")
_BEHIND = ("living_space", "kitchen", "bedroom", "living_space", "entry_way")
_LIGHT: dict[str, tuple[Colour, Colour]] = {
    "day": ((0.66, 0.67, 0.70), (0.66, 0.63, 0.57)),
    "golden": ((0.60, 0.57, 0.57), (0.86, 0.68, 0.48)),
    "grey": ((0.72, 0.73, 0.76), (0.42, 0.42, 0.43)),
    "night": ((0.44, 0.43, 0.49), (0.88, 0.70, 0.48)),
}
_GOODS = (rgb("f4f2ee"), rgb("23262b"), rgb("dfe3e4"), rgb("2f4a5f"), rgb("c9563f"), rgb("e9d9b8"), rgb("6c7f6a"))


def table(
    rng: np.random.Generator, size: tuple[int, int], signs: list[str | None], thing: Callable[[Stage, Frame], None]
) -> tuple[Image.Image, Stage]:
    """A table in a room that is out of focus, one thing in the middle and others around it. A unit is 20 cm."""
    mood = MOODS[pick(rng, 0.5, 0.2, 0.2, 0.1)]
    canvas = (size[0] * OVERSAMPLE, size[1] * OVERSAMPLE)
    eye = (float(rng.uniform(-0.7, 0.7)), float(rng.uniform(1.5, 3.2)), 0.0)
    aim = float(rng.uniform(3.6, 4.6))
    pitch = -math.degrees(math.atan2(eye[1] - 0.55, aim)) + float(rng.uniform(-2, 3))
    lens = float(rng.uniform(0.85, 1.4)) * min(1.0, canvas[1] / canvas[0] / 0.75)
    camera = Camera(eye, -math.degrees(math.atan2(eye[0], aim)), pitch, float(rng.normal(0, 2)), lens, canvas)
    lamp = (float(rng.choice([-1, 1]) * rng.uniform(2, 4)), float(rng.uniform(3, 4.5)), float(rng.uniform(-0.5, 2)))
    scene = Scene(canvas, camera, Light(*_LIGHT[mood], lamp, 9.0), rng)
    stage = Stage(scene, palette(rng), mood, signs)
    small = max(32, size[0] // 3), max(32, size[1] // 3)
    behind = rooms.draw(_BEHIND[int(rng.integers(len(_BEHIND)))], rng, small)
    blur = ImageFilter.GaussianBlur(small[0] * float(rng.uniform(0.012, 0.03)))
    scene.image.paste(behind.filter(blur).resize(canvas, Image.Resampling.BICUBIC), (0, 0))
    _top(stage)
    places = [(float(rng.uniform(-0.5, 0.5)), float(rng.uniform(3.6, 4.5)))]
    others = [kind for kind in _THINGS if kind is not thing]
    things = [thing]
    for side in (-1, 1):
        if rng.random() < 0.75 or (side > 0 and signs[1:] and len(things) == 1):
            places.append((side * float(rng.uniform(1.5, 2.2)), float(rng.uniform(4.6, 6.4))))
            things.append(others[int(rng.integers(len(others)))])
    shares = [signs[:1], signs[1:], []]
    for (x, z), paint, share in zip(places, things, shares, strict=False):
        f = Frame(scene, (x, 0, z), math.degrees(math.atan2(x - eye[0], z)) + float(rng.uniform(-32, 32)))
        f.put(stage.bearing(share, paint), (-0.7, 0.7, -0.5, 0.5), 0.5)
    _clutter(stage)
    scene.cast(0.014)
    scene.finish_painting()
    return develop(scene, size, mood), stage


def _top(stage: Stage) -> None:
    scene, rng = stage.scene, stage.rng
    tone = vary(stage.one_of(rgb("b98a5c"), rgb("8a5f3f"), rgb("e6e1d8"), rgb("5b6268"), rgb("d8bb8e")), rng)
    far = stage.some(6.4, 8.0)
    scene.face([(-9, 0, 0.3), (9, 0, 0.3), (9, 0, far), (-9, 0, far)], tone, gloss=0.12)
    scene.face([(-9, 0, far), (9, 0, far), (9, -0.16, far), (-9, -0.16, far)], dim(tone, 0.6))
    if tone[0] - tone[2] > 40:
        for x in np.arange(-6, 6, stage.some(0.9, 1.5)).tolist():
            scene.line([(x, 0.002, 0.5), (x, 0.002, far)], 0.015, DARK, 0.3)
        for _ in range(60):
            x, z = stage.some(-5, 5), stage.some(0.8, far - 0.6)
            scene.line([(x, 0.003, z), (x + stage.some(-0.03, 0.03), 0.003, z + 0.6)], 0.012, dim(tone, 0.8), 0.3)


def _clutter(stage: Stage) -> None:
    """Things in front and beside, some of which hide a part of what stands behind them."""
    scene, rng = stage.scene, stage.rng
    for _ in range(int(rng.integers(1, 4))):
        near = bool(rng.random() < 0.45)
        x, z = (stage.some(-1.0, 1.0), stage.some(2.6, 3.1)) if near else (stage.some(-2.6, 2.6), stage.some(3.4, 6.2))
        kind, f = pick(rng, 0.3, 0.25, 0.2, 0.25), Frame(scene, (x, 0, z), stage.some(-60, 60))
        if kind == 0:
            tone = vary(stage.one_of(rgb("d94f3a"), rgb("e8a33a"), rgb("8fae4a")), rng)
            f.put(lambda f, tone=tone: f.ball(0, 0.24, 0, 0.24, tone), (-0.2, 0.2, -0.2, 0.2))  # type: ignore[misc]
        elif kind == 1:
            f.put(lambda f: _pencils(stage, f), (-0.15, 0.15, -0.15, 0.15))
        elif kind == 2:
            f.put(lambda f: plant(f, stage.kit, 1.1 if f.origin[2] > 3.2 else 0.7), (-0.2, 0.2, -0.2, 0.2))
        else:
            tones = [vary(stage.one_of(stage.kit.accent, stage.kit.second, stage.kit.cloth, WHITE), rng) for _ in "ab"]
            f.put(lambda f, tones=tones: _books(f, tones), (-0.5, 0.5, -0.35, 0.35))  # type: ignore[misc]


def _pencils(stage: Stage, f: Frame) -> None:
    for k in range(5):
        a = k * 1.3
        tone = (rgb("e8b13a"), rgb("3f6fb0"), rgb("c94b3d"), rgb("3f8f5f"), DARK)[k]
        f.line(
            [(0.05 * math.cos(a), 0.1, 0.05 * math.sin(a)), (0.16 * math.cos(a), 0.86, 0.16 * math.sin(a))], 0.05, tone
        )
    f.lathe(0, 0, [(0.17, 0), (0.18, 0.5)], stage.kit.metal, rim=None)


def _books(f: Frame, tones: list[Colour]) -> None:
    for k, tone in enumerate(tones):
        f.box(-0.55 + 0.05 * k, 0.55 - 0.06 * k, 0.13 * k, 0.13 * (k + 1), -0.38, 0.38 - 0.05 * k, tone)


def mug(stage: Stage, f: Frame) -> None:
    """A mug, its handle at one side."""
    rng = stage.rng
    tone, side = vary(stage.one_of(*_GOODS), rng), float(rng.choice([-1, 1]))
    size, high = stage.some(0.42, 0.52), stage.some(0.95, 1.2)
    taper = stage.some(-0.03, 0.06)
    arc = [
        (side * (size + 0.3 * math.sin(a)), high * 0.52 + 0.29 * math.cos(a), 0.0) for a in np.linspace(0.1, 3.04, 10)
    ]
    f.line(arc, 0.11, dim(tone, 0.75))
    f.line(arc, 0.05, dim(tone, 0.95))
    inside = rgb("4a2f20") if rng.random() < 0.6 else dim(tone, 0.75)
    f.lathe(0, 0, [(size * 0.93 - taper, 0), (size - taper, 0.06), (size + taper, high)], tone, gloss=0.3, rim=inside)
    place = on_round(f, size + 0.003, high * 0.5, stage.some(0.3, 0.38), stage.some(-0.35, 0.35), taper)
    stage.sign(place, tone, ink_share=0.96)


def parcel(stage: Stage, f: Frame) -> None:
    """A cardboard box with tape, a label and prints."""
    rng = stage.rng
    tone = vary(stage.one_of(rgb("c39a6a"), rgb("b88b5a"), rgb("d2b184"), rgb("efece6")), rng, 0.04)
    wide, high, deep = stage.some(0.9, 1.25), stage.some(0.9, 1.5), stage.some(0.6, 0.9)
    f.box(-wide, wide, 0, high, -deep, deep, tone)
    f.line([(-wide, high + 0.003, 0), (wide, high + 0.003, 0)], 0.02, DARK, 0.4)
    tape = dim(tone, 1.12)
    f.face(
        [
            (-0.12, high + 0.004, -deep),
            (0.12, high + 0.004, -deep),
            (0.12, high + 0.004, deep),
            (-0.12, high + 0.004, deep),
        ],
        tape,
        gloss=0.2,
    )
    f.panel(-0.12, 0.12, high - 0.28, high, deep + 0.004, tape, gloss=0.2)
    front = min(wide, high) * stage.some(0.34, 0.42)
    stage.sign(
        on_panel(f, stage.some(-0.4, 0.1) * wide, high * 0.44, deep + 0.006, front, stage.some(-0.06, 0.06)),
        tone,
        ink_share=0.88,
    )
    u = wide * 0.62
    f.panel(u - 0.24, u + 0.24, 0.12, 0.46, deep + 0.006, WHITE)
    for k in range(9):
        f.line(
            [(u - 0.18 + 0.04 * k, 0.18, deep + 0.008), (u - 0.18 + 0.04 * k, 0.32, deep + 0.008)],
            0.008 + 0.012 * (k % 2),
            DARK,
        )
    if rng.random() < 0.5:
        stage.sign(
            on_top(f, -wide * 0.5, high + 0.006, deep * 0.3, wide * 0.26, stage.some(-0.2, 0.2)), tone, ink_share=0.88
        )


def _tilted(f: Frame, v: float, w: float, lean: float) -> Callable[[float, float], Point]:
    """Points of a plate that stands at height ``v``, ``w`` in front, its top leaning back by radians."""
    c, s = math.cos(lean), math.sin(lean)
    return lambda x, y: (x, v + y * c, w - y * s)


def _on(f: Frame, plate: Place, x: float, y: float, size: float) -> Place:
    return lambda a, b: f.at(*plate(x + a * size, y + b * size))


def _plate(plate: Place, x0: float, x1: float, y0: float, y1: float) -> list[Point]:
    return [plate(x0, y0), plate(x1, y0), plate(x1, y1), plate(x0, y1)]


def laptop(stage: Stage, f: Frame) -> None:
    """A laptop seen from the back of its lid."""
    rng = stage.rng
    tone = vary(stage.one_of(rgb("b9bdc2"), rgb("3b3e44"), rgb("e3e1dc"), rgb("8f9aa6"), rgb("c9a79a")), rng, 0.04)
    f.box(-1.35, 1.35, 0.0, 0.09, -1.3, 0.4, dim(tone, 0.85))
    plate, high = _tilted(f, 0.1, 0.4, -stage.some(0.15, 0.42)), stage.some(1.6, 1.85)
    f.face(_plate(plate, -1.35, 1.35, 0, high), tone, gloss=0.35, round=0.13)
    lift = stage.some(-0.08, 0.12) * high

    def shine() -> None:
        slant = stage.some(-0.9, 0.5)
        points = [
            plate(slant, 0.02),
            plate(slant + 0.5, 0.02),
            plate(slant + 1.0, high - 0.02),
            plate(slant + 0.5, high - 0.02),
        ]
        f.veil([(min(1.33, max(-1.33, u)), v, w + 0.003) for u, v, w in points], WHITE, 0.09)

    stage.sign(_on(f, plate, 0, high / 2 + lift, stage.some(0.32, 0.52)), tone, word=0.15, ink_share=0.97, over=shine)
    if rng.random() < 0.4:
        stage.sign(_on(f, plate, float(rng.choice([-0.9, 0.9])), high * 0.25, 0.22), tone, word=0.1)


def phone(stage: Stage, f: Frame) -> None:
    """A phone that lies or leans, with an app's first screen or a page of apps."""
    rng = stage.rng
    lying = bool(rng.random() < 0.4)
    plate = _tilted(f, 0.05, 0.95 if lying else 0.3, 1.45 if lying else stage.some(0.25, 0.6))
    back = vary(stage.one_of(rgb("1c1d20"), rgb("33363b"), rgb("d9d6d0")), rng)
    if not lying:
        f.box(-0.3, 0.3, 0, 0.5, -0.4, -0.1, dim(stage.kit.wood, 0.8))
    f.face(_plate(plate, -0.56, 0.56, 0, 2.1), back, round=0.14)
    page = stage.one_of(WHITE, rgb("f1efe8"), rgb("14161b"), rgb("e6eef2"), rgb("1f3348"))
    f.face(_plate(plate, -0.5, 0.5, 0.07, 2.03), page, round=0.1, lit=False)
    quiet = mix(page, DARK if sum(page) > 380 else WHITE, 0.25)
    if rng.random() < 0.7:
        stage.sign(_on(f, plate, 0, stage.some(1.15, 1.4), stage.some(0.28, 0.38)), page, lit=False, word=0.5)
        f.face(_plate(plate, -0.34, 0.34, 0.36, 0.54), stage.kit.accent, round=0.08, lit=False)
        for k in range(3):
            f.face(_plate(plate, -0.3, 0.3 - 0.1 * k, 0.74 - 0.08 * k, 0.77 - 0.08 * k), quiet, lit=False)
        return
    cell, chosen = 0.32, int(rng.integers(12))
    for k in range(12):
        x, y = -cell + (k % 3) * cell, 1.72 - (k // 3) * 0.4
        tone = vary(
            stage.one_of(WHITE, stage.kit.accent, stage.kit.second, rgb("2f6fb0"), DARK, rgb("3f8f5f")), rng, 0.1
        )
        f.face(_plate(plate, x - 0.125, x + 0.125, y - 0.125, y + 0.125), tone, round=0.06, lit=False)
        if k == chosen or rng.random() < 0.4:
            stage.sign(_on(f, plate, x, y, 0.1), tone, lit=False, word=0.0)


def cap(stage: Stage, f: Frame) -> None:
    """A cap whose peak points to the viewer."""
    tone = vary(stage.one_of(*_GOODS), stage.rng)
    r, stretch = stage.some(0.72, 0.85), stage.some(0.85, 1.0)
    peak = vary(stage.kit.accent, stage.rng) if stage.rng.random() < 0.3 else dim(tone, 0.86)
    rings = [(r * math.cos(a), 0.12 + r * stretch * math.sin(a)) for a in np.linspace(0, 1.5, 9).tolist()]
    f.lathe(0, 0, [(r * 0.99, 0.0), *rings], tone, gloss=0.0)
    f.ball(0, 0.12 + r * stretch, 0, 0.06, dim(tone, 0.8))
    for a in (-0.85, 0.85):
        seam = [
            (
                r * 1.005 * math.cos(b) * math.sin(a),
                0.12 + r * 1.005 * stretch * math.sin(b),
                r * 1.005 * math.cos(b) * math.cos(a),
            )
            for b in np.linspace(0, 1.5, 8).tolist()
        ]
        f.line(seam, 0.015, DARK, 0.35)
    bow = np.linspace(-1.25, 1.25, 14).tolist()
    rim = [(r * 1.02 * math.sin(a), 0.1, r * 1.02 * math.cos(a)) for a in bow]
    edge = [(r * 1.04 * math.sin(a), 0.03, r * 0.98 * math.cos(a) + 0.62 * math.cos(a * 1.2)) for a in bow]
    f.face([*rim, *edge[::-1]], peak)
    stage.sign(on_ball(f, r * 1.01, 0.12, stage.some(0.3, 0.38), stage.some(0.5, 0.6), stretch), tone, word=0.15)


def bag(stage: Stage, f: Frame) -> None:
    """A bag of cloth or paper that stands, with two handles."""
    rng = stage.rng
    tone = vary(stage.one_of(rgb("ece4d2"), rgb("c9a77a"), rgb("26292e"), rgb("f6f5f2"), rgb("7f9a8c")), rng)
    wide, high, deep = stage.some(0.75, 0.95), stage.some(1.6, 1.95), 0.3
    arc = [(0.32 * math.sin(a), high + 0.48 * math.cos(a), 0.0) for a in np.linspace(-1.57, 1.57, 12).tolist()]
    f.line([(u, v, -deep) for u, v, _ in arc], 0.07, dim(tone, 0.6))
    f.box(-wide, wide, 0, high, -deep, deep, tone, top=dim(tone, 0.4))
    front = deep + 0.003

    def folds() -> None:
        for _ in range(4):
            u = stage.some(-0.8, 0.6) * wide
            points = [
                (u, 0, front),
                (u + 0.12, 0, front),
                (u + stage.some(0.1, 0.5), high, front),
                (u + 0.05, high, front),
            ]
            f.veil([(min(wide, x), y, z) for x, y, z in points], DARK if rng.random() < 0.6 else WHITE, 0.09)

    size = wide * stage.some(0.42, 0.6)
    stage.sign(on_panel(f, 0, high * stage.some(0.42, 0.55), front, size), tone, word=0.5, ink_share=0.92, over=folds)
    f.line([(u, v, deep) for u, v, _ in arc], 0.07, dim(tone, 0.8))


_THINGS = (mug, parcel, laptop, phone, cap, bag)


def shirts(rng: np.random.Generator, size: tuple[int, int], signs: list[str | None]) -> tuple[Image.Image, Stage]:
    """T-shirts on a rail in a room."""
    setting = interior(rng, size, width=(3.0, 4.0), depth=(3.0, 4.2), swing=0.35)
    scene = setting.room.scene
    stage = Stage(scene, setting.kit, setting.mood, signs)
    paint_shell(setting.room, floor=("wood", "carpet")[pick(rng, 0.7, 0.3)])
    setting.window()
    used = setting.light_wall
    for wall in setting.other_walls(used):
        setting.adorn(wall, stage.some(-0.8, 0.8))
    z = stage.some(1.35, 1.8)
    f = setting.room.floor(stage.some(-0.2, 0.2), z).moved(turn=stage.some(-16, 16))
    if rng.random() < 0.5:
        rug(f, 1.8, 1.2, setting.kit)
    setting.potted(float(rng.choice([-1, 1])) * 1.15, z + 0.4, stage.some(0.8, 1.3))
    count, rail = int(rng.integers(2, 4)), stage.some(1.55, 1.75)
    f.put(lambda f: _rail(stage, f, rail, count), (-0.9, 0.9, -0.2, 0.2))
    if rng.random() < 0.35:
        front = setting.room.floor(float(rng.choice([-1, 1])) * stage.some(0.2, 0.6), z - 0.75)
        front.put(lambda f: plant(f, setting.kit, 1.15), (-0.16, 0.16, -0.16, 0.16))
    return setting.photo(size), stage


def _rail(stage: Stage, f: Frame, rail: float, count: int) -> None:
    for u in (-0.92, 0.92):
        f.line([(u, 0, 0), (u, rail, 0)], 0.035, stage.kit.metal)
        f.line([(u, 0.02, -0.25), (u, 0.02, 0.25)], 0.035, stage.kit.metal)
    f.line([(-0.92, rail, 0), (0.92, rail, 0)], 0.03, stage.kit.metal)
    gap = 1.5 / count
    for k in range(count):
        _shirt(stage, f.moved(-0.75 + gap * (k + 0.5), rail - 0.1, 0.02 + 0.04 * (k % 2), stage.some(-22, 22)))


_HALF = ((0.06, -0.01), (0.2, -0.05), (0.37, -0.23), (0.28, -0.32), (0.205, -0.25), (0.215, -0.76))


def _shirt(stage: Stage, f: Frame) -> None:
    rng = stage.rng
    tone = vary(stage.one_of(*_GOODS, stage.kit.accent, stage.kit.second), rng)
    f.line([(0, 0.1, 0), (0, 0.02, 0)], 0.012, stage.kit.metal)
    f.line([(-0.19, -0.04, -0.004), (0, 0.02, -0.004), (0.19, -0.04, -0.004)], 0.02, stage.kit.wood)
    f.face([(u * 0.95, v, -0.01) for u, v in ((-0.07, 0), (0.07, 0), (0.05, -0.1), (-0.05, -0.1))], dim(tone, 0.55))
    neck = [(-0.035, -0.065), (0.0, -0.078), (0.035, -0.065)]
    f.face([(u, v, 0.0) for u, v in [*neck, *_HALF, *((-u, v) for u, v in _HALF[::-1])]], tone)
    phase, bend = stage.some(0, 6), stage.some(0.004, 0.012)
    size, low = stage.some(0.115, 0.17), stage.some(-0.38, -0.3)

    def place(x: float, y: float) -> Point:
        wave = math.sin(x * 3 + y * 1.5 + phase) * bend
        return f.at(x * size + wave * 0.5, low + y * size + wave, 0.003 + wave)

    def folds() -> None:
        for _ in range(6):
            u, lean = stage.some(-0.18, 0.15), stage.some(-0.06, 0.06)
            top = stage.some(-0.4, -0.15)
            points = [(u, top, 0.004), (u + lean + 0.03, -0.75, 0.004), (u + lean, -0.75, 0.004)]
            f.veil(points, DARK if rng.random() < 0.6 else WHITE, 0.12)

    if rng.random() < 0.15:
        word = ("RADIO", "MAYA", "NORD", "OTTO")[int(rng.integers(4))]
        tone_ = WHITE if sum(tone) < 400 else DARK
        print_mark(stage.scene, (letters(word, tone_, 0, -1.6, 2.0, 0.5),), place)
    stage.sign(place, tone, ink_share=0.93, over=folds)
    for side in (-1, 1):
        f.line([(side * 0.205, -0.25, 0.004), (side * 0.2, -0.06, 0.004)], 0.006, DARK, 0.3)
