"""Server of the tests in this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.endpoints.rekognition.service import Service


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Yield a running server with an empty root, and a bucket "photos" in a folder."""
    for name in ("root", "photos"):
        (tmp_path / name).mkdir()
    with Service(tmp_path / "root", tmp_path / "photos") as service:
        yield service
