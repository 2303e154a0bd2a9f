"""Check boxes that are empty, off the image, tiny, twins of others or as large as the image, and polygons."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.checks.findings import Finding, rows_of
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import CODES
from customlabels_nb.core.polygons import FloatArray, problems, readable_rings
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.evaluation.matching import find_candidates
from customlabels_nb.models.detector_shape import choose_input_size

_TINY = 8.0  # pixels of the detector's input: one cell of its finest feature grid
_WHOLE = 0.95  # share of the image's area
_OFF = 1.0  # pixels beyond the image edge: smaller values come from rounding
_MEND = 'Draw them again, or repair them in a dataset: dataset.validate().fix("mend_polygons").'
#: IoU from which two boxes of a label are twins. Two drawings of one object usually exceed it. Objects that hide each
#: other rarely do, and a detector, which keeps one of two predictions from 0.5 on, could not find both of them anyway.
TWIN_IOU = 0.7


def check_boxes(dataset: Dataset, width: FloatArray, height: FloatArray) -> list[Finding]:
    """Check the boxes of a dataset, given the size of each image in pixels, NaN if unknown."""
    annotations = dataset.annotations
    boxes = annotations[annotations["left"].notna()]
    if boxes.empty:
        return []
    sizes = pd.DataFrame({"image": dataset.image_table["image"], "across": width, "down": height})
    boxes = boxes.merge(sizes, on="image", how="left", validate="many_to_one")
    return [finding for finding in _findings(dataset.name, boxes) if finding.images]


def check_polygons(dataset: Dataset, width: FloatArray, height: FloatArray) -> Iterator[Finding]:
    """Yield findings about polygons that cannot become masks. The parameters are those of :func:`check_boxes`."""
    sizes = dict(zip(dataset.image_table["image"], zip(width.tolist(), height.tolist(), strict=True), strict=True))
    rows = dataset.annotations.loc[dataset.annotations["polygon"].notna(), ["image", "label", "polygon"]]
    by_code: dict[str, list[tuple[str, str]]] = {}
    for image, label, polygon in rows.itertuples(index=False, name=None):
        size = sizes.get(image, (np.nan, np.nan))
        for code in problems(polygon, None if np.isnan(size).any() else size):
            by_code.setdefault(code, []).append(
                (image, f"{label!r} with {sum(map(len, readable_rings(polygon)))} points")
            )
    for code, polygons in by_code.items():
        images, details = zip(*polygons, strict=True)
        table = rows_of(dataset.name, pd.Series(images), list(details))
        of_images = f"on {counted(len(table), 'image')} of the {dataset.name} set"
        message = f"{counted(len(polygons), 'polygon')} {of_images}: {CODES[code][:1].lower()}{CODES[code][1:]}"
        yield Finding(code, "warning", message, _MEND, images[0], table)


def _findings(split: str, boxes: pd.DataFrame) -> Iterator[Finding]:
    left, top, width, height = (boxes[name].to_numpy() for name in t.BOX_COLUMNS)
    across, down = boxes["across"].to_numpy(), boxes["down"].to_numpy()
    shorter, longest = np.minimum(width, height), np.fmax(across, down)
    empty = shorter <= 0
    off = (left < -_OFF) | (top < -_OFF) | (left + width > across + _OFF) | (top + height > down + _OFF)
    has_size = np.isfinite(longest)
    side, _ = choose_input_size(boxes.loc[has_size, t.BOX_COLUMNS].to_numpy(), boxes.loc[has_size, ["across", "down"]])
    seen = shorter * np.minimum(1, side / longest)
    rules = (
        (
            empty, "BOX_EMPTY", "error", "with no width or no height",
            "Redraw or delete them: a model cannot learn anything from them.",
        ),
        (
            off & ~empty, "BOX_OFF_FRAME", "warning", "reaching beyond the edge of the image",
            "Clip them to the image. If there are many, they may have been drawn on images of a different size.",
        ),
        (
            (seen < _TINY) & ~empty, "BOX_TINY", "warning",
            f"smaller than {_TINY:.0f} px at the input size of a detector for these boxes, {side} px",
            "Crop or split the images, so that the objects are larger in them.",
        ),
        (
            (width * height >= _WHOLE * across * down) & ~empty, "BOX_WHOLE_IMAGE", "note",
            f"covering {_WHOLE:.0%} of the image or more",
            "If most boxes do, consider image-level labels instead.",
        ),
        (
            boxes.index.isin(find_twins(boxes).index), "BOX_REPEATED", "warning",
            f"duplicating another box of the label (twins, IoU ≥ {TWIN_IOU:g})",
            "A detector that finds the object once is penalised for missing the other box. Remove the twins: "
            f"project.crops({split!r}, annotations=report.boxes_with('BOX_REPEATED', {split!r})).",
        ),
    )  # fmt: skip
    for holds, code, severity, words, advice in rules:
        chosen = boxes[holds]
        details = [
            f"{label!r} at {left:.0f}, {top:.0f}: {width:.0f} × {height:.0f} px"
            for label, left, top, width, height in chosen[["label", *t.BOX_COLUMNS]].itertuples(index=False, name=None)
        ]
        rows = rows_of(split, chosen["image"], details)
        boxes_ = f"{counted(len(chosen), 'box', 'boxes')} {words}"
        message = f"{boxes_}, on {counted(len(rows), 'image')} of the {split} set."
        where, of_split = rows["image"].iat[0] if len(rows) else "", chosen[[*t.ANNOTATION_COLUMNS]].assign(split=split)
        yield Finding(code, severity, message, advice, where, rows, boxes=of_split)


def find_twins(boxes: pd.DataFrame) -> pd.DataFrame:
    """Return the boxes that duplicate a more plausible box of the same image and label (by TWIN_IOU).

    A person's box is more plausible than a model's, then the more confident one, then the earlier one. Crowds have no
    twins. Polygons are compared by their boxes.
    """
    ranked = boxes[~boxes["crowd"]].assign(machine=t.by_machine, confidence=boxes["confidence"].fillna(1.0))
    ranked["group"] = ranked.groupby(["image", "label"], sort=False).ngroup()
    keys = {"group": True, "machine": True, "confidence": False, "created": True}
    ranked = ranked.sort_values([*keys], ascending=[*keys.values()], kind="stable")
    group, box = ranked["group"].to_numpy(np.int64), ranked[[*t.BOX_COLUMNS]].to_numpy(np.float64)
    pairs = find_candidates(group, box, group, box, np.zeros(len(group), dtype=bool))
    near = (pairs.iou >= TWIN_IOU) & (pairs.prediction < pairs.truth)
    twins = np.zeros(len(ranked), dtype=bool)
    for better, worse in zip(pairs.prediction[near].tolist(), pairs.truth[near].tolist(), strict=True):
        twins[worse] |= not twins[better]  # what duplicates only a twin remains
    return boxes.loc[ranked.index[twins].sort_values()]
