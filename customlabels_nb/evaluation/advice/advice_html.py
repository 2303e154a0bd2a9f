"""Write advice as text for terminals and as cards for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from customlabels_nb._utils.rendering import data_url, render
from customlabels_nb._utils.text import one_line, printable
from customlabels_nb.evaluation.advice.advice_images import AdviceImage, Pictures
from customlabels_nb.evaluation.advice.items import SHOWN_IMAGES, AdviceItem, item_lines, short_name

#: Pictures in all: a notebook keeps them.
SHOWN_PICTURES = 32
SHOWN_LABELS = 6
SHOWN_BOXES = 12
_WIDTH, _HEIGHT = 96, 72
_GREY = "#888888"

_NOTHING = "nothing was found that would clearly improve it."


def advice_text(items: Sequence[AdviceItem], name: str, notes: Sequence[str]) -> str:
    """A numbered list: what was seen, its images, the code."""
    lines = [_head(items, name)]
    for number, item in enumerate(items):
        lines += ["", *item_lines(item, f"[{number}] ")]
    lines += [f"\n{note}" for note in notes]
    return printable("\n".join(lines))


def advice_html(
    items: Sequence[AdviceItem],
    name: str,
    notes: Sequence[str],
    colours: Mapping[str, str],
    pictures: Pictures | None,
) -> str:
    """A card for each item."""
    left = SHOWN_PICTURES
    cards = []
    for item in items:
        images = _images(item, colours, pictures, left)
        left -= sum(image["source"] is not None for image in images)
        cards.append(
            {
                "item": item,
                "labels": [(label, colours.get(label, _GREY)) for label in item.labels[:SHOWN_LABELS]],
                "more_labels": max(0, len(item.labels) - SHOWN_LABELS),
                "images": images,
                "more_images": item.images["image"].nunique() - len(images),
            }
        )
    return render("advice.html", head=_head(items, name), cards=cards, notes=notes)


def _head(items: Sequence[AdviceItem], name: str) -> str:
    start = f"Advice on {one_line(name)}: " if name else "Advice: "
    if not items:
        return start + _NOTHING
    return start + f"{len(items)} {'thing' if len(items) == 1 else 'things, the strongest first'}."


def _images(
    item: AdviceItem, colours: Mapping[str, str], pictures: Pictures | None, pictures_left: int
) -> list[dict[str, Any]]:
    """Return the first images of an item, at most ``pictures_left`` of them with a picture."""
    shown: list[dict[str, Any]] = []
    for _, row in item.images.drop_duplicates("image").head(SHOWN_IMAGES).iterrows():
        name = str(row["image"])
        picture = pictures(name) if pictures is not None and pictures_left else None
        image: dict[str, Any] = {"name": name, "short_name": short_name(name), "caption": _caption(row), "source": None}
        if picture is not None:
            pictures_left -= 1
            scale = min(_WIDTH / picture.width, _HEIGHT / picture.height)
            image |= {
                "source": data_url(picture.data),
                "width": scale * picture.width,
                "height": scale * picture.height,
                "boxes": _boxes(picture, item.images[item.images["image"] == name], colours),
            }
        shown.append(image)
    return shown


def _boxes(picture: AdviceImage, rows: pd.DataFrame, colours: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the boxes that an item is about, in percent of the picture."""
    if "left" not in rows.columns:
        return []
    boxes = []
    for _, row in rows.dropna(subset="left").head(SHOWN_BOXES).iterrows():
        predicted = "predicted" in row.index and pd.notna(row["predicted"])
        label = row["predicted"] if predicted else row.get("truth", row.get("label"))
        boxes.append(
            {
                "left": 100 * row["left"] / picture.width,
                "top": 100 * row["top"] / picture.height,
                "width": 100 * row["width"] / picture.width,
                "height": 100 * row["height"] / picture.height,
                "predicted": predicted,
                "colour": colours.get(label, _GREY),
            }
        )
    return boxes


def _caption(row: pd.Series) -> str:
    """What is to be known of an image, in a few words."""

    def has(name: str) -> bool:
        return name in row.index and pd.notna(row[name])

    confidence = f" {row['confidence']:.2f}" if has("confidence") else ""
    if has("becomes"):
        return f"{row['becomes']}{confidence}"
    if has("predicted"):
        return f"{row['truth']} → {row['predicted']}{confidence}" if has("truth") else f"{row['predicted']}{confidence}"
    name = row["truth"] if has("truth") else row["label"] if has("label") else ""
    return f"{name}{confidence}"
