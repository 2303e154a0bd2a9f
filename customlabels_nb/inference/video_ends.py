"""Whether a video's file has all that it says it has: a copy that was cut off is found at once, not at its end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO


def ends_too_early(path: Path) -> bool:
    """Whether a file of a type that says how long it is (MP4, MOV, AVI, MKV, WebM) is shorter.

    Of the formats' descriptions: ISO/IEC 14496-12 (4.2, boxes), RIFF, RFC 8794 (EBML) and RFC 9559 (Matroska).

    Raises
    ------
    OSError
        If it can't be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            return _boxes_end(file) > size
        if head[:4] == b"RIFF":
            return int.from_bytes(head[4:8], "little") + 8 > size
        if head[:4] == b"\x1a\x45\xdf\xa3":
            return _segment_end(file) > size
    return False


def _boxes_end(file: BinaryIO) -> int:
    """Where the last of an MP4's or MOV's outermost boxes ends, by what they say."""
    end = 0
    while True:
        file.seek(end)
        head = file.read(16)
        if len(head) < 8 or not any(head):  # some programs fill up with zeros
            return end
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0: as far as the file goes
            return end
        end += length


def _segment_end(file: BinaryIO) -> int:
    """Where the segment of a Matroska or WebM file ends, by what it says; 0 if it doesn't."""
    file.seek(4)
    header = _variable(file)
    if header is None:
        return 0
    file.seek(header, os.SEEK_CUR)
    if file.read(4) != b"\x18\x53\x80\x67":
        return 0
    length = _variable(file)
    return 0 if length is None else file.tell() + length


def _variable(file: BinaryIO) -> int | None:
    """A number of Matroska's kind, whose first bit that is set tells its length; None if it is unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    value = first[0] & (0xFF >> (more + 1))
    value = int.from_bytes(bytes([value]) + file.read(more), "big")
    return None if value == (1 << 7 * (more + 1)) - 1 else value
