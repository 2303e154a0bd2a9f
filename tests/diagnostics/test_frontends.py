"""Tests of the prediction if widgets will render, with environments in real folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from customlabels_nb.diagnostics.checkup import DiagnosticLine
from customlabels_nb.diagnostics.frontends import (
    COLAB,
    LAB,
    NOTEBOOK,
    TERMINAL,
    UNKNOWN,
    VSCODE,
    Environment,
    NotebookServer,
    environment_at,
    faults,
    jupyterlab,
    notebook,
    on_path,
    place_of,
    prefix_of,
    python_of,
    this_notebook,
    vs_code,
)
from tests.diagnostics.prefixes import command, extension, kernel, package, path_of, put, whole


def only(lines: object) -> DiagnosticLine:
    """Return the only line."""
    (line,) = lines  # type: ignore[misc]
    assert isinstance(line, DiagnosticLine)
    return line


# -- one environment --------------------------------------------------------------------------------
def test_complete_environment_renders_widgets_everywhere(tmp_path: Path) -> None:
    own = Environment(whole(tmp_path / "own"))
    for look in (jupyterlab, notebook, vs_code):
        line = look(own)
        assert (line.state, line.advice) == ("good", ""), line
        assert "widgets render" in line.text
    assert list(on_path(own, path_of(own.prefix))) == []


Break = Callable[[Path], object]


@pytest.mark.parametrize(
    ("options", "spoil", "fault", "advice"),
    [
        ({"manager": None}, None, "ipywidgets is missing", '"ipywidgets==8.1.9"'),
        (
            {"manager": "3.1.0"},
            None,
            "is 3.1.0, incompatible with ipywidgets 8.1.9",
            '--force-reinstall "ipywidgets==8.1.9"',
        ),
        ({"anywidget": None}, None, "anywidget is missing", "anywidget"),
        ({"lab": "3.6.8"}, None, "JupyterLab is 3.6.8", "-U jupyterlab"),
        (
            {},
            lambda p: extension(p, "anywidget", "0.1.0"),
            "is 0.1.0, incompatible with the kernel's",
            '--force-reinstall "anywidget==',
        ),
        (
            {},
            lambda p: (p / "share/jupyter/labextensions/@jupyter-widgets/jupyterlab-manager/package.json").unlink(),
            "ipywidgets is missing",
            "--force-reinstall jupyterlab-widgets",
        ),
        (
            {},
            lambda p: put(p / "etc/jupyter/labconfig/page_config.json", '{"disabledExtensions": {"anywidget": true}}'),
            "anywidget is disabled",
            "labextension enable anywidget",
        ),
        (
            {},
            lambda p: put(
                p / "etc/jupyter/labconfig/page_config.json",
                json.dumps({"disabledExtensions": ["@jupyter-widgets/jupyterlab-manager:plugin"]}),
            ),
            "jupyterlab-manager is disabled",
            "labextension enable @jupyter-widgets/jupyterlab-manager",
        ),
    ],
)
def test_errors_in_the_current_environment_are_problems(
    tmp_path: Path, options: dict[str, str | None], spoil: Break | None, fault: str, advice: str
) -> None:
    own = Environment(whole(tmp_path / "own", **options))  # type: ignore[arg-type]
    if spoil is not None:
        spoil(own.prefix)
    line = jupyterlab(own)
    assert line.state == "problem"
    assert fault in line.text
    assert advice in line.advice
    assert str(own.prefix) in line.advice
    assert notebook(own).state == "warning"


def test_an_extension_that_was_switched_on_again_is_no_fault(tmp_path: Path) -> None:
    own = Environment(whole(tmp_path / "own"))
    put(own.prefix / "etc/jupyter/labconfig/page_config.json", '{"disabledExtensions": {"anywidget": false}}')
    assert jupyterlab(own).state == "good"
    put(own.prefix / "etc/jupyter/labconfig/page_config.json", "half a fi")
    assert jupyterlab(own).state == "good"


def test_installing_goes_by_pip_where_it_is_and_by_uv_elsewhere(tmp_path: Path) -> None:
    own = Environment(whole(tmp_path / "own", anywidget=None))
    assert jupyterlab(own).advice.startswith(f"uv pip install --python {own.prefix}/bin/python anywidget")
    package(own.prefix, "pip", "26.0")
    assert jupyterlab(own).advice.startswith(f"{own.prefix}/bin/python -m pip install anywidget")


def test_notebook_6_loads_widgets_from_its_own_extensions(tmp_path: Path) -> None:
    own = Environment(whole(tmp_path / "own", manager=None))
    (own.prefix / "lib/python3.11/site-packages/notebook-7.6.5.dist-info/METADATA").unlink()
    package(own.prefix, "notebook", "6.5.7")
    line = notebook(own)
    assert (line.state, "widgetsnbextension" in line.advice, "anywidget" in line.advice) == ("warning", True, False)
    put(own.prefix / "share/jupyter/nbextensions/jupyter-js-widgets/extension.js")
    assert (notebook(own).state, notebook(own).text) == ("good", "6.5.7: widgets render")


def test_notebook_may_be_missing_or_old(tmp_path: Path) -> None:
    own = Environment(whole(tmp_path / "own"))
    installed = own.prefix / "lib/python3.11/site-packages/notebook-7.6.5.dist-info"
    (installed / "METADATA").unlink()
    assert notebook(own).state == "note"
    package(own.prefix, "notebook", "6.4.12")
    line = notebook(own)
    assert (line.state, "6.4.12" in line.text) == ("warning", True)


def test_vs_code_takes_widgets_from_the_environment_of_the_kernel(tmp_path: Path) -> None:
    own = Environment(whole(tmp_path / "own"))
    (own.prefix / "share/jupyter/nbextensions/anywidget/index.js").unlink()
    line = vs_code(own)
    assert line.state == "warning"
    assert '--force-reinstall "anywidget==' in line.advice
    bare = Environment(whole(tmp_path / "bare", anywidget=None))
    assert "anywidget missing" in vs_code(bare).text


# -- a kernel that is another Python ----------------------------------------------------------------
def test_user_kernel_that_hides_the_environments_kernel_is_reported(tmp_path: Path) -> None:
    own = Environment(whole(tmp_path / "own"), [tmp_path / "person"])
    kernel(tmp_path / "person", "python3", "/elsewhere/bin/python3.10")
    assert jupyterlab(own).state == "good"  # a virtual environment's own kernel has priority
    (own.prefix / "pyvenv.cfg").unlink()
    kernel(own.prefix / "share/jupyter", "mine", str(own.prefix / "bin/python"))
    line = jupyterlab(own)
    assert line.state == "warning"
    assert "/elsewhere/bin/python3.10" in line.text
    assert str(tmp_path / "person" / "kernels" / "python3") in line.advice
    assert "'mine'" in line.advice


def test_kernels_of_other_languages_are_ignored(tmp_path: Path) -> None:
    own = Environment(whole(tmp_path / "own"))
    kernel(own.prefix / "share/jupyter", "ir", "/usr/bin/R")
    put(own.prefix / "share/jupyter/kernels/broken/kernel.json", "{")
    assert [offer.name for offer in own.kernels()] == ["python3"]


# -- `jupyter lab` of another environment -----------------------------------------------------------
def test_the_jupyter_on_path_of_another_environment_without_our_parts(tmp_path: Path) -> None:
    own = Environment(whole(tmp_path / "own"))
    other = whole(tmp_path / "other", manager=None, anywidget=None)
    line = only(on_path(own, path_of(other)))
    assert line.state == "warning"
    assert str(other) in line.text
    for word in ("ipywidgets", "anywidget"):
        assert word in line.text
        assert word in line.advice
    assert line.advice.startswith("Use `customlabels-nb lab`")
    assert f"--python {other}/bin/python" in line.advice


def test_the_jupyter_on_path_needs_a_kernel_of_this_environment(tmp_path: Path) -> None:
    own = Environment(whole(tmp_path / "own"))
    other = whole(tmp_path / "other")
    line = only(on_path(own, path_of(other)))
    assert line.state == "warning"
    assert f"{own.prefix}/bin/python -m ipykernel install --user" in line.advice
    kernel(other / "share/jupyter", "customlabels", str(own.prefix / "bin/python"))
    assert only(on_path(own, path_of(other))).state == "good"


def test_missing_or_unreadable_jupyter_on_path_is_ignored(tmp_path: Path) -> None:
    own = Environment(whole(tmp_path / "own"))
    assert only(on_path(own, str(tmp_path))).text == "no such command is on PATH"
    command(tmp_path / "shims", "jupyter-lab", "#!/usr/bin/env bash")
    line = only(on_path(own, path_of(tmp_path / "shims")))
    assert (line.state, "cannot determine" in line.text) == ("note", True)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("#!/opt/a b/bin/python3.12", "/opt/a b/bin/python3.12"),
        ("#!/opt/env/bin/python", "/opt/env/bin/python"),
        ("#!/bin/sh\n'''exec' \"/a long/path/bin/python\" \"$0\" \"$@\"\n' '''", "/a long/path/bin/python"),
        ("#!/bin/sh\n'''exec' /long/path/bin/python3 \"$0\" \"$@\"\n' '''", "/long/path/bin/python3"),
        ("#!/usr/bin/env bash", None),
        ("\x7fELF", None),
    ],
)
def test_python_of_a_command_is_found(tmp_path: Path, head: str, expected: str | None) -> None:
    found = python_of(command(tmp_path, "jupyter-lab", head))
    assert found == (None if expected is None else Path(expected))


def test_python_of_a_windows_command_is_found(tmp_path: Path) -> None:
    script = put(tmp_path / "Scripts" / "jupyter-lab.exe")
    assert python_of(script) is None
    beside = put(tmp_path / "Scripts" / "python.exe")
    assert python_of(script) == beside
    assert prefix_of(beside) == tmp_path


# -- calling notebook -------------------------------------------------------------------------------
def test_the_servers_environment_counts_and_not_the_kernels(tmp_path: Path) -> None:
    own = environment_at(Path(sys.prefix))
    other = whole(tmp_path / "server", anywidget=None)
    line = this_notebook(NotebookServer(LAB, other / "bin" / "python"), own)
    assert line.state == "problem"
    assert str(other) in line.text
    assert "anywidget" in line.advice
    line = this_notebook(NotebookServer(LAB, Path(sys.prefix) / "bin" / "python"), own)
    assert (line.state, line.text) == ("good", "JupyterLab of this environment: widgets render")


def test_a_server_that_can_not_be_seen_gets_a_way_to_find_out() -> None:
    line = this_notebook(NotebookServer(UNKNOWN), environment_at(Path(sys.prefix)))
    assert (line.state, "IntSlider" in line.advice) == ("note", True)


def test_colabs_manager_is_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    own = environment_at(Path(sys.prefix))
    assert "enable_custom_widget_manager" in this_notebook(NotebookServer(COLAB), own).advice
    called = []
    output = type(sys)("google.colab.output")
    output.enable_custom_widget_manager = lambda: called.append(True)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    assert this_notebook(NotebookServer(COLAB), own).state == "good"
    assert called == [True]


LAB_PROCESS = (["/env/bin/python", "/env/bin/jupyter-lab", "--port=1"], Path("/env/bin/python"))


@pytest.mark.parametrize(
    ("names", "environment", "parents", "modules", "expected"),
    [
        ({}, {}, [LAB_PROCESS], {}, (LAB, "/env/bin/python")),
        ({}, {}, [(["/e/bin/python3", "-m", "jupyterlab"], Path("/e/bin/python3"))], {}, (LAB, "/e/bin/python3")),
        ({}, {}, [(["/e/bin/python3", "-m", "notebook"], Path("/e/bin/python3"))], {}, (NOTEBOOK, "/e/bin/python3")),
        ({}, {}, [(["/e/python", "/e/jupyter", "lab"], Path("/e/python"))], {}, (LAB, "/e/python")),
        ({}, {}, [(["bash"], None), LAB_PROCESS], {}, (LAB, "/env/bin/python")),
        ({}, {"VSCODE_PID": "7"}, [LAB_PROCESS], {}, (LAB, "/env/bin/python")),  # started in VS Code's terminal
        ({}, {"VSCODE_PID": "7"}, [(["/usr/share/code/code"], None)], {}, (VSCODE, None)),
        ({"__vsc_ipynb_file__": "a.ipynb"}, {}, [], {}, (VSCODE, None)),
        ({}, {}, [LAB_PROCESS], {"google.colab": None}, (COLAB, None)),
        ({}, {"COLAB_RELEASE_TAG": "x"}, [], {}, (COLAB, None)),
        ({}, {}, [(["vim", "notebook"], None), (["python", "-m"], None)], {}, (UNKNOWN, None)),
    ],
)
def test_front_end_of_a_kernel_is_recognised(
    names: dict[str, str],
    environment: dict[str, str],
    parents: list[tuple[list[str], Path | None]],
    modules: dict[str, None],
    expected: tuple[str, str | None],
) -> None:
    place = place_of(names, environment, parents, modules)
    assert (place.front_end, None if place.server_python is None else str(place.server_python)) == expected
    assert place.front_end != TERMINAL


# -- this environment -------------------------------------------------------------------------------
def test_current_environment_renders_widgets() -> None:
    own = environment_at(Path(sys.prefix))
    assert own.is_own
    assert faults(own) == []
    assert own.version_of("jupyterlab")


@pytest.mark.thorough
def test_real_environment_without_packages_is_reported(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    command(bare, "jupyter-lab")
    environment = {**os.environ, "PATH": path_of(bare) + os.environ["PATH"]}
    call = [sys.executable, "-m", "customlabels_nb.cli", "doctor", "--json"]
    done = subprocess.run(call, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    lines = {line["name"]: line for line in json.loads(done.stdout)}
    assert lines["jupyter lab"]["state"] == "warning"
    assert "JupyterLab is not installed in" in lines["jupyter lab"]["text"]
    assert str(bare) in lines["jupyter lab"]["advice"]
    assert done.returncode == 0  # the kernel of this environment is complete
