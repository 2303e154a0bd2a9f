"""Write the files that are stored permanently for a release: ``python -m tests.released.make``.

Run once by the code of the release itself. From then on, ``test_released.py`` opens, resumes and runs them with the
current code, so that a change that breaks a user's files fails a test.

The networks are tiny (a backbone of 0.1 M parameters with fixed weights), so that all files fit into the repository.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from tests import provision

BACKBONE = "timm/test_efficientnet.r160_in1k"
COLOURS = {"red": (210, 40, 40), "green": (40, 160, 60), "blue": (40, 70, 210)}
TASKS = ("single-label", "multi-label", "boxes", "polygons")
KINDS = (*TASKS, "brands")
STEPS = 60
OUTPUTS = ("found.jsonl", "found.manifest", "parts")
SIZE = (96, 72)
HERE = Path(__file__).resolve().parent


def draw(path: Path, seed: int) -> list[tuple[str, float, float, float, float]]:
    """Draw two coloured squares on grey and return label, left, top, width and height of each."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", SIZE, (int(rng.integers(150, 220)),) * 3)
    pen, shapes = ImageDraw.Draw(picture), []
    for left, label in ((6, seed % 3), (52, (seed // 3 + 1) % 3)):
        side, top = int(rng.integers(24, 36)), int(rng.integers(4, 34))
        name = list(COLOURS)[label]
        pen.rectangle((left, top, left + side - 1, top + side - 1), fill=COLOURS[name])
        shapes.append((name, float(left), float(top), float(side), float(side)))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return shapes


def draw_all(folder: Path) -> dict[str, pd.DataFrame]:
    """Draw 18 training and 6 test images and return the annotations for each kind of project."""
    rows = []
    for number in range(24):
        name = f"{'test' if number % 4 == 3 else 'train'}/{number:02}.png"
        rows += [(str(folder / name), *shape) for shape in draw(folder / name, number)]
    boxes = pd.DataFrame(rows, columns=["image", "label", "left", "top", "width", "height"])
    polygons = boxes.assign(polygon=[
        [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
        for left, top, width, height in boxes[["left", "top", "width", "height"]].itertuples(index=False)
    ])  # fmt: skip
    whole = boxes[["image", "label"]].drop_duplicates()
    single = whole.drop_duplicates("image")
    logos = pd.concat([single[single["image"].str.contains("train")], boxes[boxes["image"].str.contains("test")]])
    return {"single-label": single, "multi-label": whole, "boxes": boxes, "polygons": polygons, "brands": logos}


def make_project(kind: str, folder: Path, annotations: pd.DataFrame, **options: Any) -> Any:
    """Create a project of a kind with labels, history, a snapshot, issues and an instruction text."""
    import customlabels_nb as cl

    project = cl.create_project(
        kind, folder, task=kind if kind in TASKS else None, tags={"kept": "0.1.0", "kind": kind}, **options
    )
    for split in ("train", "test"):
        rows = annotations[annotations["image"].str.contains(split)]
        project.add_images(rows.assign(camera="left"), split=split, copy=True, progress=False)
    project.instructions = "Squares of three colours."
    project.snapshots.take("as imported")
    project.labels.rename("red", "crimson")
    project.undo()
    return project


@contextmanager
def tiny_networks(home: Path) -> Iterator[None]:
    """Use ``home`` as the hub's cache, with fixed weights for :data:`BACKBONE`, and make detectors small."""
    import huggingface_hub.constants

    from customlabels_nb.training import detector_recipe

    if not home.exists():
        write_weights(home)
    before, real = huggingface_hub.constants.HF_HUB_CACHE, detector_recipe.DetectorShape
    huggingface_hub.constants.HF_HUB_CACHE = str(home)
    detector_recipe.DetectorShape = partial(real, channels=16, hidden=16)  # type: ignore[misc, assignment]
    try:
        yield
    finally:
        huggingface_hub.constants.HF_HUB_CACHE = before
        detector_recipe.DetectorShape = real  # type: ignore[misc]


def write_weights(home: Path) -> None:
    """Write weights for :data:`BACKBONE` as the hub's cache holds them."""
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    network = timm.create_model(BACKBONE.removeprefix("timm/"), pretrained=False)
    cached = home / f"models--timm--{BACKBONE.removeprefix('timm/')}"
    (cached / "snapshots" / "kept").mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("kept")
    weights = {key: value.bfloat16().float() if value.is_floating_point() else value
               for key, value in network.state_dict().items()}  # fmt: skip
    save_file(weights, cached / "snapshots" / "kept" / "model.safetensors")


def found_by(model: Any, images: list[str]) -> list[list[Any]]:
    """Return a model's detections on images with every threshold at 0, at most 6 rows per image."""
    rows = []
    with model.started("cpu", engine="torch"):
        for image in images:
            table = model.detect(image, threshold=0).table
            columns = [name for name in ("label", "confidence", "left", "top", "width", "height") if name in table]
            table = table[columns].astype(object).where(table[columns].notna(), None)
            rows.append(table.head(6).to_numpy().tolist())
    return rows


def keep_zip(folder: Path, path: Path) -> None:
    """Write a folder unchanged as a zip file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))


INTERRUPTED = """
import sys
from pathlib import Path
from tests.released.make import BACKBONE, STEPS, tiny_networks
import customlabels_nb as cl
from customlabels_nb.training.loop import Checkpoints

real = Checkpoints.save
def save(self, facts, tensors, **options):
    real(self, facts, tensors, **options)
    if facts["step"] < STEPS:
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
Checkpoints.save = save
with tiny_networks(Path(sys.argv[2])):
    cl.load_project(sys.argv[1]).train("half", backbone=BACKBONE, steps=STEPS, progress=False)
"""


def interrupted_training(work: Path, annotations: pd.DataFrame) -> None:
    """Kill the training of a detector after its first checkpoint."""
    project = make_project("boxes", work / "interrupted", annotations)
    project.close()
    command = [sys.executable, "-c", INTERRUPTED, str(project.root), str(work / "interrupted" / "hub")]
    done = subprocess.run(command, check=False, cwd=HERE.parents[1])
    assert done.returncode == -signal.SIGKILL, done


def half_written_outputs(model_folder: Path, work: Path) -> None:
    """Stop writing detections half-way in each of the three formats, in a process that can import pyarrow."""
    import customlabels_nb as cl
    from customlabels_nb.events import Event, Events, Progress
    from customlabels_nb.inference.outputs import LineOutput, ParquetParts

    LineOutput.images_a_step = ParquetParts.images_a_step = 4
    shutil.copytree(work / "photos", work / "outputs" / "photos")
    images = [f"photos/{path.parent.name}/{path.name}" for path in sorted((work / "photos").rglob("*.png"))]
    model = cl.load_model(model_folder)
    with chdir(work / "outputs"), model.started("cpu", engine="torch"):
        for name in OUTPUTS:
            events = Events()

            def stop(event: Event, events: Events = events) -> None:
                if isinstance(event, Progress) and event.done >= 9:
                    events.cancel()

            events.subscribe(stop)
            model.detect_many(images, to=name, batch_size=3, events=events, progress=False)


def with_pyarrow(work: Path, code: str, *arguments: str) -> None:
    """Run a program that can import pyarrow, which changes how pandas stores strings in every other process."""
    install = [
        "uv",
        "pip",
        "install",
        "--quiet",
        "--python",
        sys.executable,
        "--target",
        str(work / "arrow"),
        "pyarrow",
    ]
    subprocess.run(install, check=True)
    environment = {**os.environ, "PYTHONPATH": str(work / "arrow")}
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, cwd=HERE.parents[1], env=environment)


HALF_WRITTEN = """
import sys
from pathlib import Path
from tests.released.make import half_written_outputs
half_written_outputs(*map(Path, sys.argv[1:]))
"""


NOTEBOOK = """import customlabels_nb as cl
project = cl.load_project("boxes")
project.review("train")"""


def executed_notebook(work: Path, path: Path) -> None:
    """Execute a notebook that shows widgets and store it with their state."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook()
    for source in (NOTEBOOK, 'project.label("train")', 'project.model("first").evaluate().show()'):
        notebook.cells.append(nbformat.v4.new_code_cell(source))
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(work / "projects")}}).execute()
    assert notebook.metadata["widgets"]
    nbformat.write(notebook, path)


def postgres_dump(work: Path, annotations: dict[str, pd.DataFrame], path: Path) -> None:
    """Write the four tasks' tables in PostgreSQL as SQL that any client can run."""
    from sqlalchemy import create_engine, make_url, text

    program = max(Path(provision._import_pgserver().__file__).parent.glob("pginstall*/bin/pg_dump"))
    with provision.postgres() as url:
        server = create_engine(url, isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.execute(text("CREATE DATABASE kept"))
        server.dispose()
        kept = make_url(url).set(database="kept")
        for task in TASKS:
            make_project(
                task, work / "team", annotations[task], store=kept.render_as_string(hide_password=False)
            ).close()
        plain = kept.set(drivername="postgresql").render_as_string(hide_password=False)
        dump = subprocess.run(
            [str(program), "--inserts", "--no-owner", "--no-privileges", plain],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    path.write_text("".join(line for line in dump.splitlines(keepends=True) if not line.startswith("\\")))


def make(target: Path) -> None:
    """Write all files of a release into ``target``."""
    expected: dict[str, Any] = {"detections": {}, "counts": {}, "exports": {}}
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary, tiny_networks(Path(temporary, "hub")):
        work = Path(temporary)
        annotations = draw_all(work / "photos")
        images = sorted(str(path) for path in (work / "photos" / "test").glob("*.png"))
        for kind in KINDS:
            project = make_project(kind, work / "projects", annotations[kind])
            model = project.train("first", backbone=BACKBONE, progress=False,
                                  **({} if kind in TASKS[:2] else {"steps": STEPS, "input_size": 96}))  # fmt: skip
            expected["detections"][kind] = found_by(model, images)
            report = model.evaluate()
            expected["counts"][kind] = {
                split: [len(data.images), len(data.annotations)]
                for split, data in (("train", project.train_set), ("test", project.test_set))
            } | {"history": len(project.history), "f1": report.evaluation.figure("f1")}
            if kind == "single-label":
                project.pack(target / "packed.zip")
                report.to_html(target / "results.html", images=6, pixels=48)
                for form in ("onnx", "pt2"):
                    model.export(form, work / "exports" / form)
                with_pyarrow(work, HALF_WRITTEN, str(model.folder), str(work))
            project.close()
        executed_notebook(work, target / "notebook.ipynb")
        interrupted_training(work, annotations["boxes"])
        postgres_dump(work, annotations, target / "postgres.sql")
        for kind in KINDS:
            keep_zip(work / "projects" / kind, target / f"{kind}.zip")
        for name in ("interrupted", "outputs", "exports", "team"):
            keep_zip(work / name, target / f"{name}.zip")
    (target / "expected.json").write_text(json.dumps(expected, indent=1))


if __name__ == "__main__":
    import customlabels_nb as cl

    make(HERE / cl.__version__)
