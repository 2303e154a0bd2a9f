"""Tests of work on a project with several workers: embeddings and cross-validation."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import customlabels_nb as cl
from customlabels_nb.datasets.splitting import stratified_folds
from customlabels_nb.errors import HelperError, InputError, NotEnoughDataError
from customlabels_nb.models.embeddings import embed
from customlabels_nb.models.feature_file import project_features
from customlabels_nb.training.trials import deal_folds
from customlabels_nb.workers import embedding
from tests.tiers import many


@pytest.fixture
def project(blots: dict[str, list[str]], tmp_path: Path) -> cl.Project:
    """Return a project with 18 images of three labels, one of which is damaged."""
    for label, paths in blots.items():
        (tmp_path / "photos" / label).mkdir(parents=True)
        for path in paths:
            shutil.copy(path, tmp_path / "photos" / label)
    made = cl.create_project("blots", tmp_path, task="single-label")
    made.add_images(tmp_path / "photos", labels_from="folders", progress=False)
    damaged = tmp_path / "photos" / "red" / "5.jpg"
    damaged.write_bytes(damaged.read_bytes()[:500])
    return made


def test_workers_store_the_features_of_a_project(
    project: cl.Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "_CHUNK", 5)
    unread = project.embed(workers=2, progress=False)
    damaged = str(tmp_path / "photos" / "red" / "5.jpg")
    assert unread[["code", "where"]].to_numpy().tolist() == [["IMAGE_TRUNCATED", damaged]]
    images = project.train_set.images
    readable = images["image"] != damaged
    cache = project_features(project.root)
    stored = embed([__file__] * 17, keys=images.loc[readable, "sha256"].tolist(), cache=cache)
    own = embed(images.loc[readable, "image"].tolist(), root=project.root)
    assert abs(stored.features - own.features).max() < 0.01
    assert project.embed("train", progress=False)["where"].tolist() == [damaged]


@pytest.mark.thorough
def test_folds_are_trained_by_workers(project: cl.Project) -> None:
    folds = deal_folds(project.train_set, 3)
    labels = dict(zip(project.train_set.images["image"], project.train_set.labels_of_images(), strict=True))
    for fold in range(3):
        own = sorted(labels[image][0] for image, at in folds.items() if at == fold)
        assert own == ["blue", "blue", "green", "green", "red", "red"]
    scores = project.cross_validate(3, workers=2, progress=False)
    assert scores[["fold", "random_state"]].to_numpy().tolist() == [[0, 0], [1, 0], [2, 0]]
    assert scores["test_images"].sum() == 17
    assert (scores["training_images"] + scores["test_images"] == 17).all()
    assert scores["f1"].between(0.5, 1).all()
    assert project.versions.empty


@settings(max_examples=many(40))
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from("stuvw"), st.integers(0, 9)),
        min_size=2,
        max_size=25,
    ),
    st.integers(2, 5),
    st.integers(0, 99),
)
def test_no_group_and_no_copy_is_in_two_folds(
    rows: list[tuple[str | None, str, int]], folds: int, random_state: int
) -> None:
    names = [f"{number}.jpg" for number in range(len(rows))]
    labels, cameras, contents = zip(*rows, strict=True)
    images = pd.DataFrame({"image": names, "sha256": [f"{content}" * 8 for content in contents], "camera": cameras})
    labelled = pd.DataFrame({"image": names, "label": labels}).dropna()
    dataset = cl.Dataset(images, labelled)
    pairs = images.merge(images, on="camera").rename(columns={"image_x": "image", "image_y": "other"})
    dealt = []
    for groups in ("camera", list(cameras), images["camera"].iloc[::-1], pairs, None):
        keys = ["sha256"] if groups is None else ["camera", "sha256"]
        units = dataset.groups_of_images(groups)
        count = len({unit for unit, label in zip(units, labels, strict=True) if label})
        if count < folds:
            with pytest.raises(InputError, match=f"folds={folds} must be at most {count},"):
                deal_folds(dataset, folds, groups=groups, random_state=random_state)
            continue
        fold = images["image"].map(deal_folds(dataset, folds, groups=groups, random_state=random_state))
        assert fold.isin(range(folds)).all()
        assert all((fold.groupby(images[key]).nunique() == 1).all() for key in keys)
        dealt += [fold.tolist()] * (groups is not None)
        if len(set(contents)) == len(rows) and groups is None:
            assert (
                fold.tolist() == stratified_folds(dataset.labels_of_images(), folds, random_state=random_state).tolist()
            )
    assert all(each == dealt[0] for each in dealt)


@pytest.mark.thorough
def test_each_fold_is_trained_though_one_has_a_single_label(blots: dict[str, list[str]], tmp_path: Path) -> None:
    made = cl.create_project("few", tmp_path, task="single-label")
    for label in ("red", "blue"):
        made.add_images(blots[label][:3], label=label, progress=False)
    scores = made.cross_validate(5, progress=False)
    assert (sorted(scores["test_images"]), scores.attrs["errors"]) == ([1, 1, 1, 1, 2], [])


def test_impossible_cross_validation_names_the_reason(project: cl.Project) -> None:
    for options, words in (
        ({"folds": 1}, "folds=1"),
        ({"folds": 19}, "folds=19 must be .* 18"),
        ({"repeats": 0}, "repeats=0"),
        ({"workers": 0}, "workers=0"),
        ({"groups": "camera"}, "groups='camera' is not a column"),
        ({"groups": ["a"] * 18}, "folds=5 must be at most 1, .* A group"),
        ({"groups": "source", "folds": None}, "groups need folds"),
    ):
        with pytest.raises(InputError, match=words):
            project.cross_validate(**options)  # type: ignore[arg-type]
    with pytest.raises(NotEnoughDataError, match="test"):
        project.cross_validate(None, repeats=2, progress=False)
    with pytest.raises(
        HelperError,
        match=r"^No trial could be trained\. The error of the first one, \{'fold': 0, 'random_state': 0\}: ",
    ) as caught:
        project.cross_validate(2, task="boxes", progress=False)
    assert caught.value.kind == "NotEnoughDataError"
