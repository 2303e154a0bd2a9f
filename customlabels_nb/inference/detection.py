"""What a model says of one image, and how confidences become answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.geometry import ltwh_to_ratios
from customlabels_nb.inference import drawing
from customlabels_nb.inference.inputs import load_for_model
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.models.artifact import ModelConfig
from customlabels_nb.tables import BOX_COLUMNS
from customlabels_nb.text import one_line

Threshold = float | Mapping[str, float] | None
DETECTION_COLUMNS = ("label", "confidence", *BOX_COLUMNS)


@dataclass(frozen=True, repr=False, eq=False)
class Detection:
    """The answer for one image. In a notebook it shows itself: the photo, its labels beneath.

    Attributes
    ----------
    image : PIL.Image.Image
        Upright, RGB.
    name : str
        Path or URL, or "image" where it had none.
    table : pandas.DataFrame
        ``label``, ``confidence`` (0..1), and ``left``, ``top``, ``width``, ``height`` in pixels (NaN from a
        classifier), the highest confidence first.
    colours : dict of str to str
        Of the labels, #rrggbb.
    nearest : tuple of (str, float, float), or None
        The label with the highest confidence of all, that confidence and the label's threshold.
    """

    image: Image.Image
    name: str
    table: pd.DataFrame
    colours: dict[str, str]
    nearest: tuple[str, float, float] | None = None

    @property
    def response(self) -> dict[str, list[dict[str, Any]]]:
        """The answer in the form of the service's API: confidences in percent, boxes as shares of the image."""
        boxes = self.table[list(BOX_COLUMNS)].to_numpy(dtype=np.float64)
        ratios = ltwh_to_ratios(boxes, self.image.size)
        found = []
        for label, confidence, box in zip(self.table["label"], self.table["confidence"], ratios, strict=True):
            entry: dict[str, Any] = {"Name": label, "Confidence": float(confidence) * 100}
            if not np.isnan(box).any():
                left, top, width, height = box.tolist()
                entry["Geometry"] = {"BoundingBox": {"Width": width, "Height": height, "Left": left, "Top": top}}
            found.append(entry)
        return {"CustomLabels": found}

    def draw(self, width: int = 960) -> Image.Image:
        """The photo at most ``width`` pixels wide and high, with its labels beneath, as a picture."""
        return drawing.to_picture(self._figure(), width)

    def __repr__(self) -> str:
        return drawing.to_text(self._figure())

    def _repr_html_(self) -> str:
        return drawing.to_html(self._figure())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        figure = self._figure()
        return {
            "text/plain": drawing.to_text(figure),
            "text/html": drawing.to_html(figure),
            # A JPEG: as a PNG the photo would be six times as large in each saved notebook.
            "image/jpeg": drawing.to_jpeg(figure),
        }

    def _figure(self) -> drawing.Figure:
        chips = [
            drawing.Chip(one_line(label), confidence, self.colours.get(label, "#888888"))
            for label, confidence in zip(self.table["label"], self.table["confidence"], strict=True)
        ]
        return drawing.Figure(self.image, one_line(self.name), chips, one_line(self._sentence()))

    def _sentence(self) -> str:
        if self.nearest is None or self.nearest[1] >= self.nearest[2]:
            return "Nothing was found."
        label, confidence, threshold = self.nearest
        return (
            f"No label reaches its threshold. The nearest is {label} with {_below(confidence, threshold)}, "
            f"its threshold is {threshold:.3f}."
        )


def detect(
    predictor: Predictor,
    image: object,
    *,
    threshold: Threshold = None,
    max_results: int | None = None,
    root: Path | None = None,
) -> Detection:
    """Ask a running model about one image.

    Parameters
    ----------
    predictor : Predictor
        Running.
    image : object
        See :func:`customlabels_nb.inference.inputs.load_input`.
    threshold, max_results
        See :func:`select`.
    root : Path, optional
        Folder under which relative paths lie.

    Raises
    ------
    InputError
        If the image or another argument can't be used.
    ModelError
        If the model isn't running.
    """
    config = predictor.config
    thresholds = resolve_thresholds(config, threshold)
    check_max_results(max_results)
    shown, asked, name = load_for_model(image, config.input_size, root=root)
    row = predictor.probabilities([asked])[0]
    table = to_table(_picked(row, config, thresholds, max_results))
    colours = dict(zip(config.labels, config.colours, strict=True))
    return Detection(shown, name, table, colours, _nearest(row, config, thresholds))


def select(
    probabilities: npt.ArrayLike,
    config: ModelConfig,
    threshold: Threshold = None,
    max_results: int | None = None,
) -> list[tuple[str, float]]:
    """The labels whose confidence reaches their threshold, the highest first.

    Parameters
    ----------
    probabilities : array of shape (k,)
        Confidences in the order of ``config.labels``.
    config : ModelConfig
    threshold : float or mapping, optional
        None: each label's own assumed threshold. A number from 0 to 1: that for all. A mapping: by label, those
        that it lacks keep their own. A confidence equal to the threshold counts.
    max_results : int, optional
        No more than these, cut after sorting.

    Raises
    ------
    LabelError
        If ``threshold`` names a label that the model doesn't know.
    InputError
        If a threshold lies outside 0..1, or ``max_results`` isn't a positive number.
    """
    check_max_results(max_results)
    row = np.asarray(probabilities, dtype=np.float64)
    if row.shape != (len(config.labels),):
        raise InputError(f"probabilities has the shape {row.shape}; give one for each of {len(config.labels)} labels.")
    return _picked(row, config, resolve_thresholds(config, threshold), max_results)


def resolve_thresholds(config: ModelConfig, threshold: Threshold) -> npt.NDArray[np.float64]:
    """The threshold of each label, shape (k,), for what :func:`select` takes as ``threshold``."""
    own = {label: config.threshold_of(label) for label in config.labels}
    if isinstance(threshold, Mapping):
        unknown = [label for label in threshold if label not in own]
        if unknown:
            raise LabelError(f"threshold names {unknown[0]!r}; the model's labels are {list(config.labels)!r}.")
        own.update({label: _checked(value, f"threshold[{label!r}]") for label, value in threshold.items()})
    elif threshold is not None:
        own = dict.fromkeys(own, _checked(threshold, "threshold"))
    return np.array([own[label] for label in config.labels], dtype=np.float64)


def check_max_results(max_results: object) -> None:
    """Raise InputError unless it is None or a positive whole number."""
    if max_results is None:
        return
    if isinstance(max_results, bool) or not isinstance(max_results, int | np.integer) or max_results < 1:
        raise InputError(f"max_results={max_results!r} must be a whole number from 1, or None for all.")


def to_table(found: list[tuple[str, float]]) -> pd.DataFrame:
    """Labels and confidences as a table with the columns of :data:`DETECTION_COLUMNS`."""
    table = pd.DataFrame(found, columns=["label", "confidence"])
    for name in BOX_COLUMNS:
        table[name] = np.nan
    return table.astype({"label": "str", **dict.fromkeys(DETECTION_COLUMNS[1:], "float64")})


def _picked(
    row: npt.NDArray[np.float64], config: ModelConfig, thresholds: npt.NDArray[np.float64], max_results: int | None
) -> list[tuple[str, float]]:
    order = np.argsort(-row, kind="stable")
    return [(config.labels[i], float(row[i])) for i in order if row[i] >= thresholds[i]][:max_results]


def _nearest(
    row: npt.NDArray[np.float64], config: ModelConfig, thresholds: npt.NDArray[np.float64]
) -> tuple[str, float, float]:
    best = int(row.argmax())
    return config.labels[best], float(row[best]), float(thresholds[best])


def _checked(value: object, name: str) -> float:
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise InputError(f"{name}={value!r} must be a number from 0 to 1.")
    number = float(value)
    if number > 1:
        raise InputError(
            f"{name}={value!r} must be a number from 0 to 1 "
            "(the API's MinConfidence is in percent: 80 there is 0.8 here)."
        )
    if math.isnan(number) or number < 0:
        raise InputError(f"{name}={value!r} must be a number from 0 to 1.")
    return number


def _below(confidence: float, threshold: float) -> str:
    """The confidence with as many decimals as it takes to look smaller than the threshold."""
    for decimals in range(3, 7):
        if round(confidence, decimals) < round(threshold, 3):
            return f"{confidence:.{decimals}f}"
    return f"just under {threshold:.3f}"
