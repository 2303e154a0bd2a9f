"""One scene: logos and other things on a backdrop, each lit and turned in its own way, and the camera's share in it."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from customlabels_nb.training.backdrops import Rng, Size, palette
from customlabels_nb.training.pasting import Colour, Logo, PasteCanvas, Patch, Pose, Sticker, warp
from customlabels_nb.training.scene_sources import TrainingScene

#: Square root of a pasted logo's area, as shares of the scene's shorter side: from, to. All between are as likely on a
#: logarithmic scale.
LOGO_SIZES = (0.08, 0.75)
#: How often a logo that was cut out lies on a plate, and one whose ground is a loud colour.
ON_PLATE = 0.25
ON_LOUD_PLATE = 0.5

_OTHER_SIZES = (0.05, 0.7)
_LEAST_PIXELS = 8.0  # across the shorter side of what is pasted
_TRIES = 6
_LEAST_CONTRAST = 22.0  # mean difference to what is behind it, in grey levels
_LOUD = 60  # difference between the strongest and the weakest channel
_COVERED = 0.25  # of the rectangle around a logo: more is hidden by another one only on purpose
_OCCLUDED = 0.2  # how often something is put on top of a logo on purpose

_BILINEAR = Image.Resampling.BILINEAR
_Rectangle = tuple[int, int, int, int]  # x0, y0, x1, y1


def compose(
    rng: Rng, backdrop: Image.Image, logos: Sequence[tuple[int, Logo]], others: Sequence[Sticker]
) -> TrainingScene:
    """Put logos and other things on a backdrop, at random in everything that doesn't change which logo it is.

    Parameters
    ----------
    backdrop : PIL.Image.Image
        Mode RGB; it is painted on.
    logos : sequence of (int, Logo)
        Labels' positions and what is pasted. One that finds no place is left out.
    others : sequence of Sticker
        What is no logo.
    """
    canvas = PasteCanvas(backdrop)
    taken: list[_Rectangle] = []
    for turn in rng.permutation(len(logos) + len(others)):
        if turn < len(logos):
            label, logo = logos[turn]
            patch = _place_logo(rng, canvas, logo, taken)
            if patch is None:
                continue
            canvas.paste(patch, label=label, opacity=_opacity(rng))
            taken.append(_around(patch))
        else:
            patch = _free_place(rng, backdrop.size, others[turn - len(logos)], _OTHER_SIZES, taken, None)
            if patch is not None:
                canvas.paste(_lit(rng, patch), opacity=_opacity(rng))
    if taken and len(others) and rng.random() < _OCCLUDED:
        _occlude(rng, canvas, taken[int(rng.integers(len(taken)))], others[int(rng.integers(len(others)))])
    boxes, labels = canvas.visible()
    return TrainingScene(photographed(rng, canvas.image), boxes, labels)


def photographed(rng: Rng, image: Image.Image) -> npt.NDArray[np.uint8]:
    """What a camera and a file make of it: exposure, colour cast, blur, noise, JPEG. Shape (height, width, 3)."""
    image = image.point(_exposure(rng))
    if rng.random() < 0.3:
        share = float(rng.uniform(0.35, 0.9))
        small = (max(1, round(image.width * share)), max(1, round(image.height * share)))
        image = image.resize(small, _BILINEAR).resize(image.size, _BILINEAR)
    if rng.random() < 0.35:
        image = _noisy(rng, image)
    if rng.random() < 0.5:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=int(rng.integers(25, 92)))
        image = Image.open(buffer)
    return np.array(image)


def _place_logo(rng: Rng, canvas: PasteCanvas, logo: Logo, taken: list[_Rectangle]) -> Patch | None:
    sticker = logo.opened if rng.random() < 0.5 else logo.closed
    plate = _plate(rng, logo)
    for _ in range(2):
        patch = _free_place(rng, canvas.image.size, sticker, LOGO_SIZES, taken, plate)
        if patch is None:
            return None
        patch = _lit(rng, patch)
        if plate is not None or canvas.contrast(patch) >= _LEAST_CONTRAST:
            return patch
        if not logo.rectangle:
            plate = _colour_behind(rng, logo)  # it is of the backdrop's colours: on a plate it can be seen
    return None


def _free_place(
    rng: Rng, size: Size, sticker: Sticker, sizes: tuple[float, float], taken: list[_Rectangle], plate: Colour | None
) -> Patch | None:
    """The sticker at a random place where it hides little of the logos that are there; None if none was found."""
    for _ in range(_TRIES):
        pose = draw_pose(rng, size, sticker.size, sizes)
        corners = pose.quadrangle()
        around = (*corners.min(axis=0), *corners.max(axis=0))
        if all(_share_covered(other, around) <= _COVERED for other in taken):
            return warp(sticker, pose, plate=plate, margin=float(rng.uniform(0.03, 0.4)) if plate else 0.0)
    return None


def draw_pose(rng: Rng, size: Size, sticker: Size, sizes: tuple[float, float]) -> Pose:
    """A random pose of a sticker of some width and height in a picture of ``size``; see :data:`LOGO_SIZES`."""
    side = min(size) * float(np.exp(rng.uniform(np.log(sizes[0]), np.log(sizes[1]))))
    scale = max(side / (sticker[0] * sticker[1]) ** 0.5, _LEAST_PIXELS / min(sticker))
    scale = min(scale, 0.95 * max(size) / max(sticker))
    stretch = float(np.exp(np.clip(rng.normal(0, 0.08), -0.25, 0.25)))
    width, height = sticker[0] * scale * stretch, sticker[1] * scale / stretch
    kind = rng.random()
    angle = rng.normal(0, 7) if kind < 0.7 else rng.normal(0, 22) if kind < 0.95 else rng.uniform(-90, 90)
    corners = np.clip(rng.normal(0, 0.06, (4, 2)), -0.18, 0.18) if rng.random() < 0.6 else np.zeros((4, 2))
    # most lie within the picture as far as they fit, the others are cut off at its edge
    within = 0.5 if rng.random() < 0.85 else 0.1
    x, y = (
        _between(rng, within * side, whole - within * side) for side, whole in ((width, size[0]), (height, size[1]))
    )
    softer = int(rng.random() < 0.15)
    return Pose(x, y, width, height, float(angle), corners, softer)


def _between(rng: Rng, one: float, other: float) -> float:
    return float(rng.uniform(min(one, other), max(one, other)))


def _plate(rng: Rng, logo: Logo) -> Colour | None:
    """The colour of the plate that this logo gets this time; None for none."""
    if logo.rectangle:
        return None
    loud = logo.colour is not None and max(logo.colour) - min(logo.colour) > _LOUD
    return _colour_behind(rng, logo) if rng.random() < (ON_LOUD_PLATE if loud else ON_PLATE) else None


def _colour_behind(rng: Rng, logo: Logo) -> Colour:
    """A colour on which the logo can be seen: that of its own ground, white, black, or any."""
    mean = _mean_colour(logo.closed)
    tried = [*palette(rng, 3), np.array([255.0] * 3), np.array([20.0] * 3)]
    if logo.colour is not None:
        tried.insert(0 if rng.random() < 0.6 else 2, np.clip(np.array(logo.colour) + rng.normal(0, 6, 3), 0, 255))
    elif rng.random() < 0.5:
        tried = tried[::-1]
    seen = [colour for colour in tried if np.abs(colour - mean).max() > 60]
    red, green, blue = (int(value) for value in (seen or tried)[0])
    return red, green, blue


def _mean_colour(sticker: Sticker) -> npt.NDArray[np.float64]:
    small = np.asarray(sticker.levels[-1]).astype(np.float64)
    weight = small[..., 3:]
    mean: npt.NDArray[np.float64] = (small[..., :3] * weight).sum(axis=(0, 1)) / max(1.0, float(weight.sum()))
    return mean


def _lit(rng: Rng, patch: Patch) -> Patch:
    """The patch in another light: brighter or darker, from one side, with other colours and contrast."""
    pixels = np.asarray(patch.image)
    height, width = pixels.shape[:2]
    shades = pixels[..., :3].astype(np.float32)
    grey = np.float32(rng.uniform(0, 0.35) if rng.random() < 0.3 else 0)
    gains = rng.normal(1, 0.05, 3) * np.exp(rng.normal(0, 0.18))
    mixing = np.full((3, 3), grey / 3, dtype=np.float32) + np.eye(3, dtype=np.float32) * (1 - grey)
    shades = shades @ (mixing * gains.astype(np.float32))
    contrast = np.float32(np.clip(rng.normal(1, 0.15), 0.55, 1.3))
    shades = (shades - 128) * contrast + np.float32(128 + rng.normal(0, 12))
    if rng.random() < 0.35:
        x, y = rng.normal(0, 0.25, 2)
        light = 1 + x * np.linspace(-1, 1, width)[None] + y * np.linspace(-1, 1, height)[:, None]
        shades *= np.clip(light, 0.45, 1.6).astype(np.float32)[..., None]
    lit = np.dstack([np.clip(shades, 0, 255).astype(np.uint8), pixels[..., 3]])
    return Patch(Image.fromarray(lit), patch.left, patch.top, patch.logo)


def _opacity(rng: Rng) -> float:
    return float(rng.uniform(0.72, 1)) if rng.random() < 0.2 else 1.0


def _occlude(rng: Rng, canvas: PasteCanvas, around: _Rectangle, thing: Sticker) -> None:
    """Put a thing over a part of a logo: from one side, about half as large as it up to as large."""
    width, height = around[2] - around[0], around[3] - around[1]
    side = float(rng.uniform(0.4, 0.9)) * float(np.sqrt(width * height))
    scale = side / max(thing.size)
    x = float(rng.choice([around[0], around[2]]) + rng.normal(0, 0.15) * width)
    y = float(rng.uniform(around[1], around[3]))
    pose = Pose(x, y, max(4.0, thing.size[0] * scale), max(4.0, thing.size[1] * scale), float(rng.uniform(-180, 180)))
    canvas.paste(_lit(rng, warp(thing, pose)))


def _around(patch: Patch) -> _Rectangle:
    return patch.left, patch.top, patch.left + patch.image.width, patch.top + patch.image.height


def _share_covered(rectangle: _Rectangle, by: tuple[float, ...]) -> float:
    """How much of a rectangle lies within another one."""
    width = min(rectangle[2], by[2]) - max(rectangle[0], by[0])
    height = min(rectangle[3], by[3]) - max(rectangle[1], by[1])
    area = (rectangle[2] - rectangle[0]) * (rectangle[3] - rectangle[1])
    return max(0.0, width) * max(0.0, height) / max(1, area)


def _exposure(rng: Rng) -> list[int]:
    """The table of 3 × 256 values for brightness, contrast and colour cast."""
    levels = np.linspace(0, 1, 256)
    gamma, contrast = np.exp(rng.normal(0, 0.15)), np.clip(rng.normal(1, 0.12), 0.6, 1.3)
    base = ((levels**gamma) - 0.5) * contrast + 0.5 + rng.normal(0, 0.03)
    table = np.concatenate([base * gain for gain in np.clip(rng.normal(1, 0.04, 3), 0.88, 1.12)])
    return [int(value) for value in np.clip(table * 255, 0, 255).round()]


def _noisy(rng: Rng, image: Image.Image) -> Image.Image:
    # one plane of noise, shifted for each channel, costs a third and looks the same
    plane = rng.integers(-128, 128, (image.height, image.width), dtype=np.int8).astype(np.int16)
    plane = plane * int(rng.integers(8, 40)) // 256
    pixels = np.asarray(image).astype(np.int16)
    for channel, shift in enumerate((0, 7919, 15101)):
        pixels[..., channel] += np.roll(plane, shift)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
