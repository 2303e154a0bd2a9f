"""Tests of the code in README and the tour, and of the names in the documents."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.user_settings import settings
from tests.conftest import ROOT
from tests.inference.videos import write_video
from tests.project.conftest import draw

README = (ROOT / "README.md").read_text("utf-8")
GET_STARTED = (ROOT / "docs" / "get_started.md").read_text("utf-8")
JOBS = (ROOT / "docs" / "jobs.md").read_text("utf-8")
TEACHING = (ROOT / "docs" / "teaching.md").read_text("utf-8")
TOUR = (ROOT / "docs" / "tour.md").read_text("utf-8")
BENCHMARKS = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
PACKAGE = ROOT / "customlabels_nb"


BOARDS = {
    "images": [{"id": 1, "file_name": "elsewhere/board.jpg", "width": 128, "height": 96}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40]}],
    "categories": [{"id": 1, "name": "board"}],
}


def code_blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run_python(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the Python blocks of a document in a folder with photos, and return the variables."""
    for kind, labels in enumerate((["apple", "aple"], ["orange", "tangerine"])):
        for label in labels:
            for random_state in range(5):
                draw(folder / "photos" / label / f"{random_state}.png", kind, hash_free(label) + random_state)
    draw(folder / "new.jpg", 0, 99)
    for random_state in range(3):
        draw(folder / "incoming" / f"{random_state}.jpg", 1, 200 + random_state)
    monkeypatch.chdir(folder)
    variables: dict[str, Any] = {
        "truth": pd.DataFrame({"image": ["a", "b"], "label": ["x", "y"]}),
        "predictions": pd.DataFrame({"image": ["a", "b"], "label": ["x", "y"], "confidence": [0.9, 0.8]}),
    }
    blocks = code_blocks("python", text)
    assert blocks
    for block in blocks:
        exec(compile(block, "<document>", "exec"), variables)  # noqa: S102
    return variables


@pytest.mark.parametrize("text", [README, GET_STARTED], ids=["readme", "get started"])
def test_the_python_of_the_readme_runs(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = run_python(text, tmp_path, monkeypatch)
    assert sorted(variables["project"].labels) == ["aple", "apple", "orange", "tangerine"]
    assert len(variables["found"]) >= 3
    assert sum(not line.startswith("import") for line in code_blocks("python")[0].split("\n") if line) <= 10


@pytest.mark.thorough
def test_the_python_of_the_tour_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(tmp_path / "boards" / "deep" / "board.jpg", 2, 77)
    (tmp_path / "boards.json").write_text(json.dumps(BOARDS))
    frames = [Image.new("RGB", (128, 96), color) for color in ("red", "green", "blue")]
    write_video(tmp_path / "clip.mp4", frames)
    variables = run_python(TOUR, tmp_path, monkeypatch)
    project = variables["project"]
    assert sorted(project.labels) == ["aple", "apple", "board", "orange"]
    assert set(project.train_set.annotations["label"]) == {"apple", "orange"}
    assert len(variables["found"]) >= 3
    assert len((tmp_path / "found.jsonl").read_text().splitlines()) == 3
    assert (tmp_path / "out" / "clip.mp4.json").is_file()
    assert len(variables["boards"]) == 1


def test_the_python_of_the_page_about_teaching_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("photos", "hidden"):
        for number in range(8):
            draw(tmp_path / folder / f"p{number}.png", number % 2, number + 50 * (folder == "hidden"))
    key = pd.DataFrame({"image": [f"p{number}.png" for number in range(8)], "label": ["apple", "orange"] * 4})
    key.to_csv(tmp_path / "key.csv", index=False)
    key.to_csv(tmp_path / "hidden.csv", index=False)
    monkeypatch.chdir(tmp_path)
    project = cl.create_project("fruit", task="single-label")
    project.add_images("photos", progress=False)
    labels = key.assign(image="photos/" + key["image"])
    (tmp_path / "handed_in").mkdir()
    monkeypatch.setattr(settings, "user", "anna")
    project.update("train", labels.assign(label=["apple", "apple", *labels["label"][2:]]))
    model = project.train(progress=False)  # moves images to the test set
    exec(next(block for block in code_blocks("py", TEACHING) if '"anna.csv"' in block), {"project": project})  # noqa: S102
    shutil.move("anna.csv", "handed_in")
    (tmp_path / "models").mkdir()
    shutil.make_archive("models/anna", "zip", model.folder)
    (tmp_path / "handed_in" / "ben.csv").write_text("")

    variables = run_python(TEACHING, tmp_path, monkeypatch)
    assert variables["rows"] == [{"file": "anna", "labelled by": "anna", "right": 7 / 8}]
    mixed_up = variables["reports"]["anna"].confusion_matrix.confusions()
    assert mixed_up[["truth", "predicted"]].to_numpy().tolist() == [["orange", "apple"]]
    assert list(variables["scores"]) == ["anna"]


def test_the_python_of_the_page_about_jobs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "user", "meg")
    before = set(_instances)
    try:
        variables = run_python(JOBS, tmp_path, monkeypatch)
    finally:
        for name, widget in list(
            _instances.items()
        ):  # others, like the manager of ipycanvas, are for the whole process
            if name not in before and type(widget).__module__.startswith("customlabels_nb"):
                widget.close()
    assert variables["job"].answers["person"].tolist() == ["anna"] * 10
    assert (tmp_path / "out" / "fruit-1" / "manifests" / "output" / "output.manifest").is_file()


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 120


def hash_free(label: str) -> int:
    return sum(map(ord, label)) * 100


def test_the_commands_of_the_readme_are_the_ones_that_are_tested() -> None:
    commands = [line.split("#")[0].strip() for block in code_blocks("sh") for line in block.splitlines()]
    assert "pip install uv && uv run customlabels-nb quickstart" in commands
    assert "pip install uv && uv run --extra test --extra dev python -m tests" in commands
    ci = (ROOT / ".ci" / "run").read_text()
    assert "uv run --extra test --extra dev python -m tests" in ci
    from customlabels_nb.cli import _parser

    for command in commands:
        words = shlex.split(command.split("customlabels-nb ", 1)[1]) if "customlabels-nb " in command else []
        if words:
            _parser().parse_args(words)


DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))),
)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_pictures_and_files_that_a_document_names_are_there(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    targets = re.findall(r"\]\(([^)#]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
    for target in (target for target in targets if not target.startswith("https://")):
        assert (ROOT / name).parent.joinpath(target).is_file(), target


def test_the_readme_names_every_notebook_and_the_documents_show_every_image() -> None:
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert path.relative_to(ROOT).as_posix() in README, path.name
    texts = "".join((ROOT / name).read_text("utf-8") for name in DOCUMENTS)
    for path in (*(ROOT / "notebooks" / "images").iterdir(), *(ROOT / "docs" / "images").iterdir()):
        assert f"images/{path.name}" in texts, path.name
    for path in (ROOT / "notebooks" / "images").glob("*.webp"):
        assert path.stat().st_size <= 150 * 1024, path.name


def test_commands_modules_and_files_of_contributing_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    modules = re.findall(r"python -m (tests[\w.]*)", text)
    assert modules
    for module in modules:
        assert importlib.util.find_spec(module), module
    options = re.findall(r"python -m tests (--[\w-]+)", text)
    assert options
    assert all(option in (ROOT / "tests" / "__main__.py").read_text("utf-8") for option in options)
    extras = set(re.findall(r"--extra (\w+)", text + README))
    declared = (ROOT / "pyproject.toml").read_text("utf-8")
    assert all(re.search(rf"^{extra} = \[", declared, re.MULTILINE) for extra in extras)
    there = [f"/{path.relative_to(ROOT).as_posix()}" for top in (PACKAGE, ROOT / "tests") for path in top.rglob("*")]
    named = re.findall(r"`((?:\w+/)*(?!NN)\w+(?:/|\.py|\.js|\.css))`", text)
    assert named
    assert [name for name in named if not any(path.endswith(f"/{name.rstrip('/')}") for path in there)] == []
    from customlabels_nb.datasets import formats

    assert all(
        hasattr(formats.entries if name != "staged" else formats.staging, name)
        for name in ("Collector", "Places", "staged")
    )


def test_scripts_that_the_benchmarks_name_have_their_options() -> None:
    scripts = re.findall(r"`(\w+\.py)((?: [^`]*)?)`", BENCHMARKS)
    assert len(scripts) >= 10
    for script, words in scripts:
        source = (ROOT / "benchmarks" / script).read_text("utf-8")
        for option in re.findall(r"--[\w-]+", words):
            assert f'"{option}"' in source, (script, option)
