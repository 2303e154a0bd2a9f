"""Tests of interrupting long work: one line explains how to continue, and finished work is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from customlabels_nb.project.model import Model
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import load_project
from customlabels_nb.training import run
from tests.project.conftest import draw

BEGIN = """
import threading
import customlabels_nb as cl

def wait(event):
    if isinstance(event, cl.events.Progress) and event.phase == {phase!r}:
        print("waiting", flush=True)
        threading.Event().wait()

events = cl.Events()
events.subscribe(wait)
project = cl.load_project({root!r})
"""
TRAIN = 'project.train("v1", events=events, progress=False)'


class Kernel:
    """Kernel that runs code like a notebook."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager, self.client = manager, client

    def run(self, code: str, *, interrupt_at: str | None = None) -> tuple[str, list[str]]:
        """Run a cell and return its printed text and the lines of its error."""
        asked, printed, lines = self.client.execute(code), "", []
        while True:
            message = self.client.get_iopub_msg(timeout=300)
            if message["parent_header"].get("msg_id") != asked:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                printed += content["text"]
                if interrupt_at is not None and interrupt_at in printed:
                    interrupt_at = None
                    self.manager.interrupt_kernel()
            elif message["msg_type"] == "error":
                lines = "\n".join(content["traceback"]).splitlines()
            elif content.get("execution_state") == "idle":
                return printed, lines


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """Yield a kernel with its own IPython folder."""
    manager, client = start_new_kernel(env={**os.environ, "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython"))})
    yield Kernel(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.thorough
def test_interrupt_in_a_notebook_shows_one_line(project: Project, kernel: Kernel) -> None:
    project.distribute()
    assert kernel.run(BEGIN.format(phase="features of train", root=str(project.root)))[1] == []
    printed, lines = kernel.run(TRAIN, interrupt_at="waiting")
    assert len(lines) == 1
    assert "project.model('v1').resume()" in lines[0]
    assert "Traceback" not in printed
    assert project.model("v1").status == "TRAINING_STOPPED"
    _, lines = kernel.run("project.model('v1').resume(events=events)", interrupt_at="waiting")
    assert len(lines) == 1
    assert "project.model('v1').resume()" in lines[0]
    assert kernel.run("project.model('v1').resume(progress=False)")[1] == []
    assert project.model("v1").status == "TRAINING_COMPLETED"


@pytest.mark.thorough
def test_interrupted_import_in_a_notebook_shows_one_line(project: Project, kernel: Kernel, tmp_path: Path) -> None:
    for random_state in range(3):
        draw(tmp_path / "more" / f"{random_state}.png", 0, 100 + random_state)
    assert kernel.run(BEGIN.format(phase="reading images", root=str(project.root)))[1] == []
    add = f"project.add_images({str(tmp_path / 'more')!r}, events=events)"
    assert len(kernel.run(add, interrupt_at="waiting")[1]) == 1
    assert len(project.train_set) == 24
    assert kernel.run(add.replace(", events=events", ""))[1] == []
    assert len(project.train_set) == 27


@pytest.mark.thorough
def test_interrupt_in_a_script_shows_a_traceback(project: Project) -> None:
    project.distribute()
    heard = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's "&" ignores it
    program = heard + BEGIN.format(phase="features of train", root=str(project.root)) + TRAIN
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert any("waiting" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    (line,) = errors.splitlines()
    assert "project.model('v1').resume()" in line
    assert process.returncode == -signal.SIGINT
    assert load_project(project.root).model("v1").resume(progress=False).status == "TRAINING_COMPLETED"


@pytest.mark.parametrize(
    ("owner", "name", "said"),
    [
        (run, "make_plan", "train again"),
        (run, "recipe_for", "after epoch 1 of 2. Call project.model('v1').resume()"),
        (Model, "_write_report", "project.model('v1').write_results()"),
    ],
)
def test_interrupt_message_names_the_next_step(
    owner: Any,
    name: str,
    said: str,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt("Stopped by you after epoch 1 of 2.")

    project.distribute()
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(owner, name, interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        project.train("v1", progress=False)
    sys.excepthook(KeyboardInterrupt, caught.value, None)
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert ("resume()" in line) == (name == "recipe_for")
