"""The finish that makes a drawing a photo: glow, vignette, colour cast, grain."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from customlabels_nb.examples._drawing import OVERSAMPLE, Colour, Scene

_BRIGHTEST = 767  # before the film's curve


def photograph(
    scene: Scene,
    size: tuple[int, int],
    *,
    tint: Colour = (1.0, 1.0, 1.0),
    exposure: float = 1.0,
    vignette: float = 0.25,
    grain: float = 2.5,
    bloom: float = 0.25,
    soft: bool = False,
) -> Image.Image:
    """Scale the canvas down to ``size`` and give it a lens and a sensor: glow, vignette, colour cast, grain."""
    rng = scene.rng
    photo = scene.image.resize(size, Image.Resampling.BILINEAR) if soft else scene.image.reduce(OVERSAMPLE)
    small = photo.resize((max(1, size[0] // 8), max(1, size[1] // 8)), Image.Resampling.BOX)
    halo = np.clip(np.asarray(small, dtype=np.float32) - 190, 0, None) * (2.4 * bloom)
    ys, xs = np.mgrid[0 : small.height, 0 : small.width]
    for (x, y), radius, colour in scene.glows:
        shrink = small.width / scene.size[0]
        squared = ((xs + 0.5 - x * shrink) ** 2 + (ys + 0.5 - y * shrink) ** 2) / max(0.5, radius * shrink) ** 2
        halo += np.exp(-squared)[..., None] * np.array(colour, dtype=np.float32)
    light = Image.fromarray(np.clip(halo, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(small.width / 40))
    centre_x, centre_y = rng.uniform(0.4, 0.6, 2)
    dx, dy = xs / small.width - centre_x, ys / small.height - centre_y
    lens = exposure * (1 - vignette * np.clip((dx**2 + dy**2) / 0.4, 0, 1.3) ** 1.3)
    factor = Image.fromarray(np.clip(lens * 128, 0, 255).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
    pixels = np.asarray(photo).astype(np.float32)
    pixels += np.asarray(light.resize(size, Image.Resampling.BILINEAR))
    pixels *= (np.asarray(factor).astype(np.float32) / 128)[..., None]
    half = rng.standard_normal(((size[1] + 1) // 2, size[0]), dtype=np.float32) * np.float32(grain)
    pixels += np.concatenate([half, half[::-1, ::-1]])[: size[1], :, None]
    np.clip(pixels, 0, _BRIGHTEST, out=pixels)
    levels = pixels.astype(np.uint16)
    return Image.fromarray(np.stack([_film(share)[levels[..., k]] for k, share in enumerate(tint)], axis=2))


def _film(gain: float) -> np.ndarray:
    """What becomes of each brightness times ``gain``: highlights roll off towards white instead of breaking."""
    values = np.arange(_BRIGHTEST + 1) * gain
    over = np.maximum(values - 215, 0)
    return (values - over + 40 * over / (over + 40)).astype(np.uint8)
