"""How a dataset shows itself: as a line of text, and in a notebook with counts, labels and a few pictures."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb._utils.text import escaped, one_line
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
    chips = "".join(
        f'<span style="white-space:nowrap"><span style="color:{escaped(colour)}">●</span> '
        f'<bdi>{escaped(label)}</bdi> <span style="color:var(--jp-ui-font-color2,inherit);'
        f'font-variant-numeric:tabular-nums">{counts[label]:,}</span></span>'
        for label, colour in labels.head(_IN_HTML).itertuples(index=False)
    )
    more = len(labels) - _IN_HTML
    if more > 0:
        chips += f"<span>and {more:,} more labels</span>"
    pictures = "".join(_picture(row, root) for row in _spread(images).itertuples())
    return (
        '<div style="font:13px/1.5 var(--jp-ui-font-family,system-ui,sans-serif);'
        'color:var(--jp-ui-font-color1,inherit)">'
        f"<div><b>{escaped(name)}</b> · {_head(images)}</div>"
        f'<div style="display:flex;flex-wrap:wrap;gap:2px 14px;margin:2px 0 6px">{chips}</div>'
        f'<div style="display:flex;flex-wrap:wrap;gap:8px">{pictures}</div></div>'
    )


def _head(images: pd.DataFrame) -> str:
    statuses = images["status"].value_counts()
    parts = [f"{len(images):,} images"]
    parts += [f"{statuses[s]:,} {s.replace('_', ' ')}" for s in t.STATUSES if statuses.get(s)]
    return f"{parts[0]} ({', '.join(parts[1:])})" if len(parts) > 1 else parts[0]


def _spread(images: pd.DataFrame) -> pd.DataFrame:
    places = np.linspace(0, len(images) - 1, min(len(images), _SHOWN_THUMBNAILS)).round().astype(int)
    return images.iloc[np.unique(places)]


def _picture(row: Any, root: Path | None) -> str:
    name = escaped(row.image.rsplit("/", 1)[-1])
    try:
        data = thumbnail_of(
            row.image,
            root=root,
            sha256=row.sha256 if isinstance(row.sha256, str) else None,
            size=240,
            cache=project_cache(root, "thumbnails"),
        )
    except ImageError as error:
        return f'<span style="color:var(--jp-error-color1,#b00)">{name}: {escaped(error.reason)}</span>'
    uri = base64.b64encode(data).decode("ascii")
    return (
        f'<img src="data:image/jpeg;base64,{uri}" alt="{name}" title="{name}" '
        'style="flex:1 1 84px;min-width:0;max-width:130px;height:90px;object-fit:contain;border-radius:4px;'
        'background:var(--jp-layout-color2,#8881)">'
    )
