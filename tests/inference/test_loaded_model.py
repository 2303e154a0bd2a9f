"""Tests of models from folders and zip files of any origin: they run, and no code in them does."""

from __future__ import annotations

import gc
import json
import os
import pickle
import shutil
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import ArtifactError, InputError
from customlabels_nb.models.artifact import CONFIG, WEIGHTS
from customlabels_nb.models.weights_file import MOST_HEADER_BYTES
from customlabels_nb.project.location import DATABASE
from customlabels_nb.store import open_store
from tests.waiting import wait_until


@pytest.fixture
def copied(model_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of the classifier's folder."""
    return Path(shutil.copytree(model_folder, tmp_path / "fruit.2026-11-20"))


def change(folder: Path, **values: Any) -> None:
    content = json.loads((folder / CONFIG).read_text()) | values
    (folder / CONFIG).write_text(json.dumps(content))


def zipped(archive: Path, **members: Path | bytes) -> Path:
    """Write a zip file with these members."""
    with zipfile.ZipFile(archive, "w") as written:
        for name, content in members.items():
            data = content if isinstance(content, bytes) else content.read_bytes()
            written.writestr(name.replace("__", "/"), data)
    return archive


def test_a_copy_of_a_folder_runs_without_its_project(copied: Path, blots: dict[str, list[str]]) -> None:
    model = cl.load_model(copied)
    assert (model.name, model.task, model.labels) == ("fruit.2026-11-20", "single-label", ("red", "green", "blue"))
    assert model.thresholds == {"red": 0.4, "green": 0.5, "blue": 0.5}
    assert model.folder == copied
    assert repr(model) == "LoadedModel('fruit.2026-11-20', single-label, 3 labels, stopped)"
    with model.started("cpu"):
        assert "running on cpu" in repr(model)
        assert model.detect(blots["green"][0]).table["label"].tolist() == ["green"]
        found = model.detect_many(blots["red"], progress=False)
    assert found["label"].tolist() == ["red"] * 6
    assert "stopped" in repr(model)
    model.stop()
    assert "<bdi>green</bdi>" in model._repr_html_()


def test_first_detection_starts_the_model(
    copied: Path, blots: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    model = cl.load_model(str(copied))
    assert model.detect(blots["blue"][0]).table["label"].tolist() == ["blue"]
    assert "fruit.2026-11-20 was not running" in capsys.readouterr().out
    model.stop()


def test_loaded_detector_runs(detector_folder: Path, blots: dict[str, list[str]]) -> None:
    model = cl.load_model(detector_folder)
    with model.started("cpu"):
        assert model.detect(blots["red"][0], threshold=0).table["width"].notna().all()


@pytest.mark.parametrize("inside", ["", "fruit.2026-11-20__", "deep__er__fruit.2026-11-20__"])
def test_zipped_model_runs(model_folder: Path, tmp_path: Path, blots: dict[str, list[str]], inside: str) -> None:
    names = {f"{inside}{name}": model_folder / name for name in (CONFIG, WEIGHTS)}
    archive = zipped(tmp_path / "mailed.zip", **names, **{f"{inside}evaluation__notes.txt": b"not read"})
    model = cl.load_model(archive)
    folder = model.folder
    assert model.name == ("fruit.2026-11-20" if inside else "mailed")
    assert sorted(path.name for path in folder.iterdir()) == [CONFIG, WEIGHTS]
    with model.started("cpu"):
        assert model.detect(blots["green"][0]).table["label"].tolist() == ["green"]
    del model
    gc.collect()
    assert not folder.exists()


def test_error_names_a_folder_without_a_model(tmp_path: Path, copied: Path) -> None:
    with pytest.raises(ArtifactError, match=r"nowhere' contains no model"):
        cl.load_model(tmp_path / "nowhere")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ArtifactError, match=r"photo\.jpg.* as a zip file"):
        cl.load_model(tmp_path / "photo.jpg")
    with pytest.raises(ArtifactError, match="contains 0 models"):
        cl.load_model(zipped(tmp_path / "none.zip", **{"a.txt": b"a"}))
    names = {f"{home}__{name}": copied / name for home in ("one", "two") for name in (CONFIG, WEIGHTS)}
    with pytest.raises(ArtifactError, match="contains 2 models"):
        cl.load_model(zipped(tmp_path / "two.zip", **names))
    with pytest.raises(InputError, match="is a URL"):
        cl.load_model("https://example.com/model.zip")
    project = cl.create_project("shop", tmp_path)
    with pytest.raises(ArtifactError, match="is a project"):
        cl.load_model(project.root)


# -- untrusted models -------------------------------------------------------------------------------
class Payload:
    """Object that runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
@pytest.mark.parametrize("as_torch", [True, False])
def test_a_pickle_is_never_loaded(copied: Path, tmp_path: Path, name: str, as_torch: bool) -> None:
    import torch

    mark = tmp_path / "it ran"
    if as_torch:
        torch.save(Payload(mark), copied / name)
    else:
        (copied / name).write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(ArtifactError, match=name):
        cl.load_model(copied).start("cpu")
    assert not mark.exists()
    pickle.loads(pickle.dumps(Payload(mark)))  # noqa: S301  # the payload is one
    assert mark.exists()


def header(length: int, text: bytes, rest: bytes = b"") -> bytes:
    return length.to_bytes(8, "little") + text + rest


@pytest.mark.parametrize(
    "content",
    [
        header(2**63, b"{}"),
        header(MOST_HEADER_BYTES + 1, b"{" + b" " * MOST_HEADER_BYTES + b"}"),
        header(200_000, b"[" * 200_000),
        header(2, b"{}"),
        header(9, b'{"a": []}'),
        header(24, b'{"a": {"shape": ["x"]}} '),
        header(26, b'{"head.bias": {"shape":1}}'),
        header(50, b'{"head.weight":{"dtype":"F32","shape":[9999999999]}'[:49] + b"}"),
        header(92, b'{"head.weight":{"dtype":"F32","shape":[3,1280],"data_offsets":[0,99999999999999]}}'.ljust(92)),
    ],
)
def test_wrong_header_is_refused(copied: Path, content: bytes) -> None:
    (copied / WEIGHTS).write_bytes(content)
    with pytest.raises(ArtifactError, match=WEIGHTS):
        cl.load_model(copied).start("cpu")


def test_wrong_offsets_are_refused(copied: Path) -> None:
    data = (copied / WEIGHTS).read_bytes()
    length = int.from_bytes(data[:8], "little")
    known = json.loads(data[8 : 8 + length])
    known["head.bias"]["data_offsets"] = [0, 1 << 50]
    text = json.dumps(known).encode()
    (copied / WEIGHTS).write_bytes(header(len(text), text, data[8 + length :]))
    with pytest.raises(ArtifactError, match=rf"{WEIGHTS}.* damaged"):
        cl.load_model(copied).start("cpu")


def test_sizes_that_no_memory_holds_are_refused_before_any_is_taken(copied: Path, detector_folder: Path) -> None:
    labels = [str(number) for number in range(200_000)]
    change(copied, labels=labels, colors=["#000000"] * len(labels), thresholds={})
    with pytest.raises(ArtifactError, match=r"far larger than the file"):
        cl.load_model(copied).start("cpu")
    change(copied, labels=["red", "green", "blue"], colors=["#000000"] * 3, input_size=10**9)
    with pytest.raises(ArtifactError, match="input_size"):
        cl.load_model(copied)
    shape = json.loads((detector_folder / CONFIG).read_text())["detector"]
    shutil.copyfile(detector_folder / CONFIG, copied / CONFIG)
    shutil.copyfile(detector_folder / WEIGHTS, copied / WEIGHTS)
    change(copied, detector={**shape, "channels": 4096, "hidden": 4096})  # several gigabytes
    with pytest.raises(ArtifactError, match=r"far larger than the file"):
        cl.load_model(copied).start("cpu")
    change(copied, detector={**shape, "anchors": [[8.0] * 1000] * 3})
    with pytest.raises(ArtifactError, match="anchors"):
        cl.load_model(copied)


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_pipes_are_refused_without_waiting(copied: Path, name: str, kind: str) -> None:
    (copied / name).unlink()
    if kind == "pipe":
        os.mkfifo(copied / name)
    elif kind == "device":
        (copied / name).symlink_to("/dev/zero")
    else:
        (copied / name).mkdir()
    with pytest.raises(ArtifactError, match=name):
        cl.load_model(copied).start("cpu")


def test_oversized_config_is_refused(copied: Path) -> None:
    with (copied / CONFIG).open("ab") as file:
        file.truncate(1 << 40)  # takes no space on the disk
    with pytest.raises(ArtifactError, match=rf"{CONFIG}.* more than"):
        cl.load_model(copied)


def test_wrong_types_in_the_config_are_refused(copied: Path, detector_folder: Path) -> None:
    shutil.copyfile(detector_folder / CONFIG, copied / CONFIG)
    whole = json.loads((copied / CONFIG).read_text())
    wrong = [None, True, -1, 10**400, 1e308, "x", "../../etc/passwd", [], [[]], [None], {}, {"a": {}}, ["\ud800", "b"]]
    places = [(key,) for key in whole] + [("detector", key) for key in whole["detector"]]
    refused = 0
    for place in places:
        for value in wrong:
            content = json.loads(json.dumps(whole))
            inner = content if len(place) == 1 else content["detector"]
            inner[place[-1]] = value
            (copied / CONFIG).write_text(json.dumps(content))
            try:
                cl.load_model(copied)
            except ArtifactError:
                refused += 1
            else:
                assert (place, value) in [
                    *((("training",), fine) for fine in ({}, {"a": {}})),
                    (("thresholds",), {}),
                    (("view_thresholds",), {}),
                    (("detector", "votes"), True),
                    (("detector", "cascade"), True),
                ], (place, value)
    assert refused > 150


def test_zip_members_stay_in_the_folder(model_folder: Path, tmp_path: Path) -> None:
    names = {f"..__..__{name}": model_folder / name for name in (CONFIG, WEIGHTS)}
    model = cl.load_model(zipped(tmp_path / "x.zip", **names))
    assert sorted(path.name for path in model.folder.iterdir()) == [CONFIG, WEIGHTS]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.zip"]
    assert model.name == "x"


def test_zip_bomb_is_refused(model_folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        written.write(model_folder / CONFIG, CONFIG)
        written.writestr(WEIGHTS, bytes(50_000_000))
    with pytest.raises(ArtifactError, match="zip bomb"):
        cl.load_model(archive)


def test_hostile_names_stay_text(model_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model_folder, tmp_path / "<img src=x onerror=alert(1)>\n\x1b[2J"))
    model = cl.load_model(folder)
    assert "<img" not in model._repr_html_()
    assert "\x1b" not in repr(model)


# -- adding its predictions to a project ------------------------------------------------------------
def test_detections_become_predictions_of_a_project(copied: Path, tmp_path: Path, blots: dict[str, list[str]]) -> None:
    project = cl.create_project("shop", tmp_path)
    project.add_images([*blots["red"], *blots["blue"]], progress=False)
    model = cl.load_model(copied)
    with model.started("cpu"):
        found = model.detect_many(project.train_set, threshold=0.5, progress=False)
        assert project.add_predictions(found, model=model) == 12
        one = model.detect(blots["blue"][0], threshold=0)
        assert project.add_predictions(one, model=model) == 14  # all three labels of that one
        with closing(open_store(str(project.root / DATABASE))) as store:
            said = store.predictions()
        assert set(said["model"]) == {"fruit.2026-11-20"}
        again = said[said["image"] == one.name].sort_values("confidence", ascending=False)
        np.testing.assert_allclose(again["confidence"], one.table["confidence"])
        columns = ["image", "label", "confidence"]
        rest, before = (table.loc[table["image"] != one.name, columns].sort_values(columns) for table in (said, found))
        pd.testing.assert_frame_equal(rest.reset_index(drop=True), before.reset_index(drop=True), check_dtype=False)
        nothing = model.detect(blots["blue"][0], threshold=1)
        assert project.add_predictions(nothing, model="fruit.2026-11-20") == 11
        shutil.copyfile(blots["blue"][0], tmp_path / "elsewhere.png")
        other = model.detect(tmp_path / "elsewhere.png", threshold=0)
        with pytest.raises(cl.CustomLabelsError, match=r"elsewhere\.png"):
            project.add_predictions(other, model=model)
    project.close()


def test_loaded_model_is_evaluated(copied: Path, blots: dict[str, list[str]]) -> None:
    pairs = [(image, label) for label, images in blots.items() for image in images]
    report = cl.load_model(copied).evaluate(pd.DataFrame(pairs, columns=["image", "label"]), progress=False)
    assert report.name == "fruit.2026-11-20"
    assert report.per_label["tp"].tolist() == [6, 6, 6]
    assert dict(zip(report.per_label["label"], report.per_label["threshold"], strict=True))["red"] == 0.4


def test_a_model_that_sleeps_is_evaluated_with_the_thresholds_of_its_views(
    detector_folder: Path, tmp_path: Path, blots: dict[str, list[str]]
) -> None:
    copied = Path(shutil.copytree(detector_folder, tmp_path / "detector"))
    labels = json.loads((copied / CONFIG).read_text())["labels"]
    change(copied, view_thresholds={"2": dict.fromkeys(labels, 0.9)})
    boxes = pd.DataFrame(
        {"image": blots["red"], "label": labels[0], "left": 1.0, "top": 1.0, "width": 9.0, "height": 9.0}
    )
    model = cl.load_model(copied)
    model.start("cpu", engine="torch", views=2, idle_stop=0.1)
    wait_until(lambda: "stopped" in repr(model))
    report = model.evaluate(boxes, progress=False)
    assert set(report.per_label["threshold"]) == {0.9}
    model.stop()
