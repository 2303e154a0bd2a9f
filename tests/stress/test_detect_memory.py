"""Test that memory hardly depends on the number of images."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.inference.conftest import blots, model_folder

__all__ = ["blots", "model_folder"]

pytestmark = [pytest.mark.thorough, pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")]
MANY, MOST_MIB = 2_500, 100


def peaks(model: Path, photo: Path, *asked: str) -> list[float]:
    """Return the peak memory in MiB after each of several batch predictions in one process."""
    command = [sys.executable, "-m", "tests.stress.asks_many", str(model), str(photo), *asked]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    return [float(line) for line in done.stdout.split()]


@pytest.mark.exhaustive
def test_many_images_take_hardly_more_than_a_hundred(model_folder: Path, tmp_path: Path) -> None:
    # fast to open, but many of them would exceed the limit, both decoded and as files
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.jpg", quality=100, subsampling=0)
    assert MANY * min((tmp_path / "photo.jpg").stat().st_size, noise.nbytes) > 1.2 * MOST_MIB * 2**20
    asked = [(count, to) for to in ("", "found.manifest") for count in (100, MANY)]
    words = [word for count, to in asked for word in (str(count), to and str(tmp_path / f"{count}-{to}"))]
    found = peaks(model_folder, tmp_path / "photo.jpg", *words)
    for few, many, name in ((*found[:2], "table"), (*found[2:], "manifest")):
        print(f"\n{name}: {few:.0f} MiB for 100, {many:.0f} MiB for {MANY:,}")
        assert many - few <= MOST_MIB
