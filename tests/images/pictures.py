"""Small images, folders of them, and the content of a folder."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def picture(random_state: int, size: tuple[int, int] = (48, 32)) -> Image.Image:
    """Return an image of large colored fields, different for each seed."""
    fields = np.random.default_rng(random_state).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(fields).resize(size, Image.Resampling.NEAREST)


def encoded(image: Image.Image, format_: str = "JPEG", **options: Any) -> bytes:
    """Encode the image as a file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def jpeg(random_state: int, size: tuple[int, int] = (48, 32)) -> bytes:
    return encoded(picture(random_state, size), quality=90)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    """Return the start of a PNG file that declares a size, without any pixels."""
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def tiff(
    samples: np.ndarray[Any, Any], *, order: str = "<", photometric: int = 1, planar: int = 1, kind: int = 1
) -> bytes:
    """Encode samples unsupported by Pillow, (height, width) or (height, width, channels), as an uncompressed TIFF.

    ``kind`` is 1 for unsigned, 2 for signed integers, 3 for floats (TIFF 6.0, SampleFormat).
    """
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    strips = channels if planar == 2 else 1
    stored = samples.astype(samples.dtype.newbyteorder(order))
    pixels = np.ascontiguousarray(np.moveaxis(stored, 2, 0)).tobytes() if planar == 2 else stored.tobytes()
    share = len(pixels) // strips
    bits = 8 * samples.dtype.itemsize
    fields: list[tuple[int, str, list[int]]] = [
        (256, "I", [width]), (257, "I", [height]), (258, "H", [bits] * channels), (259, "H", [1]),
        (262, "H", [photometric]), (273, "I", [0] * strips), (277, "H", [channels]), (278, "I", [height]),
        (279, "I", [share] * strips), (284, "H", [planar]), (339, "H", [kind] * channels),
    ]  # fmt: skip
    sizes = {tag: struct.calcsize(f"<{len(values)}{code}") for tag, code, values in fields}
    behind = 8 + 2 + 12 * len(fields) + 4
    start = behind + sum(size for size in sizes.values() if size > 4)
    directory, longer = struct.pack(f"{order}H", len(fields)), b""
    for tag, code, values in fields:
        given = [start + number * share for number in range(strips)] if tag == 273 else values
        value = struct.pack(f"{order}{len(given)}{code}", *given)
        if sizes[tag] > 4:
            value, longer = struct.pack(f"{order}I", behind + len(longer)), longer + value
        directory += struct.pack(f"{order}HHI", tag, {"H": 3, "I": 4}[code], len(given)) + value.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}I", 8) + directory + bytes(4) + longer + pixels


def write_folder(root: Path, counts: dict[str, int], *, start: int = 0) -> list[Path]:
    """Write folders of different JPEG files, where "" is ``root`` itself."""
    paths = []
    for name, count in counts.items():
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        for _ in range(count):
            path = folder / f"{len(paths):03}.jpg"
            path.write_bytes(jpeg(start + len(paths)))
            paths.append(path)
    return paths


def tree(root: Path) -> dict[str, str]:
    """Describe everything below a folder: relative path → hash of the content, or type."""
    result = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            result[str(path.relative_to(root))] = f"link to {os.readlink(path)}"
        elif path.is_file():
            result[str(path.relative_to(root))] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            result[str(path.relative_to(root))] = "folder"
    return result


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Make ``path`` unreadable while the block runs, as another user if the tests run as root."""
    if not hasattr(os, "geteuid"):
        pytest.skip("permissions are others on this system")
    folders = [parent for parent in path.parents if parent != Path(parent.anchor)]
    modes = {folder: folder.stat().st_mode for folder in [path, *folders]}
    was_root = os.geteuid() == 0
    path.chmod(0)
    try:
        if was_root:
            for folder in folders:
                if not modes[folder] & 0o001:
                    folder.chmod(modes[folder] | 0o055)
            os.seteuid(65534)
        yield
    finally:
        if was_root:
            os.seteuid(0)
        for folder, mode in modes.items():
            if folder == path or folder.stat().st_mode != mode:
                folder.chmod(mode)
