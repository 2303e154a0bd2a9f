"""Render HTML outputs and widgets as images, in the Chromium of the browser tests."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser

from tests.notebooks.cleaning import shrink
from tests.notebooks.running import tags_of

WIDTH = 960
DENSITY = 1.25
#: Code cells with this tag show a widget, of which a screenshot is taken in JupyterLab.
WIDGET_TAG = "widget"
_WIDGET = ".clnb, .jupyter-widgets"
_IS_READY = "!document.querySelector('.clnb.loading') && !document.body.innerText.includes('Sorting by ')"
_PAGE = """<!doctype html><meta charset="utf-8"><style>
  body {{ margin: 0; background: #fff; color: #212121; font: 14px/1.4 system-ui, "DejaVu Sans", sans-serif; }}
  #output {{ display: inline-block; padding: 8px; max-width: {width}px; box-sizing: border-box; }}
</style><div id="output">{markup}</div>"""


@dataclass(frozen=True)
class Camera:
    """Renderer of HTML and its browser."""

    shoot: Callable[[str], tuple[bytes, tuple[int, int]]]
    browser: Browser


@contextmanager
def shooting() -> Iterator[Camera]:
    """Yield a camera whose ``shoot`` renders HTML as PNG with its size, without running or fetching anything.

    Raises
    ------
    tests.provision.Unavailable
        If there is no Chromium and none may be installed.
    """
    from playwright.sync_api import sync_playwright

    from tests import provision

    program = provision.get_chromium(lambda _: None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(
            viewport={"width": WIDTH, "height": 800},
            device_scale_factor=DENSITY,
            java_script_enabled=False,
            offline=True,
        )
        page = context.new_page()

        def shoot(markup: str) -> tuple[bytes, tuple[int, int]]:
            page.set_content(_PAGE.format(width=WIDTH, markup=markup))
            output = page.locator("#output")
            box = output.bounding_box()
            assert box is not None
            return output.screenshot(type="png"), (round(box["width"]), round(box["height"]))

        yield Camera(shoot, browser)
        browser.close()


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
            page.page.wait_for_function(_IS_READY, timeout=180_000)
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
