"""Test of all screens in one notebook: hostile names, a thousand labels, both themes, wide and narrow pages."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import serious_violations
from tests.browser.annotator import AnnotatorPage
from tests.browser.contrast import unreadable
from tests.browser.gallery import PROJECT, SETUP, GalleryPage
from tests.browser.jupyter import Lab, notebook
from tests.browser.results import PICTURES
from tests.browser.review import ReviewPage
from tests.browser.test_job_review import ANSWERS, BOXES
from tests.browser.test_label_manager import Manager
from tests.browser.test_quick_test import SETUP as QUICK_TEST
from tests.browser.test_training_view import RUN

pytestmark = pytest.mark.browser

#: Projects with names that attack or stretch a page. Of "hostile", nine images are labelled and two are broken.
NAMES = """
import pandas as pd
from customlabels_nb.labeling.session import LabellingSession

hostile = "<img src=x onerror=window.hacked=1>"
arabic = "\\u0627\\u0644\\u0639\\u0631\\u0628\\u064a\\u0629"
files = [hostile, '"; DROP TABLE images; --', "\\u202egnp.exe", "zero\\u200bwidth", "n" * 240]
labels = [hostile, '"; DROP TABLE labels; --', "\\u202eltr", arabic, "__proto__", "l" * 256]
people = [hostile, '"; DROP TABLE people; --', "p" * 100]

def named(name, task, count):
    draw(count, folder := f"{name} images")
    for number, file in enumerate(files):
        Path(f"{folder}/{number:03}.png").rename(f"{folder}/{file}.png")
    project = cl.create_project(name, task=task)
    project.add_images(folder, progress=False)
    for label in labels:
        project.labels.add(label)
    return project

project = named("hostile", "single-label", 50)
for number in range(994):
    project.labels.add(f"label {number}")
images = sorted(project.train_set.images["image"])
for number, person in enumerate(people):
    session = LabellingSession(project._store, project.root, user=person)
    session.assign(images[3 * number : 3 * number + 3], labels[2 * number])
said = pd.DataFrame({"image": images[:3], "label": [labels[0], labels[2], labels[2]], "confidence": [0.9, 0.8, 0.7]})
project.add_predictions(said, model="m")
Path(images[6]).unlink()
Path(images[7]).write_bytes(b"no image")

job = project.jobs.create("h" * 63, annotators=2, labels=labels[:2], instructions=hostile)
for name in (*people, *(f"student {number}" for number in range(27))):
    worker = job.worker(name)
    for task in worker.lease(3):
        worker.submit(task, labels[name != hostile])
for name in people:
    worker = job.worker(name)
    for task in worker.lease(2):
        worker.skip(task, hostile)
session = LabellingSession(project._store, project.root)
session.set_status(images[4:5], "needs_review")

boards = named("boards", "boxes", 5)
boxes = pd.DataFrame({"image": boards.train_set.images["image"].iloc[0], "label": labels, "top": 10.0, "width": 15.0})
boards.update("train", boxes.assign(left=[5.0, 23.0, 41.0, 59.0, 77.0, 95.0], height=60.0))
empty, bare = cl.create_project("empty"), cl.create_project("bare")
bare.add_images("boards images", progress=False)
"""


class Screen(NamedTuple):
    """Cell that shows a screen, its root element, and the texts that must be readable there."""

    cell: str
    root: str
    texts: str


SCREENS = {
    "gallery": Screen(
        "project.label(sort='name', page_size=100)",
        ".clnb-gallery",
        ".project, .rule, .label bdi, .label .count, .chip bdi, .excuse, .finding, .hints, .done, .state, "
        ".tab:not(.current), .tab.current, button.primary, .menu select",
    ),
    "crops": Screen(
        "boards.crops(sort='name')",
        ".clnb-gallery",
        ".rule, .label bdi, .label .count, .chip bdi, .position, .done, .state, .tab:not(.current), .tab.current, "
        "button.primary, .menu select",
    ),
    "review": Screen(
        "project.review(sort='name', page_size=100)",
        ".clnb-review",
        ".project, .rule, .label.current bdi, .label:not(.current) bdi, .label .count, .chip bdi, .source .who, "
        ".source .time, .status.reviewed, .status.needs_review, .agreement, .disagreement, .chip.predicted .number, "
        ".excuse, .finding, .hints, .done, .state, button.primary, button.reject, .menu select",
    ),
    "map": Screen(
        "project.map()",
        ".clnb-map",
        ".project, .label bdi, .label .count, .message, .unlabelled, .counts strong, .empty p, .hints, .done, .state, "
        ".tab:not(.current), .tab.current, .menu select",
    ),
    "dashboard": Screen(
        "project.dashboard()",
        ".clnb-dashboard",
        ".project, .summary, h3, .head span, .number:not(:disabled), .name bdi, .queue-row strong, button.link, "
        ".faint, .finding-row .severity, .tab:not(.current), .tab.current, button.primary, .hints, .state, "
        ".chart .scale, .chart .value, .chart .side-name",
    ),
    "history": Screen("project.history_panel()", ".clnb-history", ".when, .who, .what, .undo, .day"),
    "label manager": Screen(
        "project.labels.edit()",
        ".clnb-label-manager",
        ".name, .key, .uses, .label-head span, .label-count, .hints, .state, .tools button, .adding button, "
        ".question p",
    ),
    "annotator": Screen(
        "boards.annotate()",
        ".clnb-annotator",
        ".toolbar strong, .toolbar .size, button.primary, .side h4, .label bdi, .label .key, .row .count, "
        ".row.current .grow, .side p.faint, kbd, .foot .position, .foot .hints, .foot .state, .notice span",
    ),
    "job dashboard": Screen(
        "job.dashboard()",
        ".clnb-job-dashboard",
        ".project, .job-state, .summary, .figure strong, .figure .faint, .states .head span, button.link, .said, th, "
        "td.who bdi, td.confusion, td.number, h3, .title .faint, .hints, .foot .state",
    ),
    "job review": Screen(
        PROJECT.format(count=1) + ANSWERS.format(answers=BOXES, more="{'task': 'boxes'}") + "job.review()",
        ".clnb-review",
        ".side h4, .reason .count, .card .note, .name-tag strong, .stage .caption, .place",
    ),
    "results": Screen(
        PICTURES.replace("photos", "pictures") + "classifier().show()",
        ".clnb-results",
        ".figures, .figures b, .label-table td.f1, .label-table thead button, .cells .cell.right, .cells .cell.none, "
        ".cells .cell-name, .matrix .words, .legend b, .filterbar .tab.current, .filterbar .tab:not(.current), "
        ".chip.missed .word, .chip.wrong .number, .foot .position, .controls .value, .controls .of",
    ),
    "training": Screen(
        RUN + "run('things.2')",
        ".clnb-training",
        ".project, .state, .best-so-far, h3, .entry bdi, .entry .value, .chip bdi, .chip .number, .line .faint, "
        ".line span:last-child, .elapsed, .parameters, .over",
    ),
    "quick test": Screen(
        QUICK_TEST.replace("things", "quick") + "w = start(boxes, whole)\nw.ask('photo-0.png')\nw",
        ".clnb-quick-test",
        ".toolbar .state, .model-menu select, .tab.current, .summary, .answer bdi, .answer .confidence, "
        ".answer .limit, .chip .number, .as, .as-words, button.add, .facts, .hint, h4",
    ),
}
#: What screens without images, labels or answers say.
EMPTY = {
    "empty.label()": "There are no images yet.",
    "empty.review()": "There are no images yet.",
    "bare.review()": "There are no labelled images to review yet",
    "empty.annotate()": "There are no images yet",
    "empty.crops()": "There are no boxes yet: draw some in project.annotate().",
    "empty.map()": "There are no images yet.",
    "bare.map()": "map of 5 images",
    "empty.dashboard()": "There are no images yet.",
    "empty.labels.edit()": "No labels yet",
    "bare.jobs.create('unopened').dashboard()": "Nobody has opened the job yet.",
}


@pytest.mark.exhaustive
def test_every_screen_is_readable_with_hostile_names_in_both_themes_and_narrow(lab: Lab) -> None:
    cells = [screen.cell for screen in SCREENS.values()]
    page = lab.open(notebook(SETUP + NAMES, *EMPTY, *cells), width=1400, height=1300)
    page.run_all(seconds=300)
    for at, text in enumerate(EMPTY.values(), 1):
        expect(page.output(at)).to_contain_text(text)
    at = {name: number for number, name in enumerate(SCREENS, 1 + len(EMPTY))}
    roots = {name: page.output(at[name]).locator(screen.root) for name, screen in SCREENS.items()}

    # each screen shows what its texts are about
    review = ReviewPage(page, at["review"]).ready()
    review.press("Enter")
    review.expect_saved()
    GalleryPage(page, at["gallery"]).ready()
    for name in ("gallery", "review"):
        expect(roots[name].locator(".finding").first).to_be_visible()  # they arrive with the next poll
    expect(roots["gallery"].locator(".tile[aria-label^='<img src=x onerror']")).to_have_count(1)
    roots["dashboard"].get_by_text("Show all 1,000 labels").click()
    expect(roots["dashboard"].locator(".label-rows .name")).to_have_count(1000)
    roots["dashboard"].locator("button.check").click()
    expect(roots["dashboard"].locator(".finding-row .severity").first).to_be_visible()
    manager = Manager(page, roots["label manager"]).ready()
    expect(manager.root.locator(".label-row")).to_have_count(1000)
    manager.row("__proto__").click()
    manager.press("Delete")
    expect(manager.root.locator(".question p").nth(1)).to_contain_text("3 annotations on 3 images")
    annotator = AnnotatorPage(page, at["annotator"]).ready()
    annotator.press("PageUp")
    annotator.expect_shapes(6)
    annotator.press("Tab", "N")
    expect(roots["job dashboard"].locator(".people-table tbody tr")).to_have_count(30)

    problems = []
    for theme in ("light", "dark"):
        page.set_theme(theme)
        page.page.wait_for_timeout(400)
        for name, screen in SCREENS.items():
            problems += [f"{name}, {theme}: {text}" for text in unreadable(roots[name], screen.texts.split(", "))]
    for width in (1400, 1000, 700):
        page.page.set_viewport_size({"width": width, "height": 1300})
        page.page.wait_for_timeout(500)
        wide = "node => node.scrollWidth > node.clientWidth + 1"
        problems += [f"{name}, {width} pixels" for name, root in roots.items() if root.evaluate(wide)]
    assert not problems, "\n".join(problems)
    assert page.page.evaluate("window.hacked") is None
    assert page.page_errors == []

    page.page.set_viewport_size({"width": 1400, "height": 1300})
    outputs = ".jp-OutputArea-output"
    problems = serious_violations(page.page, outputs, ("color-contrast",))  # the theme changes nothing else
    page.set_theme("light")
    problems += serious_violations(page.page, outputs)
    assert not problems, "\n".join(problems)
