"""Run the examples of all docstrings on one small project."""

from __future__ import annotations

import ast
import doctest
import re
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import customlabels_nb as cl
from tests.conftest import ROOT
from tests.docs.reference import classes, docstring, function_of, functions, members
from tests.docs.test_readme import code_blocks

PACKAGE = ROOT / "customlabels_nb"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

#: Pages with code, which runs with the same names as the examples. That about Custom Vision uses real photos.
GUIDES = [
    path
    for pages in ("guides/*.md", "concepts/*.md", "cheat_sheet.md")
    for path in sorted((ROOT / "docs").glob(pages))
    if "```python" in path.read_text("utf-8") and path.stem != "custom_vision"
]

#: Folder of the example photos → label in the examples.
ROOMS = {"bathroom": "bathroom", "bedroom": "bedroom", "backyard": "garden"}
PARTS = {"ir_led": "diode", "pot_resistor": "resistor"}


def docstrings() -> Iterator[tuple[str, str]]:
    """Yield the name and text of every docstring of the package that has an example, inherited ones once."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if ">>>" not in path.read_text("utf-8"):
            continue
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for found in doctest.DocTestFinder(recurse=True).find(import_module(name), name):
            if found.examples:
                yield found.name, found.docstring


EXAMPLES = dict(docstrings())


@pytest.fixture(scope="session")
def example_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the photos and projects of the examples, from which each test copies what it needs."""
    folder = tmp_path_factory.mktemp("examples")
    size = (160, 120)
    drawn = cl.examples.write_photos("rooms", folder / "drawn", train=40, test=20, size=size)
    for split, most in (("train", 4), ("test", 2)):
        for name, label in ROOMS.items():
            (folder / split / label).mkdir(parents=True)
            for number, path in enumerate(sorted((getattr(drawn, split) / name).iterdir())[:most]):
                shutil.copy(path, folder / split / label / f"{number + 1}.jpg")
    for path in (folder / "train").glob("*/[1-3].jpg"):
        copy = folder / "photos" / path.parent.name / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    shutil.copy(sorted((drawn.test / "bedroom").iterdir())[-1], folder / "photo.jpg")

    rooms = cl.create_project("rooms", folder / "projects", task="single-label")
    for split in ("train", "test"):
        rooms.add_images(folder / split, split=split, labels_from="folders", copy=True, progress=False)
    rooms.train("first", budget="5s", progress=False)
    rooms.model().evaluate()
    rooms.close()

    drawn = cl.examples.write_photos("circuit_boards", folder / "parts", train=4, test=2, size=size)
    boards = cl.create_project("boards", folder / "projects", task="boxes")
    for split in ("train", "test"):
        data = cl.read_dataset(getattr(drawn, split)).relabel(PARTS)
        others = data.annotations[~data.annotations["label"].isin(PARTS.values())].index
        data = cl.Dataset(data.images, data.annotations.drop(others), list(PARTS.values()), root=data.root)
        boards.import_dataset(data, split=split, copy=True, progress=False)
    boards.close()
    return folder


TRUTH = pd.DataFrame({"image": ["1.jpg", "2.jpg", "3.jpg", "4.jpg"], "label": ["cat", "cat", "dog", "dog"]})
PREDICTIONS = pd.DataFrame(
    {
        "image": ["1.jpg", "1.jpg", "2.jpg", "2.jpg", "3.jpg", "3.jpg", "4.jpg", "4.jpg"],
        "label": ["cat", "dog"] * 4,
        "confidence": [0.9, 0.1, 0.6, 0.4, 0.2, 0.8, 0.7, 0.3],
    }
)


def names_for(mentioned: set[str], folder: Path, cwd: Path) -> dict[str, Any]:
    """Return the names of the examples after copying the photos and projects they mention into ``cwd``."""
    names: dict[str, Any] = {"cl": cl, "pd": pd, "np": np, "plt": plt}
    names |= {"truth": TRUTH.copy(), "predictions": PREDICTIONS.copy()}
    if "photos" in mentioned:
        names["photos"] = Path(shutil.copytree(folder / "photos", cwd / "photos")).name
    if "photo" in mentioned:
        names["photo"] = Path(shutil.copy(folder / "photo.jpg", cwd)).name
    if mentioned & {"project", "model", "report", "job"}:
        names["project"] = cl.load_project(shutil.copytree(folder / "projects" / "rooms", cwd / "rooms"))
        names["model"] = names["project"].model()
    if "job" in mentioned:
        names["job"] = names["project"].jobs.create("rooms-1", "train")
        names["worker"] = names["job"].worker("anna")
    if "report" in mentioned:
        names["report"] = names["model"].evaluate()
    if "boxes" in mentioned:
        names["boxes"] = cl.load_project(shutil.copytree(folder / "projects" / "boards", cwd / "boards"))
    return names


def variables(source: str) -> set[str]:
    """Return the names of the variables in the source of an example, without ``job`` if it is assigned."""
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)]
    own = {node.id for node in found if isinstance(node.ctx, ast.Store)}
    return {"job" if node.id == "worker" else node.id for node in found if not (node.id == "job" and "job" in own)}


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, example_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    examples = doctest.DocTestParser().get_examples(EXAMPLES[name])
    source = "".join(example.source for example in examples if doctest.SKIP not in example.options)
    names = names_for(variables(source), example_folder, tmp_path)
    opened = [value for value in names.values() if isinstance(value, cl.Project)]
    test = doctest.DocTest(examples, vars(module_of(name)) | names, name, None, 0, EXAMPLES[name])
    output: list[str] = []
    result = doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=output.append)
    for project in opened:
        project.close()
    plt.close("all")
    assert not result.failed, "".join(output)


@pytest.mark.thorough
@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_guide(path: Path, example_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the code of a guide, next to the files that it shows."""
    monkeypatch.chdir(tmp_path)
    text = path.read_text("utf-8")
    code = re.sub(r'budget="[^"]+"', 'budget="5s"', "\n".join(code_blocks("python", text)))
    code = re.sub(r"train=\d+, test=\d+, size=\(\d+, \d+\)", "train=16, test=16, size=(160, 120)", code)
    for name, language in (("labels.json", "json"), ("output.manifest", "jsonl"), ("annotations.xml", "xml")):
        for block in code_blocks(language, text):
            Path(name).write_text(block, "utf-8")
            (tmp_path / "datastore" / "kitchen").mkdir(parents=True)
            for number in (1, 2):
                Image.new("RGB", (160, 120), (number, 0, 0)).save(f"datastore/kitchen/{number}.jpg")
    names = names_for(variables(code), example_folder, tmp_path)
    exec(compile(code, str(path), "exec"), names)  # noqa: S102
    for value in names.values():
        if isinstance(value, cl.Project):
            value.close()
        if isinstance(value, cl.Dataset):
            assert set(value.issues["code"]) <= {"ENTRY_ADJUSTED"}
            assert len(value.annotations)
    plt.close("all")


def module_of(name: str) -> ModuleType:
    """Return the module of an object, since an example of a private function calls it by its name."""
    while not any((ROOT / (name.replace(".", "/") + end)).exists() for end in (".py", "/__init__.py")):
        name = name.rpartition(".")[0]
    return import_module(name)


def test_everything_public_that_does_something_has_an_example() -> None:
    missing = [name for name, function in functions() if ">>>" not in docstring(None, name, function)]
    for owner in classes():
        missing += [
            f"{owner.__name__}.{name}"
            for name, value in members(owner)
            if function_of(value) is not None and ">>>" not in docstring(owner, name, value)
        ]
    assert missing == []
