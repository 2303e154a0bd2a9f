"""Manifest lines corrupted at random like real files."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from tests.datasets.validation.manifests import Line, box_line, image_line

HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1, 2, 0.5, -0.0, 1e-320, 1e308, -1e308, 2**31, 2**53 + 1, 2**63, 2**64, -(2**64), 10**30,
    float("nan"), float("inf"), float("-inf"), "", " ", "0", "1", "yes", "no", "x", "\0", "\ud800", "\udfff",
    "naïve 梨", "\u2028", "x" * 257, "s3://", "s3://b/k", "s3://bucket/\0", "s3://bucket/\ud800.png", "../../x",
    "groundtruth/object-detection", "groundtruth/image-classification", "groundtruth/image-classification-multilabel",
    "groundtruth/video-object-tracking", "2020-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "99999-01-01", [], {}, [[]], [{}], {"": None}, [None], [1, 2], [6, 0], {"0": "a", "1": ""}, [{"confidence": 2}],
    [{"confidence": "1"}], [{"width": 0, "height": 0}], [{"width": 2**31, "height": 1}],
    [{"width": 1e400, "height": 1}],
]  # fmt: skip
KEYS = [
    "source-ref", "bounding-box", "bounding-box-metadata", "label-0", "label-0-metadata", "image_size", "annotations",
    "class_id", "left", "top", "width", "height", "depth", "objects", "class-map", "confidence", "confidence-map",
    "type", "class-name", "human-annotated", "creation-date", "job-name", "errors", "warnings", "cl-errors",
    "cl-metadata",
    "-metadata", "", "0", "\ud800", "rekognition-custom-labels-evaluation-0", "x-metadata-metadata",
]  # fmt: skip
TOKENS = [
    b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e400", b"1e-400", b"1" * 5000, b"-0", b"01", b"1.", b".5", b"true",
    b"null", b'"\\ud800"', b'"\\u0000"', b"{}", b"[]", b"[" * 2000, b'{"a":' * 2000, b"\x00", b"'",
]  # fmt: skip
BYTES = [
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\r", b"\t", b"\\", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\xed\xa0\x80",
    b"\xc3", b"\x1b[31m", b" ", b"\x85", b"\xe2\x80\xa8",
]  # fmt: skip


def mutated_lines(count: int, random_state: int) -> Iterator[bytes]:
    """Yield ``count`` lines without line ends, a few per image at most, the same ones for the same seed."""
    rng = random.Random(random_state)
    for number in range(count):
        if number % 20_000 == 19_999:
            yield enormous(rng, number)
            continue
        value = base(rng, number)
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
            rng.choice(IN_OBJECTS)(rng, value)
        raw = json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
        for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
            raw = rng.choice(IN_TEXT)(rng, raw)
        yield raw.replace(b"\n", b" ")


def base(rng: random.Random, number: int) -> Line:
    """Return a valid line: labels, boxes, both, of several classes, or neither."""
    image = f"{number}.png"
    kind = rng.randrange(7)
    boxes = [tuple(rng.randrange(1, 200) for _ in range(4)) for _ in range(rng.randrange(1, 4))]
    if kind == 0:
        return image_line(image, *rng.sample(["apple", "pear", "fig"], rng.randrange(1, 3)))
    if kind == 1:
        return {**image_line(image), **box_line(image, boxes, labels=["Echo", "Dot"])}
    if kind == 2:
        return {"source-ref": f"s3://bucket/{image}"}
    if kind == 3:
        metadata = {"class-map": {"0": "a", "6": "b"}, "confidence-map": {"0": 0.5, "6": 1}, "job-name": "j",
                    "type": "groundtruth/image-classification-multilabel", "human-annotated": "yes",
                    "creation-date": "2020-01-01T00:00:00"}  # fmt: skip
        return {"source-ref": f"s3://bucket/{image}", "job": [6, 0], "job-metadata": metadata}
    return box_line(image, boxes, labels=["Echo", "Dot"])


def enormous(rng: random.Random, number: int) -> bytes:
    """Return a line of about ten megabytes."""
    kind = number // 20_000 % 3
    if kind == 0:
        return json.dumps(box_line(f"{number}.png", [(1, 2, 3, 4)] * 110_000)).encode()
    if kind == 1:
        return json.dumps(image_line(f"{number}.png", "x" * 10_000_000)).encode()
    return b"[" * 10_000_000


def places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Return every container in the value with each of its keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        found.append((value, key))
        places(part, found)
    return found


def other_value(rng: random.Random, value: Line) -> None:
    """Replace a random value."""
    if found := places(value, []):
        container, key = rng.choice(found)
        container[key] = copy.deepcopy(rng.choice(HOSTILE))


def without(rng: random.Random, value: Line) -> None:
    """Delete a random key or item."""
    if found := places(value, []):
        container, key = rng.choice(found)
        del container[key]


def more(rng: random.Random, value: Line) -> None:
    if found := [part for part in (container[key] for container, key in places(value, [])) if isinstance(part, dict)]:
        rng.choice([*found, value])[rng.choice(KEYS)] = copy.deepcopy(rng.choice(HOSTILE))


def other_key(rng: random.Random, value: Line) -> None:
    """Rename a random key."""
    if found := [(part, key) for part, key in places(value, []) if isinstance(part, dict)]:
        container, key = rng.choice(found)
        container[rng.choice(KEYS)] = container.pop(key)


def other_box(rng: random.Random, value: Line) -> None:
    """Replace one number of each box."""
    boxes = value.get("bounding-box")
    if isinstance(boxes, dict) and isinstance(boxes.get("annotations"), list):
        for box in boxes["annotations"]:
            if isinstance(box, dict):
                box[rng.choice(["left", "top", "width", "height"])] = rng.choice(
                    [-1, -1e9, 0, 0.001, 1, 639, 640.0000001, 641, 1e6, 1e300, -1e300, 10**25]
                )


def cut(rng: random.Random, raw: bytes) -> bytes:
    return raw[: rng.randrange(len(raw) + 1)]


def put_in(rng: random.Random, raw: bytes) -> bytes:
    place = rng.randrange(len(raw) + 1)
    return raw[:place] + rng.choice(BYTES) + raw[place:]


def flip(rng: random.Random, raw: bytes) -> bytes:
    """Flip a random bit."""
    if not raw:
        return raw
    place = rng.randrange(len(raw))
    return raw[:place] + bytes([raw[place] ^ 1 << rng.randrange(8)]) + raw[place + 1 :]


def token(rng: random.Random, raw: bytes) -> bytes:
    """Replace the value after one of the colons."""
    colons = [place for place in range(len(raw)) if raw[place : place + 2] == b": "]
    if not colons:
        return raw
    start = rng.choice(colons) + 2
    end = min((place for mark in (b",", b"}", b"]") if (place := raw.find(mark, start)) >= 0), default=len(raw))
    return raw[:start] + rng.choice(TOKENS) + raw[end:]


def twice(rng: random.Random, raw: bytes) -> bytes:
    """Add a duplicate key."""
    key = rng.choice(["source-ref", "bounding-box", "bounding-box-metadata", "label-0", "label-0-metadata"])
    return raw.rstrip()[:-1] + f', "{key}": {json.dumps(rng.choice(HOSTILE))}}}'.encode()


def around(rng: random.Random, raw: bytes) -> bytes:
    return rng.choice([b"\xef\xbb\xbf" + raw, raw + b"\r", b"\t " + raw, raw + b" \x00", raw + raw, b"", b" ", b"\r"])


IN_OBJECTS: list[Callable[[random.Random, Line], None]] = [
    other_value,
    other_value,
    without,
    more,
    other_key,
    other_box,
]
IN_TEXT: list[Callable[[random.Random, bytes], bytes]] = [cut, put_in, flip, token, token, twice, around]
