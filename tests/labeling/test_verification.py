"""Tests of the verification of predictions: the sample, verdicts, the precision in the field, and the submission."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.assist.guarantee import precision_interval
from customlabels_nb.errors import Cancelled, InputError, LabelError, NotAllowedError, NotEnoughDataError
from customlabels_nb.labeling.verification import Verification, _drawn
from customlabels_nb.project.lifecycle import open_project
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project, load_project
from customlabels_nb.project.screens import open_verification
from customlabels_nb.store import SqlStore, open_store
from tests.labeling.conftest import named

NAMES = ("apple", "pear")


@pytest.fixture
def field(tmp_path: Path) -> Path:
    """Return a folder of forty images that no project has."""
    folder = tmp_path / "field"
    folder.mkdir()
    for number in range(40):
        pixels = np.random.default_rng(1000 + number).integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((48, 36), Image.Resampling.NEAREST).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def found(field: Path) -> pd.DataFrame:
    """Return predictions of one label, the less certain the higher the number of the image."""
    return pd.DataFrame(
        [(str(field / f"{n}.png"), NAMES[n % 2], 0.99 - n / 100) for n in range(40)],
        columns=["image", "label", "confidence"],
    )


@pytest.fixture
def boards(tmp_path: Path, field: Path) -> tuple[Project, pd.DataFrame]:
    """Return an empty project of boxes, and two predicted boxes in each image but the last two."""
    project = create_project("boards", tmp_path, task="boxes")
    for label in NAMES:
        project.labels.add(label)
    rows = [
        (str(field / f"{n}.png"), label, 0.9, 4.0 + 20 * at, 5.0, 10.0, 12.0)
        for n in range(38)
        for at, label in enumerate(NAMES)
    ]
    return project, pd.DataFrame(rows, columns=["image", "label", "confidence", "left", "top", "width", "height"])


def opened(project: Project, found: Any, **options: Any) -> Verification:
    session: Verification = project.verify(found, **{"sample": 20, **options}).session
    return session


def random_half(session: Verification) -> list[int]:
    images = session.store.images("train")
    return [int(Path(row.image).stem) for row in images.itertuples() if "random" in row.tags]


def test_half_is_random_and_half_least_certain(project: Project, found: pd.DataFrame) -> None:
    session = opened(project, found)
    numbers = {int(Path(name).stem) for name in session.table.names}
    uniform = random_half(session)
    assert (len(numbers), len(uniform)) == (20, 10)
    assert numbers - set(uniform) == set(sorted(set(range(40)) - set(uniform))[-10:])
    again = opened(project, found)
    assert again.table.names == session.table.names
    assert set(opened(project, found, random_state=1).table.names) != set(session.table.names)
    everything = opened(project, found, sample=500)  # nothing is left to choose from: all count for the precision
    assert len(random_half(everything)) == len(everything.table.names) == 40


def test_the_random_half_is_uniform(found: pd.DataFrame) -> None:
    images = found["image"].to_numpy()
    counts = pd.Series(0, index=images)
    for random_state in range(400):
        drawn = _drawn(images, found, 10, random_state)
        counts[drawn.loc[drawn["tags"].str.len() == 1, "image"]] += 1
    assert counts.sum() == 400 * 5
    assert counts.between(25, 80).all()  # 50 each on average, however certain the predictions are


def test_verdicts_become_training_data_in_one_action(project: Project, found: pd.DataFrame) -> None:
    session = opened(project, found, model=None)
    names = session.table.names
    session.confirm(names[:5])
    session.correct(names[5:7], "pear")
    session.reject(names[7:8])
    before = len(project.history)
    done = session.send()
    assert (done.train, done.test, done.unsettled, len(done.issues)) == (8, 0, 1, 0)
    assert "1 of them" in repr(done)
    assert len(project.history) == before + 1
    added = project.train_set.images.set_index("image").loc[names[:8]]
    assert added["status"].tolist() == ["labelled"] * 7 + ["needs_review"]
    assert set(added["source"]) == {"feedback of predictions"}
    assert added["tags"].tolist() == [[]] * 8
    marks = project.train_set.annotations.set_index("image")
    expected = dict(zip(found["image"].map(lambda name: Path(name).name), found["label"], strict=True))
    for name in names[:5]:
        assert marks.loc[name, "label"] == expected[Path(name).name]
    assert marks.loc[names[5:7], "label"].tolist() == ["pear", "pear"]
    assert set(marks.loc[names[:7], "annotator"]) == {session.user}
    assert (marks.loc[names[:7], "confidence"] == 1).all()
    assert names[7] not in marks.index
    project.undo()
    assert not set(names) & set(project.train_set.images["image"])
    assert session.send().train == 8


def test_a_share_of_the_random_half_goes_to_test(project: Project, found: pd.DataFrame) -> None:
    session = opened(project, found, test_fraction=0.2)
    session.confirm(session.table.names)
    done = session.send()
    assert (done.train, done.test) == (18, 2)
    numbers = {int(Path(name).stem) for name in project.test_set.images["image"]}
    assert numbers < set(random_half(session))


def test_images_of_the_project_are_neither_asked_nor_added_again(project: Project, found: pd.DataFrame) -> None:
    known = found["image"].tolist()
    project.add_images(known[:3], progress=False)
    project.add_images(known[3:5], copy=True, split="test", progress=False)  # under another name
    session = opened(project, found, sample=100)
    assert {int(Path(name).stem) for name in session.table.names} == set(range(5, 40))
    assert session.notes == ["5 images are left out, because the project already has them."]
    session.confirm(session.table.names[:4])
    assert session.send().train == 4
    session.reject(session.table.names[:1])  # changed afterwards: the project keeps what it has
    done = session.send()
    assert (done.train, len(done.issues)) == (0, 4)
    assert "already has" in done.issues["message"].iloc[0]
    with pytest.raises(NotEnoughDataError, match="already has them"):
        opened(project, found.head(5))


def test_precision_counts_the_random_half_only(project: Project, found: pd.DataFrame) -> None:
    widget = project.verify(found, sample=20)
    session = widget.session
    assert widget.precision.empty
    assert widget.sentence == "No prediction of a randomly drawn image has been judged yet."
    uniform = named(session, *random_half(session))
    others = [name for name in session.table.names if name not in uniform]
    session.reject(others)
    assert widget.precision.empty
    session.confirm(uniform)
    wrong = next(name for name in uniform if int(Path(name).stem) % 2)  # predicted as pear
    session.correct([wrong], "apple")
    table = widget.precision.set_index("label")
    pears = sum(number % 2 for number in random_half(session))
    assert table.loc["apple", ["shown", "right", "precision", "high"]].tolist() == [10 - pears, 10 - pears, 1, 1]
    assert table.loc["pear", ["shown", "right"]].tolist() == [pears, pears - 1]
    assert tuple(table.loc["pear", ["low", "high"]]) == pytest.approx(precision_interval(pears - 1, pears))
    low, high = precision_interval(9, 10)
    assert widget.sentence == f"in the field 0.90 ({low:.2f}–{high:.2f})"
    place = open_project(project.root)
    widget = open_verification(
        place, found, None, sample=20, test_fraction=0, random_state=0, page_size=24, test_precision=lambda: 0.97
    )
    assert widget.sentence == f"in the field 0.90 ({low:.2f}–{high:.2f}), on the test set 0.97"


def test_several_labels_start_from_the_predicted_ones(tmp_path: Path, found: pd.DataFrame) -> None:
    project = create_project("several", tmp_path, task="multi-label")
    for label in (*NAMES, "plum"):
        project.labels.add(label)
    both = pd.concat([found, found.assign(label="plum", confidence=0.8)])
    session = opened(project, both)
    first, second = session.table.names[:2]
    assert [label for label, *_ in session.row(first)["guesses"]][-1] == "plum"
    session.correct([first], "plum", on=False)
    assert len(session.row(first)["labels"]) == 1
    session.correct([second], "plum", on=False)
    session.correct([second], "pear")
    assert "pear" in session.row(second)["labels"]
    for label in list(session.row(first)["labels"]):
        session.correct([first], label, on=False)
    assert session.row(first)["status"] == "labelled"  # nothing of it is there
    assert session.send().train == 2


def test_boxes_are_confirmed_relabelled_and_fixed(boards: tuple[Project, pd.DataFrame]) -> None:
    project, found = boards
    widget = project.verify(found, sample=60)
    session = widget.session
    right, other, wrong = session.table.names[:3]
    session.confirm([right])
    session.correct([other], "pear")
    session.reject([wrong])
    rows = session.rows([right])
    session.add_shapes(rows)
    assert rows[0]["outlines"] == [box for _, _, box in rows[0]["guesses"]] == [[4, 5, 10, 12], [24, 5, 10, 12]]
    assert session.row(other)["boxes"] == ["pear", "pear"]
    assert session.row(wrong)["boxes"] == []
    table = widget.precision
    assert table["shown"].sum() == 3  # one box of each image counts
    assert project.verify(found, sample=60).session.row(right)["status"] == "labelled"
    session.send()
    marks = project.train_set.annotations
    assert marks["image"].value_counts().to_dict() == {right: 2, other: 2}
    assert marks["left"].notna().all()


def test_verdicts_are_there_in_another_kernel_although_the_first_is_not_closed(
    project: Project, found: pd.DataFrame
) -> None:
    session = opened(project, found)
    names = session.table.names
    session.confirm(names[:3])
    session.correct(names[3:4], "pear")
    again = opened(load_project(project.root), found)
    assert again.table.names == names
    assert [again.row(name)["status"] for name in names[:5]] == ["labelled"] * 4 + ["unlabelled"]
    assert again.send().train == 4


def test_a_file_of_detect_many_and_images_without_predictions(
    boards: tuple[Project, pd.DataFrame], field: Path, tmp_path: Path
) -> None:
    project, found = boards
    path = tmp_path / "found.jsonl"
    size = {"width": 48, "height": 36}
    lines = []
    for n in range(40):
        own = found[found["image"] == str(field / f"{n}.png")]
        entries = [
            {
                "Name": row.label,
                "Confidence": 90.0,
                "Geometry": {
                    "BoundingBox": {
                        "Left": row.left / 48, "Top": row.top / 36, "Width": row.width / 48, "Height": row.height / 36
                    }
                },
            }
            for row in own.itertuples()
        ]  # fmt: skip
        lines.append(orjson.dumps({"image": str(field / f"{n}.png"), **size, "CustomLabels": entries}))
    path.write_bytes(b"\n".join(lines))
    session = opened(project, str(path), sample=40)
    assert len(session.table.names) == 40
    empty = named(session, 39)[0]
    assert session.row(empty)["guesses"] == []
    session.confirm([empty])
    session.send()
    assert project.train_set.images.set_index("image").loc[empty, "status"] == "labelled"
    path.write_bytes(b"\n".join([lines[0], b"[]"]))
    with pytest.raises(InputError, match="Line 2 of"):
        project.verify(path)
    with pytest.raises(InputError, match="cannot be read"):
        project.verify(tmp_path / "missing.jsonl")


def test_missing_and_unreadable_images_are_listed(project: Project, found: pd.DataFrame, field: Path) -> None:
    (field / "0.png").unlink()
    (field / "1.png").write_bytes(b"not an image")
    widget = project.verify(found, sample=40)
    assert widget.progress == {"judged": 0, "wrong": 0, "left": 38}
    assert {note.partition(": ")[0].rsplit("/", 1)[-1] for note in widget.notes} == {"0.png", "1.png"}
    with pytest.raises(NotEnoughDataError, match="None of the images can be verified"):
        project.verify(found.head(2))


def test_refusals_are_typed_errors(project: Project, found: pd.DataFrame, field: Path) -> None:
    with pytest.raises(LabelError, match=r"no labels \['<b>kiwi</b>'\]"):
        project.verify(found.assign(label="<b>kiwi</b>"))
    with pytest.raises(InputError, match="no column 'confidence'"):
        project.verify(found.drop(columns="confidence"))
    with pytest.raises(NotEnoughDataError, match="nothing to verify"):
        project.verify(found.head(0))
    with pytest.raises(InputError, match=r"model=project\.model"):
        project.verify(field)
    with pytest.raises(InputError, match="predictions has boxes"):
        project.verify(found.assign(left=1.0, top=1.0, width=9.0, height=9.0))
    stopped = found.copy()
    stopped.attrs["interrupted"] = True
    with pytest.raises(Cancelled):
        project.verify(stopped)
    for options in (
        {"sample": 0},
        {"sample": True},
        {"random_state": -1},
        {"test_fraction": 1.5},
        {"test_fraction": "a"},
        {"page_size": 7},
    ):
        with pytest.raises(InputError, match=next(iter(options))):
            project.verify(found, **options)
    assert not list((project.root / "feedback").glob("*.part"))


def test_a_label_that_was_removed_meanwhile_is_not_added(project: Project, found: pd.DataFrame) -> None:
    session = opened(project, found)
    session.correct(session.table.names[:1], "pear")
    assert session.add_label("plum") == "plum"  # a new label is added to the project, too
    assert "plum" in list(project.labels)
    session.correct(session.table.names[1:2], "plum")
    project.labels.rename("pear", "quince")
    with pytest.raises(LabelError, match=r"no longer has the labels \['pear'\]"):
        session.send()
    assert session.store.images("train")["status"].eq("labelled").sum() == 2
    again = opened(project, found)  # knows the new name
    again.correct(again.table.names[:1], "quince")
    assert again.send().train == 2


def test_read_only_project_is_refused(project: Project, found: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened(project, found)
    session.confirm(session.table.names[:1])
    monkeypatch.setattr(SqlStore, "read_only", property(lambda store: True))
    with pytest.raises(NotAllowedError, match="read-only"):
        project.verify(found)
    with pytest.raises(NotAllowedError, match="read-only"):
        session.send()


def test_a_sample_is_no_project(project: Project, found: pd.DataFrame) -> None:
    path = Path(opened(project, found).root)
    assert path.parent == project.root / "feedback"
    assert open_store(str(path)).image_count() == 20
    assert load_project(project.root).train_set.images.shape[0] == 30


def test_packed_project_reports_missing_verdicts(project: Project, found: pd.DataFrame, tmp_path: Path) -> None:
    assert project.pack(tmp_path / "before.zip").issues["where"].tolist() == []
    opened(project, found).store.close()
    packed = project.pack(tmp_path / "packed.zip")
    assert "not submitted" in packed.issues["message"].iloc[-1]
    project.delete(confirm=True)
    assert not project.root.exists()
