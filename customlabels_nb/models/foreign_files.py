"""A model's files as they may come from anybody: what they claim is looked at before it is believed."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from customlabels_nb.errors import ArtifactError

#: Of a safetensors file: names and shapes. The largest networks of timm need a tenth of it.
MOST_HEADER_BYTES = 1 << 23
#: What to do about a damaged file.
ADVICE = "Train the version again, or copy its folder anew from where it is whole."
_LENGTH_BYTES = 8


@dataclass(frozen=True)
class TensorShape:
    """The shape of a tensor in a file."""

    shape: tuple[int, ...]


def read_file(path: Path, most: int | None = None) -> bytes:
    """The bytes of a regular file; a pipe or a device, which may never end, is refused.

    Raises
    ------
    OSError
        If it isn't there or can't be read.
    ValueError
        If it is no regular file, or has more than ``most`` bytes.
    """
    status = os.stat(path)  # before it is opened: opening a pipe waits for its writer
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no file")
    if most is not None and status.st_size > most:
        raise ValueError(f"it has {status.st_size:,} bytes, more than {most:,}")
    return path.read_bytes()


def read_shapes(path: Path) -> dict[str, TensorShape]:
    """The tensors of a safetensors file and their shapes, of which no more than the header is read.

    Raises
    ------
    ArtifactError
        If there is no such file, or its header can't be right.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no file")
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if not 2 <= length <= min(MOST_HEADER_BYTES, status.st_size - _LENGTH_BYTES):
                raise ValueError(f"its header claims {length:,} bytes")
            header = json.loads(file.read(length))
        if not isinstance(header, dict):
            raise ValueError("its header is no object")
        return {key: _shape(key, facts) for key, facts in header.items() if key != "__metadata__"}
    except FileNotFoundError as error:
        raise ArtifactError(f"{str(path)!r} is missing. {ADVICE}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{str(path)!r} is damaged or no safetensors file ({error}). {ADVICE}") from error


def _shape(key: str, facts: object) -> TensorShape:
    sides = facts.get("shape") if isinstance(facts, dict) else None
    if not isinstance(sides, list) or not all(isinstance(side, int) and side >= 0 for side in sides):
        raise ValueError(f"the shape of {key[:80]!r} is none")
    return TensorShape(tuple(sides))
