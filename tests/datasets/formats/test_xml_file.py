"""Tests of XML files whose attributes and outlines are long."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import customlabels_nb as cl
from customlabels_nb.core.masks import MOST_EDGES
from customlabels_nb.datasets.formats.entries import UnreadableError
from customlabels_nb.datasets.formats.xml_file import parse_xml

SIDE = 2**14
PEAK = """
import resource, sys
import customlabels_nb as cl
cl.read_dataset(sys.argv[2], "cvat")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = cl.read_dataset(sys.argv[1], "cvat")
print(len(found.annotations), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def cvat(path: Path, shape: str) -> Path:
    path.write_text(f'<annotations>\n<image name="a.png">\n{shape}\n</image>\n</annotations>')
    return path


def test_a_long_attribute_takes_a_time_in_proportion_to_its_length(tmp_path: Path) -> None:
    file = cvat(tmp_path / "a.xml", f'<polygon label="x" points="{"1.5,2.5;" * 1_900_000}"/>')
    assert os.path.getsize(file) > 15_000_000
    began = time.process_time()
    found = cl.read_dataset(file, "cvat")
    assert time.process_time() - began < 3
    assert f"more than {MOST_EDGES:,} points" in found.issues["message"][0]


def test_an_attribute_that_is_too_long_is_refused(tmp_path: Path) -> None:
    file = cvat(tmp_path / "a.xml", f'<polygon label="x" points="{"1.5,2.5;" * 2_400_000}"/>')
    with pytest.raises(UnreadableError, match="attributes of more than 16,777,216 bytes"):
        parse_xml(file, "annotations", 2**30)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is measured as on Linux")
def test_the_largest_mask_needs_little_more_memory_than_its_pixels(tmp_path: Path) -> None:
    runs = f"0, {SIDE * SIDE}"
    mask = cvat(
        tmp_path / "mask.xml", f'<mask label="x" rle="{runs}" left="0" top="0" width="{SIDE}" height="{SIDE}"/>'
    )
    small = cvat(tmp_path / "small.xml", '<mask label="x" rle="0, 4" left="0" top="0" width="2" height="2"/>')
    program = [sys.executable, "-c", PEAK, str(mask), str(small)]
    rows, megabytes = subprocess.run(program, capture_output=True, text=True, check=True).stdout.split()
    assert rows == "1"
    assert int(megabytes) < 500


@pytest.mark.parametrize(
    ("declared", "encoding", "why"),
    [
        ("", "utf-8", None),
        ("", "utf-8-sig", None),
        ("", "utf-16", None),
        ('<?xml version="1.0" encoding="latin-1"?>', "latin-1", None),
        ("", "cp1252", "line 2 is not UTF-8, but may be 'cp1252'. Save the file as UTF-8"),
        ('<?xml version="1.0" encoding="UTF-8"?>', "cp1252", "line 2 is not UTF-8, but may be 'cp1252'"),
        (
            '<?xml version="1.0" encoding="shift_jis"?>',
            "shift_jis",
            "shift_jis, or that encoding is not supported. Save",
        ),
    ],
)
def test_the_encoding_is_stated_if_it_cannot_be_read(
    tmp_path: Path, declared: str, encoding: str, why: str | None
) -> None:
    file = tmp_path / "a.xml"
    label = "日本" if encoding == "shift_jis" else "Käse"
    file.write_bytes(f"{declared}<a>\n<b>{label}</b></a>".encode(encoding))
    if why is None:
        assert parse_xml(file, "a", 1000).findtext("b") == label
    else:
        with pytest.raises(UnreadableError, match=why):
            parse_xml(file, "a", 1000)
