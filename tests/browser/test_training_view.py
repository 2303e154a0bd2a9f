"""Tests of the live view of a training in JupyterLab while the cell runs."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.jupyter import CellError, Lab, notebook

pytestmark = pytest.mark.browser

#: Run of 300 steps with the events of a detector's training, which waits for files in the folder at some of them.
RUN = """
import io, math, time
from pathlib import Path
from PIL import Image
from customlabels_nb.events import Events, Mark, Result, Sample
from customlabels_nb.project.progress_display import watch
from tests.browser.waiting import PATIENCE

HOSTILE = "<img src=x onerror=window.hacked=1>"
heard = []

def picture():
    buffer = io.BytesIO()
    Image.new("RGB", (160, 120), (90, 130, 180)).save(buffer, "JPEG")
    return buffer.getvalue()

def wait_for(name):
    end = time.monotonic() + PATIENCE
    while not Path(name).exists() and time.monotonic() < end:
        time.sleep(0.02)

def run(title, events=None, files=()):
    with watch(events or Events(heard.append), title=title, colors={"pear": "#3a9a5b"}) as stream:
        if files:
            wait_for("begin")
        stream.message(f"The label {HOSTILE} has few images.")
        for done in range(0, 9):
            stream.progress("reading train", done, 8)
        for step in range(1, 301):
            stream.progress("training", step, 300, unit="steps")
            if step % 25 == 0:
                fit = 1 - math.exp(-step / 100)
                value = 0.5 if step == 150 else fit / 2
                stream.metrics(step, loss=2 - fit, loss_box_reg=1 - fit, ap50=value, learning_rate=0.001)
                box = (40.0, 20.0, 200.0, 160.0)
                said = Mark("pear", box, 0.2 + fit / 2) if step > 25 else Mark(HOSTILE, box, 0.4)
                stream.samples(step, [Sample(f"photos/{HOSTILE}{n}.jpg", picture(), (320, 240), (Mark("pear", box),), (said,)) for n in range(4)])
            if step in (50, 200) and files:
                wait_for(files[0 if step == 50 else 1])
        stream.emit(Result(f"Test F1 0.912 [0.85, 0.96]. {HOSTILE}"))
"""  # noqa: E501
FAILING = """
events = Events()
events.subscribe(lambda event: 1 / (60 - getattr(event, "done", 0)))
run("things.4", events)
"""


@pytest.mark.journey
def test_a_run_is_watched_while_its_cell_runs_and_stopped_by_the_page(lab: Lab) -> None:
    page = lab.open(notebook(RUN, "run('things.1', files=('go', 'on'))"), width=1300, height=1300)
    page.run_cell(0)
    page.run_cell(1, wait=False)
    root = page.output(1).locator(".clnb-training")
    folder = page.path.parent
    # the kernel is busy from here on
    expect(root.locator(".phase")).to_have_text("preparing")
    expect(root.locator("[role=progressbar]")).not_to_have_attribute("aria-valuenow", re.compile(""))
    (folder / "begin").touch()
    expect(root.locator(".project")).to_have_text("things.1")
    expect(root.locator(".amount")).to_have_text("50 of 300 steps")
    expect(root.locator("[role=progressbar]")).to_have_attribute("aria-valuenow", "50")
    expect(root.locator(".line").first).to_contain_text("<img src=x onerror=window.hacked=1>")
    expect(root.locator(".samples .place")).to_have_text("after step 50")
    expect(root.locator(".sample rect.predicted:not(.case)")).to_have_count(4)
    widths = root.locator(".sample").evaluate_all("nodes => nodes.map((node) => node.clientWidth)")
    assert 180 <= min(widths) == max(widths) <= 240  # they use the space that there is
    before = root.locator(".plot .curve").first.get_attribute("d")

    (folder / "go").touch()
    expect(root.locator(".amount")).to_have_text("200 of 300 steps")
    expect(root.locator(".best-so-far")).to_have_text("best AP50 0.500 at step 150")
    expect(root.locator(".samples .place")).to_have_text("after step 200")
    assert root.locator(".plot .curve").first.get_attribute("d") != before
    # the values at a step, in both charts, by pointer and by key
    plot = root.locator(".plot").last
    plot.hover(position={"x": 100, "y": 60})
    expect(root.locator(".curves .place").first).to_have_text(re.compile(r"^step \d+ · 0:\d\d$"))
    plot.focus()
    page.page.mouse.move(5, 5)
    plot.press("End")
    plot.press("ArrowLeft")
    plot.press("ArrowLeft")
    expect(plot).to_have_attribute("aria-valuetext", "step 150: AP50 0.500")
    expect(root.locator(".curves .place").first).to_have_text(re.compile(r"^step 150 · "))

    # Stop reaches the kernel while the cell runs
    root.locator("button.stop").focus()
    page.page.keyboard.press("Enter")
    expect(root.locator(".state")).to_have_text("stopping…")
    (folder / "on").touch()
    expect(root.locator(".state")).to_have_text("stopped")
    expect(root.locator(".notice")).to_contain_text("Stopped on request. Finished work was stored.")
    expect(root.locator("button.stop")).to_be_hidden()
    expect(page.output(1)).to_contain_text("Cancelled")
    assert page.value("len([event for event in heard if type(event).__name__ == 'Samples'])") == 8


def test_page_reloaded_during_a_run_names_the_button_that_stops_it_and_shows_the_end(lab: Lab) -> None:
    page = lab.open(notebook(RUN, "run('things.2', files=('go', 'on'))"), height=1200)
    page.run_cell(0)
    page.run_cell(1, wait=False)
    (page.path.parent / "begin").touch()
    expect(page.output(1).locator(".clnb-training .amount")).to_have_text("50 of 300 steps")
    page.save()
    page.reload()
    # the page has no connection to its widgets before the cell has ended
    expect(page.output(1)).to_contain_text("To stop it, click ■ (Interrupt the kernel)")
    page.page.wait_for_timeout(6_000)  # JupyterLab looks for widgets for 4 s, and then again when the kernel is idle
    page.page.locator("[data-command='notebook:interrupt-kernel']").click()
    root = page.output(1).locator(".clnb-training")
    expect(root.locator(".state")).to_have_text("stopped")
    expect(root.locator(".foot")).to_contain_text("training 50 steps")
    expect(page.output(1).locator(".clnb-still")).to_be_hidden()


def test_reloaded_page_restores_the_run_and_shows_its_failure(lab: Lab) -> None:
    page = lab.open(notebook(RUN, "run('things.3')", FAILING), height=1200)
    page.run_cell(0)
    page.run_cell(1)
    with pytest.raises(CellError, match="division by zero"):
        page.run_cell(2)
    failed = page.output(2).locator(".clnb-training")
    expect(failed.locator(".state")).to_have_text("failed")
    expect(failed.locator(".notice.error")).to_contain_text("division by zero")
    root = page.output(1).locator(".clnb-training")
    expect(root.locator(".notice")).to_contain_text("Test F1 0.912 [0.85, 0.96].")
    page.save()
    page.show()
    expect(root.locator(".state")).to_have_text("done")
    expect(root.locator(".entry .value").first).to_have_text("1.050")
    expect(root.locator(".sample img[src^='data:']")).to_have_count(4)
