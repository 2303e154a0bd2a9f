"""What is behind the flowers: a garden out of focus, sky, walls, a dark room, and tables seen from above."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from customlabels_nb.examples._drawing import Colour, dim, ink, mix, rgb, vary

Size = tuple[int, int]

COARSE = 4  # what is out of focus is painted this much coarser than the canvas

_GARDENS = (
    "24401f 4f7a36 8aa654 c4cf86",
    "1d3326 3f6a4a 6f9a6a aac79a",
    "3a4420 75803c a9a653 e0d08a",
    "2c3a38 567a78 8fb0a4 d5e2cf",
    "402c22 7c5a3c 9a8a58 d9b878",
    "1a2418 32492a 54703c 8f9a5c",
)
_SKIES = ("3f86cc a9d2ee", "6fa3d4 dfeaf2", "9fb2c2 e4e6e6", "5a7fb8 f2cfa8", "8fb7e0 f6f1e2")
_WALLS = ("e9e1d3", "c9b9a4", "aebfbc", "d9b8a8", "8fa0a8", "f2efe9", "b7a0b4", "6d7f74", "d8c27a", "9c5f4a", "dfe6ea")
_WOODS = ("b58a5c", "8a623f", "d3b083", "5d4433", "c7c0b4", "a3744a", "e0cfae")
_CLOTHS = ("efeae0", "d9cfc0", "b9c3c6", "e6d2cf", "8f9a8c", "f6f4f0", "5f6a78")
_STONES = ("8c8a85", "b3aea4", "6a6864", "d6d2c8", "9d8f80")


def garden(rng: np.random.Generator, size: Size, petals: Colour) -> Image.Image:
    """Greens that run into each other, spots of flowers far away and discs of light, on a coarse canvas."""
    dark, middle, light, bright = (vary(rgb(word), rng, 0.08) for word in _pick(rng, _GARDENS).split())
    if rng.random() < 0.35:
        dark, middle = middle, light
    image = _run(rng, size, light if rng.random() < 0.6 else middle, dark)
    short = min(size)
    pen = ImageDraw.Draw(image, "RGBA")
    for _ in range(46):
        tone = (dark, middle, light, bright)[int(rng.choice(4, p=(0.34, 0.34, 0.22, 0.1)))]
        _spot(pen, rng, size, short * rng.uniform(0.03, 0.2), ink(vary(tone, rng), rng.uniform(0.35, 0.9)))
    other = vary(petals if rng.random() < 0.6 else rgb(_pick(rng, ("e6c94f", "d5638f", "b6a0da", "f1ece2"))), rng)
    for _ in range(int(rng.integers(0, 9))):
        _spot(pen, rng, size, short * rng.uniform(0.02, 0.07), ink(other, rng.uniform(0.5, 0.9)))
    image = _blur(image, rng.uniform(0.03, 0.07))
    return _discs(rng, image, bright) if rng.random() < 0.6 else image


def sky(rng: np.random.Generator, size: Size, _: Colour) -> Image.Image:
    """A sky with clouds out of focus."""
    high, low = (vary(rgb(word), rng, 0.04) for word in _pick(rng, _SKIES).split())
    image = _run(rng, size, high, low)
    pen = ImageDraw.Draw(image, "RGBA")
    for _cloud in range(int(rng.integers(0, 14))):
        _spot(pen, rng, size, min(size) * rng.uniform(0.05, 0.25), ink((250, 250, 250), rng.uniform(0.15, 0.5)))
    return _blur(image, 0.07)


def wall(rng: np.random.Generator, size: Size, _: Colour) -> Image.Image:
    """A wall with light falling on it, at times through a window."""
    colour = vary(rgb(_pick(rng, _WALLS)), rng, 0.05)
    image = _run(rng, size, dim(colour, rng.uniform(0.9, 1.1)), dim(colour, rng.uniform(0.62, 0.95)))
    if rng.random() < 0.45:
        pen = ImageDraw.Draw(image, "RGBA")
        slope, step = rng.uniform(-0.6, 0.6) * size[1], size[0] * rng.uniform(0.1, 0.3)
        for n in range(-3, 10):
            x = n * step * 1.45
            outline = [(x, 0), (x + step, 0), (x + step + slope, size[1]), (x + slope, size[1])]
            pen.polygon(outline, fill=ink(mix(colour, (255, 250, 235), 0.6), 0.35))
    return _blur(image, rng.uniform(0.012, 0.03))


def studio(rng: np.random.Generator, size: Size, petals: Colour) -> Image.Image:
    """A dark room with a little light behind."""
    colour = mix(rgb(_pick(rng, ("15171a", "1e2420", "241a1d", "2a2c33"))), petals, float(rng.uniform(0, 0.1)))
    image = _run(rng, size, colour, dim(colour, 0.6))
    pen = ImageDraw.Draw(image, "RGBA")
    for _ in range(3):
        _spot(pen, rng, size, min(size) * rng.uniform(0.2, 0.4), ink(mix(colour, rgb("7d8078"), 0.4), 0.4))
    return _blur(image, 0.12)


def wood(rng: np.random.Generator, size: Size) -> Image.Image:
    """Planks from above."""
    colour = vary(rgb(_pick(rng, _WOODS)), rng)
    upright = rng.random() < 0.5
    long_, wide = (size[1], size[0]) if upright else size
    plank = max(6, int(wide * rng.uniform(0.14, 0.3)))
    tone = np.repeat(rng.normal(1, 0.07, wide // plank + 2), plank)[int(rng.integers(plank)) :][:wide]
    grain = _noise(rng, (wide, long_), (wide // 2, long_ // 90 + 1), 0.055)
    grain = grain + _noise(rng, (wide, long_), (wide // 9 + 1, long_ // 160 + 1), 0.06)
    gaps = np.flatnonzero(np.diff(tone))
    level = (tone + grain)[..., None] * np.array(colour)
    for gap in gaps:
        level[:, gap : gap + max(1, wide // 180)] *= 0.45
    image = _image(level)
    return image if upright else image.transpose(Image.Transpose.ROTATE_90)


def cloth(rng: np.random.Generator, size: Size) -> Image.Image:
    """Linen or paper from above, with soft folds."""
    colour = vary(rgb(_pick(rng, _CLOTHS)), rng, 0.04)
    weave = rng.normal(0, 0.025, (size[1], 1)) + rng.normal(0, 0.025, (1, size[0]))
    folds = _noise(rng, size, (3, 4), 0.07) if rng.random() < 0.7 else 0.0
    return _image((1 + weave * rng.choice([0.2, 1.0]) + folds)[..., None] * np.array(colour))


def stone(rng: np.random.Generator, size: Size) -> Image.Image:
    """Stone, concrete or soil from above."""
    colour = vary(rgb(_pick(rng, (*_STONES, "5a4636", "6b5340"))), rng)
    half = (size[0] // 2, size[1] // 2)
    level = 1 + _noise(rng, half, (6, 5), 0.08) + _noise(rng, half, (half[0] // 3 + 2, half[1] // 3 + 2), 0.07)
    level += rng.normal(0, 0.045, level.shape).astype(np.float32)
    return _image(level[..., None] * np.array(colour, dtype=np.float32)).resize(size, Image.Resampling.BILINEAR)


def _pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[int(rng.integers(len(words)))]


def _image(level: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(level, 0, 255).astype(np.uint8))


def _noise(rng: np.random.Generator, size: Size, cells: tuple[int, int], spread: float) -> np.ndarray:
    """Values about 0, shape (height, width), as smooth as ``cells`` across and down make them."""
    coarse = rng.normal(0, spread, (max(1, cells[1]), max(1, cells[0]))).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))


def _run(rng: np.random.Generator, size: Size, above: Colour, below: Colour) -> Image.Image:
    """From one colour to another, more or less from the top down."""
    x, y = np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1])
    share = np.clip(0.5 + 0.5 * y[:, None] + rng.uniform(-0.4, 0.4) * x[None, :], 0, 1)[..., None]
    return _image(np.array(above) + (np.array(below) - np.array(above)) * share)


def _spot(
    pen: ImageDraw.ImageDraw, rng: np.random.Generator, size: Size, radius: float, fill: tuple[int, int, int, int]
) -> None:
    x, y = rng.uniform(0, size[0]), rng.uniform(0, size[1])
    across, down = radius * rng.uniform(0.5, 1.6), radius * rng.uniform(0.5, 1.6)
    pen.ellipse((x - across, y - down, x + across, y + down), fill=fill)


def _blur(image: Image.Image, share: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(max(0.5, share * min(image.size))))


def _discs(rng: np.random.Generator, image: Image.Image, colour: Colour) -> Image.Image:
    """The round spots a lens makes of lights far behind."""
    pen = ImageDraw.Draw(image, "RGBA")
    radius = min(image.size) * rng.uniform(0.02, 0.07)
    for _ in range(int(rng.integers(6, 34))):
        x, y = rng.uniform(0, image.width), rng.triangular(0, 0.1, 1) * image.height
        r = radius * rng.uniform(0.7, 1.25)
        light = ink(mix(colour, (255, 252, 235), float(rng.uniform(0, 0.8))), rng.uniform(0.12, 0.45))
        pen.ellipse((x - r, y - r, x + r, y + r), fill=light)
    return _blur(image, 0.004)
