"""Tests in Firefox: labelling images and drawing boxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import customlabels_nb as cl
from tests import provision
from tests.browser.annotator import PROJECT, SETUP, SHOW
from tests.browser.firefox import Firefox, firefox
from tests.browser.jupyter import Server, notebook
from tests.conftest import AllowedSkip

pytestmark = pytest.mark.browser

GALLERY = """
kinds = cl.create_project("kinds", task="single-label")
kinds.add_images("photos", progress=False)
for label in ("apple", "pear", "plum"):
    kinds.labels.add(label)
kinds.label(sort="name")
"""
CANVAS = "document.querySelector('.clnb-annotator .canvas')"
PHOTO = "document.querySelector('.clnb-annotator .canvas .photo')"
STATE = "document.querySelector('{root} .state')?.textContent"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Firefox]:
    """Yield the system's Firefox, or skip if there is none."""
    program = provision.find_firefox()
    if program is None:
        raise AllowedSkip("no Firefox: `python -m tests` installs one where the system's packages have it")
    with firefox(program, tmp_path) as found:
        yield found


def boxes(folder: Path, number: int) -> list[tuple[str, int, int, int, int]]:
    """Return the stored boxes of an image, rounded to pixels."""
    marks = cl.load_project(folder / "things").train_set.annotations
    marks = marks[marks["image"].str.endswith(f"/{number}.png")]
    return sorted(
        (label, *map(round, box)) for label, *box in marks[["label", "left", "top", "width", "height"]].values
    )


@pytest.mark.exhaustive
@pytest.mark.storing
def test_boxes_are_drawn_and_pictures_labelled(browser: Firefox, jupyter_server: Server) -> None:
    folder = browser.open(jupyter_server, notebook(SETUP + PROJECT.replace("{count}", "3"), SHOW, GALLERY))
    assert browser.harness("runAll") == []
    browser.wait_for(f"{PHOTO}?.src.startsWith('data:') && {PHOTO}.complete")
    browser.evaluate(f"{CANVAS}.scrollIntoView({{ block: 'center' }})")
    browser.evaluate("document.querySelector('.clnb-annotator').focus()")
    scale, left, top = browser.evaluate(
        f"""(() => {{ const box = {CANVAS}.getBoundingClientRect();
        const {{ a, e, f }} = new DOMMatrix(getComputedStyle({PHOTO}).transform);
        return [a, box.left + e, box.top + f]; }})()"""
    )

    def at(x: float, y: float) -> tuple[float, float]:
        return left + x * scale, top + y * scale

    browser.press("2")
    browser.drag(at(50, 40), at(150, 140))
    browser.drag(at(220, 100), at(320, 220))
    browser.wait_for(f"{STATE.format(root='.clnb-annotator')} === 'saved'")
    assert [label for label, *_ in boxes(folder, 0)] == ["pear", "pear"]
    for found, drawn in zip(boxes(folder, 0), [(50, 40, 100, 100), (220, 100, 100, 120)], strict=True):
        # the mouse has whole screen pixels
        assert all(abs(side - wanted) <= 1 / scale + 1 for side, wanted in zip(found[1:], drawn, strict=True))
    # the gallery by mouse and keys
    tiles = "[...document.querySelectorAll('.clnb-gallery .tile:not([hidden])')]"
    browser.wait_for(f"{tiles}.length === 3 && {tiles}.every((tile) => tile.querySelector('img').complete)")
    browser.evaluate(f"{tiles}[1].scrollIntoView({{ block: 'center' }})")
    left, top, width = browser.evaluate(f"(({{ x, y, width }}) => [x, y, width])({tiles}[1].getBoundingClientRect())")
    browser.drag(*[(left + width / 2, top + 30)] * 2)
    browser.press("3")
    browser.wait_for(f"{tiles}[1].querySelector('.chip bdi')?.textContent === 'plum'")
    browser.wait_for(f"{STATE.format(root='.clnb-gallery')} === 'saved'")
    images = cl.load_project(folder / "kinds").train_set.annotations
    assert [(name.rsplit("/", 1)[1], label) for name, label in images[["image", "label"]].values] == [("1.png", "plum")]
    assert browser.page_errors == []
