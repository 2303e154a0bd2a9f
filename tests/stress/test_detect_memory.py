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

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")]
MANY, MOST_MIB = 2_500, 100


def peak(model: Path, photo: Path, count: int, to: str) -> float:
    """Return the peak memory of a batch prediction in MiB."""
    command = [sys.executable, "-m", "tests.stress.asks_many", str(model), str(photo), str(count), to]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    return float(done.stdout.split()[-1])


@pytest.mark.parametrize("name", ["", "found.manifest"])
def test_many_images_take_hardly_more_than_a_hundred(model_folder: Path, tmp_path: Path, name: str) -> None:
    # fast to open, but many of them would exceed the limit, both decoded and as files
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.jpg", quality=100, subsampling=0)
    assert MANY * min((tmp_path / "photo.jpg").stat().st_size, noise.nbytes) > 1.2 * MOST_MIB * 2**20
    few, many = (
        peak(model_folder, tmp_path / "photo.jpg", count, str(tmp_path / f"{count}-{name}") if name else "")
        for count in (100, MANY)
    )
    print(f"\n{name or 'table'}: {few:.0f} MiB for 100, {many:.0f} MiB for {MANY:,}")
    assert many - few <= MOST_MIB
