"""Tests of the review by mouse and keyboard in JupyterLab."""

from __future__ import annotations

import re

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.gallery import SETUP, GalleryPage
from tests.browser.jupyter import FLAVOURS, Lab, notebook
from tests.browser.review import LABELLED, ReviewPage
from tests.facts import facts

pytestmark = pytest.mark.browser

SHOW = "r = project.review(sort='name')\nr"


def opened(lab: Lab, *more: str, show: str = SHOW) -> ReviewPage:
    """Open a review in cell 1 of a new notebook."""
    page = lab.open(notebook(SETUP + LABELLED, show, *more))
    page.run_cell(0)
    page.run_cell(1)
    return ReviewPage(page, 1).ready()


@pytest.mark.storing
@pytest.mark.parametrize("lab", FLAVOURS, indirect=True)
def test_rejected_images_are_exactly_those_in_the_gallery_s_queue(lab: Lab) -> None:
    review = opened(lab, "g = project.label(sort='name')\ng.set_filter(show='unlabelled')\ng")
    review.tile(1).click()
    for index in (2, 4):
        review.tile(index).click(modifiers=["Control"])
    review.tile(6).click(modifiers=["Control"])
    review.tile(7).click(modifiers=["Control"])
    expect(review.root.locator(".reject")).to_have_text("Reject 5")
    review.press("Delete")
    expect(review.chips(1)).to_have_count(0)
    expect(review.tile(1).locator(".caption")).to_contain_text("to label again")
    review.expect_saved()
    expect(review.tab("apple").locator(".count")).to_have_text("3")
    review.page.run_cell(2)
    gallery = GalleryPage(review.page, 2).ready()
    expect(gallery.root.locator(".position")).to_have_text("1–7 of 7")
    assert gallery.names() == ["001", "002", "004", "006", "007", "010", "011"]  # nobody had labelled 010 and 011
    newest = review.page.value("(project.history['what'][0], int(project.history['count'][0]))")
    assert newest == ("reject", 5)
    # undone
    review.root.focus()
    review.press("Control+z")
    expect(review.chips(1)).to_have_text("apple")
    expect(review.tab("apple").locator(".count")).to_have_text("6")
    assert review.statuses() == {"labelled": 10, "unlabelled": 2}


def test_with_several_labels_a_key_adds_until_a_label_is_chosen_to_be_corrected(lab: Lab) -> None:
    review = opened(lab, show="project.task = 'multi-label'\n" + SHOW)
    finder = review.root.locator(".finder")
    expect(finder).to_have_attribute("placeholder", "Add or remove…")
    expect(review.tab("plum")).to_have_attribute("title", re.compile("press 3 to add or remove it"))
    review.press("3")
    expect(review.chips(0)).to_have_text(["apple", "plum"])
    for theme in ("dark", "light"):
        review.page.set_theme(theme)
        review.page.screenshot(f"review-several-{theme}")
    review.tab("apple").click()
    expect(finder).to_have_attribute("placeholder", "Correct to…")
    expect(review.tab("plum")).to_have_attribute("title", re.compile("press 3 to correct to it"))
    review.press("2")
    expect(review.chips(0)).to_have_text("pear")  # of the next image, in place of apple
    review.expect_saved()


@pytest.mark.journey
@pytest.mark.storing
def test_by_keyboard_label_by_label(lab: Lab) -> None:
    review = opened(lab)
    root = review.root
    expect(root.locator(".position")).to_have_text("1–10 of 10")
    assert "anna just now" in review.words(0)
    review.tab("pear").click()
    expect(root.locator(".position")).to_have_text("1–4 of 4")
    assert review.names() == ["006", "007", "008", "009"]
    review.press("Enter", "a", "3", "x")  # approve, approve, correct, reject: each continues with the next image
    expect(root.locator(".notice")).to_contain_text(facts(6, "review"))
    expect(review.chips(2)).to_have_text("plum")
    expect(root.locator(".foot .done")).to_have_text("3 of 9 reviewed")
    review.expect_saved()
    assert [("✓ reviewed" in review.words(at)) for at in range(4)] == [True, True, True, False]
    assert review.labelled()["008"] == "plum"
    assert "009" not in review.labelled()
    done = review.page.value("project.history['what'].head(4).tolist()")
    assert done == ["reject", "correct to plum", "approve", "approve"]
    root.get_by_label("undo", exact=True).click()
    expect(review.chips(3)).to_have_text("pear")
    review.press("Control+z")
    expect(review.chips(2)).to_have_text("pear")
    expect(root.locator(".foot .done")).to_have_text("2 of 10 reviewed")
    root.locator(".notice button").first.click()
    expect(root.locator(".position")).to_have_text("1–8 of 8")
    review.choose("show", "reviewed")
    expect(root.locator(".position")).to_have_text("1–2 of 2")
    # typing finds a label, adding creates one
    review.choose("show", "all")
    expect(root.locator(".position")).to_have_text("1–10 of 10")
    root.focus()
    review.press("/")
    review.page.page.keyboard.type("fig & <b>date</b>")
    review.press("Enter")
    expect(review.chips(0)).to_have_text("fig & <b>date</b>")
    review.expect_saved()
    assert review.labelled()["000"] == "fig & <b>date</b>"
    # all of them in one step
    review.press("Control+a", "Enter")
    expect(root.locator(".foot .done")).to_have_text("10 of 10 reviewed")
    review.expect_saved()
    review.choose("show", "to_review")
    expect(root.locator(".empty p")).to_have_text(facts(10, "images"))
    root.locator(".empty button").click()
    expect(root.locator(".position")).to_have_text("1–10 of 10")


SLOW = """
import time
r = project.review(sort="name", page_size=4)
answer = r.handlers["page"]
r.handlers["page"] = lambda view, place, pixels: (time.sleep(0.7), answer(view, place, pixels))[1]
r
"""


@pytest.mark.storing
def test_a_key_after_turning_the_page_is_about_the_new_page(lab: Lab) -> None:
    review = opened(lab, show=SLOW)
    review.press("PageDown", "x")
    expect(review.root.locator(".position")).to_have_text("5–8 of 10")
    expect(review.chips(0)).to_have_count(0)
    review.press("End", "3", "Enter")  # correcting the last one continues on the next page, where Enter approves
    expect(review.root.locator(".position")).to_have_text("9–10 of 10")
    review.expect_saved()
    assert "004" not in review.labelled()
    assert review.labelled()["007"] == "plum"
    reviewed = "[Path(image).stem for image, tags in project.train_set.images[['image', 'tags']].values if tags]"
    assert review.page.value(f"sorted({reviewed})") == ["007", "008"]


def test_truth_beside_prediction(lab: Lab) -> None:
    review = opened(lab, show="r = project.review()\nr")
    assert review.names()[:3] == ["002", "003", "000"]  # most confident in another label first
    expect(review.tile(0).locator(".chip.predicted")).to_have_text(re.compile(r"pear\s*0\.90"))
    assert "disagrees" in review.words(0)
    assert "agrees" in review.words(2)
    assert "disagrees" not in review.words(2)
    assert review.tile(0).locator(".chip.predicted").evaluate("node => getComputedStyle(node).borderStyle") == "dashed"
    review.choose("show", "disagrees")
    expect(review.root.locator(".position")).to_have_text("1–2 of 2")
    review.tile(0).locator(".chip.predicted").click()
    expect(review.chips(0)).to_have_text("pear")
    assert "disagrees" not in review.words(0)
    review.root.focus()
    review.press("ArrowRight", "+")
    expect(review.chips(1)).to_have_text("pear")
    review.expect_saved()
    found = review.labelled()
    assert (found["002"], found["003"]) == ("pear", "pear")


#: A model draws a pear on two images: 4 has a label of the whole image, 10 is labelled as empty.
DRAWN = """
said = pd.DataFrame({"image": [images[4], images[10]], "label": "pear", "left": 1.0, "top": 1.0, "width": 9.0,
                     "height": 9.0, "confidence": [0.9, 0.8]})
project.add_predictions(said, model="boxes")
LabellingSession(project._store, project.root).set_status([images[10]], "labelled")
own = pd.DataFrame({"image": [images[5]], "label": "plum", "left": 30.0, "top": 20.0, "width": 60.0, "height": 45.0})
project.update("train", own)
r = project.review()
r
"""


@pytest.mark.storing
def test_a_predicted_box_never_becomes_a_label_of_the_whole_image(lab: Lab) -> None:
    review = opened(lab, show=DRAWN)
    assert review.names()[:2] == ["002", "004"]
    own = review.tile(review.names().index("005"))
    expect(own.locator(".overlay .truth")).to_have_count(1)
    assert review.outlines(own) == [pytest.approx((0.25, 20 / 90, 0.75, 65 / 90), abs=0.03)]
    expect(review.tile(1).locator(".overlay .predicted")).to_have_count(1)
    review.press("h")
    expect(own.locator(".overlay")).to_be_hidden()
    expect(review.root.locator(".notice")).to_contain_text("Boxes and polygons are hidden.")
    review.root.get_by_role("button", name="Show", exact=True).click()
    expect(own.locator(".overlay")).to_be_visible()
    expect(review.root.locator(".notice")).to_have_count(0)
    review.root.focus()
    review.choose("show", "disagrees")
    expect(review.root.locator(".position")).to_have_text("1–4 of 4")
    drawn = [review.names().index(name) for name in ("004", "010")]
    for index in drawn:
        expect(review.tile(index).locator(".chip.predicted")).to_have_attribute("title", re.compile("project.annotate"))
        review.tile(index).locator(".chip.predicted").click()
        review.root.focus()
        review.press("+")
        expect(review.root.locator(".notice")).to_contain_text("project.annotate()")
    review.press("Control+a", "+")  # from all of them, only predictions for whole images are accepted
    expect(review.chips(review.names().index("002"))).to_have_text("pear")
    review.expect_saved()
    found = review.labelled()
    assert {name: found.get(name) for name in ("002", "003", "004", "010")} == {
        "002": "pear", "003": "pear", "004": "apple", "010": None,
    }  # fmt: skip


def test_other_cells_and_people_are_followed(lab: Lab) -> None:
    review = opened(lab)
    client = review.page.kernel_client()
    client.execute("project.labels.rename('apple', 'crab <i>apple</i>')", reply=True)
    expect(review.chips(0)).to_have_text("crab <i>apple</i>")
    expect(review.tab("crab <i>apple</i>")).to_be_visible()
    client.execute("project.labels.merge('pear', into='plum')", reply=True)
    expect(review.chips(6)).to_have_text("plum")
    expect(review.tab("pear")).to_have_count(0)
    # Python decides as well, and reads the selection
    review.tile(0).click()
    review.tile(1).click(modifiers=["Shift"])
    review.page.page.wait_for_timeout(400)
    assert review.page.value("[name[-7:] for name in r.selection]") == ["000.png", "001.png"]
    client.execute("r.approve()", reply=True)
    expect(review.root.locator(".foot .done")).to_have_text("2 of 10 reviewed")
    assert review.page.value("r.progress['left']") == 8
    client.execute("r.set_filter(show='reviewed')", reply=True)
    expect(review.root.locator(".position")).to_have_text("1–2 of 2")
    client.execute("r.set_filter()", reply=True)
    expect(review.root.locator(".position")).to_have_text("1–8 of 8")
    # another process relabels: the decision on the old state is returned
    other = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', '''import customlabels_nb as cl\n"
        'project = cl.load_project("things")\n'
        'relabelled = project.train_set.relabel("fig", lambda images: images["image"].str.endswith("002.png"))\n'
        'project.update("train", relabelled)'
        "'''], check=True)"
    )
    review.page.page.evaluate(
        "() => { Object.defineProperty(document, 'hidden', { get: () => true }); }"
    )  # this page does not poll
    client.execute(other, reply=True, timeout=60)
    review.root.focus()
    review.press("Home", "Enter")
    expect(review.root.locator(".notice.error")).to_contain_text(facts("“fig”"))
    expect(review.chips(0)).to_have_text("fig")
    review.root.locator(".notice.error button").first.click()
    review.expect_saved()
    expect(review.tile(0).locator(".status.reviewed")).to_be_visible()


READABLE = (
    ".project", ".rule", ".label.current bdi", ".label:not(.current) bdi", ".label .count", ".chip bdi",
    ".source .who", ".source .time", ".status.reviewed", ".status.needs_review", ".agreement", ".disagreement",
    ".chip.predicted .number", ".excuse", ".finding", ".hints", ".done", ".state", "button.primary", "button.reject",
    ".menu select",
)  # fmt: skip

HOSTILE = """
hostile = "<img src=x onerror=window.hacked=1>"
names = [hostile, '"; DROP TABLE images; --', "\\u202egnp.exe", "n" * 240]
for number, name in enumerate(names):
    Path(f"photos/{number:03}.png").rename(f"photos/{name}.png")
project = cl.create_project("hostile", task="single-label")
project.add_images("photos", progress=False)
labels = [hostile, "\\u202eltr", "l" * 256, *(f"label {number}" for number in range(997))]
for label in labels:
    project.labels.add(label)
images = sorted(project.train_set.images["image"])
person = LabellingSession(project._store, project.root, user=hostile)
for number, image in enumerate(images[:8]):
    person.assign([image], labels[number % 3])
person.assign(images[8:9], "label 996")
person.set_status(images[3:4], "needs_review")
predict(project, images[:3], [labels[0], labels[2], labels[2]], [0.9, 0.8, 0.7])
Path("photos/007.png").unlink()
Path("photos/006.png").write_bytes(b"no image")
"""


def test_hostile_names_and_broken_images_in_both_themes(lab: Lab) -> None:
    page = lab.open(notebook(SETUP + LABELLED + HOSTILE, SHOW), width=1400)
    page.run_all()
    review = ReviewPage(page, 1).ready()
    expect(review.root.locator(".excuse:visible")).to_have_count(2)
    review.press("Enter")
    review.expect_saved()
    assert page.page.evaluate("window.hacked") is None
    assert review.root.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    expect(review.root.locator(".finding").first).to_be_visible()  # they arrive with the next poll
    for theme in ("light", "dark"):
        page.set_theme(theme)
        page.page.wait_for_timeout(400)
        page.screenshot(f"review-hostile-{theme}")
        for selector in READABLE:
            found = review.colours(selector)
            assert found["contrast"] >= 4.5, f"{selector} in {theme}: {found}"
    assert "<img src=x onerror" in str(review.tile(0).get_attribute("aria-label"))
    review.tab("label 996").click()  # of a thousand labels, those in use have a tab
    expect(review.root.locator(".position")).to_have_text("1–1 of 1")
    review.choose("label", '"label 900"')
    expect(review.root.locator(".empty p")).to_have_text("No images match the filter.")


def test_empty_projects_and_saved_notebooks(lab: Lab) -> None:
    bare = "bare = cl.create_project('bare')\nbare.add_images('photos', progress=False)\nbare.review()"
    cells = ("empty = cl.create_project('empty')\nempty.review()", bare, SHOW)
    page = lab.open(notebook(SETUP + LABELLED, *cells), height=1100)
    page.run_all()
    expect(page.output(1).locator(".empty p")).to_have_text("There are no images yet.")
    expect(page.output(2).locator(".empty p")).to_contain_text("There are no labelled images to review yet")
    review = ReviewPage(page, 3).ready()
    page.screenshot("review-empty")
    review.press("?")
    expect(review.root.locator(".panel")).to_contain_text("reject: remove the labels")
    review.press("Escape", "Enter")
    review.expect_saved()
    still = page.output(3).locator(".clnb-still")
    expect(still).to_contain_text("1 of 10 reviewed")
    saved = page.save()
    assert len(nbformat.writes(saved)) < 100_000
    page.shut_kernel_down()
    page.show()
    expect(still).to_contain_text(facts("things", "train", 1, 10, "reviewed"))
    page.screenshot("review-still")
