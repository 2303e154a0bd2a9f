"""Property tests: a snapshot is restored exactly after any history, and an undo takes that back exactly."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import Any, TypeAlias

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customlabels_nb.core import tables as t
from customlabels_nb.errors import NotAllowedError, StaleEditError
from customlabels_nb.store import SqlStore, create_store
from tests.store.test_contract import images
from tests.store.test_history import ANN, BOB, fill, state
from tests.tiers import many

#: Facts about the file of each image, which snapshots do not restore.
FILES = {"a": {"width": 10, "height": 20, "sha256": "aa"}, "b": {}, "c": {"width": 30, "height": 40, "sha256": "cc"},
         "t": {}, "new": {}}  # fmt: skip
NAMES = [*FILES]
LABELS = ["apple", "aple", "pear"]
#: Fields and annotations of each image by dataset.
Content: TypeAlias = dict[str, dict[str, Any]]

SPLITS, ITEMS, NUMBERS = st.sampled_from(t.SPLITS), st.sampled_from(NAMES), st.integers(0, 9)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["draw", "edit", "label"]), SPLITS, ITEMS, NUMBERS),
    st.tuples(st.sampled_from(["add", "remove", "move"]), SPLITS, ITEMS, NUMBERS),
    st.tuples(st.sampled_from(["rename", "merge", "drop", "recolor"]), SPLITS, st.sampled_from(LABELS), NUMBERS),
    st.tuples(st.sampled_from(["undo", "delete"]), SPLITS, ITEMS, NUMBERS),
)


def content(store: SqlStore) -> Content:
    """Return what a snapshot restores: everything but ids, revisions, times and the order of images."""
    found: Content = {}
    for split in t.SPLITS:
        rows, marks, _ = store.tables(split)
        of_image = defaultdict(list)
        for mark in marks.drop(columns="created").to_dict("records"):
            of_image[mark["image"]].append(str(mark))
        for row in rows.drop(columns="revision").to_dict("records"):
            fields = {name: value for name, value in row.items() if isinstance(value, list) or not pd.isna(value)}
            found.setdefault(row["image"], {})[split] = fields, sorted(of_image[row["image"]])
    return found


def take(store: SqlStore, what: str, split: str, name: str, number: int) -> None:
    """Do something with an image in a dataset, or with a label, if that is possible."""
    row = store.images(split).query("image == @name")
    if what in ("draw", "edit", "label", "remove", "move") and row.empty:
        return
    other, label = t.SPLITS[t.SPLITS.index(split) == 0], LABELS[number % len(LABELS)]
    if what == "draw":
        box = {"image": name, "label": label, "left": number, "top": 0.1, "width": 3, "height": 5}
        marks = t.normalise_annotations(pd.DataFrame([box, {**box, "left": 2}][: 1 + number % 2]), annotator="ann")
        store.update_images(split, row.assign(status="labelled"), marks, ANN)
    elif what == "label":
        marks = t.label_images([name] if number % 4 else [], label, "bob")
        store.update_images(split, row.assign(status=t.STATUSES[number % 4]), marks, BOB)
    elif what == "edit":
        marks = store.tables(split, [name])[1]
        fields = {"tags": [[f"tag {number}"][: number % 2]], "camera": [None, 3, "left"][number % 3]}
        store.update_images(split, row.assign(status=t.STATUSES[number % 4], **fields), marks, ANN)
    elif what == "add":
        if row.empty:
            marks = t.label_images([name] if number % 2 else [], label, "ann")
            store.add_images(split, images(name, **FILES[name]), marks, BOB, source={"kind": "folder", "name": "more"})
    elif what == "remove":
        store.remove_images(split, row, BOB)
    elif what == "move":
        store.move_images([name], split, other, ANN)
    elif what == "rename":
        store.rename_label(name, f"{name} {number}", ANN)
    elif what == "merge":
        store.merge_labels(name, label, BOB)
    elif what == "drop":
        store.remove_label(name, ANN, with_annotations=True)
    elif what == "recolor":
        store.recolor_label(name, f"#{number}a3b5c", ANN)
    elif what == "delete":
        store.delete_dataset(split, ANN)
    else:
        store.undo(None, (ANN, BOB)[number % 2])


def take_all(store: SqlStore, steps: list[tuple[str, str, str, int]]) -> None:
    """Take steps, without those that the store refuses, for example since a label is gone."""
    for step in steps:
        with suppress(NotAllowedError, StaleEditError, ValueError):
            take(store, *step)


@settings(max_examples=many(50), derandomize=True)
@given(
    before=st.lists(STEPS, max_size=6),
    after=st.lists(STEPS, min_size=1, max_size=6),
    split=st.sampled_from([None, "train"]),
)
def test_restore_gives_the_state_of_the_snapshot_and_undo_the_state_before_it(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[tuple[str, str, str, int]],
    after: list[tuple[str, str, str, int]],
    split: str | None,
) -> None:
    store = create_store(str(tmp_path_factory.mktemp("restored") / "p.db"), "p")
    try:
        fill(store)
        take_all(store, before)
        store.take_snapshot("one", split, ANN)
        was, colors = content(store), store.labels()
        take_all(store, after)
        now, exact, labels = content(store), state(store), store.labels()

        expected = expected_content(was, now, split)
        changed = {name for name in was | now if now.get(name, {}) != expected.get(name, {})}
        assert set(store.compare_snapshots("one", None)["image"]) == changed
        assert store.restore_snapshot("one", BOB).count >= len(changed)
        assert content(store) == expected
        assert store.compare_snapshots("one", None).empty
        check_labels(store, colors, labels)
        assert store.restore_snapshot("one", BOB).count == 0

        if changed:
            restored = state(store)
            store.undo(None, BOB)
            assert state(store) == exact
            store.undo(store.last_action(), BOB)
            assert state(store) == restored
    finally:
        store.destroy()


def expected_content(was: Content, now: Content, split: str | None) -> Content:
    """Return the content after restoring ``was``, whose other dataset stays but for images that moved there."""
    if split is None:
        return was
    expected: Content = {name: {split: own[split]} for name, own in was.items() if split in own}
    for name, own in now.items():
        has_moved = name in expected and split not in own
        for other in own.keys() - {split}:
            if not has_moved:
                expected.setdefault(name, {})[other] = own[other]
    return expected


def check_labels(store: SqlStore, was: pd.DataFrame, now: pd.DataFrame) -> None:
    """Check that all labels are still there in their order, followed by those that came back with their color."""
    labels = store.labels()
    assert labels.head(len(now)).to_dict("records") == now.to_dict("records")
    back = labels.iloc[len(now) :].drop(columns="order", errors="ignore").to_dict("records")
    assert all(row in was.drop(columns="order", errors="ignore").to_dict("records") for row in back)
    assert set(store.annotations()["label"]) <= set(labels["label"])
