"""Run an exported model, stored in a file next to this program, on photos, with few dependencies.

``model.onnx`` needs numpy, pillow and onnxruntime. ``model.pt2`` needs numpy, pillow and torch, and torchvision for a
detector. The labels, thresholds, normalisation and other settings are stored in the model file itself.

In a terminal, it prints one line of JSON for each photo. Folders include their subfolders. A photo that cannot be read
is reported on stderr, and the exit status is 1 at the end::

    python detect.py photo.jpg shelf/ "more/*.png"

In Python::

    from detect import ExportedModel
    model = ExportedModel()
    model.detect("photo.jpg")                   # [{"label": "apple", "confidence": 0.98}, …]
    model.detect("photo.jpg", threshold=0.25)   # 0 returns all predictions

Boxes are ``left, top, width, height`` in pixels of the upright photo. Confidences are between 0 and 1. A model with
masks adds ``polygon``: a ring of points ``[x, y]``, or a list of rings for an object with several parts or holes.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

FACTS = "customlabels"
PHOTOS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp", ".dib", ".gif",
    ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".jpx", ".jpf", ".avif", ".heic", ".heif", ".hif", ".dcm", ".dicom",
)  # fmt: skip
ORIENTATION, LYING, PHOTOMETRIC = 0x0112, (5, 6, 7, 8), 262


class ExportedModel:
    """Exported model, loaded and ready to use.

    Parameters
    ----------
    path : path, optional
        Model file. By default ``model.onnx`` or ``model.pt2`` next to this file.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        beside = [Path(__file__).resolve().with_name(name) for name in FILES]
        self.path = Path(path) if path is not None else next(filter(Path.is_file, beside), beside[0])
        self.run, text = LOADERS[self.path.suffix](self.path)
        self.facts: dict[str, Any] = json.loads(text)
        self.labels: list[str] = self.facts["labels"]

    def detect(
        self, photo: str | Path | Image.Image, threshold: float | dict[str, float] | None = None
    ) -> list[dict[str, Any]]:
        """Predict the labels of a photo, the most confident first.

        Parameters
        ----------
        threshold : float or dict, optional
            Minimum confidence (between 0 and 1) for all labels, or by label. By default the decision that was stored
            with the model: each label's own threshold, or the most confident label alone.
        """
        image, size = upright(photo, self.facts)
        inside, outputs = image.size, []
        if self.facts["boxes"]:
            pixels, inside = canvas(image, self.facts)
            outputs = self.run(normalised(pixels, self.facts))
            candidates: Any = boxes(outputs, self.facts, size, inside)
        else:
            logits = self.run(normalised(square(image, self.facts), self.facts))[0][0]
            candidates = (
                (index, float(value), None, None) for index, value in enumerate(confidences(logits, self.facts))
            )
        by_confidence = threshold is None and self.facts.get("decision") == "most confident"
        limits = self.facts["thresholds"]
        if isinstance(threshold, dict):
            limits = {**limits, **threshold}
        elif threshold is not None:
            limits = dict.fromkeys(self.labels, threshold)
        rows = []
        scale = np.divide(size, inside)
        for number, confidence, box, index in candidates:
            label = self.labels[number]
            if by_confidence or confidence >= limits[label]:
                shape = {} if box is None else dict(zip(("left", "top", "width", "height"), box, strict=True))
                if self.facts["task"] == "polygons":
                    region = outputs[0][index] * np.tile(scale, 2)
                    shape["polygon"] = polygon_of(outputs[3][index], region, size, 0.5 * float(scale.max()))
                rows.append({"label": label, "confidence": confidence, **shape})
        rows.sort(key=lambda row: -row["confidence"])  # equal ones stay in the order of the labels
        return rows[:1] if by_confidence else rows


# -- preprocessing --------------------------------------------------------------------------------------
def upright(photo: str | Path | Image.Image, facts: dict[str, Any]) -> tuple[Image.Image, tuple[int, int]]:
    """Convert a photo to upright RGB on white and return it with its size (width, height).

    A JPEG is decoded at a fraction of its size if that is sufficient.
    """
    if not isinstance(photo, Image.Image):
        with Image.open(photo) as opened:
            return upright(opened, facts)
    size, side = photo.size, facts["input_size"]
    if photo.format != "TIFF" and photo.getexif().get(ORIENTATION) in LYING:  # Pillow itself rotates a TIFF
        size = (size[1], size[0])
    if facts["boxes"]:
        side = max(1, round(side * min(size) / max(size)))
    photo.draft("RGB", (side, side))
    image = ImageOps.exif_transpose(photo)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return deep_grey(image, photo), size
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return image.convert("RGB"), size


def deep_grey(image: Image.Image, photo: Image.Image) -> Image.Image:
    """Convert 16-bit, 32-bit or float greyscale to RGB, as the model's training did. Pillow would cut off values."""
    values: Any = np.nan_to_num(np.asarray(image).astype(np.float64))
    brightest = float(values.max(initial=0))
    if brightest < 256:  # a dark image of 16 bits, or 8 bits in a longer number
        white = 65535.0 if image.mode.startswith("I;16") else 1.0 if image.mode == "F" and brightest <= 1 else 255.0
    else:
        white = 2.0 ** next((n for n in (10, 12, 14, 16) if brightest < 2**n), int(brightest).bit_length()) - 1
    eight = (np.clip(values / white, 0, 1) * 255).round().astype(np.uint8)
    if photo.format == "TIFF" and getattr(photo, "tag_v2", {}).get(PHOTOMETRIC) == 0:
        eight = 255 - eight  # 0 is white, which Pillow inverts up to 8 bits only
    return Image.fromarray(eight).convert("RGB")


def square(image: Image.Image, facts: dict[str, Any]) -> Any:
    """Resize the entire image to a square: uint8 (3, side, side)."""
    side = facts["input_size"]
    small = image.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(small).transpose(2, 0, 1)


def canvas(image: Image.Image, facts: dict[str, Any]) -> tuple[Any, tuple[int, int]]:
    """Scale the image so that its longer side has the model's input size, and place it in the corner of a canvas.

    Returns
    -------
    pixels : uint8 array of shape (3, height, width)
        Canvas whose sides are multiples of the model's stride.
    inside : tuple of int
        Width and height of the scaled image.
    """
    scale = facts["input_size"] / max(image.size)
    inside = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    small = image.resize(inside, Image.Resampling.BICUBIC, reducing_gap=3.0)
    width, height = (-(-side // facts["stride"]) * facts["stride"] for side in inside)
    pixels = np.empty((3, height, width), dtype=np.uint8)
    pixels[:] = np.asarray(facts["fill"], dtype=np.uint8)[:, None, None]
    pixels[:, : inside[1], : inside[0]] = np.asarray(small).transpose(2, 0, 1)
    return pixels, inside


def normalised(pixels: Any, facts: dict[str, Any]) -> Any:
    """Normalise pixels to float32 (1, 3, height, width), the input of the network."""
    mean, std = (np.asarray(facts[name], dtype=np.float32).reshape(1, 3, 1, 1) for name in ("mean", "std"))
    return (pixels[None].astype(np.float32) / np.float32(255) - mean) / std


# -- postprocessing -------------------------------------------------------------------------------------
def confidences(logits: Any, facts: dict[str, Any]) -> Any:
    """Convert a classifier's logits to confidences between 0 and 1, in the order of the labels along the last axis."""
    exact = np.asarray(logits, dtype=np.float64)
    if facts["activation"] == "sigmoid":
        return 0.5 * (1 + np.tanh(exact / 2))
    powers = np.exp(exact - exact.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def boxes(
    outputs: list[Any], facts: dict[str, Any], size: tuple[int, int], inside: tuple[int, int]
) -> Iterator[tuple[int, float, list[float], int]]:
    """Yield the label index, confidence, box and row of each prediction of a detector, the most confident first.

    Parameters
    ----------
    outputs : list of arrays
        Corners on the canvas (n, 4), confidences (n,), and label indices (n,), before non-maximum suppression. The rows
        refer to them.
    """
    corners, scores, labels = outputs[:3]
    rules = facts["boxes"]
    sides = corners[:, 2:] - corners[:, :2]
    kept = np.flatnonzero((scores > rules["least_confidence"]) & (sides >= rules["least_side"]).all(axis=1))
    corners, scores, labels = corners[kept], scores[kept], labels[kept]
    scale = np.tile(np.divide(size, inside), 2)
    limit = np.tile(np.asarray(size, dtype=np.float64), 2)
    best = best_of_each(corners, scores, labels, rules["overlap"])[: rules["most"]]
    final = voted(corners, scores, labels, best, rules["overlap"]) if rules.get("votes") else corners[best]
    for index, corner in zip(best, final, strict=True):
        left, top, right, bottom = np.clip(corner.astype(np.float64) * scale, 0, limit).tolist()
        if (corner[2:] - corner[:2] >= 1).all() and right > left and bottom > top:
            yield int(labels[index]), float(scores[index]), [left, top, right - left, bottom - top], int(kept[index])


def best_of_each(corners: Any, scores: Any, labels: Any, overlap: float) -> Any:
    """Apply non-maximum suppression per label with the IoU threshold ``overlap`` and return the remaining indices."""
    order = np.argsort(-scores, kind="stable")
    sides = corners[:, 2:] - corners[:, :2]
    areas = sides[:, 0] * sides[:, 1]
    kept = []
    while len(order):
        first, rest = order[0], order[1:]
        kept.append(first)
        low = np.maximum(corners[first, :2], corners[rest, :2])
        high = np.minimum(corners[first, 2:], corners[rest, 2:])
        shared = np.clip(high - low, 0, None).prod(axis=1)
        apart = shared <= overlap * (areas[first] + areas[rest] - shared)
        order = rest[apart | (labels[rest] != labels[first])]
    return np.asarray(kept, dtype=np.int64)


def voted(corners: Any, scores: Any, labels: Any, best: Any, overlap: float) -> Any:
    """Average each of the boxes ``best`` with all boxes of its label that overlap it (box voting), shape (n, 4)."""
    first, exact = corners[best][:, None].astype(np.float64), corners.astype(np.float64)
    low, high = np.maximum(first[..., :2], exact[:, :2]), np.minimum(first[..., 2:], exact[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    joined = (first[..., 2:] - first[..., :2]).prod(axis=2) + (exact[:, 2:] - exact[:, :2]).prod(axis=1) - shared
    weights = np.clip(shared / joined - overlap, 0, None) * (labels[best][:, None] == labels) * scores**2
    return weights @ exact / weights.sum(axis=1, keepdims=True)


# -- masks ----------------------------------------------------------------------------------------------
def _crossed_edges() -> Any:
    """Tabulate which edges of a cell an outline enters and leaves, shape (16, 2, 2), by the corners inside.

    Edges and corners are numbered clockwise from the top and the top left. -1 means that there is no (second) line.
    """
    table = np.full((16, 2, 2), -1)
    for corners in range(16):
        inside = [bool(corners >> corner & 1) for corner in range(4)]
        for line, leaves in enumerate(edge for edge in range(4) if inside[edge] and not inside[(edge + 1) % 4]):
            enters = next(edge % 4 for edge in range(leaves + 3, leaves - 1, -1) if not inside[edge % 4])
            table[corners, line] = leaves, enters
    return table


_CROSSED = _crossed_edges()


def outlines(mask: Any) -> list[Any]:
    """Trace the outlines of a mask with linear interpolation (marching squares).

    Parameters
    ----------
    mask : array of shape (rows, columns)
        Probability, at the centre of each cell, that it shows the object.

    Returns
    -------
    list of array, shape (n, 2)
        Rings ``x, y`` around parts and holes, as shares of the mask's width and height.
    """
    values = np.pad(np.asarray(mask, dtype=np.float64), 1)
    level = min(0.5, 0.5 * float(values.max()))
    wide, count = values.shape[1], values.size
    inside = values > level
    corners = inside[:-1, :-1] + 2 * inside[:-1, 1:] + 4 * inside[1:, 1:] + 8 * inside[1:, :-1]
    rows, columns = np.nonzero((corners > 0) & (corners < 15))
    cell = rows * wide + columns
    # edges to the right of a value are numbered like the value, edges below it are numbered from count
    edges = np.stack([cell, cell + 1 + count, cell + wide, cell + count], axis=1)
    crossed = _CROSSED[corners[rows, columns]]
    following: dict[int, int] = {}
    for line in range(2):
        there = np.flatnonzero(crossed[:, line, 0] >= 0)
        starts, ends = (edges[there, crossed[there, line, end]].tolist() for end in (0, 1))
        following.update(zip(starts, ends, strict=True))
    rings = []
    while following:
        first, point = following.popitem()
        ring = [first]
        while point != first:
            ring.append(point)
            point = following.pop(point)
        edge = np.asarray(ring)
        below, start = edge >= count, edge % count
        before, after = values.flat[start], values.flat[start + np.where(below, wide, 1)]
        share = (level - before) / (after - before)
        x, y = start % wide + np.where(below, 0, share), start // wide + np.where(below, share, 0)
        rings.append(np.stack([(x - 0.5) / (wide - 2), (y - 0.5) / (len(values) - 2)], axis=1))
    return rings


def simplified(ring: list[list[float]], tolerance: float) -> list[list[float]]:
    """Remove points of a ring that are within ``tolerance`` of the remaining outline (Douglas and Peucker, 1973)."""
    closed, least = [*ring, ring[0]], tolerance**2
    x, y = ring[0]
    far = max(range(len(ring)), key=lambda at: (ring[at][0] - x) ** 2 + (ring[at][1] - y) ** 2)
    kept, waiting = {0, far}, [(0, far), (far, len(ring))]
    while waiting:
        first, last = waiting.pop()
        (x, y), (to_x, to_y) = closed[first], closed[last]
        across, down = to_x - x, to_y - y
        length, worst, farthest = across * across + down * down, least, -1
        for number in range(first + 1, last):
            right, under = closed[number][0] - x, closed[number][1] - y
            share = min(1.0, max(0.0, (right * across + under * down) / length)) if length else 0.0
            apart = (right - share * across) ** 2 + (under - share * down) ** 2
            if apart > worst:
                worst, farthest = apart, number
        if farthest >= 0:
            kept.add(farthest)
            waiting += [(first, farthest), (farthest, last)]
    return [ring[farthest] for farthest in sorted(kept)]


def polygon_of(mask: Any, region: Any, size: tuple[int, int], tolerance: float) -> Any:
    """Convert a mask to a polygon in pixels of the photo: one ring ``[[x, y], …]``, or a list of rings.

    Parameters
    ----------
    mask : array of shape (rows, columns)
        See :func:`outlines`.
    region : array of shape (4,)
        ``x0, y0, x1, y1`` of the mask in pixels of the photo.
    tolerance : float
        Largest distance of a removed point from the polygon, in pixels of the photo.
    """
    low, sides = np.asarray(region[:2]), np.asarray(region[2:]) - np.asarray(region[:2])
    rings = [np.clip(low + ring * sides, 0, size).round(2).tolist() for ring in outlines(mask)]
    rings = [ring for ring in (simplified(ring, tolerance) for ring in rings) if len(ring) >= 3]
    if not rings:  # thinner than the tolerance
        left, top, right, bottom = np.clip(region, 0, [*size, *size]).round(2).tolist()
        return [[left, top], [right, top], [right, bottom], [left, bottom]]
    return rings[0] if len(rings) == 1 else rings


# -- network --------------------------------------------------------------------------------------------
def load_onnx(path: Path) -> tuple[Any, str]:
    """Load an ONNX model. Return a function from a float32 array to output arrays, and the model's metadata as JSON."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    text = session.get_modelmeta().custom_metadata_map[FACTS]
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images}), text


def _unguarded(program: Any) -> Any:
    """Return the network of an exported program without its guards, which would reject the narrowest canvases."""
    try:
        return program.module(check_guards=False)
    except TypeError:  # older versions of torch
        return program.module()


def load_pt2(path: Path) -> tuple[Any, str]:
    """Load a PyTorch model as :func:`load_onnx` does."""
    import torch

    with path.open("rb") as file:
        with zipfile.ZipFile(file) as archive:
            text = archive.read(next(name for name in archive.namelist() if name.endswith(f"/{FACTS}"))).decode()
        if json.loads(text)["boxes"]:
            import torchvision  # noqa: F401  # defines operators of detectors

        file.seek(0)
        program = torch.export.load(file)
    network = _unguarded(program)

    def run(images: Any) -> list[Any]:
        with torch.inference_mode():
            outputs = network(torch.from_numpy(np.ascontiguousarray(images)))
        return [output.numpy() for output in (outputs if isinstance(outputs, tuple | list) else (outputs,))]

    return run, text


FILES = ("model.onnx", "model.pt2")
LOADERS = {".onnx": load_onnx, ".pt2": load_pt2}


# -- terminal -------------------------------------------------------------------------------------------
def photos_in(given: str) -> list[str]:
    """List the photos that an argument means: a file, a folder with its subfolders, or a pattern such as ``*.jpg``."""
    if os.path.isdir(given):
        below = glob.glob(os.path.join(glob.escape(given), "**", "*"), recursive=True)
        return sorted(name for name in below if name.lower().endswith(PHOTOS) and not os.path.isdir(name))
    if os.path.lexists(given):
        return [given]
    return sorted({photo for match in glob.glob(given, recursive=True) for photo in photos_in(match)})


def main() -> int:
    """Print one line of JSON for each photo. Return 1 if a photo cannot be read, else 0."""
    parser = argparse.ArgumentParser(description="Detect labels in photos. Prints one line of JSON for each photo.")
    parser.add_argument("photos", nargs="*", help="photos, folders with their subfolders, or patterns: 'more/*.png'")
    arguments = parser.parse_args().photos
    if not arguments:
        parser.print_help()
        return 0
    model, status = ExportedModel(), 0
    for photo in (photo for given in arguments for photo in photos_in(given) or [given]):
        try:
            line = json.dumps({"image": photo, "found": model.detect(photo)})
        except Exception as error:  # Pillow raises many kinds for damaged files
            reason = "It has no photos." if os.path.isdir(photo) else getattr(error, "strerror", None) or error
            sys.stderr.write(" ".join(f"{photo!r} cannot be read: {reason!s}".split()) + "\n")
            status = 1
        else:
            sys.stdout.write(f"{line}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
