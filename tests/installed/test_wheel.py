"""Tests of the wheel: built, inspected, installed in a clean environment, and used from an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import nbformat
import pytest

import customlabels_nb as cl
from customlabels_nb.quickstart import QUICKSTART
from tests.conftest import ROOT, thread_limit

pytestmark = pytest.mark.thorough

HEAVY = (
    "torch",
    "torchvision",
    "timm",
    "matplotlib",
    "sqlalchemy",
    "ipywidgets",
    "anywidget",
    "pandas",
    "PIL",
    "sklearn",
)

SITE = 'import sysconfig; print(sysconfig.get_path("purelib"))'


@pytest.fixture(scope="module")
def uv(outer_environment: dict[str, str]) -> str:
    """Return the path of uv, or skip if it is missing."""
    candidates = (
        outer_environment.get("UV"),
        shutil.which("uv", path=os.path.dirname(sys.executable)),
        shutil.which("uv", path=outer_environment.get("PATH")),
    )
    found = next((path for path in candidates if path), None)
    if found is None:
        pytest.skip("uv, which builds and installs the wheel, isn't here: pip install uv")
    return found


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Run a command, check that it succeeds, and return its output."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(uv: str, outer_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built as ``python -m build`` does: the source distribution first, and the wheel from it."""
    folder = tmp_path_factory.mktemp("wheel")
    run([uv, "build", "--out-dir", str(folder), str(ROOT)], folder, outer_environment)
    (built,) = folder.glob("*.whl")
    return built


def test_the_source_distribution_has_what_the_tests_and_the_site_need(wheel: Path) -> None:
    (archive,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {PurePosixPath(*PurePosixPath(name).parts[1:]).as_posix() for name in opened.getnames()}
    expected = [
        path.relative_to(ROOT).as_posix()
        for folder in (".ci", ".github", "benchmarks", "customlabels_nb", "docs", "notebooks", "tests")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
    ]
    expected += ["CHANGELOG.md", "CITATION.cff", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "LICENSE", "README.md"]
    expected += [".editorconfig", ".pre-commit-config.yaml", "SECURITY.md", "environment.yml", "mkdocs.yml"]
    assert sorted({*expected, "pyproject.toml"} - names) == []
    assert archive.stat().st_size < 20 * 2**20


@pytest.fixture(scope="module")
def installed(
    uv: str, wheel: Path, outer_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Yield the folder of commands of a new virtual environment with only the wheel and its dependencies."""
    folder = tmp_path_factory.mktemp("clean")
    # the same versions as here, which are in uv's cache, since this tests the wheel only
    here = run([uv, "pip", "freeze", "--exclude-editable", "--python", sys.executable], folder, outer_environment)
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{line}\n" for line in here.splitlines() if "==" in line), "utf-8")
    environment = folder / "environment"
    run([uv, "venv", "--python", sys.executable, str(environment)], folder, outer_environment)
    commands = environment / ("Scripts" if os.name == "nt" else "bin")
    install = [uv, "pip", "install", "--python", str(commands / "python"), "--constraints", str(constraints)]
    run([*install, str(wheel)], folder, outer_environment)
    _take_compiled(Path(run([str(commands / "python"), "-c", SITE], folder, outer_environment).strip()))
    yield commands
    shutil.rmtree(environment)


def _take_compiled(there: Path) -> None:
    """Link this environment's bytecode of the dependencies, as compiling them takes long.

    Python ignores the bytecode of a file with another time or size.
    """
    here = Path(sysconfig.get_path("purelib"))
    for cache in here.rglob("__pycache__"):
        place = there / cache.relative_to(here)
        if place.parent.is_dir() and not place.exists():
            shutil.copytree(cache, place, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def run_installed(commands: Path, arguments: list[str], folder: Path) -> str:
    """Run a command in ``folder``, which is empty and also the home, with nothing of the checkout on the path."""
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"], **thread_limit()}
    return run([str(commands / arguments[0]), *arguments[1:]], folder, environment)


def test_the_wheel_holds_the_package_the_notebooks_and_the_licence_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    about = {name for name in contents if PurePosixPath(name).parts[0].endswith(".dist-info")}
    package = {name for name in contents if name.startswith("customlabels_nb/")}
    assert package | about == contents.keys()
    expected = {
        path.relative_to(folder.parent).as_posix()
        if folder.name == "customlabels_nb"
        else f"customlabels_nb/{path.relative_to(folder.parent).as_posix()}": path.read_bytes()
        for folder in (ROOT / "customlabels_nb", ROOT / "notebooks")
        for path in folder.rglob("*")
        if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
    }
    assert package == expected.keys()
    assert all(contents[name] == data for name, data in expected.items())
    for kind in ("py.typed", "widgets/static/package.json", "notebooks/01_quickstart.ipynb"):
        assert f"customlabels_nb/{kind}" in package
    assert any(name.startswith("customlabels_nb/widgets/static/") and name.endswith(".js") for name in package)
    (licence,) = (name for name in about if PurePosixPath(name).name == "LICENSE")
    assert contents[licence] == (ROOT / "LICENSE").read_bytes()


def test_importing_the_installed_package_loads_nothing_heavy(installed: Path, tmp_path: Path) -> None:
    program = f"""
import sys
import customlabels_nb
print(customlabels_nb.__file__)
print([name for name in {HEAVY!r} if name in sys.modules])
from importlib.metadata import requires, version
print(version("customlabels-nb"))
"""
    origin, loaded, version = run_installed(installed, ["python", "-c", program], tmp_path).splitlines()
    assert Path(origin).resolve().is_relative_to(installed.parent.resolve())
    assert loaded == "[]"
    assert version == cl.__version__


def test_the_command_of_the_wheel_says_its_version(installed: Path, tmp_path: Path) -> None:
    shown = run_installed(installed, ["customlabels-nb", "--version"], tmp_path)
    assert shown == f"customlabels-nb {cl.__version__}\n"
    assert list(tmp_path.iterdir()) == []


def test_quickstart_of_the_wheel_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    shown = run_installed(installed, ["customlabels-nb", "quickstart"], tmp_path)
    for word in ("• Train", "precision", "living_space", "new_01.jpg", "new_02.jpg", "Executed notebook:", "Project:"):
        assert word in shown
    out = tmp_path / "customlabels-quickstart"
    notebook = nbformat.read(out / QUICKSTART, as_version=4)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not any(output.output_type == "error" for output in outputs)
    kinds = [set(output.get("data", {})) for output in outputs]
    assert sum("image/png" in kind for kind in kinds) == 3  # the plots
    assert sum("image/jpeg" in kind for kind in kinds) == 3  # the photos with their labels
    project = cl.load_project(out / "rooms")
    figures = project.model().evaluate()
    assert 0.7 <= figures.metric("f1") <= 1
    assert len(figures.labels) == 10
