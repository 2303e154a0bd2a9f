"""A scene that remembers where its logos are: signs are put on surfaces, and what hides them later is found out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from customlabels_nb.examples._drawing import OVERSAMPLE, Colour, Flat, Point, Scene, dim, ink
from customlabels_nb.examples._picture import Box
from customlabels_nb.examples._shapes import Frame, Palette
from customlabels_nb.examples.logos._marks import Mark, decoy, inks_for, logo

LEAST = 4  # pixels: a logo of which less is seen in width or height has no box
_LEAST_SHARE = 0.12  # of a logo that must be seen for it to have one
_COLUMNS = 9  # of light across a mark

Place = Callable[[float, float], Point]


@dataclass(frozen=True)
class _Print:
    """A logo on the canvas: which pixels it covers, and what the canvas was like once it was on."""

    label: str
    left: int
    top: int
    mask: np.ndarray
    after: np.ndarray


@dataclass
class Stage:
    """A scene, and the signs that have yet to be put up in it; those that are None are none of the brands."""

    scene: Scene
    kit: Palette
    mood: str
    signs: list[str | None]
    _prints: list[_Print] = field(default_factory=list)

    @property
    def rng(self) -> np.random.Generator:
        return self.scene.rng

    def some(self, low: float, high: float) -> float:
        """A number between those two."""
        return float(self.rng.uniform(low, high))

    def one_of(self, *tones: Colour) -> Colour:
        """One of the colours."""
        return tones[int(self.rng.integers(len(tones)))]

    def bearing(self, signs: Sequence[str | None], paint: Callable[[Stage, Frame], None]) -> Callable[[Frame], None]:
        """``paint`` with those signs, whenever it is that things are painted."""

        def painted(f: Frame) -> None:
            self.signs = list(signs)
            paint(self, f)

        return painted

    def sign(
        self,
        place: Place,
        ground: Colour,
        *,
        lit: bool = True,
        word: float = 0.2,
        ink_share: float = 1.0,
        over: Callable[[], None] | None = None,
    ) -> None:
        """Put up the next sign, or, when all are, now and then something else.

        Parameters
        ----------
        place : callable
            From the mark's coordinates (-1 to 1, y up) to the world's.
        ground : Colour
            What it is printed on.
        lit : bool
            False for what shines by itself.
        word : float
            How often the name is a part of the logo.
        ink_share : float
            How much of the ground the print hides, 0 to 1.
        over : callable, optional
            Paints what lies on the print without hiding it: folds, reflections.
        """
        if self.signs:
            label = self.signs.pop(0)
        elif self.rng.random() < 0.3:
            label = None
        else:
            return
        if label is None:
            mark = decoy(ground, self.rng)
        else:
            mark = logo(label, inks_for(label, ground, self.rng), word=bool(self.rng.random() < word))
        print_mark(self.scene, mark, place, lit=lit, share=ink_share)
        if over:
            over()
        if label is not None:
            self.note(label, mark, place)

    def note(self, label: str, mark: Mark, place: Place) -> None:
        """Remember where a logo is; all that is painted from now on hides it."""
        found = _masks(self.scene, mark, place)
        if found is None:
            return
        left, top, masks = found
        mask = np.maximum.reduce([np.asarray(one) for one in masks]) > 127
        box = (left, top, left + mask.shape[1], top + mask.shape[0])
        self._prints.append(_Print(label, left, top, mask, np.asarray(self.scene.image.crop(box))))

    def boxes(self) -> tuple[Box, ...]:
        """What is seen of each logo, in pixels of the finished picture."""
        found = []
        for one in self._prints:
            high, wide = one.mask.shape
            now = np.asarray(self.scene.image.crop((one.left, one.top, one.left + wide, one.top + high)))
            seen = one.mask & (now == one.after).all(axis=2)
            if seen.sum() < _LEAST_SHARE * one.mask.sum() or not seen.any():
                continue
            xs, ys = np.flatnonzero(seen.any(axis=0)), np.flatnonzero(seen.any(axis=1))
            width, height = (int(side[-1] - side[0] + 1) / OVERSAMPLE for side in (xs, ys))
            if min(width, height) >= LEAST:
                left, top = (one.left + int(xs[0])) / OVERSAMPLE, (one.top + int(ys[0])) / OVERSAMPLE
                found.append(Box(one.label, left, top, width, height))
        return tuple(found)


def print_mark(scene: Scene, mark: Mark, place: Place, *, lit: bool = True, share: float = 1.0) -> None:
    """Paint a mark where ``place`` has it, in the light that falls there."""
    found = _masks(scene, mark, place)
    if found is None:
        return
    left, top, masks = found
    size = masks[0].size
    light = [_light(scene, place, x) if lit else (1.0, 1.0, 1.0) for x in np.linspace(-1, 1, _COLUMNS).tolist()]
    for layer, mask in zip(mark, masks, strict=True):
        row = [ink((layer.colour[0] * r, layer.colour[1] * g, layer.colour[2] * b))[:3] for r, g, b in light]
        strip = Image.fromarray(np.array([row], dtype=np.uint8)).resize(size, Image.Resampling.BILINEAR)
        scene.image.paste(strip, (left, top), mask.point([round(v * share) for v in range(256)]) if share < 1 else mask)


def _masks(scene: Scene, mark: Mark, place: Place) -> tuple[int, int, list[Image.Image]] | None:
    """The part of the canvas that a mark lies on (left, top), and the pixels of each of its layers."""
    flats: list[list[tuple[list[Flat], bool]]] = []
    for layer in mark:
        flats.append([(scene.camera.project([place(x, y) for x, y in o]), hole) for o, hole in layer.outlines])
    points = np.array([p for layer in flats for outline, hole in layer if not hole for p in outline])
    if not len(points):
        return None
    low = np.maximum(np.floor(points.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0)) + 1, scene.size).astype(int)
    if (high <= low).any():
        return None
    (left, top), (width, height) = low.tolist(), (high - low).tolist()
    masks = []
    for outlines in flats:
        mask = Image.new("L", (width, height))
        pen = ImageDraw.Draw(mask)
        for outline, hole in outlines:
            if len(outline) > 2:
                pen.polygon([(x - left, y - top) for x, y in outline], fill=0 if hole else 255)
        masks.append(mask)
    return left, top, masks


def _light(scene: Scene, place: Place, x: float) -> Colour:
    at, right, up = (np.array(place(*p)) for p in ((x, 0.0), (x + 0.02, 0.0), (x, 0.02)))
    normal = np.cross(right - at, up - at)
    normal /= np.linalg.norm(normal) + 1e-12
    if normal @ (at - scene.camera.eye) > 0:
        normal = -normal
    return scene.light.at(at.tolist(), normal.tolist())


def on_panel(f: Frame, u: float, v: float, w: float, size: float, turn: float = 0.0) -> Place:
    """Upright in a frame, ``size`` from the middle to the edge; turned by radians."""
    c, s = np.cos(turn).item() * size, np.sin(turn).item() * size
    return lambda x, y: f.at(u + c * x - s * y, v + s * x + c * y, w)


def on_top(f: Frame, u: float, v: float, w: float, size: float, turn: float = 0.0) -> Place:
    """Lying in a frame, its upper side away from whoever faces the frame."""
    c, s = np.cos(turn).item() * size, np.sin(turn).item() * size
    return lambda x, y: f.at(u + c * x - s * y, v, w - s * x - c * y)


def on_round(f: Frame, radius: float, v: float, size: float, angle: float = 0.0, taper: float = 0.0) -> Place:
    """Around an upright cylinder at the frame's origin, ``angle`` radians from the front, ``taper`` wider above."""

    def place(x: float, y: float) -> Point:
        r = radius + taper * y * size
        a = angle + x * size / radius
        return f.at(np.sin(a).item() * r, v + y * size, np.cos(a).item() * r)

    return place


def on_ball(f: Frame, radius: float, v: float, size: float, rise: float, stretch: float = 1.0) -> Place:
    """On a ball around (0, v, 0), ``rise`` radians above its front."""

    def place(x: float, y: float) -> Point:
        a, b = x * size / radius, rise + y * size / radius
        return f.at(
            radius * np.sin(a).item() * np.cos(b).item(),
            v + radius * stretch * np.sin(b).item(),
            radius * np.cos(a).item() * np.cos(b).item(),
        )

    return place


def shade(colour: Colour, stage: Stage) -> Colour:
    """The colour as it looks at night and by day where no light is worked out."""
    return dim(colour, 0.55) if stage.mood == "night" else colour
