"""Check files of weights, and networks that are built for them, before the weights are loaded."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

#: Maximum size of a safetensors header, which contains names and shapes. timm's largest networks need a tenth of it.
MOST_HEADER_BYTES = 1 << 23
_LENGTH_BYTES = 8
#: A network has up to 2.4 modules, parameters and buffers for each tensor in its file. Without a limit, a configuration
#: of one billion layers would be built for hours. Smaller networks may differ more, for a message that names a layer.
_PARTS_PER_TENSOR, _SPARE_PARTS = 4, 5_000
_NUMBERS_PER_NUMBER, _SPARE_NUMBERS = 2, 1 << 24
_SHA1, _SHA256 = 40, 64  # digits
_IN_NAME = re.compile(r"-([0-9a-f]{8,})\.")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, which is computed once for each time and size of the file."""
    status = path.stat()
    return _digest(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _digest(path: Path, _modified: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damaged_files(snapshot: Path) -> list[str]:
    """List the files of a folder in the Hub's cache whose content is not what the Hub sent.

    The files are links to files that are named by their checksum. Systems without links keep no checksums.
    """
    return [name.relative_to(snapshot).as_posix() for name in sorted(snapshot.rglob("*")) if not _is_as_named(name)]


def _is_as_named(path: Path) -> bool:
    target = Path(os.readlink(path)) if path.is_symlink() else None
    if target is None or target.parent.name != "blobs" or not path.is_file():
        return True
    if len(target.name) == _SHA256:
        return sha256_of(path) == target.name
    status = path.stat()
    return len(target.name) != _SHA1 or target.name in _sha1_digests(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=256)
def _sha1_digests(path: Path, _modified: int, size: int) -> list[str]:
    """Return the checksums that a Hub may use for small files: that of git, or of the content alone."""
    content = path.read_bytes()
    return [hashlib.sha1(start + content, usedforsecurity=False).hexdigest() for start in (b"blob %d\0" % size, b"")]


def is_intact(path: Path) -> bool:
    """Check whether a file of PyTorch's cache exists and has the SHA-256 whose beginning is in its name."""
    beginning = _IN_NAME.search(path.name)
    return path.is_file() and (beginning is None or sha256_of(path).startswith(beginning[1]))


def read_regular(path: Path, most: int | None = None) -> bytes:
    """Read a regular file of at most ``most`` bytes, or raise OSError or ValueError."""
    size = _regular_size(path)
    if most is not None and size > most:
        raise ValueError(f"it has {size:,} bytes, more than {most:,}")
    return path.read_bytes()


def _regular_size(path: Path) -> int:
    status = os.stat(path)  # must precede open(), which would wait for the writer of a pipe
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is not a regular file")
    return status.st_size


def read_shapes(path: Path) -> dict[str, SimpleNamespace]:
    """Read names and shapes of the tensors in a safetensors file. OSError, ValueError or RecursionError if damaged."""
    size = _regular_size(path)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if not 2 <= length <= min(MOST_HEADER_BYTES, size - _LENGTH_BYTES):
            raise ValueError(f"its header claims {length:,} bytes")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    return {key: _shape(key, facts) for key, facts in header.items() if key != "__metadata__"}


def _shape(key: str, facts: object) -> SimpleNamespace:
    sides = facts.get("shape") if isinstance(facts, dict) else None
    if not isinstance(sides, list) or not all(isinstance(side, int) and side >= 0 for side in sides):
        raise ValueError(f"the shape of {key[:80]!r} is invalid")
    return SimpleNamespace(shape=tuple(sides))


def build_empty(build: Callable[[], nn.Module], shapes: Mapping[str, Any]) -> nn.Module:
    """Build a network without memory for its weights, if it suits a file of tensors with these ``shapes``.

    ValueError if it is far larger than the file, which is noticed before it is complete.
    """
    import torch
    from torch.nn.modules import module as hooks

    most_parts = _SPARE_PARTS + _PARTS_PER_TENSOR * len(shapes)
    most_numbers = _SPARE_NUMBERS + _NUMBERS_PER_NUMBER * sum(math.prod(tensor.shape) for tensor in shapes.values())
    thread, parts, numbers = threading.get_ident(), 0, 0

    def count(_owner: object, _name: str, part: object) -> None:
        nonlocal parts, numbers
        if threading.get_ident() != thread:  # hooks are those of the process
            return
        parts += 1
        numbers += part.numel() if isinstance(part, torch.Tensor) else 0
        if parts > most_parts or numbers > most_numbers:
            raise ValueError("its configuration describes a network that is far larger than the file of its weights")

    registers: tuple[Any, ...] = (
        hooks.register_module_module_registration_hook,
        hooks.register_module_parameter_registration_hook,
        hooks.register_module_buffer_registration_hook,
    )
    handles = [register(count) for register in registers]
    try:
        try:
            with torch.device("meta"):
                network = build()
        except NotImplementedError:  # the constructor reads values of tensors
            network = build()
        parts = numbers = 0
        for tensor in (*network.parameters(), *network.buffers()):  # also those of layers that are copies of others
            count(network, "", tensor)
    finally:
        for handle in handles:
            handle.remove()
    return network
