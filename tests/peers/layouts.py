"""Read YOLO folders by the rules that Ultralytics documents, to test exports without its package."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from PIL import Image

Box = tuple[str, float, float, float, float]


@dataclass
class Split:
    """What a training program finds in a split: boxes as left, top, width, height in pixels, and why it drops images.

    Images without a label file count as background.
    """

    images: dict[Path, list[Box]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def label_file(image: str) -> str:
    """Replace the last ``/images/`` of a path with ``/labels/`` and the extension with ``.txt``."""
    images, labels = f"{os.sep}images{os.sep}", f"{os.sep}labels{os.sep}"
    return labels.join(image.rsplit(images, 1)).rsplit(".", 1)[0] + ".txt"


def read_yolo(description: Path) -> dict[str, Split]:
    """Read ``data.yaml``, whose keys ``train``, ``val`` and ``names`` are required and which names lists of images."""
    data = yaml.safe_load(description.read_text("utf-8"))
    names = {int(number): name for number, name in data["names"].items()}
    return {split: _read_list(description.parent / data[split], names) for split in ("train", "val")}


def _read_list(path: Path, names: dict[int, str]) -> Split:
    found = Split()
    for line in path.read_text("utf-8").splitlines():
        image = Path(line.replace("./", f"{path.parent}/", 1) if line.startswith("./") else line)
        try:
            with Image.open(image) as opened:
                size = opened.size
            found.images[image] = _read_labels(Path(label_file(str(image))), names, size)
        except (OSError, ValueError, KeyError) as error:
            found.problems.append(f"{line}: {error}")
    return found


def _read_labels(path: Path, names: dict[int, str], size: tuple[int, int]) -> list[Box]:
    boxes = []
    for line in path.read_text("utf-8").splitlines() if path.is_file() else []:
        number, *values = line.split()
        numbers = list(map(float, values))
        if min(numbers) < 0 or max(numbers) > 1:
            raise ValueError(f"coordinates beyond the image: {line}")
        if len(numbers) == 4:
            x, y, width, height = numbers
        else:
            left, right, top, bottom = min(numbers[::2]), max(numbers[::2]), min(numbers[1::2]), max(numbers[1::2])
            x, y, width, height = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
        left, top = (x - width / 2) * size[0], (y - height / 2) * size[1]
        boxes.append((names[int(number)], left, top, width * size[0], height * size[1]))
    return boxes
