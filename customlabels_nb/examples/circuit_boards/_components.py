"""The four kinds of parts that have boxes. Millimetres; u to the part's right, w to its foot, v up."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from customlabels_nb.examples._drawing import Colour, dim, mix, rgb, vary
from customlabels_nb.examples.circuit_boards._bench import Spot

TIN = rgb("c9ccd0")
BRASS = rgb("d2b062")


@dataclass(frozen=True)
class Part:
    """Something to solder on.

    Attributes
    ----------
    label : str
        "" for what has no box.
    paint : callable
        Paints it on a spot; decides nothing by chance.
    foot : tuple of float
        What it covers: u0, u1, w0, w1.
    body : tuple of float
        What throws its shadow, likewise.
    height : float
    pads : tuple
        Where (u, w) it is soldered.
    name : str
        The letter of its mark on the board.
    """

    label: str
    paint: Callable[[Spot], None]
    foot: tuple[float, float, float, float]
    body: tuple[float, float, float, float]
    height: float
    pads: tuple[tuple[float, float], ...] = field(default=())
    name: str = "U"


def pick(rng: np.random.Generator, *choices: str) -> str:
    """One of the words."""
    return choices[int(rng.integers(len(choices)))]


def dip(rng: np.random.Generator, pins: int, words: tuple[str, ...], label: str = "", colour: str = "") -> Part:
    """A chip in a dual in-line case of ``pins`` pins, its notch at its left end."""
    half = pins // 2
    long_, wide = half * 2.54 / 2 - 0.15, 3.25
    body = vary(rgb(colour or pick(rng, "26272b", "1e1f22", "34343a", "2b2a2c")), rng, 0.1)
    word, under = words[int(rng.integers(len(words)))], f"{int(rng.integers(10, 99))}{pick(rng, 'A', 'C', 'K', 'P')}"
    marked, dot = float(rng.uniform(0.35, 0.9)), bool(rng.random() < 0.6)
    socket = rng.random() < 0.2
    lift = 3.2 if socket else 0.0
    columns = [(k - (half - 1) / 2) * 2.54 for k in range(half)]
    metal = vary(TIN, rng, 0.05)

    def paint(spot: Spot) -> None:
        if socket:
            spot.block((-long_ - 0.5, long_ + 0.5), (-4.6, 4.6), (0.2, lift + 0.6), rgb("202226"), top=rgb("2c2e33"))
            spot.rect(-long_ + 1, long_ - 1, -2, 2, lift + 0.62, rgb("141517"))
        for side in (-1, 1):
            for u in columns:
                w, out, ground = side * wide, side * 4.05, lift + 0.05
                ends = sorted((w * 0.9, out))
                spot.plate(
                    [
                        (u - 0.3, ground, out),
                        (u + 0.3, ground, out),
                        (u + 0.42, lift + 2.2, out),
                        (u - 0.42, lift + 2.2, out),
                    ],
                    dim(metal, 0.8),
                    normal=(0, 0.2, side),
                )
                spot.rect(u - 0.75, u + 0.75, ends[0], ends[1], lift + 2.2, metal)
                rim = sorted((out, out - side * 0.22))
                spot.rect(u - 0.75, u + 0.75, rim[0], rim[1], lift + 2.21, dim(metal, 1.2))
        spot.block((-long_, long_), (-wide, wide), (lift + 0.6, lift + 2.3), dim(body, 0.8))
        spot.block((-long_, long_), (-wide, wide), (lift + 2.3, lift + 4.0), body, top=dim(body, 1.25), taper=0.4)
        top = lift + 4.02
        turn = np.linspace(-math.pi / 2, math.pi / 2, 9)
        spot.plate([(-long_ + 0.4 + 0.9 * math.cos(a), top, 0.9 * math.sin(a)) for a in turn.tolist()], dim(body, 0.55))
        if dot:
            spot.disc(-long_ + 1.3, wide - 1.3, top, 0.5, dim(body, 0.6))
        if marked > 0.42:
            ink = rgb("d5d6d2")
            size = min(1.5, (2 * long_ - 3) / (len(word) * 0.81))
            spot.text(-len(word) * size * 0.4 + 0.5, -0.3, top, word, size, ink, marked)
            spot.text(-len(under) * size * 0.4 + 0.5, 1.9, top, under, size, ink, marked * 0.9)

    edge = long_ + (0.5 if socket else 0)
    pads = tuple((u, side * 3.9) for side in (-1, 1) for u in columns)
    return Part(label, paint, (-edge, edge, -4.7, 4.7), (-edge, edge, -4.2, 4.2), lift + 4, pads, "U")


def comparator(rng: np.random.Generator) -> Part:
    """A chip of eight pins."""
    return dip(rng, 8, ("LM393", "LM311", "TL331", "LM2903", "LM393N"), "comparator")


def _slot(spot: Spot, at: tuple[float, float, float], radius: float, turn: float, cross: bool, colour: Colour) -> None:
    """The slot of a screw's head."""
    u, v, w = at
    for angle in (turn, turn + math.pi / 2) if cross else (turn,):
        c, s = math.cos(angle) * radius, math.sin(angle) * radius
        t = 0.17
        spot.plate(
            [
                (u - c + s * t, v, w - s - c * t),
                (u + c + s * t, v, w + s - c * t),
                (u + c - s * t, v, w + s + c * t),
                (u - c - s * t, v, w - s + c * t),
            ],
            colour,
        )


def pot_resistor(rng: np.random.Generator) -> Part:
    """A trimmer: a blue or white case with a rotor or screw to turn."""
    kind = pick(rng, "square", "square", "tall", "tall", "open", "small")
    turn, cross = float(rng.uniform(0, math.pi)), bool(rng.random() < 0.5)
    blue = vary(rgb(pick(rng, "1f5fc4", "2a6fd0", "2450a8", "3f86d8")), rng, 0.08)
    white = vary(rgb(pick(rng, "ecebe4", "e2e4e6", "dedbd0")), rng, 0.03)
    case = white if rng.random() < 0.28 else blue
    if kind == "tall":
        u, w, height, screw = (-4.8, 4.8), (-2.5, 2.5), float(rng.uniform(6, 9.5)), (-3.4, -1.0, 1.15)
    elif kind == "small":
        u, w, height, screw = (-3.4, 3.4), (-3.3, 3.3), 4.2, (0.0, 0.0, 2.0)
    else:
        u, w, height, screw = (-4.8, 4.8), (-4.8, 4.8), 4.9, (0.0, 0.0, 3.0)
    rotor = (
        BRASS
        if kind == "tall"
        else (mix(white, rgb("c9b98f"), 0.3) if case is blue else rgb(pick(rng, "d9772e", "2a6fd0", "b9bcc2")))
    )
    brass = kind == "square" and rng.random() < 0.35

    def paint(spot: Spot) -> None:
        u_, w_, radius = screw
        if kind == "open":
            for du, dw in ((-3, 4.8), (3, 4.8), (0, -4.8)):
                spot.block((du - 0.6, du + 0.6), tuple(sorted((dw * 0.9, dw * 1.16))), (0, 0.9), TIN)  # type: ignore[arg-type]
            spot.turned((0, 0, 0), (0, 1, 0), [(4.7, 0), (4.7, 2.4), (4.3, 2.7), (0, 2.7)], case, sides=24)
            spot.disc(0, 0, 2.72, 3.8, rgb("3b3836"))
            spot.disc(0, 0, 2.74, 3.8, rgb("6a645c"), 0.5)
            spot.turned((0, 2.4, 0), (0, 1, 0), [(2.7, 0), (2.7, 1.2), (2.4, 1.4), (0, 1.4)], rotor, sides=20)
            _slot(spot, (0, 3.82, 0), 2.2, turn, cross, dim(rotor, 0.35))
            return
        spot.block(u, w, (0.3, height), case, taper=0.06)
        spot.block(
            (u[0] + 0.1, u[1] - 0.1),
            (w[0] + 0.1, w[1] - 0.1),
            (height, height + 0.15),
            dim(case, 1.05),
            top=dim(case, 1.12),
            taper=0.15,
        )
        top = height + 0.16
        if kind == "tall":
            spot.disc(u_, w_, top, radius + 0.35, dim(case, 0.5))
            spot.turned(
                (u_, top, w_),
                (0, 1, 0),
                [(radius, 0), (radius, 0.5), (radius * 0.8, 0.65), (0, 0.65)],
                rotor,
                gloss=0.6,
            )
            _slot(spot, (u_, top + 0.68, w_), radius * 0.95, turn, False, dim(rotor, 0.35))
            spot.text(-1.2, 0.9, top, "W104", 1.3, dim(case, 0.4) if case is white else rgb("e8ecf4"), 0.8)
            return
        inner = BRASS if brass else rotor
        spot.disc(u_, w_, top, radius + 0.45, dim(case, 0.45), sides=24)
        spot.turned(
            (u_, top - 0.2, w_),
            (0, 1, 0),
            [(radius, 0), (radius, 0.6), (radius * 0.9, 0.75), (0, 0.75)],
            inner,
            gloss=0.5 if brass else 0.2,
            sides=22,
        )
        _slot(spot, (u_, top + 0.57, w_), radius * 0.85, turn, cross, dim(inner, 0.32))
        for k in range(3):  # the ends of its way
            a = turn + 2.2 * k
            spot.disc(math.cos(a) * (radius + 1.0), math.sin(a) * (radius + 1.0), top, 0.22, dim(case, 0.6), sides=6)

    pads = ((-2.54, -1.2), (0.0, 1.3), (2.54, -1.2))
    if kind == "open":
        pads, foot = ((-3.0, 5.3), (3.0, 5.3), (0.0, -5.3)), (-5.0, 5.0, -6.0, 6.0)
        return Part("pot_resistor", paint, foot, (-4.7, 4.7, -4.7, 4.7), 3.6, pads, "RV")
    foot = (u[0] - 0.3, u[1] + 0.3, w[0] - 0.3, w[1] + 0.3)
    return Part("pot_resistor", paint, foot, (*u, *w), height, pads, "RV")


@dataclass(frozen=True)
class Dome:
    """How a part in a dome-shaped case looks: its plastic, how clear that is, and what is cast in."""

    tint: Colour
    clear: float
    inside: str = ""


def dome(rng: np.random.Generator, look: Dome, label: str = "", name: str = "D") -> Part:
    """A dome-shaped case with two leads, lying on the board or standing; its box has the leads in it."""
    small = rng.random() < 0.22
    r = 1.5 if small else 2.5
    flange, cylinder = r * 1.14, 2.6 if small else float(rng.uniform(4.6, 5.6))
    lying = bool(rng.random() < 0.6)
    reach = float(rng.uniform(2.5, 6.0))
    profile = [(flange * 0.98, 0.0), (flange, 0.1), (flange, 0.95), (r, 1.0), (r, cylinder)]
    profile += [(r * math.cos(a), cylinder + r * math.sin(a)) for a in (0.35, 0.75, 1.1, 1.35)] + [(0.01, cylinder + r)]
    lean = np.radians(rng.uniform(0, 26) if rng.random() < 0.6 else 0)
    toward = float(rng.uniform(0, 2 * math.pi))
    turns = float(rng.uniform(-0.5, 0.5))

    def paint(spot: Spot) -> None:
        if lying:
            base, axis, up = (0.0, flange + 0.1, reach / 2), (0.0, 0.0, -1.0), 1.0
            for side in (-1.27, 1.27):
                bend = base[2] + reach
                run = [
                    (side * r / 2.5, base[1], base[2]),
                    (side * r / 2.5, base[1], bend - 0.9),
                    (side, base[1] * 0.75, bend - 0.2),
                    (side, 0.0, bend),
                ]
                spot.wire(run, 0.55, TIN, 0.7)
        else:
            base = (0.0, 1.0, 0.0)
            axis, up = (math.sin(lean) * math.cos(toward), math.cos(lean), math.sin(lean) * math.sin(toward)), 0.0
            for side in (-1.27, 1.27):
                spot.wire([(side, 0.0, 0.0), (side * r / 2.5, base[1], 0.0)], 0.55, TIN, 0.6)
        if look.inside:
            _inside(spot, base, axis, r, cylinder, look, lying)
        spot.turned(base, axis, profile, look.tint, gloss=0.55, sides=20, clear=look.clear)
        rim = mix(look.tint, (255, 255, 255), 0.15 + 0.5 * look.clear)
        edge, _ = spot.surface(base, axis, [(flange, 0.05), (flange, 0.95)], np.linspace(-1.2, 1.2, 9))
        if up:
            spot.bench.polygon(spot.bench.project(np.concatenate([edge[0], edge[1, ::-1]])), spot.shade(rim), 0.35)
        x, y, _ = (spot.axes @ spot.bench.toward_light).tolist()
        at = math.atan2(x, y) * (0.5 if lying else 1.0) + (turns if lying else 0.0)
        gleam = [(r * 1.0, 1.5), (r * 1.0, cylinder), (r * 0.93, cylinder + r * 0.36), (r * 0.72, cylinder + r * 0.7)]
        shine, _ = spot.surface(base, axis, gleam if up else gleam[1:], np.linspace(at - 0.16, at + 0.16, 2))
        flat = spot.bench.project(np.concatenate([shine[:, 0], shine[::-1, 1]]))
        spot.bench.polygon(flat, (255, 255, 255), 0.55 if up else 0.3)

    if lying:
        end = reach / 2 - cylinder - r
        foot, body = (-flange, flange, end, reach * 1.5 + 0.3), (-flange, flange, end, reach / 2)
        pads: tuple[tuple[float, float], ...] = ((-1.27, reach * 1.5), (1.27, reach * 1.5))
        return Part(label, paint, foot, body, flange * 2, pads, name)
    foot = (-flange - 0.3, flange + 0.3, -flange - 0.3, flange + 0.3)
    return Part(label, paint, foot, (-r, r, -r, r), cylinder + r, ((-1.27, 0.0), (1.27, 0.0)), name)


def _inside(
    spot: Spot,
    base: tuple[float, float, float],
    axis: tuple[float, float, float],
    r: float,
    cylinder: float,
    look: Dome,
    lying: bool,
) -> None:
    """The lead frame in a clear case: with a silver cup, or with a flat dark chip."""

    def at(across: float, along: float) -> tuple[float, float, float]:
        u, v, w = (b + along * a for b, a in zip(base, axis, strict=True))
        return (u + across, v, w)

    if not lying:
        u, v, w = at(0, cylinder - 0.6)
        if look.inside == "cup":
            spot.disc(u, w, v, r * 0.5, rgb("e6e9ee"))
            spot.disc(u, w, v, r * 0.34, rgb("9aa0aa"))
            spot.disc(u, w, v, r * 0.16, rgb("f2d58a"), sides=8)
        else:
            q = r * 0.42
            spot.rect(u - q, u + q, w - q, w + q, v, rgb("b9b4a6"))
            spot.rect(u - q * 0.75, u + q * 0.75, w - q * 0.75, w + q * 0.75, v, rgb("23201f"))
        return
    k = r / 2.5
    post, anvil = rgb("b8bcc4"), rgb("cfd3da")
    spot.plate([at(1.0 * k, 0.2), at(1.7 * k, 0.2), at(1.6 * k, cylinder - 0.8), at(0.7 * k, cylinder - 0.8)], post)
    if look.inside == "cup":
        spot.plate(
            [
                at(-1.8 * k, 0.2),
                at(-0.9 * k, 0.2),
                at(0.4 * k, cylinder - 1.2),
                at(0.2 * k, cylinder),
                at(-1.6 * k, cylinder),
                at(-1.7 * k, cylinder - 1.6),
            ],
            anvil,
        )
        spot.plate(
            [at(-1.4 * k, cylinder), at(0.0, cylinder), at(-0.4 * k, cylinder - 0.7), at(-1.0 * k, cylinder - 0.7)],
            rgb("f4f6fa"),
        )
    else:
        spot.plate(
            [
                at(-1.7 * k, 0.2),
                at(-1.0 * k, 0.2),
                at(0.4 * k, cylinder - 1.6),
                at(0.4 * k, cylinder + 0.2),
                at(-1.5 * k, cylinder + 0.2),
                at(-1.5 * k, cylinder - 1.6),
            ],
            rgb("a9a598"),
        )
        spot.plate(
            [
                at(-1.2 * k, cylinder - 1.3),
                at(0.15 * k, cylinder - 1.3),
                at(0.15 * k, cylinder),
                at(-1.2 * k, cylinder),
            ],
            rgb("211d1c"),
        )


def ir_phototransistor(rng: np.random.Generator) -> Part:
    """A dome that keeps daylight out, nearly black to smoky; now and then a clear one, a dark chip in it."""
    kind = pick(rng, "black", "black", "black", "smoke", "smoke", "clear")
    tint = vary(rgb({"black": "1d191b", "smoke": "4a403f", "clear": "b9b5a8"}[kind]), rng, 0.12)
    clear = {"black": rng.uniform(0, 0.12), "smoke": rng.uniform(0.15, 0.35), "clear": rng.uniform(0.5, 0.62)}[kind]
    return dome(rng, Dome(tint, float(clear), "chip"), "ir_phototransistor", "Q")


def ir_led(rng: np.random.Generator) -> Part:
    """A clear or bluish dome, a silver cup in it; now and then a dark violet one."""
    kind = pick(rng, "clear", "clear", "blue", "blue", "blue", "violet")
    tint = vary(rgb({"clear": "c9d2de", "blue": "8b9fdc", "violet": "463b66"}[kind]), rng, 0.08)
    clear = {"clear": rng.uniform(0.5, 0.65), "blue": rng.uniform(0.35, 0.55), "violet": rng.uniform(0.12, 0.3)}[kind]
    return dome(rng, Dome(tint, float(clear), "cup"), "ir_led", "D")


LABELLED: dict[str, Callable[[np.random.Generator], Part]] = {
    "comparator": comparator,
    "pot_resistor": pot_resistor,
    "ir_phototransistor": ir_phototransistor,
    "ir_led": ir_led,
}
