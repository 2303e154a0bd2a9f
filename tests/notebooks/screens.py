"""Take screenshots of a notebook's widgets for the committed outputs."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser

from tests.notebooks.cleaning import shrink
from tests.notebooks.running import tags_of

#: Code cells with this tag show a widget, of which a screenshot is taken in JupyterLab.
WIDGET_TAG = "widget"
_WIDGET = ".clnb, .jupyter-widgets"


def widget_screens(path: Path, chromium: Browser) -> dict[int, tuple[bytes, tuple[int, int]]]:
    """Run a notebook in JupyterLab and return PNG, width and height of each tagged widget by cell position.

    Each screenshot shows the widget after its own cell, before later ones change it.
    """
    from tests.browser.jupyter import Lab, serve

    cells = nbformat.read(path, as_version=4).cells
    wanted = [i for i, cell in enumerate(cells) if WIDGET_TAG in tags_of(cell)]
    if not wanted:
        return {}
    found = {}
    with tempfile.TemporaryDirectory(prefix="screens-") as folder, serve(Path(folder)) as server:
        lab = Lab(server, chromium, name=f"outputs-{path.stem}")
        page = lab.open(path, width=1100, height=2600)  # no widget is taller
        for index, cell in enumerate(cells):
            if cell.cell_type == "code":
                page.run_cell(index, seconds=300)
            if index not in wanted:
                continue
            widget = page.output(index).locator(_WIDGET).first
            widget.scroll_into_view_if_needed()
            page.page.wait_for_function("document.querySelectorAll('.clnb.loading').length == 0", timeout=60_000)
            page.page.wait_for_timeout(1500)  # thumbnails fade in
            box = widget.bounding_box()
            assert box is not None
            found[index] = widget.screenshot(), (round(box["width"]), round(box["height"]))
        lab.close()
    return found


def put_screens(notebook: Any, screens: dict[int, tuple[bytes, tuple[int, int]]]) -> None:
    """Replace the still images, and widgets without one, with the screenshots."""
    for index, (picture, (width, height)) in screens.items():
        for output in notebook.cells[index].outputs:
            if "data" in output:
                for kind in ("image/png", "image/jpeg"):
                    output.data.pop(kind, None)
                output.data["image/png"] = base64.b64encode(picture).decode()
                output.metadata = {"image/png": {"width": width, "height": height}}
                shrink(output)
                break
