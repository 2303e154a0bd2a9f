"""The example "circuit_boards": boards of electronic parts seen from above, drawn by program, with a box a part.

Four labels have boxes: "comparator" (a chip of eight pins), "pot_resistor" (a trimmer: a blue or white case with a
rotor or screw), "ir_phototransistor" and "ir_led" (domes on two leads, the first dark, the second clear or bluish,
so that their smoky and violet kinds are easily mistaken for each other). Chips of other sizes, capacitors, push
buttons, screw terminals, coloured diodes and more are on the boards without a box.

A box is the smallest whole-pixel rectangle around what is seen of a part: its body and its own pins or leads, not
its pads, shadow or printed outline, and not what a cable hides or the picture's edge cuts off.
"""

from __future__ import annotations

import math

import numpy as np

from customlabels_nb.examples._drawing import OVERSAMPLE
from customlabels_nb.examples._photo import photograph
from customlabels_nb.examples._picture import Box, Picture
from customlabels_nb.examples.circuit_boards._bench import Bench, Spot
from customlabels_nb.examples.circuit_boards._board import paint_board, paint_desk, soften
from customlabels_nb.examples.circuit_boards._components import LABELLED, TIN
from customlabels_nb.examples.circuit_boards._plan import Plan, plan, set_up

LABELS = tuple(LABELLED)
TASK = "boxes"
FILES = {"train": "coco", "test": "coco"}
TRAIN, TEST, SIZE = 48, 28, (640, 480)

_LEAST = 4  # pixels: narrower slivers have no box


def paint(split: str, number: int, rng: np.random.Generator, size: tuple[int, int]) -> Picture:
    """A board; each label in turn is sure to be on one."""
    return render(plan(LABELS[number % len(LABELS)], rng, size))


def render(plan: Plan) -> Picture:
    """Paint a plan, photograph it, and box what is seen of its parts."""
    bench = painted(plan)
    boxes = boxed(plan, bench)
    rng = np.random.default_rng([plan.seed, 2])
    scene = bench.scene
    scene.image = soften(scene.image, float(rng.uniform(0.3, 0.7)), float(rng.uniform(-0.4, 0.4)), plan.blur)
    tint = np.clip(1 + rng.normal(0, 0.025, 3), 0.9, 1.1).tolist()
    image = photograph(
        scene,
        plan.size,
        tint=(tint[0], tint[1], tint[2]),
        exposure=float(rng.uniform(0.85, 1.12)),
        vignette=float(rng.uniform(0.15, 0.4)),
        grain=float(rng.uniform(1.5, 5)),
        bloom=float(rng.uniform(0.05, 0.25)),
    )
    return Picture(image, boxes=boxes)


def painted(plan: Plan, without: int | None = None) -> Bench:
    """The canvas, ``OVERSAMPLE`` times the picture's size, before lens and sensor have their say.

    Left out may be the part ``without`` of the plan's list; its pads and its shadow stay.
    """
    bench = set_up(plan)
    rng = np.random.default_rng([plan.seed, 1])
    paint_desk(bench, rng)
    top = Spot(bench, np.array(plan.origin), plan.turn)
    paint_board(top, plan.board, plan.placed, rng)
    spots = [top.moved(item.u, item.w, item.turn) for item in plan.placed]
    for spot, item in zip(spots, plan.placed, strict=True):
        u0, u1, w0, w1 = item.part.body
        spot.shadow([(u0, w0), (u1, w0), (u1, w1), (u0, w1)], item.part.height, 0.5)
    bench.scene.cast(plan.softness)
    below = bench.scene.camera.eye * (1, 0, 1)
    far_first = sorted(range(len(spots)), key=lambda k: -math.dist(spots[k].origin.tolist(), below.tolist()))
    for k in far_first:
        if k != without:
            bench.part = k + 1 if plan.placed[k].part.label else 0
            plan.placed[k].part.paint(spots[k])
    bench.part = 0
    for cable in plan.cables:
        top.wire(cable.points, cable.width, cable.colour, 0.35)
        u, v, w = cable.points[0]
        top.moved(u, w, v=v - 0.5).turned((0, 0, 0), (0, 1, 0), [(0.9, 0), (0.7, 1.0), (0.05, 1.7)], TIN, sides=10)
    return bench


def boxed(plan: Plan, bench: Bench) -> tuple[Box, ...]:
    """A box for each labelled part, in the plan's order, unless only a sliver of it is seen."""
    owners, found = np.asarray(bench.owners), []
    for index, item in enumerate(plan.placed):
        seen = extent(owners == index + 1) if item.part.label else None
        if seen is not None and min(seen[2:]) >= _LEAST:
            found.append(Box(item.part.label, *seen))
    return tuple(found)


def extent(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """Left, top, width and height in the picture's pixels of what is set on a map of the canvas."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(columns):
        return None
    left, top = int(columns[0]) // OVERSAMPLE, int(rows[0]) // OVERSAMPLE
    return left, top, int(columns[-1]) // OVERSAMPLE + 1 - left, int(rows[-1]) // OVERSAMPLE + 1 - top
