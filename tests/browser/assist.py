"""Store results of assist in a page's project, as a background training does."""

from __future__ import annotations

from pathlib import Path

from tests.labeling import fake_assist

#: Defines ``results(images, pages=…, prelabels=…, suspects=…)``. Goes first in a cell.
RESULTS = Path(fake_assist.__file__).read_text(encoding="utf-8")
