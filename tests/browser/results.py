"""Drive a results screen in a page: in a notebook or in a separate file."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

#: Thirty numbered images with three labels, a fairly accurate classifier, and a detector of image quarters.
PICTURES = """
from pathlib import Path
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
import customlabels_nb as cl

LABELS = ["apple", "pear", "<img src=x onerror=window.hacked=1>"]
NAMES = [f"photos/{number:03}.png" for number in range(30)]

def draw():
    Path("photos").mkdir(exist_ok=True)
    for number, name in enumerate(NAMES):
        rng = np.random.default_rng(number)
        picture = Image.new("RGB", (120, 90), tuple(int(v) for v in rng.integers(60, 230, 3)))
        ImageDraw.Draw(picture).text((40, 30), str(number), fill="white", font_size=28)
        picture.save(name)

def classifier(seed=1, gain=1.5, **options):
    rng = np.random.default_rng(seed)
    truth = np.arange(30) % 3
    scores = rng.normal(size=(30, 3))
    scores[np.arange(30), truth] += gain
    confidence = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    truth = pd.DataFrame({"image": NAMES, "label": [LABELS[t] for t in truth]})
    said = pd.DataFrame({"image": np.repeat(NAMES, 3), "label": LABELS * 30, "confidence": confidence.ravel()})
    images = pd.DataFrame({"image": NAMES, "camera": ["left", "right", "right"] * 10})
    return cl.evaluate(truth, said, images, name=f"things.{seed}", **options)

def several(seed=1, **options):
    rng = np.random.default_rng(seed)
    has = rng.random((30, 3)) < 0.5
    confidence = np.clip(0.25 + 0.45 * has + rng.normal(0, 0.2, has.shape), 0, 1)
    truth = pd.DataFrame([(NAMES[image], LABELS[label]) for image, label in np.argwhere(has)], columns=["image", "label"])
    said = pd.DataFrame({"image": np.repeat(NAMES, 3), "label": LABELS * 30, "confidence": confidence.ravel()})
    images = pd.DataFrame({"image": NAMES, "camera": ["left", "right", "right"] * 10})
    return cl.evaluate(truth, said, images, task="multi-label", name=f"several.{seed}", **options)

def detector(seed=1, **options):
    rng = np.random.default_rng(seed)
    quarters = [(image, LABELS[number % 3], x, y, 40.0, 30.0) for number, image in enumerate(NAMES) for x in (5, 70) for y in (5, 50)]
    truth = pd.DataFrame(quarters, columns=["image", "label", "left", "top", "width", "height"])
    said = truth[rng.random(len(truth)) < 0.85].copy()
    said[["left", "top", "width", "height"]] += rng.normal(0, 4, (len(said), 4))
    said["left"], said["top"] = said["left"].clip(lower=0), said["top"].clip(lower=0)
    wrong = rng.random(len(said)) < 0.15
    said.loc[wrong, "label"] = LABELS[1]
    said["confidence"] = rng.uniform(0.05, 1, len(said)).round(2)
    return cl.evaluate(truth, said, NAMES, task="boxes", name=f"boxes.{seed}", **options)

def expected(report, position, slice=None):
    from customlabels_nb.evaluation.exploring import Exploration, Filter, Position
    from customlabels_nb.evaluation.metrics import overall_metrics, per_label_table
    there = Exploration(report)
    there.move_to(Position.from_dict(position))
    part = there.applied.only(np.sort(there.choose(Filter("all", slice=slice))))
    table = per_label_table(part).set_index("label")
    metrics = overall_metrics(part, table.reset_index())
    top = position["mode"] == "most confident"
    columns = ["f1", "precision", "recall", "threshold", *(["average_precision"] if report.task == "boxes" else [])]
    rows = {label: ["" if top and column == "threshold" else f"{row[column]:.3f}" for column in columns] for label, row in table.iterrows()}
    shown = {"f1": "f1", "precision": "precision", "recall": "recall"}
    if report.task == "boxes":
        shown |= {"mAP": "mean_average_precision", "mAR": "mean_average_recall", "coco_map": "coco_map"}
    means = {name: f"{metrics[metric]:.3f}" for name, metric in shown.items() if metric in metrics}
    counts = part.confusion().counts
    if report.task == "single-label":
        means["accuracy"] = f"{counts.trace() / counts.sum():.3f}"
    shown = [there.names[at] for at in there.choose(Filter("mistakes", slice=slice))]
    return {"rows": rows, "means": means, "matrix": counts.ravel().tolist(), "shown": shown}

draw()
"""  # noqa: E501

#: Three test images with two boxes each. The model finds an apple beside the last pear, and a pear too many.
BOXES = """
from customlabels_nb.training.kept_files import write_predictions
COLUMNS = ["left", "top", "width", "height"]
project = cl.create_project("quarters", task="boxes")
for split, numbers in (("train", (3, 4, 5)), ("test", (0, 1, 2))):
    places = [(NAMES[n], label, x, 10, 40, 30) for n in numbers for label, x in (("apple", 5), ("pear", 65))]
    project.add_images(pd.DataFrame(places, columns=["image", "label", *COLUMNS]), split=split, progress=False)
model = project.train("v1", steps=1, input_size=64, device="cpu", progress=False)
project.remove("train", project.train_set)
truth = project.test_set.annotations
found = truth[["image", "label", *COLUMNS]].assign(confidence=0.9)
found.loc[5, ["label", "left"]] = "apple", 40
found = pd.concat([found, found.iloc[[0]].assign(label="pear", left=20, top=55, width=50, confidence=0.8)])
write_predictions(model.folder, truth["image"].unique().tolist(), ["apple", "pear"], found)
model.set_thresholds(0.5)
report = model.evaluate()

def stored(number):
    test = cl.load_project("quarters").test_set
    rows = test.annotations[test.annotations["image"].str.endswith(f"{number:03}.png")]
    shapes = rows[["label", *COLUMNS]].round(1).itertuples(index=False, name=None)
    return sorted(shapes), test.images["tags"][number]
"""
APPLE, PEAR, EXTRA = ("apple", 5, 10, 40, 30), ("pear", 65, 10, 40, 30), ("pear", 20, 55, 50, 30)


class ResultsScreen:
    """Results screen in a page."""

    def __init__(self, page: Page, root: Locator) -> None:
        self.page = page
        self.root = root

    def ready(self, *, pictures: bool = True) -> ResultsScreen:
        self.root.locator(".label-table tbody tr").first.wait_for()
        if pictures:
            self.root.locator(".tile img[src^='data:']").first.wait_for()
        return self

    def move(self, slider: str, value: float, *, settle: bool = True) -> None:
        """Move a slider ("threshold", "iou-threshold") as the browser does while it is dragged."""
        self.root.locator(f".slider.{slider}").evaluate(
            """(node, [value, settle]) => {
                node.value = value;
                node.dispatchEvent(new Event("input", { bubbles: true }));
                if (settle) node.dispatchEvent(new Event("change", { bubbles: true }));
            }""",
            [str(value), settle],
        )

    def mode(self, name: str) -> None:
        self.root.locator(f".controls .tab[data-mode='{name}']").click()

    def said(self) -> dict[str, Any]:
        """Return the metrics shown on the page, in the form of ``expected``."""
        found: dict[str, Any] = self.root.evaluate(
            """root => ({
                rows: Object.fromEntries([...root.querySelectorAll(".label-table tbody tr")].map((row) => [
                    row.dataset.label,
                    ["f1", "precision", "recall", "threshold", "average_precision"].flatMap(
                        (name) => row.querySelector(`td.${name}`)?.textContent ?? [],
                    ),
                ])),
                means: Object.fromEntries([...root.querySelectorAll("[data-figure]")].map(
                    (node) => [node.dataset.figure, node.textContent],
                )),
                matrix: [...root.querySelectorAll(".cells .cell")].map(
                    (cell) => (cell.textContent === "·" ? 0 : Number(cell.textContent)),
                ),
                shown: [...root.querySelectorAll(".tile:not([hidden])")].map((tile) => tile.title),
            })"""
        )
        return found

    def names(self) -> list[str]:
        """Return the names of the images on the page."""
        shown: list[str] = self.said()["shown"]
        return shown

    def cell(self, truth: str, predicted: str) -> Locator:
        return self.root.locator(f".cells .cell[data-predicted='{predicted}'][data-truth='{truth}']")

    def one(self, label: str, kind: str) -> Locator:
        """Return a cell of a label's 2 × 2 table: "tp", "fp", "fn" or "tn"."""
        return self.root.locator(f".one-vs-rest .one[data-label='{label}'][data-kind='{kind}']")

    def row(self, label: str) -> Locator:
        return self.root.locator(f".label-table tbody tr[data-label='{label}']")

    def show(self, tab: str) -> None:
        self.root.locator(f".filterbar .tab[data-show='{tab}']").click()

    def tile(self, index: int) -> Locator:
        return self.root.locator(".tile").nth(index)

    def button(self, text: str) -> Locator:
        return self.root.locator("button", has_text=text)

    def expect_place(self, text: str) -> None:
        expect(self.root.locator(".foot .position")).to_have_text(text)
