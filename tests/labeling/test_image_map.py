"""Tests of the map of images: places, colors and hits of a search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.errors import InputError, NotAllowedError
from customlabels_nb.events import Events
from customlabels_nb.labeling import image_map as image_map_module
from customlabels_nb.labeling.image_map import ImageMap, MapSession
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.labeling.similarity import SimilarityOrder
from customlabels_nb.models import map_layout
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.embeddings import describe_features
from customlabels_nb.models.feature_file import feature_key, project_features
from customlabels_nb.models.map_layout import MapLayouts
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from tests.labeling.fake_assist import FakeAssist, results
from tests.models.tiny_siglip import write_tiny_siglip
from tests.waiting import wait_until


def add_features(project: Project, names: list[str] | None = None) -> None:
    """Store random features of images, by default of all."""
    images = project.train_set.images
    chosen = images if names is None else images[images["image"].isin(names)]
    file = project_features(project.root).of(describe_features(PACKAGED))
    rows = np.random.default_rng(0).normal(size=(len(chosen), file.width))
    file.add([feature_key(content) for content in chosen["sha256"]], rows)


def lay_out_here(project: Project, split: str) -> None:
    """Store a layout of all images as that of a dataset, without a helper process and t-SNE, which take seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(map_layout, "_embed", lambda points, *rest: points[:, :2])
        MapLayouts(project.root, PACKAGED, split).compute(project.train_set.images["sha256"].tolist(), Events())


def map_of(
    session: LabellingSession,
    project: Project,
    camera: Callable[[pd.Index], Any] = lambda index: index % 14,
    model: str = PACKAGED,
) -> ImageMap:
    store = open_project_store(project.root)
    return ImageMap(
        session,
        model=lambda: model,
        images=lambda split: store.images(split).assign(camera=lambda rows: camera(rows.index)),
        columns=lambda: ["camera", "price"],
        similar=SimilarityOrder(project.root),
    )


def test_the_plane_is_shown_until_the_layout_is_stored(
    project: Project, session: LabellingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_features(project, session.table.names[:20])
    monkeypatch.setattr(map_layout, "embed", lambda *_, **options: None)  # as if the others were no images
    image_map = map_of(session, project)
    wait_until(lambda: not image_map.state()["is_final"], 60)
    state = image_map.state()
    assert (state["words"], state["error"]) == ("principal components", "")
    assert (state["without"], state["total"]) == (10, 30)
    wait_until(lambda: image_map.state()["progress"] is None, 60)
    done = image_map.state()
    assert (done["words"], done["progress"], done["error"]) == ("layout of 20 images", None, "")
    assert done["stamp"] != state["stamp"]
    before = image_map.layout().xy
    add_features(project)
    assert image_map.state()["words"] == "layout of 20 images, 10 placed by neighbours"
    assert np.array_equal(image_map.layout().xy[:20], before[:20])
    project.remove("train", session.table.names[:1])
    session.follow()
    assert np.isnan(image_map.layout().xy[0]).all()
    assert image_map.state()["without"] == 0
    image_map.lay_out_again()
    wait_until(lambda: image_map.progress is None, 60)
    assert image_map.state()["words"] == "layout of 29 images"
    table = project.map_layout(progress=False)
    assert np.allclose(table[["x", "y"]], image_map.layout().xy[1:])
    assert table["image"].tolist() == session.table.names[1:]
    assert table.attrs == {"laid_out": 29, "placed": 0, "without_features": 0}


def test_missing_features_of_the_packaged_network_are_computed_first(
    project: Project, session: LabellingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_features(project, session.table.names[:3])
    may_compute = Event()

    def embed_later(images: Any, *, events: Events, **options: Any) -> None:
        events.progress("features", 4, len(images))
        may_compute.wait(60)
        add_features(project, list(images))

    with monkeypatch.context() as patch:
        patch.setattr(map_layout, "embed", embed_later)
        patch.setattr(image_map_module, "lay_out", lambda *_: lay_out_here(project, "train"))
        image_map = map_of(session, project)
        wait_until(lambda: "4 of" in image_map.state()["error"])
        state = image_map.state()
        assert state["error"] == "The features of the images are computed first: 4 of 27."
        assert (state["without"], state["progress"]) == (30, None)
        may_compute.set()
        wait_until(lambda: image_map.state()["words"] == "layout of 30 images")
    Image.new("RGB", (20, 30), "red").save(project.root / "new.png")
    project.add_images(project.root / "new.png", progress=False)
    seen: list[tuple[str, int | None]] = []
    table = project.map_layout(progress=False, events=lambda event: seen.append((event.phase, event.total)))
    assert table.attrs == {"laid_out": 30, "placed": 1, "without_features": 0}
    assert set(seen) == {("features", 1)}


def test_closing_the_map_stops_computing_features(
    project: Project, session: LabellingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = Event()

    def embed_until_stopped(images: Any, *, events: Events, **options: Any) -> None:
        wait_until(lambda: events.is_cancelled, 60)
        stopped.set()

    monkeypatch.setattr(map_layout, "embed", embed_until_stopped)
    image_map = map_of(session, project)
    image_map.state()
    image_map.close()
    assert stopped.wait(60)


def test_without_features_of_another_network_there_is_a_sentence(
    tmp_path: Path, project: Project, session: LabellingSession
) -> None:
    model = str(tmp_path / "tiny")
    write_tiny_siglip(tmp_path / "tiny")
    project.embedding_model = model
    state = map_of(session, project, model=model).state()
    assert f"project.embed(model={model!r})" in state["error"]
    assert state["without"] == 30
    with pytest.raises(NotAllowedError, match="Compute them with"):
        project.map_layout(progress=False)
    for layout in (project.map, project.map_layout):
        with pytest.raises(InputError, match=r"random_state=-1 must be an integer from 0"):
            layout(random_state=-1)


def test_colors_by_label_and_column(project: Project, session: LabellingSession) -> None:
    names = session.table.names
    session.assign(names[:2], "pear")
    session.set_status(names[2:3], "skipped")
    image_map = map_of(session, project)
    assert image_map.label_codes()[:4].tolist() == [1, 1, -2, -1]
    assert np.isnan(image_map.values("label")[1][2:]).all()
    legend, values = image_map.values("status")
    assert legend["groups"] == [["unlabelled", 27], ["labelled", 2], ["skipped", 1]]
    assert values[:4].tolist() == [1, 1, 2, 0]
    legend, values = image_map.values("width")
    assert legend == {"low": 48.0, "high": 48.0}
    assert values.tolist() == [0.0] * 30
    legend, values = image_map.values("camera")
    assert legend == {"low": 0.0, "high": 13.0}
    assert values[[0, 13]].tolist() == [0, 1]
    image_map = map_of(session, project, lambda index: [f"<b>{number % 14}" for number in index])
    legend, values = image_map.values("camera")
    assert legend["groups"][0] == ["<b>0", 3]
    assert legend["groups"][12] == ["2 others", 4]
    assert values.max() == 12
    assert np.isnan(image_map.values("price")[1]).all()  # a column of the other dataset
    with pytest.raises(InputError, match="by='sha256'"):
        image_map.values("sha256")


def test_predictions_color_only_training_images(project: Project, session: LabellingSession) -> None:
    project.update("train", project.train_set.images[["image"]].assign(label="apple"))
    project.distribute(0.5)
    opened = LabellingSession(open_project_store(project.root), project.root)
    test_images = project.test_set.images["image"].tolist()
    names = [*opened.table.names[:3], *test_images]
    frame = pd.DataFrame({"image": names, "label": "pear", "confidence": 0.9})
    project.add_predictions(frame.assign(label=["apple", *["pear"] * (len(names) - 1)]), model="m")
    opened = MapSession(open_project_store(project.root), project.root)
    image_map = map_of(opened, project)
    legend, values = image_map.values("prediction")
    assert legend["groups"] == [["pear", 2], ["apple", 1]]
    assert values[:3].tolist() == [1, 0, 0]
    assert np.isnan(values[3:]).all()
    assert opened.row(names[1])["predicted"] == ["pear", 0.9]
    opened.open("test")
    with pytest.raises(InputError):
        image_map.values("prediction")
    rows = opened.rows(test_images)
    opened.add_shapes(rows)
    assert len(rows) == 15
    assert not any(row["predicted"] or row["prelabels"] or row["guesses"] for row in rows)


def test_suspects_color_only_training_images(project: Project) -> None:
    names = project.train_set.images["image"].tolist()
    assist = FakeAssist(results(names, suspects=[{"image": 4, "kind": "label", "given": "apple", "suggested": "pear"}]))
    assist.suspects = lambda: assist.results.suspects  # type: ignore[attr-defined, union-attr]
    opened = LabellingSession(open_project_store(project.root), project.root, assist=assist)
    image_map = map_of(opened, project)
    legend, values = image_map.values("suspect")
    assert legend["groups"] == [["suspect", 1]]
    assert np.flatnonzero(~np.isnan(values)).tolist() == [4]
    opened.open("test")
    assert "suspect" not in image_map.colorings()
    assert image_map.suspects() == set()
