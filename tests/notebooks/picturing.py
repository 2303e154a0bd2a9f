"""Render HTML outputs as images in the Chromium of the browser tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser

WIDTH = 960
DENSITY = 1.25
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
