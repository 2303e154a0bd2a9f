"""Drive a review in a page."""

from __future__ import annotations

from playwright.sync_api import Locator

from tests.browser.gallery import GalleryPage
from tests.browser.jupyter import LabPage

#: Twelve images: 0–5 apples by anna, 6–9 pears by ben, the others unlabelled. A model predicts pear for 2 and 3, and
#: apple for 0.
LABELLED = """
import pandas as pd
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.project.location import open_project_store

draw(12)
project = cl.create_project("things", task="single-label")
project.add_images("photos", progress=False)
for label in ("apple", "pear", "plum"):
    project.labels.add(label)
images = sorted(project.train_set.images["image"])
for user, label, some in (("anna", "apple", images[:6]), ("ben", "pear", images[6:10])):
    LabellingSession(open_project_store(project.root), project.root, user=user).assign(some, label)

def predict(project, images, labels, confidences):
    said = pd.DataFrame({"image": images, "label": labels, "confidence": confidences})
    project.add_predictions(said, model="m")

predict(project, [images[at] for at in (0, 2, 3)], ["apple", "pear", "pear"], [0.7, 0.9, 0.6])
"""


class ReviewPage(GalleryPage):
    """Review shown by a cell of a page."""

    def __init__(self, page: LabPage, cell: int) -> None:
        super().__init__(page, cell)
        self.root = page.output(cell).locator(".clnb-review")

    def ready(self) -> ReviewPage:
        """Wait for the images and focus the review."""
        super().ready()
        return self

    def tab(self, label: str) -> Locator:
        """Return the tab of a label: ``"*"`` for all, ``""`` for unlabelled images."""
        return self.root.locator(f".labelbar .label[data-label='{label}']")

    def words(self, index: int) -> str:
        """Return the caption of a tile."""
        return " ".join(self.tile(index).locator(".caption").inner_text().split())
