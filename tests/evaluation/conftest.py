from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture
def closed_figures() -> Iterator[None]:
    """Close all figures before and after a test."""
    import matplotlib.pyplot as plt

    plt.close("all")
    yield
    plt.close("all")
