"""Python environments as folders, with only the files that a check-up reads."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path

LAB, MANAGER, ANYWIDGET = version("jupyterlab"), "5.0.16", version("anywidget")


def put(path: Path, text: str = "") -> Path:
    """Write a file and its folders and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def package(prefix: Path, name: str, number: str) -> None:
    """Write the metadata of an installed package."""
    folder = prefix / "lib" / "python3.11" / "site-packages" / f"{name.replace('-', '_')}-{number}.dist-info"
    put(folder / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")


def extension(prefix: Path, name: str, number: str) -> None:
    """Write a labextension."""
    put(prefix / "share/jupyter/labextensions" / name / "package.json", json.dumps({"name": name, "version": number}))


def kernel(data: Path, name: str, *argv: str) -> None:
    """Write a kernel spec below a data folder of Jupyter."""
    put(data / "kernels" / name / "kernel.json", json.dumps({"argv": [*argv, "-m", "ipykernel_launcher"]}))


def command(prefix: Path, name: str, head: str | None = None) -> Path:
    """Write an installed command whose first line names its Python, and return its path."""
    script = put(prefix / "bin" / name, (head or f"#!{prefix}/bin/python") + "\nimport sys\n")
    script.chmod(0o755)
    return script


def whole(prefix: Path, *, lab: str = LAB, manager: str | None = MANAGER, anywidget: str | None = ANYWIDGET) -> Path:
    """Write an environment whose JupyterLab shows widgets, unless a part is replaced or None, and return its path."""
    put(prefix / "pyvenv.cfg", "home = /usr/bin\n")
    put(prefix / "bin" / "python").chmod(0o755)
    command(prefix, "jupyter-lab")
    for name, number in (("jupyterlab", lab), ("ipykernel", "7.0"), ("ipywidgets", "8.1.9"), ("notebook", "7.6.5")):
        package(prefix, name, number)
    if manager is not None:
        package(prefix, "jupyterlab-widgets", "3.0.16")
        extension(prefix, "@jupyter-widgets/jupyterlab-manager", manager)
    if anywidget is not None:
        package(prefix, "anywidget", anywidget)
        extension(prefix, "anywidget", anywidget)
        put(prefix / "share/jupyter/nbextensions/anywidget/index.js")
    kernel(prefix / "share" / "jupyter", "python3", "python")
    return prefix


def path_of(prefix: Path) -> str:
    """Return a PATH with the commands of ``prefix`` only."""
    return str(prefix / "bin") + os.pathsep
