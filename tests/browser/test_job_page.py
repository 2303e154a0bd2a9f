"""Tests of ``customlabels-nb label``: people without code label on a page that Voilà serves."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Browser, expect

import customlabels_nb as cl
from customlabels_nb.user_settings import settings
from tests.browser.accessibility import serious_violations
from tests.browser.job_pages import COMMAND, HELD, JobPage, JobProject, environment
from tests.browser.jupyter import free_port, stop
from tests.browser.waiting import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.storing]
HOSTILE = "<img src=x onerror=alert(1)>"
#: What a kernel says that is shut down while it answers.
INTERRUPTED = "[IPKernelApp] ERROR | KeyboardInterrupt caught in kernel."


@pytest.fixture
def project(tmp_path: Path) -> JobProject:
    """Return a project with a job of two invited people."""
    return JobProject(tmp_path, annotators=2, members=["anna", "ben"], instructions="Look twice.")


@pytest.fixture
def server(project: JobProject, tmp_path: Path) -> Iterator[psutil.Popen]:
    """Run the command, which is stopped after the test like with Ctrl+C."""
    command = [*COMMAND, "leaves-1", "--project", str(project.root), "--port", str(free_port())]
    env = environment(tmp_path, CUSTOMLABELS_NB_USER="teacher")  # whoever serves the page is not who labels
    with (tmp_path / "server.log").open("wb") as log:
        process = psutil.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=log, text=True)
    yield process
    stop(process)


def test_a_personal_link_is_for_one_person_until_it_is_revoked(
    project: JobProject, server: psutil.Popen, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server.stdout is not None
    common = server.stdout.readline().split()[0]
    monkeypatch.setattr(settings, "user", "teacher")
    with closing(cl.load_project(project.root)) as opened:
        job = opened.jobs["leaves-1"]
        link = job.invite("ben")["link"][0]
        assert link.partition("?")[0] == common.partition("?")[0]
        context = browser.new_context()
        page = JobPage(context.new_page())
        page.page.goto(link)
        page.gallery.locator(".panel .closer").click()
        page.ready().press("1")
        page.expect_saved()
        assert serious_violations(page.page, "body") == []
        expect(page.question).to_have_count(0)
        project.expect_rows("SELECT who FROM job_answers WHERE counted = 1", wanted=["ben"])
        page.page.close(run_before_unload=True)
        # nobody else can label with the name
        other = JobPage(browser.new_context().new_page())
        other.page.goto(common)
        expect(other.field).to_be_visible()
        assert serious_violations(other.page, "body") == []
        other.field.fill("Ben")
        other.press("Enter")
        expect(other.question.get_by_role("alert")).to_contain_text("'Ben' has a personal link")
        other.page.close(run_before_unload=True)
        # neither the link nor its cookie works after it was revoked
        assert job.revoke_links() == ["ben"]
        for address in (link, link.partition("?")[0]):
            again = context.new_page()
            again.goto(address)
            expect(again.get_by_text("This link is not valid any more")).to_be_visible()
    assert page.errors == other.errors == []
    context.close()


def kernels(server: psutil.Popen) -> int:
    """Return how many kernels run."""
    running = 0
    for child in server.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has ended since it was listed
            running += child.status() != "zombie"
    return running


def expect_kernels(server: psutil.Popen, wanted: int) -> None:
    """Wait until so many kernels run."""
    end = time.monotonic() + PATIENCE
    while (found := kernels(server)) != wanted and time.monotonic() < end:
        time.sleep(0.1)
    assert found == wanted


@pytest.mark.journey
def test_labeler_answers_on_the_page_and_a_closed_tab_releases_tasks(
    project: JobProject, server: psutil.Popen, browser: Browser, tmp_path: Path
) -> None:
    assert server.stdout is not None
    link, *words = server.stdout.readline().split()
    assert " ".join(words) == "shows the labelling screen of 'leaves-1'. Stop with Ctrl+C."
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    one = JobPage(context.new_page())
    asked: set[str | None] = set()
    one.page.on("request", lambda request: asked.add(urlsplit(request.url).netloc or None))
    one.page.goto(link)
    expect(one.field).to_be_focused()
    expect(one.page).to_have_title("leaves-1")
    expect(one.page.locator(".jp-InputArea, .jp-InputPrompt")).to_have_count(0)
    one.field.fill(HOSTILE)
    one.press("Enter")
    expect(one.question.get_by_role("alert")).to_contain_text(HOSTILE)
    assert project.rows(HELD) == [0]
    one.field.fill(" anna ")
    one.press("Enter")
    one.gallery.locator(".panel .closer").click()
    one.ready().press("1", "2", "-")
    whole, image = one.gallery.bounding_box(), one.gallery.locator(".stage .frame").bounding_box()
    assert whole is not None
    assert image is not None
    assert (whole["y"], whole["height"]) == (8, 884)  # of the window's 900
    assert image["height"] > 550
    one.expect_saved()
    project.expect_rows("SELECT who FROM job_answers WHERE counted = 1", wanted=["anna"] * 3)
    assert project.rows("SELECT DISTINCT holder FROM job_slots WHERE state = 'held'") == ["anna"]
    one.page.close(run_before_unload=True)
    project.expect_rows(HELD, wanted=[0])
    expect_kernels(server, 0)

    # the same browser knows the name, and the page follows the system's dark theme
    other = JobPage(context.new_page())
    other.page.emulate_media(color_scheme="dark")
    other.page.goto(link.partition("?")[0])  # the cookie replaces the token
    expect(other.field).to_have_value("anna")
    expect(other.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    other.press("Enter")
    expect(other.gallery).to_be_focused()
    expect(other.gallery.locator(".person")).to_have_text("anna")
    other.gallery.get_by_role("button", name="Not you?").click()
    expect(other.field).to_be_focused()
    other.page.keyboard.type("ben")  # instead of the selected "anna"
    other.press("Enter")
    expect(other.gallery.locator(".person")).to_have_text("ben")
    expect(other.gallery.locator(".panel")).to_contain_text("Look twice.")  # ben has not read it
    other.press("Escape")
    assert serious_violations(other.page, "body") == []  # in the dark theme
    other.page.close(run_before_unload=True)
    assert (one.errors, other.errors, asked) == ([], [], {urlsplit(link).netloc, None})
    context.close()

    # without the token or its cookie there is no page
    stranger = browser.new_context()
    page = stranger.new_page()
    page.goto(link.partition("?")[0])
    expect(page.get_by_text("This link is not valid any more")).to_be_visible()
    stranger.close()
    expect_kernels(server, 0)  # the server might stop them before they have removed their files
    stop(server)
    log = (tmp_path / "server.log").read_text("utf-8").splitlines()
    assert [line for line in log if line != INTERRUPTED] == []
    assert [path for name in ("home", "tmp") for path in (tmp_path / name).rglob("*")] == []


def test_a_page_whose_kernel_has_died_is_reloaded_without_losing_answers(
    project: JobProject, server: psutil.Popen, browser: Browser
) -> None:
    assert server.stdout is not None
    page = JobPage(browser.new_context().new_page())
    page.page.goto(server.stdout.readline().split()[0])
    page.field.fill("anna")
    page.press("Enter")
    page.gallery.locator(".panel .closer").click()
    page.ready().press("1")
    page.expect_saved()
    for child in server.children(recursive=True):
        child.kill()
    page.press("2", "3")
    notice = page.gallery.locator(".notice")
    expect(notice).to_contain_text("The connection was lost. 2 edits are not saved yet")
    notice.get_by_role("button", name="Reload").click()
    expect(page.field).to_have_value("anna")
    page.press("Enter")
    page.ready().expect_saved()
    expect(notice).to_have_count(0)
    page.press("1")  # on the first image without an answer
    project.expect_rows("SELECT count(*) FROM job_answers WHERE counted = 1", wanted=[4])
    page.page.close(run_before_unload=True)
