"""Bent sheets - petals, leaves, stems - as meshes in space, and how they are lit and painted.

One unit is about half the shorter side of the picture where the flowers stand, at ``DEPTH`` before the viewer.
Directions are those of the scene: x to the right, y up, z away. A petal is shaped in the flower's own frame, whose
third axis is where the flower looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from customlabels_nb.examples._drawing import Camera, Colour, Light, Point

DEPTH = 4.0
_TINY = 0.6  # pixels; smaller faces aren't worth painting, their neighbours cover them
_SMALL = 400  # pixels; on a canvas less wide or high every other point of a sheet does
_PALE = np.array([255.0, 248.0, 236.0])


@dataclass(frozen=True)
class Mesh:
    """Sheets of one kind.

    Attributes
    ----------
    points : numpy.ndarray
        Shape (sheets, rows, columns, 3).
    colours : numpy.ndarray
        0..255 at each point, of the same shape.
    gloss : float
        How much of the light is mirrored.
    through : float
        How much of the light on the far side shines through.
    """

    points: np.ndarray
    colours: np.ndarray
    gloss: float = 0.0
    through: float = 0.35


@dataclass(frozen=True)
class Form:
    """The shape of a petal or a leaf; lengths in units, angles in degrees.

    Attributes
    ----------
    length, width : float
        ``width`` is across the widest place.
    tilt : float
        Between the flower's axis and the petal's start: 0 stands up along the axis, 90 lies flat.
    bend : float
        Added to the tilt towards the tip.
    cup : float
        How far the petal goes round across its width: 180 is half a pipe; below 0 it arches.
    base, tip : float
        Exponents of the outline: below 0.6 blunt, 1 and above pointed.
    ripple : float
        Waves of the rim, as a share of the width.
    start : float
        How far from the axis it begins.
    lift : float
        How far along the axis it begins.
    twist : float
        How far each side is turned before the next petal's, as the sails of a windmill are.
    """

    length: float
    width: float
    tilt: float = 80.0
    bend: float = 0.0
    cup: float = 30.0
    base: float = 0.8
    tip: float = 0.5
    ripple: float = 0.0
    start: float = 0.0
    lift: float = 0.0
    twist: float = 0.0


@dataclass(frozen=True)
class Tint:
    """A petal's colours: at its base, over most of it, and at its rim.

    ``throat`` is how far up the base's colour goes, ``streaks`` how uneven the petal is across, ``shade`` how much
    darker it is where it begins, ``veins`` how much its middle and side veins stand out, as a leaf's do.
    """

    base: Colour
    face: Colour
    rim: Colour
    throat: float = 0.35
    streaks: float = 0.05
    shade: float = 0.3
    veins: float = 0.0


def whorl(
    rng: np.random.Generator,
    form: Form,
    tint: Tint,
    count: int,
    *,
    turn: float = 0.0,
    loose: float = 1.0,
    grid: tuple[int, int] = (10, 7),
    gloss: float = 0.0,
    through: float = 0.35,
) -> Mesh:
    """``count`` petals round an axis, in the flower's frame.

    ``turn`` is the first one's angle in degrees, ``loose`` how unlike they are.
    """
    rows, columns = grid
    u = 1 - (1 - np.linspace(0.0, 1.0, rows)) ** 1.6
    v = np.linspace(-1.0, 1.0, columns)

    def each(spread: float) -> np.ndarray:
        return rng.normal(0, spread * loose, count)[:, None, None]

    azimuth = np.radians(turn + 360 / count * np.arange(count)[:, None, None] + each(50 / count))
    length = form.length * (1 + each(0.05))
    outline = u**form.base * (1 - u) ** form.tip
    half = form.width / 2 * (1 + each(0.06)) * (outline / outline.max())[None, :, None]
    angle = np.radians(form.tilt + each(4) + (form.bend + each(6)) * (u**1.3)[None, :, None])
    step = np.diff(u, prepend=0.0)[None, :, None]
    along, away = np.cumsum(np.cos(angle) * step, axis=1), np.cumsum(np.sin(angle) * step, axis=1)
    curve = np.radians(form.cup) / max(1e-6, form.width) * (1 + each(0.1))
    curve = np.where(np.abs(curve) < 1e-3, 1e-3, curve)
    arc = v[None, None, :] * half * curve
    across, rise = np.sin(arc) / curve, (1 - np.cos(arc)) / curve
    waves = np.sin(u[None, :, None] * 9 + v * 2.5 + each(3)) * np.abs(v) ** 2 * form.ripple * form.width
    rise = rise + waves * (u**2)[None, :, None] + form.twist * v * half
    radial = form.start + length * away - rise * np.cos(angle)
    height = form.lift + length * along + rise * np.sin(angle)
    c, s = np.cos(azimuth), np.sin(azimuth)
    points = np.stack([c * radial - s * across, s * radial + c * across, height + 0 * across], axis=-1)

    throat = np.clip(1 - u / max(1e-6, tint.throat), 0, 1)[:, None] ** 1.2 * (1 - 0.35 * np.abs(v))
    rim = np.clip(np.abs(v) ** 4 * u[:, None] + u[:, None] ** 10, 0, 1)
    colours = np.array(tint.face) + (np.array(tint.rim) - np.array(tint.face)) * rim[..., None]
    colours = colours + (np.array(tint.base) - colours) * throat[..., None]
    streak = 1 + rng.normal(0, tint.streaks, (count, 1, columns)) * (1 - u[:, None] * 0.5)
    brightness = streak * (1 + each(0.035)) * (1 - tint.shade * (1 - u[:, None]) ** 2)
    if tint.veins:
        ribs = np.exp(-((v / 0.2) ** 2)) + 0.5 * np.sin(u[:, None] * 26 - np.abs(v) * 9)
        brightness = brightness * (1 + tint.veins * ribs)
    return Mesh(points, colours * brightness[..., None], gloss, through)


def frame(axis: Sequence[float], roll: float = 0.0) -> np.ndarray:
    """Three unit vectors as rows, the third along ``axis``; ``roll`` in degrees turns the first two about it."""
    a, b, c = (float(part) for part in axis)
    long_ = math.hypot(a, b, c) + 1e-12
    a, b, c = a / long_, b / long_, c / long_
    across = (c, 0.0, -a) if abs(b) < 0.9 else (0.0, -c, b)
    long_ = math.hypot(*across)
    x, y, z = across[0] / long_, across[1] / long_, across[2] / long_
    up = (b * z - c * y, c * x - a * z, a * y - b * x)
    cos, sin = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    first = [cos * p + sin * q for p, q in zip((x, y, z), up, strict=True)]
    second = [cos * q - sin * p for p, q in zip((x, y, z), up, strict=True)]
    return np.array([first, second, [a, b, c]])


def place(mesh: Mesh, at: Sequence[float], axes: np.ndarray, size: float = 1.0) -> Mesh:
    """The mesh from a flower's frame into the scene."""
    return Mesh((mesh.points * size) @ axes + np.array(at), mesh.colours, mesh.gloss, mesh.through)


def scatter(mesh: Mesh, ats: np.ndarray, axes: np.ndarray, sizes: np.ndarray, shades: np.ndarray) -> Mesh:
    """A copy of the mesh at each of ``ats`` (n, 3), in frames ``axes`` (n, 3, 3), ``sizes`` and ``shades`` (n,)."""
    points = np.einsum("prcd,nde->nprce", mesh.points, axes) * sizes[:, None, None, None, None]
    points = points + ats[:, None, None, None, :]
    colours = mesh.colours[None] * shades[:, None, None, None, None]
    shape = (-1, *mesh.points.shape[1:])
    return Mesh(points.reshape(shape), colours.reshape(shape), mesh.gloss, mesh.through)


def tube(
    points: Sequence[Point], thick: Sequence[float], colour: Colour, *, tip: Colour | None = None, sides: int = 4
) -> Mesh:
    """A stem along ``points``, ``thick`` units wide at each, the side towards the viewer, in ``sides`` faces."""
    line = np.array(points, dtype=float)
    way = np.gradient(line, axis=0)
    side = np.stack([way[:, 1], -way[:, 0], 0 * way[:, 2]], axis=1)
    side /= np.linalg.norm(side, axis=1)[:, None] + 1e-9
    round_ = np.linspace(-math.pi / 2, math.pi / 2, sides + 1)
    half = np.array(thick)[:, None, None] / 2
    bulge = np.array([0.0, 0.0, -1.0])
    shape = side[:, None, :] * np.sin(round_)[:, None] * half + bulge * np.cos(round_)[:, None] * half
    share = np.linspace(0, 1, len(line))[:, None]
    colours = np.array(colour) + (np.array(tip or colour) - np.array(colour)) * share
    return Mesh((line[:, None, :] + shape)[None], np.repeat(colours[None, :, None, :], sides + 1, axis=2), 0.08, 0.0)


def path(points: Sequence[Point], steps: int = 12) -> list[Point]:
    """A smooth way (Bézier) from the first point to the last; the others draw it towards them."""
    t = np.linspace(0, 1, steps)[:, None]
    n = len(points) - 1
    way = sum(math.comb(n, k) * (1 - t) ** (n - k) * t**k * np.array(p) for k, p in enumerate(points))
    return [(float(x), float(y), float(z)) for x, y, z in np.asarray(way)]


@dataclass(frozen=True)
class PaintView:
    """A camera that looks along z, and the light; ``size`` is that of the canvas painted on."""

    size: tuple[int, int]
    light: Light

    @property
    def camera(self) -> Camera:
        return Camera((0.0, 0.0, 0.0), 0.0, 0.0, 0.0, self._focal / self.size[0], self.size)

    @property
    def _focal(self) -> float:
        return DEPTH * min(self.size) / 2

    @property
    def reach(self) -> tuple[float, float]:
        """Half the picture's width and height in units, at ``DEPTH``."""
        return (self.size[0] / min(self.size), self.size[1] / min(self.size))

    def paint(self, image: Image.Image, meshes: Sequence[Mesh]) -> None:
        """Paint the meshes, far to near, on an image of any size that shows what the canvas does."""
        thin = min(image.size) < _SMALL
        parts = [self._lit(_thinned(mesh) if thin else mesh) for mesh in meshes]
        if not parts:
            return
        corners = np.concatenate([corners for corners, _ in parts])
        colours = np.concatenate([colours for _, colours in parts]).astype(np.uint8)
        flat = self._flat(corners, image.width / self.size[0])
        low, high = flat.min(axis=1), flat.max(axis=1)
        seen = np.flatnonzero(
            (high > 0).all(axis=1) & (low < image.size).all(axis=1) & (high - low > _TINY).any(axis=1)
        )
        order = seen[np.argsort(-corners[seen, :, 2].sum(axis=1), kind="stable")]
        pen = ImageDraw.Draw(image)
        for outline, colour in zip(
            flat[order].reshape(-1, 8).tolist(), map(tuple, colours[order].tolist()), strict=True
        ):
            pen.polygon(outline, fill=colour)

    def shade(self, image: Image.Image, meshes: Sequence[Mesh], ground: float, strength: float, blur: float) -> None:
        """Darken the image where the meshes keep the light off a wall at depth ``ground``; ``blur`` in units."""
        x, y, z = self.light.direction
        coarse = 4
        mask = Image.new("L", (max(1, image.width // coarse), max(1, image.height // coarse)))
        pen = ImageDraw.Draw(mask)
        for mesh in meshes:
            points = _quads(mesh.points[:, ::2, :: max(1, mesh.points.shape[2] - 1)])
            fall = (ground - points[..., 2]) / max(0.2, -z)
            cast = points - np.stack([x * fall, y * fall, z * fall], axis=-1)
            for outline in self._flat(cast, mask.width / self.size[0]).reshape(-1, 8).tolist():
                pen.polygon(outline, fill=int(255 * strength))
        mask = mask.filter(ImageFilter.GaussianBlur(max(0.6, blur * min(mask.size) / 2)))
        image.paste((22, 17, 26), (0, 0), mask.resize(image.size, Image.Resampling.BILINEAR))

    def _flat(self, points: np.ndarray, scale: float) -> np.ndarray:
        focal = self._focal * scale
        far = np.maximum(points[..., 2], 0.4)
        x = self.size[0] * scale / 2 + focal * points[..., 0] / far
        return np.stack([x, self.size[1] * scale / 2 - focal * points[..., 1] / far], axis=-1)

    def _lit(self, mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
        """Corners (n, 4, 3) and colours (n, 3) of the mesh's faces as they are seen."""
        corners = _quads(mesh.points)
        plain = _middles(mesh.colours)
        a, b = np.moveaxis(_slopes(mesh.points, 1), -1, 0), np.moveaxis(_slopes(mesh.points, 2), -1, 0)
        bends = np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]], axis=-1)
        normals = _middles(bends / (np.sqrt(np.einsum("...i,...i", bends, bends)) + 1e-12)[..., None])
        normals /= np.sqrt(np.einsum("ij,ij->i", normals, normals))[:, None] + 1e-9
        middle = _middles(mesh.points)
        normals *= np.where(np.einsum("ij,ij->i", normals, middle) > 0, -1.0, 1.0)[:, None]
        sun = np.array(self.light.direction) / math.hypot(*self.light.direction)
        slant = normals @ sun
        front, back = np.clip((slant + 0.25) / 1.25, 0, 1), np.clip(-slant, 0, 1)
        above = 0.88 + 0.12 * normals[:, 1:2]
        factor = np.array(self.light.ambient) * above + np.array(self.light.key) * front[:, None]
        lit = plain * factor + plain * np.array(self.light.key) * (mesh.through * back)[:, None]
        if mesh.gloss:
            between = sun + np.array([0.0, 0.0, -1.0])
            strength = np.clip(normals @ (between / np.linalg.norm(between)), 0, 1) ** 14 * mesh.gloss
            lit = lit + (_PALE - lit) * strength[:, None]
        return corners, np.clip(lit, 0, 255)


def _thinned(mesh: Mesh) -> Mesh:
    """The mesh without every other row and column, where it has many."""
    rows, columns = (np.unique(np.r_[0 : n : 2 if n > 5 else 1, n // 2, n - 1]) for n in mesh.points.shape[1:3])
    keep = np.ix_(np.arange(len(mesh.points)), rows, columns)
    return Mesh(mesh.points[keep], mesh.colours[keep], mesh.gloss, mesh.through)


def _quads(grid: np.ndarray) -> np.ndarray:
    """The faces (n, 4, 3) between neighbouring points (sheets, rows, columns, 3)."""
    faces = np.stack([grid[:, :-1, :-1], grid[:, 1:, :-1], grid[:, 1:, 1:], grid[:, :-1, 1:]], axis=3)
    return faces.reshape(-1, 4, 3)


def _middles(grid: np.ndarray) -> np.ndarray:
    """The means (n, 3) of what :func:`_quads` gives."""
    means = grid[:, :-1, :-1] + grid[:, 1:, :-1] + grid[:, 1:, 1:] + grid[:, :-1, 1:]
    return means.reshape(-1, 3) / 4


def _slopes(grid: np.ndarray, axis: int) -> np.ndarray:
    """How the points go on along an axis: from each one's neighbour before it to the one behind."""
    ends = (slice(None),) * axis
    before = np.concatenate([grid[(*ends, slice(0, 1))], grid[(*ends, slice(0, -1))]], axis=axis)
    behind = np.concatenate([grid[(*ends, slice(1, None))], grid[(*ends, slice(-1, None))]], axis=axis)
    return behind - before
