"""Answers about many images as lines of a file that grows: JSON Lines, or a manifest."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import ratios_to_ltwh
from customlabels_nb.datasets.formats.ground_truth import manifest_lines, read_manifest
from customlabels_nb.errors import InputError
from customlabels_nb.images.reading import is_remote, to_path, to_uri
from customlabels_nb.inference.inputs import located
from customlabels_nb.inference.journal import Mark
from customlabels_nb.inference.outputs import Looked, plain, sync_folder, table_of
from customlabels_nb.inference.postprocess import DETECTION_COLUMNS, ImagePrediction, joined
from customlabels_nb.inference.responses import api_entries
from customlabels_nb.models.artifact import DETECTION, ModelConfig

_SIDES = ("Left", "Top", "Width", "Height")


class LineOutput(ABC):
    """An :class:`customlabels_nb.inference.outputs.Output` that is a file; its mark is the length of what is whole."""

    form = "lines"
    images_a_step, seconds_a_step = 512, 2.0

    def __init__(self, path: Path, config: ModelConfig) -> None:
        self.path = path
        self.journal = path.with_name(f"{path.name}.journal")
        self._config = config
        self._labels = np.asarray(config.labels, dtype=object)

    def there(self) -> bool:
        return os.path.lexists(self.path)

    def make_room(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def begin(self) -> None:
        self.path.open("xb").close()
        sync_folder(self.path.parent)

    def go_on(self, marks: Sequence[Mark], images: Iterable[str]) -> None:
        whole = marks[-1] if marks else 0
        if not marks and not self.there():  # it was cut off before it began to write
            return self.begin()
        if not isinstance(whole, int) or not self.path.is_file() or self.path.stat().st_size < whole:
            raise InputError(
                f"to={str(self.path)!r} lacks what {str(self.journal)!r} says was written; "
                "delete both to begin anew, or give another to=."
            )
        return os.truncate(self.path, whole)

    def write(self, looked: Sequence[Looked]) -> Mark | None:
        with self.path.open("ab") as file:
            file.writelines(line + b"\n" for line in self.lines(looked))
            file.flush()
            os.fsync(file.fileno())
            return file.tell()

    def finish(self) -> None:  # noqa: B027 - a part of every output
        """Nothing is left to do."""

    @abstractmethod
    def lines(self, looked: Sequence[Looked]) -> list[bytes]:
        """The lines for these images, without line ends."""

    @abstractmethod
    def read(self) -> pd.DataFrame: ...


class JsonLines(LineOutput):
    """The API's answer for each image that was read, a line each, with its name and, from a detector, its size."""

    form = "JSON Lines"

    def lines(self, looked: Sequence[Looked]) -> list[bytes]:
        return [orjson.dumps(self._record(one, one.answer)) for one in looked if one.answer is not None]

    def _record(self, one: Looked, answer: ImagePrediction) -> dict[str, Any]:
        size = {} if one.size is None else {"width": one.size[0], "height": one.size[1]}
        entries = api_entries(self._labels[answer.labels], answer.confidences, answer.boxes, one.size)
        return {"image": plain(one.image), **size, "CustomLabels": entries}

    def read(self) -> pd.DataFrame:
        rows: list[tuple[Any, ...]] = []
        with self.path.open("rb") as file:
            for record in map(orjson.loads, file):
                entries, size = record["CustomLabels"], (record.get("width", 1), record.get("height", 1))
                boxes = [entry.get("Geometry", {}).get("BoundingBox") for entry in entries]
                ratios = [[np.nan] * 4 if box is None else [box[side] for side in _SIDES] for box in boxes]
                pixels = ratios_to_ltwh(np.array(ratios, dtype=np.float64).reshape(-1, 4), size).tolist()
                rows += [
                    (record["image"], entry["Name"], entry["Confidence"] / 100, *box)
                    for entry, box in zip(entries, pixels, strict=True)
                ]
        return table_of(rows)


class ManifestOutput(LineOutput):
    """A manifest for :func:`customlabels_nb.read_dataset`: each image that was read, once, with its labels or boxes.

    An image on which a detector found nothing is one without boxes; one of which a classifier is sure of no label has
    none.
    """

    form = "manifest"

    def __init__(self, path: Path, config: ModelConfig, root: Path | None) -> None:
        super().__init__(path, config)
        for label in config.labels:
            t.check_label(label)
        self._root = root
        self._written: set[str] = set()

    def go_on(self, marks: Sequence[Mark], images: Iterable[str]) -> None:
        super().go_on(marks, images)
        self._written = set(map(self._name, images))

    def lines(self, looked: Sequence[Looked]) -> list[bytes]:
        new: dict[str, tuple[ImagePrediction, tuple[int, int]]] = {}
        for one in looked:
            name = self._name(one.image)
            if one.answer is not None and name not in self._written:
                self._written.add(name)
                new[name] = one.answer, one.size or (0, 0)
        if not new:
            return []
        every = joined([answer for answer, _ in new.values()])
        annotations = pd.DataFrame(every.boxes, columns=list(t.BOX_COLUMNS)).assign(
            image=np.repeat(np.asarray(list(new), dtype=object), [len(answer.labels) for answer, _ in new.values()]),
            label=self._labels[every.labels],
            confidence=every.confidences,
        )
        images = pd.DataFrame({"image": list(new)}).assign(
            status="labelled" if self._config.kind == DETECTION else "unlabelled",
            width=[size[0] or None for _, size in new.values()],
            height=[size[1] or None for _, size in new.values()],
        )
        found = manifest_lines(
            t.normalise_images(images),
            t.normalise_annotations(annotations),
            labels=self._config.labels,
            by_human=False,
        )
        return [line.encode() for line in found]

    def read(self) -> pd.DataFrame:
        if not self.path.stat().st_size:
            return table_of([])
        return read_manifest(self.path).annotations[["image", *DETECTION_COLUMNS]]

    def _name(self, image: str) -> str:
        if is_remote(image):
            return plain(image)
        return to_uri(to_path(located(image, self._root)))
