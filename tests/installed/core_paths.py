"""Walk the core paths of the package: ``python -m tests.installed.core_paths``, on any system, in an empty folder.

It needs no test package and no extra but video and rekognition, whose parts are left out if they are not installed.
"""

from __future__ import annotations

import importlib
import pkgutil
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import customlabels_nb as cl
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.project.location import open_project_store

OF_EXTRAS = {"av", "botocore", "cv2", "onnx", "onnxruntime", "onnxscript", "psycopg", "pyarrow", "pydicom"}


def main() -> None:
    began = time.perf_counter()
    for step in (import_all, draw_photos, label, exchange, train, pack, serve, rename_and_delete):
        step(Path.cwd())
        print(f"{step.__name__}: {time.perf_counter() - began:.1f} s", flush=True)


def import_all(folder: Path) -> None:
    """Import every module, except those whose extra is not installed."""
    modules = [module.name for module in pkgutil.walk_packages(cl.__path__, "customlabels_nb.")]
    missing = set()
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError as error:
            missing.add(error.name)
    assert len(modules) > 300
    assert missing <= {"av", "botocore", "cv2", "onnx", "onnxruntime", "onnxscript", "psycopg", "pyarrow", "pydicom"}, (
        missing
    )


def draw_photos(folder: Path) -> None:
    for label, color in (("Äpfel", "red"), ("birnen", "green")):
        (folder / "photos" / label).mkdir(parents=True)
        for number in range(6):
            noise = np.random.default_rng(number).integers(150, 250, (96, 96, 3), dtype=np.uint8)
            photo = Image.fromarray(noise)
            ImageDraw.Draw(photo).ellipse((10 + number, 20, 70, 80), fill=color)
            photo.save(folder / "photos" / label / f"photo {number}.png")


def label(folder: Path) -> None:
    project = cl.create_project("fruit", folder / "projects")
    report = project.add_images(folder / "photos", labels_from="folders", copy=True, progress=False)
    assert report.added == 12, report
    names = project.train_set.images["image"].tolist()
    assert all(name.startswith("images/") and "\\" not in name for name in names), names
    project.labels.add("ripe")
    session = LabellingSession(open_project_store(project.root), project.root, user="anna")
    session.assign(names[:1], "birnen")
    session.undo()
    project.snapshots.take("before")
    project.labels.rename("birnen", "pears")
    project.undo()
    project.labels.rename("birnen", "pears")
    project.snapshots.restore("before")
    assert {"Äpfel", "birnen", "ripe"} <= set(project.labels)
    project.distribute(test_fraction=0.34)
    project.close()


def exchange(folder: Path) -> None:
    """Write and read a file and a folder of annotations, for images in and out of the folder."""
    with closing(cl.load_project(folder / "projects" / "fruit")) as project:
        images = project.train_set.images["image"].tolist()
        expected = {Path(image).name for image in images}
        for format_, target in (("csv", "out/fruit.csv"), ("image_folder", "out/fruit"), ("yolo", "out/yolo")):
            project.train_set.to(format_, folder / target)
            read = cl.read_dataset(folder / target, format=format_)
            assert len(read.images) == len(expected), (format_, read.images)
            assert all(image.startswith(folder.as_posix()) for image in read.images["image"]), read.images["image"]
        written = (folder / "out" / "fruit.csv").read_text("utf-8")
        assert "file:" not in written
        assert "\\" not in written


def train(folder: Path) -> None:
    project = cl.load_project(folder / "projects" / "fruit")
    model = project.train("v1", progress=False)
    report = model.evaluate()
    assert len(report.summary)
    photos = sorted((folder / "photos").rglob("*.png"))
    with model.started("cpu", engine="torch"):
        assert len(model.detect(photos[0]).table)
        model.detect_many(folder / "photos", to=folder / "found.jsonl", progress=False)
    assert len((folder / "found.jsonl").read_bytes().splitlines()) == len(photos)
    project.close()


def pack(folder: Path) -> None:
    """Pack a project, and unpack it in a folder whose name has a meaning in URLs."""
    with closing(cl.load_project(folder / "projects" / "fruit")) as project:
        project.pack(folder / "fruit.zip")
    with closing(cl.unpack_project(folder / "fruit.zip", folder / "50%25 #1")) as project:
        assert len(project.versions) == 1
        assert (project.root / project.train_set.images["image"].iloc[0]).is_file()


def serve(folder: Path) -> None:
    """Serve projects twice. The second server finds the private files of the first."""
    from customlabels_nb.endpoints import EndpointServer

    for _ in range(2):
        with EndpointServer(
            folder / "projects", port=0, only=None if find_spec("botocore") else "custom-vision"
        ) as server:
            assert server.url.startswith("http://127.0.0.1:")


def rename_and_delete(folder: Path) -> None:
    project = cl.load_project(folder / "projects" / "fruit")
    assert " works in " in str(cl.doctor())  # the line of the database
    project.embed(progress=False)
    project.rename("fruits")
    assert project.root.name == "fruits"
    project.delete(confirm=True)
    assert not (folder / "projects" / "fruits").exists()


if __name__ == "__main__":
    main()
