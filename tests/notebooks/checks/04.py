"""Checks of notebook 04: what is skipped and repaired, and files that survive a round trip."""

import logging
import os
from pathlib import Path

import customlabels_nb as cl

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
    photos = cl.examples.write_photos("rooms", Path("in-the-bucket"), train=10, test=0, size=(320, 240), random_state=1)
    for path in sorted(photos.train.glob("*/*.jpg")):
        key = f"photos/{path.parent.name}/{path.name}"
        client.put_object(Bucket=_BUCKET, Key=key, Body=path.read_bytes())
    ns["bucket"] = _BUCKET


def after_zip(ns):
    sent, project = ns["sent"], ns["project"]
    assert sorted(Path(where).name for where in sent.issues["where"]) == ["img_0815.jpg", "patio_02.jpg"]
    assert not set(project.train_set.images["sha256"]) & set(project.test_set.images["sha256"])


def after_twins(ns):
    pair = {ns["twins"]["image"][0], ns["twins"]["other"][0]}
    assert {Path(image).name for image in pair} == {"patio_03.jpg", "smaller.jpg"}
    assert any(pair <= set(ns[side].images["image"]) for side in ("to_learn", "to_test")), "'keep them together'"
    assert ns["twins"]["other"][0] not in ns["project"].train_set.images["image"].tolist(), "'or remove one of them'"


def after_formats(ns):
    for name, _, images, boxes, shift, _ in ns["there_and_back"]:
        assert (images, boxes) == (16, len(ns["coco"].annotations)), name
        assert shift < 0.01, name


def after_mended(ns):
    assert ns["checked"].lines["line"].tolist() == [2, 3, 4, 5], "'five' mistakes, one of them for the service only"
    assert len(ns["mended"]) == len(ns["broken"]) == 13, "'The validated dataset itself does not change'"
    assert ns["strict"].fix("clip_boxes").validate("rekognition").lines.empty


def after_undone(ns):
    assert (ns["updated"].updated, ns["updated"].added) == (1, 0), "'the photos that they name'"
    assert ns["project"].train_set.label_counts.equals(ns["before"]), "'one undo reverts it'"


def after_packed(ns):
    copy = ns["copy"]
    assert set(copy.train_set.images["sha256"]) == set(ns["project"].train_set.images["sha256"]), "'with its photos'"
    assert all((copy.root / image).is_file() for image in copy.train_set.images["image"])
    _SERVER.pop().stop()
