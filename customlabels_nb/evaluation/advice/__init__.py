"""Advice on how to improve a model, derived from its mistakes.

``rules`` defines the rules that produce suggestions, and ``items`` the class of a suggestion. An :class:`Advice` holds
the suggestions with the largest estimated gain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy.typing as npt
import pandas as pd

from customlabels_nb._utils.rendering import data_url, render
from customlabels_nb._utils.text import counted, last_part, one_line, printable
from customlabels_nb.core.tables import TEXT
from customlabels_nb.errors import ImageError
from customlabels_nb.evaluation.advice.items import SHOWN_IMAGES, AdviceItem, item_lines
from customlabels_nb.evaluation.advice.rules import (
    Case,
    alarm_advice,
    appearance_advice,
    checked_features,
    confidence_advice,
    confusion_advice,
    find_mistakes,
    interval_advice,
    limit_advice,
    misplaced_advice,
    missed_advice,
    never_found_advice,
    rare_advice,
    size_advice,
    slice_advice,
    suspect_advice,
    threshold_advice,
    truth_advice,
)
from customlabels_nb.evaluation.thresholded import Thresholded
from customlabels_nb.images.locations import is_remote
from customlabels_nb.images.reading import read_header
from customlabels_nb.images.thumbnails import project_cache, thumbnail_of

#: Maximum number of suggestions shown.
MOST_ITEMS = 12
#: Maximum number of suggestions of the same kind.
MOST_OF_A_KIND = 4
#: Maximum number of thumbnails in total, because they are stored in the notebook.
SHOWN_PICTURES = 32
SHOWN_LABELS = 6
SHOWN_BOXES = 12
_WIDTH, _HEIGHT = 96, 72
_GREY = "#888888"
_SIZE = 128  # longest side of a thumbnail in pixels


class AdviceImage(NamedTuple):
    """Thumbnail of an image as JPEG, with the full size of the upright image in pixels."""

    data: bytes
    width: int
    height: int


#: Function that returns the thumbnail of an image, or None if there is none.
Pictures = Callable[[str], AdviceImage | None]


@dataclass(frozen=True, eq=False, repr=False)
class Advice(Sequence[AdviceItem]):
    """Suggestions for improving a model, largest estimated gain first. Empty if there are none.

    Attributes
    ----------
    items : tuple of AdviceItem
        Suggestions.
    notes : tuple of str
        Human-readable notes on checks that were skipped and suggestions that are not shown.
    name : str
        Name of the evaluated model version.
    labels : DataFrame
        ``label`` and ``color``.
    pictures : callable, optional
        Function that returns the thumbnail of an image, for display in notebooks.

    Examples
    --------
    >>> advice = cl.evaluate(truth, predictions).advice
    >>> [item.kind for item in advice]
    ['few_test_images', 'rare']
    """

    items: tuple[AdviceItem, ...]
    notes: tuple[str, ...] = ()
    name: str = ""
    labels: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"label": [], "color": []}))
    pictures: Pictures | None = None
    _is_part: bool = False

    @overload
    def __getitem__(self, index: int) -> AdviceItem: ...
    @overload
    def __getitem__(self, index: slice) -> Advice: ...
    def __getitem__(self, index: int | slice) -> AdviceItem | Advice:
        if isinstance(index, slice):
            return replace(self, items=self.items[index], _is_part=True)
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def about(self, kind: str | None = None, *, label: str | None = None) -> Advice:
        """Select the suggestions of one kind, or about one label.

        Examples
        --------
        >>> advice = cl.evaluate(truth, predictions).advice
        >>> len(advice.about("rare", label="cat"))
        1
        """
        chosen = (item for item in self.items if kind in (None, item.kind) and (label is None or label in item.labels))
        return replace(self, items=tuple(chosen), _is_part=True)

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row per suggestion.

        The columns are ``kind``, ``text``, ``labels`` (tuple of str), ``images`` (number of images), ``call`` and
        ``weight``.

        Examples
        --------
        >>> cl.evaluate(truth, predictions).advice.to_frame()[["kind", "labels", "images"]]
                      kind      labels  images
        0  few_test_images          ()       0
        1             rare  (cat, dog)       4
        """
        rows = [
            (item.kind, item.text, item.labels, item.images["image"].nunique(), item.call, item.weight)
            for item in self.items
        ]
        table = pd.DataFrame(rows, columns=["kind", "text", "labels", "images", "call", "weight"])
        return table.astype({"kind": TEXT, "text": TEXT, "images": "int64", "call": TEXT, "weight": "float64"})

    def __repr__(self) -> str:
        lines = [self._head()]
        for number, item in enumerate(self.items):
            lines += ["", *item_lines(item, f"[{number}] ")]
        lines += [f"\n{note}" for note in self.notes]
        return printable("\n".join(lines))

    def _repr_html_(self) -> str:
        colors = dict(zip(self.labels["label"], self.labels["color"], strict=True))
        remaining = SHOWN_PICTURES
        cards = []
        for item in self.items:
            images = _images(item, colors, self.pictures, remaining)
            remaining -= sum(image["source"] is not None for image in images)
            cards.append(
                {
                    "item": item,
                    "labels": [(label, colors.get(label, _GREY)) for label in item.labels[:SHOWN_LABELS]],
                    "more_labels": max(0, len(item.labels) - SHOWN_LABELS),
                    "images": images,
                    "more_images": item.images["image"].nunique() - len(images),
                }
            )
        return render("advice.html", head=self._head(), cards=cards, notes=self.notes)

    def _head(self) -> str:
        start = f"Advice on {one_line(self.name)}: " if self.name else "Advice: "
        if not self.items:
            return f"{start}{'none of these suggestions' if self._is_part else 'no clear improvement was found'}."
        return f"{start}{counted(len(self.items), 'suggestion', 'suggestions, largest estimated gain first')}."


def picture_of(image: str, root: Path | None) -> AdviceImage | None:
    """Return the thumbnail of a local image, or None if the image is remote (never downloaded) or unreadable."""
    if is_remote(image):
        return None
    try:
        header = read_header(image, root)
        data = thumbnail_of(image, root=root, sha256=None, size=_SIZE, cache=project_cache(root, "thumbnails"))
    except ImageError:
        return None
    return AdviceImage(data, header.width, header.height)


def strongest(items: Sequence[AdviceItem]) -> tuple[tuple[AdviceItem, ...], int]:
    """Select the suggestions to show, first suspected label errors, which affect all others, and count the rest."""
    kept: list[AdviceItem] = []
    for item in sorted(items, key=lambda item: (item.kind not in ("label_error", "suspects"), -item.weight)):
        if len(kept) < MOST_ITEMS and sum(other.kind == item.kind for other in kept) < MOST_OF_A_KIND:
            kept.append(item)
    return tuple(kept), len(items) - len(kept)


__all__ = ["Advice", "AdviceItem", "AdviceImage", "Pictures", "advise", "picture_of"]


def advise(
    applied: Thresholded,
    *,
    summary: pd.DataFrame,
    per_label: pd.DataFrame,
    per_image: pd.DataFrame,
    images: pd.DataFrame,
    labels: pd.DataFrame,
    training: Mapping[str, int] | None = None,
    features: Mapping[str, npt.ArrayLike] | pd.DataFrame | npt.ArrayLike | None = None,
    suspects: pd.DataFrame | None = None,
    name: str = "",
    access: tuple[str, str] = ("", ""),
    split: str = "",
    pictures: Pictures | None = None,
) -> Advice:
    """Derive suggestions for improving a model from its evaluation, largest estimated gain first.

    ``features`` are vectors of the test images, by image or one row each, for suggestions about labels whose images
    vary in appearance. ``suspects`` are training images that probably have wrong labels. ``access`` has the expressions
    that evaluate to the project and the model, empty outside a project. ``split`` is empty if the test images are not
    in a project.
    """
    features = checked_features(features, applied.outcomes)
    case = Case(applied, summary, per_label, per_image, images, training, features, suspects, *access, split)
    mistakes = find_mistakes(case)
    candidates = [
        *truth_advice(case, mistakes),
        *suspect_advice(case),
        *never_found_advice(case, mistakes),
        *confusion_advice(case, mistakes),
        *missed_advice(case, mistakes),
        *alarm_advice(case, mistakes),
        *threshold_advice(case),
        *slice_advice(case),
        *appearance_advice(case),
        *rare_advice(case),
        *interval_advice(case),
        *confidence_advice(case),
    ]
    if case.is_drawn:
        candidates += [*limit_advice(case), *misplaced_advice(case, mistakes), *size_advice(case)]
    items, omitted = strongest(candidates)
    notes = []
    if omitted:
        notes.append(f"{omitted} less effective suggestion{' is' if omitted == 1 else 's are'} not shown.")
    if case.features is None and not case.is_drawn:
        notes.append("Not checked: labels whose images vary in appearance. Pass features: report.advise(features=…).")
    return Advice(items, tuple(notes), name, labels, pictures)


def _images(
    item: AdviceItem, colors: Mapping[str, str], pictures: Pictures | None, pictures_left: int
) -> list[dict[str, Any]]:
    """Return the first images of a suggestion, at most ``pictures_left`` of them with a thumbnail."""
    shown: list[dict[str, Any]] = []
    for _, row in item.images.drop_duplicates("image").head(SHOWN_IMAGES).iterrows():
        name = str(row["image"])
        picture = pictures(name) if pictures is not None and pictures_left else None
        image: dict[str, Any] = {
            "name": name,
            "short_name": one_line(last_part(name)),
            "caption": _caption(row),
            "source": None,
        }
        if picture is not None:
            pictures_left -= 1
            scale = min(_WIDTH / picture.width, _HEIGHT / picture.height)
            image |= {
                "source": data_url(picture.data),
                "width": scale * picture.width,
                "height": scale * picture.height,
                "boxes": _boxes(picture, item.images[item.images["image"] == name], colors),
            }
        shown.append(image)
    return shown


def _boxes(picture: AdviceImage, rows: pd.DataFrame, colors: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the boxes to draw on a thumbnail, in percent of the image size."""
    if "left" not in rows.columns:
        return []
    boxes = []
    for _, row in rows.dropna(subset="left").head(SHOWN_BOXES).iterrows():
        predicted = "predicted" in row.index and pd.notna(row["predicted"])
        label = row["predicted"] if predicted else row.get("truth", row.get("label"))
        across = {side: 100 * row[side] / picture.width for side in ("left", "width")}
        down = {side: 100 * row[side] / picture.height for side in ("top", "height")}
        boxes.append({**across, **down, "predicted": predicted, "color": colors.get(label, _GREY)})
    return boxes


def _caption(row: pd.Series) -> str:
    def has(name: str) -> bool:
        return name in row.index and pd.notna(row[name])

    confidence = f" {row['confidence']:.2f}" if has("confidence") else ""
    if has("becomes"):
        return f"{row['becomes']}{confidence}"
    if has("predicted"):
        return f"{row['truth']} → {row['predicted']}{confidence}" if has("truth") else f"{row['predicted']}{confidence}"
    name = row["truth"] if has("truth") else row["label"] if has("label") else ""
    return f"{name}{confidence}"
