"""Tests of model cards: content, escaped names, and the same card for the same version."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import mistune
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from customlabels_nb._utils.text import one_line
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import InputError, ModelNotReadyError
from customlabels_nb.evaluation import evaluate
from customlabels_nb.models.artifact import ModelConfig
from customlabels_nb.models.detector_shape import DetectorShape
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.model import Model
from customlabels_nb.project.model_card import (
    CardFacts,
    Code,
    Heading,
    Items,
    ModelCard,
    Table,
    Text,
    limits_of,
    sections,
    to_markdown,
)
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project, load_project
from customlabels_nb.store import VersionRecord
from tests.facts import tells
from tests.project.conftest import draw

HOSTILE = [
    "<script>alert(1)</script>", "a|b", "`code` ``two``", "*bold* _it_ ~~no~~", "[x](javascript:alert(1))", "# head",
    "1. one", "- item", "line\n\n# new | line", "$x^2$", "https://example.org www.example.org", "&lt;&amp;", "\\|\\",
    "![](http://x/y.png)", "| --- | --- |", "<!-- -->", "</td></table>", "\u202egnp", '" onload="x', "```", "===",
]  # fmt: skip


class _Page(HTMLParser):
    """Tags of a page, its links, and the text of each cell, item and paragraph."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.within: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag in ("td", "th", "li", "p", "h1", "h2", "h3", "h4"):
            self.texts.append("")
        self.within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.within:
            while self.within.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self.texts and "style" not in self.within:
            self.texts[-1] += data

    @property
    def said(self) -> list[str]:
        return [" ".join(text.split()) for text in self.texts]


def by_mistune(text: str) -> str:
    return str(mistune.create_markdown(escape=False, plugins=["table", "strikethrough", "url", "math"])(text))


def by_markdown_it(text: str) -> str:
    return str(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))


def shown(text: str) -> str:
    return " ".join(one_line(text).split())


@pytest.mark.parametrize("render", [by_mistune, by_markdown_it, None])
@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_shown_as_they_are(name: str, render: Callable[[str], str] | None) -> None:
    blocks = [Heading(name, 1), Text(name), Items((name, "b")), Table((name, "b"), ((name, "2"), ("c", name)))]
    page = _Page(ModelCard(name, blocks)._repr_html_() if render is None else render(to_markdown(blocks)))
    assert page.tags <= {
        "h1", "h3", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "div", "style", "bdi",
    }  # fmt: skip
    wanted = [name, name, name, "b", name, "b", name, "2", "c", name]
    assert [text for text in page.said if text] == [shown(text) for text in wanted]


@given(name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(shown))
def test_any_text_comes_through_a_cell_and_a_paragraph(name: str) -> None:
    blocks = [Text(name), Table((name, "b"), ((name, name),))]
    page = _Page(by_mistune(to_markdown(blocks)))
    assert page.tags <= {"p", "table", "thead", "tbody", "tr", "th", "td"}
    assert [text for text in page.said if text] == [shown(text) for text in (name, name, "b", name, name)]


def test_a_program_never_ends_its_fence() -> None:
    rendered = by_mistune(to_markdown([Code("a = '''```\n````'''"), Text("after")]))
    assert "<p>after</p>" in rendered
    assert "````" in _Page(rendered.replace("<pre>", "<p>")).said[0]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with three hostile names and some wrong test labels. Tests that change it use a copy."""
    folder = tmp_path_factory.mktemp("carded")
    project = create_project("shapes", folder)
    for kind, name in enumerate(("<b>disc</b>", "str|pes", "triangle")):
        for random_state in range(9):
            # two of the three discs in test are stripes
            wrong = kind == 0 and random_state > 6
            draw(folder / "pictures" / f"{kind}-{random_state}.png", 1 if wrong else kind, random_state + 20 * wrong)
        pictures = sorted((folder / "pictures").glob(f"{kind}-*.png"))
        project.add_images(pictures[:6], label=name, progress=False)
        project.add_images(pictures[6:], label=name, split="test", progress=False)
    project.train("v1", progress=False).describe("Made | for <tests>")
    project.close()
    return project


@pytest.fixture
def project(trained_copy: Project) -> Project:
    return trained_copy


def test_training_leaves_a_card_that_stays_the_same(project: Project, model: Model) -> None:
    kept = (model.folder / "card.md").read_text("utf-8")
    assert model.card.text == kept
    with model.started():
        assert model.card.text == kept
    project.labels.rename("triangle", "delta")
    project.update("test", project.test_set.relabel("str|pes"))
    model.publish("best")
    assert load_project(project.root).model("v1").card.text == kept
    assert str(project.root.parent) not in kept
    assert str(project.train_set.images["image"].iloc[0]) not in kept
    assert repr(model.card) == str(model.card) == kept


def test_card_describes_the_version(model: Model) -> None:
    said = _Page(by_mistune(model.card.text)).said
    text = "\n".join(said)
    assert said[0] == "v1"
    assert "Made | for <tests>" in said
    assert tells(text, "classifier", "one", "exactly one")
    assert {"<b>disc</b>", "str|pes", "triangle"} <= set(said)
    assert all(any(line.startswith(f"{count} ") and "outside" in line for line in said) for count in (18, 9))
    assert "efficientnet_lite0 (Apache-2.0, 3.4 million parameters)" in text
    assert f"{datetime.now(UTC):%Y}" in text
    figures = model.evaluate().summary.set_index("metric")
    assert f"{figures.at['f1', 'value']:.3f}" in said
    assert f"{figures.at['f1', 'low']:.3f} to {figures.at['f1', 'high']:.3f}" in said
    row = said[said.index("F1") - 1 :]
    assert row[:6] == ["label", "F1", "precision", "recall", "test images", "training images"]
    assert any(tells(sentence, 3, "test", "<b>disc</b>", 2, "str|pes") for sentence in said)
    assert "The most confident label of an image is its answer." in text
    assert tells(text, "metrics", 9, "test")
    assert tells(text, 10, "training", "<b>disc</b>", 6, "str|pes", 6, "triangle", 6)
    assert "torch " in text
    shown_in_a_notebook = _Page(model.card._repr_html_())
    assert not shown_in_a_notebook.tags & {"script", "img", "b"}
    confused = {sentence for sentence in said if tells(sentence, 3, "<b>disc</b>", 2, "str|pes")}
    assert confused <= set(shown_in_a_notebook.said)


def test_thresholds_set_by_hand_are_shown_and_used(model: Model) -> None:
    before = model.card.text
    model.set_thresholds({"triangle": 1.0})
    text = (model.folder / "card.md").read_text("utf-8")
    assert text == model.card.text != before
    assert tells(text, "Thresholds", "F1", "triangle")
    assert "no prediction of triangle reaches the threshold" in text.lower()
    model.set_thresholds(None)
    assert model.card.text == before


def test_card_without_stored_files_is_complete(project: Project, model: Model) -> None:
    whole = model.card.text
    (model.folder / "environment.json").unlink()
    config = json.loads((model.folder / "config.json").read_text())
    (model.folder / "config.json").write_text(json.dumps({**config, "training": {}, "thresholds": {}}))
    assert "Python" not in model.card.text
    (model.folder / "predictions.npz").write_bytes(b"no zip")
    without = model.card.text
    assert "Limits" in without
    assert tells(without, "test images", "not stored")
    assert f"{model.record.metrics['f1']:.3f}" in without
    (model.folder / "images.json").write_text("[]")
    (model.folder / "train.manifest").unlink()
    open_project_store(project.root).update_version("v1", metrics={}, statistics={}, config={}, task=None)
    bare = model.card.text
    assert tells(bare, "No metrics")
    assert "not stored" in bare
    assert bare.count("\n## ") == whole.count("\n## ")


def test_card_is_written_to_a_path(project: Project, model: Model, tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    assert model.card.to(tmp_path / "cards") == tmp_path / "cards" / "card.md"
    assert (tmp_path / "cards" / "card.md").read_text("utf-8") == model.card.text
    page = model.card.to(str(tmp_path / "page.html")).read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    with pytest.raises(InputError, match="cannot be written"):
        model.card.to(tmp_path / "nowhere" / "card.md")
    open_project_store(project.root).update_version("v1", status="TRAINING_FAILED", status_message="It failed.")
    with pytest.raises(ModelNotReadyError, match="It failed"):
        model.card  # noqa: B018


def test_a_description_is_shown_and_can_be_taken_back(project: Project, model: Model) -> None:
    model.describe("  For the <b>line</b>\nin hall 2 ")
    assert model.description == "For the <b>line</b>\nin hall 2"
    assert tells(repr(model), "Model('v1', TRAINING_COMPLETED", "'For the <b>line</b> in hall 2')")
    assert "<b>line" not in model._repr_html_()
    model.tags["stage"] = "test"
    row = project.versions.iloc[0]
    assert (row["description"], row["tags"], row["task"]) == (model.description, {"stage": "test"}, "single-label")
    assert list(project.versions.columns) == [
        "name", "created", "task", "f1", "f1_as_trained", "decision", "status", "message", "description", "alias",
        "tags",
    ]  # fmt: skip
    assert "For the &lt;b&gt;line" in (model.folder / "card.md").read_text("utf-8")
    model.tags["description"] = "Other"
    assert model.description == "For the <b>line</b>\nin hall 2"
    model.describe("")
    assert project.versions["description"].tolist() == [""]
    assert model.record.tags == {"stage": "test", "description": "Other"}
    assert "Other" not in (model.folder / "card.md").read_text("utf-8")
    for text in (None, 3, "x" * 2001, "a\0b", "\ud800"):
        with pytest.raises(InputError, match="not a valid description"):
            model.describe(text)  # type: ignore[arg-type]
    assert project.history["what"].iloc[0] == "describe version"


# -- kinds of models that are slow to train ---------------------------------------------------------------
def facts_of(task: str, train: Dataset, test: Dataset, predictions: pd.DataFrame, **training: Any) -> CardFacts:
    """Return the facts for a model card of a model for this task."""
    labels = sorted(set(train.annotations["label"]))
    detector = task == "boxes"
    config = ModelConfig(
        task=task,
        labels=tuple(labels),
        colors=("#112233",) * len(labels),
        backbone="efficientnet_lite0",
        input_size=320,
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        thresholds=dict.fromkeys(labels, 0.5),
        training=training,
        detector=DetectorShape() if detector else None,
    )
    now = datetime(2026, 1, 2, tzinfo=UTC)
    record = VersionRecord("v", "TRAINING_COMPLETED", "", "versions/v", now, now, task=task)
    found = evaluate(test.annotations, predictions, test.images, task=config.task, thresholds=0.5)
    return CardFacts("p", record, config, {}, train, test, found, ())


def boxes(rows: list[tuple[str, str, float]], name: str) -> Dataset:
    """Return a dataset of square boxes with this side length, each image 100 × 100."""
    table = pd.DataFrame(rows, columns=["image", "label", "width"])
    table = table.assign(left=1.0, top=1.0, height=table["width"])
    table.loc[table.duplicated("image"), "left"] = 60.0
    images = pd.DataFrame({"image": table["image"].unique(), "width": 100, "height": 100, "status": "labelled"})
    return Dataset(images, table, name=name)


def test_detector_card_lists_sizes_and_misses() -> None:
    train = boxes([(f"{i}.png", "ab"[i % 2], float(side)) for i, side in enumerate(range(10, 50))], "train")
    test = boxes([(f"t{i}.png", "ab"[i % 2], 30.0) for i in range(8)], "test")
    said = test.annotations.assign(confidence=0.9)
    said = said[~said["image"].isin(["t0.png", "t2.png"])]  # two of a are missed
    said.loc[said["image"] == "t1.png", "label"] = "a"  # one b is predicted as a
    said = pd.concat([said, said[said["image"] == "t3.png"].assign(left=65.0)])  # b on the background
    facts = facts_of("boxes", train, test, said, steps=90, planned_steps=100, best_step=80, seconds=3.0, notes=["N"])
    found = limits_of(facts)
    assert any(tells(sentence, 4, "a", 2, "missed") for sentence in found)
    assert any(tells(sentence, 4, "b", 1, "a") for sentence in found)
    assert any(tells(sentence, "detects", "b", "once") for sentence in found)
    assert any(tells(sentence, 9, 10, "12%", "47%") for sentence in found)
    assert any(tells(sentence, "training", 1, "box") for sentence in found)
    assert any(sentence.startswith("Every training image contains") for sentence in found)
    text = to_markdown(sections(facts))
    assert "Object detector" in text
    assert tells(text, "| steps |", 90, 100, 80)
    assert "two-stage" in text
    assert "\n- N\n" in text
    assert "its box in pixels" in text
    assert "COCO mAP" in text


def test_card_names_models_that_assigned_training_labels() -> None:
    train = boxes([(f"{i}.png", "ab"[i % 2], 30.0) for i in range(8)], "train")
    test = boxes([(f"t{i}.png", "ab"[i % 2], 30.0) for i in range(8)], "test")
    people = to_markdown(sections(facts_of("boxes", train, test, test.annotations)))
    marks = train.annotations.assign(annotator=["ann"] * 3 + ["model:sam2.1-hiera-tiny"] * 4 + ["model:v1"])
    train = Dataset(train.images, marks, name="train")
    card = to_markdown(sections(facts_of("boxes", train, test, test.annotations)))
    assert "sam2" not in people
    assert any(tells(line, 8, 5, "sam2.1-hiera-tiny (Apache-2.0, 4)", "v1 (1)") for line in card.splitlines())


def test_boxes_that_will_be_missed_and_equal_pictures_are_warned_of() -> None:
    train = boxes([(f"{i}.png", "a", 2.0 if i < 3 else 40.0) for i in range(12)], "train")
    test = boxes([(f"t{i}.png", "a", 40.0) for i in range(3)], "test")
    equal = [Dataset(own.images.assign(sha256="ab" * 32), own.annotations, name=own.name) for own in (train, test)]
    facts = facts_of("boxes", *equal, test.annotations.assign(confidence=1.0))
    assert any(sentence.startswith("3 boxes smaller than") for sentence in facts.warnings)
    assert any(tells(sentence, 1, "training", "test") for sentence in facts.warnings)
    assert not any(name in " ".join(facts.warnings) for name in train.images["image"])


def test_multi_label_card_has_no_confusions() -> None:
    images = [f"{i}.png" for i in range(6)]
    truth = pd.DataFrame([(name, label) for name in images for label in "ab"], columns=["image", "label"])
    said = truth.assign(confidence=np.where((truth["label"] == "b") & (truth["image"] == "0.png"), 0.1, 0.9))
    dataset = Dataset(pd.DataFrame({"image": images, "status": "labelled"}), truth, name="train")
    facts = facts_of("multi-label", dataset, dataset, said)
    found = limits_of(facts)
    assert any(tells(sentence, "b", "missed", 1, 6, "test") for sentence in found)
    assert not any("predicted as" in sentence for sentence in found)


def test_brand_card_mentions_logos() -> None:
    logos = Dataset(
        pd.DataFrame({"image": ["a.png", "b.png"], "status": "labelled"}),
        pd.DataFrame({"image": ["a.png", "b.png"], "label": ["a", "b"]}),
        name="train",
    )
    test = boxes([("t0.png", "a", 30.0), ("t1.png", "b", 30.0)], "test")
    facts = facts_of("boxes", logos, test, test.annotations.assign(confidence=1.0), recipe="brands")
    assert any("logo images pasted" in sentence for sentence in limits_of(facts))
    assert facts.reason.startswith("the training images have no boxes")
    assert "Brand detector" in to_markdown(sections(facts))
