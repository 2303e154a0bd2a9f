"""What stands where on a board, and from where it is seen: everything that is left to chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from customlabels_nb.examples._drawing import OVERSAMPLE, Camera, Colour, Light, rgb, vary
from customlabels_nb.examples.circuit_boards._bench import Bench, Spot, Spots, smooth
from customlabels_nb.examples.circuit_boards._board import THICK, Board, Placed
from customlabels_nb.examples.circuit_boards._clutter import CLUTTER
from customlabels_nb.examples.circuit_boards._components import LABELLED, Part, pick

_GAP = 0.7  # millimetres between parts
_TRIES = 30
_FINEST = 1.4  # pixels of the picture a millimetre takes at least, so the smallest part still has a few


@dataclass(frozen=True)
class Cable:
    """A cable over the board, in the board's coordinates."""

    points: Spots
    width: float
    colour: Colour


@dataclass(frozen=True)
class Plan:
    """A picture before it is painted; painting it twice gives the same pixels."""

    size: tuple[int, int]
    seed: int
    camera: tuple[tuple[float, float, float], float, float, float]  # eye, pitch, roll, lens
    light: Light
    board: Board
    origin: tuple[float, float, float]
    turn: float
    placed: list[Placed]
    cables: list[Cable]
    blur: float
    softness: float


def set_up(plan: Plan) -> Bench:
    """The plan's bench with nothing on it."""
    canvas = (plan.size[0] * OVERSAMPLE, plan.size[1] * OVERSAMPLE)
    eye, pitch, roll, lens = plan.camera
    return Bench(canvas, Camera(eye, 0.0, pitch, roll, lens, canvas), plan.light, np.random.default_rng([plan.seed, 0]))


def plan(label: str, rng: np.random.Generator, size: tuple[int, int]) -> Plan:
    """A board that has ``label`` on it for sure, and of the others some or none."""
    board = Board.of(rng)
    across = min(float(rng.uniform(70, 112)), max(size) / _FINEST)
    view = across if size[0] >= size[1] else across * size[0] / size[1]
    lens, pitch = float(rng.uniform(1.3, 2.0)), -90 + float(rng.uniform(0, 24))
    slant, away = math.radians(pitch), lens * view
    eye = (0.0, -math.sin(slant) * away, -math.cos(slant) * away)
    sun, height = float(rng.uniform(0, 2 * math.pi)), math.radians(rng.uniform(35, 75))
    direction = (math.cos(sun) * math.cos(height), math.sin(height), math.sin(sun) * math.cos(height))
    warm, strength = float(rng.uniform(-0.06, 0.08)), float(rng.uniform(0.3, 0.6))
    fill = float(rng.uniform(0.5, 0.66))
    light = Light(
        (fill, fill, fill * 1.03), (strength * (1 + warm), strength, strength * (1 - warm)), direction=direction
    )
    roam = max(0.0, min(board.u, board.w) * 0.35)
    made = Plan(
        size=size,
        seed=int(rng.integers(2**31)),
        camera=(eye, pitch, float(rng.normal(0, 2)), lens),
        light=light,
        board=board,
        origin=(float(rng.uniform(-roam, roam)) * view / 112, THICK, float(rng.uniform(-roam, roam)) * view / 112),
        turn=float(rng.normal(0, 14) + 90 * int(rng.choice([0, 0, 0, 1, 2, 2, 3]))),
        placed=[],
        cables=[],
        blur=float(rng.choice([0, 1, 2, 3])) * size[0] / 640,
        softness=float(rng.uniform(0.002, 0.009)),
    )
    top = Spot(set_up(made), np.array(made.origin), made.turn)
    _place(made, top, label, rng)
    if rng.random() < 0.4:
        made.cables.extend(_cable(board, rng) for _ in range(int(rng.integers(1, 4))))
    return made


def _place(made: Plan, top: Spot, label: str, rng: np.random.Generator) -> None:
    """Find room for the parts, the one that must be there first, the bigger ones before the smaller."""
    names = [label]
    for name in LABELLED:
        if rng.random() < 0.72:
            names += [name] * int(rng.integers(1, 4 if name.startswith("ir_") else 3))
    parts = [LABELLED[name](rng) for name in names]
    weights = np.array([weight for _, weight in CLUTTER], dtype=float)
    drawn = rng.choice(len(CLUTTER), int(rng.integers(7, 20)), p=weights / weights.sum())
    parts[1:] = [parts[k + 1] for k in rng.permutation(len(parts) - 1).tolist()]
    parts += [CLUTTER[k][0](rng) for k in drawn.tolist()]
    u, w, hole = made.board.u, made.board.w, 6.5  # the screws' holes stay free
    taken = [
        (min(x, x - a * hole), max(x, x - a * hole), min(y, y - b * hole), max(y, y - b * hole))
        for a, x in ((-1, -u), (1, u))
        for b, y in ((-1, -w), (1, w))
    ]
    for index, part in enumerate(parts):
        for _ in range(_TRIES):
            found = _try(made, top, part, rng, taken)
            if found is not None:
                made.placed.append(found)
                break
        else:
            if index == 0:  # no try was in the picture: its middle always is
                u, w = _middle(top)
                made.placed.append(Placed(part, u, w, 0.0))
                taken.append(_around(part, u, w, 0.0))


def _middle(top: Spot) -> tuple[float, float]:
    """The board's point in the picture's middle, which the camera looks at."""
    u, _, w = (top.axes @ (np.array([0.0, THICK, 0.0]) - top.origin)).tolist()
    return u, w


def _around(part: Part, u: float, w: float, turn: float) -> tuple[float, float, float, float]:
    """The rectangle on the board that a turned part needs."""
    u0, u1, w0, w1 = part.foot
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    corners = [(c * a - s * b, s * a + c * b) for a in (u0, u1) for b in (w0, w1)]
    us, ws = [a for a, _ in corners], [b for _, b in corners]
    return u + min(us) - _GAP, u + max(us) + _GAP, w + min(ws) - _GAP, w + max(ws) + _GAP


def _try(
    made: Plan, top: Spot, part: Part, rng: np.random.Generator, taken: list[tuple[float, float, float, float]]
) -> Placed | None:
    board, square = made.board, 90.0 * int(rng.integers(4))
    free = part.label.startswith("ir_") and rng.random() < 0.4
    turn = float(rng.uniform(0, 360)) if free else square + float(rng.normal(0, 1.5))
    u, w = float(rng.uniform(-board.u, board.u)), float(rng.uniform(-board.w, board.w))
    a0, a1, b0, b1 = around = _around(part, u, w, turn)
    if a0 < -board.u or a1 > board.u or b0 < -board.w or b1 > board.w:
        return None
    if any(a0 < c1 and c0 < a1 and b0 < d1 and d0 < b1 for c0, c1, d0, d1 in taken):
        return None
    (x, y), (width, height) = top.pixels([(u, 2.0, w)])[0].tolist(), top.bench.scene.size
    if not (0.03 * width < x < 0.97 * width and 0.03 * height < y < 0.97 * height):
        return None
    taken.append(around)
    return Placed(part, u, w, turn)


def _cable(board: Board, rng: np.random.Generator) -> Cable:
    """A cable from the board to somewhere off it."""
    colour = vary(rgb(pick(rng, "c22a2a", "1d1d20", "e0c23a", "2f6fc4", "3a8f4a", "e8e6e0", "e07a2a")), rng, 0.06)
    start = rng.uniform(-0.8, 0.8, 2) * (board.u, board.w)
    angle = float(rng.uniform(0, 2 * math.pi))
    out = np.array([math.cos(angle), math.sin(angle)])
    side = np.array([-out[1], out[0]]) * float(rng.normal(0, 14))
    high = float(rng.uniform(9, 14))
    ways = [start, start + out * 6, start + out * 40 + side, start + out * 90 + side * 1.5, start + out * 190]
    heights = (0.5, high, high, high * 0.5, 0.0)
    points = [(float(p[0]), h, float(p[1])) for p, h in zip(ways, heights, strict=True)]
    return Cable(smooth(points, 30), float(rng.uniform(1.2, 1.9)), colour)
