"""How a dataset shows itself: as a line of text, and in a notebook with counts, labels and a few pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb._utils.rendering import data_url, render
from customlabels_nb._utils.text import one_line
from customlabels_nb.core import tables as t
from customlabels_nb.errors import ImageError
from customlabels_nb.images.thumbnails import project_cache, thumbnail_of

_SHOWN_THUMBNAILS = 8
_IN_TEXT = 20
_IN_HTML = 40


def dataset_text(name: str, images: pd.DataFrame, counts: pd.Series) -> str:
    """One line: how many images, with which statuses and labels."""
    parts = [f"{one_line(label)} {count}" for label, count in counts.head(_IN_TEXT).items()]
    more = f" and {len(counts) - _IN_TEXT:,} more" if len(counts) > _IN_TEXT else ""
    return f"Dataset {name!r}: {_head(images)}{': ' + ', '.join(parts) + more if parts else ''}"


def dataset_html(name: str, images: pd.DataFrame, labels: pd.DataFrame, counts: pd.Series, root: Path | None) -> str:
    """The same as HTML with thumbnails from all over the dataset, in the colours of the notebook's theme."""
    return render(
        "dataset.html",
        name=name,
        head=_head(images),
        labels=[(label, colour, counts[label]) for label, colour in labels.head(_IN_HTML).itertuples(index=False)],
        more=len(labels) - _IN_HTML,
        pictures=[_picture(row, root) for row in _spread(images).itertuples()],
    )


def _head(images: pd.DataFrame) -> str:
    statuses = images["status"].value_counts()
    parts = [f"{len(images):,} images"]
    parts += [f"{statuses[s]:,} {s.replace('_', ' ')}" for s in t.STATUSES if statuses.get(s)]
    return f"{parts[0]} ({', '.join(parts[1:])})" if len(parts) > 1 else parts[0]


def _spread(images: pd.DataFrame) -> pd.DataFrame:
    places = np.linspace(0, len(images) - 1, min(len(images), _SHOWN_THUMBNAILS)).round().astype(int)
    return images.iloc[np.unique(places)]


def _picture(row: Any, root: Path | None) -> tuple[str, str, str]:
    """Return an image's name, a small picture as a URL, and what went wrong if there is none."""
    name = row.image.rsplit("/", 1)[-1]
    try:
        data = thumbnail_of(
            row.image,
            root=root,
            sha256=row.sha256 if isinstance(row.sha256, str) else None,
            size=240,
            cache=project_cache(root, "thumbnails"),
        )
    except ImageError as error:
        return name, "", error.reason
    return name, data_url(data), ""
