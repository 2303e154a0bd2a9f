"""Where the flowers are: on a branch, in a vase, or lying on a table seen from above."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from customlabels_nb.examples._drawing import OVERSAMPLE, Colour, Light, Point, Scene, dim, ink, mix, rgb, vary
from customlabels_nb.examples._photo import photograph
from customlabels_nb.examples.flowers import _grounds
from customlabels_nb.examples.flowers._meshes import DEPTH, Mesh, PaintView, frame, path, place, tube
from customlabels_nb.examples.flowers._species import SPECIES, Species, leaves

_AMBIENT = {
    # ambient, key, tint of the film
    "sun": ((0.68, 0.7, 0.75), (0.6, 0.56, 0.48), (1.02, 1.0, 0.96)),
    "cloud": ((0.86, 0.87, 0.9), (0.26, 0.26, 0.26), (0.98, 1.0, 1.03)),
    "evening": ((0.66, 0.6, 0.58), (0.66, 0.52, 0.34), (1.08, 0.99, 0.86)),
    "shade": ((0.7, 0.74, 0.8), (0.24, 0.24, 0.26), (0.95, 1.0, 1.07)),
    "lamp": ((0.52, 0.51, 0.52), (0.78, 0.72, 0.62), (1.04, 1.0, 0.93)),
}
_BEHIND = (_grounds.garden, _grounds.sky, _grounds.wall, _grounds.studio)
_UNDER = (_grounds.wood, _grounds.cloth, _grounds.stone)


@dataclass(frozen=True)
class Wish:
    """What a picture has to show."""

    species: str
    leafy: bool
    grown: bool

    @property
    def kind(self) -> Species:
        return SPECIES[self.species]


def compose(rng: np.random.Generator, size: tuple[int, int], wish: Wish) -> Image.Image:
    """A photo of flowers, of mode RGB."""
    canvas = (size[0] * OVERSAMPLE, size[1] * OVERSAMPLE)
    mood = str(rng.choice(list(_AMBIENT), p=(0.34, 0.22, 0.16, 0.12, 0.16)))
    ambient, key, tint = _AMBIENT[mood]
    side = float(rng.choice([-1.0, 1.0]))
    toward = -1.0 if rng.random() < 0.75 else 0.4
    if toward > 0:
        ambient = dim(ambient, 1.22)
    view = PaintView(
        canvas, Light(ambient, key, direction=(side * rng.uniform(0.2, 0.9), rng.uniform(0.3, 1.0), toward))
    )
    colour = vary(wish.kind.colours[int(rng.integers(len(wish.kind.colours)))], rng, 0.06)
    where = rng.random()
    if where < 0.58:
        image = _on_branch(rng, view, wish, colour)
    elif where < 0.75:
        image = _in_vase(rng, view, wish, colour)
    else:
        image = _lying(rng, view, wish, colour)
    scene = Scene(canvas, view.camera, view.light, rng)
    scene.image = image
    return photograph(
        scene,
        size,
        tint=tint,
        exposure=rng.uniform(0.94, 1.18),
        vignette=rng.uniform(0.1, 0.4),
        grain=rng.uniform(1.2, 3.2),
        bloom=0.15,
        soft=bool(rng.random() < 0.4),
    )


def _opening(rng: np.random.Generator, grown: bool) -> float:
    if grown:
        return float(rng.uniform(0.74, 1.0))
    return float(rng.uniform(0.0, 0.16) if rng.random() < 0.5 else rng.uniform(0.2, 0.42))


def _facing(rng: np.random.Generator, species: Species, wild: float = 0.6) -> tuple[float, float, float]:
    if species.spire:
        return (float(rng.normal(0, 0.35)), 1.0, float(rng.normal(-0.25, 0.25)))
    return (float(rng.normal(0, wild)), float(rng.normal(0.15, wild)), -1.0)


def _heads(
    rng: np.random.Generator, wish: Wish, colour: Colour, at: Point, size: float, axis: tuple[float, float, float]
) -> list[Mesh]:
    """One head or a bunch of them about ``at``, and their stalks."""
    species = wish.kind
    count = int(rng.integers(species.bunch[0], species.bunch[1] + 1))
    if not wish.grown and species.bunch[1] > 3:
        count = max(3, count - 2)
    axes = frame(axis, float(rng.uniform(0, 360)))
    middle = np.array(at)
    opening = _opening(rng, wish.grown)
    grow = 1.0 if wish.grown else 1.35 if count > 1 or species.spire else 1.6
    if count == 1:
        return [place(mesh, at, axes, size * grow) for mesh in species.head(rng, colour, opening)]
    meshes = []
    turn = rng.uniform(0, 360)
    share = grow * (0.85 if species.spire else 0.66 if count < 5 else 0.56)
    for n in range(count):
        angle = math.radians(turn + 137.5 * n)
        lean = 1.05 * math.sqrt((n + 0.3) / count) + rng.normal(0, 0.06)
        if species.spire:
            lean *= 0.5
        local = np.array([math.sin(lean) * math.cos(angle), math.sin(lean) * math.sin(angle), math.cos(lean)])
        way = local @ axes
        spot = middle + way * size * 0.72 - axes[2] * size * 0.5
        state = float(np.clip(opening + rng.normal(0, 0.06), 0, 1))
        if wish.grown and n == count - 1 and count > 2 and rng.random() < 0.35:
            state = float(rng.uniform(0.0, 0.3))
        shade = vary(colour, rng, 0.04)
        own = frame(way, float(rng.uniform(0, 360)))
        meshes += [place(mesh, spot, own, size * share) for mesh in species.head(rng, shade, state)]
        foot = middle - axes[2] * size * 0.75
        line = path([_p(foot), _p(foot + axes[2] * size * 0.25), _p(spot - way * size * share * 0.2)], 7)
        meshes.append(tube(line, [size * 0.07] * 7, mix(species.stem, rgb("7f9c4f"), 0.5)))
    return meshes


def _p(values: np.ndarray) -> Point:
    x, y, z = values.tolist()
    return (x, y, z)


def _plant(
    rng: np.random.Generator,
    wish: Wish,
    colour: Colour,
    at: Point,
    size: float,
    end: Point,
    *,
    axis: tuple[float, float, float] | None = None,
    flat: bool = False,
) -> list[Mesh]:
    """Heads at ``at``, the stem from ``end`` up to them, and the leaves that grow on it."""
    species = wish.kind
    axis = axis or _facing(rng, species)
    direction = np.array(axis) / np.linalg.norm(axis)
    meshes = _heads(rng, wish, colour, at, size, axis)
    back = 0.75 if species.spire or species.bunch[1] > 1 else 0.25
    neck = np.array(at) - direction * size * back
    bow = min(size * rng.uniform(0.5, 1.1), 0.45 * float(np.linalg.norm(neck - np.array(end))))
    turn = neck - direction * bow + np.array([0.0, rng.normal(0, 0.1) * bow, 0.0])
    way = path([end, _p((turn + np.array(end)) / 2), _p(turn), _p(neck)], 16)
    thick = size * (0.13 if species.bunch[1] > 1 or species.spire else 0.1)
    meshes.append(tube(way, np.linspace(thick * 1.25, thick, 16).tolist(), vary(species.stem, rng)))
    if wish.leafy:
        meshes += _foliage(rng, species, way, size, flat)
    return meshes


def _foliage(rng: np.random.Generator, species: Species, way: list[Point], size: float, flat: bool) -> list[Mesh]:
    """Leaves along a stem; a jonquil's grow from where the stem does."""
    line = np.array(way)
    if species.leaf.length > 2.5:
        foot = line[0] + (line[5] - line[0]) * rng.uniform(0, 0.6)
        axes = frame(_p(line[9] - line[2] + np.array([0, 0, 0.2])), float(rng.uniform(0, 360)))
        return [
            place(leaves(rng, species, 1, rng.uniform(0.85, 1.3)), foot, axes, size)
            for _ in range(int(rng.integers(2, 5)))
        ]
    meshes = []
    for _ in range(int(rng.integers(3, 7))):
        spot = int(rng.integers(5, 15))
        tangent = line[min(spot + 1, 15)] - line[spot - 1]
        if flat:
            tangent = tangent * np.array([0.6, 0.6, 0.2]) + np.array([0, 0, -0.1])
        axes = frame(_p(tangent), float(rng.uniform(0, 360)))
        some = leaves(rng, species, int(rng.integers(1, 3)), rng.uniform(0.8, 1.25))
        meshes.append(place(some, line[spot] + np.array([0, 0, 0.25 * size]), axes, size))
    return meshes


def _edge(rng: np.random.Generator, view: PaintView, species: Species, at: Point) -> Point:
    """Where outside the picture a stem that carries a head at ``at`` begins, mostly below."""
    x, y = view.reach
    woody = species.leaf.length < 2.5
    if not woody or rng.random() < 0.65:
        return (at[0] + float(rng.normal(0, 0.3) * x), -y * 1.25, DEPTH + 0.3)
    return (math.copysign(x * 1.25, at[0] + 1e-6), at[1] - float(rng.uniform(0.1, 0.9) * y), DEPTH + 0.3)


def _on_branch(rng: np.random.Generator, view: PaintView, wish: Wish, colour: Colour) -> Image.Image:
    weights = (0.58, 0.16, 0.15, 0.11)
    paint = _BEHIND[int(rng.choice(len(_BEHIND), p=weights))]
    back = paint(rng, _coarse(view), colour)
    if paint is _grounds.garden:
        back = _far_off(rng, view, wish, colour, back)
    image = back.resize(view.size, Image.Resampling.BILINEAR)
    x, y = view.reach
    meshes = []
    count = int(rng.choice([1, 2, 3], p=(0.62, 0.26, 0.12)))
    for n in range(count):
        size = float(rng.uniform(0.34, 0.66) if n == 0 else rng.uniform(0.26, 0.42))
        spot = (0.22, 0.16, 0.0) if n == 0 else (0.62, 0.55, 0.35)
        at = (rng.normal(0, spot[0] * 0.8) * x, rng.normal(0.05, spot[1] * 0.8) * y, DEPTH + spot[2])
        if n:
            at = (math.copysign(max(abs(at[0]), 0.45 * x), at[0]), at[1], at[2])
        meshes += _plant(rng, wish, vary(colour, rng, 0.03), at, size, _edge(rng, view, wish.kind, at))
    view.paint(image, meshes)
    return _near(rng, image, colour) if rng.random() < 0.25 else image


def _coarse(view: PaintView) -> tuple[int, int]:
    width, height = view.size
    return (max(4, width // _grounds.COARSE), max(4, height // _grounds.COARSE))


def _far_off(rng: np.random.Generator, view: PaintView, wish: Wish, colour: Colour, back: Image.Image) -> Image.Image:
    """More of the same plant behind, out of focus; there may be leaves even where the picture is one without."""
    x, y = view.reach
    for _ in range(int(rng.integers(0, 4))):
        other = Wish(wish.species, bool(rng.random() < 0.5), wish.grown if rng.random() < 0.7 else not wish.grown)
        at = (float(rng.uniform(-1, 1) * x), float(rng.uniform(-0.9, 0.9) * y), DEPTH + 1)
        end = _edge(rng, view, wish.kind, at)
        view.paint(back, _plant(rng, other, vary(colour, rng), at, float(rng.uniform(0.25, 0.5)), end))
    return back.filter(ImageFilter.GaussianBlur(max(0.6, rng.uniform(0.022, 0.045) * min(back.size))))


def _near(rng: np.random.Generator, image: Image.Image, colour: Colour) -> Image.Image:
    """Something just before the lens, in a corner."""
    small = (max(2, image.width // 16), max(2, image.height // 16))
    mask = Image.new("L", small)
    pen = ImageDraw.Draw(mask)
    x, y = rng.choice([0.0, 1.0]) * small[0], rng.uniform(0.6, 1.1) * small[1]
    r = rng.uniform(0.15, 0.3) * min(small)
    pen.ellipse((x - r * 1.3, y - r, x + r * 1.3, y + r), fill=int(rng.uniform(120, 225)))
    mask = mask.filter(ImageFilter.GaussianBlur(max(0.5, 0.06 * min(small))))
    tone = vary(colour if rng.random() < 0.5 else rgb("5f7f40"), rng, 0.1)
    image.paste(ink(tone)[:3], (0, 0), mask.resize(image.size, Image.Resampling.BILINEAR))
    return image


def _in_vase(rng: np.random.Generator, view: PaintView, wish: Wish, colour: Colour) -> Image.Image:
    paint = (_grounds.wall, _grounds.wall, _grounds.garden, _grounds.studio)[int(rng.integers(4))]
    back = paint(rng, _coarse(view), colour)
    x, y = view.reach
    high = float(rng.uniform(0.62, 0.82) * back.height)
    top = vary(rgb(str(rng.choice(["a47a50", "d9d3c8", "5f4a3a", "c9b08a", "8f9a98"]))), rng)
    board = Image.new("RGB", back.size, ink(top)[:3])
    shade = Image.linear_gradient("L").resize(back.size)
    board = Image.composite(Image.new("RGB", back.size, ink(dim(top, 0.7))[:3]), board, shade)
    mask = Image.new("L", back.size)
    ImageDraw.Draw(mask).rectangle((0, high, back.width, back.height), fill=255)
    back.paste(board, (0, 0), mask.filter(ImageFilter.GaussianBlur(max(0.5, 0.008 * back.height))))
    image = back.resize(view.size, Image.Resampling.BILINEAR)
    foot, middle = -y * rng.uniform(0.8, 0.92), float(rng.normal(0, 0.15) * x)
    mouth = foot + float(rng.uniform(0.45, 0.62)) * y
    wide = float(rng.uniform(0.26, 0.46))
    profile = [(0.62, 0.66, 0.7, 0.74, 0.8, 0.86, 0.96, 0.98), (0.5, 0.8, 1.0, 1.02, 0.86, 0.6, 0.46, 0.56)][
        int(rng.integers(2))
    ]
    glaze = vary(rgb(str(rng.choice(["b5643c", "e9e4da", "3f5f6e", "8fa890", "d7b46a", "2f3338", "c98f8a"]))), rng)
    t = np.linspace(0, 1, 24)
    standing = [(middle, foot + (mouth - foot) * part, DEPTH) for part in t.tolist()]
    thick = np.interp(t, np.linspace(0, 1, 8), profile)
    thick = np.convolve(np.pad(thick, 2, mode="edge"), np.ones(5) / 5, mode="valid") * wide * 1.1
    vase = tube(standing, thick.tolist(), glaze, tip=dim(glaze, 1.06), sides=18)
    meshes = []
    for n in range(int(rng.integers(3, 6) if wish.kind.bunch[1] < 4 else rng.integers(2, 4))):
        lean = rng.normal(0, 0.12) + 0.3 * ((n + 1) // 2) * (-1) ** n
        at = (middle + lean, mouth + float(rng.uniform(0.45, 0.85) - 0.12 * (n // 2)) * y, DEPTH - 0.1 * n)
        end = (middle + lean * 0.12, mouth - 0.12, DEPTH + 0.02)
        meshes += _plant(rng, wish, vary(colour, rng, 0.03), at, float(rng.uniform(0.3, 0.46)), end)
    glazed = Mesh(vase.points - np.array([0.0, 0.0, 0.06]), vase.colours, 0.35, 0.0)
    view.shade(image, [vase, *meshes], DEPTH + 1.2, 0.35, 0.12)
    view.paint(image, meshes)
    view.paint(image, [glazed])
    return image


def _lying(rng: np.random.Generator, view: PaintView, wish: Wish, colour: Colour) -> Image.Image:
    """Cut flowers from above."""
    image = _UNDER[int(rng.integers(len(_UNDER)))](rng, view.size)
    x, y, z = view.light.direction
    view = PaintView(view.size, Light(view.light.ambient, view.light.key, direction=(x, y, -abs(z))))
    wide, high = view.reach
    meshes: list[Mesh] = []
    heading = rng.uniform(0, 2 * math.pi)
    count = int(rng.choice([1, 2, 3], p=(0.45, 0.3, 0.25)))
    for n in range(count):
        size = float(rng.uniform(0.4, 0.62) if count == 1 else rng.uniform(0.28, 0.42))
        angle = heading + rng.normal(0, 0.25)
        shift = (n - (count - 1) / 2) * 0.75
        across, along = -math.sin(heading) * shift, math.cos(heading) * shift
        at = (
            float(0.25 * math.cos(heading) + across + rng.normal(0, 0.08)) * min(wide, 1.2),
            float(0.25 * math.sin(heading) + along + rng.normal(0, 0.08)) * min(high, 1.2),
            DEPTH,
        )
        reach = rng.uniform(0.9, 1.4)
        end = (at[0] - reach * math.cos(angle), at[1] - reach * math.sin(angle), DEPTH + 0.25)
        tilt = -0.25 if wish.kind.spire else -rng.uniform(0.5, 1.8)
        axis = (math.cos(angle), math.sin(angle), tilt)
        meshes += _plant(rng, wish, vary(colour, rng, 0.04), at, size, end, axis=axis, flat=True)
    ground = DEPTH + 0.45
    view.shade(image, meshes, ground, 0.5, 0.035)
    view.paint(image, meshes)
    return image
