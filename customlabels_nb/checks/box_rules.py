"""What boxes say of the result: empty, off the picture, tiny, all of it, or there twice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.checks.findings import Finding, rows_of
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.dataset import Dataset

_DETECTOR_SIDE = 320  # pixels of the longer side of what a detector sees
_TINY = 8.0  # of these: the finest grid of the features has one cell for so many
_WHOLE = 0.95  # of the picture's area
_OFF = 1.0  # pixels: less comes from rounding
_SAME = 1.0  # pixels between the edges of boxes that are meant to be one


def check_boxes(dataset: Dataset, width: npt.NDArray[np.float64], height: npt.NDArray[np.float64]) -> list[Finding]:
    """Findings about the boxes of a dataset whose images have these sizes in pixels (NaN: not known)."""
    annotations = dataset.annotations
    boxes = annotations[annotations["left"].notna()]
    if boxes.empty:
        return []
    sizes = pd.DataFrame({"image": dataset.images["image"], "across": width, "down": height})
    boxes = boxes[["image", "label", *t.BOX_COLUMNS]].merge(sizes, on="image", how="left", validate="many_to_one")
    return [finding for finding in _found(dataset.name, boxes) if finding.images]


def _found(split: str, boxes: pd.DataFrame) -> Iterator[Finding]:
    left, top, width, height = (boxes[name].to_numpy() for name in t.BOX_COLUMNS)
    across, down = boxes["across"].to_numpy(), boxes["down"].to_numpy()
    shorter, longest = np.minimum(width, height), np.fmax(across, down)
    empty = shorter <= 0
    off = (left < -_OFF) | (top < -_OFF) | (left + width > across + _OFF) | (top + height > down + _OFF)
    seen = shorter * np.minimum(1, _DETECTOR_SIDE / longest)
    rules = (
        (
            empty, "BOX_EMPTY", "error", "without width or height",
            "Draw them anew or delete them: there is nothing to learn from them.",
        ),
        (
            off & ~empty, "BOX_OFF_FRAME", "warning", "reaching beyond the picture",
            "Cut them off at the edge. If there are many, the sizes in the file were those of other pictures.",
        ),
        (
            (seen < _TINY) & ~empty, "BOX_TINY", "warning",
            f"smaller than {_TINY:.0f} px once the picture's longer side is {_DETECTOR_SIDE} px, which a detector sees",
            "Cut the pictures into tiles, or expect them to be missed.",
        ),
        (
            (width * height >= _WHOLE * across * down) & ~empty, "BOX_WHOLE_IMAGE", "note",
            f"covering {_WHOLE:.0%} of the picture or more",
            "If most do, image-level labels are less work and train quicker.",
        ),
        (
            _repeated(boxes) & ~empty, "BOX_REPEATED", "warning", "standing there more than once",
            "Delete all but one: a detector is punished for finding such an object once.",
        ),
    )  # fmt: skip
    for holds, code, severity, words, advice in rules:
        own = boxes[holds]
        rows = rows_of(split, own["image"], [_told(row) for row in own.itertuples()])
        boxes_ = f"{counted(len(own), 'box', 'boxes')} {words}"
        message = f"{boxes_}, on {counted(len(rows), 'image')} of the {split} set."
        yield Finding(code, severity, message, advice, rows["image"].iat[0] if len(rows) else "", rows)


def _repeated(boxes: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Boxes of which another of the same label on the same image, further up, has nearly the same edges."""
    edges = boxes[["left", "top"]].assign(right=boxes["left"] + boxes["width"], bottom=boxes["top"] + boxes["height"])
    keys = boxes[["image", "label"]]
    found = np.zeros(len(boxes), dtype=bool)
    # neighbours in a grid may fall into two cells: a second grid, moved by half a cell, has them in one
    for shift in (0.0, 0.5):
        cells = np.floor(edges / (2 * _SAME) + shift)
        found |= pd.concat([keys, cells], axis=1).duplicated().to_numpy()
    return found


def _told(row: object) -> str:
    box = [getattr(row, name) for name in t.BOX_COLUMNS]
    return f"{getattr(row, 'label')!r} at {box[0]:.0f}, {box[1]:.0f}: {box[2]:.0f} × {box[3]:.0f} px"  # noqa: B009
