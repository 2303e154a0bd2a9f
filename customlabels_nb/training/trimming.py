"""Background removal for logos: separate the logo from the background using the colors at the image's edge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from customlabels_nb.errors import ImageError
from customlabels_nb.images.reading import open_image

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Alpha = npt.NDArray[np.uint8]
Ground = Literal["transparent", "plain", "photo"]

#: Longest side of the image in which the background is detected, and longest side of the cut-out, in pixels.
LONGEST_LOOKED_AT = 512
LONGEST_KEPT = 384

_SHORTEST_LOOKED_AT = 32  # shorter side of a long, narrow image that has no more pixels than a square one
_EDGE = 0.02  # width of the edge, as a share of the image's shorter side
_EDGE_POINTS = 3000
_ENOUGH_EDGE = 0.6  # share of the edge that must have background colors (a logo may touch the edge)
_MORE_EDGE = 0.05  # added to this share for each grey level of noise
_SMOOTH = 6.0  # noise of a plain background, in grey levels; a photo has more
_EVEN = 2.0  # a background whose shades differ by less counts as one color
_LEAST_SHARE = 0.002  # smallest share of the image that a logo must cover
_LEAST_SIDE = 4
_LONGEST_TO_SHORTEST = 20.0
_DEGREE = 4
_POWERS = [(i, degree - i) for degree in range(_DEGREE + 1) for i in range(degree + 1)]  # of y and x
_RIPPLES = 0.15  # share of the strongest difference nearby
_REFITS = 2
_SPECK = 0.002  # share of the logo's area; smaller parts are dropped
_SMALL_PART, _STRONG_PART = 0.02, 0.2  # parts below the first share need the second share of the top difference


@dataclass(frozen=True, eq=False)
class Cutout:
    """Logo that has been separated from its background.

    Pixels are RGBA (not premultiplied), cropped to the visible part. Islands of the background color inside the logo,
    such as the inside of a letter, are opaque. ``opened`` is an alternative alpha channel in which they are
    transparent, because it is unknown whether they belong to the logo. The ``ground`` was "transparent", "plain" (of
    ``color``, with soft shades), or a "photo" that cannot be separated from the logo, whose entire rectangle is used.
    """

    pixels: npt.NDArray[np.uint8]
    opened: Alpha | None
    ground: Ground
    color: tuple[int, int, int] | None = None


def trim_background(image: Image.Image, name: str = "image", *, keep_ground: bool = False) -> Cutout:
    """Cut the logo out of an upright image that shows nothing else.

    If the image has transparency, its alpha channel is used. Otherwise, a polynomial surface is fitted to the colors
    at the image's edge. If most of the edge is smooth and fits this surface, the background consists of all pixels in
    the surface's colors that are connected to the edge.
    """
    image = _shrunk(image)
    rgb, own_alpha = np.asarray(image.convert("RGB")), _own_alpha(image)
    if own_alpha is not None:
        _check_something_is_left(own_alpha > 127, name)
        top, bottom, left, right = _extent(own_alpha)
        rgb, own_alpha = rgb[top:bottom, left:right], own_alpha[top:bottom, left:right]
        if (own_alpha > 250).mean() < 0.995:
            return _kept(rgb, own_alpha, None, "transparent", None, name)
    surface = None if min(rgb.shape[:2]) < _LEAST_SIDE else _ground_surface(rgb)
    if surface is None:
        return _kept(rgb, np.full(rgb.shape[:2], 255, np.uint8), None, "photo", None, name)
    shades, noise = surface
    distance = _distance(rgb, shades)
    logo, islands = _separate(distance, noise)
    if np.ptp(shades) > _EVEN:
        for _ in range(_REFITS):  # the edge alone does not determine how the shades continue inwards
            if logo.all():
                break
            shades = _refitted(rgb, ~logo)
            distance = _distance(rgb, shades)
            logo, islands = _separate(distance, noise)
    if own_alpha is not None and not _is_enough(logo):  # a rectangle of one color on a transparent background
        return _kept(rgb, own_alpha, None, "transparent", None, name)
    _check_something_is_left(logo, name)
    red, green, blue = (int(value) for value in np.clip(np.median(shades, axis=(0, 1)), 0, 255).round())
    color = red, green, blue
    if keep_ground:
        return _kept(rgb, np.full(rgb.shape[:2], 255, np.uint8), None, "plain", color, name)
    alpha, unmixed = _soft_edges(rgb, shades, distance, logo)
    opened = None
    if islands.any():
        open_alpha, _ = _soft_edges(rgb, shades, distance, logo & ~islands)
        opened = np.minimum(alpha, open_alpha)
    return _kept(unmixed, alpha, opened, "plain", color, name)


def read_cutout(image: str, root: Path | None = None, *, keep_ground: bool = False) -> Cutout:
    picture = open_image(image, root=root, at_least=LONGEST_LOOKED_AT, keep_alpha=True)
    return trim_background(picture, image, keep_ground=keep_ground)


def describe_grounds(grounds: Sequence[Ground]) -> list[str]:
    """Describe in sentences which backgrounds could not be removed. Empty if all were removed."""
    whole = sum(ground == "photo" for ground in grounds)
    if not whole:
        return []
    return [
        f"The background of {whole:,} of {len(grounds):,} images cannot be separated from the logo, so these images "
        "are pasted as rectangles. Images of the logo on a plain or transparent background (PNG) work better."
    ]


def _shrunk(image: Image.Image) -> Image.Image:
    longest, shortest = max(image.size), min(image.size)
    scale = min(1.0, max(LONGEST_LOOKED_AT / longest, min(1.0, _SHORTEST_LOOKED_AT / shortest)))
    scale = min(scale, LONGEST_LOOKED_AT / (longest * shortest) ** 0.5)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BOX, reducing_gap=2.0)


def _own_alpha(image: Image.Image) -> Alpha | None:
    """Return the image's alpha channel, scaled to a maximum of 255, or None if the image has no transparency."""
    if image.mode != "RGBA":
        return None
    alpha = np.asarray(image.getchannel("A"))
    if alpha.min() > 250:
        return None
    most = max(1, int(alpha.max()))
    if most < 16:
        return np.zeros_like(alpha)
    return np.asarray(np.minimum(255, alpha.astype(np.uint16) * 255 // most), dtype=np.uint8)


def _ground_surface(rgb: npt.NDArray[np.uint8]) -> tuple[Floats, float] | None:
    """Fit a smooth surface of background colors to the edge, and its noise, or return None."""
    height, width = rgb.shape[:2]
    depth = max(1, round(_EDGE * min(height, width)))
    edge = np.ones((height, width), dtype=bool)
    edge[depth:-depth, depth:-depth] = False
    rows, columns = np.nonzero(edge)
    step = max(1, len(rows) // _EDGE_POINTS)
    rows, columns = rows[::step], columns[::step]
    colors = rgb[rows, columns].astype(np.float32)
    best: tuple[float, float, int, Floats] | None = None
    for terms in (1, 3, 6, len(_POWERS)):  # one color, a plane or a curved surface: use the simplest that fits
        basis = _basis(rgb.shape, rows, columns)[:, :terms]
        coefficients, share, noise = _fit_robustly(basis, colors)
        if best is None or share > best[0] + 0.05:
            best = (share, noise, terms, coefficients)
    assert best is not None
    share, noise, terms, coefficients = best
    if noise > _SMOOTH or share < min(0.95, _ENOUGH_EDGE + _MORE_EDGE * noise):
        return None
    return _surface(rgb.shape, coefficients), noise


def _refitted(rgb: npt.NDArray[np.uint8], ground: Mask) -> Floats:
    rows, columns = np.nonzero(ground)
    step = max(1, len(rows) // (2 * _EDGE_POINTS))
    rows, columns = rows[::step], columns[::step]
    coefficients, _, _ = _fit_robustly(_basis(rgb.shape, rows, columns), rgb[rows, columns].astype(np.float32))
    return _surface(rgb.shape, coefficients)


def _surface(shape: tuple[int, ...], coefficients: Floats) -> Floats:
    across, down = (np.vander(np.linspace(-1, 1, n), _DEGREE + 1, increasing=True) for n in (shape[1], shape[0]))
    grid = np.zeros((_DEGREE + 1, _DEGREE + 1, 3))
    for (i, j), values in zip(_POWERS, coefficients, strict=False):
        grid[i, j] = values
    along = np.einsum("yi,ijc->yjc", down, grid).astype(np.float32)
    return np.einsum("xj,yjc->yxc", across.astype(np.float32), along)


def _basis(shape: tuple[int, ...], rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> Floats:
    """Compute polynomial features up to the fourth degree, lowest degree first, of positions scaled to -1 to 1."""
    y, x = np.linspace(-1, 1, shape[0])[rows], np.linspace(-1, 1, shape[1])[columns]
    return np.stack([y**i * x**j for i, j in _POWERS], axis=1).astype(np.float32)


def _fit_robustly(basis: Floats, colors: Floats) -> tuple[Floats, float, float]:
    """Fit a surface by robust least squares, and return the coefficients, the share of inliers and the noise."""
    near = np.abs(colors - np.median(colors, axis=0)).max(axis=1)
    inliers = near <= np.median(near) + 1
    for _ in range(8):
        coefficients = _least_squares(basis[inliers], colors[inliers])
        differences = np.abs(colors - np.einsum("ni,ic->nc", basis, coefficients))
        residuals = differences.max(axis=1)
        before, inliers = inliers, residuals <= max(12.0, 1.5 * float(np.median(residuals)))
        if np.array_equal(before, inliers):
            break
    within = residuals <= 24
    noise = 1.4826 * float(np.median(differences[within])) if within.any() else np.inf
    return coefficients, float(within.mean()), noise


def _least_squares(basis: Floats, colors: Floats) -> Floats:
    """Solve a regularised least-squares problem without BLAS, whose threads would compete for the cores."""
    products = np.einsum("ni,nj->ij", basis, basis).astype(np.float64)
    products[np.diag_indices_from(products)] += 1e-5 * len(basis)  # some polynomial features are identical at the edge
    solution: Floats = np.linalg.solve(products, np.einsum("ni,nc->ic", basis, colors)).astype(np.float32)
    return solution


def _distance(rgb: npt.NDArray[np.uint8], shades: Floats) -> Floats:
    distance: Floats = np.abs(rgb - shades).max(axis=2)
    return distance


def _separate(distance: Floats, noise: float) -> tuple[Mask, Mask]:
    """Separate the logo by its distance to the background color: masks of logo and islands in it."""
    # JPEG compression leaves ripples next to strong edges
    ripples = _RIPPLES * ndimage.maximum_filter(distance, size=15)
    sure, perhaps = distance > 14 + 4 * noise, distance > np.maximum(6 + 3 * noise, ripples)
    # faint parts belong to the logo if they are connected to strong parts
    parts, count = ndimage.label(perhaps, structure=np.ones((3, 3)))
    numbers = np.arange(count + 1)
    kept = np.isin(numbers, parts[sure]) & (numbers > 0)
    if kept.any():
        sizes = np.bincount(parts.ravel())
        strengths = ndimage.maximum(distance, parts, numbers)
        whole = sizes[kept].sum()
        kept &= sizes >= max(3.0, _SPECK * whole)
        kept &= (sizes >= _SMALL_PART * whole) | (strengths >= _STRONG_PART * distance.max())
    logo = kept[parts]
    spaces, count = ndimage.label(~logo)
    if not count:
        return logo, np.zeros_like(logo)
    outside = np.zeros(count + 1, dtype=bool)
    for side in (spaces[0], spaces[-1], spaces[:, 0], spaces[:, -1]):
        outside[side] = True
    outside[0] = True
    islands: Mask = ~outside[spaces]
    return logo | islands, islands


def _soft_edges(
    rgb: npt.NDArray[np.uint8], shades: Floats, distance: Floats, logo: Mask
) -> tuple[Alpha, npt.NDArray[np.uint8]]:
    """Compute soft alpha where the logo's edges mix with the background, and the logo's unmixed colors."""
    inner = ndimage.binary_erosion(logo, iterations=2, border_value=True)
    band = logo & ~inner
    full = ndimage.maximum_filter(np.where(logo, distance, 0), size=7)
    share = np.clip(1.3 * distance / np.maximum(full, 1) - 0.15, 0.02, 1)
    alpha = np.where(band, share, logo).astype(np.float32)
    mixed = (band & (alpha < 0.98))[..., None]
    pure = (rgb - (1 - alpha[..., None]) * shades) / np.maximum(alpha[..., None], 0.1)
    colors = np.where(mixed, np.clip(pure, 0, 255), rgb).astype(np.uint8)
    return (alpha * 255).round().astype(np.uint8), colors


def _check_something_is_left(logo: Mask, name: str) -> None:
    if not _is_enough(logo):
        raise _blank(name)


def _is_enough(logo: Mask) -> bool:
    return int(logo.sum()) >= max(_LEAST_SIDE**2, _LEAST_SHARE * logo.size)


def _blank(name: str) -> ImageError:
    return ImageError(name, "it shows nothing but its background, so there is no logo to learn. Remove it.")


def _extent(alpha: Alpha) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero((alpha > 16).any(axis=1)), np.flatnonzero((alpha > 16).any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _kept(
    rgb: npt.NDArray[np.uint8],
    alpha: Alpha,
    opened: Alpha | None,
    ground: Ground,
    color: tuple[int, int, int] | None,
    name: str,
) -> Cutout:
    """Crop the cut-out to its visible part, and shrink it to the maximum size."""
    top, bottom, left, right = _extent(alpha)
    inside = np.s_[top:bottom, left:right]
    height, width = bottom - top, right - left
    if min(height, width) < _LEAST_SIDE:
        raise _blank(name)
    if max(height, width) > _LONGEST_TO_SHORTEST * min(height, width):
        raise ImageError(name, f"without its background it is {width:,} × {height:,} pixels, too narrow to be pasted.")
    pixels = np.dstack([rgb[inside], alpha[inside]])
    scale = min(1.0, LONGEST_KEPT / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX, reducing_gap=2.0))
    small_opened = None
    if opened is not None:
        small_opened = np.asarray(Image.fromarray(opened[inside]).resize(size, Image.Resampling.BOX))
    return Cutout(small, small_opened, ground, color)
