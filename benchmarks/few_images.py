"""Heads fitted on a few images per label, beside scikit-learn's LogisticRegression on the same features.

Trained on 2, 5 and 10 images of each label, tested on all others, in the same draws: photos of fruit, crops of the
boxes of two detection sets, drawn flowers and rooms, handwritten digits, and textures drawn here. Photos that are not
there are skipped, and --images adds a folder of your own.

    python benchmarks/few_images.py [--only digits] [--draws 20] [--images DIR]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from _measure import bound, figure, heading
from _training_photos import folder_of, photos
from PIL import Image, ImageOps
from shots import few_of_each
from sklearn.linear_model import LogisticRegression

from customlabels_nb.models.embeddings import embed
from customlabels_nb.training.classification import fit_head

SETS = ("fruit", "fruit-objects", "raccoon", "flowers", "rooms", "digits", "textures")
SHOTS = (2, 5, 10)
TEXTURES = ("stripes", "checks", "dots", "waves", "rings", "grain", "bricks", "weave")
MOST_WORSE = 0.01

Images = Iterator[tuple[Image.Image, str]]


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=SETS)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--images", type=Path, help="folder with one subfolder of photos for each label")
    options = parser.parse_args()
    parts = [(name, _images(name)) for name in ([options.only] if options.only else SETS)]
    if options.images:
        parts.append((options.images.name, _folder(options.images)))
    for name, images in parts:
        with tempfile.TemporaryDirectory() as folder:
            features, targets = _features(images, Path(folder))
        if not len(targets):
            print(f"There are no photos for {name}, so they are skipped.")
            continue
        heading(f"{name}: {len(targets)} images of {targets.max() + 1} labels, {options.draws} draws:")
        for shots in SHOTS:
            if np.bincount(targets).min() > shots:
                _compare(features, targets, shots, options.draws)


def _compare(features: npt.NDArray[np.float32], targets: npt.NDArray[np.int64], shots: int, draws: int) -> None:
    ours, peer = [], []
    for random_state in range(draws):
        train, count = few_of_each(targets, shots, random_state), int(targets.max()) + 1
        head = fit_head(features[train], targets[train], count, random_state=random_state)
        ours.append(float((head.logits(features[~train]).argmax(axis=1) == targets[~train]).mean()))
        model = LogisticRegression(max_iter=1000).fit(features[train], targets[train])
        peer.append(float(model.score(features[~train], targets[~train])))
    figure(f"{shots} per label: accuracy, scikit-learn's", f"{np.mean(ours):.4f}, {np.mean(peer):.4f}")
    bound("difference", float(np.mean(ours) - np.mean(peer)), "", at_least=-MOST_WORSE)


def _features(images: Images, folder: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Compute the features of all images once, and return them with the index of each image's label."""
    paths, names = [], []
    for number, (image, label) in enumerate(images):
        paths.append(str(folder / f"{number}.png"))
        image.save(paths[-1], compress_level=1)
        names.append(label)
    labels = sorted(set(names))
    targets = np.array([labels.index(name) for name in names], dtype=np.int64)
    return (embed(paths, device="cpu").features if paths else np.empty((0, 1), np.float32)), targets


def _images(name: str) -> Images:
    """Yield the images of a set with their labels."""
    if name == "fruit":
        yield from _folder(folder_of(name))
    elif name in ("fruit-objects", "raccoon"):
        yield from _crops(name)
    elif name == "digits":
        yield from _digits()
    elif name == "textures":
        yield from _textures()
    else:
        yield from _drawn(name)


def _folder(folder: Path) -> Images:
    for path in sorted(folder.glob("*/*.jp*g")):
        with Image.open(path) as opened:
            yield _small(ImageOps.exif_transpose(opened)), path.parent.name


def _crops(name: str) -> Images:
    """Yield the content of each box, and a crop without objects for most raccoon photos, which have one label."""
    if not folder_of(name).is_dir():
        return
    train, test, labels = photos(name)
    rng = np.random.default_rng(0)
    for example in (*train, *test):
        with Image.open(example.image) as opened:
            photo = ImageOps.exif_transpose(opened).convert("RGB")
        for (left, top, width, height), label in zip(example.boxes, example.labels, strict=True):
            yield _small(photo.crop((left, top, left + width, top + height))), labels[label]
        for _ in range(50 if len(labels) == 1 else 0):
            side = rng.uniform(0.3, 0.6) * min(photo.size)
            x, y = rng.uniform(0, photo.width - side), rng.uniform(0, photo.height - side)
            if not any(x < a + w and a < x + side and y < b + h and b < y + side for a, b, w, h in example.boxes):
                yield _small(photo.crop((x, y, x + side, y + side))), "other"
                break


def _small(image: Image.Image) -> Image.Image:
    image = image.convert("RGB")
    image.thumbnail((512, 512))
    return image


def _drawn(name: str) -> Images:
    """Yield a drawn example project's images, each with its first label."""
    import customlabels_nb as cl

    with tempfile.TemporaryDirectory() as folder:
        written = cl.examples.write_photos(name, Path(folder) / name, train=200, test=0, size=(240, 180))
        marks = cl.read_dataset(written.train).annotations.drop_duplicates("image")
        for image, label in zip(marks["image"], marks["label"], strict=True):
            with Image.open(str(image)) as opened:
                yield opened.convert("RGB"), label


def _digits() -> Images:
    from sklearn.datasets import load_digits

    digits = load_digits()
    for digit in range(10):
        for at in np.flatnonzero(digits.target == digit)[:30]:
            yield Image.fromarray((digits.images[at] * 15.9).astype(np.uint8)).convert("RGB"), str(digit)


def _textures(each: int = 25, side: int = 224) -> Images:
    """Draw patterns in random colors, directions and sizes."""
    rng = np.random.default_rng(0)
    down, across = np.mgrid[:side, :side].astype(float)
    for name in TEXTURES:
        for _ in range(each):
            angle, size, start = rng.uniform(0, np.pi), rng.uniform(8, 32), rng.uniform(0, 64, 2)
            u = across * np.cos(angle) + down * np.sin(angle) + start[0]
            v = down * np.cos(angle) - across * np.sin(angle) + start[1]
            mask = _pattern(name, u, v, size, rng)
            light, dark = rng.uniform(0, 255, (2, 3))
            noise = rng.normal(0, rng.uniform(5, 30), (side, side, 1))
            pixels = np.where(mask[..., None], light, dark) + noise
            yield Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), name


def _pattern(
    name: str, u: npt.NDArray[np.float64], v: npt.NDArray[np.float64], size: float, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    wave = 2 * np.pi / size
    cell = np.floor(u / size) + np.floor(v / size)
    match name:
        case "stripes":
            return np.sin(wave * u) > 0
        case "checks":
            return cell % 2 == 0
        case "dots":
            return np.hypot(u % size - size / 2, v % size - size / 2) < size * rng.uniform(0.2, 0.4)
        case "waves":
            return np.sin(wave * (u + 0.6 * size * np.sin(wave * v / rng.uniform(2, 4)))) > 0
        case "rings":
            return np.sin(wave * np.hypot(u - rng.uniform(0, 224), v - rng.uniform(0, 224))) > 0
        case "grain":
            small = Image.fromarray(rng.integers(0, 256, (int(900 / size), int(900 / size)), dtype=np.uint8))
            return np.asarray(small.resize(u.shape[::-1], Image.Resampling.BICUBIC)) > 128
        case "bricks":
            return (v % size > 0.15 * size) & ((u + np.floor(v / size) % 2 * size) % (2 * size) > 0.15 * size)
        case _:
            return np.where(cell % 2 == 0, u, v) % (size / 3) < size / 6


if __name__ == "__main__":
    main()
