"""Checks of notebook 04: images that are read, those skipped with a reason, and files that survive a round trip."""

import json
import logging
import os
from pathlib import Path

import pandas as pd

import customlabels_nb as cl
from tests.notebooks.running import html_of, pictures_of, tagged, text_of

_BUCKET = "photos-of-rooms"
_SERVER = []


def after_parameters(ns):
    """Provide the bucket that the reader would name, with the notebook's photos in it."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs each request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _SERVER.append(server)
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    client = boto3.client("s3")
    client.create_bucket(Bucket=_BUCKET)
    photos = cl.examples.write_photos("rooms", Path("in-the-bucket"), train=10, test=0, size=(320, 240), seed=1)
    for path in sorted(photos.train.glob("*/*.jpg")):
        key = f"photos/{path.parent.name}/{path.name}"
        client.put_object(Bucket=_BUCKET, Key=key, Body=path.read_bytes())
    ns["bucket"] = _BUCKET


def after_photos(ns):
    rooms, boards = ns["rooms"], ns["boards"]
    assert len(list(rooms.train.glob("*/*.jpg"))) == 40, "forty rooms for training"
    assert len(rooms.detect) == 2, "two held-out photos"
    assert boards.train.suffix == ".json", "the boards come with a file of annotations"
    assert len(json.loads(boards.train.read_text())["images"]) == 16, "sixteen boards"


def after_folders(ns):
    counts = ns["project"].train_set.label_counts
    assert counts.to_dict() == dict.fromkeys(ns["rooms"].labels, 4), (
        "each photo is labelled with the name of its folder"
    )
    images = ns["project"].train_set.images["image"]
    assert all(Path(image).is_file() and "rooms-photos" in image for image in images), "photos stay where they are"


def after_zip(ns):
    sent, project = ns["sent"], ns["project"]
    assert sent.added == 10
    assert sent.issues["code"].tolist() == ["LEAK_BETWEEN_SPLITS"] * 2, "both training photos were recognised"
    assert sorted(Path(where).name for where in sent.issues["where"]) == ["img_0815.jpg", "patio_02.jpg"]
    assert project.test_set.label_counts.to_dict() == dict.fromkeys(ns["rooms"].labels, 1)
    both = set(project.train_set.images["sha256"]) & set(project.test_set.images["sha256"])
    assert not both, "no image in both splits"


def after_refresh(ns):
    report = ns["report"]
    assert [Path(image).name for image in report.added] == ["smaller.jpg"], "one of four is a new photo"
    said = {Path(where).name: code for where, code in zip(report.issues["where"], report.issues["code"], strict=True)}
    assert said == {"again.jpg": "DUPLICATE_CONTENT", "cut_off.jpg": "IMAGE_TRUNCATED"}


def after_twins(ns):
    twins = ns["twins"]
    assert len(twins) == 1, "one pair of duplicates"
    pair = {Path(twins["image"][0]).name, Path(twins["other"][0]).name}
    assert pair == {"patio_03.jpg", "smaller.jpg"}
    sides = [set(ns[side].images["image"]) for side in ("to_learn", "to_test")]
    assert len(sides[0]) + len(sides[1]) == 41, "each photo is in one split"
    assert 8 <= len(sides[1]) <= 12, "about a fifth for testing"
    assert any({twins["image"][0], twins["other"][0]} <= side for side in sides), "duplicates stay in one split"
    left = ns["project"].train_set.images["image"]
    assert len(left) == 40, "one of the duplicates was removed"
    assert twins["other"][0] not in left.tolist()


def after_table(ns):
    train = ns["project"].train_set
    asked = train.filter("camera == 'tablet'")
    name = Path(asked.images["image"][0]).name
    assert len(train) == 42, "two more photos"
    assert len(asked) == 1, "one of them from the camera of the tablet"
    assert tuple(asked.annotations["label"]) == ns["rooms"].answers[name]


def after_csv(ns):
    assert isinstance(ns["rows"], list)
    assert (ns["folder"] / "rooms-duplicates.csv").is_file(), "the repeated rows are kept"


def after_decided(ns):
    read = ns["read"]
    own = read.annotations[read.annotations["image"].str.endswith("kitchen_01.jpg")]
    assert own["label"].tolist() == ["kitchen", "patio"], "merge keeps both"


def after_coco(ns):
    coco = ns["coco"]
    assert len(coco) == 16, "sixteen boards"
    assert coco.issues.empty
    assert coco.annotations["left"].notna().all(), "boxes only"
    annotated = json.loads(ns["boards"].train.read_text())["annotations"]
    boxes = [[row.left, row.top, row.width, row.height] for row in coco.annotations.itertuples()]
    assert boxes == [one["bbox"] for one in annotated], "as in the file"


def after_boards(ns):
    project = ns["board_project"]
    assert project.task == "boxes"
    assert [len(project.train_set), len(project.test_set)] == [16, 4], "both splits"
    assert len(project.train_set.annotations) == len(ns["coco"].annotations)


def after_formats(ns):
    rows = pd.DataFrame(ns["there_and_back"], columns=["format", "files", "images", "boxes", "shift", "lost"])
    assert rows["format"].tolist() == ["coco", "voc", "yolo", "ground_truth", "custom_vision", "csv"]
    assert (rows["images"] == 16).all(), "no board is lost"
    assert (rows["boxes"] == len(ns["coco"].annotations)).all(), "no box is lost"
    assert (rows["shift"] < 0.01).all(), "boxes keep their coordinates"
    assert rows.set_index("format")["lost"]["coco"] == "", "COCO holds all of it"
    assert "created" in rows.set_index("format")["lost"]["yolo"], "YOLO has no dates, and that is reported"
    for format, place in ns["places"].items():
        back = cl.read_dataset(ns["folder"] / "files" / place, format)
        assert back.annotations["label"].tolist() == ns["coco"].annotations["label"].tolist(), format


def after_image_folder(ns):
    place = ns["folder"] / "files" / "rooms"
    assert sorted(path.name for path in place.iterdir()) == sorted(ns["rooms"].labels)
    assert len(list(place.glob("*/*.jpg"))) == 10


def after_broken(ns):
    issues = ns["broken"].issues
    found = dict(zip(issues["line"], issues["code"], strict=True))
    assert found == {
        2: "ERROR_INVALID_JSON_LINE",
        3: "ERROR_MISSING_SOURCE_REF",
        5: "ERROR_MISSING_CLASS_MAP_ID",
    }
    assert len(ns["broken"]) == 13, "a bad line does not affect the others"


def after_validated(ns):
    checked = ns["checked"]
    assert checked.ok, "twelve lines are enough"
    assert checked.profile == "local"
    assert checked.todo["frees"].tolist() == [1] * 4


def after_lines(ns):
    lines = ns["checked"].lines
    assert lines["line"].tolist() == [2, 3, 4, 5]
    assert "No such file" in lines["detail"][2], "the reason why the photo cannot be read"


def after_fixed(ns):
    mended = ns["mended"]
    assert len(mended) == 13, "three lines are skipped"
    assert mended.issues["line"].tolist() == [2, 3, 4, 5], "each change is reported"
    assert len(ns["broken"]) == 13, "the validated dataset does not change"


def after_service(ns):
    strict = ns["strict"]
    assert strict.profile == "rekognition"
    assert strict.lines["code"].tolist() == ["ERROR_INVALID_BOUNDING_BOX"], "one box exceeds its image"


def after_mended(ns):
    clipped = ns["strict"].fix("clip_boxes")
    boxes = clipped.annotations
    right, bottom = boxes["left"] + boxes["width"], boxes["top"] + boxes["height"]
    assert right.max() <= 480, "all inside the image"
    assert bottom.max() <= 360, "all inside the image"
    assert clipped.validate("rekognition").lines.empty


def after_by_hand(ns):
    written = ns["folder"] / "checked" / "training_manifest_with_validation.json"
    assert '"errors"' in written.read_text(), "the errors are in the lines"
    again = cl.read_dataset(written)
    assert len(again) == 13, "the file can be read again unchanged"


def after_moved(ns):
    here = [str(path) for path in sorted(ns["here"].glob("*.jpg"))]
    for way in ("by_prefix", "by_name"):
        assert ns[way].images["image"].tolist() == here, f"{way} finds each photo"
        assert ns[way].annotations["label"].tolist() == ns["coco"].annotations["label"].tolist()


def after_s3(ns):
    images = ns["far_away"].train_set.images["image"]
    assert len(images) == 10, "all photos of the bucket"
    assert images.str.startswith(f"s3://{_BUCKET}/photos/").all(), "listed, not copied"
    assert ns["far_away"].train_set.label_counts.to_dict() == dict.fromkeys(ns["rooms"].labels, 1)
    # for readers without a bucket
    folder = ns["rooms"].test.resolve().as_uri() + "/"
    nearby = cl.create_project("nearby", ns["folder"])
    assert nearby.add_images(folder, auto_label=True, progress=False).added == 12


def after_fetched(ns):
    assert ns["missing"].empty
    cached = list(Path(os.environ["CUSTOMLABELS_NB_CACHE"]).rglob("*"))
    assert sum(path.is_file() for path in cached) >= 10, "downloaded photos are cached"


def after_back(ns):
    updated, changed = ns["updated"], ns["changed"]
    assert [updated.updated, updated.added, updated.unchanged] == [1, 0, 0], "the line's photo and no other"
    assert updated.issues.empty
    after = ns["project"].train_set.label_counts
    assert after["closet"] == ns["before"]["closet"] - 1
    assert after["bedroom"] == ns["before"]["bedroom"] + 1
    assert Path(changed["source-ref"]).name == "closet_02.jpg"


def after_undone(ns):
    project = ns["project"]
    assert project.train_set.label_counts.equals(ns["before"]), "undone"
    assert project.history["what"].tolist()[:2] == ["undo update entries", "update entries"]
    assert project.history["note"].tolist()[1] == "from Mary"


def after_packed(ns):
    copy, project = ns["copy"], ns["project"]
    assert copy.root != project.root
    assert copy.root.parent == (ns["folder"] / "elsewhere").resolve()
    assert ns["packed"].images == 52, "all photos of both splits"
    for split in ("train_set", "test_set"):
        mine, theirs = getattr(project, split), getattr(copy, split)
        assert theirs.label_counts.equals(mine.label_counts)
        assert set(theirs.images["sha256"]) == set(mine.images["sha256"]), "with its photos"
    for image in copy.train_set.images["image"]:
        assert (copy.root / image).is_file(), f"{image} is included"


def at_end(ns):
    project = ns["project"]
    assert project.remove("train", project.train_set.images["image"].tolist()[:2]) == 2, "the number of removed photos"
    assert project.undo() == 2
    assert len(project.train_set) == 42
    _SERVER.pop().stop()


def outputs(notebook):
    """Check the visible outputs."""
    for tag in ("train_set", "table", "fetched"):
        assert "<img" in html_of(tagged(notebook, tag)), f"photos are shown after the cell {tag}"
    assert pictures_of(tagged(notebook, "boards")) == 1, "boards with their boxes are shown"
    said = {
        "folders": ["40 images added to train"],
        "zip": ["10 images added to test", "'rooms-photos/train/kitchen/kitchen_01.jpg'"],
        "refresh": ["1 image added", "IMAGE_TRUNCATED", "DUPLICATE_CONTENT"],
        "csv": ["on_duplicate='first' or 'merge'"],
        "decided": ["first {'kitchen': 1, 'patio': 1}", "merge {'kitchen': 1, 'patio': 2}"],
        "formats": ["ground_truth", "custom_vision", "label_order"],
        "image_folder": ["backyard", "patio"],
        "broken": ["The source-ref key is missing."],
        "validated": ["16 lines, 12 valid, 4 invalid", "drop_unnamed_boxes"],
        "service": ["ERROR_INVALID_BOUNDING_BOX", "clip_boxes"],
        "mended": ["1 change in 1 line", "13 lines, 13 valid", "No problems were found."],
        "by_hand": ["training_manifest_with_validation.json", "manifest_summary.json"],
        "moved": ["16 photos found by prefix, 16 by name", "boards-photos/train/circuit_boards_001.jpg"],
        "s3": ["10 images added to train", f"s3://{_BUCKET}/photos/backyard/"],
        "fetched": ["0 photos could not be downloaded."],
        "back": ["1 image updated", "closet"],
        "undone": ["undo update entries", "from Mary"],
        "packed": ["52 photos, 0 models", "rooms"],
    }
    for tag, words in said.items():
        text = text_of(tagged(notebook, tag))
        for word in words:
            assert word in text, f"the cell {tag} does not contain {word!r}:\n{text}"
