from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from customlabels_nb.errors import InputError
from customlabels_nb.report import Report, evaluate
from tests.evaluation.cases import HOSTILE, random_tables, tables


class Reader(HTMLParser):
    """Collects tags, attributes and text, and checks that tags are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.texts.append(data)


def fruit() -> Report:
    return evaluate(*random_tables(27, ["apple", "orange", "banana"]), name="fruit.1", details={"training_images": 45})


def test_html_shows_the_figures() -> None:
    report = fruit()
    text = " ".join(" ".join(Reader(report._repr_html_()).texts).split())
    f1 = report.summary.set_index("figure").loc["f1"]
    assert f"27 test images · F1 {f1['value']:.3f} [{f1['low']:.2f}, {f1['high']:.2f}] · precision" in text
    best_first = report.per_label.sort_values("f1", ascending=False, kind="stable")
    places = [text.index(f"{row.label} {row.f1:.3f} {row.precision:.3f}") for row in best_first.itertuples()]
    assert places == sorted(places)
    assert all(note in text for note in report.notes)
    assert "training images: 45" in text
    assert "rows predicted, columns ground truth" in text


def test_html_escapes_every_name() -> None:
    report = evaluate(*random_tables(60, HOSTILE), name="<img src=x onerror=alert(3)>", details={"<i>": "<u>"})
    for html in (report._repr_html_(), report.confusion_matrix._repr_html_()):
        read = Reader(html)
        assert not {"script", "img", "u"} & set(read.tags)
        assert not [name for name, _ in read.attributes if name.startswith("on")]
        assert html.count("<style>") == html.count("</style>") == 1
        assert {"<script>alert(1)</script>", "</style><b>"} <= set(read.texts)


def test_many_labels_become_a_list_of_confusions() -> None:
    report = evaluate(*random_tables(300, [f"label {j}" for j in range(80)]))
    html = report._repr_html_()
    assert "taken for" in html
    assert len(html) < 100_000
    top = report.confusion_matrix.confusions().iloc[0]
    assert top["count"] == max(
        int(count) for (p, g), count in report.confusion_matrix.to_frame().stack().items() if p != g
    )
    assert f"<td>{top['count']}</td><td>{top['share']:.3f}</td>" in html


def test_without_confusions_the_list_says_so() -> None:
    count = 25
    confidence = [[1.0 if i == j else 0.0 for j in range(count)] for i in range(count)]
    report = evaluate(*tables(range(count), confidence))
    assert "No label is taken for another." in report._repr_html_()
    assert report.confusion_matrix.confusions().empty


def test_text_for_terminals() -> None:
    text = repr(fruit())
    assert text.startswith("fruit.1: 27 test images, F1 ")
    assert "threshold" in text
    assert "Thresholds were chosen on this very test set" in text
    hostile = repr(evaluate(*tables([0, 1], [[0.9, 0.1], [0.2, 0.8]], ["\x1b[2Jx", "y"]), name="\x1b[2J"))
    assert "\x1b" not in hostile
    assert "banana" in repr(fruit().confusion_matrix)


def test_tables_are_copies() -> None:
    report = fruit()
    for name in ("summary", "per_label", "per_image"):
        table = getattr(report, name)
        table.iloc[:, 0] = "changed"
        assert "changed" not in getattr(report, name).iloc[:, 0].tolist()
    report.notes.clear()
    assert report.notes
    frame = report.confusion_matrix.to_frame()
    frame.iloc[0, 0] = 99
    assert report.confusion_matrix.counts[0, 0] != 99


def test_notes_about_thresholds_only_where_they_were_chosen() -> None:
    case = random_tables(20, ["a", "b"])
    chosen = "Thresholds were chosen on this very test set"
    assert any(note.startswith(chosen) for note in evaluate(*case).notes)
    assert any(note.startswith(chosen) for note in evaluate(*case, thresholds={"a": 0.5}).notes)
    assert not any(note.startswith(chosen) for note in evaluate(*case, thresholds=0.5).notes)
    assert not any(note.startswith(chosen) for note in evaluate(*case, thresholds={"a": 0.5, "b": 0.4}).notes)


def test_plots_of_a_report() -> None:
    report = fruit()
    for ax in (report.plot_per_label(), report.plot_curves(), report.plot_curves(label="apple")):
        assert ax.has_data()
    _, ax = plt.subplots()
    assert report.confusion_matrix.plot(ax=ax, normalize="truth") is ax
    plt.close("all")


def test_files(tmp_path: Path) -> None:
    ended = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
    case = random_tables(27, ["apple", "orange", "banana"])
    details = {"training_images": 45, "evaluated": ended, "project_version_arn": "arn:fruit"}
    report = evaluate(*case, name="../fruit 1", details=details)
    files = report.to(tmp_path / "new" / "folder")
    assert {path.name for path in files} == {path.name for path in (tmp_path / "new" / "folder").iterdir()} == {
        "EvaluationResultSummary-fruit-1.json", "EvaluationSnapshot-fruit-1.manifest", "summary.csv",
        "per_label.csv", "per_image.csv", "confusion_matrix.csv",
    }  # fmt: skip
    content = json.loads(files[0].read_text("utf-8"))["EvaluationDetails"]
    assert (content["ProjectVersionArn"], content["NumberOfTrainingImages"]) == ("arn:fruit", 45)
    assert content["EvaluationEndTimestamp"] == "2026-11-20T10:15:00.000000"
    assert len(files[1].read_text("utf-8").splitlines()) == 27
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "new/folder/per_label.csv"), report.per_label)
    matrix = pd.read_csv(tmp_path / "new/folder/confusion_matrix.csv", index_col=0)
    assert matrix.to_numpy().tolist() == report.confusion_matrix.counts.tolist()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = fruit()
    old = {path.name: path.read_bytes() for path in report.to(tmp_path)}

    def full_disk(self: Path, target: Path) -> Path:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(OSError, match="No space left"):
        report.to(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == old


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        fruit().to(tmp_path / "file")


def test_details_need_a_date() -> None:
    with pytest.raises(InputError, match="give a datetime"):
        evaluate(*random_tables(9, ["a", "b"]), details={"evaluated": "yesterday"})


def test_importing_the_report_loads_nothing_heavy() -> None:
    code = (
        "import sys, customlabels_nb.report;"
        "print([name for name in ('matplotlib', 'torch', 'sklearn', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
