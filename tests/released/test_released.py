"""Tests of the files of every release: later versions read them, and keep the names and arguments of its interface."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import customlabels_nb as cl
from customlabels_nb.core.tables import SINGLE_LABEL
from customlabels_nb.models.artifact import load_config
from customlabels_nb.user_settings import settings
from tests.released import write

RELEASES = sorted(path for path in write.FOLDER.iterdir() if (path / "interface.json").is_file())


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def release(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture
def expected(release: Path) -> Any:
    return json.loads((release / "expected.json").read_text("utf-8"))


def test_public_names_and_arguments_are_kept(release: Path) -> None:
    before, now = json.loads((release / "interface.json").read_text("utf-8")), write.interface()
    assert lost(before, now) == []


def lost(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return what a program that was written for an earlier version misses."""
    missing = [name for name in before["names"] if name not in now["names"]]
    for name in before["names"].keys() & now["names"].keys():
        earlier, later = before["names"][name], now["names"][name]
        if (earlier is None) != (later is None):
            missing.append(f"{name} as a {'property' if earlier is None else 'method'}")
        elif earlier is not None and not is_compatible(earlier, later):
            missing.append(f"the arguments of {name}")
    missing += [f"the error {name}" for name in set(before["errors"]) - set(now["errors"])]
    for part in ("fields", "commands"):
        for name, values in before[part].items():
            missing += [f"{value} of {name}" for value in set(values) - set(now[part].get(name, []))]
    return sorted(missing)


def is_compatible(earlier: list[list[str]], later: list[list[str]]) -> bool:
    """Check whether calls with the earlier arguments mean the same with the later ones.

    Arguments that could only be passed by name may be passed by position, too.
    """
    positional = [one for one in earlier if one[1].startswith("POSITIONAL")]
    named, known = {one[0]: one for one in later}, {one[0] for one in earlier}
    also = {"KEYWORD_ONLY": "POSITIONAL_OR_KEYWORD"}
    return (
        later[: len(positional)] == positional
        and all(
            named.get(name) in ([name, kind, default], [name, also.get(kind), default])
            for name, kind, default in earlier
        )
        and all(one[0] in known or one[2] or one[1].startswith("VAR") for one in later)
    )


def test_changes_that_break_programs_are_found() -> None:
    names = {"f": [["a", "POSITIONAL_OR_KEYWORD", ""], ["b", "KEYWORD_ONLY", "1"]], "C.p": None}
    before: dict[str, Any] = {"names": names, "errors": ["E"], "fields": {"C": ["x"]}, "commands": {"run": ["--to"]}}
    assert lost(before, {**before, "names": {**names, "f": [*names["f"], ["c", "KEYWORD_ONLY", "2"]], "g": []}}) == []
    for arguments in (
        [["a", "POSITIONAL_OR_KEYWORD", ""]],
        [["z", "POSITIONAL_OR_KEYWORD", "0"], *names["f"]],
        [["a", "POSITIONAL_OR_KEYWORD", ""], ["b", "KEYWORD_ONLY", "2"]],
        [*names["f"], ["c", "KEYWORD_ONLY", ""]],
    ):
        assert lost(before, {**before, "names": {**names, "f": arguments}}) == ["the arguments of f"]
    assert lost(before, {**before, "names": {"f": names["f"], "C.p": []}}) == ["C.p as a property"]
    empty: dict[str, Any] = {"names": {}, "errors": [], "fields": {}, "commands": {}}
    assert lost(before, empty) == ["--to of run", "C.p", "f", "the error E", "x of C"]


@pytest.mark.thorough
def test_models_predict_as_before(release: Path, expected: Any, tmp_path: Path) -> None:
    shutil.unpack_archive(release / "models.zip", tmp_path)
    found = {name: write.answers(tmp_path / name) for name in expected["models"]}
    assert found == {name: pytest.approx(values, abs=0.01) for name, values in expected["models"].items()}
    assert load_config(tmp_path / "zero-shot").zero_shot is not None


def test_projects_open_with_their_content(
    release: Path, expected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "user", write.USER)
    packed = Path(shutil.copy(release / "project.zip", tmp_path))
    write.with_backbone(packed)
    project = cl.unpack_project(packed, tmp_path / "opened")
    detects = expected["project"].pop("detects")
    assert write.content(project) == expected["project"]
    assert write.answers(project.model("first").folder) == pytest.approx(detects, abs=0.01)
    project.remove("train", project.train_set.images["image"].head(3).tolist())
    project.snapshots.restore("before")
    assert write.content(project)["labels"] == expected["project"]["labels"]
    project.undo()
    assert len(project.train_set.images) == len(expected["project"]["labels"]["train"]) - 3


@pytest.mark.parametrize("name", write.UNFINISHED)
def test_unfinished_predictions_are_continued(
    release: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.unpack_archive(release / "models.zip", tmp_path / "models")
    shutil.unpack_archive(release / "unfinished.zip", tmp_path)
    monkeypatch.chdir(tmp_path)
    write.write_photos(Path("photos"), write.IMAGES)
    model = Path("models") / SINGLE_LABEL
    continued = write.detect_photos(model, name, resume=True)
    assert (continued.left, continued.images) == (0, write.IMAGES)


def test_the_files_of_a_release_are_small(release: Path) -> None:
    assert sum(path.stat().st_size for path in release.iterdir()) < 1 << 20
