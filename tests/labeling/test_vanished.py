"""Tests of sessions whose images or labels somebody else removes, moves, renames or merges."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customlabels_nb.errors import CustomLabelsError, InputError
from customlabels_nb.labeling.drawing import DrawingSession, Shape
from customlabels_nb.labeling.review import ReviewSession
from customlabels_nb.labeling.session import EditResult, LabellingSession
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from customlabels_nb.store import Action, SqlStore
from tests.images.pictures import write_folder
from tests.labeling.conftest import named
from tests.tiers import many

BOX = Shape("apple", 1, 1, 10, 10)
Session = LabellingSession | ReviewSession | DrawingSession

EDITS: Mapping[str, Callable[[Session, list[str]], EditResult]] = {
    "assign": lambda s, images: s.assign(images, "apple"),
    "take away": lambda s, images: s.assign(images, "apple", on=False),
    "toggle": lambda s, images: s.toggle(images, "apple"),
    "set labels": lambda s, images: s.set_labels(images, ["apple", "pear"]),
    "clear": lambda s, images: s.clear(images),
    "skip": lambda s, images: s.set_status(images, "skipped", remove_labels=True),
    "submit": lambda s, images: s.submit(images),
    "accept": lambda s, images: s.accept_predictions(images),
    "accept seen": lambda s, images: s.accept_predictions(images, seen={name: ["apple"] for name in images}),
    "draw": lambda s, images: DrawingSession.set_shapes(s, images[0], [BOX], labels=["apple"]),  # type: ignore[arg-type]
    "draw nothing": lambda s, images: DrawingSession.set_shapes(s, images[0], []),  # type: ignore[arg-type]
    "approve": lambda s, images: ReviewSession.approve(s, images),  # type: ignore[arg-type]
    "correct": lambda s, images: ReviewSession.correct(s, images, "apple"),  # type: ignore[arg-type]
    "correct pear": lambda s, images: ReviewSession.correct(s, images, "apple", instead_of="pear"),  # type: ignore[arg-type]
    "correct toggling": lambda s, images: ReviewSession.correct_toggling(s, images, "apple"),  # type: ignore[arg-type]
    "take suggestions": lambda s, images: ReviewSession.take_suggestions(s, images),  # type: ignore[arg-type]
    "reject": lambda s, images: ReviewSession.reject(s, images),  # type: ignore[arg-type]
}
READS: Mapping[str, Callable[[Session, list[str]], object]] = {
    "rows": lambda s, images: s.rows(images),
    "shapes": lambda s, images: [DrawingSession.shapes(s, name) for name in images],  # type: ignore[arg-type]
    "selected": lambda s, images: s.selected(images),
    "facts": lambda s, images: [(s.data_of(name), s.content_of(name), s.place_of(name)) for name in images],
    "undo": lambda s, images: s.undo(),
    "redo": lambda s, images: s.redo(),
}
#: What somebody else does to an image.
FATES: Mapping[str, Callable[[Project, str], object]] = {
    "stays": lambda project, image: None,
    "removed": lambda project, image: project.remove("train", [image]),
    "moved": lambda project, image: open_project_store(project.root).move_images(
        [image], "train", "test", Action("move", "bob")
    ),
}
#: What somebody else does to the label "apple".
LABEL_FATES: Mapping[str, Callable[[Project], object]] = {
    "stays": lambda project: None,
    "removed": lambda project: project.labels.remove("apple", with_annotations=True),
    "renamed": lambda project: project.labels.rename("apple", "pomme"),
    "merged": lambda project: project.labels.merge("apple", into="pear"),
}


def kind_of(name: str) -> type[Session]:
    """Return the session that has this method."""
    if name.startswith(("draw", "shapes")):
        return DrawingSession
    return ReviewSession if name in ("approve", "reject", "take suggestions") or "correct" in name else LabellingSession


@settings(max_examples=many(40))
@given(
    name=st.sampled_from([*EDITS, *READS]),
    fates=st.lists(st.sampled_from([*FATES]), min_size=2, max_size=2),
    label=st.sampled_from([*LABEL_FATES]),
    follows=st.booleans(),
)
def test_edits_leave_out_images_that_others_removed(name: str, fates: list[str], label: str, follows: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_folder(Path(folder, "photos"), {"apple": 2, "pear": 1})
        project = create_project("p", folder, task="multi-label")
        project.add_images(Path(folder, "photos"), labels_from="folders", progress=False)
        images = project.train_set.images["image"].tolist()[:2]
        found = pd.DataFrame({"image": images, "label": "apple", "confidence": 0.9})
        project.add_predictions(found, model="m")
        store = open_project_store(project.root)
        session = kind_of(name)(store, project.root, user="anna")
        session.set_status(images, "needs_review")
        session.set_status(images, "labelled")
        session.undo()
        for image, fate in zip(images, fates, strict=True):
            FATES[fate](project, image)
        LABEL_FATES[label](project)
        if follows:
            session.follow()
        before = {image: store.tables("train", [image])[0]["revision"].tolist() for image in images}
        edit = EDITS.get(name)
        gone = {image for image, fate in zip(images, fates, strict=True) if fate != "stays"}
        try:
            with session.giving(*(["apple"] if name in ("assign", "draw", "set labels") else [])):
                outcome = edit(session, images) if edit else READS[name](session, images)
        except CustomLabelsError:  # the page shows its text
            changed = {image: store.tables("train", [image])[0]["revision"].tolist() for image in images}
            assert changed == before
        else:
            if isinstance(outcome, EditResult) and edit and outcome.what:
                asked = images[:1] if name.startswith("draw") else images
                assert set(outcome.gone) <= gone & set(asked)
                assert not gone & set(outcome.images)
                if name in ("assign", "clear", "skip", "submit", "draw", "approve", "reject"):
                    assert set(outcome.gone) == gone & set(asked)
        assert not gone & set(project.train_set.images["image"])
        project.close()
        store.close()


def test_a_drawing_of_a_removed_image_can_be_stored_after_adding_the_image_again(
    project: Project, store: SqlStore
) -> None:
    session = DrawingSession(store, project.root, user="anna")
    image = named(session, 3)[0]
    project.remove("train", [image])
    outcome = session.set_shapes(image, [BOX], revision=1)
    assert (outcome.images, outcome.gone) == ((), (image,))
    with pytest.raises(InputError, match="has been removed from the train set"):
        session.shapes(image)
    session.add_again(image)
    assert session.set_shapes(image, [BOX]).images == (image,)
    assert session.shapes(image)["shapes"][0]["label"] == "apple"
    assert project.train_set.annotations["image"].tolist() == [image]


def test_a_copy_keeps_its_name_when_it_is_added_again(project: Project, photos: Path, store: SqlStore) -> None:
    project.remove("train", project.train_set.images["image"].tolist())
    project.add_images(photos, copy=True, progress=False)
    session = DrawingSession(store, project.root, user="anna")
    image, sources = session.table.names[-1], store.dataset("train").sources  # type: ignore[union-attr]
    project.remove("train", [image])
    session.add_again(image)
    assert session.set_shapes(image, [BOX]).images == (image,)
    assert store.dataset("train").sources == sources  # type: ignore[union-attr]


def test_an_image_without_a_file_is_not_added_again(project: Project, store: SqlStore) -> None:
    session = DrawingSession(store, project.root, user="anna")
    image = named(session, 3)[0]
    project.remove("train", [image])
    Path(image).unlink()
    with pytest.raises(InputError, match=r"3\.png' cannot be added again: cannot be read"):
        session.add_again(image)
    assert image not in project.train_set.images["image"].tolist()
