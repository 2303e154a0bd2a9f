"""Tests of what other programs leave in folders: sparse label files, thumbnails, zip files, names without an ending."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import ManifestError
from customlabels_nb.images.listing import list_pattern, match_files, read_folder, sort_out_listing
from customlabels_nb.images.locations import Location
from customlabels_nb.remote.remote_files import RemoteFile
from tests.datasets.formats.layouts import COCO, LINE, XML
from tests.images.pictures import jpeg

DOTA = "imagesource:GoogleEarth\n1.0 2.0 3.0 4.0 5.0 6.0 7.0 8.0 plane 0\n"
SUPERVISELY = json.dumps({"description": "", "size": {"height": 24, "width": 32}, "objects": []})
TABLE = "image,label,left,top,width,height\n0.jpg,cat,1,2,3,4\n"


def photos(folder: Path, files: dict[str, str | bytes], count: int = 10) -> Path:
    """Write photos, and the files beside them."""
    data: dict[str, str | bytes] = {f"{number}.jpg": jpeg(number) for number in range(count)}
    for name, content in (data | files).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def archive(*names: str) -> bytes:
    """Return a zip file with empty files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name in names:
            opened.writestr(name, "")
    return buffer.getvalue()


@pytest.mark.parametrize("count", [1, 4, 5, 10])
@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("{}.txt", LINE, "Add their labels"), ("labelTxt/{}.txt", DOTA, "layout is unknown"),
        ("{}.txt", "cat 10 20 30 40\n", "layout is unknown"), ("{}.jpg.json", SUPERVISELY, "Supervisely"),
        ("{}.pts", "n_points: 1\n", "layout is unknown"), ("{}.txt", "", "Add their labels"),
    ],
)  # fmt: skip
def test_labels_of_few_photos_are_refused_like_those_of_all(
    tmp_path: Path, name: str, text: str, says: str, count: int
) -> None:
    photos(tmp_path, {name.format(number): text for number in range(count)})
    with pytest.raises(ManifestError, match=says):
        cl.read_dataset(tmp_path)


def test_a_text_beside_one_photo_of_many_is_a_note(tmp_path: Path) -> None:
    found = cl.read_dataset(photos(tmp_path, {"3.txt": "Taken on 4 May 2020 at 10:30."}))
    assert len(found) == 10
    assert found.issues["code"].tolist() == ["NOT_IMPORTED"]


@pytest.mark.parametrize(
    ("place", "table", "boxes"),
    [
        ("labels/detections.csv", TABLE, 1),
        ("annotations/results.csv", TABLE, 1),
        ("labels/detections.csv", TABLE.replace("label,", "label,confidence,").replace("cat,", "cat,0.5,"), 0),
        ("detections.csv", TABLE, 0),
    ],
)
def test_results_among_labels_are_labels_unless_they_have_confidences(
    tmp_path: Path, place: str, table: str, boxes: int
) -> None:
    assert len(cl.read_dataset(photos(tmp_path, {place: table})).annotations) == boxes


@pytest.mark.parametrize(
    ("names", "said"), [(("annotations/all.json", "a.jpg"), 1), (("readme.txt", "b.jpg", ".x.json"), 0)]
)
def test_annotations_in_a_zip_file_beside_photos_are_named(tmp_path: Path, names: tuple[str, ...], said: int) -> None:
    photos(tmp_path, {"cat/0.jpg": jpeg(1), "dog/1.jpg": jpeg(2), "export.zip": archive(*names)}, 0)
    for labels_from in (None, "folders"):
        found = cl.read_dataset(tmp_path, labels_from=labels_from)
        assert len(found.annotations) == 2
        assert found.issues["message"].str.contains("annotations/all.json").sum() == said


FOLDERS = ["@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "lost+found", ".thumbnails", ".picasaoriginals"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_photos_of_other_programs_are_left_out_and_their_folders_counted(tmp_path: Path, folder: str) -> None:
    names = ["cat/0.jpg", "dog/1.jpg", f"cat/{folder}/0.jpg/small.jpg", f"{folder}/2.jpg"]
    photos(tmp_path, {name: jpeg(number) for number, name in enumerate(names)}, 0)
    found = cl.read_dataset(tmp_path)
    assert sorted(found.annotations["label"]) == ["cat", "dog"]
    (message,) = found.issues["message"]
    assert message.startswith("2 × folder of another program was not imported: ")
    there = sort_out_listing("s3://b", [RemoteFile(f"s3://b/{name}", 1, None, None) for name in names])
    assert there.images == ["s3://b/cat/0.jpg", "s3://b/dog/1.jpg"]
    assert len(there.issues) == 1
    assert len(match_files(tmp_path / "**/*.jpg")) == 2
    assert len(match_files(tmp_path / folder / "*.jpg")) == 1


@pytest.mark.parametrize("folder", ["thumbs", "Thumbnails", "@tmp"])
def test_copies_beside_photos_are_left_out_and_other_photos_are_not(tmp_path: Path, folder: str) -> None:
    names = ["cat/0.jpg", "cat/1.jpg", "dog/2.jpg", f"cat/{folder}/0.jpg", f"{folder}/2.jpg"]
    photos(tmp_path, {name: jpeg(number) for number, name in enumerate(names)}, 0)
    found = cl.read_dataset(tmp_path)
    assert sorted(found.annotations["label"]) == sorted(["cat", "cat", "dog", folder])
    assert found.issues["code"].tolist() == ["NOT_IMPORTED"]
    there = sort_out_listing("s3://b", [RemoteFile(f"s3://b/{name}", 1, None, None) for name in names])
    assert there.images == [f"s3://b/{name}" for name in names if name != f"cat/{folder}/0.jpg"]
    assert [f"cat/{folder}'" in issue.message for issue in there.issues] == [True]
    assert len(match_files(tmp_path / "**/*.jpg")) == 4


def test_zip_files_have_folders_of_other_programs(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as opened:
        for number, name in enumerate(("cat/0.jpg", "dog/1.jpg", "cat/@eaDir/0.jpg/small.jpg")):
            opened.writestr(name, jpeg(number))
    project = cl.create_project("p", tmp_path / "out")
    report = project.add_images(tmp_path / "all.zip", labels_from="folders", progress=False)
    assert report.added == 2
    assert report.issues["message"].str.contains("folder of another program").any()
    project.close()


def test_patterns_of_buckets_leave_out_folders_of_other_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [RemoteFile(f"s3://b/{name}", 1, None, None) for name in ("a.jpg", "@eaDir/a.jpg")]
    monkeypatch.setattr("customlabels_nb.images.listing.list_files", lambda url: files)
    assert [each.name for each in list_pattern(Location.of("s3://b/**/*.jpg"))] == ["s3://b/a.jpg"]
    assert len(list_pattern(Location.of("s3://b/@eaDir/*.jpg"))) == 2


def test_thumbnails_do_not_hide_the_photos_of_images(tmp_path: Path) -> None:
    photos(tmp_path / "photos", {".thumbnails/0.jpg": jpeg(1)}, 1)
    (tmp_path / "table.csv").write_text("image,label\n0.jpg,cat\n")
    found = cl.read_dataset(tmp_path / "table.csv", images=tmp_path / "photos")
    assert found.images["image"].tolist() == [str(tmp_path / "photos" / "0.jpg")]
    assert read_folder(tmp_path / "photos").images == found.images["image"].tolist()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", COCO.replace('"a.jpg"', '"0"')), ("a.csv", "image,label\n0,cat\n"),
        ("a.json", '{"files": [{"filename": "0", "tags": [{"tag": "cat"}]}]}'),
        ("a.xml", XML.replace("a.jpg", "0")), ("data.yaml", "names: [cat]\ntrain: list.txt\n"),
        ("a.xml", '<annotations><version>1.1</version><image id="0" name="0"/></annotations>'),
    ],
)  # fmt: skip
@pytest.mark.parametrize("moved", [False, True])
def test_names_without_an_ending_match_the_only_image(tmp_path: Path, name: str, text: str, moved: bool) -> None:
    folder = tmp_path / "photos" if moved else tmp_path
    photos(folder, {}, 2)
    photos(tmp_path, {name: text, "list.txt": "0\n"}, 0)
    path = tmp_path / name
    expected = [str(folder / "0.jpg")]
    assert cl.read_dataset(path, images=folder if moved else None).images["image"].tolist() == expected
    if text.startswith("<annotation>"):  # Pascal VOC's is the first one of the usual endings
        return
    (folder / "0.png").write_bytes(jpeg(1))
    assert cl.read_dataset(path, images=folder if moved else None).images["image"].tolist() != expected


@pytest.mark.parametrize(
    "data", [{"video": "/data/upload/1/x.mp4"}, {"clip": "x.mov"}, {"audio": "x.wav"}, {"text": "x"}]
)
def test_tasks_about_other_media_are_refused_by_name(tmp_path: Path, data: dict[str, str]) -> None:
    task, file = {"id": 1, "data": data, "annotations": [{"id": 1, "result": []}]}, tmp_path / "tasks.json"
    record = {**data, "id": 1, "annotation_id": 1, "choice": "cat", "lead_time": 1.5}
    for entry in (task, record):
        file.write_text(json.dumps([entry]))
        with pytest.raises(ManifestError, match="tasks about videos, audio and text"):
            cl.read_dataset(file)
    image = {"id": 2, "data": {"image": "a.jpg"}, "annotations": []}
    for tasks in ([image, task], [task, image]):
        file.write_text(json.dumps(tasks))
        found = cl.read_dataset(file)
        assert len(found) == 1
        assert found.issues["message"].str.contains(f"has no image: {data}", regex=False).any()


BY_FILE = "pd.DataFrame({'image': labels.keys(), 'label': labels.values()})"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"a.jpg": ["cat"], "b.jpg": ["cat", "dog"]}, BY_FILE),
        ({"a.jpg": "cat", "b.jpg": "dog"}, BY_FILE),
        (
            {"a.jpg": {"label": "cat"}, "b.jpg": {"label": "dog"}},
            "pd.DataFrame.from_dict(facts, orient='index').rename_axis('image').reset_index()",
        ),
        (
            {"cat": ["a.jpg", "b.jpg"], "dog": ["c.jpg"]},
            "pd.DataFrame([(image, label) for label in labels for image in labels[label]], columns=['image', 'label'])",
        ),
    ],
)
def test_json_of_labels_is_refused_with_the_code_that_converts_it(tmp_path: Path, content: Any, code: str) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(content))
    with pytest.raises(ManifestError) as raised:
        cl.read_dataset(tmp_path / "labels.json")
    assert code in str(raised.value)
    table = eval(code, {"pd": pd, "labels": content, "facts": content})  # noqa: S307 - of this file
    assert cl.Dataset(table[["image"]].drop_duplicates(), table).labels_of_images()[0] == ["cat"]
