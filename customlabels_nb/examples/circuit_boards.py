"""Example "circuit_boards": circuit boards seen from above, with boxes around four kinds of electronic parts.

"comparator" is a chip with eight pins, and "pot_resistor" is a trimmer with a rotor. "ir_phototransistor" and "ir_led"
are domes on two leads: phototransistors are dark, and LEDs are clear or bluish. Smoky and violet domes are easily
confused. Chips with other numbers of pins, capacitors, buttons and colored diodes have no box.

A box encloses the visible body and leads of a part, but not its pads or shadow, nor any part hidden by a cable or the
image edge.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from customlabels_nb.examples._drawing import (
    Camera,
    Color,
    Painting,
    Picture,
    Space,
    colors,
    curve,
    mix,
    oval,
    pick,
    rect,
    shade,
    turned,
    vary,
)

_BOARDS = colors("2f7d55 2b5fa5 b23a3f 2c2f38 e9e6dc 3f9a6a 6b4a8f d9b27c")
_DESKS = colors("c99a6b e4dccb 8f979f 3f6f7f d8a79a 5b5f68 efe9df")
_BRIGHT = colors("d9463b f0b13c 3fa25a 3d6fb8 e8e4da e07f35")
_TIN, _GOLD, _INK, _WHITE, _BLUE = colors("d5d8dc dcb45c 2b2c31 f3f1ea 2f7fd0")

Paint = Callable[[Space, np.random.Generator], None]
_Placed = tuple[str, Paint, tuple[float, float], Space]


def _pads(space: Space, *points: tuple[float, float]) -> None:
    """Draw solder pads, which belong to the board."""
    owner, space.canvas.owner = space.canvas.owner, 0
    for u, w in points:
        space.floor(0.05).draw(oval(u, w, 1.0), _TIN)
    space.canvas.owner = owner


def _leads(space: Space, *paths: tuple[tuple[float, float], tuple[float, float]]) -> None:
    _pads(space, *(end for _, end in paths))
    for start, end in paths:
        space.floor(0.8).line([start, end], 0.55, _TIN)


def _chip(pins: int, space: Space, rng: np.random.Generator) -> None:
    reach, ink = pins * 0.64, vary(_INK, rng, 0.15)
    legs = [(u, side) for u in np.arange(-reach + 1.27, reach, 2.54).tolist() for side in (-1, 1)]
    _pads(space, *((u, side * 3.8) for u, side in legs))
    for u, side in legs:
        space.box(u - 0.4, u + 0.4, min(side * 2.8, side * 4), max(side * 2.8, side * 4), 0, 1.2, _TIN)
    space.box(-reach, reach, -3.1, 3.1, 0.5, 3.2, ink)
    top, name = space.floor(3.2), pick(rng, ("LM393", "LM311") if pins == 8 else ("NE556", "4N35", "CD4017"))
    top.draw(oval(-reach, 0, 0.9, start=-90, end=90), shade(ink, 0.5))
    top.write(name, 0.4, 0.7, 1.3, shade(_TIN, 0.85))
    top.write(f"{int(rng.integers(10, 99))}A{int(rng.integers(9))}", 0.4, -1.1, 1.1, shade(_TIN, 0.7))


def _trimmer(space: Space, rng: np.random.Generator) -> None:
    side, case = rng.uniform(3.3, 4.9), vary(_WHITE if rng.random() < 0.25 else _BLUE, rng, 0.08)
    space.box(-side, side, -side, side, 0, 4.5, case, 0.4)
    rotor, metal = space.floor(4.6), vary(pick(rng, (_WHITE, _GOLD, _TIN)), rng)
    u, w, r = (0.0, 0.0, side * 0.7) if rng.random() < 0.7 else (side * 0.5, side * 0.5, side * 0.36)
    rotor.draw(oval(u, w, r), shade(metal, 0.75))
    rotor.draw(oval(u, w, r * 0.88), metal)
    angle = rng.uniform(0, 180)
    for extra in (0, 90)[: int(rng.integers(1, 3))]:
        rotor.draw(turned(rect(-r * 0.75, -r * 0.14, r * 0.75, r * 0.14), angle + extra, u, w), shade(_INK, 1.3))


def _dome(lenses: tuple[Color, ...], alpha: float, space: Space, rng: np.random.Generator) -> None:
    """Draw a 5 mm diode, either lying on its leads or upright and seen from its tip."""
    lens = vary(pick(rng, lenses), rng)
    if rng.random() < 0.3:
        _pads(space, (-1.3, 0), (1.3, 0))
        space.solid(oval(0, 0, 2.9), 0, 1.2, shade(lens, 0.85))
        for height, r in ((3.5, 2.5), (5.5, 2.2), (6.5, 1.4)):
            space.floor(height).draw(oval(0, 0, r), mix(lens, _WHITE, height / 40), alpha=max(alpha, 0.6))
        space.floor(6.6).draw(oval(-0.7, 0.8, 0.55), _WHITE, alpha=0.45)
        return
    long = rng.uniform(2.5, 5)
    _leads(space, ((-1.3, -3), (-1.3, -3 - long)), ((1.3, -3), (1.3, -3 - long)))
    body, outline = space.floor(2.6), np.concatenate([oval(0, 2.6, 2.5, 2.9, 0, 180), [(-2.5, -3.0), (2.5, -3.0)]])
    body.draw(outline, mix(lens, _WHITE, 0.12), shade(lens, 0.85), alpha=alpha)
    body.draw(rect(-2.9, -3.6, 2.9, -2.5, 0.3), shade(lens, 0.8))
    body.draw(rect(-1.0, -2.0, 1.0, 1.4, 0.5), mix(lens, _INK, 0.35), alpha=0.45)
    body.line([(-1.5, -1.8), (-1.5, 2.6)], 0.6, _WHITE, alpha=0.45)


def _resistor(space: Space, rng: np.random.Generator) -> None:
    _leads(space, ((-2.5, 0), (-5.2, 0)), ((2.5, 0), (5.2, 0)))
    body = space.floor(1.5)
    tone = vary(pick(rng, colors("dcc293 dcc293 8fb8d0")), rng)
    body.draw(rect(-3.1, -1.1, 3.1, 1.1, 0.9), mix(tone, _WHITE, 0.15), shade(tone, 0.85))
    for u in (-2.2, -1.1, 0.0, 2.0):
        body.draw(rect(u - 0.25, -1.05, u + 0.25, 1.05), vary(pick(rng, (*_BRIGHT, _INK)), rng))


def _capacitor(space: Space, rng: np.random.Generator) -> None:
    r, tone = rng.uniform(2.2, 3.4), vary(pick(rng, (_INK, _INK, *colors("2f4f8a 5a3f6f"))), rng)
    space.solid(oval(0, 0, r), 0, 6, tone, tone)
    space.floor(6).draw(oval(0, 0, r * 0.82), _TIN, shade(_TIN, 0.85))
    space.floor(6).draw(oval(0, 0, r, start=-35, end=35), shade(_WHITE, 0.9))


def _button(space: Space, rng: np.random.Generator) -> None:
    space.box(-3, 3, -3, 3, 0, 3, pick(rng, (_TIN, _INK)))
    space.solid(oval(0, 0, 1.8), 3, 4.5, vary(pick(rng, _BRIGHT), rng))


def _header(space: Space, rng: np.random.Generator) -> None:
    half = 1.27 * int(rng.integers(3, 8))
    tone = pick(rng, (_INK, _INK, _BRIGHT[1]))
    space.box(-half, half, -1.25, 1.25, 0, 2.4, tone)
    for u in np.arange(-half + 1.27, half, 2.54).tolist():
        space.box(u - 0.35, u + 0.35, -0.35, 0.35, 2.4, 6, _GOLD)


def _terminal(space: Space, rng: np.random.Generator) -> None:
    tone = vary(pick(rng, (_BLUE, _BRIGHT[2])), rng)
    space.box(-5.2, 5.2, -3.8, 3.8, 0, 7, tone)
    for u in (-2.6, 2.6):
        space.floor(7).draw(oval(u, 0.4, 1.7), shade(_TIN, 0.8))
        space.floor(7).draw(turned(rect(-1.4, -0.25, 1.4, 0.25), rng.uniform(0, 180), u, 0.4), _INK)


def _block(space: Space, rng: np.random.Generator) -> None:
    """Draw a film capacitor or a crystal: a block with a number on it."""
    tone = vary(pick(rng, (_BRIGHT[0], _BLUE, _TIN, _BRIGHT[1])), rng)
    space.box(-4, 4, -1.9, 1.9, 0, 4.5, tone, float(rng.choice([0.3, 1.9])))
    space.floor(4.5).write(pick(rng, ("1U63", "104K", "16.000", "225")), 0, 0, 1.5, shade(tone, 0.45))


_LABELLED: dict[str, tuple[Paint, tuple[float, float]]] = {  # with half of their width and depth, in millimetres
    "comparator": (partial(_chip, 8), (5.5, 4.3)),
    "pot_resistor": (_trimmer, (5, 5)),
    "ir_phototransistor": (partial(_dome, colors("26262b 26262b 2f2a36 55506a 4a4744"), 0.96), (3, 8)),
    "ir_led": (partial(_dome, colors("dfe8ee c9d8ef b9c9e8 8f86b8 6f6a90"), 0.82), (3, 8)),
}
_OTHERS: tuple[tuple[Paint, tuple[float, float]], ...] = (
    (partial(_chip, 14), (9.2, 4.3)),
    (partial(_chip, 6), (4.2, 4.3)),
    (partial(_dome, _BRIGHT[:3], 0.92), (3, 8)),
    *[(_resistor, (6, 1.5))] * 3,
    *[(_capacitor, (3.5, 3.5))] * 2,
    (_button, (3.2, 3.2)),
    (_header, (9, 1.5)),
    (_terminal, (5.4, 4)),
    (_block, (4.2, 2.1)),
)

LABELS = tuple(_LABELLED)
TASK = "boxes"
FILES = {"train": "coco", "test": "coco"}
TRAIN, TEST, SIZE = 48, 28, (640, 480)


def paint(split: str, number: int, rng: np.random.Generator, size: tuple[int, int]) -> Picture:
    """Draw a board. The labels take turns, so that every label occurs."""
    canvas, labels = board(LABELS[number % len(LABELS)], rng, size)
    tint = np.clip(rng.normal(1, 0.03, 3), 0.9, 1.08) * rng.uniform(0.82, 1.08)
    image = canvas.finish(rng, (tint[0], tint[1], tint[2]), rng.uniform(0.1, 0.3), rng.uniform(3, 7))
    return Picture(image, boxes=canvas.boxes(labels))


def board(label: str, rng: np.random.Generator, size: tuple[int, int]) -> tuple[Painting, list[str]]:
    """Draw a board with a part ``label`` and possibly others, and return it with the labels of its objects."""
    tone, desk = vary(pick(rng, _BOARDS), rng), vary(pick(rng, _DESKS), rng)
    across, pitch = min(rng.uniform(70, 104), max(size) / 1.6), math.radians(rng.uniform(-90, -68))
    lens, angle = rng.uniform(1.2, 1.8), rng.uniform(0, 2 * math.pi)
    away = lens * across * max(1.0, size[0] / size[1] * 0.75)
    eye = (0.0, -math.sin(pitch) * away, -math.cos(pitch) * away)
    camera = Camera(eye, 0.0, math.degrees(pitch), rng.normal(0, 3), lens, (math.cos(angle), math.sin(angle)))
    canvas = Painting(size, desk)
    half = np.array(rng.uniform((34, 26), (56, 40)))
    turn = rng.normal(0, 14) + 90 * int(rng.integers(4))
    space = Space(canvas, camera, (rng.uniform(-9, 9), 0.0, rng.uniform(-7, 7)), turn)
    _draw_desk(Space(canvas, camera, (0.0, -1.6, 0.0), rng.uniform(0, 90)), rng, desk)
    _draw_board(space, rng, tone, half)
    placed = _place(space, rng, label, half)
    for canvas.owner, (_, draw, (u, w), spot) in enumerate(placed, start=1):
        spot.shadow(rect(-u * 0.85, -w * 0.85, u * 0.85, w * 0.85), 0.4, 0.008, 1.2)
        draw(spot, np.random.default_rng(rng.integers(2**31)))
    canvas.owner = 0
    for _ in range(int(rng.choice([0, 0, 1, 2]))):
        start, end = rng.uniform(-0.7, 0.7, 2) * half, turned([(130, 0)], rng.uniform(0, 360))[0]
        cable = curve((start[0], start[1]), (end[1] * 0.3, end[0] * 0.3), (end[0], end[1]))
        space.floor().shadow(np.concatenate([cable, cable[::-1] + 1.5]), 0.3, 0.008)
        space.floor(8).line(cable, 1.7, vary(pick(rng, (*_BRIGHT, _INK)), rng))
    return canvas, [label for label, *_ in placed]


def _draw_desk(space: Space, rng: np.random.Generator, tone: Color) -> None:
    step, planks = rng.uniform(12, 40), rng.random() < 0.5
    for x in np.arange(-140, 140, step).tolist():
        if planks:
            space.floor().draw(rect(x, -140, x + step - 0.5, 140), vary(tone, rng, 0.02))
        else:
            space.floor().line([(x, -140), (x, 140)], 0.4, shade(tone, 1.1))
            space.floor().line([(-140, x), (140, x)], 0.4, shade(tone, 1.1))


def _draw_board(space: Space, rng: np.random.Generator, tone: Color, half: np.ndarray) -> None:
    u, w = half.tolist()
    space.shadow(rect(-u, -w, u, w), 0.5, 0.02, 3)
    space.box(-u, u, -w, w, -1.6, 0, shade(tone, 0.9), 2.5, tone)
    floor, line = space.floor(), mix(tone, _WHITE, 0.75) if sum(tone) < 500 else shade(tone, 0.6)
    if tone[0] > 180 > tone[2]:  # perforated board
        for x in np.arange(-u + 3, u - 2, 3.2).tolist():
            for y in np.arange(-w + 3, w - 2, 3.2).tolist():
                floor.draw(rect(x - 0.5, y - 0.5, x + 0.5, y + 0.5, 0.2), shade(tone, 0.55))
    else:
        for _ in range(14):
            x, y = rng.uniform(-0.9, 0.9, 2) * half
            a, b = rng.uniform(-14, 14, 2)
            path = np.clip([(x, y), (x + a, y), (x + a + b, y + abs(b)), (x + a + b, y + 3 * b)], -half + 2, half - 2)
            floor.line(path, 0.7, shade(tone, 1.14))
            floor.draw(turned(oval(0, 0, 0.8), 0, path[-1, 0], path[-1, 1]), shade(tone, 1.3))
        floor.write(pick(rng, ("SENSOR KIT", "LINE SENSE V2", "IR ARRAY", "TRACK V1")), 0, -w + 3, 2.4, line)
    for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        floor.draw(oval(x * (u - 4), y * (w - 4), 2.6), _GOLD)
        floor.draw(oval(x * (u - 4), y * (w - 4), 1.6), shade(tone, 0.35))


def _place(space: Space, rng: np.random.Generator, label: str, half: np.ndarray) -> list[_Placed]:
    """Place the parts without overlaps, starting with ``label`` near the middle of the image."""
    wanted = [(name, *_LABELLED[name]) for name in LABELS for _ in range(int(rng.integers(0, 4)))]
    wanted += [("", *pick(rng, _OTHERS)) for _ in range(int(rng.integers(6, 18)))]
    wanted = [(label, *_LABELLED[label]), *(wanted[k] for k in rng.permutation(len(wanted)).tolist())]
    taken: list[tuple[np.ndarray, np.ndarray]] = []
    placed: list[_Placed] = []
    (middle,) = turned([(-space.origin[0], -space.origin[2])], -space.turn)
    for name, draw, (a, b) in wanted:
        for _attempt in range(20):
            turn = rng.normal(0, 2) + 90 * int(rng.integers(4))
            if name.startswith("ir_") and rng.random() < 0.4:
                turn = rng.uniform(0, 360)
            c, s = abs(math.cos(math.radians(turn))), abs(math.sin(math.radians(turn)))
            reach = np.array([a * c + b * s, a * s + b * c]) + 0.6
            center = rng.uniform(-1, 1, 2) * (half - reach - 2)
            if not placed:
                center = np.clip(middle + rng.normal(0, 4, 2), reach + 2 - half, half - reach - 2)
            if all((np.abs(center - other) > reach + size).any() for other, size in taken):
                taken.append((center, reach))
                placed.append((name, draw, (a, b), space.at(center[0], center[1], turn)))
                break
    return sorted(placed, key=lambda part: -part[3].distance())
