from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.core.tables import normalise_annotations, normalise_images
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation import evaluate as evaluation_of
from customlabels_nb.project.report import Report, evaluate
from tests.evaluation.cases import HOSTILE, random_tables, tables
from tests.evaluation.scenes import scene


class Reader(HTMLParser):
    """Parser that collects tags, attributes and text, and checks that tags are closed in order."""

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


def fruit(thresholds: float | str | None = None) -> Report:
    case = random_tables(27, ["apple", "orange", "banana"])
    return evaluate(*case, thresholds=thresholds, name="fruit.1", details={"training_images": 45})


@pytest.mark.parametrize("decision", ["most confident", "assumed"])
def test_html_shows_the_metrics_of_the_decision(decision: str) -> None:
    report = fruit(decision)
    text = " ".join(" ".join(Reader(report._repr_html_()).texts).split())
    f1 = report.summary.set_index("metric").loc["f1"]
    assert f"27 test images · F1 {f1['value']:.3f} [{f1['low']:.2f}, {f1['high']:.2f}] · precision" in text
    best_first = report.per_label.sort_values("f1", ascending=False, kind="stable")
    by_threshold = decision == "assumed"
    for row in best_first.itertuples():
        shown = (row.f1, row.precision, row.recall, *((row.threshold,) if by_threshold else ()))
        assert f" {row.label} {' '.join(f'{value:.3f}' for value in shown)} {row.test_images} " in text
    places = [text.index(f"{row.label} {row.f1:.3f} {row.precision:.3f}") for row in best_first.itertuples()]
    assert places == sorted(places)
    assert all(note in text for note in report.notes)
    assert "training images: 45" in text
    assert "rows ground truth, columns predicted" in text
    assert ("threshold" in text) == by_threshold
    assert ("(no answer)" in text) == by_threshold
    matrix = report.confusion_matrix
    for label, counts in zip(matrix.labels, matrix.counts.tolist(), strict=True):
        assert f"{label} {' '.join(str(count) if count else '·' for count in counts)}" in text


def test_html_of_a_detector_shows_its_metrics() -> None:
    report = evaluate(*scene(30, ["cat", "dog", "bird"]), name="pets.1")
    text = " ".join(" ".join(Reader(report._repr_html_()).texts).split())
    for head, metric in (
        ("mAP", "mean_average_precision"), ("mAR", "mean_average_recall"), ("COCO mAP", "coco_map"),
    ):  # fmt: skip
        assert f"· {head} {report.metric(metric):.3f}" in text
    matrix = report.confusion_matrix
    for row, label in enumerate(matrix.labels):
        cells = " ".join(str(count) if count else "·" for count in matrix.counts[row].tolist())
        assert f"{label} {cells}" in text
    assert "background : no matching box" in text
    for row in report.per_label.itertuples():
        metrics = f"{row.f1:.3f} {row.precision:.3f} {row.recall:.3f} {row.threshold:.3f} {row.test_images}"
        assert f"{row.label} {metrics} {row.tp + row.fn} {row.average_precision:.3f}" in text


@pytest.mark.parametrize("case", [random_tables(60, HOSTILE), scene(60, HOSTILE)])
def test_html_escapes_every_name(case: Any) -> None:
    report = evaluate(*case, name="<img src=x onerror=alert(3)>", details={"<i>": "<u>"})
    for html in (report._repr_html_(), report.confusion_matrix._repr_html_()):
        read = Reader(html)
        assert not {"script", "img", "u"} & set(read.tags)
        assert not [name for name, _ in read.attributes if name.startswith("on")]
        assert ("class", "clnb-report mathjax_ignore tex2jax_ignore") in read.attributes  # labels are not typeset
        assert html.count("<style>") == html.count("</style>") == 1
        assert {"<script>alert(1)</script>", "</style><b>"} <= set(read.texts)


def test_many_labels_become_a_list_of_confusions() -> None:
    report = evaluate(*random_tables(300, [f"label {j}" for j in range(80)]))
    html = report._repr_html_()
    assert "largest of" in html
    assert len(html) < 100_000
    top = report.confusion_matrix.confusions().iloc[0]
    assert top["count"] == max(
        int(count) for (g, p), count in report.confusion_matrix.to_frame().stack().items() if p != g
    )
    assert f"<td>{top['count']}</td><td>{top['share']:.3f}</td>" in html


def test_many_labels_of_a_detector_become_a_list_of_confusions_of_labels() -> None:
    labels = [f"label {number}" for number in range(40)]
    html = evaluate(*scene(200, labels))._repr_html_()
    assert ">boxes</th>" in html
    assert '<bdi class="clnb-name" title="background"' not in html
    assert len(html) < 100_000


def test_of_very_many_labels_the_best_and_the_worst_are_shown() -> None:
    report = evaluate(*random_tables(900, [f"label {number}" for number in range(300)]))
    read = Reader(report._repr_html_())
    best_first = report.per_label.sort_values("f1", ascending=False, kind="stable")["label"].tolist()
    shown = [text for text in read.texts if text in set(best_first)]
    assert shown[:100] == best_first[:50] + best_first[-50:]
    assert "… 200 more in .per_label …" in read.texts
    assert len(report._repr_html_()) < 100_000


def test_empty_confusion_list_has_a_message() -> None:
    count = 25
    confidence = [[1.0 if i == j else 0.0 for j in range(count)] for i in range(count)]
    report = evaluate(*tables(range(count), confidence))
    assert "No label is confused with another." in report._repr_html_()
    assert report.confusion_matrix.confusions().empty


def test_repr_in_a_terminal() -> None:
    assert "threshold" not in repr(fruit())
    assert "nan" not in repr(fruit()).replace("banana", "").casefold()
    text = repr(fruit("assumed"))
    assert text.startswith("fruit.1: 27 test images, F1 ")
    assert " threshold " in text
    assert "average_precision" not in text
    pets = evaluate(*scene(30, ["cat", "dog"]), name="pets.1")
    assert f", mAP {pets.metric('mean_average_precision'):.3f}, mAR " in repr(pets)
    assert "average_precision" in repr(pets)
    assert "The thresholds were chosen on this test set" in text
    hostile = repr(evaluate(*tables([0, 1], [[0.9, 0.1], [0.2, 0.8]], ["\x1b[2Jx", "y"]), name="\x1b[2J"))
    assert "\x1b" not in hostile
    assert "banana" in repr(fruit().confusion_matrix)


def test_tables_are_copies() -> None:
    report = fruit("assumed")
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
    chosen = "The thresholds were chosen on this test set"
    assert any(note.startswith(chosen) for note in evaluate(*case, thresholds="assumed").notes)
    assert not any(note.startswith(chosen) for note in evaluate(*case).notes)
    assert any(note.startswith(chosen) for note in evaluate(*case, thresholds={"a": 0.5}).notes)
    assert not any(note.startswith(chosen) for note in evaluate(*case, thresholds=0.5).notes)
    assert not any(note.startswith(chosen) for note in evaluate(*case, thresholds={"a": 0.5, "b": 0.4}).notes)


def test_report_plots() -> None:
    report = fruit()
    for ax in (report.plot_per_label(), report.plot_curves(), report.plot_curves(label="apple")):
        assert ax.has_data()
    _, ax = plt.subplots()
    assert report.confusion_matrix.plot(ax=ax, normalize="truth") is ax
    plt.close("all")


def test_report_files_are_written(tmp_path: Path) -> None:
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


def test_report_files_of_a_detector(tmp_path: Path) -> None:
    truth, predictions, images = scene(30, ["cat", "dog"])
    report = evaluate(truth, predictions, images, name="pets.1")
    files = {path.name: path for path in report.to(tmp_path)}
    assert set(files) == {
        "EvaluationResultSummary-pets.1.json", "EvaluationSnapshot-pets.1.manifest", "summary.csv",
        "per_label.csv", "per_image.csv", "by_box_size.csv", "confusion_matrix.csv",
    }  # fmt: skip
    assert len(cl.read_dataset(files["EvaluationSnapshot-pets.1.manifest"]).annotations) == len(truth)
    matrix = pd.read_csv(files["confusion_matrix.csv"], index_col=0)
    assert list(matrix.columns) == ["cat", "dog", "background"]
    per_image = pd.read_csv(files["per_image.csv"])
    pd.testing.assert_frame_equal(per_image, report.per_image, check_dtype=False)
    assert cl.read_evaluation_summary(tmp_path).per_label["label"].tolist()[0] in ("cat", "dog")


def test_a_report_writes_the_same_bytes_each_time(tmp_path: Path) -> None:
    report = evaluate(*random_tables(27, ["apple", "orange"]))
    first = {path.name: path.read_bytes() for path in report.to(tmp_path / "first")}
    assert {path.name: path.read_bytes() for path in report.to(tmp_path / "second")} == first


def test_the_training_images_have_a_snapshot_of_their_own(tmp_path: Path) -> None:
    case, seen = random_tables(27, ["apple", "orange"]), random_tables(12, ["apple", "orange"], random_state=1)
    name = "TrainingSnapshot-fruit.1.manifest"
    taught = evaluation_of(*seen)
    dataset = Dataset(normalise_images(seen[0][["image"]]), normalise_annotations(seen[0]))
    asked = []

    def when_needed() -> Dataset:
        asked.append(1)
        return dataset

    for training, has_predictions in ((taught, True), (dataset, False), (when_needed, False)):
        report = evaluate(*case, name="fruit.1", training=training)
        paths = report.to(tmp_path)
        assert tmp_path / name in paths
        text = (tmp_path / name).read_text("utf-8")
        assert len(text.splitlines()) == 12
        assert ("rekognition-custom-labels-evaluation-0" in text) == has_predictions
        kept = cl.read_dataset(tmp_path / name).annotations
        assert kept[["image", "label"]].to_numpy().tolist() == seen[0].to_numpy().tolist()
        report.to(tmp_path)
    assert asked == [1]


@pytest.mark.parametrize("case", [random_tables(30, ["a", "b", "c"]), scene(30, ["cat", "dog"])])
def test_drawings_are_written_on_request(tmp_path: Path, case: Any) -> None:
    report = evaluate(*case)
    drawn = [path for path in report.to(tmp_path, plots=True) if path.suffix == ".png"]
    assert {path.stem for path in drawn} >= {"per_label", "curves", "confusion_matrix", "precision_recall", "support"}
    for path in drawn:
        with Image.open(path) as picture:
            picture.load()
            assert min(picture.size) > 100
    assert not plt.get_fignums()


def test_a_full_disk_leaves_the_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = fruit()
    old = {path.name: path.read_bytes() for path in report.to(tmp_path)}
    written = []

    def full_disk(file: int) -> None:
        written.append(file)
        if len(written) == len(old):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(InputError, match=r"folder='.*' cannot be written: the disk is full"):
        evaluate(*random_tables(27, ["apple", "orange"])).to(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == old


def test_file_as_target_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        fruit().to(tmp_path / "file")


def test_details_need_a_date() -> None:
    with pytest.raises(InputError, match="must be a datetime"):
        evaluate(*random_tables(9, ["a", "b"]), details={"evaluated": "yesterday"})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda report: report.compare(baseline="v1"), "baseline='v1' is not a report.*project.compare"),
        (lambda report: report.show("v1"), "baseline='v1' is not a report"),
        (lambda report: report.plot_roc(3), "ax=3 is not Axes"),
        (lambda report: report.plot_curves(ax=(None, None)), r"ax=\(None, None\) is not Axes.*second result"),
        (lambda report: report.to_html(3), "path=3 is not a path"),
        (lambda report: Report(report, details=["a"]), r"details=\['a'\] is not a dict"),
    ],
)
def test_arguments_of_another_kind_are_refused(call: Callable[[Report], object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        call(fruit())


def test_importing_the_report_loads_nothing_heavy() -> None:
    code = (
        "import sys, customlabels_nb.project.report;"
        "print([name for name in ('matplotlib', 'torch', 'sklearn', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
