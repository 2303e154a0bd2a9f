"""Write a dataset over an older one until the process is killed or the disk is full, for ``test_half_written.py``.

Arguments: the action ("again" to repeat, or "fill" to fill a small disk first), the format, the target folder, the
folder of photos.
"""

from __future__ import annotations

import shutil
import sys
from itertools import cycle
from pathlib import Path

import pandas as pd

from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.loading import read_dataset
from customlabels_nb.errors import InputError

LABELS = ("first", "second")
REMOTE = 300  # images without a file
_ENDINGS = {"ground_truth": "set.manifest", "coco": "set.json", "custom_vision": "set.json", "csv": "set.csv"}


def target(name: str, folder: Path) -> Path:
    """Return the path of a dataset of the format."""
    return folder / _ENDINGS.get(name, "set")


def dataset(photos: Path | list[str], label: str, *, boxes: bool) -> Dataset:
    """Return a dataset of all photos in a folder, or of these names, each with this label."""
    names = photos if isinstance(photos, list) else [str(path) for path in sorted(photos.glob("*.png"))]
    images = pd.DataFrame({"image": names, "width": 100, "height": range(60, 60 + len(names))})
    rows = images[["image"]].assign(label=label)
    return Dataset(images, rows.assign(left=1.0, top=2.0, width=30.0, height=40.0) if boxes else rows)


def labels(path: Path, name: str) -> list[str]:
    """Return the label of each image, after checking that all of them can be read."""
    found = read_dataset(path, name)
    assert found.issues.empty, found.issues.to_dict("records")
    return found.annotations["label"].tolist()


def main() -> None:
    """Write the datasets. See the module docstring."""
    what, name, folder, photos = sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
    boxes = name != "image_folder"
    path = target(name, folder)
    images = [f"s3://bucket/photos/{number}.jpg" for number in range(REMOTE)] if boxes else photos
    old, new = (dataset(images, label, boxes=boxes) for label in LABELS)
    old.to(name, path)
    print("ready", flush=True)
    if what == "again":
        for value in cycle((new, old)):
            value.to(name, path)
    free = shutil.disk_usage(folder).free
    (folder / "filler").write_bytes(b"\0" * (free - 8192))  # room for two pages, so that the third write fails
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} or {path: path.read_bytes()}
    try:
        new.to(name, path)
    except InputError as error:
        print(error)
    else:
        raise SystemExit("The full disk was not noticed.")
    after = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} or {path: path.read_bytes()}
    assert after == before
    assert sorted(entry.name for entry in folder.iterdir()) == sorted(["filler", path.name])
    assert set(labels(path, name)) == {LABELS[0]}
    (folder / "filler").unlink()
    new.to(name, path)
    assert LABELS[1] in labels(path, name)


if __name__ == "__main__":
    main()
