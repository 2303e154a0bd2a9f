"""Use the package on a disk that becomes full, run by ``test_disk_full.py`` in a small file system.

Arguments: the small folder, a folder of photos, how many of them certainly fit.
"""

from __future__ import annotations

import errno
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import customlabels_nb as cl
from customlabels_nb.datasets.formats import FORMATS
from customlabels_nb.errors import CustomLabelsError
from customlabels_nb.project.project import Project
from tests.datasets.formats.test_contract import target


def fill(disk: Path, leave: int) -> None:
    """Fill the file system up to ``leave`` bytes."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    free = shutil.disk_usage(disk).free
    try:
        with filler.open("wb") as file:
            file.write(b"\0" * max(0, free - leave))
    except OSError as error:
        if error.errno != errno.ENOSPC:  # others have written since, and the disk is full
            raise


def refused(call: object, *arguments: object, **options: object) -> str:
    """Return the message of the typed error that a call raises."""
    try:
        call(*arguments, **options)  # type: ignore[operator]
    except CustomLabelsError as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError(f"{call} did not notice the full disk")


def state(project: Project) -> tuple[object, ...]:
    """Return everything that must not change."""
    train = project.train_set
    annotations = train.annotations[["image", "label"]].to_numpy().tolist()
    return len(train), annotations, list(project.labels), len(project.history), train.images["revision"].tolist()


def main() -> None:
    """Run the actions and print the message of each refused one. See the module docstring."""
    disk, photos = Path(sys.argv[1]), Path(sys.argv[2])
    project = cl.create_project("p", disk)
    files = sorted(photos.glob("*/*.png"))
    project.add_images(files[::2], label="first", progress=False)
    project.update("train", project.train_set.relabel("second", "image.str.contains('disc')"))
    whole = state(project)

    fill(disk, leave=0)
    long = "x" * 200_000  # more than the free space in the database's own pages
    print("edit:", refused(project.update, "train", project.train_set.relabel("third"), note=long))
    assert state(project) == whole
    print("import:", refused(project.add_images, files[1::2], label="y" * 250, copy=True, progress=False))
    assert state(project) == whole
    print("rename:", refused(project.rename, "q"))
    assert (project.name, project.root) == ("p", disk / "p")
    for leave in (0, 100_000, 250_000, 300_000):  # the copy of the database fits or does not fit
        fill(disk, leave)
        before = sorted(disk.iterdir())
        said = refused(project.pack, disk / "p.zip", progress=False)
        assert "p.zip' cannot be written: the disk is full" in said, said
        assert sorted(disk.iterdir()) == before
    fill(disk, leave=0)
    print("create:", refused(cl.create_project, "q", disk))
    assert not (disk / "q").exists()
    assert state(cl.load_project(disk / "p")) == whole

    fill(disk, leave=3_000_000)  # enough for the database, not for the weights
    print("train:", refused(project.train, "v1", progress=False))
    model = project.model("v1")
    print("version:", model.status, model.status_message)

    (disk / "filler").unlink()
    assert project.update("train", project.train_set.relabel("third", "image.str.contains('disc')")) > 0
    assert project.add_images(files[1::2], label="fourth", copy=True, progress=False).added == len(files[1::2])
    print("resumed:", model.resume(progress=False).status)
    write_outputs(project, disk / "out")
    project.close()
    fill(disk, leave=0)
    print("load:", refused(cl.load_project, disk / "p"))


def write_outputs(project: Project, out: Path) -> None:
    """Write each kind of output to the disk, which is full or becomes full, some over earlier ones.

    Nothing that was there changes, unless the output is written as a whole.
    """
    model = project.model("v1")
    report, job = model.evaluate(), project.jobs.create("job-1", "train")
    earlier = project.train_set.relabel({"fourth": "earlier"})
    writers: dict[str, Callable[[], object]] = {
        "handout": lambda: cl.teaching.write_handout(out / "course"),
        "example": lambda: cl.examples.write_photos("rooms", out / "photos", train=9, test=9),
        "job": lambda: job.to(out),
        "report": lambda: report.to(out / "report"),
        "validation": lambda: project.train_set.validate().to(out / "validation"),
        "card": lambda: model.card.to(out / "card.html"),
        "pt2": lambda: model.export("pt2", out / "pt2"),
        "results": lambda: report.to_html(out / "results.html"),
        **{format: partial(project.train_set.to, format, target(format, out)) for format in FORMATS},
    }
    out.mkdir()
    for name, write in writers.items():
        for leave in (0, 20_000) if name != "pt2" else (20_000,):
            (out.parent / "filler").unlink(missing_ok=True)
            if name in FORMATS:
                earlier.to(name, target(name, out))
            before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
            fill(out.parent, leave)
            message = ""
            try:
                write()
            except CustomLabelsError as error:
                message = str(error)
                assert "cannot be written: the disk is full. Free some space" in message, (name, message)
                assert str(out) in message, (name, message)
                assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before, name
            assert message or leave, f"{name} did not notice the full disk"
            shutil.rmtree(out)
            out.mkdir()


if __name__ == "__main__":
    main()
