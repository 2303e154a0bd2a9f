"""Tests of displayed advice: cards, text, and calls with the stated effect."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.evaluation.advice import SHOWN_PICTURES
from customlabels_nb.evaluation.advice.items import SHOWN_IMAGES
from customlabels_nb.evaluation.advice.rules import MOST_NAMES
from customlabels_nb.project.projects import create_project
from customlabels_nb.project.report import Report, evaluate
from tests.evaluation.cases import HOSTILE, tables
from tests.facts import tells
from tests.project.test_report import Reader


def mistaken(labels: list[str], *, names: list[str] | None = None, taken: int = 9) -> Report:
    """Return a report on 20 images per label, in which those of the first are predicted as the second."""
    truth = [label for label in range(len(labels)) for _ in range(20)]
    confidence = np.full((len(truth), len(labels)), 0.1 / (len(labels) - 1))
    confidence[np.arange(len(truth)), truth] = 0.9
    for i in range(taken):
        confidence[i] = np.roll(confidence[i], 1)
    true, said = tables(truth, confidence, labels)
    if names:
        named = {f"image {i}.jpg": name for i, name in enumerate(names)}
        true, said = (table.assign(image=table["image"].map(named)) for table in (true, said))
    return evaluate(true, said, task="single-label", thresholds=0.5, name=labels[0])


def pictures(folder: Path, number: int) -> list[str]:
    """Write grey images and return their paths."""
    for i in range(number):
        Image.fromarray(np.full((60, 90, 3), i, dtype=np.uint8)).save(folder / f"{i:03}.png")
    return [str(folder / f"{i:03}.png") for i in range(number)]


def test_every_name_is_escaped() -> None:
    report = mistaken(list(HOSTILE), names=[f"<img src=x onerror=alert({i})>/\x1b[2J{i}.jpg" for i in range(180)])
    html = report.advice._repr_html_()
    read = Reader(html)
    assert not {"script", "img", "u"} & set(read.tags)
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert html.count("<style>") == html.count("</style>") == 1
    assert HOSTILE[0] in read.texts
    for text in (repr(report.advice), repr(report.advice[0])):
        assert "\x1b" not in text
    for item in report.advice:
        compile(item.call, "call", "exec")


def test_cards_show_the_pictures_whole_and_only_so_many(tmp_path: Path) -> None:
    report = mistaken(["apple", "pear", "fig"], names=pictures(tmp_path, 60))
    html = report.advice._repr_html_()
    shown = html.count('src="data:image/jpeg;base64,')
    assert SHOWN_IMAGES <= shown <= min(SHOWN_PICTURES, SHOWN_IMAGES * len(report.advice))
    assert 'style="width:96px;height:64px"' in html  # 90 by 60 in a frame of 96 by 72
    assert len(html) < 200_000
    assert "and 5 more" in html  # of nine


def test_pictures_that_are_gone_or_remote_are_named(tmp_path: Path) -> None:
    names = pictures(tmp_path, 60)
    Path(names[0]).unlink()
    Path(names[1]).write_bytes(b"no image")
    names[2] = "https://example.invalid/photo.jpg"
    html = mistaken(["apple", "pear", "fig"], names=names).advice._repr_html_()
    for name in ("000.png", "001.png", "photo.jpg"):
        assert f"<span><bdi>{name}</bdi>" in html


def test_boxes_are_drawn_where_they_lie(tmp_path: Path) -> None:
    image = pictures(tmp_path, 1)[0]
    sides = pd.DataFrame({"left": [9.0], "top": [6.0], "width": [45.0], "height": [30.0]})
    true = pd.concat([sides.assign(image=f"{i}.jpg", label="cat") for i in range(30)])
    said = true.assign(confidence=0.8)
    extra = sides.assign(image=image, label="cat", confidence=0.95)
    true = pd.concat([true, sides.assign(image=image, label="cat", left=60.0, top=40.0, width=20.0, height=10.0)])
    report = evaluate(true, pd.concat([said, extra]), thresholds=0.5)
    (item,) = report.advice.about("label_error")
    assert item.names == [image]
    assert 'class=clnb-predicted style="left:10.0%;top:10.0%;width:50.0%;height:50.0%;' in report.advice._repr_html_()


def test_terminal_shows_the_same_advice() -> None:
    advice = mistaken(["apple", "pear", "fig"]).advice
    text = repr(advice)
    assert text.startswith("Advice on apple: ")
    assert tells(text, "[0]", "apple", "pear", 9, 20, "test")
    assert tells(text, "image 0.jpg", "image 1.jpg", "image 2.jpg", "image 3.jpg", 5)
    assert "\n        names = ['image 0.jpg', 'image 1.jpg'," in text


def test_code_runs_without_any_variable() -> None:
    report = mistaken(["apple", "pear", "fig"])
    for advice in (report.advice, report.advise(features=np.arange(120).reshape(60, 2))):
        listed = 0
        for item in advice:
            there: dict[str, Any] = {}
            exec(item.call, there)  # noqa: S102
            assert there.get("names", item.names) == item.names
            listed += "names" in there
        assert listed


def test_code_lists_only_the_first_of_many_images() -> None:
    number = MOST_NAMES + 10
    truth = pd.DataFrame({"image": [f"image {i}.jpg" for i in range(2 * number)], "label": ["cat", "dog"] * number})
    predictions = pd.concat([truth.assign(label="dog", confidence=0.7), truth.assign(label="cat", confidence=0.3)])
    (item,) = evaluate(truth, predictions, thresholds=0.5).advice.about("confusion")
    assert len(item.names) == number
    there: dict[str, Any] = {}
    exec(item.call, there)  # noqa: S102
    assert there["names"] == item.names[:MOST_NAMES]
    assert f"# the {MOST_NAMES} clearest of {number}" in item.call


def test_calls_open_the_images_in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    names = pictures(tmp_path / "photos", 60)
    project = create_project("fruit", tmp_path)
    project.add_images(tmp_path / "photos", split="test", progress=False)
    known = {Path(name).name: name for name in project.test_set.images["image"]}
    report = mistaken(["apple", "pear", "fig"], names=[known[Path(name).name] for name in names])
    access = (f"cl.load_project({str(project.root)!r})", "")
    actions: Any = lambda: SimpleNamespace(suspects=lambda: None)  # noqa: E731
    project.close()
    (item,) = Report(report, access=access, actions=actions).advice.about("confusion")
    there: dict[str, Any] = {}
    exec(item.call, there)  # noqa: S102
    view = there["screen"].session.view
    assert "project" not in there
    assert {there["screen"].session.page(0, 48)[1][i] for i in range(len(view))} == set(item.names)
    there["screen"].close()


def test_advice_is_computed_once() -> None:
    report = mistaken(["apple", "pear", "fig"])
    assert report.advice is report.advice
    assert [item.text for item in report.advice] == [item.text for item in report.advise()]
