"""Write a dataset over an older one until the process is killed or the disk is full, for ``test_half_written.py``.

Arguments: "fill", the target folder, the folder of photos and formats, of which those are printed that stay whole. Or
"again", with a format and the folders as JSON on each line of standard input: a fork of this process writes until it is
killed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
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


def older_and_newer(name: str, folder: Path, photos: Path) -> tuple[Dataset, Dataset]:
    """Write a dataset and return it with the one that replaces it."""
    boxes = name != "image_folder"
    images = [f"s3://bucket/photos/{number}.jpg" for number in range(REMOTE)] if boxes else photos
    old, new = (dataset(images, label, boxes=boxes) for label in LABELS)
    old.to(name, target(name, folder))
    return old, new


def write_until_killed(name: str, folder: Path, photos: Path) -> None:
    """Print the process id, then replace a dataset again and again."""
    datasets = older_and_newer(name, folder, photos)
    print(os.getpid(), flush=True)
    for value in cycle(reversed(datasets)):
        value.to(name, target(name, folder))


def write_on_full_disk(name: str, folder: Path, photos: Path) -> None:
    """Check that the older dataset remains on a full disk, and that the newer one can be written later."""
    _, new = older_and_newer(name, folder, photos)
    path = target(name, folder)
    free = shutil.disk_usage(folder).free
    (folder / "filler").write_bytes(b"\0" * (free - 8192))  # room for two pages, so that the third write fails
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} or {path: path.read_bytes()}
    said = ""
    try:
        new.to(name, path)
    except InputError as error:
        said = str(error)
    assert "the disk is full" in said, said
    after = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} or {path: path.read_bytes()}
    assert after == before
    assert sorted(entry.name for entry in folder.iterdir()) == sorted(["filler", path.name])
    assert set(labels(path, name)) == {LABELS[0]}
    (folder / "filler").unlink()
    new.to(name, path)
    assert LABELS[1] in labels(path, name)


def main() -> None:
    """Write the datasets. See the module docstring."""
    if sys.argv[1] == "fill":
        folder, photos, *names = sys.argv[2:]
        for name in names:
            own = Path(folder, name)
            own.mkdir()
            try:
                write_on_full_disk(name, own, Path(photos))
                print(name)
            except Exception:
                traceback.print_exc()
            shutil.rmtree(own)
        return
    for line in sys.stdin:
        name, folder, photos = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                write_until_killed(name, Path(folder), Path(photos))
            finally:
                os._exit(1)
        os.waitpid(child, 0)
        print("gone", flush=True)


if __name__ == "__main__":
    main()
