"""Tests of the workflows, the forms and the hooks: they are valid, and run commands that exist."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from customlabels_nb.cli import main
from customlabels_nb.core.limits import LOCAL
from tests import __main__ as runner
from tests import provision
from tests.conftest import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in (GITHUB / "workflows").glob("*.yml")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
JOBS = {f"{name}: {job}": facts for name, workflow in WORKFLOWS.items() for job, facts in workflow["jobs"].items()}


def matrix_of(job: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the values of the matrix of a job, one dictionary for each of its runs."""
    matrix = job.get("strategy", {}).get("matrix", {})
    yield from matrix.get("include", [])
    yield from ({name: value} for name, values in matrix.items() if name != "include" for value in values)
    if not matrix:
        yield {}


def with_values(text: str, values: dict[str, str]) -> str:
    """Return a text of a workflow with the values of the matrix."""
    for name, value in values.items():
        text = text.replace("${{ matrix." + name + " }}", value)
    return text


def commands_of(job: dict[str, Any]) -> Iterator[list[str]]:
    """Yield the commands of a job as words."""
    for values in matrix_of(job):
        for step in job["steps"]:
            for line in with_values(step.get("run", ""), values).splitlines():
                yield shlex.split(line)


def check_command(words: list[str]) -> None:
    """Check that the extras of a command are declared, and that its program and its options exist."""
    if words[:2] == ["uv", "run"]:
        words = words[2:]
        while words[0] == "--extra":
            assert words[1] in PROJECT["optional-dependencies"], words
            words = words[2:]
    program, *arguments = words
    if words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(arguments[1]), words
        if arguments[1] == "tests":
            runner.parse(arguments[2:])  # exits if there is no such option
    elif program.endswith("customlabels-nb"):
        with pytest.raises(SystemExit, match="0"):
            main([*arguments, "--help"])
    elif program not in ("uv", "test", "bare/bin/python"):
        assert shutil.which(program, path=str(Path(sys.executable).parent)), words


@pytest.mark.parametrize("job", JOBS)
def test_commands_of_a_workflow_exist(job: str) -> None:
    commands = list(commands_of(JOBS[job]))
    assert commands or "publish" in job
    for words in commands:
        check_command(words)


@pytest.mark.parametrize("wrong", ["python -m tests --through", "python -m testing", "--extra tests pytest", "mkdoc"])
def test_wrong_commands_are_found(wrong: str) -> None:
    with pytest.raises((AssertionError, SystemExit)):
        check_command(shlex.split(f"uv run {wrong}"))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_may_only_read_and_end_in_time(name: str) -> None:
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {"contents": "read"}
    assert {job: facts["permissions"] for job, facts in workflow["jobs"].items() if "permissions" in facts} == (
        {"publish": {"id-token": "write"}} if name == "release" else {}
    )
    assert all(facts["timeout-minutes"] <= 120 for facts in workflow["jobs"].values())


def test_versions_of_python_are_those_that_the_package_names() -> None:
    prefix = "Programming Language :: Python :: 3."
    classifiers = [name.removeprefix(prefix) for name in PROJECT["classifiers"] if name.startswith(prefix)]
    jobs = WORKFLOWS["tests"]["jobs"]
    assert jobs["first-tier"]["strategy"]["matrix"]["python"] == [f"3.{minor}" for minor in classifiers]
    assert PROJECT["requires-python"] == f">=3.{classifiers[0]}"
    used = {
        with_values(step["with"]["python-version"], values)
        for facts in JOBS.values()
        for values in matrix_of(facts)
        for step in facts["steps"]
        if "setup-uv" in step.get("uses", "")
    }
    assert used <= {f"3.{minor}" for minor in classifiers}


def test_environments_are_tested_with_their_python() -> None:
    runs = list(matrix_of(WORKFLOWS["tests"]["jobs"]["other-versions"]))
    tested = {runner.parse(run["versions"].split())[0].environment: run["python"] for run in runs}
    assert tested == {name: environment.python for name, environment in runner.environments.ENVIRONMENTS.items()}


def test_issue_forms_require_the_facts_of_their_kind() -> None:
    forms = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml")}
    assert forms.pop("config") == {"blank_issues_enabled": False}
    assert set(forms) == {"bug", "feature", "question"}
    for form in forms.values():
        assert {"name", "description", "body"} <= set(form)
        assert any(field.get("validations", {}).get("required") for field in form["body"])
    (doctor,) = (field for field in forms["bug"]["body"] if field.get("id") == "doctor")
    assert "cl.doctor()" in doctor["attributes"]["label"]
    assert doctor["validations"]["required"] is True


def test_hooks_run_the_quick_checks_of_the_tests() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    assert local["repo"] == "local"
    here = runner.Found(node="node", biome=["biome"])
    steps = {step.name: step.command[1:] for step in runner.linters(here)}
    for hook in local["hooks"]:
        words = shlex.split(hook["entry"])
        if hook["name"] == "biome":
            assert hook["additional_dependencies"] == [provision.BIOME]
        else:
            check_command(words)
            words = words[words.index("dev") + 1 :]
        assert words[1:] == steps[hook["name"]]


def test_promises_of_security_name_their_tests_and_the_limit() -> None:
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    promises = re.findall(r"^\| [A-Z].* \| (`.*`) \|$", text, re.MULTILINE)
    assert len(promises) == text.count("\n| ") - 2
    assert [name for tests in promises for name in re.findall(r"`(.+?)`", tests) if not (ROOT / name).exists()] == []
    assert f"{LOCAL.max_pixels:,} pixels" in text
