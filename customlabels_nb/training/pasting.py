"""Copy-paste augmentation: paste logos and distractors onto images at random, and compute the boxes of the logos.

Pasted images get random lighting, rotation, perspective and occlusion, and the entire scene gets camera noise.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image

from customlabels_nb.core.masks import mask_to_polygon
from customlabels_nb.core.polygons import rings_of
from customlabels_nb.training.backdrops import Rng, Size, palette
from customlabels_nb.training.scene_sources import Outline, TrainingScene
from customlabels_nb.training.trimming import Cutout

#: Smallest and largest square root of a pasted logo's area, as shares of the scene's shorter side. Sizes are drawn from
#: a log-uniform distribution.
LOGO_SIZES = (0.08, 0.75)
#: Probability of a colored plate behind a cut-out logo, and behind a logo whose own background is a strong color.
ON_PLATE = 0.25
ON_LOUD_PLATE = 0.5

_OTHER_SIZES = (0.05, 0.7)
_LEAST_PIXELS = 8.0  # smallest shorter side of a pasted image
_TRIES = 6
_LEAST_CONTRAST = 22.0  # smallest mean difference between a logo and the pixels behind it, in grey levels
_LOUD = 60  # difference between the strongest and the weakest channel
_COVERED = 0.25  # largest share of a logo's rectangle that other logos may hide by chance
_OCCLUDED = 0.2  # probability that a logo is covered on purpose

_BILINEAR = Image.Resampling.BILINEAR
_Rectangle = tuple[int, int, int, int]  # x0, y0, x1, y1

Alpha = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Color = tuple[int, int, int]

#: Smallest visible share of a logo's area for the logo to get a box.
LEAST_VISIBLE = 0.4
#: Shortest side of a box in pixels. Smaller boxes contain nothing to learn from.
LEAST_SIDE = 4.0

_SEEN = 64  # alpha from which a pixel shows the logo rather than the background
_SMALLEST_LEVEL = 12
_SHARP = 1.5  # largest downscaling of one pyramid level, because bilinear interpolation does not average
_CORNERS = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])


@dataclass(frozen=True, eq=False)
class Sticker:
    """Image to paste: a pyramid of RGBA with a transparent margin of a pixel for soft warped edges."""

    levels: tuple[Image.Image, ...]

    @classmethod
    def of(cls, pixels: npt.NDArray[np.uint8]) -> Sticker:
        level = Image.fromarray(pixels)
        levels = [_with_margin(level)]
        while min(level.size) >= 2 * _SMALLEST_LEVEL:
            level = level.resize((level.width // 2, level.height // 2), Image.Resampling.BOX)
            levels.append(_with_margin(level))
        return cls(tuple(levels))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, without the margin."""
        return self.levels[0].width - 2, self.levels[0].height - 2

    @property
    def bytes(self) -> int:
        """Memory that all levels take up, in bytes."""
        return sum(4 * level.width * level.height for level in self.levels)


@dataclass(frozen=True, eq=False)
class Logo:
    """Cut-out logo, as the stickers in which islands of the background color are opaque or transparent."""

    closed: Sticker
    opened: Sticker
    color: Color | None = None
    rectangle: bool = False

    @classmethod
    def of(cls, cutout: Cutout) -> Logo:
        closed = opened = Sticker.of(cutout.pixels)
        if cutout.opened is not None and cutout.opened.max() > _SEEN:
            opened = Sticker.of(np.dstack([cutout.pixels[..., :3], cutout.opened]))
        return cls(closed, opened, cutout.color, cutout.ground == "photo")

    @property
    def bytes(self) -> int:
        """Memory that both stickers take up, in bytes."""
        return self.closed.bytes + (self.opened.bytes if self.opened is not self.closed else 0)


@dataclass(frozen=True, eq=False)
class Pose:
    """Centre, size (before rotation) and shape of a sticker in an image, in pixels.

    ``angle`` is in degrees, clockwise. ``corners`` have the perspective: the offset of each as shares of width and
    height, clockwise from the top left. ``softer`` levels are skipped, which makes the sticker less sharp than
    possible.
    """

    x: float
    y: float
    width: float
    height: float
    angle: float = 0.0
    corners: Floats = field(default_factory=lambda: np.zeros((4, 2)))
    softer: int = 0

    def quadrangle(self) -> Floats:
        """Compute the corners in image pixels, shape (4, 2), clockwise from the sticker's top left."""
        flat: Floats = (_CORNERS + self.corners) * (self.width, self.height)
        turn = np.deg2rad(self.angle)
        rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        corners: Floats = flat @ rotation + (self.x, self.y)
        return corners


@dataclass(frozen=True, eq=False)
class Patch:
    """Warped RGBA sticker at (``left``, ``top``), and the alpha channel of the logo without its plate."""

    image: Image.Image
    left: int
    top: int
    logo: Alpha


def warp(sticker: Sticker, pose: Pose, *, plate: Color | None = None, margin: float = 0.1) -> Patch:
    """Warp a sticker into its pose. ``margin`` around it on the plate is a share of its shorter side."""
    corners = pose.quadrangle()
    source = _level_for(sticker, pose)
    width, height = source.width - 2, source.height - 2
    # continuous coordinates of the source image, whose margin is one pixel wide
    placed = np.array([[1, 1], [1 + width, 1], [1 + width, 1 + height], [1, 1 + height]], dtype=np.float64)
    if plate is None:
        left, top, size = _extent(corners)
        image = _transformed(source, _homography(corners - (left, top), placed), size)
        return Patch(image, left, top, np.asarray(image.getchannel("A")))
    beyond = max(1, round(margin * min(width, height)))
    ground = Image.new("RGBA", (source.width + 2 * beyond, source.height + 2 * beyond), (*plate, 0))
    ground.paste((*plate, 255), (1, 1, ground.width - 1, ground.height - 1))
    ground.alpha_composite(source, (beyond, beyond))
    to_picture = _homography(placed + beyond, corners)
    rim = [[1, 1], [ground.width - 1, 1], [ground.width - 1, ground.height - 1], [1, ground.height - 1]]
    outer = _applied(to_picture, np.array(rim, dtype=np.float64))
    left, top, size = _extent(outer)
    back = _homography(corners - (left, top), placed + beyond)
    image = _transformed(ground, back, size)
    alpha = Image.new("L", ground.size)
    alpha.paste(source.getchannel("A"), (beyond, beyond))
    return Patch(image, left, top, np.asarray(_transformed(alpha, back, size)))


class PasteCanvas:
    """Image to paste stickers on in place, which tracks the visible part of each logo."""

    def __init__(self, ground: Image.Image) -> None:
        self.image = ground
        self._logos: list[_Shown] = []

    def paste(self, patch: Patch, *, label: int | None = None, opacity: float = 1.0) -> None:
        """Paste a patch on top. ``label`` is None for a distractor, which may hide logos."""
        alpha = np.asarray(patch.image.getchannel("A"))
        mask = Image.fromarray((alpha * opacity).astype(np.uint8)) if opacity < 1 else patch.image.getchannel("A")
        self.image.paste(patch.image.convert("RGB"), (patch.left, patch.top), mask)
        for below in self._logos:
            below.hide(patch.left, patch.top, alpha)
        if label is not None:
            self._logos.append(_Shown(patch.left, patch.top, patch.logo.copy(), label, int(patch.logo.sum())))

    def contrast(self, patch: Patch) -> float:
        """Compute the mean difference in grey levels between a patch's logo and the pixels behind it.

        The difference is 0 if the logo is outside the image."""
        box = (patch.left, patch.top, patch.left + patch.image.width, patch.top + patch.image.height)
        inside = (max(0, box[0]), max(0, box[1]), min(self.image.width, box[2]), min(self.image.height, box[3]))
        if inside[0] >= inside[2] or inside[1] >= inside[3]:
            return 0.0
        cut = (inside[0] - box[0], inside[1] - box[1], inside[2] - box[0], inside[3] - box[1])
        # a few hundred pixels give as good an estimate as all of them
        step = max(1, int(((cut[2] - cut[0]) * (cut[3] - cut[1])) ** 0.5) // 24)
        there = np.asarray(self.image.crop(inside))[::step, ::step].astype(np.int16)
        pixels = np.asarray(patch.image.crop(cut))[::step, ::step, :3]
        weight = patch.logo[cut[1] : cut[3], cut[0] : cut[2]][::step, ::step] >= _SEEN
        return float(np.abs(there - pixels)[weight].mean()) if weight.any() else 0.0

    def visible(self) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Return the boxes around the visible parts of the logos, and the labels of these boxes.

        Boxes are ``left, top, width, height``, shape (n, 4). A logo that is mostly hidden or outside the image has no
        box. See :data:`LEAST_VISIBLE` and :data:`LEAST_SIDE`.
        """
        visible = [(shown.box(self.image.size), shown.label) for shown in self._logos]
        boxes = [box for box, _ in visible if box is not None]
        labels = [label for box, label in visible if box is not None]
        return np.array(boxes, dtype=np.float64).reshape(-1, 4), np.array(labels, dtype=np.int64)

    def outlines(self) -> list[Outline]:
        """Return the outline of the visible part of each logo with a box, in the order of :meth:`visible`."""
        size = self.image.size
        return [shown.outline(size) for shown in self._logos if shown.box(size) is not None]


@dataclass(eq=False)
class _Shown:
    """Logo in the image, with the visibility of each pixel and the total visibility before anything covered it."""

    left: int
    top: int
    alpha: Alpha
    label: int
    whole: int

    def hide(self, left: int, top: int, alpha: Alpha) -> None:
        """Reduce the visibility where another patch is pasted on top, in proportion to the opacity of that patch."""
        height, width = self.alpha.shape
        x0, y0 = max(left, self.left), max(top, self.top)
        x1 = min(left + alpha.shape[1], self.left + width)
        y1 = min(top + alpha.shape[0], self.top + height)
        if x0 >= x1 or y0 >= y1:
            return
        mine = self.alpha[y0 - self.top : y1 - self.top, x0 - self.left : x1 - self.left]
        mine[...] = mine * (255 - alpha[y0 - top : y1 - top, x0 - left : x1 - left].astype(np.uint16)) // 255

    def outline(self, size: tuple[int, int]) -> Outline:
        """Return the rings around the part that is visible in the image."""
        x0, y0, inside = self._inside(size)
        return [ring + np.array([x0, y0]) for ring in rings_of(mask_to_polygon(inside >= _SEEN))]

    def _inside(self, size: tuple[int, int]) -> tuple[int, int, Alpha]:
        """Return the left, top and visibility of the part inside the image, which may be empty."""
        x0, y0 = max(0, self.left), max(0, self.top)
        x1 = max(x0, min(size[0], self.left + self.alpha.shape[1]))
        y1 = max(y0, min(size[1], self.top + self.alpha.shape[0]))
        return x0, y0, self.alpha[y0 - self.top : y1 - self.top, x0 - self.left : x1 - self.left]

    def box(self, size: tuple[int, int]) -> list[float] | None:
        x0, y0, inside = self._inside(size)
        seen = inside >= _SEEN
        if int(inside.sum()) < LEAST_VISIBLE * self.whole or not seen.any():
            return None
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        width, height = columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]
        if min(width, height) < LEAST_SIDE:
            return None
        return [float(x0 + columns[0]), float(y0 + rows[0]), float(width), float(height)]


def _with_margin(image: Image.Image) -> Image.Image:
    framed = Image.new("RGBA", (image.width + 2, image.height + 2))
    framed.paste(image, (1, 1))
    return framed


def _level_for(sticker: Sticker, pose: Pose) -> Image.Image:
    """Choose the smallest level that is as sharp as the pose requires."""
    width, height = sticker.size
    shrinking = float(np.sqrt(width * height / max(pose.width * pose.height, 1e-6)))
    number = int(np.ceil(np.log2(max(1.0, shrinking / _SHARP)))) + pose.softer
    return sticker.levels[min(number, len(sticker.levels) - 1)]


def _extent(corners: Floats) -> tuple[int, int, tuple[int, int]]:
    """Return the left, top and size of the rectangle of pixels that a quadrangle with its soft edge touches."""
    low, high = np.floor(corners.min(axis=0)).astype(int) - 1, np.ceil(corners.max(axis=0)).astype(int) + 1
    return int(low[0]), int(low[1]), (int(high[0] - low[0]), int(high[1] - low[1]))


def _homography(start: Floats, end: Floats) -> Floats:
    """Compute the eight coefficients of the homography between two sets of four points (Pillow's PERSPECTIVE)."""
    equations, values = np.zeros((8, 8)), end.reshape(8)
    for i, ((x, y), (u, v)) in enumerate(zip(start, end, strict=True)):
        equations[2 * i] = [x, y, 1, 0, 0, 0, -u * x, -u * y]
        equations[2 * i + 1] = [0, 0, 0, x, y, 1, -v * x, -v * y]
    solution: Floats = np.asarray(np.linalg.solve(equations, values), dtype=np.float64)
    return solution


def _applied(coefficients: Floats, points: Floats) -> Floats:
    a, b, c, d, e, f, g, h = coefficients
    x, y = points.T
    scale = g * x + h * y + 1
    there: Floats = np.stack([(a * x + b * y + c) / scale, (d * x + e * y + f) / scale], axis=1)
    return there


def _transformed(image: Image.Image, coefficients: Floats, size: tuple[int, int]) -> Image.Image:
    return image.transform(size, Image.Transform.PERSPECTIVE, tuple(coefficients), Image.Resampling.BILINEAR)


def compose(
    rng: Rng,
    backdrop: Image.Image,
    logos: Sequence[tuple[int, Logo]],
    others: Sequence[Sticker],
    *,
    masks: bool = False,
) -> TrainingScene:
    """Paste logos, where they fit, and distractors onto a background in place, keeping them recognisable."""
    canvas = PasteCanvas(backdrop)
    taken: list[_Rectangle] = []
    for turn in rng.permutation(len(logos) + len(others)):
        if turn < len(logos):
            label, logo = logos[turn]
            patch = _place_logo(rng, canvas, logo, taken)
            if patch is None:
                continue
            canvas.paste(patch, label=label, opacity=_opacity(rng))
            taken.append((patch.left, patch.top, patch.left + patch.image.width, patch.top + patch.image.height))
        else:
            patch = _free_place(rng, backdrop.size, others[turn - len(logos)], _OTHER_SIZES, taken, None)
            if patch is not None:
                canvas.paste(_lit(rng, patch), opacity=_opacity(rng))
    if taken and len(others) and rng.random() < _OCCLUDED:
        _occlude(rng, canvas, taken[int(rng.integers(len(taken)))], others[int(rng.integers(len(others)))])
    boxes, labels = canvas.visible()
    outlines = canvas.outlines() if masks else ()
    return TrainingScene(photographed(rng, canvas.image), boxes, labels, outlines)


def photographed(rng: Rng, image: Image.Image) -> npt.NDArray[np.uint8]:
    """Simulate a camera photo: exposure, color cast, blur, noise and JPEG. Shape (height, width, 3)."""
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
            plate = _color_behind(rng, logo)  # a plate makes a logo visible that would blend into the background
    return None


def _free_place(
    rng: Rng, size: Size, sticker: Sticker, sizes: tuple[float, float], taken: list[_Rectangle], plate: Color | None
) -> Patch | None:
    """Warp the sticker to a random position where it hides little of other logos, or return None if there is none."""
    for _ in range(_TRIES):
        pose = draw_pose(rng, size, sticker.size, sizes)
        corners = pose.quadrangle()
        around = (*corners.min(axis=0), *corners.max(axis=0))
        if all(_share_covered(other, around) <= _COVERED for other in taken):
            return warp(sticker, pose, plate=plate, margin=float(rng.uniform(0.03, 0.4)) if plate else 0.0)
    return None


def draw_pose(rng: Rng, size: Size, sticker: Size, sizes: tuple[float, float]) -> Pose:
    """Draw a random pose for a sticker in an image of ``size``. Sizes are (width, height). See :data:`LOGO_SIZES`."""
    side = min(size) * float(np.exp(rng.uniform(np.log(sizes[0]), np.log(sizes[1]))))
    scale = max(side / (sticker[0] * sticker[1]) ** 0.5, _LEAST_PIXELS / min(sticker))
    scale = min(scale, 0.95 * max(size) / max(sticker))
    stretch = float(np.exp(np.clip(rng.normal(0, 0.08), -0.25, 0.25)))
    width, height = sticker[0] * scale * stretch, sticker[1] * scale / stretch
    kind = rng.random()
    angle = rng.normal(0, 7) if kind < 0.7 else rng.normal(0, 22) if kind < 0.95 else rng.uniform(-90, 90)
    corners = np.clip(rng.normal(0, 0.06, (4, 2)), -0.18, 0.18) if rng.random() < 0.6 else np.zeros((4, 2))
    # most stickers are placed inside the image if they fit, and the rest are cut off at its edge
    within = 0.5 if rng.random() < 0.85 else 0.1
    x, y = (
        float(rng.uniform(*sorted((within * side, whole - within * side))))
        for side, whole in ((width, size[0]), (height, size[1]))
    )
    softer = int(rng.random() < 0.15)
    return Pose(x, y, width, height, float(angle), corners, softer)


def _plate(rng: Rng, logo: Logo) -> Color | None:
    """Choose the color of the plate behind a logo at random, or None for no plate."""
    if logo.rectangle:
        return None
    loud = logo.color is not None and max(logo.color) - min(logo.color) > _LOUD
    return _color_behind(rng, logo) if rng.random() < (ON_LOUD_PLATE if loud else ON_PLATE) else None


def _color_behind(rng: Rng, logo: Logo) -> Color:
    """Choose a color on which the logo is visible: that of its original background, white, black or a random one."""
    mean = _mean_color(logo.closed)
    tried = [*palette(rng, 3), np.array([255.0] * 3), np.array([20.0] * 3)]
    if logo.color is not None:
        tried.insert(0 if rng.random() < 0.6 else 2, np.clip(np.array(logo.color) + rng.normal(0, 6, 3), 0, 255))
    elif rng.random() < 0.5:
        tried = tried[::-1]
    seen = [color for color in tried if np.abs(color - mean).max() > 60]
    red, green, blue = (int(value) for value in (seen or tried)[0])
    return red, green, blue


def _mean_color(sticker: Sticker) -> npt.NDArray[np.float64]:
    small = np.asarray(sticker.levels[-1]).astype(np.float64)
    weight = small[..., 3:]
    mean: npt.NDArray[np.float64] = (small[..., :3] * weight).sum(axis=(0, 1)) / max(1.0, float(weight.sum()))
    return mean


def _lit(rng: Rng, patch: Patch) -> Patch:
    """Change the lighting of a patch at random: brightness, contrast, colors and light from one side."""
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
    """Cover part of a logo from one side with another image, which has 0.4 to 0.9 of the logo's size."""
    width, height = around[2] - around[0], around[3] - around[1]
    side = float(rng.uniform(0.4, 0.9)) * float(np.sqrt(width * height))
    scale = side / max(thing.size)
    x = float(rng.choice([around[0], around[2]]) + rng.normal(0, 0.15) * width)
    y = float(rng.uniform(around[1], around[3]))
    pose = Pose(x, y, max(4.0, thing.size[0] * scale), max(4.0, thing.size[1] * scale), float(rng.uniform(-180, 180)))
    canvas.paste(_lit(rng, warp(thing, pose)))


def _share_covered(rectangle: _Rectangle, by: tuple[float, ...]) -> float:
    width = min(rectangle[2], by[2]) - max(rectangle[0], by[0])
    height = min(rectangle[3], by[3]) - max(rectangle[1], by[1])
    area = (rectangle[2] - rectangle[0]) * (rectangle[3] - rectangle[1])
    return max(0.0, width) * max(0.0, height) / max(1, area)


def _exposure(rng: Rng) -> list[int]:
    """Return a random lookup table of 3 × 256 values for brightness, contrast and color cast."""
    levels = np.linspace(0, 1, 256)
    gamma, contrast = np.exp(rng.normal(0, 0.15)), np.clip(rng.normal(1, 0.12), 0.6, 1.3)
    base = ((levels**gamma) - 0.5) * contrast + 0.5 + rng.normal(0, 0.03)
    table = np.concatenate([base * gain for gain in np.clip(rng.normal(1, 0.04, 3), 0.88, 1.12)])
    return [int(value) for value in np.clip(table * 255, 0, 255).round()]


def _noisy(rng: Rng, image: Image.Image) -> Image.Image:
    # shifting one plane of noise for each channel takes a third of the time and looks the same
    plane = rng.integers(-128, 128, (image.height, image.width), dtype=np.int8).astype(np.int16)
    plane = plane * int(rng.integers(8, 40)) // 256
    pixels = np.asarray(image).astype(np.int16)
    for channel, shift in enumerate((0, 7919, 15101)):
        pixels[..., channel] += np.roll(plane, shift)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
