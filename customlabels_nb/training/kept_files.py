"""Read and write the files stored with a model version: dataset snapshots and predictions."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb._utils.files import write_errors, write_whole
from customlabels_nb.core.geometry import polygon_to_ltwh
from customlabels_nb.core.tables import BOX_COLUMNS, TEXT
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.formats.ground_truth import manifest_lines, read_manifest
from customlabels_nb.datasets.reviewed import SEEN
from customlabels_nb.errors import ArtifactError
from customlabels_nb.evaluation.arrays import FloatArray

_IMAGES = "images.json"
#: File with the SHA-256 of the snapshots' other files, with which changes are noticed.
_DIGESTS = "snapshots.json"
#: File with the polygons of the annotations, which manifests do not have, written only if there are any.
_POLYGONS = "polygons.json"
_SHAPE = ("label", *BOX_COLUMNS)
_SNAPSHOTS = ("train.manifest", "test.manifest", _POLYGONS, _IMAGES)
#: What reading a damaged or deleted file of a version raises.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError, BadZipFile, zlib.error)
#: File with the names of the training images that were held out, written only if there are any.
HELD_OUT = "held_out.json"
#: File with the content hashes of the training images, and of those of the versions that the training started from.
LEARNT = "learnt.json"
#: Predictions for training images by models that were not trained on them.
CROSS_FITTED = "cross-fitted"
#: Predictions for test images that were added or changed after the training.
LATER = "later"
_PREDICTIONS = {
    "train": "predictions_train.npz",
    "test": "predictions.npz",
    CROSS_FITTED: "predictions_cross_fitted.npz",
    LATER: "predictions_later.npz",
}


def write_snapshots(folder: Path, train: Dataset, test: Dataset) -> None:
    """Write datasets as manifests, then hashes and statuses, whose file marks a complete snapshot."""
    facts: dict[str, dict[str, dict[str, str | None]]] = {}
    polygons: dict[str, dict[str, list[Any]]] = {}
    for dataset in (train, test):
        images, annotations = dataset.image_table, dataset.annotations
        for row in np.flatnonzero(annotations["left"].isna() & annotations["polygon"].notna()).tolist():
            sides = polygon_to_ltwh(annotations["polygon"].iat[row])
            annotations.iloc[row, [annotations.columns.get_loc(name) for name in BOX_COLUMNS]] = sides
        lines = manifest_lines(images, annotations)
        write_file(folder / f"{dataset.name}.manifest", "".join(line + "\n" for line in lines).encode())
        hashes = images["sha256"].astype(object).where(images["sha256"].notna(), None)
        facts[dataset.name] = {
            image: {"sha256": sha256, "status": status} | ({"tags": [SEEN]} if SEEN in tags else {})
            for image, sha256, status, tags in zip(
                images["image"], hashes, images["status"], images["tags"], strict=True
            )
        }
        polygons[dataset.name] = _polygons_of(annotations)
    if any(polygons.values()):
        write_file(folder / _POLYGONS, json.dumps(polygons, ensure_ascii=False).encode())
    write_json(folder / _DIGESTS, _digests(folder, {_IMAGES: _json_bytes(facts)}))
    write_json(folder / _IMAGES, facts)


def _digests(folder: Path, contents: Mapping[str, bytes], names: Collection[str] = _SNAPSHOTS) -> dict[str, str]:
    """Return the SHA-256 of each file of the snapshots, which may have new ``contents``."""
    names = [name for name in names if name in contents or (folder / name).is_file()]
    return {name: hashlib.sha256(contents.get(name) or (folder / name).read_bytes()).hexdigest() for name in names}


def check_snapshots(folder: Path, names: Collection[str] = _SNAPSHOTS) -> None:
    """Raise ArtifactError if one of these files of the snapshots was changed or deleted since the training began."""
    if not (folder / _DIGESTS).is_file():  # written by an earlier release
        return
    digests, now = _read_json(folder / _DIGESTS), _digests(folder, {}, names)
    for name in names:
        if now.get(name) != digests.get(name):
            raise ArtifactError(
                f"{str(folder / name)!r} has been changed since the training began. Restore the file, or train "
                "a new version."
            )


def _polygons_of(annotations: pd.DataFrame) -> dict[str, list[Any]]:
    """Return ``[label, left, top, width, height, polygon]`` of each shape, by image, if the image has polygons."""
    drawn = annotations[annotations["left"].notna()]
    rows = drawn[drawn["image"].isin(drawn.loc[drawn["polygon"].notna(), "image"])]
    polygons = rows["polygon"].astype(object).where(rows["polygon"].notna(), None)
    rows = rows[["image", *_SHAPE]].assign(polygon=polygons)
    return {image: shapes.drop(columns="image").values.tolist() for image, shapes in rows.groupby("image")}


def _with_polygons(annotations: pd.DataFrame, polygons: Mapping[str, list[Any]]) -> pd.DataFrame:
    """Return annotations with the polygons that :func:`_polygons_of` returned."""
    by_shape: dict[tuple[Any, ...], deque[Any]] = {}  # several shapes may have the same label and box
    for image, shapes in polygons.items():
        for *shape, polygon in shapes:
            by_shape.setdefault((image, *shape), deque()).append(polygon)
    keys = zip(*(annotations[name].tolist() for name in ("image", *_SHAPE)), strict=True)
    matched = [by_shape[key].popleft() if by_shape.get(key) else None for key in keys]
    return annotations.assign(polygon=pd.Series(matched, annotations.index, dtype=object))


def has_snapshots(folder: Path) -> bool:
    return (folder / _IMAGES).is_file()


def write_json(path: Path, value: Any) -> None:
    write_file(path, _json_bytes(value))


def _json_bytes(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def write_file(path: Path, data: bytes) -> None:
    """Write a file to a version's folder atomically, creating the folder if needed."""
    with write_errors(repr(str(path)), ArtifactError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)


@contextmanager
def _named_if_damaged(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise ArtifactError(
            f"{str(path)!r} is missing or damaged ({error}). Restore the file, or train a new version."
        ) from error


def _read_json(path: Path) -> dict[str, Any]:
    with _named_if_damaged(path):
        return dict(json.loads(path.read_text("utf-8")))


def read_snapshot(folder: Path, split: str, root: Path) -> Dataset:
    """Read the snapshot of the dataset that a version was trained or tested on. Of the tags, it has only SEEN.

    ArtifactError is raised if one of its files is damaged, which could leave out images in silence.
    """
    check_snapshots(folder, (f"{split}.manifest", _POLYGONS, _IMAGES))
    manifest = read_manifest(folder / f"{split}.manifest")
    facts = _read_json(folder / _IMAGES).get(split, {})
    tags = [facts.get(image, {}).get("tags", []) for image in manifest.images["image"]]
    images = manifest.images.assign(
        split=split,
        tags=pd.Series(tags, manifest.images.index, dtype=object),
        sha256=manifest.images["image"].map(lambda image: facts.get(image, {}).get("sha256")).astype(TEXT),
        status=[
            facts.get(image, {}).get("status", status)
            for image, status in zip(manifest.images["image"], manifest.images["status"], strict=True)
        ],
    )
    annotations = manifest.annotations
    if (folder / _POLYGONS).is_file():
        annotations = _with_polygons(annotations, _read_json(folder / _POLYGONS).get(split, {}))
    return Dataset(images, annotations, name=split, root=root)


def snapshot_contents(folder: Path, split: str) -> dict[str, str | None]:
    """Return the content hash of each image in the snapshot of a dataset, by name, None if it is unknown."""
    facts = _read_json(folder / _IMAGES) if has_snapshots(folder) else {}
    with _named_if_damaged(folder / _IMAGES):
        return {image: fact.get("sha256") for image, fact in facts.get(split, {}).items()}


def write_learnt(folder: Path, contents: Mapping[str, str | None], base: Path | None) -> None:
    """Store which images a version has learnt, by content hash, also from the version in the folder ``base``."""
    write_json(folder / LEARNT, {"train": {**(read_learnt(base) if base else {}), **contents}})


def read_learnt(folder: Path) -> dict[str, str | None]:
    return dict(_read_json(folder / LEARNT).get("train", {})) if (folder / LEARNT).is_file() else {}


def _rename_manifest(path: Path, names: Mapping[str, str]) -> bytes:
    lines = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
    renamed = ({**line, "source-ref": names.get(line["source-ref"], line["source-ref"])} for line in lines)
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in renamed).encode()


def _rename_facts(path: Path, names: Mapping[str, str]) -> bytes:
    splits = json.loads(path.read_text("utf-8")).items()
    moved = {split: {names.get(image, image): fact for image, fact in facts.items()} for split, facts in splits}
    return _json_bytes(moved)


def _rename_list(path: Path, names: Mapping[str, str]) -> bytes:
    return _json_bytes([names.get(image, image) for image in json.loads(path.read_text("utf-8"))])


def _rename_predictions(path: Path, names: Mapping[str, str]) -> bytes:
    with np.load(path, allow_pickle=False) as kept:
        columns = {key: kept[key] for key in kept if key not in ("images", "labels")}
        images = [names.get(image, image) for image in kept["images"].tolist()]
        return _prediction_bytes(images, kept["labels"].tolist(), columns)


#: Functions that rewrite a version's files for renamed images, by file name.
_RENAMES: dict[str, Callable[[Path, Mapping[str, str]], bytes]] = {
    "train.manifest": _rename_manifest,
    "test.manifest": _rename_manifest,
    _IMAGES: _rename_facts,
    _POLYGONS: _rename_facts,
    HELD_OUT: _rename_list,
    LEARNT: _rename_facts,
    **dict.fromkeys(_PREDICTIONS.values(), _rename_predictions),
}


def relocated_files(folder: Path, names: Mapping[str, str]) -> dict[str, bytes]:
    """Rewrite the version's files for renamed images, and return the new content by file name."""
    contents = {}
    for name, rename in _RENAMES.items():
        if (folder / name).is_file():
            with _named_if_damaged(folder / name):
                contents[name] = rename(folder / name, names)
    if (folder / _DIGESTS).is_file():
        contents[_DIGESTS] = _json_bytes(_digests(folder, contents))
    return contents


def prediction_frame(images: list[str], labels: list[str], confidences: FloatArray) -> pd.DataFrame:
    """Convert confidences of shape (images, labels) to a table with the columns image, label and confidence."""
    return pd.DataFrame(
        {
            "image": np.repeat(np.asarray(images, dtype=object), len(labels)),
            "label": np.tile(np.asarray(labels, dtype=object), len(images)),
            "confidence": confidences.reshape(-1),
        }
    )


def write_predictions(
    folder: Path,
    images: list[str],
    labels: list[str],
    table: pd.DataFrame,
    *,
    split: str = "test",
    contents: Mapping[str, str | None] | None = None,
    unread: Collection[str] = (),
) -> None:
    """Store the predictions for a split with the version, so that it can be evaluated without running the model.

    ``contents`` has the content hashes of the images, and ``unread`` those that could not be read.
    """
    numbers = {name: table[name].to_numpy(dtype=np.float64) for name in ("confidence", *BOX_COLUMNS) if name in table}
    rows = {
        "image_of": pd.Index(images).get_indexer(table["image"]).astype(np.int32),
        "label_of": pd.Index(labels).get_indexer(table["label"]).astype(np.int32),
    }
    if "polygon" in table:
        numbers["polygons"] = np.frombuffer(json.dumps(table["polygon"].tolist()).encode(), dtype=np.uint8)
    if contents is not None:
        numbers["contents"] = np.array([contents[image] or "" for image in images], dtype=np.str_)
        numbers["unread"] = np.isin(np.array(images, dtype=object), list(unread))
    write_file(folder / _PREDICTIONS[split], _prediction_bytes(images, labels, {**rows, **numbers}))


def _prediction_bytes(images: list[str], labels: list[str], columns: Mapping[str, npt.NDArray[np.generic]]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=np.asarray(images), labels=np.asarray(labels), **columns)  # type: ignore[arg-type]
    return buffer.getvalue()


def has_predictions(folder: Path, split: str) -> bool:
    """Check whether predictions are stored for a split. Only those for test images are always there."""
    return (folder / _PREDICTIONS[split]).is_file()


def predictions_changed(folder: Path, split: str) -> int:
    """Return when the predictions for a split were stored, in nanoseconds, 0 if there are none."""
    return (folder / _PREDICTIONS[split]).stat().st_mtime_ns if has_predictions(folder, split) else 0


def read_contents(folder: Path, *, split: str) -> tuple[dict[str, str | None], set[str]]:
    """Return the content hashes of images, and the unread images, as they were passed to :func:`write_predictions`."""
    path = folder / _PREDICTIONS[split]
    with _named_if_damaged(path), np.load(path, allow_pickle=False) as kept:
        images = kept["images"].tolist()
        contents = [content or None for content in kept["contents"].tolist()]
        return dict(zip(images, contents, strict=True)), set(np.array(images, dtype=object)[kept["unread"]])


def read_predictions(folder: Path, *, split: str = "test") -> tuple[list[str], pd.DataFrame]:
    """Return the predicted images and the table of predictions that :func:`write_predictions` stored."""
    path = folder / _PREDICTIONS[split]
    with _named_if_damaged(path), np.load(path, allow_pickle=False) as kept:
        images, labels = kept["images"].tolist(), kept["labels"].tolist()
        names = {"image": np.asarray(images, dtype=object)[kept["image_of"]],
                 "label": np.asarray(labels, dtype=object)[kept["label_of"]]}  # fmt: skip
        numbers = {name: kept[name] for name in ("confidence", *BOX_COLUMNS) if name in kept}
        table = pd.DataFrame({**names, **numbers})
        if "polygons" in kept:
            polygons = json.loads(kept["polygons"].tobytes())
            table["polygon"] = pd.Series(polygons, table.index, dtype=object)
        return images, table
