"""Tests of the dashboard of a labelling job in JupyterLab: it follows others, and its numbers open images."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.gallery import PROJECT, SETUP, GalleryPage
from tests.browser.jupyter import Lab, LabPage, notebook
from tests.browser.review import ReviewPage

pytestmark = pytest.mark.browser

#: Anna and ben answer the first images, and disagree on the first three. Carl holds two.
JOB = """
job = project.jobs.create("fruit-1", annotators=2, labels=["apple", "pear"], instructions="Look twice. <b>http://example.org")
images = sorted(project.train_set.images["image"])
for name in ("anna", "ben"):
    worker = job.worker(name)
    for task in worker.lease(12):
        at = images.index(task.image)
        if at < 8:
            worker.submit(task, "pear" if at >= 5 or (at < 3 and name == "ben") else "apple")
        elif at == 11:
            worker.skip(task, "blurred")
    worker.release()
carl = job.worker("carl").lease(2)
"""
#: Anna and ben disagree on all images.
UNSURE = """
job = project.jobs.create("fruit-1", annotators=2, max_annotators=3, labels=["apple", "pear"])
for name, label in (("anna", "apple"), ("ben", "pear")):
    worker = job.worker(name)
    for task in worker.lease(3):
        worker.submit(task, label)
"""
ELSEWHERE = (
    "import subprocess, sys; subprocess.run([sys.executable, '-c', '''import customlabels_nb as cl\n"
    "worker = cl.load_project(\"things\").jobs[\"fruit-1\"].worker(\"dora\")\n"
    "tasks = worker.lease(1)\n"
    "worker.submit(tasks[0], \"pear\")'''], check=True)"
)  # fmt: skip


class JobDashboardPage:
    """Dashboard of a job shown by a cell of a page."""

    def __init__(self, page: LabPage, cell: int) -> None:
        self.page = page
        self.cell = cell
        self.root = page.output(cell).locator(".clnb-job-dashboard")

    def ready(self) -> JobDashboardPage:
        """Wait until everything is measured."""
        expect(self.root.locator(".foot .state")).to_have_text("up to date")
        return self

    def number(self, figure: str) -> Locator:
        """Return a number that opens images."""
        return self.root.locator(f"[data-figure='{figure}']")

    def expect_gallery(self, *numbers: int) -> GalleryPage:
        """Wait for a gallery below with these images."""
        gallery = GalleryPage(self.page, self.cell).ready()
        expect(gallery.root.locator(".position")).to_have_text(f"1–{len(numbers)} of {len(numbers)}")
        assert gallery.names() == [f"{number:03}" for number in numbers]
        return gallery


def opened(lab: Lab) -> JobDashboardPage:
    """Open the dashboard in cell 1 of a new notebook."""
    page = lab.open(notebook(SETUP + PROJECT.format(count=12) + JOB, "d = job.dashboard()\nd"), width=1400, height=1300)
    page.run_all()
    return JobDashboardPage(page, 1).ready()


def test_dashboard_updates_and_numbers_open_their_images(lab: Lab) -> None:
    dashboard = opened(lab)
    root, page = dashboard.root, dashboard.page
    for state, number in (("done", 5), ("review", 3), ("working", 2), ("waiting", 1), ("skipped", 1)):
        expect(dashboard.number(f"state {state}")).to_have_text(str(number))
    rows = root.locator(".people-table tbody tr")
    expect(rows.locator("td:first-child")).to_have_text(["anna", "ben", "carl"])
    expect(rows.nth(1)).to_contain_text("pear instead of apple (3 of 5)")
    expect(root.locator(".hint-list")).to_contain_text("Answers differ between apple and pear on 3 of 8 images")
    expect(root.locator(".instructions")).to_contain_text("Look twice. <b>")
    # somebody else labels in another process
    page.kernel_client().execute(ELSEWHERE, reply=True, timeout=60)
    expect(rows).to_have_count(4)
    expect(rows.last).to_contain_text("dora")
    expect(root.locator(".headline")).to_contain_text("17 so far")
    # numbers and bars open exactly their images
    dashboard.number("person anna").click()
    dashboard.expect_gallery(*range(8))
    root.locator(".hint-list li", has_text="differ").get_by_role("button", name="Show 3").click()
    dashboard.expect_gallery(0, 1, 2)
    root.locator(".mark[data-key='skipped']").hover()
    expect(root.locator(".tooltip")).to_have_text("1 of 12 skipped (8 %)")
    root.locator(".mark[data-key='done']").focus()
    page.page.keyboard.press("Enter")
    dashboard.expect_gallery(3, 4, 5, 6, 7)
    root.get_by_role("button", name="Full screen").click()
    page.page.wait_for_function("document.fullscreenElement !== null")
    dashboard.number("state skipped").click()
    page.page.wait_for_function("document.fullscreenElement === null")
    dashboard.expect_gallery(11)
    # decisions in the review below change the numbers above
    root.get_by_role("button", name="Review 3").click()
    review = ReviewPage(page, 1).ready()
    review.press("Shift+Digit1")
    review.expect_saved()
    expect(dashboard.number("state review")).to_have_text("2")
    expect(dashboard.number("state done")).to_have_text("6")


@pytest.mark.storing
def test_the_manager_pauses_closes_and_asks_again(lab: Lab) -> None:
    dashboard = opened(lab)
    root, page = dashboard.root, dashboard.page
    root.get_by_role("button", name="Pause").click()
    expect(root.locator(".job-state")).to_have_text("paused")
    root.get_by_role("button", name="Resume").click()
    expect(root.locator(".job-state")).to_have_text("running")
    root.get_by_role("button", name="Close…").click()
    question = root.get_by_role("dialog")
    expect(question).to_contain_text("2 answers are being given now.")
    expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    page.page.keyboard.press("Escape")
    expect(root.get_by_role("button", name="Close…")).to_be_focused()
    assert page.value("job.state") == "running"
    root.get_by_role("button", name="Close…").click()
    question.get_by_role("button", name="Close the job").click()
    expect(root.locator(".job-state")).to_have_text("closed")
    assert page.value("job.state") == "closed"
    root.get_by_role("button", name="Resume").click()
    root.get_by_role("button", name="Ask again").click()
    expect(dashboard.number("state skipped")).to_have_text("0")


@pytest.mark.storing
def test_a_third_person_is_invited_or_the_manager_decides(lab: Lab) -> None:
    page = lab.open(
        notebook(SETUP + PROJECT.format(count=3) + UNSURE, "d = job.dashboard()\nd"), width=1400, height=1300
    )
    page.run_all()
    dashboard = JobDashboardPage(page, 1).ready()
    root, hint = dashboard.root, dashboard.root.locator(".hint-list li", has_text="third person")
    expect(hint).to_contain_text("3 images wait for a third person: invite one, or decide yourself.")
    expect(root.locator(".headline")).to_contain_text("nobody is here to give them")
    hint.get_by_role("button", name="Decide yourself").click()
    review = ReviewPage(page, 1).ready()
    expect(review.root.locator(".notice")).to_contain_text("3 images wait for a third person")
    review.press("1")
    review.expect_saved()
    expect(review.root.locator(".notice")).to_contain_text("2 images wait for a third person")
    expect(hint).to_contain_text("2 images wait for a third person")
    review.root.get_by_role("button", name="Invite one…").click()
    expect(review.root.get_by_role("textbox", name="Name")).to_be_focused()
    page.page.keyboard.type("dora")
    page.page.keyboard.press("Enter")
    notice = review.root.locator(".notice", has_text="takes part now")
    expect(notice).to_contain_text("Start the page first, and invite this person again for a link")
    expect(root.locator(".hint-list")).to_contain_text("2 images wait for the people of the job.")
    assert page.value("job.progress.alone") == 0
