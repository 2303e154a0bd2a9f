"""Tests of the results screen's kernel side without a project, and of the exported file."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.errors import InputError, NotAllowedError
from customlabels_nb.project.report import Report
from customlabels_nb.widgets._base import STATIC, join_modules
from tests.evaluation.cases import HOSTILE, random_tables
from tests.widgets.asking import Page


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Return a report of twelve images and three labels with names containing markup, and one missing image."""
    truth, predictions = random_tables(12, HOSTILE[:3], random_state=4)
    names = {}
    for number, name in enumerate(predictions["image"].unique()):
        path = tmp_path / f"<img src=x onerror=alert({number})>.png"
        if number != 5:
            Image.new("RGB", (60 + number, 40), (20 * number, 90, 90)).save(path)
        names[name] = str(path)
    truth, predictions = (table.assign(image=table["image"].map(names)) for table in (truth, predictions))
    details = {
        "evaluated": datetime(2026, 11, 20, 10, 15, tzinfo=UTC),
        "training_images": 1500,
        "left out": "</script>",
    }
    return cl.evaluate(truth, predictions, list(names.values()), name="<b>v1</b>", details=details)


@pytest.fixture
def page(report: Report, monkeypatch: pytest.MonkeyPatch) -> Page:
    return Page(report.show(), monkeypatch)


def test_hello_sends_arrays_as_bytes(page: Page) -> None:
    content, buffers = page.ask_whole("hello")
    sizes = {name: len(buffer) for (name, _), buffer in zip(content["arrays"], buffers, strict=True)}
    assert sizes["confidence"] == 12 * 3 * 8
    assert sizes["truth"] == 12 * 3
    assert sizes["rank"] == 12 * 4
    facts = content["facts"]
    assert facts["can"] == []
    assert facts["code"] == ""
    assert facts["name"] == "<b>v1</b>"
    assert dict(facts["said"]) == {"evaluated": "2026-11-20 10:15", "training images": "1,500", "left out": "</script>"}
    assert list(facts["own"]["intervals"]) == ["f1", "precision", "recall", "accuracy"]
    json.dumps(content, allow_nan=False)


def test_pictures_come_small_and_whole(page: Page) -> None:
    content, buffers = page.ask_whole("thumbs", images=[0, 5, 1], pixels=150)
    assert content["thumbs"][0] == 0
    assert content["thumbs"][2] == 1
    assert "5)>.png" not in str(content["sizes"])
    assert isinstance(content["thumbs"][1], str)
    assert content["sizes"] == [[60, 40], None, [61, 40]]
    assert len(buffers) == 2
    assert buffers[0][:2] == b"\xff\xd8"
    view, (data,) = page.ask_whole("view", image=3)
    assert view == {"mime": "image/png", "size": [63, 40]}
    assert data[1:4] == b"PNG"
    with pytest.raises(RuntimeError, match=r"alert\(5\)"):
        page.ask("view", image=5)


def test_intervals_are_those_of_the_position(page: Page) -> None:
    position = {"mode": "one", "one": 0.3, "own": {}, "iou_threshold": None}
    found = page.ask("intervals", position=position)["intervals"]
    page.widget.set_thresholds(0.3)
    assert found == {name: list(ends) for name, ends in page.widget.exploration.intervals().items()}
    assert found["f1"][0] <= page.widget.metrics["f1"] <= found["f1"][1]


def test_actions_that_need_a_project_are_refused(page: Page) -> None:
    here = {"position": page.widget.position}
    for kind, content in (
        ("keep", here), ("fix", {"images": [0], **here}), ("add", {"images": [0]}),
        ("crops", {"images": [0], "mistake": "false positives", **here}),
        ("refresh", {}), ("compare", {"name": "v0"}),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match=r"no project|no other version|no model version"):
            page.ask(kind, **content)
    with pytest.raises(NotAllowedError, match="detect"):
        page.widget.keep_thresholds()
    assert page.ask("versions") == {"names": []}
    assert page.ask("changed") == {"text": ""}
    assert page.ask("training") == {"counts": None}


def test_thresholds_or_the_most_confident_label_are_saved(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[Any] = ["most confident"]
    actions: Any = SimpleNamespace(
        can=["keep_thresholds"],
        facts={},
        labels=list,
        model_labels=HOSTILE[:2],
        keep_thresholds=saved.append,
        kept_thresholds=lambda: saved[-1],
    )
    page = Page(Report(report, actions=lambda: actions).show(), monkeypatch)
    assert page.ask("hello")["facts"]["kept"] == "most confident"
    position = {"mode": "one", "one": 0.25, "own": {}, "iou_threshold": None}
    own = dict.fromkeys(HOSTILE[:2], 0.25)  # without the label that the model does not know
    assert page.ask("keep", position=position) == {"kept": own}
    assert page.ask("keep", position={**position, "mode": "most confident"}) == {"kept": "most confident"}
    assert saved[1:] == [own, "most confident"]


def test_malformed_requests_get_an_error(page: Page) -> None:
    for kind, content in (
        ("moved", {"position": {"mode": "x"}}), ("moved", {"position": {"where": 1}}),
        ("filter", {"filter": {"show": 3}}), ("view", {"image": 99}), ("nothing", {}),
    ):  # fmt: skip
        with pytest.raises(RuntimeError):
            page.ask(kind, **content)
    assert page.widget.position["mode"] == "most confident"


def test_results_are_written_where_the_page_says(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert page.ask("hello")["facts"]["writes"] == {"page": "b-v1-b.html", "files": "b-v1-b-results"}
    assert page.ask("export", what="page", path=" mine.html ") == {"written": str(tmp_path / "mine.html")}
    assert content_of(tmp_path / "mine.html")["facts"]["name"] == "<b>v1</b>"
    page.ask("export", what="files", path="mine")
    assert any(path.suffix == ".csv" for path in (tmp_path / "mine").iterdir())
    for content in ({"what": "page", "path": " "}, {"what": "page", "path": "no/such/x.html"}, {"what": "pickle"}):
        with pytest.raises(RuntimeError, match=r"path|cannot be exported|Cannot write"):
            page.ask("export", **content)


def test_a_saved_notebook_shows_a_picture(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(
        "customlabels_nb.widgets.results.display_with_fallback", lambda box, markup: shown.append(markup)
    )
    report.show()._ipython_display_()
    assert "data:image/webp;base64," in shown[0]
    assert len(shown[0]) < 100_000
    assert f"F1 {report.metric('f1'):.3f}" in shown[0]
    assert "<img src=x" not in shown[0].replace('<img alt="', "")


# -- exported file ------------------------------------------------------------------------------------
def content_of(path: Path) -> dict[str, Any]:
    """Return the JSON content of an exported file."""
    text = path.read_text("utf-8")
    found = re.search(r'<script type="application/json" id="content">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    content: dict[str, Any] = json.loads(found[1])
    return content


def test_exported_file_is_complete_and_escapes_names(report: Report, tmp_path: Path) -> None:
    path = report.to_html(tmp_path / "results.html", max_images=4, pixels=160)
    text, content = path.read_text("utf-8"), content_of(path)
    assert text.count("<script") == 2
    assert text.count("</script") == 2
    assert "<b>v1</b>" not in text
    assert "http" not in re.sub(r"http://www\.w3\.org/2000/svg|https\?|http-equiv", "", text)
    assert len(content["pictures"]) in (3, 4)
    for at, uri, size in content["pictures"]:
        assert base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))[:2] == b"\xff\xd8"
        assert size == [60 + at, 40]
    assert content["facts"]["images"] == report.outcomes.images.tolist()
    assert "training" in content
    assert content["advice"]["items"] is not None


def test_exported_file_has_the_slices_of_the_report(report: Report, page: Page, tmp_path: Path) -> None:
    report.images["camera"] = ["left"] * 8 + ["right"] * 4
    table = report.by("camera")
    slices = content_of(report.to_html(tmp_path / "results.html", max_images=0))["slices"]
    assert [
        (item["name"], item["images"], item["f1"], *item["intervals"]["f1"], item["differs"]) for item in slices
    ] == [
        (row.slice, row.test_images, pytest.approx(row.f1), row.f1_low, row.f1_high, row.differs)
        for row in table.itertuples()
    ]
    assert page.ask("slices") == {"items": slices}
    right = page.ask("intervals", position=page.widget.position, slice=["camera", "right"])["intervals"]
    assert right == slices[1]["intervals"]


def test_the_file_is_written_whole_or_not_at_all(report: Report, tmp_path: Path) -> None:
    (tmp_path / "there.html").write_text("before")
    assert report.to_html(tmp_path / "there.html", max_images=0) == tmp_path / "there.html"
    assert content_of(tmp_path / "there.html")["pictures"] == []
    for wrong in ({"max_images": -1}, {"max_images": 2.5}, {"pixels": 9000}, {"max_images": True}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            report.to_html(tmp_path / "new.html", **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="folder"):
        report.to_html(tmp_path)
    assert not (tmp_path / "new.html").exists()


def test_the_code_can_stand_in_a_page() -> None:
    for entry in ("results.js", "results/page.js"):
        assert "</script" not in join_modules(STATIC / entry)


def test_report_of_another_task_is_not_compared(report: Report) -> None:
    boxes = pd.DataFrame({"image": ["a"], "label": ["x"], "left": [0], "top": [0], "width": [9], "height": [9]})
    other = cl.evaluate(boxes, boxes.assign(confidence=0.9))
    with pytest.raises(InputError, match="compared"):
        report.show(baseline=other)
    exploration = report.show(baseline=report).exploration
    kept = exploration.comparison
    with pytest.raises(InputError, match="compared"):
        exploration.compare_with(other)
    assert exploration.comparison is kept is not None
