"""Tests of the documentation site, opened from its folder without a server or a network."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.docs.test_site import site  # noqa: F401

pytestmark = pytest.mark.browser


@pytest.mark.exhaustive
def test_search_and_colors_work_from_a_folder(site: Path, browser: Browser) -> None:  # noqa: F811
    context = browser.new_context(offline=True, color_scheme="light", viewport={"width": 1280, "height": 800})
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: problems.append(request.url))
    page.goto((site / "concepts" / "tables.html").as_uri())
    page.locator(".md-search__input").click()
    page.keyboard.type("detect_video")
    expect(page.locator(".md-search-result__item").filter(has_text="Reference").first).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("label[title='Dark colors']").click()
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", "slate")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert problems == []
    context.close()
