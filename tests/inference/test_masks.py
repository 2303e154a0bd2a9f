"""Tests of detectors with masks: polygons of detections, tables, files, videos, engines and exports."""

import base64
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageOps

from customlabels_nb.core.masks import polygon_to_mask
from customlabels_nb.core.polygons import rings_of
from customlabels_nb.inference.detect_many import detect_many
from customlabels_nb.inference.detection import detect
from customlabels_nb.inference.exporting.detect import outlines, polygon_of, simplified
from customlabels_nb.inference.exporting.export import export
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.video import detect_video
from customlabels_nb.models.artifact import load_artifact, save_artifact
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.canvas import to_canvas
from customlabels_nb.models.detector import ImageDetector
from customlabels_nb.models.detector import detect as find
from customlabels_nb.models.detector_building import build_detector
from tests.inference.videos import write_video
from tests.models.pictures import gradient

TINY = "timm/test_resnet.r160_in1k"

CELLS = np.hypot(*(np.mgrid[:28, :28] + 0.5 - 14))


@pytest.fixture(scope="module")
def folder(detector_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an untrained detector with masks, most of which have several parts."""
    return write_detector(detector_folder, tmp_path_factory.mktemp("masks"), PACKAGED)


def write_detector(detector_folder: Path, found: Path, backbone: str) -> Path:
    config = load_artifact(detector_folder)[1]
    assert config.detector is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        network = build_detector(config.detector, 2, backbone, masks=True)
        assert network.masks is not None
        for parameter in network.masks.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    save_artifact(found, network, replace(config, task="polygons", backbone=backbone))
    return found


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Predictor:
    started = Predictor(folder)
    started.start("cpu", engine="torch")
    return started


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        gradient(300 + 40 * number, 400 - 30 * number).save(path)
    return [str(path) for path in paths]


# -- outlines --------------------------------------------------------------------------------------------
def test_an_outline_is_where_the_probability_is_a_half() -> None:
    disc = 1 / (1 + np.exp(3 * (CELLS - 10)))
    polygon = polygon_of(disc, (20, 40, 300, 320), (400, 400), 0.5)
    y, x = np.mgrid[:400, :400] + 0.5
    truth, found = np.hypot(x - 160, y - 180) < 100, polygon_to_mask(polygon, (400, 400)).astype(bool)
    assert (truth & found).sum() / (truth | found).sum() > 0.98
    assert len(polygon) < 50
    parts = polygon_of((CELLS < 12) & (CELLS > 5), (0, 0, 280, 280), (280, 280), 0.5)
    assert len(parts) == 2  # a ring and its hole
    assert polygon_to_mask(parts, (280, 280)).mean() == pytest.approx(((CELLS < 12) & (CELLS > 5)).mean(), abs=0.01)


def test_two_views_detect_the_same_in_a_mirrored_image(predictor: Predictor) -> None:
    image = gradient(128, 96)
    alone = predictor.boxes([image])[0]
    predictor.start(views=2)
    found, mirrored = predictor.boxes([image, ImageOps.mirror(image)])
    predictor.start(views=1)
    assert found.masks is not None
    assert mirrored.masks is not None
    boxes, inside = mirrored.boxes.copy(), mirrored.masks.inside[:, :, ::-1]
    boxes[:, 0] = image.width - boxes[:, 0] - boxes[:, 2]
    assert len(found.labels) == len(boxes) < 2 * len(alone.labels)
    assert found.confidences == pytest.approx(mirrored.confidences, abs=1e-5)
    for row, confidence in enumerate(found.confidences):
        same = np.isclose(mirrored.confidences, confidence, atol=1e-5) & (mirrored.labels == found.labels[row])
        other = np.flatnonzero(same)[np.abs(boxes[same] - found.boxes[row]).max(axis=1).argmin()]
        assert boxes[other] == pytest.approx(found.boxes[row], abs=1e-3)
        np.testing.assert_allclose(inside[other], found.masks.inside[row], atol=1e-3)
        left, top, right, bottom = mirrored.masks.regions[other]
        region = image.width - right, top, image.width - left, bottom
        assert region == pytest.approx(tuple(found.masks.regions[row]), abs=1e-3)


def test_an_outline_stays_inside_the_image_and_is_never_empty() -> None:
    whole = np.array(polygon_of(np.ones((28, 28)), (-50, 20, 110, 220), (100, 300), 0.5))
    assert (*whole.min(axis=0), *whole.max(axis=0)) == (0, 20, 100, 220)
    low = np.array(polygon_of(np.full((28, 28), 0.1), (10, 20, 110, 220), (300, 300), 0.5))
    assert (*low.min(axis=0), *low.max(axis=0)) == (10, 20, 110, 220)
    for mask in (np.zeros((28, 28)), np.eye(28) * 0):
        assert polygon_of(mask, (10, 20, 11, 22), (300, 300), 0.5) == [[10, 20], [11, 20], [11, 22], [10, 22]]


@pytest.mark.parametrize("random_state", range(3))
def test_outlines_of_any_mask_are_closed_and_enclose_its_cells(random_state: int) -> None:
    mask = np.random.default_rng(random_state).random((28, 28))
    rings = [ring * 28 for ring in outlines(mask)]
    inside = polygon_to_mask([ring.tolist() for ring in rings], (28, 28)).astype(bool)
    assert (inside == (mask > 0.5)).mean() > 0.75  # the others are cut by an outline
    points = np.concatenate(rings)
    assert (points > -0.5).all()
    assert (points < 28.5).all()


def test_simplified_rings_stay_within_the_tolerance() -> None:
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    ring = np.stack([100 * np.cos(angles), 60 * np.sin(angles)], axis=1).tolist()
    kept = np.array(simplified(ring, 0.5))
    assert 10 < len(kept) < 60
    following = np.roll(kept, -1, axis=0)
    for point in np.array(ring):
        along, to = following - kept, point - kept
        share = np.clip((along * to).sum(axis=1) / (along**2).sum(axis=1), 0, 1)
        assert np.linalg.norm(to - share[:, None] * along, axis=1).min() <= 0.5 + 1e-9


# -- detections ------------------------------------------------------------------------------------------
def test_detections_have_a_polygon_beside_their_box(predictor: Predictor, photos: list[str]) -> None:
    found = detect(predictor, photos[0], threshold=0.1, max_results=5)
    assert list(found.table.columns)[-1] == "polygon"
    assert len(found.table) == 5
    size = np.array(found.image.size)
    assert any(len(rings_of(polygon)) > 1 for polygon in found.table["polygon"])
    for (left, top, width, height, polygon), entry in zip(
        found.table[["left", "top", "width", "height", "polygon"]].itertuples(index=False),
        found.response["CustomLabels"],
        strict=True,
    ):
        points = np.concatenate(rings_of(polygon))
        assert (points >= np.array([left, top]) - 0.01).all()
        assert (points <= np.array([left + width, top + height]) + 0.01).all()
        ratios = np.array([[point["X"], point["Y"]] for point in entry["Geometry"]["Polygon"]])
        assert len(ratios) >= len(points)
        assert {tuple(one) for one in (ratios * size).round(2)} == {tuple(one) for one in points.round(2)}
        assert entry["Geometry"]["BoundingBox"]["Left"] == left / size[0]
    json.dumps(found.response)
    html = found._repr_html_()
    assert "evenodd" in html
    drawn = np.asarray(found.draw())
    plain = np.asarray(replace(found, table=found.table.drop(columns="polygon")).draw())
    assert drawn.shape == plain.shape
    assert (drawn != plain).any()
    assert base64.b64encode(found._repr_mimebundle_()["image/jpeg"])


def test_masks_are_computed_only_above_the_threshold(predictor: Predictor, folder: Path) -> None:
    network, config = load_artifact(folder)
    assert isinstance(network, ImageDetector)
    canvas = to_canvas(gradient(300, 200), config.input_size, config.fill)
    every = find(network, [canvas], config.mean, config.std, "cpu")[0]
    limit = float(np.median(every.confidences))
    some = find(network, [canvas], config.mean, config.std, "cpu", np.full(2, limit))[0]
    assert every.masks is not None
    assert some.masks is not None
    assert np.array_equal(every.boxes, some.boxes)
    computed = some.confidences >= limit
    assert np.isnan(some.masks.inside[~computed]).all()
    assert 0 < computed.sum() < len(computed)
    np.testing.assert_allclose(some.masks.inside[computed], every.masks.inside[computed], atol=1e-5)
    assert not np.isnan(every.masks.inside).any()


def test_tables_and_files_have_the_polygons(predictor: Predictor, photos: list[str], tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    table = detect_many(predictor, photos, threshold=0.2, max_results=4)
    single = detect(predictor, photos[1], threshold=0.2, max_results=4).table
    own = table[table["image"] == photos[1]]
    assert own["polygon"].tolist() == single["polygon"].tolist()
    assert len(own)
    for name in ("found.jsonl", "found"):
        written = detect_many(predictor, photos, threshold=0.2, max_results=4, to=tmp_path / name)
        read = written.table()  # type: ignore[union-attr]
        assert read.columns.tolist() == table.columns.tolist()
        for one, other in zip(read["polygon"], table["polygon"], strict=True):
            size = (400, 400)
            assert (polygon_to_mask(one, size) != polygon_to_mask(other, size)).mean() < 1e-4
    with pytest.warns(UserWarning, match=r"Manifests have no polygons, so to=.*found.manifest") as warned:
        boxed = detect_many(predictor, photos, threshold=0.2, max_results=4, to=tmp_path / "found.manifest")
    assert warned[0].filename == __file__  # the line of the user
    assert len(boxed.table()) == len(table)  # type: ignore[union-attr]
    nothing = detect_many(predictor, photos, threshold=1.0, to=tmp_path / "nothing").table()  # type: ignore[union-attr]
    assert nothing.columns.tolist() == table.columns.tolist()
    assert nothing.empty


def test_videos_have_the_polygons(predictor: Predictor, tmp_path: Path) -> None:
    pytest.importorskip("av")
    write_video(tmp_path / "short.mp4", [gradient(160, 120)] * 4)
    found = detect_video(predictor, tmp_path / "short.mp4", every=2, threshold=0.2, max_results=3, to=tmp_path / "out")
    assert len(found.table) == 6
    assert found.table["polygon"].notna().all()
    assert all("Polygon" in entry["Geometry"] for entry in found.response["CustomLabels"])
    assert found.video is not None
    assert found.video.is_file()
    assert "evenodd" in replace(found, video=None)._repr_html_()


@pytest.mark.thorough
def test_onnxruntime_gives_the_same_masks(predictor: Predictor, folder: Path, photos: list[str]) -> None:
    fast = Predictor(folder)
    fast.start("cpu", engine="onnx")
    assert_same_masks(detect(fast, photos[0]).table.to_dict("records"), detect(predictor, photos[0]).table, photos[0])


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["onnx", "pt2"])
def test_an_exported_program_gives_the_same_masks(
    detector_folder: Path, photos: list[str], tmp_path: Path, name: str
) -> None:
    pytest.importorskip("onnxscript")
    folder = write_detector(detector_folder, tmp_path / "tiny", TINY)  # is exported quickly
    predictor = Predictor(folder)
    predictor.start("cpu", engine="torch")
    written = export(folder, "masks.1", name, tmp_path / name, pictures=photos[:1])
    assert written.difference < 1e-4
    program = [sys.executable, str(written.program), photos[0]]
    found = subprocess.run(program, capture_output=True, check=True, timeout=300).stdout
    assert_same_masks(json.loads(found)["found"], detect(predictor, photos[0]).table, photos[0])


def assert_same_masks(rows: list[dict[str, Any]], truth: pd.DataFrame, photo: str) -> None:
    size = Image.open(photo).size
    assert len(rows) == len(truth) > 0
    for row, expected in zip(rows, truth.to_dict("records"), strict=True):
        assert row["confidence"] == pytest.approx(expected["confidence"], abs=1e-3)
        same = polygon_to_mask(row["polygon"], size) == polygon_to_mask(expected["polygon"], size)
        assert same.mean() > 0.999
