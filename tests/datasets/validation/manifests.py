"""Manifest lines for tests, as documented by the service, and their images."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

Line = dict[str, Any]


class _Gone:
    def __repr__(self) -> str:
        return "gone"


GONE = _Gone()
BUCKET = "s3://bucket/"


def image_line(image: str = "a.png", *labels: str, **metadata: Any) -> Line:
    """Return a line with image-level labels (by default "apple"). ``metadata`` changes that of all of them."""
    line: Line = {"source-ref": image if "://" in image else BUCKET + image}
    for number, label in enumerate(labels or ("apple",)):
        facts = {
            "confidence": 1,
            "job-name": f"labeling-job/{label}",
            "class-name": label,
            "human-annotated": "yes",
            "creation-date": "2020-03-06T17:46:39.176",
            "type": "groundtruth/image-classification",
        }
        line[f"label-{number}"] = number
        line[f"label-{number}-metadata"] = changed(facts, **metadata)
    return line


def box_line(
    image: str = "a.png",
    boxes: Sequence[Sequence[float]] = ((10, 20, 30, 40),),
    *,
    size: tuple[int, int] = (640, 480),
    labels: Sequence[str] = ("Echo",),
    key: str = "bounding-box",
    **metadata: Any,
) -> Line:
    """Return a line with boxes (left, top, width, height) of alternating labels. ``metadata`` changes the metadata."""
    annotations = [
        {"class_id": i % len(labels), "left": left, "top": top, "width": width, "height": height}
        for i, (left, top, width, height) in enumerate(boxes)
    ]
    facts = {
        "objects": [{"confidence": 1} for _ in boxes],
        "class-map": {str(number): label for number, label in enumerate(labels)},
        "type": "groundtruth/object-detection",
        "human-annotated": "yes",
        "creation-date": "2013-11-18T02:53:27",
        "job-name": "my job",
    }
    return {
        "source-ref": image if "://" in image else BUCKET + image,
        key: {"image_size": [{"width": size[0], "height": size[1], "depth": 3}], "annotations": annotations},
        f"{key}-metadata": changed(facts, **metadata),
    }


def changed(line: Line, changes: Mapping[str, Any] | None = None, **more: Any) -> Line:
    """Return a copy with values replaced. ``GONE`` removes one, ``a/b/0`` is a path, and ``_`` in keywords is ``-``."""
    result: Line = json.loads(json.dumps(line))
    for path, value in {**(changes or {}), **{key.replace("_", "-"): value for key, value in more.items()}}.items():
        *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
        target: Any = result
        for step in steps:
            target = target[step]
        if value is GONE:
            del target[last]
        else:
            target[last] = value
    return result


def write_manifest(path: Path, lines: Iterable[Line | str | bytes]) -> Path:
    """Write a manifest of these lines, text and bytes unchanged, and return its path."""
    texts = (json.dumps(line) if isinstance(line, dict) else line for line in lines)
    path.write_bytes(b"".join((text.encode() if isinstance(text, str) else text) + b"\n" for text in texts))
    return path


def draw(path: Path, size: tuple[int, int] = (640, 480)) -> Path:
    """Write a plain image of this size in the format of the path's suffix, and return its path."""
    Image.new("1" if path.suffix == ".png" else "L", size, 1).save(path)
    return path
