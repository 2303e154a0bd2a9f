"""What bears a logo outdoors: shop fronts, billboards, vans."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from PIL import Image

from customlabels_nb.examples._drawing import Colour, Flat, Point, Scene, dim, mix, rgb, vary
from customlabels_nb.examples._shapes import Frame
from customlabels_nb.examples.logos._marks import WHITE, letters
from customlabels_nb.examples.logos._stage import Stage, on_panel, print_mark, shade
from customlabels_nb.examples.rooms._gardens import bush, ground, tree, treeline
from customlabels_nb.examples.rooms._setting import develop, exterior

DARK: Colour = rgb("1e2024")
_BOARDS = (rgb("f5f3ee"), rgb("20242a"), rgb("1f4038"), rgb("7a2f2a"), rgb("e8d7b2"), rgb("2b3f63"), rgb("d9dedf"))
NAMES = ("CAFE", "BOOKS", "SALON", "BAKERY", "HOTEL", "CYCLE", "GARDEN", "FRESH")


def _open(
    rng: np.random.Generator, size: tuple[int, int], signs: list[str | None], pitch: tuple[float, float]
) -> Stage:
    scene, kit, mood = exterior(rng, size, height=(1.3, 1.9), pitch=pitch)
    return Stage(scene, kit, mood, signs)


def _taken(stage: Stage, size: tuple[int, int]) -> tuple[Image.Image, Stage]:
    stage.scene.cast()
    stage.scene.finish_painting()
    return develop(stage.scene, size, stage.mood), stage


def _bearing(scene: Scene, far: float, off: float) -> tuple[float, float]:
    """x and z of a place that far away, off the middle of the view by a share of its half width."""
    ahead, right = scene.camera.axes[2], scene.camera.axes[0]
    x = scene.camera.eye[0] + ahead[0] * far + right[0] * off * far * 0.6
    z = ahead[2] * far + right[2] * off * far * 0.6
    return float(x), float(z)


def _street(stage: Stage, far: float) -> None:
    """Road and pavement up to a row of houses."""
    scene = stage.scene
    tar, stone = vary(rgb("6d6f73"), stage.rng, 0.05), vary(rgb("b9b3aa"), stage.rng, 0.05)
    scene.face([(-40, 0, 0.4), (40, 0, 0.4), (40, 0, 60), (-40, 0, 60)], tar)
    kerb = far - stage.some(2.2, 3.4)
    scene.face([(-40, 0.02, kerb), (40, 0.02, kerb), (40, 0.02, far + 20), (-40, 0.02, far + 20)], stone)
    scene.line([(-40, 0.02, kerb), (40, 0.02, kerb)], 0.12, dim(stone, 1.1))
    for x in np.arange(-14, 14, 1.0).tolist():
        scene.line([(x, 0.03, kerb), (x, 0.03, far + 1)], 0.02, DARK, 0.2)
    for z in np.arange(kerb + 0.6, far, 0.8).tolist():
        scene.line([(-20, 0.03, z), (20, 0.03, z)], 0.02, DARK, 0.2)


def _wall(stage: Stage, f: Frame, u0: float, u1: float, high: float) -> None:
    """A house front, of bricks or rendered, with windows upstairs."""
    rng = stage.rng
    tone = vary(
        stage.one_of(rgb("a9604a"), rgb("d9cdb8"), rgb("b9b4ad"), rgb("8f5a48"), rgb("c9d0cf"), rgb("e0c39a")), rng
    )
    f.panel(u0, u1, 0, high, 0, tone)
    if tone[0] - tone[2] > 60:
        for v in np.arange(0.12, high, 0.13).tolist():
            f.line([(u0, v, 0.003), (u1, v, 0.003)], 0.014, mix(tone, WHITE, 0.5), 0.3)
    pane = shade(vary(rgb("5f7683"), rng), stage)
    for u in np.arange(u0 + 0.5, u1 - 1.1, 1.7).tolist():
        lamp = stage.mood == "night" and rng.random() < 0.5
        f.panel(u - 0.07, u + 0.97, 3.43, 5.17, 0.02, WHITE)
        f.panel(u, u + 0.9, 3.5, 5.1, 0.03, rgb("ffd98f") if lamp else pane, gloss=0.4, lit=not lamp)
        f.line([(u + 0.45, 3.5, 0.04), (u + 0.45, 5.1, 0.04)], 0.05, WHITE)
        f.box(u - 0.1, u + 1.0, 3.36, 3.43, 0, 0.1, dim(WHITE, 0.9))


def _shop(stage: Stage, f: Frame, u0: float, u1: float, *, awning: bool) -> None:
    """A shop's window, door and board; its sign is on the board, and sometimes on a plate above the pavement."""
    rng = stage.rng
    board, frame = (
        vary(stage.one_of(*_BOARDS), rng),
        vary(stage.one_of(DARK, WHITE, stage.kit.wood, stage.kit.accent), rng),
    )
    lit = stage.mood == "night"
    glass = rgb("f4cf8c") if lit else vary(rgb("46565f"), rng)
    door = u1 - 1.0
    f.panel(u0, u1, 0, 2.5, 0.02, frame)
    f.panel(u0 + 0.12, door - 0.12, 0.55, 2.35, 0.03, glass, gloss=0.3, lit=not lit)
    f.panel(door + 0.05, u1 - 0.12, 0.15, 2.3, 0.03, glass, gloss=0.3, lit=not lit)
    f.line([(door + 0.15, 1.0, 0.05), (door + 0.15, 1.3, 0.05)], 0.04, stage.kit.metal)
    for k, u in enumerate(np.arange(u0 + 0.4, door - 0.4, 0.42).tolist()):
        tone = vary((stage.kit.accent, stage.kit.second, stage.kit.cloth, stage.kit.leaf)[k % 4], rng)
        f.panel(u, u + 0.3, 0.56, 0.56 + stage.some(0.25, 0.6), 0.035, mix(tone, glass, 0.35), round=0.04)
    if not lit:
        slant = stage.some(u0, door - 0.8)
        f.veil(
            [(slant, 0.56, 0.05), (slant + 0.35, 0.56, 0.05), (slant + 0.9, 2.34, 0.05), (slant + 0.55, 2.34, 0.05)],
            WHITE,
            0.08,
        )
    if rng.random() < 0.5:
        stage.sign(
            on_panel(f, (u0 + door) / 2 + stage.some(-0.3, 0.3), 1.6, 0.045, stage.some(0.4, 0.55)),
            glass,
            ink_share=0.85,
        )
    f.box(u0 - 0.05, u1 + 0.05, 2.5, 3.3, 0, 0.12, board)
    middle, size = (u0 + u1) / 2, stage.some(0.3, 0.38)
    left = middle + stage.some(-1.2, -0.7)
    stage.sign(on_panel(f, left, 2.9, 0.125, size), board, word=0.0, lit=not (lit and rng.random() < 0.5))
    word = NAMES[int(rng.integers(len(NAMES)))]
    print_mark(
        stage.scene,
        (letters(word, WHITE if sum(board) < 420 else DARK, 0, 0, 1.7, 0.36),),
        on_panel(f, left + 1.4, 2.9, 0.125, 1.0),
    )
    if awning:
        first, low = vary(stage.kit.accent, rng), stage.some(2.0, 2.2)
        count = round((door - u0) / 0.24)
        for k in range(count):
            a, b = u0 + (door - u0) * k / count, u0 + (door - u0) * (k + 1) / count
            f.face([(a, 2.52, 0.13), (b, 2.52, 0.13), (b, low, 0.95), (a, low, 0.95)], first if k % 2 else WHITE)
            f.panel(a, b, low - 0.14, low, 0.95, dim(first if k % 2 else WHITE, 0.9))
    if rng.random() < 0.6:
        _plate(stage, f.moved(u1 - 0.05 if rng.random() < 0.5 else u0 + 0.05, 2.35, 0.1), rng)


def _plate(stage: Stage, f: Frame, rng: np.random.Generator) -> None:
    """A sign that sticks out from the wall."""
    tone = vary(stage.one_of(*_BOARDS), rng)
    f.line([(0, 0.78, 0), (0, 0.78, 0.75)], 0.04, DARK)
    g = f.moved(0, 0.36, 0.42, 90 if stage.scene.camera.view(f.at(0, 0, 0))[0] > 0 else -90)
    g = g.moved(turn=stage.some(-30, 30))
    ring = [(math.cos(a) * 0.36, math.sin(a) * 0.36) for a in np.linspace(0, 2 * math.pi, 28, endpoint=False).tolist()]
    if rng.random() < 0.5:
        ring = [(-0.36, -0.36), (0.36, -0.36), (0.36, 0.36), (-0.36, 0.36)]
    g.face([(u, v, -0.03) for u, v in ring], dim(tone, 0.6))
    g.face([(u, v, 0.0) for u, v in ring], tone)
    stage.sign(on_panel(g, 0, 0, 0.004, 0.24), tone, word=0.1)


def _in_front(stage: Stage, far: float, *, often: float) -> None:
    """Posts, trees and bushes between the viewer and what is looked at."""
    rng = stage.rng
    for _ in range(int(rng.binomial(3, often))):
        x, z = _bearing(stage.scene, far * stage.some(0.5, 0.8), stage.some(-1.0, 1.0))
        f, kind = Frame(stage.scene, (x, 0, z)), int(rng.integers(4))
        if kind == 0:
            f.put(lambda f: tree(f, stage.kit, 3.6), (-0.5, 0.5, -0.5, 0.5))
        elif kind == 1:
            f.put(lambda f: bush(f, stage.kit, 0.5), (-0.5, 0.5, -0.4, 0.4))
        else:
            f.put(lambda f: _post(stage, f), (-0.08, 0.08, -0.08, 0.08))


def _post(stage: Stage, f: Frame) -> None:
    f.lathe(0, 0, [(0.1, 0), (0.09, 0.5), (0.055, 0.55), (0.05, 3.6)], rgb("3d4347"))
    f.lathe(0, 0, [(0.1, 3.6), (0.22, 3.9), (0.05, 4.05)], rgb("f4e6c0"), gloss=0.0)
    if stage.mood == "night":
        stage.scene.glow(f.at(0, 3.8, 0), 0.7, (110, 85, 40))


def shop(rng: np.random.Generator, size: tuple[int, int], signs: list[str | None]) -> tuple[Image.Image, Stage]:
    """A row of houses with shops."""
    stage = _open(rng, size, signs, (2, 9))
    far = stage.some(3.8, 5.8)
    _street(stage, far)
    x, z = _bearing(stage.scene, far, stage.some(-0.2, 0.2))
    f = Frame(stage.scene, (x, 0, z), stage.some(-24, 24))
    scene, sides = stage.scene, [side for side in (-1, 1) if rng.random() < 0.7]

    def row(stage: Stage, f: Frame) -> None:
        _wall(stage, f, -16, 16, 6.6)
        _shop(stage, f, -1.9, 1.9, awning=bool(rng.random() < 0.4))
        for side in sides:
            _shop(stage, f, side * 4.3 - 1.7, side * 4.3 + 1.7, awning=bool(rng.random() < 0.3))

    scene.put(f.origin, lambda: stage.bearing(signs, row)(f))  # once all shadows are cast: they hide nothing
    _in_front(stage, far, often=0.33)
    if rng.random() < 0.4:
        g = f.moved(stage.some(-1.6, 1.6), 0, stage.some(0.9, 1.5), stage.some(-25, 25))
        g.put(stage.bearing([], _board), (-0.35, 0.35, -0.3, 0.3))
    return _taken(stage, size)


def _board(stage: Stage, f: Frame) -> None:
    """A board that stands on the pavement."""
    tone = vary(stage.one_of(DARK, rgb("2c4a3e"), WHITE), stage.rng)
    f.face([(-0.34, 0, -0.3), (0.34, 0, -0.3), (0.3, 1.0, 0), (-0.3, 1.0, 0)], dim(stage.kit.wood, 0.6))
    f.face([(-0.36, 0, 0.2), (0.36, 0, 0.2), (0.36, 1.05, 0), (-0.36, 1.05, 0)], stage.kit.wood)
    f.face([(-0.3, 0.14, 0.18), (0.3, 0.14, 0.18), (0.3, 0.98, 0.02), (-0.3, 0.98, 0.02)], tone)

    def place(a: float, b: float) -> Point:
        v = 0.58 + b * 0.24
        return f.at(a * 0.24, v, 0.2 * (1 - v / 1.05) + 0.01)

    stage.sign(place, tone, word=0.4)


def billboard(rng: np.random.Generator, size: tuple[int, int], signs: list[str | None]) -> tuple[Image.Image, Stage]:
    """A billboard at a road in the country, sometimes two."""
    stage = _open(rng, size, signs, (2, 10))
    scene = stage.scene
    ground(scene, vary(stage.kit.leaf, rng, 0.08), stripes=False)
    treeline(scene, stage.kit, 22, stage.mood)
    far = stage.some(5.5, 8.8)
    x, z = _bearing(scene, far, stage.some(-0.25, 0.25))
    turn = stage.some(-32, 32)
    scene.face([(-40, 0.01, z - 4.5), (40, 0.01, z - 4.5), (40, 0.01, z - 2.2), (-40, 0.01, z - 2.2)], rgb("77787b"))
    scene.line([(-40, 0.02, z - 3.4), (40, 0.02, z - 3.4)], 0.1, WHITE)
    f = Frame(scene, (x, 0, z), turn)
    f.put(stage.bearing(signs[:1], lambda s, f: _poster(s, f, 5.4, 2.7)), (-2.6, 2.6, -0.2, 0.2))
    if rng.random() < 0.5 or signs[1:]:
        side = -1 if x > scene.camera.eye[0] else 1
        gx, gz = _bearing(scene, far * stage.some(1.15, 1.6), side * stage.some(0.5, 0.85))
        g = Frame(scene, (gx, 0, gz), turn + stage.some(-12, 12))
        g.put(stage.bearing(signs[1:], lambda s, f: _poster(s, f, 3.0, 2.4)), (-1.5, 1.5, -0.2, 0.2))
    _in_front(stage, far, often=0.35)
    return _taken(stage, size)


def _poster(stage: Stage, f: Frame, wide: float, high: float) -> None:
    rng = stage.rng
    low = stage.some(1.6, 2.2)
    for u in (-wide * 0.32, wide * 0.32):
        f.box(u - 0.1, u + 0.1, 0, low + 0.3, -0.25, -0.05, rgb("5c6166"))
    f.box(-wide / 2 - 0.1, wide / 2 + 0.1, low - 0.1, low + high + 0.1, -0.2, 0, rgb("4b5055"))
    page = vary(stage.one_of(*_BOARDS, stage.kit.cloth, stage.kit.second, stage.kit.accent), rng)
    f.panel(-wide / 2, wide / 2, low, low + high, 0.01, page)
    other = vary(stage.one_of(stage.kit.accent, stage.kit.second, WHITE, stage.kit.leaf), rng)
    side, share = float(rng.choice([-1, 1])), stage.some(0.42, 0.6)
    edge = side * wide * (0.5 - share)
    if rng.random() < 0.7:
        slant = side * stage.some(-0.4, 0.5)
        f.face(
            [
                (edge, low, 0.015),
                (side * wide / 2, low, 0.015),
                (side * wide / 2, low + high, 0.015),
                (edge + slant, low + high, 0.015),
            ],
            other,
        )
        middle = (edge + side * wide / 2) / 2
        tone = vary(stage.one_of(stage.kit.wood, stage.kit.metal, WHITE, stage.kit.leaf), rng)
        f.disc(middle, low + high * 0.5, 0.02, high * stage.some(0.2, 0.33), tone)
        f.panel(middle - 0.3, middle + 0.3, low + high * 0.2, low + high * 0.6, 0.025, mix(tone, DARK, 0.3), round=0.1)
    at = (edge - side * wide / 2) / 2 - side * 0.1
    size = high * stage.some(0.3, 0.4)
    tone = WHITE if sum(page) < 400 else DARK
    print_mark(
        stage.scene,
        (letters(NAMES[int(rng.integers(len(NAMES)))], tone, 0, 0, wide * 0.36, high * 0.14),),
        on_panel(f, at, low + high * 0.14, 0.02, 1.0),
    )
    stage.sign(on_panel(f, at, low + high * 0.6, 0.02, size), page)


def van(rng: np.random.Generator, size: tuple[int, int], signs: list[str | None]) -> tuple[Image.Image, Stage]:
    """A delivery van at the kerb, houses or trees behind it."""
    stage = _open(rng, size, signs, (-5, 2))
    scene = stage.scene
    far = stage.some(3.8, 5.8)
    if rng.random() < 0.6:
        _street(stage, far + 4)
        f = Frame(scene, (stage.some(-2, 2), 0, far + 4), stage.some(-8, 8))
        shops = [u for u in (-3.6, 1.0, 5.6) if rng.random() < 0.75]

        def row(stage: Stage, f: Frame) -> None:
            _wall(stage, f, -20, 20, 6.6)
            for u in shops:
                _shop(stage, f, u - 1.7, u + 1.7, awning=bool(rng.random() < 0.4))

        scene.put(f.origin, lambda: stage.bearing([*[None] * int(rng.integers(3)), *signs[1:]], row)(f))
    else:
        ground(scene, vary(stage.kit.leaf, rng, 0.08), stripes=False)
        treeline(scene, stage.kit, 20, stage.mood)
        scene.face([(-40, 0.01, 1), (40, 0.01, 1), (40, 0.01, far + 2.6), (-40, 0.01, far + 2.6)], rgb("747579"))
    x, z = _bearing(scene, far, stage.some(-0.25, 0.3))
    f = Frame(scene, (x, 0, z), stage.some(-38, 38))
    mirrored = bool(rng.random() < 0.5)
    f.put(stage.bearing(signs[:1], lambda s, f: _van(s, f, -1 if mirrored else 1)), (-2.2, 2.2, -1.8, 0.1), 0.5)
    _in_front(stage, far, often=0.25)
    return _taken(stage, size)


_SIDE = ((-2.2, 0.38), (2.15, 0.38), (2.25, 0.95), (1.75, 1.22), (1.2, 2.05), (0.95, 2.2), (-2.05, 2.25), (-2.2, 2.1))


def _middle(f: Frame, a: Flat, b: Flat) -> Point:
    return f.at((a[0] + b[0]) / 2, (a[1] + b[1]) / 2, -0.9)


def _van(stage: Stage, f: Frame, way: int) -> None:
    """A van along u that drives towards ``way``; its side is at w = 0."""
    rng = stage.rng
    tone = vary(
        stage.one_of(rgb("f4f4f1"), rgb("f4f4f1"), rgb("2d3238"), rgb("3c6f86"), rgb("d9b03c"), rgb("b9483a")), rng
    )
    ring = [(u * way, v) for u, v in _SIDE]
    quads = [((a, b), [(*a, -1.8), (*b, -1.8), (*b, 0.0), (*a, 0.0)]) for a, b in pairwise([*ring, ring[0]])]
    eye = f.scene.camera.eye.tolist()
    quads.sort(key=lambda item: -math.dist(_middle(f, *item[0]), eye))
    for (a, b), quad in quads:
        glass = min(a[1], b[1]) > 1.1 and max(a[1], b[1]) < 2.1 and a[0] * way > 1 and b[0] * way > 1
        f.face(quad, rgb("39454d") if glass else tone, gloss=0.3)
    f.face([(u, v, 0.0) for u, v in ring], tone, gloss=0.25)
    f.face(
        [(u * way, v, 0.004) for u, v in ((0.72, 1.25), (1.62, 1.25), (1.16, 1.95), (0.72, 1.98))],
        rgb("39454d"),
        gloss=0.4,
    )
    f.face([(u * way, v, 0.004) for u, v in ((-2.2, 0.38), (2.15, 0.38), (2.18, 0.55), (-2.2, 0.55))], rgb("3a3d41"))
    for u in (0.6, 1.72):
        f.line([(u * way, 0.56, 0.006), (u * way, 1.25 if u > 1 else 2.1, 0.006)], 0.02, DARK, 0.5)
    f.panel(min(0.66 * way, 0.84 * way), max(0.66 * way, 0.84 * way), 1.08, 1.13, 0.008, DARK)
    f.panel(min(2.05 * way, 2.2 * way), max(2.05 * way, 2.2 * way), 0.72, 0.9, 0.008, rgb("f6eac2"))
    f.panel(min(-2.19 * way, -2.1 * way), max(-2.19 * way, -2.1 * way), 0.8, 1.1, 0.008, rgb("c0392b"))
    for u in (-1.45, 1.45):
        f.disc(u * way, 0.4, 0.006, 0.45, rgb("24262a"))
        f.disc(u * way, 0.36, 0.012, 0.36, rgb("2c2d30"))
        f.disc(u * way, 0.36, 0.016, 0.2, rgb("a9adb1"))
    size = stage.some(0.5, 0.72)
    at = (-1.3 if size < 0.56 else -0.85) * way + stage.some(-0.15, 0.15)
    if rng.random() < 0.5:
        band = vary(stage.one_of(stage.kit.accent, stage.kit.second, stage.kit.leaf), rng)
        f.face([(u * way, v, 0.003) for u, v in ((-2.2, 0.56), (0.6, 0.56), (0.6, 0.72), (-2.2, 0.86))], band)
    stage.sign(on_panel(f, at, 1.5, 0.01, size), tone)
    if size < 0.56 and rng.random() < 0.6:
        word = NAMES[int(rng.integers(len(NAMES)))]
        print_mark(
            stage.scene,
            (letters(word, WHITE if sum(tone) < 420 else DARK, 0, 0, 1.2, 0.26),),
            on_panel(f, -0.2 * way, 1.5, 0.01, 1.0),
        )
