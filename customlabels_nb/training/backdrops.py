"""Synthetic backgrounds and distractor shapes for pasted logos.

Backgrounds are drawn procedurally or cropped from photos. They need variety rather than beauty: edges, textures,
lettering and colors of all kinds, soft and sharp, so that only the logos themselves reveal where a logo is.
"""

from __future__ import annotations

import string
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw, ImageFont

Pixels = npt.NDArray[np.uint8]
Colors = npt.NDArray[np.float32]
Size = tuple[int, int]
Rng = np.random.Generator

_BILINEAR, _BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC
_LETTERS = string.ascii_uppercase + string.ascii_lowercase[:8] + string.digits + "&%+-"
_SIDE = 128  # pixels; side of the canvas for a distractor


def draw_backdrop(rng: Rng, size: Size, photo: Pixels | None = None) -> Image.Image:
    """Draw a random RGB background of ``size`` (width, height), or crop it from ``photo``."""
    image = _drawn(rng, size) if photo is None else cut_out(rng, size, photo)
    return _joined(rng, image, _drawn(rng, size)) if rng.random() < 0.2 else image


def cut_out(rng: Rng, size: Size, photo: Pixels) -> Image.Image:
    """Crop a random part of a photo, resize it to ``size`` and mirror it half of the time."""
    height, width = photo.shape[:2]
    shape = size[0] / size[1]
    most = min(1.0, width / (height * shape))  # share of the height at which the crop still fits
    share = most * float(rng.uniform(0.35, 1.0))
    piece = (max(2, int(height * share * shape)), max(2, int(height * share)))
    left, top = (int(rng.integers(max(0, whole - part) + 1)) for whole, part in ((width, piece[0]), (height, piece[1])))
    cut = photo[top : top + piece[1], left : left + piece[0]]
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    return Image.fromarray(np.ascontiguousarray(cut)).resize(size, _BILINEAR, reducing_gap=2.0)


def draw_shape(rng: Rng) -> Pixels:
    """Draw a distractor (shape, ring, lettering, group or sign) as RGBA of about 128 × 128 pixels."""
    image = Image.new("RGBA", (_SIDE, _SIDE))
    draw = ImageDraw.Draw(image)
    colors = palette(rng, 3)
    kind = rng.random()
    if kind < 0.3:
        _draw_figure(rng, draw, (0, 0, _SIDE, _SIDE), _rgba(colors[0]))
        if rng.random() < 0.6:
            _draw_figure(rng, draw, (32, 32, _SIDE - 32, _SIDE - 32), _rgba(colors[1]))
    elif kind < 0.65:
        image = _writing(rng, colors)
    elif kind < 0.8:
        for _ in range(int(rng.integers(3, 9))):
            x, y, side = (float(value) for value in rng.uniform((0, 0, 16), (_SIDE - 24, _SIDE - 24, 80)))
            rectangle = (x, y, min(x + side, _SIDE), min(y + side, _SIDE))
            _draw_figure(rng, draw, rectangle, _rgba(colors[int(rng.integers(3))]))
    else:
        _draw_figure(rng, draw, (0, 0, _SIDE, _SIDE), _rgba(colors[0]))
        image.alpha_composite(_writing(rng, colors[1:], 96).crop((0, 0, 96, 80)), (16, 24))
    return np.asarray(image)


def shuffle_pieces(rng: Rng, pixels: Pixels) -> Pixels:
    """Cut a logo into pieces and shuffle them, which keeps its colors but destroys the logo."""
    cells = int(rng.integers(3, 5))  # halves and quarters would still show the logo
    height, width = (side // cells * cells for side in pixels.shape[:2])
    whole = pixels[:height, :width].reshape(cells, height // cells, cells, width // cells, -1).swapaxes(1, 2)
    pieces = whole.reshape(cells * cells, height // cells, width // cells, -1)
    order = rng.permutation(cells * cells)
    mixed = np.stack([piece[::-1, ::-1] if turned else piece for piece, turned in zip(
        pieces[order], rng.random(cells * cells) < 0.5, strict=True
    )])  # fmt: skip
    joined = mixed.reshape(cells, cells, height // cells, width // cells, -1).swapaxes(1, 2)
    return np.ascontiguousarray(joined.reshape(height, width, -1))


def palette(rng: Rng, count: int) -> Colors:
    """Draw ``count`` matching colors (0 to 255), shape (count, 3), mostly muted and similar, as in photos."""
    base = rng.uniform(15, 245, 3)
    spread = rng.choice([15.0, 40.0, 90.0])
    colors = base + rng.normal(0, spread, (count, 1)) + rng.normal(0, spread * 0.5, (count, 3))
    grey = colors.mean(axis=1, keepdims=True)
    vividness = rng.beta(1.2, 2.0) * 1.3
    return np.clip(grey + (colors - grey) * vividness, 0, 255).astype(np.float32)


def clouds(rng: Rng, size: Size, *, finest: int = 64, roughness: float | None = None) -> Colors:
    """Draw multi-scale noise of shape (height, width), with mean about 0 and standard deviation about 1."""
    width, height = size
    rough = float(rng.uniform(0.35, 0.9)) if roughness is None else roughness
    cells, weight = int(rng.integers(2, 5)), 1.0
    # each scale is added to the enlarged previous one, so all arrays but the last are small
    total = rng.standard_normal((cells, max(2, cells * width // height)), dtype=np.float32)
    while cells * 3 <= finest:
        cells, weight = cells * 3, weight * rough
        grid = (max(2, cells * width // height), cells)
        total = np.asarray(Image.fromarray(total).resize(grid, _BILINEAR)) + np.float32(weight) * rng.standard_normal(
            grid[::-1], dtype=np.float32
        )
    field = np.asarray(Image.fromarray(total).resize(size, _BILINEAR))
    return field * np.float32(1 / max(float(field[::8, ::8].std()), 1e-3))


def _drawn(rng: Rng, size: Size) -> Image.Image:
    kinds: list[tuple[float, Callable[[Rng, Size], Image.Image]]] = [
        (0.16, _shades), (0.26, _colored_clouds), (0.38, _stripes), (0.86, _leaves), (1.0, _rooms),
    ]  # fmt: skip
    drawn = rng.random()
    return next(draw for until, draw in kinds if drawn < until)(rng, size)


def _shades(rng: Rng, size: Size) -> Image.Image:
    """Draw a single color or a smooth gradient of several colors, sometimes with a grain like paper or plaster."""
    cells = int(rng.integers(1, 4))
    grid = palette(rng, cells * cells).reshape(cells, cells, 3)
    image = Image.fromarray(grid.astype(np.uint8)).resize(size, _BICUBIC)
    if rng.random() < 0.6:
        return _grained(image, clouds(rng, size, finest=240, roughness=0.9), float(rng.uniform(2, 14)))
    return image


def _colored_clouds(rng: Rng, size: Size) -> Image.Image:
    """Draw multi-scale noise colored along a palette, like stone, leaves, water or sky."""
    field = clouds(rng, size, finest=240)
    stops = palette(rng, int(rng.integers(3, 7)))
    positions = np.linspace(0, 255, len(stops))
    table = [int(v) for c in range(3) for v in np.interp(np.arange(256), positions, stops[:, c])]
    levels = Image.fromarray(np.clip(field * 50 + 128, 0, 255).astype(np.uint8))
    return Image.merge("RGB", (levels, levels, levels)).point(table)


def _stripes(rng: Rng, size: Size) -> Image.Image:
    """Draw stripes, checks or waves at any angle, like fences, tiles, cloth or blinds."""
    width, height = size
    angle, period = rng.uniform(0, np.pi), rng.uniform(6, 90)
    x, y = np.arange(width, dtype=np.float32)[None], np.arange(height, dtype=np.float32)[:, None]
    along = (x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))) / np.float32(period)
    wave = along % 1
    if rng.random() < 0.4:
        across = (y * np.float32(np.cos(angle)) - x * np.float32(np.sin(angle))) / np.float32(period)
        wave = (wave + np.floor(across) * np.float32(0.5)) % 1
    if rng.random() < 0.4:
        wave = np.abs(2 * wave - 1)
    share = rng.uniform(0.2, 0.8)
    sharp = np.clip((wave - share) * np.float32(rng.choice([3, 20])) + 0.5, 0, 1)
    low, high = palette(rng, 2)
    levels = Image.fromarray((sharp * 255).astype(np.uint8))
    table = [int(v) for c in range(3) for v in np.linspace(low[c], high[c], 256)]
    image = Image.merge("RGB", (levels, levels, levels)).point(table)
    return _grained(image, clouds(rng, size), float(rng.uniform(4, 30)))


def _leaves(rng: Rng, size: Size) -> Image.Image:
    """Draw overlapping shapes of all sizes ("dead leaves"), with edge and size statistics like those of photos."""
    image = _colored_clouds(rng, size) if rng.random() < 0.5 else _shades(rng, size)
    draw = ImageDraw.Draw(image)
    colors = palette(rng, int(rng.integers(4, 12)))
    side = min(size)
    for _ in range(int(rng.integers(8, 70))):
        radius = side * 0.5 * float(rng.uniform(0.06, 1.0)) ** 2.2 + 2
        x, y = float(rng.uniform(0, size[0])), float(rng.uniform(0, size[1]))
        red, green, blue = np.clip(colors[int(rng.integers(len(colors)))] + rng.normal(0, 10, 3), 0, 255).astype(int)
        wide = radius * float(rng.uniform(0.4, 1.6))
        _draw_figure(rng, draw, (x - wide, y - radius, x + wide, y + radius), (int(red), int(green), int(blue)))
    if rng.random() < 0.7:
        return _grained(image, clouds(rng, size, finest=240), float(rng.uniform(4, 28)))
    return image


def _rooms(rng: Rng, size: Size) -> Image.Image:
    """Draw straight-edged surfaces of all sizes and a few lines, like walls, shelves or streets."""
    image = _shades(rng, size)
    draw = ImageDraw.Draw(image)
    width, height = size
    lean = float(rng.normal(0, 0.15))
    for _ in range(int(rng.integers(4, 26))):
        x, y = float(rng.uniform(-0.2, 1)) * width, float(rng.uniform(-0.2, 1)) * height
        w, h = float(rng.uniform(0.02, 0.7)) * width, float(rng.uniform(0.02, 0.7)) * height
        red, green, blue = palette(rng, 1)[0].astype(int)
        corners = [
            (x, y + lean * x),
            (x + w, y + lean * (x + w)),
            (x + w, y + h + lean * (x + w)),
            (x, y + h + lean * x),
        ]
        draw.polygon(corners, fill=(int(red), int(green), int(blue)))
        if rng.random() < 0.3:
            draw.line([corners[0], corners[2]], fill=(int(blue), int(red), int(green)), width=int(rng.integers(1, 8)))
    return _grained(image, clouds(rng, size, finest=240), float(rng.uniform(3, 22)))


def _joined(rng: Rng, first: Image.Image, second: Image.Image) -> Image.Image:
    """Paste the second image over part of the first, with a sharp or soft edge."""
    field = clouds(rng, first.size, finest=8) + np.float32(rng.normal(0, 0.5))
    first.paste(second, (0, 0), Image.fromarray(np.clip(field * rng.choice([60, 2000]) + 128, 0, 255).astype(np.uint8)))
    return first


def _grained(image: Image.Image, field: Colors, strength: float) -> Image.Image:
    grain = Image.fromarray(np.clip(field * np.float32(strength) + 128, 0, 255).astype(np.uint8))
    return ImageChops.add(image, Image.merge("RGB", (grain, grain, grain)), 1, -128)


def _draw_figure(
    rng: Rng, draw: ImageDraw.ImageDraw, rectangle: tuple[float, float, float, float], fill: tuple[int, ...]
) -> None:
    x0, y0, x1, y1 = rectangle
    kind = rng.random()
    if kind < 0.3:
        draw.ellipse(rectangle, fill=fill)
    elif kind < 0.4:
        draw.ellipse(rectangle, outline=fill, width=max(1, int((x1 - x0) * rng.uniform(0.05, 0.25))))
    else:
        corners = int(rng.integers(3, 9))
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        lengths = rng.uniform(0.5, 1.0, corners) if rng.random() < 0.7 else np.resize([1.0, 0.45], corners)
        xs = (x0 + x1) / 2 + (x1 - x0) / 2 * lengths * np.cos(angles)
        ys = (y0 + y1) / 2 + (y1 - y0) / 2 * lengths * np.sin(angles)
        draw.polygon(list(zip(xs.tolist(), ys.tolist(), strict=True)), fill=fill)


def _writing(rng: Rng, colors: Colors, side: int = _SIDE) -> Image.Image:
    image = Image.new("RGBA", (side, side * 3 // 4))
    draw = ImageDraw.Draw(image)
    lines = int(rng.integers(1, 4))
    each = image.height / lines
    font = ImageFont.load_default(max(10.0, each * float(rng.uniform(0.6, 0.95))))
    for line in range(lines):
        word = "".join(rng.choice(list(_LETTERS), int(rng.integers(2, 3 + 3 * lines))))
        bold = int(rng.integers(0, 3))
        draw.text((1, line * each), word, font=font, fill=_rgba(colors[line % len(colors)]), stroke_width=bold)
    return image


def _rgba(color: Colors) -> tuple[int, int, int, int]:
    red, green, blue = (int(value) for value in color)
    return red, green, blue, 255
