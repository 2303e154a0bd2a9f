"""Tests of progress metrics on handwritten projects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError
from customlabels_nb.labeling import progress
from customlabels_nb.labeling.project_counts import FollowedCounts, ProjectCounts
from customlabels_nb.store import Action, SqlStore, VersionRecord, create_store
from customlabels_nb.store.frames import moment

ACTION = Action("update", "ann")
NOON = datetime(2025, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """Yield an empty store."""
    made = create_store(str(tmp_path / "p.db"), "p")
    yield made
    made.destroy()


def rows(*statuses: str, prefix: str = "i") -> pd.DataFrame:
    names = [f"{prefix}{number}" for number in range(len(statuses))]
    return t.normalise_images(pd.DataFrame({"image": names, "status": list(statuses)}))


def marks(*given: tuple[str, str, str | None, datetime], boxes: bool = False) -> pd.DataFrame:
    """Return annotations of these rows, optionally with boxes."""
    frame = pd.DataFrame(given, columns=["image", "label", "annotator", "created"])
    if boxes:
        frame = frame.assign(left=1.0, top=1.0, width=2.0, height=2.0)
    return t.normalise_annotations(frame)


def backdated(outline: ProjectCounts, by: timedelta) -> ProjectCounts:
    """Return the counts as if the images had been added this much earlier."""
    annotations = outline.annotations.drop(columns=["split", "later"])
    return ProjectCounts.of(outline.images.assign(added=outline.images["added"] - by), annotations)


def outline_of(store: SqlStore, by: timedelta = timedelta(days=900)) -> ProjectCounts:
    return backdated(ProjectCounts.read(store), by)


def test_empty_project_counts_zero(store: SqlStore) -> None:
    outline = ProjectCounts.read(store)
    assert progress.statuses(outline)["images"].tolist() == [0] * 8
    assert progress.label_distribution(outline, store.labels()).empty
    assert progress.annotators(outline).empty
    assert progress.work(outline).empty
    assert progress.queue(outline)[["train", "test"]].to_numpy().sum() == 0
    assert progress.usable(outline) == {"train": 0, "test": 0}


def test_statuses_labels_and_queue(store: SqlStore) -> None:
    train = rows("labelled", "labelled", "skipped", "unlabelled", "unlabelled", "needs_review", "labelled")
    given = marks(
        ("i0", "apple", "ann", NOON), ("i1", "apple", "bob", NOON), ("i1", "pear", "bob", NOON),
        ("i5", "pear", None, NOON),
    )  # fmt: skip
    store.add_images("train", train, given, ACTION)
    boxes = marks(("j0", "apple", "ann", NOON), ("j0", "apple", "ann", NOON), boxes=True)
    store.add_images("test", rows("labelled", "unlabelled", prefix="j"), boxes, ACTION)
    store.add_labels([("unused", None)], ACTION)
    now = datetime.now(tz=UTC)
    store.add_version(VersionRecord("v1", "TRAINING_COMPLETED", "", "v", now, now), ACTION)
    said = pd.DataFrame({"image": ["i3", "i0"], "label": "apple", "confidence": 0.5, "model": "v1"})
    store.replace_predictions("v1", t.normalise_annotations(said), ACTION)
    outline = outline_of(store)
    counts = progress.statuses(outline).set_index(["split", "status"])["images"]
    assert counts["train"].to_dict() == {"unlabelled": 2, "labelled": 3, "skipped": 1, "needs_review": 1}
    assert counts["test"].to_dict() == {"unlabelled": 1, "labelled": 1, "skipped": 0, "needs_review": 0}
    labels = progress.label_distribution(outline, store.labels())
    # two boxes with one label on an image count as one image
    assert labels[["label", "train", "test"]].to_numpy().tolist() == [["apple", 2, 1], ["pear", 2, 0], ["unused", 0, 0]]
    assert labels["color"].tolist() == store.labels()["color"].tolist()
    assert progress.queue(outline).to_numpy().tolist() == [
        ["unlabelled", 1, 1],
        ["predicted", 1, 0],
        ["needs_review", 1, 0],
    ]
    assert progress.usable(outline) == {"train": 2, "test": 1}  # one is labelled as empty
    with pytest.raises(InputError, match="queue="):
        progress.numbers_of(outline, "train", queue="manual")


def test_annotators_and_their_pace(store: SqlStore) -> None:
    every = [NOON + timedelta(seconds=30 * number) for number in range(11)]
    pause = NOON + timedelta(hours=5)
    given = [(f"i{number}", "apple", "ann", at) for number, at in enumerate(every)]
    given += [("i11", "apple", "ann", pause), ("i12", "apple", "ann", pause + timedelta(minutes=1))]
    given += [("i13", "apple", "bob", NOON), ("i14", "apple", None, NOON), ("i0", "pear", "bob", NOON)]
    store.add_images("train", rows(*["labelled"] * 15), marks(*given), ACTION)
    store.add_images("test", rows("labelled", prefix="j"), marks(("j0", "apple", "ann", NOON)), ACTION)
    found = progress.annotators(outline_of(store))
    assert found[["annotator", "train", "test"]].to_numpy().tolist() == [["ann", 13, 1], ["bob", 2, 0]]
    # 10 steps of half a minute, one without duration, one of a minute. The pause between them is ignored.
    assert found["images_per_hour"].iloc[0] == pytest.approx(12 / (6 / 60))
    assert pd.isna(found["images_per_hour"].iloc[1])
    # imported labels say nothing about a person's pace
    imported = progress.annotators(ProjectCounts.read(store))
    assert imported["train"].tolist() == [13, 2]
    assert imported["images_per_hour"].isna().all()


def test_labels_by_programs_do_not_count_for_the_pace(store: SqlStore) -> None:
    given = [(f"i{number}", "apple", "ann", NOON + timedelta(milliseconds=number)) for number in range(50)]
    store.add_images("train", rows(*["labelled"] * 50), marks(*given), ACTION)
    assert progress.annotators(outline_of(store))["images_per_hour"].isna().all()


def test_several_boxes_on_an_image_are_one_image_of_work(store: SqlStore) -> None:
    at = [NOON + timedelta(seconds=20 * number) for number in range(9)]
    given = [(f"i{number // 3}", "apple", "ann", moment) for number, moment in enumerate(at)]
    store.add_images("train", rows(*["labelled"] * 3), marks(*given, boxes=True), ACTION)
    pace = progress.annotators(outline_of(store))["images_per_hour"].iloc[0]
    assert pace == pytest.approx(3600 / 60)  # an image per minute


def test_work_by_hour_and_day(store: SqlStore) -> None:
    when = [timedelta(0), timedelta(minutes=59), timedelta(hours=2), timedelta(hours=2, minutes=1), timedelta(days=-2)]
    given = [(f"i{number}", "apple", "ann", NOON + after) for number, after in enumerate(when)]
    given.append(("i2", "pear", "bob", NOON + timedelta(hours=2, minutes=30)))  # the same image in the same hour
    given.append(("i2", "plum", "bob", NOON))  # and in another
    store.add_images("train", rows(*["labelled"] * 5), marks(*given), ACTION)
    store.add_images("test", rows("labelled", prefix="j"), marks(("j0", "apple", "ann", NOON)), ACTION)
    outline = outline_of(store)
    hours = progress.work(outline)
    assert len(hours) == 24
    assert hours["start"].iloc[-1] == NOON + timedelta(hours=2)
    assert hours["train"].tolist()[-3:] == [3, 0, 2]
    assert hours["test"].tolist()[-3:] == [1, 0, 0]
    days = progress.work(outline, "day")
    assert days[["train", "test"]].to_numpy().tolist() == [[1, 0], [0, 0], [4, 1]]
    assert days["start"].iloc[-1] == NOON.replace(hour=0)
    # days start at another time in another time zone
    away = progress.work(outline, "day", offset=timedelta(hours=10))
    assert away["start"].iloc[-1] == NOON + timedelta(hours=2)
    assert away["train"].tolist()[-2:] == [3, 2]
    half = progress.work(outline, offset=timedelta(hours=5, minutes=30))
    assert half["start"].dt.minute.unique().tolist() == [30]
    with pytest.raises(InputError, match="unit='week'"):
        progress.work(outline, "week")


def test_each_figure_lists_its_images(store: SqlStore) -> None:
    given = [(f"i{number}", "apple", "ann", NOON + timedelta(minutes=25 * number)) for number in range(6)]
    store.add_images("train", rows(*["labelled"] * 6, "unlabelled"), marks(*given), ACTION)
    outline = outline_of(store)
    for unit in progress.UNITS:
        for start, train, _ in progress.work(outline, unit).itertuples(index=False):
            assert len(progress.numbers_of(outline, "train", work=(start, unit))) == train
    since = progress.numbers_of(outline, "train", since=NOON + timedelta(minutes=50))
    assert store.image_names(since.tolist())["image"].tolist() == ["i3", "i4", "i5"]
    assert progress.microseconds([NOON]) == [1741089600000000]
    assert moment(1741089600000000) == NOON


# -- incremental updates --------------------------------------------------------------------------------


def same(followed: FollowedCounts, store: SqlStore) -> None:
    """Check that incremental updates give the same result as reading everything again."""
    fresh = ProjectCounts.read(store)
    outline = followed.outline
    pd.testing.assert_frame_equal(outline.images, fresh.images)
    for figure in (progress.statuses, progress.annotators, progress.work, progress.queue):
        pd.testing.assert_frame_equal(figure(outline), figure(fresh))  # type: ignore[operator]
    labels = store.labels()
    pd.testing.assert_frame_equal(
        progress.label_distribution(outline, labels), progress.label_distribution(fresh, labels)
    )
    assert progress.usable(outline) == progress.usable(fresh)


def edit(store: SqlStore, split: str, image: str, label: str | None, status: str) -> None:
    """Set status and label of an image."""
    found, _, _ = store.tables(split, images=[image])
    given = marks() if label is None else marks((image, label, "ann", datetime.now(tz=UTC)))
    if len(found):
        store.update_images(split, found.assign(status=status), given, ACTION)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["edit", "edit", "add", "remove", "move", "rename", "merge", "drop", "undo", "task"]),
        st.integers(0, 7), st.sampled_from(["apple", "pear", "plum"]), st.sampled_from(t.STATUSES), st.booleans(),
    ),
    min_size=4,
    max_size=12,
)  # fmt: skip


@settings(max_examples=8)
@given(STEPS)
def test_incremental_counts_equal_a_full_read(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, str, str, bool]]
) -> None:
    store = create_store(str(tmp_path_factory.mktemp("follow") / "p.db"), "p")
    try:
        store.add_images("train", rows(*["unlabelled"] * 8), marks(("i0", "apple", "bob", NOON)), ACTION)
        store.add_images("test", rows("labelled", prefix="i"), marks(("i0", "pear", "bob", NOON)), ACTION)
        predicted = marks(*[(f"i{number}", "plum", None, NOON) for number in range(6)]).assign(confidence=0.5)
        store.replace_predictions("m", predicted, Action("add predictions", "ann"))
        followed, made = FollowedCounts(store), 0
        for what, number, label, status, look in steps:
            image, known = f"i{number}", store.labels()["label"].tolist()
            here = store.tables("train", images=[image])[0]
            if what == "edit":
                edit(store, "train", image, label, status)
            elif what == "add":
                made += 1
                store.add_images("test", rows("unlabelled", prefix=f"new{made}"), marks(), ACTION)
            elif what == "remove" and len(here):
                store.remove_images("train", here, ACTION)
            elif what == "move" and len(here) and not len(store.tables("test", images=[image])[0]):
                store.move_images([image], "train", "test", ACTION)
            elif what == "rename" and label in known:
                store.rename_label(label, f"{label} {store.last_action()}", ACTION)
            elif what == "merge" and label in known and known[0] != label:
                store.merge_labels(label, known[0], Action("merge labels", "ann"))
            elif what == "drop" and label in known:
                store.remove_label(label, Action("remove label", "ann"), with_annotations=True)
            elif what == "undo" and store.undo_refusal(store.last_action()) is None:
                store.undo(store.last_action(), Action("undo remove label", "ann"))
            elif what == "task":
                store.set_project(Action("set task", "ann"), task="single-label")
            if look:
                followed.follow()
                same(followed, store)
        followed.follow()
        same(followed, store)
        assert not followed.follow()
    finally:
        store.destroy()
