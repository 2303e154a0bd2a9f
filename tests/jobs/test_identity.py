"""Tests of who is labelling: environment variables, shared logins, and roles of PostgreSQL."""

from __future__ import annotations

import warnings
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.engine import make_url

import customlabels_nb as cl
from customlabels_nb.errors import InputError
from customlabels_nb.jobs import identity
from customlabels_nb.settings import find_user, is_nobody, settings


@pytest.fixture(autouse=True)
def _login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CUSTOMLABELS_NB_USER", "JUPYTERHUB_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("getpass.getuser", lambda: "jovyan")
    monkeypatch.setattr(identity, "_warned", False)
    settings.user = find_user()[0]


def test_the_name_is_found_in_the_environment_before_the_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = cl.create_project("leaves", tmp_path)
    assert (cl.whoami(project).name, cl.whoami(project).source) == ("jovyan", "the login name")
    for variable, name in (("JUPYTERHUB_USER", "ann"), ("CUSTOMLABELS_NB_USER", "ben")):
        monkeypatch.setenv(variable, name)
        settings.user = find_user()[0]
        assert (cl.whoami(project).name, cl.whoami(project).source) == (name, variable)
    settings.user = "cem"
    found = cl.whoami(project)
    assert (found.name, found.source, found.roles) == ("cem", "settings.user", {})
    assert repr(found) == "cem (from settings.user): no role in a labelling job"
    project.close()


@pytest.mark.parametrize(("login", "nobody"), [("jovyan", True), ("root", True), ("ann", False)])
def test_a_shared_login_is_nobody_unless_it_was_chosen(
    monkeypatch: pytest.MonkeyPatch, login: str, nobody: bool
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: login)
    assert is_nobody(login) is nobody
    assert not is_nobody("ann")
    monkeypatch.setenv("CUSTOMLABELS_NB_USER", login)
    assert not is_nobody(login)


def test_a_script_is_warned_once_that_its_login_is_shared(project: cl.Project) -> None:
    with pytest.warns(UserWarning, match=r"'jovyan' does not say who you are.*CUSTOMLABELS_NB_USER") as caught:
        job = project.jobs.create("leaves-1", project.train_set)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        job.worker()


def test_roles_in_each_job_are_shown(project: cl.Project) -> None:
    settings.user = "ann"
    project.jobs.create("leaves-1", project.train_set)
    settings.user = "ben"
    project.jobs.create("leaves-2", project.train_set, members=["ann"])
    settings.user = "ann"
    assert cl.whoami(project).roles == {"leaves-1": "manager", "leaves-2": "labeler"}
    assert repr(cl.whoami(project)).endswith("manager of 'leaves-1', labeler of 'leaves-2'")


@pytest.fixture
def project(tmp_path: Path) -> cl.Project:
    """Return a project with one image."""
    from tests.project.conftest import draw

    draw(tmp_path / "a.png", 0, 0)
    found = cl.create_project("leaves", tmp_path)
    found.add_images(tmp_path / "a.png", progress=False)
    return found


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\0b", 7, None])
def test_a_name_that_cannot_be_stored_is_refused(name: object) -> None:
    with pytest.raises(InputError, match="not a person's name"):
        identity.check_person(name)


def test_a_role_of_ones_own_in_the_database_is_the_name(postgres_url: str, tmp_path: Path) -> None:
    settings.user = "ann"
    project = cl.create_project("leaves", tmp_path, store=postgres_url)
    schema, role = project._store.location[1], f"carla_{uuid4().hex[:8]}"
    with project._store.writing() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN")
        connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}")
    assert cl.whoami(project).name == "ann"
    own = make_url(postgres_url).set(username=role).render_as_string(hide_password=False)
    hers = cl.load_project(project.root, store=own)
    assert (cl.whoami(hers).name, cl.whoami(hers).source) == (role, "the database role")
    hers.close()
    with project._store.writing() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {role}")
        connection.exec_driver_sql(f"DROP ROLE {role}")
    project.delete(confirm=True)
