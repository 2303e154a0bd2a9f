"""Parts that have no box: what else is soldered on such boards, some of it much like what has one."""

from __future__ import annotations

import math

import numpy as np

from customlabels_nb.examples._drawing import dim, mix, rgb, vary
from customlabels_nb.examples.circuit_boards._bench import Spot
from customlabels_nb.examples.circuit_boards._components import BRASS, TIN, Dome, Part, dip, dome, pick

_BANDS = ("5a3a22", "b02020", "d9812b", "d9c23a", "2f7a3a", "2a4fa0", "6a3c8c", "202020", "c9a54c")


def resistor(rng: np.random.Generator) -> Part:
    """A resistor with coloured bands."""
    body = vary(rgb(pick(rng, "d9bf94", "d9bf94", "7fb2cf", "cfa77a")), rng, 0.04)
    bands = [rgb(_BANDS[int(k)]) for k in rng.integers(0, len(_BANDS), 4)]
    half = 5.08

    def paint(spot: Spot) -> None:
        spot.wire([(-half, 0, 0), (-half + 0.5, 1.1, 0), (half - 0.5, 1.1, 0), (half, 0, 0)], 0.55, TIN, 0.7)
        steps = [(0.3, 0.0), (1.1, 0.25), (1.25, 0.7), (1.2, 1.5), (1.0, 2.0)]
        steps += [
            (1.0, 2.5),
            (1.0, 3.0),
            (1.0, 3.5),
            (1.0, 4.1),
            (1.0, 4.5),
            (1.2, 5.0),
            (1.25, 5.6),
            (1.1, 6.1),
            (0.3, 6.3),
        ]
        colours = [body] * (len(steps) - 1)
        for k, place in enumerate((2, 5, 7, 10)):
            colours[place] = bands[k]
        spot.turned((-3.15, 1.2, 0), (1, 0, 0), steps, colours, gloss=0.25, sides=14)

    return Part(
        "", paint, (-half - 0.5, half + 0.5, -1.3, 1.3), (-3.1, 3.1, -1.2, 1.2), 2.4, ((-half, 0.0), (half, 0.0)), "R"
    )


def electrolytic(rng: np.random.Generator) -> Part:
    """A can with a stripe, its top scored."""
    r, height = float(rng.uniform(2.0, 4.0)), float(rng.uniform(5, 9))
    sleeve = vary(rgb(pick(rng, "1b1c22", "20315f", "1f5fc4", "3a2a5a", "2d2d30")), rng, 0.08)
    turn = float(rng.uniform(0, math.pi))

    def paint(spot: Spot) -> None:
        spot.turned(
            (0, 0.2, 0), (0, 1, 0), [(r, 0), (r, height - 0.5), (r * 0.93, height)], sleeve, gloss=0.4, sides=22
        )
        stripe, _ = spot.surface(
            (0, 0.2, 0), (0, 1, 0), [(r, 0.3), (r, height - 0.6)], np.linspace(turn, turn + 0.7, 5)
        )
        middle = stripe.mean(axis=(0, 1)) - spot.origin
        if float((middle * (1, 0, 1)) @ (spot.bench.scene.camera.eye - spot.origin - middle)) > 0:
            flat = spot.bench.project(np.concatenate([stripe[0], stripe[1, ::-1]]))
            spot.bench.polygon(flat, spot.shade(rgb("c8ccd4")), 0.8)
        spot.disc(0, 0, height + 0.2, r * 0.93, sleeve, sides=22)
        spot.disc(0, 0, height + 0.22, r * 0.84, rgb("c4c7cb"), sides=22)
        for angle in (turn, turn + math.pi / 2):
            c, s = math.cos(angle) * r * 0.7, math.sin(angle) * r * 0.7
            spot.line([(-c, height + 0.24, -s), (c, height + 0.24, s)], 0.18, rgb("7d8086"))

    return Part("", paint, (-r, r, -r, r), (-r, r, -r, r), height, ((-1.0, 0.0), (1.0, 0.0)), "C")


def ceramic(rng: np.random.Generator) -> Part:
    """A small disc or drop on edge."""
    colour, wide = vary(rgb(pick(rng, "c98a34", "d3a13c", "b8622c", "2f63b8")), rng, 0.06), float(rng.uniform(1.6, 3.2))

    def paint(spot: Spot) -> None:
        for u in (-1.27, 1.27):
            spot.wire([(u, 0, 0), (u * 0.9, 1.4, 0)], 0.5, TIN, 0.6)
        ring = [(wide * math.cos(a), 1.2 + wide + wide * math.sin(a)) for a in np.linspace(-1.5, 1.5, 9).tolist()]
        spot.turned((0, 1.0, 0), (0, 1, 0), [(max(0.05, x * 0.36 + 0.3), y - 1.2) for x, y in ring], colour, gloss=0.4)
        for side in (-1, 1):
            spot.turned(
                (side * wide * 0.45, 1.2, 0),
                (0, 1, 0),
                [(0.5, 0.2), (0.95, wide), (0.7, wide * 1.5), (0.05, wide * 1.75)],
                colour,
                gloss=0.4,
                sides=12,
            )

    return Part(
        "", paint, (-wide, wide, -1.2, 1.2), (-wide, wide, -0.9, 0.9), wide * 1.8, ((-1.27, 0.0), (1.27, 0.0)), "C"
    )


def film(rng: np.random.Generator) -> Part:
    """A box capacitor: a trimmer's blue, but nothing to turn."""
    u, w, height = float(rng.uniform(3.2, 5.2)), float(rng.uniform(1.6, 3.4)), float(rng.uniform(4.5, 8))
    colour = vary(rgb(pick(rng, "2a6fd0", "1f5fc4", "c23b2e", "e4e2da", "3b4d86")), rng, 0.08)
    mark = dim(colour, 0.4) if sum(colour) > 500 else rgb("e8ecf4")

    def paint(spot: Spot) -> None:
        spot.block((-u, u), (-w, w), (0.2, height), colour, top=dim(colour, 1.12), taper=0.1)
        spot.text(-u + 1.0, w * 0.4, height + 0.02, pick_word, min(1.4, w), mark, 0.75)

    pick_word = pick(rng, "104K", "1U63", "473J", "225")
    return Part("", paint, (-u, u, -w, w), (-u, u, -w, w), height, ((-2.5, 0.0), (2.5, 0.0)), "C")


def header(rng: np.random.Generator) -> Part:
    """A row of pins."""
    count = int(rng.integers(3, 9))
    half = count * 1.27
    female, plastic = (
        bool(rng.random() < 0.3),
        vary(rgb(pick(rng, "1c1d20", "1c1d20", "1c1d20", "b8302a", "e0c23a")), rng, 0.05),
    )
    pins = [(k - (count - 1) / 2) * 2.54 for k in range(count)]

    def paint(spot: Spot) -> None:
        height = 8.3 if female else 2.5
        spot.block((-half, half), (-1.25, 1.25), (0, height), plastic, top=dim(plastic, 1.2), taper=0.1)
        for u in pins:
            if female:
                spot.rect(u - 0.5, u + 0.5, -0.5, 0.5, height + 0.02, rgb("0a0a0b"))
                spot.rect(u - 0.5, u + 0.5, -0.15, 0.15, height + 0.03, dim(BRASS, 0.6))
            else:
                spot.block((u - 0.32, u + 0.32), (-0.32, 0.32), (height, 8.5), BRASS, top=dim(BRASS, 1.15))

    return Part("", paint, (-half, half, -1.4, 1.4), (-half, half, -1.2, 1.2), 3.0, tuple((u, 0.0) for u in pins), "J")


def soic(rng: np.random.Generator) -> Part:
    """A small flat chip with eight pins."""
    body = vary(rgb("2a2b2f"), rng, 0.1)

    def paint(spot: Spot) -> None:
        for k in range(4):
            u = (k - 1.5) * 1.27
            spot.rect(u - 0.22, u + 0.22, -3.0, 3.0, 0.25, TIN)
        spot.block((-2.45, 2.45), (-1.95, 1.95), (0.15, 1.6), body, top=dim(body, 1.2), taper=0.2)
        spot.disc(-1.7, 1.2, 1.62, 0.3, dim(body, 0.6), sides=8)
        spot.text(-1.2, 0.3, 1.62, "358", 0.9, rgb("c8c8c4"), 0.6)

    pads = tuple(((k - 1.5) * 1.27, side * 2.8) for k in range(4) for side in (-1, 1))
    return Part("", paint, (-2.6, 2.6, -3.3, 3.3), (-2.5, 2.5, -2.0, 2.0), 1.6, pads, "U")


def chips(rng: np.random.Generator) -> Part:
    """A chip in a comparator's case, but with more or fewer pins."""
    pins = int(rng.choice([6, 6, 14, 16]))
    words = ("4N35", "PC17") if pins == 6 else ("LM339N", "SN74LS04", "CD4017", "LM324N")
    return dip(rng, pins, words, colour="e8e6df" if pins == 6 and rng.random() < 0.5 else "")


def surface_mounted(rng: np.random.Generator) -> Part:
    """Two or three tiny blocks in a row."""
    count, light = int(rng.integers(1, 4)), bool(rng.random() < 0.4)
    body = rgb("b98f5c") if light else rgb("1d1d20")

    def paint(spot: Spot) -> None:
        for k in range(count):
            u = (k - (count - 1) / 2) * 2.4
            spot.block((u - 0.65, u + 0.65), (-1.05, 1.05), (0, 0.6), TIN, taper=0.05)
            spot.block((u - 0.64, u + 0.64), (-0.65, 0.65), (0.02, 0.63), body)
            if not light:
                spot.text(u - 0.45, 0.25, 0.65, "10", 0.6, rgb("dcdcd8"), 0.7)

    half = count * 1.2
    pads = tuple(((k - (count - 1) / 2) * 2.4, side * 1.0) for k in range(count) for side in (-1, 1))
    return Part("", paint, (-half, half, -1.4, 1.4), (-half, half, -1, 1), 0.6, pads, "R")


def button(rng: np.random.Generator) -> Part:
    """A push button: square and round as a trimmer is, but of metal and without a slot."""
    cap = vary(rgb(pick(rng, "1a1a1c", "1a1a1c", "b8302a", "e0c23a", "e4e2da")), rng, 0.06)

    def paint(spot: Spot) -> None:
        for u in (-3.3, 3.3):
            for w in (-2.25, 2.25):
                spot.rect(u - 0.8, u + 0.8, w - 0.4, w + 0.4, 0.3, TIN)
        spot.block((-3, 3), (-3, 3), (0, 3.2), rgb("26272a"))
        spot.block((-3, 3), (-3, 3), (3.2, 3.5), rgb("b9bcc0"), top=rgb("c4c7cb"))
        for u in (-2.3, 2.3):
            for w in (-2.3, 2.3):
                spot.disc(u, w, 3.52, 0.35, rgb("55575b"), sides=8)
        spot.turned((0, 3.5, 0), (0, 1, 0), [(1.75, 0), (1.75, 1.3), (1.6, 1.5), (0, 1.5)], cap, gloss=0.2, sides=18)

    return Part(
        "",
        paint,
        (-4.1, 4.1, -3.2, 3.2),
        (-3, 3, -3, 3),
        4.5,
        ((-3.6, -2.25), (3.6, -2.25), (-3.6, 2.25), (3.6, 2.25)),
        "S",
    )


def terminal(rng: np.random.Generator) -> Part:
    """A terminal of two or three screws in a trimmer's blue."""
    count, colour = int(rng.integers(2, 4)), vary(rgb(pick(rng, "2a6fd0", "2a6fd0", "2f8a4a")), rng, 0.08)
    half, slots = count * 2.54, [float(a) for a in rng.uniform(0, math.pi, 3)]

    def paint(spot: Spot) -> None:
        spot.block((-half, half), (-4, 4), (0, 7.5), colour, top=dim(colour, 1.1), taper=0.0)
        spot.block((-half, half), (-1.8, 4), (7.5, 10), colour, top=dim(colour, 1.12), taper=0.3)
        for k in range(count):
            u = (k - (count - 1) / 2) * 5.08
            spot.disc(u, 1.1, 10.02, 2.0, dim(colour, 0.3))
            spot.disc(u, 1.1, 10.03, 1.7, rgb("aeb2b8"))
            c, s = math.cos(slots[k]) * 1.6, math.sin(slots[k]) * 1.6
            spot.line([(u - c, 10.05, 1.1 - s), (u + c, 10.05, 1.1 + s)], 0.5, rgb("4a4c50"))

    pads = tuple(((k - (count - 1) / 2) * 5.08, 0.0) for k in range(count))
    return Part("", paint, (-half, half, -4.2, 4.2), (-half, half, -4, 4), 9, pads, "J")


def transistor(rng: np.random.Generator) -> Part:
    """A small black half cylinder on three legs, or one of metal."""
    body = vary(rgb("242529"), rng, 0.1)

    def paint(spot: Spot) -> None:
        for u in (-1.27, 0.0, 1.27):
            spot.wire([(u, 0, 0), (u, 2.0, 0)], 0.5, TIN, 0.6)
        arc = [
            (2.3 * math.cos(a), 2.3 * math.sin(a) - 0.5)
            for a in np.linspace(math.pi * 0.92, math.pi * 2.08, 11).tolist()
        ]
        for k, (u, w) in enumerate(arc):
            n, m = arc[(k + 1) % len(arc)]
            at = spot.world([(u, 3, w)])[0]
            outward = np.array([(u + n) / 2, 0.0, (w + m) / 2 + 0.6])
            if float((outward @ spot.axes) @ (spot.bench.scene.camera.eye - at)) > 0:
                spot.plate(
                    [(u, 2, w), (n, 2, m), (n, 6.5, m), (u, 6.5, w)], body, normal=outward / np.linalg.norm(outward)
                )
        spot.plate([(u, 6.5, w) for u, w in arc], mix(body, (255, 255, 255), 0.12))

    return Part(
        "", paint, (-2.4, 2.4, -2.9, 1.0), (-2.3, 2.3, -2.8, 0.4), 6.5, ((-1.27, 0.0), (0.0, 0.0), (1.27, 0.0)), "Q"
    )


def crystal(rng: np.random.Generator) -> Part:
    """A flat metal can with round ends."""
    metal = vary(rgb("c2c5ca"), rng, 0.04)

    def outline(grow: float, v: float) -> list[tuple[float, float, float]]:
        turns = np.linspace(-math.pi / 2, math.pi / 2, 8).tolist()
        right = [(3.2 + (2.2 + grow) * math.cos(a), v, (2.2 + grow) * math.sin(a)) for a in turns]
        return right + [(-u, y, -w) for u, y, w in right]

    def paint(spot: Spot) -> None:
        spot.plate(outline(0.3, 0.3), dim(metal, 0.8))
        for k in range(6):
            spot.plate(outline(0, 0.4 + k * 0.5), dim(metal, 0.62 + 0.03 * k))
        spot.plate(outline(0, 3.4), metal)
        spot.plate(outline(-0.4, 3.42), dim(metal, 1.08))
        spot.text(-3.0, 0.6, 3.44, "16000", 1.3, rgb("5a5c60"), 0.8)

    return Part("", paint, (-5.8, 5.8, -2.6, 2.6), (-5.4, 5.4, -2.2, 2.2), 3.4, ((-2.4, 0.0), (2.4, 0.0)), "X")


def led(rng: np.random.Generator) -> Part:
    """An ordinary light-emitting diode: the look-alikes' case in a lively colour."""
    tint = vary(rgb(pick(rng, "d8281f", "e03a28", "2fae4a", "e8b92a", "e8822a", "f0f0ea")), rng, 0.06)
    return dome(rng, Dome(tint, float(rng.uniform(0.05, 0.3)), "cup"))


CLUTTER = (
    (resistor, 5),
    (electrolytic, 2),
    (ceramic, 2),
    (film, 1.5),
    (header, 2),
    (soic, 1.5),
    (chips, 1.6),
    (surface_mounted, 2.5),
    (button, 1.2),
    (terminal, 1),
    (transistor, 1.5),
    (crystal, 0.8),
    (led, 2),
)
