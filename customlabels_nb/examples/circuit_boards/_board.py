"""What parts stand on: a desk, and a board with traces, pads, marks and holes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from customlabels_nb.examples._drawing import Colour, dim, mix, rgb, rounded, vary
from customlabels_nb.examples.circuit_boards._bench import Bench, Spot
from customlabels_nb.examples.circuit_boards._components import Part, pick

THICK = 1.6

_MASKS = {
    "green": ("1c6b3f", "176046", "2a7d3c"),
    "blue": ("1b4a8c", "163f78", "235aa6"),
    "red": ("9c2426", "8a1f2b", "b03530"),
    "black": ("202325", "1a1c20", "2a2b2e"),
    "white": ("dcdedb", "d3d6d2", "e4e3de"),
    "perforated": ("b98a52", "a97a45", "c49a62"),
}


@dataclass(frozen=True)
class Placed:
    """A part on the board: its middle (u, w) and its turn in degrees."""

    part: Part
    u: float
    w: float
    turn: float


@dataclass(frozen=True)
class Board:
    """A board's half width and half depth, and its kind: a colour of lacquer or "perforated"."""

    u: float
    w: float
    kind: str
    mask: Colour

    @classmethod
    def of(cls, rng: np.random.Generator) -> Board:
        """A board by chance."""
        kind = pick(rng, "green", "green", "green", "blue", "blue", "red", "black", "white", "perforated")
        colour = vary(rgb(pick(rng, *_MASKS[kind])), rng, 0.06)
        return cls(float(rng.uniform(33, 50)), float(rng.uniform(25, 37)), kind, colour)


def paint_desk(bench: Bench, rng: np.random.Generator) -> None:
    """Cover the canvas with wood, a cutting mat, cloth, paper or stone."""
    kind = pick(rng, "wood", "wood", "mat", "grey", "paper", "dark", "steel")
    width, height = bench.scene.size
    base = rgb(
        {
            "wood": pick(rng, "b98a5c", "8d6239", "cfae82", "6a4a33"),
            "mat": pick(rng, "2e6b57", "28507d", "3a3d44"),
            "grey": pick(rng, "9a9da0", "b9b6b0", "77797d"),
            "paper": pick(rng, "e6e3dc", "dfe3e6", "efe9dc"),
            "dark": pick(rng, "2b2c30", "3a342f", "26303a"),
            "steel": pick(rng, "a7adb3", "8e969e"),
        }[kind]
    )
    base = vary(base, rng, 0.05)
    side = int(math.hypot(width, height) / 4) + 2
    coarse = rng.normal(0, 1, (max(2, side // 40), max(2, side // 40)))
    lie = _enlarged(coarse, (side, side)) * 0.05
    if kind in ("wood", "steel"):
        streaks = rng.normal(0, 1, (max(2, side // (3 if kind == "wood" else 1)), 3))
        lie += _enlarged(streaks, (side, side)) * (0.09 if kind == "wood" else 0.04)
        lie += _enlarged(rng.normal(0, 1, (side, max(2, side // 24))), (side, side)) * (
            0.05 if kind == "wood" else 0.03
        )
    else:
        lie += rng.normal(0, 0.05 if kind in ("grey", "dark") else 0.02, (side, side))
    turned = Image.fromarray(np.clip(128 + lie * 400, 0, 255).astype(np.uint8)).rotate(
        float(rng.uniform(-30, 30) + 90 * int(rng.integers(2))), Image.Resampling.BILINEAR, fillcolor=128
    )
    left, top = (side - (width + 3) // 4) // 2, (side - (height + 3) // 4) // 2
    cut = turned.crop((left, top, left + (width + 3) // 4, top + (height + 3) // 4))
    level = (
        1 + (np.asarray(cut.resize(bench.scene.size, Image.Resampling.BICUBIC), dtype=np.float32)[::2, ::2] - 128) / 400
    )
    lit = np.array(bench.scene.light.at((0, 0, 0), (0, 1, 0)))
    pixels = np.clip(level[..., None] * np.array(base, dtype=np.float32) * lit.astype(np.float32), 0, 255)
    bench.scene.image.paste(
        Image.fromarray(pixels.astype(np.uint8)).resize(bench.scene.size, Image.Resampling.BILINEAR)
    )
    desk = Spot(bench, np.zeros(3), float(rng.uniform(-25, 25)))
    if kind == "mat":
        for k in range(-16, 17):
            strong = 0.45 if k % 5 == 0 else 0.2
            desk.line([(k * 10, 0, -160), (k * 10, 0, 160)], 0.3, rgb("e6e6d2"), strong)
            desk.line([(-160, 0, k * 10), (160, 0, k * 10)], 0.3, rgb("e6e6d2"), strong)
    elif kind == "wood" and rng.random() < 0.5:
        edge = float(rng.uniform(30, 70))
        for k in range(-3, 4):
            desk.line([(-200, 0, k * edge + 10), (200, 0, k * edge + 10)], 0.7, dim(base, 0.45), 0.7)


def _enlarged(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Values of about -3..3 on a finer grid of ``size`` columns and rows, smooth in between."""
    small = Image.fromarray(np.clip(values * 40 + 128, 0, 255).astype(np.uint8))
    return (np.asarray(small.resize(size, Image.Resampling.BICUBIC), dtype=np.float32) - 128) / 40


def paint_board(top: Spot, board: Board, placed: list[Placed], rng: np.random.Generator) -> None:
    """Paint the slab, what is printed and etched on it, and a pad for each lead; ``top`` is its upper face's middle."""
    corner = float(rng.choice([0.6, 2.5, 4.0]))
    u, w = board.u, board.w
    low = top.moved(0, 0, v=-THICK)
    low.shadow([(-u, -w), (u, -w), (u, w), (-u, w)], THICK + 1.5, 0.75)
    top.bench.scene.cast(0.008)
    outline = [(-u, 0.0, -w), (u, 0.0, -w), (u, 0.0, w), (-u, 0.0, w)]
    edge = rgb("c9b878") if board.kind != "black" else rgb("4a4638")
    under = rounded([(x, -THICK, z) for x, _, z in outline], corner)
    over = rounded(outline, corner)
    top.plate(under, dim(edge, 0.4))
    for k in range(4):
        top.plate([(x, -THICK * (1 - k / 4), z) for x, _, z in over], dim(edge, 0.5 + 0.1 * k))
    top.plate(over, board.mask)
    if board.kind == "perforated":
        _perforation(top, board)
    else:
        _copper(top, board, placed, rng)
    hole = rgb("8a7a5a") if board.kind == "perforated" else rgb("d8c27a")
    if rng.random() < 0.8:
        for x in (-u + 3.6, u - 3.6):
            for z in (-w + 3.6, w - 3.6):
                top.disc(x, z, 0.02, 2.7, hole)
                top.disc(x, z, 0.03, 1.6, rgb("17130f"))
    for item in placed:
        spot = top.moved(item.u, item.w, item.turn)
        for a, b in item.part.pads:
            _pad(spot, a, b, board)


def _pad(spot: Spot, u: float, w: float, board: Board) -> None:
    ring = rgb("c7a24a") if board.kind == "perforated" else rgb("cfd1d0")
    spot.disc(u, w, 0.03, 0.95, ring, sides=12)
    spot.disc(u, w, 0.04, 0.6, dim(ring, 1.15), sides=10)
    spot.disc(u + 0.1, w + 0.1, 0.05, 0.35, dim(ring, 0.55), sides=8)


def _perforation(top: Spot, board: Board) -> None:
    ring, hole = top.shade(rgb("c9924a")), top.shade(rgb("2a1c10"))
    turn = np.linspace(0, 2 * math.pi, 9)[:-1]
    shape = np.stack([np.cos(turn), np.zeros(8), np.sin(turn)], axis=1)
    us = np.arange(-board.u + 2.2, board.u - 1.5, 2.54)
    ws = np.arange(-board.w + 2.2, board.w - 1.5, 2.54)
    middles = np.stack([np.repeat(us, len(ws)), np.full(len(us) * len(ws), 0.01), np.tile(ws, len(us))], axis=1)
    for radius, colour in ((0.95, ring), (0.5, hole)):
        pixels = top.pixels((middles[:, None, :] + shape * radius).reshape(-1, 3)).reshape(-1, 8, 2)
        for outline in pixels:
            top.bench.polygon(outline, colour)


def _copper(top: Spot, board: Board, placed: list[Placed], rng: np.random.Generator) -> None:
    """A pour of copper under the lacquer, traces from pad to pad by straight and slanted runs, vias, and print."""
    light = board.kind in ("white",)
    trace = mix(board.mask, (0, 0, 0) if light else (255, 255, 255), 0.13)
    pour = mix(board.mask, (0, 0, 0), 0.1)
    for _ in range(int(rng.integers(1, 4))):
        a, b = np.sort(rng.uniform(-0.95, 0.95, 2)) * board.u, np.sort(rng.uniform(-0.95, 0.95, 2)) * board.w
        area = [(a[0], 0.005, b[0]), (a[1], 0.005, b[0]), (a[1], 0.005, b[1]), (a[0], 0.005, b[1])]
        top.plate(rounded(area, 3.0), pour)
    ends = []
    for item in placed:
        turn = math.radians(item.turn)
        for u, w in item.part.pads:
            ends.append(
                (item.u + math.cos(turn) * u - math.sin(turn) * w, item.w + math.sin(turn) * u + math.cos(turn) * w)
            )
    rng.shuffle(ends)
    vias = []
    for k, (u, w) in enumerate(ends):
        if k % 4 == 3:
            continue
        if k % 4 < 2 and len(ends) > 8:  # to the nearest of some, as a router would
            to_u, to_w = min(
                (ends[int(j)] for j in rng.integers(0, len(ends), 10) if j != k),
                key=lambda end: abs(abs(end[0] - u) + abs(end[1] - w) - 9),
                default=(u, w),
            )
        else:
            to_u, to_w = (float(x) for x in np.array([u, w]) + rng.normal(0, 9, 2))
            to_u = min(max(to_u, 3 - board.u), board.u - 3)
            to_w = min(max(to_w, 3 - board.w), board.w - 3)
            vias.append((to_u, to_w))
        step = math.copysign(min(abs(to_u - u), abs(to_w - w)), to_w - w)
        bend = math.copysign(abs(step), to_u - u)
        share = float(rng.uniform(0, 1))
        if abs(to_u - u) > abs(to_w - w):
            first = (to_u - u - bend) * share
            run = [(u, w), (u + first, w), (u + first + bend, to_w), (to_u, to_w)]
        else:
            first = (to_w - w - step) * share
            run = [(u, w), (u, w + first), (to_u, w + first + step), (to_u, to_w)]
        wide = float(rng.choice([0.35, 0.35, 0.5, 0.9]))
        top.line([(x, 0.01, z) for x, z in run], wide + 0.35, dim(board.mask, 0.86), 0.6)
        top.line([(x, 0.01, z) for x, z in run], wide, trace)
    for u, w in [*vias, *(rng.uniform(-0.95, 0.95, (14, 2)) * (board.u, board.w)).tolist()]:
        top.disc(u, w, 0.02, 0.55, mix(trace, rgb("d0c080"), 0.5), sides=10)
        top.disc(u, w, 0.02, 0.24, dim(board.mask, 0.3), sides=6)
    white = rgb("2a2c2e") if light else rgb("eceee8")
    for number, item in enumerate(placed):
        spot, (u0, u1, w0, w1) = top.moved(item.u, item.w, item.turn), item.part.foot
        if number % 4:
            spot.line(
                [(u0, 0.02, w0), (u1, 0.02, w0), (u1, 0.02, w1), (u0, 0.02, w1), (u0, 0.02, w0)], 0.22, white, 0.85
            )
        name = top.moved(item.u, item.w, round(item.turn / 90) * 90 % 180)
        reach = max(w1, -w0) if name.turn == top.turn else max(u1, -u0)
        name.text(-1.2, reach + 2.0, 0.02, f"{item.part.name}{number + 1}", 1.4, white, 0.9)
    title = pick(rng, "LINE SENSE V2", "IR ARRAY 3", "REV C", "SENSOR KIT", "TRACK V1-4", "UNIT 7")
    top.text(-board.u + 8, board.w - 1.6, 0.02, title, 2.2, white, 0.9)


def soften(image: Image.Image, line: float, slope: float, strength: float) -> Image.Image:
    """A shallow depth of field: sharp along a line ``line`` (0..1) down the picture, which slants by ``slope``."""
    if strength <= 0:
        return image
    width, height = 64, 48
    ys, xs = np.mgrid[0:height, 0:width]
    away = np.abs(ys / height - line - slope * (xs / width - 0.5))
    mask = Image.fromarray((np.clip((away - 0.22) / 0.5, 0, 1) * 255).astype(np.uint8)).resize(image.size)
    return Image.composite(image.filter(ImageFilter.BoxBlur(strength)), image, mask)
