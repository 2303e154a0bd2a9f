"""Tests of undo after labels were merged, removed or renamed, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from uuid import uuid4

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customlabels_nb.core import tables as t
from customlabels_nb.errors import NotAllowedError, StaleEditError
from customlabels_nb.store import Action, SqlStore
from tests.store.test_contract import images, labels_of
from tests.tiers import many

ANN, BOB = Action("update", "ann"), Action("update", "bob")


def label(store: SqlStore, image: str, *labels: str) -> int:
    """Give an image these labels, and return the action."""
    marks = t.normalise_annotations(pd.DataFrame({"image": image, "label": list(labels)}), annotator="ann")
    rows = t.settle_statuses(store.images("train").query("image == @image"), marks, changed=pd.Series([image]))
    return store.update_images("train", rows, marks, ANN).action or 0


def labels(store: SqlStore, image: str) -> set[str]:
    found = store.annotations("train").query("image == @image")["label"].tolist()
    assert len(found) == len(set(found))  # no image-level label twice
    return set(found)


def test_labels_that_were_merged_come_back_as_the_label_they_were_merged_into(store: SqlStore) -> None:
    store.add_images("train", images("a"), labels_of(a="apple"), ANN)
    label(store, "a", "apple", "aple")
    edit = label(store, "a", "pear")
    store.merge_labels("aple", "apple", BOB)
    store.rename_label("apple", "pomme", BOB)
    store.undo(edit, ANN)
    assert labels(store, "a") == {"pomme"}
    assert store.labels()["label"].tolist() == ["pomme"]


def test_labels_that_were_removed_block_undo(store: SqlStore) -> None:
    store.add_images("train", images("a"), labels_of(a="apple"), ANN)
    edit = label(store, "a", "pear")
    store.remove_label("apple", BOB)
    removal = store.last_action()
    with pytest.raises(NotAllowedError, match="label 'apple' of its annotations has been removed"):
        store.undo(edit, ANN)
    assert store.undo_refusal(edit) is not None
    store.undo(removal, BOB)
    store.undo(edit, ANN)
    assert labels(store, "a") == {"apple"}


@dataclass
class Edit:
    """Edit of an image or its undo: the action, the states before and after it, and the labels before it."""

    action: int
    image: str
    start: int
    end: int
    labels: set[int]
    undoer: Edit | None = None

    @property
    def is_undone(self) -> bool:
        return self.undoer is not None and not self.undoer.is_undone


@dataclass
class Model:
    """What the labels of images should be. A label has a number, which stays when it is renamed."""

    names: dict[int, str]
    of: dict[str, set[int]]
    into: dict[int, int | None] = field(default_factory=dict)  # of merged and removed labels
    state: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # of images, the same after undo
    edits: list[Edit] = field(default_factory=list)
    fresh: Iterator[int] = field(default_factory=lambda: count(1))

    def now(self, number: int) -> int | None:
        """Return what a label is today: itself, the label it was merged into, or None if that was removed."""
        while number not in self.names:
            into = self.into[number]
            if into is None:
                return None
            number = into
        return number

    def change(self, number: int, into: int | None) -> None:
        """Rename a label into itself, merge it into another one, or remove it (None)."""
        if into != number:
            del self.names[number]
            self.into[number] = into
        for image, numbers in self.of.items():
            if number in numbers:
                self.of[image] = numbers - {number} | ({into} if into is not None else set())
                self.state[image] = next(self.fresh)

    def edit(self, store: SqlStore, image: str, wanted: set[int]) -> None:
        if wanted != self.of[image]:
            done = label(store, image, *(self.names[number] for number in sorted(wanted)))
            self.edits.append(Edit(done, image, self.state[image], next(self.fresh), self.of[image]))
            self.of[image], self.state[image] = wanted, self.edits[-1].end

    def undo(self, store: SqlStore, edit: Edit) -> None:
        """Undo an edit, or check why it is refused."""
        restored = {self.now(number) for number in edit.labels}
        if edit.is_undone or self.state[edit.image] != edit.end:
            with pytest.raises(NotAllowedError if edit.is_undone else StaleEditError, match=r"already|since then"):
                store.undo(edit.action, ANN)
        elif None in restored:
            with pytest.raises(NotAllowedError, match="has been removed"):
                store.undo(edit.action, ANN)
        else:
            done = store.undo(edit.action, ANN).action or 0
            edit.undoer = Edit(done, edit.image, edit.end, edit.start, self.of[edit.image])
            self.edits.append(edit.undoer)
            self.of[edit.image], self.state[edit.image] = {n for n in restored if n is not None}, edit.start


STEP = st.tuples(
    st.sampled_from(["edit", "edit", "edit", "merge", "remove", "rename", "undo", "undo", "undo"]),
    st.integers(0, 50), st.integers(0, 50), st.booleans(),
)  # fmt: skip


@pytest.mark.storing
@settings(max_examples=many(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=4, max_size=25))
def test_undo_agrees_with_a_model_of_labels(
    reopen: Callable[[], SqlStore], steps: list[tuple[str, int, int, bool]]
) -> None:
    stores, run = (reopen(), reopen()), uuid4().hex
    model = Model({number: f"{run} {number}" for number in range(3)}, {f"{run} {letter}": set() for letter in "ab"})
    stores[0].add_labels([(name, None) for name in model.names.values()], ANN)
    stores[0].add_images("train", images(*model.of), t.empty(t.ANNOTATION_COLUMNS), ANN)
    for what, one, two, by_second in steps:
        store, alive, image = stores[by_second], sorted(model.names), sorted(model.of)[one % 2]
        number, target = alive[one % len(alive)], alive[two % len(alive)]
        if what == "edit":
            model.edit(store, image, {n for n in alive if two >> n & 1} or {number})
        elif what == "undo" and model.edits:
            latest = [edit for edit in model.edits if model.state[edit.image] == edit.end]
            chosen = latest if latest and two % 4 else model.edits  # mostly those that can be undone
            model.undo(store, chosen[two % len(chosen)])
        elif what == "rename":
            old, model.names[number] = model.names[number], f"{run} new {next(model.fresh)}"
            store.rename_label(old, model.names[number], BOB)
            model.change(number, number)
        elif what == "merge" and number != target:
            store.merge_labels(model.names[number], model.names[target], BOB)
            model.change(number, target)
        elif what == "remove" and len(alive) > 1:
            store.remove_label(model.names[number], BOB, with_annotations=True)
            model.change(number, None)
        for image, wanted in model.of.items():
            assert labels(store, image) == {model.names[n] for n in wanted}
