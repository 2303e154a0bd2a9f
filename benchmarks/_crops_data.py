"""Photos and projects of ``crops.py``: many boxes on photos that share a few files, and fruit with planted errors."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from _gallery_screens import _base
from PIL import Image, ImageEnhance, ImageOps

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.images.reading import content_hash
from customlabels_nb.store import Action

LABELS = ("apple", "banana", "orange")
MEGAPIXEL, TWELVE = (1152, 864), (4000, 3000)
FILES = 12  # photos that differ

_BOXES = ["image", "label", *t.BOX_COLUMNS]


def many_boxes(
    folder: Path, name: str, size: tuple[int, int], images: int, each: int, predicted: int = 0
) -> cl.Project:
    """Create a project of ``images`` photos with ``each`` boxes, and further photos with ``predicted`` predicted boxes.

    The photos are links to a few files of this size. No two boxes are at the same place, so none shares a thumbnail.
    """
    photos = _photos(folder / "x".join(map(str, size)), size)
    links = folder / name
    links.mkdir()
    more = -(-predicted // each)
    names = [str(links / f"{number:06}.jpg") for number in range(images + more)]
    for number, path in enumerate(names):
        Path(path).symlink_to(photos[number % FILES])
    rng = np.random.default_rng(0)
    count = (images + more) * each
    sides = rng.uniform(0.05, 0.25, (count, 2)) * size
    corners = rng.uniform(0, 1, (count, 2)) * (size - sides)
    boxes = pd.DataFrame(np.concatenate([corners, sides], axis=1).round(1), columns=[*t.BOX_COLUMNS])
    boxes.insert(0, "label", np.array(LABELS, dtype=object)[rng.integers(0, len(LABELS), count)])
    boxes.insert(0, "image", np.repeat(np.array(names, dtype=object), each))
    truth, offers = boxes.iloc[: images * each], boxes.iloc[images * each :]
    table = pd.DataFrame({"image": names, "width": size[0], "height": size[1]})
    hashes = [content_hash(path.read_bytes()) for path in photos]  # thumbnails are cached only by the right ones
    table["sha256"] = [hashes[number % FILES] for number in range(len(names))]
    table["status"] = np.where(np.arange(len(names)) < images, "labelled", "unlabelled")
    project = cl.create_project(name, folder / "projects", task="boxes")
    for label in LABELS:
        project.labels.add(label)
    annotations = t.normalise_annotations(truth, annotator="somebody")
    project._store.add_images("train", t.normalise_images(table), annotations, Action("import", "somebody"))
    if predicted:
        project.add_predictions(offers.assign(confidence=rng.uniform(0.3, 1, len(offers))), model="v1")
    return project


def forget_thumbnails(project: cl.Project) -> None:
    """Delete the thumbnails on disk."""
    shutil.rmtree(Path(project.root) / "cache" / "thumbnails", ignore_errors=True)


def _photos(folder: Path, size: tuple[int, int]) -> list[Path]:
    """Draw the files that differ, with noise and shapes."""
    rng, paths = np.random.default_rng(0), [folder / f"{number}.jpg" for number in range(FILES)]
    folder.mkdir(exist_ok=True)
    for path in paths:
        if not path.exists():
            Image.fromarray(_base(rng).astype(np.uint8)).resize(size).save(path, "JPEG", quality=85)
    return paths


# -- fruit with planted errors --------------------------------------------------------------------------------
class Planted(NamedTuple):
    """Project with wrong labels, and the right label of each box by the name of its crop."""

    project: cl.Project
    right: dict[str, str]


_CANVAS = (1024, 768)


def plant(folder: Path, data: Path, boxes: int, each: int, wrong: float, random_state: int) -> Planted:
    """Paste ``boxes`` labelled fruit into photos, ``each`` in one, and give a share ``wrong`` another label.

    The fruit are the boxes of ``fruit-objects``, each turned, mirrored, scaled and made lighter or darker at random,
    and the photos those of ``raccoon``. Every label has as many boxes.
    """
    from _training_photos import photos as read_photos

    rng = np.random.default_rng(random_state)
    train, test, names = read_photos("fruit-objects")
    fruit: dict[str, list[Image.Image]] = {name: [] for name in names}
    for example in (*train, *test):
        with Image.open(example.image) as photo:
            upright = ImageOps.exif_transpose(photo).convert("RGB")
        for (left, top, width, height), label in zip(example.boxes, example.labels, strict=True):
            fruit[names[label]].append(upright.crop((int(left), int(top), int(left + width), int(top + height))))
    scenes = sorted((data / "raccoon" / "images").glob("*.jpg"))
    labels = rng.permutation(np.resize(np.array(names, dtype=object), boxes))
    own = folder / f"fruit-{each}"
    own.mkdir()
    columns = int(np.ceil(np.sqrt(each)))
    rows = int(np.ceil(each / columns))
    cell = np.array([_CANVAS[0] / columns, _CANVAS[1] / rows])
    table = []
    for number in range(-(-boxes // each)):
        with Image.open(scenes[rng.integers(len(scenes))]) as scene:
            canvas = scene.convert("RGB").resize(_CANVAS)
        path = str(own / f"{number:04}.jpg")
        for place, label in enumerate(labels[number * each : (number + 1) * each]):
            piece = _varied(fruit[label][rng.integers(len(fruit[label]))], rng)
            scale = rng.uniform(0.45, 0.9) * min(cell[0] / piece.width, cell[1] / piece.height, 1.0)
            piece = piece.resize((max(8, int(piece.width * scale)), max(8, int(piece.height * scale))))
            at = cell * (place % columns, place // columns) + rng.uniform(0, 1, 2) * (cell - piece.size)
            left, top = (int(side) for side in at)
            canvas.paste(piece, (left, top))
            table.append((path, label, left, top, *piece.size))
        canvas.save(path, quality=90)
    truth = pd.DataFrame(table, columns=_BOXES)
    given = truth["label"].to_numpy(object).copy()
    for row in rng.choice(boxes, round(wrong * boxes), replace=False):
        given[row] = rng.choice([name for name in names if name != given[row]])
    project = cl.create_project(f"planted-{each}", folder / "projects", task="boxes")
    project.add_images(own, progress=False)
    for name in names:
        project.labels.add(name)
    project.update("train", truth.assign(label=given))
    ends = (f"#xywh={left},{top},{width},{height}" for left, top, width, height in truth[[*t.BOX_COLUMNS]].to_numpy())
    return Planted(project, dict(zip(truth["image"] + pd.Series(ends), truth["label"], strict=True)))


def _varied(piece: Image.Image, rng: np.random.Generator) -> Image.Image:
    if rng.random() < 0.5:
        piece = ImageOps.mirror(piece)
    piece = piece.rotate(90 * int(rng.integers(4)), expand=True)
    left, top, right, bottom = rng.uniform(0, 0.08, 4) * np.tile(piece.size, 2)
    piece = piece.crop((int(left), int(top), int(piece.width - right), int(piece.height - bottom)))
    return ImageEnhance.Brightness(ImageEnhance.Color(piece).enhance(rng.uniform(0.6, 1.3))).enhance(
        rng.uniform(0.6, 1.3)
    )
