"""Tests of comparing two versions of a project, and of advice on one."""

from __future__ import annotations

from pathlib import Path

import pytest

from customlabels_nb.errors import InputError, ModelNotFoundError
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from customlabels_nb.store import Action
from tests.project.conftest import draw


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, shapes: Path) -> Project:
    """Return a project with two versions, the second trained on wrong labels and on an image that is tested now."""
    folder = tmp_path_factory.mktemp("versions")
    made = create_project("shapes", folder)
    made.add_images(shapes, labels_from="folders", progress=False)
    made.distribute(test_fraction=0.25)
    made.train("v1", progress=False)
    made.update("train", made.train_set.relabel({"disc": "stripes", "stripes": "disc"}), note="mixed up")
    draw(folder / "more" / "disc.png", 0, 99)
    draw(folder / "later" / "stripes.png", 1, 99)
    made.add_images(folder / "more", split="test", label="disc", progress=False)
    made.add_images(folder / "later", label="stripes", progress=False)
    made.train("v2", progress=False)
    later = made.train_set.images["image"].tolist()[-1:]
    made._store.move_images(later, "train", "test", Action("move", "anna"))
    return made


def test_versions_are_compared_on_stored_predictions(project: Project) -> None:
    found = project.compare("v1", "v2", common=True)
    assert found.names == ("v1", "v2")
    assert found.test_images == 7
    assert found.metric("f1")["after"] == project.model("v2").evaluate().metric("f1")
    assert found.metric("accuracy")["delta"] < -0.3
    assert set(found.broken["label"]) == {"disc", "stripes"}
    assert found.fixed.empty
    assert "F1 falls from" in repr(found)
    assert set(found.broken["image"]) <= set(project.model("v1").evaluate().per_image["image"])


def test_other_test_images_are_refused_by_name(project: Project) -> None:
    with pytest.raises(InputError, match=r"1 only before \('.*stripes\.png'\)\. .*common=True.* 7"):
        project.compare("v1")
    with pytest.raises(ModelNotFoundError):
        project.compare("v0", "v1")
    with pytest.raises(ModelNotFoundError, match="No version matches 3"):
        project.compare(3, "v1")


def test_advice_on_a_version_has_its_pictures_and_training_images(project: Project) -> None:
    report = project.model("v2").evaluate()
    advice = report.advice
    (item,) = advice.about("confusion")[:1]
    assert set(item.labels) == {"disc", "stripes"}
    assert "data:image/jpeg;base64," in advice._repr_html_()
    assert '.label("test")' in item.call
    rare = report.advise().about("rare")
    assert {label for one in rare for label in one.labels} <= {"disc", "stripes", "triangle"}
    assert any("has only 6 training images" in one.text for one in rare)


def test_more_than_two_versions_are_in_one_table(project: Project) -> None:
    found = project.compare(project.model("v1"), "v2", "latest", common=True)
    assert found.names == ("v1", "v2", "v2 (3)")
    assert found.test_images == 7
    assert found.summary["delta"].iloc[1] == project.compare("v1", "v2", common=True).metric("f1")["delta"]
