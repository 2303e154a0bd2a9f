"""Read exports with another program, in its environment, and compare the boxes: ``readers.py PROGRAM FOLDER``.

An image is known by the color of its pixels. Each reader yields the number of an image, and its boxes as label, left,
top, width and height.
"""

from __future__ import annotations

import importlib
import json
import math
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from PIL import Image

COCO = "instances_default.json"
Found = Iterator[tuple[int, list[tuple[Any, ...]]]]


def number_of(image: Image.Image | str | Path) -> int:
    """Return the number of an image, or open its file first."""
    if isinstance(image, str | Path):
        with Image.open(image) as opened:
            return number_of(opened.convert("L"))
    return round(image.convert("L").getpixel((0, 0)) / 40)  # type: ignore[operator]


def pycocotools_coco(folder: Path) -> Found:
    """Read the boxes and decode the mask of each polygon."""
    folder /= "annotations"
    coco = importlib.import_module("pycocotools.coco").COCO(str(folder / COCO))
    for image in coco.loadImgs(coco.getImgIds()):
        entries = coco.loadAnns(coco.getAnnIds(image["id"]))
        assert all(coco.annToMask(entry).any() for entry in entries if entry["segmentation"]), "empty mask"
        boxes = [(coco.cats[entry["category_id"]]["name"], *entry["bbox"]) for entry in entries]
        yield number_of(folder / image["file_name"]), boxes


def torchvision_coco(folder: Path) -> Found:
    folder /= "annotations"
    coco = importlib.import_module("torchvision.datasets").CocoDetection(str(folder), str(folder / COCO))
    for number in range(len(coco)):
        image, entries = coco[number]
        boxes = [(coco.coco.cats[entry["category_id"]]["name"], *entry["bbox"]) for entry in entries]
        yield number_of(image), boxes


def supervision_any(read: Callable[[Any, Path], Any]) -> Callable[[Path], Found]:
    """Return a reader that uses one of supervision's methods."""

    def reader(folder: Path) -> Found:
        found = read(importlib.import_module("supervision").DetectionDataset, folder)
        for path, _, marks in found:
            pairs = zip(marks.xyxy.tolist(), marks.class_id.tolist(), strict=True)
            yield number_of(path), [(found.classes[n], x0, y0, x1 - x0, y1 - y0) for (x0, y0, x1, y1), n in pairs]

    return reader


def datumaro_any(
    name: str, target: str = ".", images: str = "images", subsets: tuple[str | None, ...] = (None,)
) -> Callable[[Path], Found]:
    """Return a reader of one of datumaro's formats. ``images`` is where this package puts the images."""

    def reader(folder: Path) -> Found:
        datumaro = importlib.import_module("datumaro")
        (folder / "images").mkdir(exist_ok=True)  # without it, COCO files are refused
        for subset in subsets:
            options = {} if subset is None else {"subset": subset}
            found = datumaro.Dataset.import_from(str(folder / target), name, **options)
            labels = found.categories()[datumaro.AnnotationType.label]
            for item in found:
                boxes = [(labels[mark.label].name, *mark.get_bbox()) for mark in item.annotations]
                # a polygon and its box are two annotations
                yield number_of(folder / images / Path(item.media.path).name), list(dict.fromkeys(boxes))

    return reader


def label_studio_sdk(folder: Path) -> Found:
    """Convert the tasks to COCO, as Label Studio does when it exports them."""
    labels = "".join(f'<Label value="{label}"/>' for label in ("cat", "big dog"))
    tools = "".join(
        f'<{kind}Labels name="{kind.lower()}" toName="image">{labels}</{kind}Labels>'
        for kind in ("Rectangle", "Polygon")
    )
    config = f'<View><Image name="image" value="$image"/>{tools}</View>'
    converter = importlib.import_module("label_studio_sdk.converter").Converter(
        config, str(folder), download_resources=False
    )
    with tempfile.TemporaryDirectory() as output:
        converter.convert_to_coco(
            str(folder / "tasks.json"), output, output_image_dir=str(Path(output, "images")), is_dir=False
        )
        found = json.loads(Path(output, "result.json").read_text("utf-8"))
    labels_of = {entry["id"]: entry["name"] for entry in found["categories"]}
    for image in found["images"]:
        name = image["file_name"].partition("?d=")[2] or image["file_name"]
        entries = [entry for entry in found["annotations"] if entry["image_id"] == image["id"]]
        boxes = [(labels_of[entry["category_id"]], *entry["bbox"]) for entry in entries]
        yield number_of(folder / "images" / Path(unquote(name)).name), boxes


READERS: dict[str, dict[str, Callable[[Path], Found]]] = {
    "pycocotools": dict.fromkeys(("coco", "coco_elsewhere"), pycocotools_coco),
    "torchvision": dict.fromkeys(("coco", "coco_elsewhere"), torchvision_coco),
    "supervision": {
        "coco": supervision_any(
            lambda sets, path: sets.from_coco(str(path / "annotations"), str(path / "annotations" / COCO))
        ),
        "voc": supervision_any(
            lambda sets, path: sets.from_pascal_voc(str(path / "images"), str(path / "Annotations"))
        ),
        "labelme": supervision_any(lambda sets, path: sets.from_labelme(str(path / "images"), str(path))),
        **dict.fromkeys(
            ("yolo", "yolo_polygons"),
            supervision_any(
                lambda sets, path: sets.from_yolo(str(path / "images"), str(path / "labels"), str(path / "data.yaml"))
            ),
        ),
    },
    "datumaro": {
        "coco": datumaro_any("coco_instances", images="annotations/images"),
        "voc": datumaro_any("voc_detection"),
        "yolo": datumaro_any("yolo"),
        "cvat": datumaro_any("cvat", "annotations.xml", subsets=("Train", "Test")),
    },
    "label-studio-sdk": {"label_studio": label_studio_sdk},
}


def compare(found: list[tuple[int, list[tuple[Any, ...]]]], expected: dict[str, Any]) -> str:
    """Return what differs, or an empty string."""
    if len(found) != expected["images"]:
        return f"{len(found)} images instead of {expected['images']}"
    rows = sorted([number, *box] for number, boxes in found for box in boxes)
    same = len(rows) == len(expected["boxes"]) and all(
        mine[:2] == theirs[:2]
        and all(math.isclose(a, b, abs_tol=expected["tolerance"]) for a, b in zip(mine[2:], theirs[2:], strict=True))
        for mine, theirs in zip(rows, expected["boxes"], strict=True)
    )
    return "" if same else f"{rows} instead of {expected['boxes']}"


def main(peer: str, folder: Path) -> int:
    """Read all exports that the program can read, show the result of each, and return the exit status."""
    warnings.simplefilter("ignore")
    expected = json.loads((folder / "expected.json").read_text("utf-8"))
    failed = False
    for name, reader in READERS[peer].items():
        try:
            found = list(reader(folder / name))
            problem = compare(found, expected[name])
        except Exception as error:  # of the other program: shown, and the next format is read
            problem = f"{type(error).__name__}: {error} {error.__cause__ or ''}"
        facts = f"{expected[name]['images']} images, {len(expected[name]['boxes'])} boxes"
        print(f"{name}: {problem or f'{facts} as exported'}", flush=True)
        failed |= bool(problem)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
