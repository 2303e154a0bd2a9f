"""Tests of labelling jobs by mouse and keyboard in JupyterLab: answers, closed tabs and killed kernels."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing

import pytest
from playwright.sync_api import expect

from tests.browser.gallery import PROJECT, SETUP, GalleryPage
from tests.browser.jupyter import Lab, LabPage, notebook
from tests.browser.waiting import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.storing]

CREATE = """
text = "Look twice. <b>http://example.org/leaves\\n![leaf](" + project.train_set.images["image"][0] + ")"
job = project.jobs.create("leaves-1", images=project.train_set, instructions=text)
"""
OPEN = "import customlabels_nb as cl\nproject = cl.load_project('things')\njob = project.jobs['leaves-1']"
SHOW = "g = job.label()\ng"
#: The last message of a closed page can be lost with its connection.
SOON = "\nfrom customlabels_nb.jobs import labeler_session\nlabeler_session.GONE_SECONDS = 5"
ANSWERS = "job.answers.query('counted')['label'].fillna('nothing').tolist()"


def opened(lab: Lab) -> LabPage:
    """Open the view of a new job in cell 1 of a new notebook."""
    page = lab.open(notebook(SETUP + PROJECT.format(count=12) + CREATE, SHOW))
    page.run_cell(0)
    page.run_cell(1)
    return page


def labeling(page: LabPage) -> GalleryPage:
    """Return the gallery after the button below the instructions was pressed."""
    gallery = GalleryPage(page, 1)
    start = gallery.root.locator(".panel").get_by_role("button", name="Start")
    expect(start).to_be_focused()
    page.page.keyboard.press("Enter")
    return gallery.ready()


def expect_held(page: LabPage, wanted: int) -> None:
    """Wait until so many tasks are leased, according to the database and not to a kernel."""
    end = time.monotonic() + PATIENCE
    while True:
        with closing(sqlite3.connect(page.path.parent / "things" / "project.db")) as database:
            ((found,),) = database.execute("SELECT count(*) FROM job_slots WHERE state = 'held'")
        if found == wanted or time.monotonic() > end:
            break
        time.sleep(0.1)
    assert found == wanted


def test_keyboard_answers_changes_and_leases_tasks(lab: Lab) -> None:
    page = opened(lab)
    panel = page.output(1).locator(".clnb-gallery .panel")
    expect(panel).to_contain_text("Look twice. <b>")
    expect(panel.locator("a")).to_have_attribute("href", "http://example.org/leaves")
    expect(panel.locator("img")).to_have_attribute("src", re.compile("^data:image/jpeg;base64,"))
    gallery = labeling(page)
    root = gallery.root
    bar = root.locator(".job-bar")
    expect(root.locator(".toolbar")).to_be_hidden()
    gallery.press("1", "2", "-")
    expect(bar.locator(".job-progress")).to_have_text("3 done, about 9 left for all")
    expect(gallery.tile(3)).to_have_class(re.compile(r"\bfocused\b"))
    for _ in range(2):
        bar.get_by_role("button", name="Back").click()
    expect(root.locator(".stage .chip")).to_have_text("pear")
    gallery.press("3", "ArrowRight")
    gallery.expect_saved()
    assert sorted(page.value(ANSWERS)) == ["apple", "nothing", "plum"]
    gallery.press("0")
    expect(panel).to_contain_text("Why do you skip it?")
    panel.get_by_role("button", name="I am not sure").click()
    expect(gallery.tile(3)).to_have_class(re.compile(r"\bskipped\b"))
    expect(root.locator(".position")).to_contain_text("of 10")
    gallery.press("1", "1", "1", "1")
    expect(root.locator(".position")).to_contain_text("of 12")
    gallery.press("1", "1", "1", "1")
    expect(bar.locator(".end")).to_have_text("No more images need an answer from you now. Thank you!")
    gallery.expect_saved()
    assert len(page.value(ANSWERS)) == 11
    gallery.press("Delete")
    expect(root.locator(".toast")).to_contain_text("1 answer withdrawn")
    gallery.press("Control+z")
    expect(bar.locator(".job-progress")).to_have_text("11 done, about 1 left for all")
    # the instructions are at hand, but not shown again
    page.run_cell(1)
    again = GalleryPage(page, 1).ready()
    expect(again.root.locator(".panel")).to_be_hidden()
    again.root.get_by_role("button", name="Instructions").click()
    expect(again.root.locator(".panel")).to_contain_text("Look twice.")
    assert page.page_errors == []


def test_closed_tabs_release_their_tasks(lab: Lab) -> None:
    page = opened(lab)
    gallery = labeling(page)
    gallery.press("1")
    gallery.expect_saved()
    expect_held(page, 9)
    page.kernel_client().execute(SOON, reply=True)
    page.run_cell(1)  # the cell again: the first view gives back, so that the second one gets enough
    GalleryPage(page, 1).ready()
    expect_held(page, 10)
    time.sleep(6)
    expect_held(page, 10)  # as long as the page is there
    page.beside(notebook(OPEN + SOON, SHOW))
    page.run_cell(0)
    page.close_others()  # the tab in JupyterLab
    expect_held(page, 0)
    page.run_cell(1)
    GalleryPage(page, 1).ready()
    expect_held(page, 10)
    page.plain = False
    page.page.goto("about:blank")  # the tab of the browser
    expect_held(page, 0)


def test_a_killed_kernel_loses_no_answer(lab: Lab) -> None:
    page = opened(lab)
    gallery = labeling(page)
    gallery.press("1")
    gallery.expect_saved()
    page.kill_kernel()
    dialog = page.page.locator(".jp-Dialog button")
    dialog.last.wait_for()
    dialog.last.click()
    page.wait_for_kernel()
    gallery.root.focus()
    gallery.press("2", "-")
    expect(gallery.root.locator(".state")).to_contain_text("not saved (2)")
    page.kernel_client().execute(OPEN, reply=True, timeout=60)
    page.run_cell(1)
    again = GalleryPage(page, 1).ready()
    again.expect_saved()
    page.expect_value(f"sorted({ANSWERS})", ["apple", "nothing", "pear"])
    again.press("1", "1")
    again.expect_saved()
    assert sorted(page.value(ANSWERS)) == ["apple", "apple", "apple", "nothing", "pear"]
    assert page.page_errors == []
