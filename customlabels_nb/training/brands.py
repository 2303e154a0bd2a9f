"""Logo (brand) detection: train a detector on synthetic scenes composed of images that show one logo each.

The logos are cut out (:mod:`customlabels_nb.training.trimming`) and pasted on synthetic backgrounds or crops of photos
(:mod:`customlabels_nb.training.pasting`). Each scene is created on demand, from its number and epoch alone.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import ImageError, InputError, NotEnoughDataError
from customlabels_nb.events import Events
from customlabels_nb.images.reading import open_image
from customlabels_nb.remote.download_cache import connections
from customlabels_nb.training.backdrops import Pixels, Rng, draw_backdrop, draw_shape, shuffle_pieces
from customlabels_nb.training.pasting import Color, Logo, Sticker, compose
from customlabels_nb.training.scene_sources import SceneSource, TrainingScene
from customlabels_nb.training.trimming import Ground, describe_grounds, read_cutout
from customlabels_nb.user_settings import settings

#: Scenes per epoch.
EPOCH = 512
#: Longest side of a scene in pixels.
SIZE = 416
#: Share of the scenes that show no logo.
NEGATIVES = 0.12
#: Memory limit for cut-outs and decoded backgrounds. Those that do not fit are created again when needed.
CACHE_BYTES = 256 * 2**20
#: Share of the scenes whose background is a crop of one of the user's photos, if the user has any.
PHOTOS = 0.7
#: Largest share of real images with boxes in a mixed epoch, and largest number of repetitions of each.
REAL_SHARE, REAL_TURNS = 0.5, 8

_MOST_LOGOS = 4
_SAME_LABEL = 0.3  # probability that another logo in the scene has the same label as the first
_SHAPES = (1.0, 1.0, 4 / 3, 3 / 2, 3 / 4, 16 / 9)  # ratios of width to height
_OTHERS = 4  # largest number of distractors in a scene
_OTHER_KINDS = 256
_PHOTOS_AN_EPOCH = 48  # decoded per epoch; the next epoch uses other photos
_SAME_GROUND = 24.0  # grey levels; backgrounds that differ by less count as the same color
_LOUD_GROUND = 60.0  # grey levels between the strongest and the weakest channel
_PICTURES_TO_TELL = 3
_LEAST_CHANGE = 25.0  # mean difference in grey levels between a logo and its shuffled pieces

Value = TypeVar("Value")


class BrandScenes:
    """Scene source that pastes logos at random sizes, positions and rotations, with the boxes around them.

    A scene depends only on its index, the epoch, the images, the labels and the seed. The first logo in scene ``i`` has
    the label at position ``i`` modulo the number of labels, so all labels are equally frequent, however many images
    each label has.

    Backgrounds are cropped from images without any of the logos, never from test images. ``events`` receives the
    progress of cutting out the logos, which happens in the constructor. ``composed`` is always True: a scene already
    shows several objects, so it is not combined into a mosaic. Nor is it mirrored, because a mirrored logo is a
    different logo.
    """

    composed = True

    def __init__(
        self,
        logos: Sequence[tuple[str, str]],
        labels: Sequence[str],
        *,
        backgrounds: Sequence[str] | None = None,
        root: Path | None = None,
        random_state: int = 0,
        size: int = SIZE,
        length: int = EPOCH,
        cache_bytes: int = CACHE_BYTES,
        events: Events | None = None,
        masks: bool = False,
    ) -> None:
        unknown = sorted({label for _, label in logos} - set(labels))
        if unknown:
            raise InputError(f"logos contains the label {unknown[0]!r}, which is not in labels={list(labels)!r}.")
        if size < 64 or length < 1:
            raise InputError(f"size={size!r} must be at least 64 and length={length!r} at least 1.")
        self.facts: dict[str, Any] = {
            "logos": list(logos), "labels": list(labels), "backgrounds": list(backgrounds or ()), "root": root,
            "random_state": random_state, "size": size, "length": length, "cache_bytes": cache_bytes, "masks": masks,
        }  # fmt: skip
        self.issues: list[Issue] = []
        self._root, self._seed, self._size, self._length, self._masks = root, random_state, size, length, masks
        self._backgrounds = list(backgrounds or ())
        np.random.default_rng(random_state).shuffle(self._backgrounds)  # neighbours in a folder are similar
        self._kept = _Kept(cache_bytes)
        position = {label: i for i, label in enumerate(labels)}
        cut_outs = self._cut_out_logos([(image, position[label]) for image, label in logos], events or Events())
        self._present = sorted({seen.label for seen in cut_outs})
        self._images = {label: [seen.image for seen in cut_outs if seen.label == label] for label in self._present}
        self._with_ground = _labels_with_their_ground(cut_outs)
        self.notes = self._describe_logos(labels, [label for _, label in logos], cut_outs)

    def __len__(self) -> int:
        return self._length

    def labels_of(self, index: int) -> npt.NDArray[np.int64]:
        """Return the label of a scene's first logo, the same in every epoch in which the scene shows a logo."""
        return np.array([self._first_label(index)], dtype=np.int64)

    def load(self, index: int, epoch: int) -> TrainingScene | None:
        """Compose a scene of an epoch. None, with an issue, if an image can no longer be read."""
        rng = np.random.default_rng([self._seed, epoch, index])
        shape = float(rng.choice(_SHAPES))
        size = round(self._size * min(1.0, shape)), round(self._size / max(1.0, shape))
        try:
            logos = [
                (label, self._logo(str(rng.choice(self._images[label])), label)) for label in self._draw(rng, index)
            ]
            others = [self._other(int(rng.integers(_OTHER_KINDS))) for _ in range(int(rng.integers(_OTHERS + 1)))]
            backdrop = draw_backdrop(rng, size, self._photo(rng, epoch))
            return compose(rng, backdrop, logos, others, masks=self._masks)
        except ImageError as error:
            self._note(error)
            return None

    def _draw(self, rng: Rng, index: int) -> list[int]:
        """Draw random labels for the logos in a scene."""
        if rng.random() < NEGATIVES:
            return []
        first = self._first_label(index)
        more = min(_MOST_LOGOS, int(rng.geometric(0.5))) - 1
        return [first, *(first if rng.random() < _SAME_LABEL else int(rng.choice(self._present)) for _ in range(more))]

    def _first_label(self, index: int) -> int:
        return self._present[index % len(self._present)]

    def _logo(self, image: str, label: int) -> Logo:
        whole = label in self._with_ground

        def cut() -> Logo:
            return Logo.of(read_cutout(image, self._root, keep_ground=whole))

        return self._kept.get((image, whole), cut, lambda logo: logo.bytes)

    def _other(self, number: int) -> Sticker:
        """Return a distractor: a drawn shape, or a logo with its pieces shuffled."""

        def make() -> Sticker:
            rng = np.random.default_rng([self._seed, _OTHER_KINDS, number])
            if number % 4 == 0:
                label = int(rng.choice(self._present))
                images = self._images[label]
                logo = self._logo(images[int(rng.integers(len(images)))], label).closed
                pixels = np.asarray(logo.levels[min(1, len(logo.levels) - 1)])
                mixed = shuffle_pieces(rng, pixels)
                change = np.abs(mixed.astype(np.int16) - pixels[: mixed.shape[0], : mixed.shape[1]]).mean()
                if change >= _LEAST_CHANGE:
                    return Sticker.of(mixed)
            return Sticker.of(draw_shape(rng))

        return self._kept.get(number, make, lambda sticker: sticker.bytes)

    def _photo(self, rng: Rng, epoch: int) -> Pixels | None:
        """Choose one of this epoch's background photos, or return None for a drawn background."""
        if not self._backgrounds or rng.random() >= PHOTOS:
            return None
        turn = epoch * _PHOTOS_AN_EPOCH + int(rng.integers(_PHOTOS_AN_EPOCH))
        image = self._backgrounds[turn % len(self._backgrounds)]

        def decode() -> Pixels:
            picture = open_image(image, root=self._root, at_least=self._size)
            picture.thumbnail((2 * self._size, 2 * self._size), Image.Resampling.BILINEAR, reducing_gap=2.0)
            return np.asarray(picture)

        try:
            return self._kept.get((image, "photo"), decode, lambda pixels: pixels.nbytes)
        except ImageError as error:  # other photos or drawn backgrounds take its place
            self._note(error)
            return None

    def _cut_out_logos(self, logos: list[tuple[str, int]], events: Events) -> list[_CutOutLogo]:
        """Cut out the logo of each image, or add an issue. NotEnoughDataError if no image shows one."""

        def look(pair: tuple[str, int]) -> _CutOutLogo | ImageError:
            image, label = pair
            try:
                cutout = read_cutout(image, self._root)
            except ImageError as error:
                return error
            logo = Logo.of(cutout)
            self._kept.get((image, False), lambda: logo, lambda kept: kept.bytes)
            return _CutOutLogo(image, label, cutout.ground, cutout.color)

        cut_outs = []
        workers = connections([image for image, _ in logos], settings.threads)
        with closing(map_bounded(look, logos, workers=workers)) as seen:
            for done, result in enumerate(seen, start=1):
                if isinstance(result, ImageError):
                    self._note(result)
                else:
                    cut_outs.append(result)
                events.progress("cutting out logos", done, len(logos))
        if not cut_outs:
            reason = f" ({self.issues[0].where}: {self.issues[0].message})" if self.issues else ""
            raise NotEnoughDataError(f"None of the {len(logos):,} training images shows a logo{reason}. Add images.")
        return cut_outs

    def _note(self, error: ImageError) -> None:
        issue = Issue(error.code, error.reason, error.image)
        if issue not in self.issues:
            self.issues.append(issue)

    def _describe_logos(self, labels: Sequence[str], wanted: Sequence[str], cut_outs: list[_CutOutLogo]) -> list[str]:
        notes = describe_grounds([seen.ground for seen in cut_outs])
        if self.issues:
            first = f"{self.issues[0].where!r}: {self.issues[0].message}"
            notes.append(f"{len(self.issues):,} of {len(wanted):,} images cannot be used, for example {first}")
        counts = Counter(labels[seen.label] for seen in cut_outs)
        gone = [label for label in dict.fromkeys(wanted) if not counts[label]]
        if gone:
            notes.append(
                f"No usable image shows {' or '.join(map(repr, gone))}. The model will not recognise "
                f"{'this label' if len(gone) == 1 else 'these labels'}."
            )
        few = [f"{label} ({counts[label]})" for label in labels if 0 < counts[label] < _PICTURES_TO_TELL]
        if few:
            notes.append(
                f"Very few images of these logos: {', '.join(few)}. Add images of their other colors and shapes."
            )
        if self._with_ground:
            names = ", ".join(repr(labels[label]) for label in sorted(self._with_ground))
            notes.append(
                f"All images of {names} have the same strong background color, so it is learnt as part of the logo."
            )
        return notes


class MixedScenes:
    """Scene source that mixes synthetic scenes with real images that have boxes.

    Real images make up at most half of an epoch (:data:`REAL_SHARE`), and each is repeated at most :data:`REAL_TURNS`
    times. If there are many real images, successive epochs use different ones.
    """

    composed = True

    def __init__(self, scenes: SceneSource, real: SceneSource) -> None:
        if not len(real):
            raise InputError("real contains no images. Train on the synthetic scenes alone.")
        self._scenes, self._real = scenes, real
        room = max(1, round(REAL_SHARE * len(scenes)))
        self._slots = min(room, len(real) * min(REAL_TURNS, max(1, room // len(real))))

    @property
    def facts(self) -> dict[str, Any]:
        """See :class:`customlabels_nb.training.scene_sources.SceneSource`."""
        return {"scenes": self._scenes.facts, "real": self._real.facts}

    @property
    def most_boxes(self) -> int:
        return int(getattr(self._real, "most_boxes", 0))

    def __len__(self) -> int:
        return len(self._scenes)

    def labels_of(self, index: int) -> npt.NDArray[np.int64]:
        """Return the labels of a scene if they are the same in every epoch, otherwise an empty array."""
        if index >= self._slots:
            return self._scenes.labels_of(index)
        if self._slots % len(self._real):
            return np.empty(0, dtype=np.int64)
        return self._real.labels_of(index % len(self._real))

    def load(self, index: int, epoch: int) -> TrainingScene | None:
        """Return scene ``index`` of an epoch: a synthetic scene or a real image."""
        if index >= self._slots:
            return self._scenes.load(index, epoch)
        return self._real.load((epoch * self._slots + index) % len(self._real), epoch)


@dataclass(frozen=True)
class _CutOutLogo:
    image: str
    label: int
    ground: Ground
    color: Color | None


def _labels_with_their_ground(cut_outs: Sequence[_CutOutLogo]) -> set[int]:
    """Return the labels whose images all share a strong background color, which then counts as part of the logo."""
    grounds: dict[int, list[Color | None]] = {}
    for seen in cut_outs:
        grounds.setdefault(seen.label, []).append(seen.color)
    kept = set()
    for label, colors in grounds.items():
        plain = np.array([color for color in colors if color is not None], dtype=np.float64)
        if len(plain) < max(_PICTURES_TO_TELL, len(colors)):
            continue
        middle = np.median(plain, axis=0)
        if np.ptp(middle) > _LOUD_GROUND and np.abs(plain - middle).max() <= _SAME_GROUND:
            kept.add(label)
    return kept


class _Kept:
    """Thread-safe least-recently-used (LRU) cache with a limit in bytes."""

    def __init__(self, limit: int) -> None:
        self._limit, self._bytes = limit, 0
        self._values: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Value], size: Callable[[Value], int]) -> Value:
        """Return the cached value of ``key``, or create it with ``make``. Two threads may both create it."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key][0]  # type: ignore[return-value]
        value = make()
        with self._lock:
            if key not in self._values:
                self._values[key] = (value, size(value))
                self._bytes += size(value)
            while self._bytes > self._limit and len(self._values) > 1:
                self._bytes -= self._values.popitem(last=False)[1][1]
        return value
