"""Pictures of nothing but a logo: as a brand hands them out, and on a sheet of paper."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from customlabels_nb.examples._drawing import OVERSAMPLE, Camera, Colour, Light, Scene, mix, rgb, vary
from customlabels_nb.examples._photo import photograph
from customlabels_nb.examples._shapes import Frame
from customlabels_nb.examples.logos._marks import BRANDS, WHITE, Inks, logo
from customlabels_nb.examples.logos._stage import on_panel, on_top, print_mark

_TINTS = (rgb("f3e4c8"), rgb("dcebe6"), rgb("e9e2f0"), rgb("f7dcd2"), rgb("d9e4f2"))
_STRONG = (rgb("22303f"), rgb("3c2a45"), rgb("1f3d36"), rgb("7a2e28"), rgb("2b2b2e"))


def sheet(brand: str, look: int, rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A logo alone, square; ``look`` counts through the ways in which it is shown."""
    side = min(size)
    kind = look % 7
    if kind == 6:
        return _paper(brand, rng, (side, side))
    canvas = (side * OVERSAMPLE, side * OVERSAMPLE)
    scene = Scene(canvas, Camera((0, 0, 0), 0, 0, 0, 1.0, canvas), Light((1, 1, 1), (0, 0, 0)), rng)
    known = BRANDS[brand]
    ground, inks = (
        (WHITE, known.light),
        (_one_of(rng, _TINTS), known.light),
        (_one_of(rng, _STRONG), known.dark),
        (rgb("f6f2e9"), Inks(*[rgb("26292e")] * 3)),
        (WHITE, known.light),
        (mix(known.light.main, rgb("101418"), 0.12), Inks(WHITE, WHITE, WHITE)),
    )[kind]
    ground = WHITE if ground is WHITE else vary(ground, rng, 0.02)
    scene.image.paste(tuple(round(c) for c in ground), (0, 0, *canvas))
    turn = float(rng.normal(0, 0.12)) if kind in (1, 4) else 0.0
    mark = logo(brand, inks, word=bool(kind in (1, 4) or (kind == 2 and look >= 7)))
    print_mark(scene, mark, on_panel(Frame(scene, (0, 0, 1)), 0, 0, 0, float(rng.uniform(0.33, 0.42)), turn), lit=False)
    return scene.image.reduce(OVERSAMPLE)


def _one_of(rng: np.random.Generator, tones: tuple[Colour, ...]) -> Colour:
    return tones[int(rng.integers(len(tones)))]


def _paper(brand: str, rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A printed sheet, photographed from nearly above: it fills the picture."""
    canvas = (size[0] * OVERSAMPLE, size[1] * OVERSAMPLE)
    eye = (float(rng.uniform(-0.2, 0.2)), 1.15, -0.35)
    camera = Camera(eye, 0, -math.degrees(math.atan2(1.15, 0.35)), float(rng.normal(0, 6)), 0.95, canvas)
    lamp = (float(rng.choice([-1.2, 1.2])), 1.6, 0.6)
    scene = Scene(canvas, camera, Light((0.66, 0.66, 0.68), (0.34, 0.32, 0.29), lamp, 3.0), rng)
    scene.face([(-3, 0, -0.8), (3, 0, -0.8), (3, 0, 3), (-3, 0, 3)], vary(rgb("f2efe8"), rng, 0.02))
    known = BRANDS[brand]
    inks = Inks(*(mix(tone, WHITE, 0.08) for tone in (known.light.main, known.light.second, known.light.accent)))
    place = on_top(Frame(scene, (eye[0], 0, 0)), 0, 0, 0, float(rng.uniform(0.34, 0.42)), float(rng.normal(0, 0.1)))
    print_mark(scene, logo(brand, inks, word=bool(rng.random() < 0.5)), place, share=0.95)
    return photograph(scene, size, vignette=0.15, grain=2.0, bloom=0.1)
