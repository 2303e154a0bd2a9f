"""The five kinds of flowers: blooms and buds in their own frame, about one unit across from the middle outwards."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from customlabels_nb.examples._drawing import Colour, dim, mix, rgb, vary
from customlabels_nb.examples.flowers._meshes import Form, Mesh, Tint, frame, place, scatter, whorl

_GREEN = rgb("7f9c4f")
_CENTRE = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Species:
    """A kind of flower.

    Attributes
    ----------
    head : callable
        ``head(rng, colour, open)`` gives what stands at the end of the stem; ``open`` runs from 0, a closed bud, to
        1, in full bloom.
    colours : tuple of Colour
        What its petals may be.
    leaf : Form
        Its leaves, where the head is one unit across from the middle.
    green : Colour
        Their colour.
    gloss : float
        How shiny they are.
    stem : Colour
        The stalk's colour.
    spire : bool
        Whether the head stands along the stem and is seen from the side.
    bunch : tuple of int
        How many heads sit together, from and to.
    """

    head: Callable[[np.random.Generator, Colour, float], list[Mesh]]
    colours: tuple[Colour, ...]
    leaf: Form
    green: Colour
    gloss: float
    stem: Colour
    spire: bool = False
    bunch: tuple[int, int] = (1, 1)


def leaves(rng: np.random.Generator, species: Species, count: int, size: float = 1.0) -> Mesh:
    """``count`` leaves round an axis."""
    form = replace(
        species.leaf,
        length=species.leaf.length * size,
        width=species.leaf.width * size * float(rng.uniform(0.85, 1.15)),
        bend=species.leaf.bend + float(rng.normal(0, 12)),
    )
    green = vary(species.green, rng, 0.1)
    tint = Tint(dim(green, 0.95), green, dim(green, 0.9), streaks=0.03, shade=0.2, veins=0.13)
    return whorl(
        rng, form, tint, count, turn=rng.uniform(0, 360), loose=1.6, grid=(13, 5), gloss=species.gloss, through=0.55
    )


def _between(closed: float, full: float, share: float) -> float:
    return closed + (full - closed) * share


def _sepals(rng: np.random.Generator, length: float, width: float, tilt: float, lift: float = -0.05) -> Mesh:
    green = vary(_GREEN, rng)
    form = Form(length, width, tilt, -25, 90, 0.5, 0.6, lift=lift)
    return whorl(rng, form, Tint(dim(green, 0.85), green, dim(green, 1.15)), 5, grid=(5, 4), through=0.2)


def _camellia(rng: np.random.Generator, colour: Colour, open_: float) -> list[Mesh]:
    meshes = [_sepals(rng, 0.42, 0.42, _between(45, 100, open_))]
    double = rng.random() < 0.6
    rings = 6 if double else 3
    pale = mix(colour, (255, 250, 245), float(rng.uniform(0.1, 0.35)))
    tint = Tint(dim(colour, 0.74), colour, pale, throat=0.6, streaks=0.03, shade=0.55)
    size = _between(0.62, 1.0, open_)
    for ring in range(rings):
        share = ring / (rings - 1)
        inner = 0.72 if double else 0.35
        full = _between(88, 88 - 75 * inner, share)
        form = Form(
            length=size * _between(1.0, 1.0 - inner, share),
            width=size * _between(0.86, 0.42 if double else 0.7, share),
            tilt=_between(46 - 20 * share, full, open_**0.8),
            bend=_between(-82, 6 + 16 * share, open_**0.8),
            cup=_between(150, 55 + 30 * share, open_),
            base=0.75,
            tip=0.42,
            ripple=0.05 * open_,
            lift=0.04 * ring,
        )
        count = 7 if ring < 2 else 6 if ring < 4 else 5
        meshes.append(whorl(rng, form, tint, count, turn=rng.uniform(0, 360)))
    if not double and open_ > 0.4:
        gold = Tint(rgb("e9dfa0"), rgb("e8c95a"), rgb("e5a92c"), throat=0.6, shade=0.1)
        for tilt, length in ((32, 0.42), (20, 0.42), (8, 0.4)):
            form = Form(length, 0.05, tilt, -10, 40, 0.2, 0.2, start=0.03, lift=0.1)
            meshes.append(whorl(rng, form, gold, 16, turn=rng.uniform(0, 60), grid=(4, 3), loose=1.5))
    return meshes


def _jonquil(rng: np.random.Generator, colour: Colour, open_: float) -> list[Mesh]:
    size = _between(0.75, 1.0, open_)
    greenish = mix(colour, rgb("b9c25a"), 0.55 * (1 - open_))
    tint = Tint(mix(greenish, rgb("c9c860"), 0.5), greenish, mix(greenish, (255, 255, 245), 0.15), 0.3, 0.03, 0.25)
    meshes = []
    for turn, lift in ((0, 0.0), (60, 0.03)):
        form = Form(
            size,
            size * 0.5,
            _between(13, 86, open_),
            _between(-20, 8, open_),
            _between(150, 22, open_),
            0.6,
            0.6,
            ripple=0.04,
            lift=lift,
        )
        meshes.append(whorl(rng, form, tint, 3, turn=turn, grid=(11, 7)))
    if open_ > 0.3:
        cup = vary(rgb("f2a62c" if rng.random() < 0.65 else "f4cf3c"), rng, 0.08)
        deep = dim(cup, 0.72)
        form = Form(
            0.42 * size,
            0.2,
            _between(2, 16, open_),
            _between(0, 24, open_),
            60,
            0.15,
            0.12,
            ripple=0.12,
            start=_between(0.0, 0.17, open_),
            lift=0.02,
        )
        crown = Tint(deep, cup, mix(cup, rgb("f0702a"), 0.45), throat=0.7, shade=0.35)
        meshes.append(whorl(rng, form, crown, 9, grid=(6, 5), loose=0.4))
        pollen = Form(0.3, 0.06, 8, 0, 40, 0.2, 0.2, start=0.03)
        meshes.append(whorl(rng, pollen, Tint(deep, rgb("f0d060"), rgb("f5e08a")), 5, grid=(3, 3)))
    brown = vary(rgb("c2a878"), rng)
    neck = vary(_GREEN, rng)
    meshes.append(whorl(rng, Form(0.45, 0.12, 178, 0, 170, 0.1, 0.1, start=0.06), Tint(neck, neck, neck), 5))
    sheath = Form(0.62, 0.24, 168, 12, 120, 0.5, 0.9, start=0.09)
    meshes.append(whorl(rng, sheath, Tint(dim(brown, 0.8), brown, brown), 1, turn=rng.uniform(0, 360)))
    return meshes


def _frangipani(rng: np.random.Generator, colour: Colour, open_: float) -> list[Mesh]:
    gold = rgb("f3b92f") if sum(colour) > 520 else rgb("e8803a")
    rim = mix(colour, rgb("e88fa8"), float(rng.choice([0.0, 0.0, 0.35])))
    tint = Tint(gold, mix(colour, rgb("d9cf9a"), 0.4 * (1 - open_)), rim, _between(0.25, 0.55, open_), 0.02, 0.12)
    size = _between(0.85, 1.0, open_)
    form = Form(
        size,
        size * _between(0.42, 0.78, open_),
        _between(9, 74, open_),
        _between(-12, 22, open_),
        _between(170, 28, open_),
        1.0,
        0.45,
        lift=0.0,
        twist=_between(0.5, 0.34, open_),
    )
    meshes = [whorl(rng, form, tint, 5, turn=rng.uniform(0, 72), grid=(11, 8))]
    tube = vary(rgb("dfe0b0"), rng)
    meshes.append(whorl(rng, Form(0.42, 0.1, 178, 0, 170, 0.1, 0.1, start=0.06), Tint(tube, tube, tube), 5))
    return meshes


def _bougainvillea(rng: np.random.Generator, colour: Colour, open_: float) -> list[Mesh]:
    young = mix(colour, rgb("9aa85a"), 0.5 * (1 - open_))
    tint = Tint(mix(young, rgb("b7c07a"), 0.35), young, mix(young, (255, 240, 250), 0.12), 0.25, 0.07, 0.2, 0.07)
    size = _between(0.62, 1.0, open_)
    form = Form(
        size,
        size * _between(0.5, 0.92, open_),
        _between(10, 58, open_),
        _between(-26, 18, open_),
        _between(120, 40, open_),
        0.5,
        0.72,
        ripple=0.06,
    )
    meshes = [whorl(rng, form, tint, 3, turn=rng.uniform(0, 120), grid=(11, 8), through=0.6)]
    if open_ > 0.5:
        cream = rgb("fbf6dc")
        neck = Tint(mix(colour, _GREEN, 0.4), mix(colour, cream, 0.3), cream)
        for turn in (60, 180, 300):
            axes = frame((math.cos(math.radians(turn)) * 0.3, math.sin(math.radians(turn)) * 0.3, 1))
            stalk = whorl(rng, Form(0.5, 0.09, 4, 0, 120, 0.1, 0.1, start=0.03), neck, 4, grid=(3, 3))
            meshes.append(place(stalk, _CENTRE, axes))
            if rng.random() < 0.75:
                star = whorl(rng, Form(0.17, 0.11, 80, 0, 20), Tint(rgb("d8d98a"), cream, cream), 5, grid=(4, 3))
                meshes.append(place(star, 0.5 * axes[2], axes))
    return meshes


def _lilac(rng: np.random.Generator, colour: Colour, open_: float) -> list[Mesh]:
    """A panicle of little crosses, from the bottom up along the axis; what hasn't opened is a bead."""
    count = int(_between(170, 110, open_) * rng.uniform(0.9, 1.15))
    high = np.sort(rng.uniform(0, 1, count))
    around = rng.uniform(0, 2 * math.pi, count)
    wide = 0.52 * _between(0.5, 1.0, open_) * (1 - high) ** 0.7 * (1 - 0.45 * (1 - np.clip(high / 0.18, 0, 1)) ** 2)
    out = wide * rng.uniform(0.75, 1.08, count)
    ats = np.stack([out * np.cos(around), out * np.sin(around), high * _between(1.45, 1.9, open_) - 0.75], axis=1)
    looks = np.stack([np.cos(around), np.sin(around), 0.1 + 0.8 * high], axis=1) + rng.normal(0, 0.25, (count, 3))
    axes = np.stack([frame(look, float(turn)) for look, turn in zip(looks, rng.uniform(0, 90, count), strict=True)])
    bloomed = high + rng.normal(0, 0.1, count) < _between(-0.25, 1.05, open_)
    sizes, shades = rng.normal(1, 0.1, count), rng.normal(1, 0.09, count)
    dark = mix(dim(colour, 0.88), rgb("8f4fae" if sum(colour) < 620 else "b9bd7a"), 0.35)
    dark = mix(dark, rgb("8f9a5a"), 0.16 * (1 - open_))
    cross = whorl(
        rng,
        Form(0.19, 0.15, 78, 14, -30, 0.8, 0.55),
        Tint(mix(dark, rgb("f0e090"), 0.25), colour, mix(colour, (255, 255, 255), 0.25), 0.3, 0.05, 0.3),
        4,
        grid=(4, 3),
    )
    bead = whorl(rng, Form(0.17, 0.15, 38, -75, 130, 0.6, 0.5), Tint(dim(dark, 0.8), dark, dark), 3, grid=(4, 3))
    neck = whorl(rng, Form(0.16, 0.03, 176, 0, 120, 0.1, 0.1, start=0.02), Tint(dark, dark, dark), 2, grid=(3, 3))
    closed = ~bloomed
    core = whorl(
        rng,
        Form(_between(1.1, 1.5, open_), 0.26, 3, -6, 160, 0.3, 0.8, start=0.1, lift=-0.7),
        Tint(dim(dark, 0.5), dim(dark, 0.6), dim(dark, 0.6)),
        5,
        grid=(6, 3),
    )
    meshes = [core, scatter(neck, ats, axes, sizes, shades)]
    for kind, which in ((cross, bloomed), (bead, closed)):
        if which.any():
            meshes.append(scatter(kind, ats[which], axes[which], sizes[which], shades[which]))
    return meshes


def _colours(words: str) -> tuple[Colour, ...]:
    return tuple(rgb(word) for word in words.split())


SPECIES = {
    "bougainvillea": Species(
        _bougainvillea,
        _colours("c8246f b01c8a e0558e d8392f ea8a4a f3e6e4"),
        Form(1.0, 0.66, 84, 22, 50, 0.5, 0.85, start=0.2),
        rgb("5f8f3e"),
        0.12,
        rgb("7d6a4a"),
        bunch=(6, 12),
    ),
    "camellia": Species(
        _camellia,
        _colours("c2243f e2628a f0a9bb f6ece6 b51f5c f3d7d6"),
        Form(1.5, 0.78, 86, 26, 55, 0.55, 0.8, start=0.3),
        rgb("2f5f33"),
        0.5,
        rgb("6f5a42"),
    ),
    "common_lilac": Species(
        _lilac,
        _colours("b08fd0 9468b8 d3a8d8 f2eef2 c46aa8"),
        Form(1.05, 0.82, 84, 20, 45, 0.4, 0.9, start=0.25),
        rgb("5a8a45"),
        0.15,
        rgb("7a6a4c"),
        spire=True,
        bunch=(1, 2),
    ),
    "frangipani": Species(
        _frangipani,
        _colours("fbf5ea fbf5ea f7dfe0 ec9aae f6e6a4 d9506e"),
        Form(2.1, 0.66, 82, 18, 40, 0.8, 0.75, start=0.2),
        rgb("4f8440"),
        0.3,
        rgb("9a9484"),
        bunch=(2, 5),
    ),
    "jonquil": Species(
        _jonquil,
        _colours("f6d23a f6d23a f8efc8 faf6ec f3bd2e"),
        Form(3.0, 0.2, 22, 34, 60, 0.12, 0.8, start=0.1),
        rgb("6f9a62"),
        0.1,
        rgb("7fa25c"),
        bunch=(1, 3),
    ),
}
