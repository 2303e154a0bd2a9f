"""What a version keeps beside its weights: both datasets as they were, and the test predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb.dataset import Dataset
from customlabels_nb.formats.ground_truth import manifest_lines, read_manifest

FloatArray = npt.NDArray[np.float64]


def write_snapshot(folder: Path, split: str, dataset: Dataset) -> None:
    """Keep a dataset as a manifest, and the content hashes of its images in ``hashes.json``."""
    text = "".join(line + "\n" for line in manifest_lines(dataset.images, dataset.annotations))
    write_text(folder / f"{split}.manifest", text)
    path = folder / "hashes.json"
    hashes = json.loads(path.read_text("utf-8")) if path.exists() else {}
    images = dataset.images
    known = images[images["sha256"].notna()]
    hashes[split] = dict(zip(known["image"], known["sha256"], strict=True))
    write_json(path, hashes)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file so that it is whole or not there."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file so that it is whole or not there."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)


def read_snapshot(folder: Path, split: str, root: Path) -> Dataset:
    """The dataset that a version was trained or tested on, as it was then."""
    manifest = read_manifest(folder / f"{split}.manifest")
    hashes = json.loads((folder / "hashes.json").read_text("utf-8")).get(split, {})
    images = manifest.images.assign(sha256=manifest.images["image"].map(hashes).astype("str"), split=split)
    return Dataset(images, manifest.annotations, name=split, root=root)


def prediction_frame(images: list[str], labels: list[str], confidences: FloatArray) -> pd.DataFrame:
    """A table image, label, confidence from an array of shape (images, labels)."""
    return pd.DataFrame(
        {
            "image": np.repeat(np.asarray(images, dtype=object), len(labels)),
            "label": np.tile(np.asarray(labels, dtype=object), len(images)),
            "confidence": confidences.reshape(-1),
        }
    )


def write_predictions(folder: Path, images: list[str], labels: list[str], confidences: FloatArray) -> None:
    """Keep the test predictions beside the version, so that evaluating it again runs no model."""
    temporary = folder / ".predictions.npz"
    np.savez_compressed(temporary, images=np.asarray(images), labels=np.asarray(labels), confidences=confidences)
    temporary.replace(folder / "predictions.npz")


def read_predictions(folder: Path) -> pd.DataFrame:
    """The table written by :func:`write_predictions`."""
    with np.load(folder / "predictions.npz", allow_pickle=False) as kept:
        return prediction_frame(kept["images"].tolist(), kept["labels"].tolist(), kept["confidences"])
