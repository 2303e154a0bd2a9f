from __future__ import annotations

import ast
import csv
import errno
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager
from traitlets.config.loader import PyFileConfigLoader

from customlabels_nb.cli import main
from customlabels_nb.datasets.formats.staging import Staged
from customlabels_nb.errors import InputError
from customlabels_nb.quickstart import notebooks_folder
from customlabels_nb.teaching import write_handout
from tests.images.pictures import tree
from tests.tiers import many

LABS = ["08_teaching_lab", "13_lab_boxes", "14_lab_bias_and_noise"]
GRADED = {"schema_version": 3, "task": False}


def tags(cell: Any) -> list[str]:
    return list(cell.metadata.get("tags", ()))


def own_lab(path: Path, *kinds: str, answer: str = "answer_1 = ...") -> Path:
    """Write a lab with the cells of one exercise and return its path."""
    sources = {"answer": answer, "check": "answer_1", "solution": "Count.\n\n```python\nanswer_1 = 3\n```"}
    make = {"solution": nbformat.v4.new_markdown_cell}
    names = [kind.partition("_")[0] for kind in kinds]
    cells = [make.get(name, nbformat.v4.new_code_cell)(sources[name]) for name in names]
    for kind, cell in zip(kinds, cells, strict=True):
        cell.metadata["tags"] = kind.split() if "_" in kind else [f"{kind}_1"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_the_students_copy_has_no_solutions_and_the_other_has_all(tmp_path: Path) -> None:
    labs = write_handout(tmp_path / "course")
    assert [lab.name for lab in labs] == LABS
    for lab in labs:
        original = nbformat.read(notebooks_folder() / f"{lab.name}.ipynb", as_version=4)
        solutions = [cell for cell in original.cells if any(tag.startswith("solution_") for tag in tags(cell))]
        student, solved = (nbformat.read(path, as_version=4) for path in (lab.student, lab.solution))
        for copy in (student, solved):
            nbformat.validate(copy)
            assert len(copy.cells) == len(original.cells) - lab.exercises
            assert "solution_" not in str([tags(cell) for cell in copy.cells])
        assert len(solutions) == lab.exercises
        text = "\n".join(cell.source for cell in student.cells)
        assert "SOLUTION" not in text
        assert "<details>" not in text
        assert not any(cell.get("outputs") for cell in student.cells)
        for number, solution in enumerate(solutions, 1):
            code = solution.source.split("```python\n")[1].split("```")[0].strip()
            assert code not in text
            (answer,) = (cell for cell in solved.cells if f"answer_{number}" in tags(cell))
            assert f"{code}\n### END SOLUTION" in answer.source
            assert "details" not in answer.source
            (answer, check) = (
                cell for cell in student.cells if {f"answer_{number}", f"check_{number}"} & {*tags(cell)}
            )
            assert "..." in answer.source
            assert answer.metadata.nbgrader == {
                **GRADED, "grade_id": f"answer_{number}", "grade": False, "solution": True, "locked": False,
            }  # fmt: skip
            assert check.metadata.nbgrader == {
                **GRADED, "grade_id": f"check_{number}", "grade": True, "solution": False, "locked": True, "points": 1,
            }  # fmt: skip
            assert check.metadata.jupyter.source_hidden
            assert check.source.splitlines()[0] == f"# Run this cell to check answer {number}"  # shown when collapsed
            assert check.metadata.editable is False


def test_links_lead_to_the_labs_of_the_handout_and_others_are_left_out(tmp_path: Path) -> None:
    paths = [own_lab(tmp_path / f"{name}.ipynb", "answer", "check", "solution") for name in ("first", "my lab")]
    lab = nbformat.read(paths[0], as_version=4)
    items = "- [Second](more/my%20lab.ipynb#part)\n- See [this](gone.ipynb).\n- [Web](https://a.org/b.ipynb)"
    text = f"{items}\n\nAs in [N](x.ipynb)."
    lab.cells.append(nbformat.v4.new_markdown_cell(text))
    nbformat.write(lab, paths[0])
    expected = "- [Second](../my%20lab/my%20lab.ipynb)\n- [Web](https://a.org/b.ipynb)\n\nAs in N."
    report, _ = write_handout(tmp_path / "course", paths)
    for path in (report.student, report.solution):
        assert nbformat.read(path, as_version=4).cells[-1].source == expected


@pytest.mark.parametrize("name", LABS)
def test_a_check_that_is_left_out_stops_no_other_cell(name: str) -> None:
    defined: dict[str, str] = {}
    for cell in nbformat.read(notebooks_folder() / f"{name}.ipynb", as_version=4).cells:
        if cell.cell_type == "code":
            (check,) = [tag for tag in tags(cell) if tag.startswith("check_")] or [""]
            nodes = list(ast.walk(ast.parse(TransformerManager().transform_cell(cell.source))))
            names = [node for node in nodes if isinstance(node, ast.Name)]
            own = {node.id for node in names if isinstance(node.ctx, ast.Store)}
            own |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
            used = {node.id for node in names if isinstance(node.ctx, ast.Load)} - own
            assert not {name: defined[name] for name in used if defined.get(name)}
            defined |= dict.fromkeys(own, check)


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ((), "has no exercises"),
        (("answer", "check"), "0 cells tagged solution_1, expected one markdown cell"),
        (("answer", "check", "check", "solution"), "2 cells tagged check_1"),
        (("answer", "check", "solution", "solution_01"), "'solution_01', expected numbers from 1 to 2"),
        (("answer_1 check_1", "solution"), "a cell with several of these tags"),
    ],
)
def test_a_lab_that_lacks_cells_is_refused_and_nothing_is_written(
    tmp_path: Path, kinds: tuple[str, ...], message: str
) -> None:
    lab = own_lab(tmp_path / "mine.ipynb", *kinds)
    with pytest.raises(InputError, match=message):
        write_handout(tmp_path / "course", [lab])
    assert not (tmp_path / "course").exists()


@pytest.mark.parametrize(
    ("out", "notebooks", "message"),
    [
        ("lab.ipynb", ["lab.ipynb"], "folder='lab.ipynb' is a file"),
        (".", ["lab.ipynb"], "folder='.' is a file, or a folder that is not empty"),
        ("lab.ipynb/course", ["lab.ipynb"], "folder='lab.ipynb/course' cannot be written: Not a directory"),
        ("x" * 300, ["lab.ipynb"], "folder='xxx.*… is too long for a path"),
        ("a\0b", ["lab.ipynb"], r"folder='a\\x00b' is not a valid path"),
        (None, ["lab.ipynb"], "folder=None is not a path"),
        ("course", None, "notebooks=None must be a list of paths"),
        ("course", "lab.ipynb", "notebooks='lab.ipynb' must be a list of paths"),
        ("course", [3], "notebooks=3 is not a path"),
        ("course", ["none.ipynb"], "'none.ipynb' does not exist"),
        ("course", ["folder.ipynb"], "'folder.ipynb' is not a file"),
        ("course", ["x" * 300], "is too long for a path"),
        ("course", ["lab.ipynb", "folder.ipynb/LAB.ipynb"], "'lab.ipynb' has the name of another notebook"),
        ("course", ["...ipynb"], "'...ipynb' has .* no name. Rename it"),
    ],
)
def test_bad_paths_are_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: Any, notebooks: Any, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.ipynb").mkdir()
    own_lab(tmp_path / "lab.ipynb", "answer", "check", "solution")
    before = tree(tmp_path)
    with pytest.raises(InputError, match=message):
        write_handout(out, notebooks)
    assert tree(tmp_path) == before


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container in a JSON value with each of its keys."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places_in(value[key])


@given(
    place=st.integers(0, 99),
    value=st.sampled_from([None, 3, -1, "x", "\ud800", [], [3], {}, "check_" + "9" * 5000, ["check_1"], ["check_7"]]),
    cut=st.none() | st.integers(0, 500),
)
@settings(max_examples=many(60))
def test_damaged_notebooks_are_written_whole_or_refused(place: int, value: Any, cut: int | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lab, out = own_lab(Path(folder, "lab.ipynb"), "answer", "check", "solution"), Path(folder, "course")
        content = json.loads(lab.read_text())
        every = list(places_in(content))
        container, key = every[place % len(every)]
        container[key] = value
        lab.write_bytes(json.dumps(content).encode()[:cut])
        refused = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of nbformat
            try:
                (written,) = write_handout(out, [lab])
            except InputError as error:
                refused = str(error)
        if refused is None:
            nbformat.validate(nbformat.read(written.student, as_version=4))
            assert "answer_1 = 3" not in written.student.read_text()
        else:
            assert "lab.ipynb'" in refused
            assert not out.exists()


def test_a_full_disk_is_named_and_leaves_no_half_course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = own_lab(tmp_path / "mine.ipynb", "answer", "check", "solution")
    written = []

    def write(files: Staged, path: Path, data: bytes, **options: Any) -> None:
        written.append(path)
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(files, path, data, **options)

    original = Staged.write
    monkeypatch.setattr(Staged, "write", write)
    with pytest.raises(InputError, match=r"folder='.*course' cannot be written: the disk is full\. Free some space"):
        write_handout(tmp_path / "course", [lab])
    assert list((tmp_path / "course").iterdir()) == []


def test_the_command_writes_labs_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab = own_lab(tmp_path / "mine.ipynb", "answer", "check", "solution")
    out = tmp_path / "my course"
    assert main(["handout", str(out), str(lab)]) == 0
    shown = capsys.readouterr().out
    assert "mine: 1 exercise\n" in shown
    assert f"cd '{out}' && nbgrader" in shown
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == [
        "nbgrader_config.py",
        "solution/mine/mine.ipynb",
        "student/mine/mine.ipynb",
    ]
    assert main(["handout", str(out), str(lab)]) == 2
    assert "not empty" in capsys.readouterr().err
    (tmp_path / "bad.ipynb").write_text("no notebook")
    for name in ("bad.ipynb", "none.ipynb"):
        assert main(["handout", str(tmp_path / "other"), str(tmp_path / name)]) == 2
        assert name in capsys.readouterr().err


def test_a_busy_computer_has_time_for_each_cell(tmp_path: Path) -> None:
    write_handout(tmp_path / "course", [notebooks_folder() / "13_lab_boxes.ipynb"])
    config = PyFileConfigLoader("nbgrader_config.py", str(tmp_path / "course")).load_config()
    assert config.Execute.timeout >= 120  # nbgrader's own limit is 30 seconds


@pytest.mark.thorough
def test_nbgrader_grades_a_right_and_a_wrong_submission(tmp_path: Path) -> None:
    (lab,) = write_handout(tmp_path / "course", [notebooks_folder() / "13_lab_boxes.ipynb"])
    handed_out = nbformat.read(lab.student, as_version=4)
    course = tmp_path / "course"
    nbgrader(course, "generate_assignment", lab.name, "--force")
    released = nbformat.read(lab.student, as_version=4)
    assert [cell.source.strip() for cell in released.cells] == [cell.source.strip() for cell in handed_out.cells]

    solved = {cell.id: cell.source for cell in nbformat.read(lab.solution, as_version=4).cells}
    for person, right in {"anna": range(1, 9), "ben": (1, 2, 4)}.items():
        work = nbformat.read(lab.student, as_version=4)
        for cell in work.cells:
            if tags(cell) and tags(cell)[0] in {f"answer_{number}" for number in right}:
                cell.source = solved[cell.id]
            elif tags(cell) == ["answer_8"]:
                cell.source = "answer_8 = <oops>"  # a submission with an error is still graded
            elif tags(cell) == ["check_7"]:
                cell.source = "1"  # a changed check is restored
        folder = course / "submitted" / person / lab.name
        folder.mkdir(parents=True)
        nbformat.write(work, folder / lab.student.name)
    nbgrader(course, "autograde", lab.name)
    nbgrader(course, "export")
    with (course / "grades.csv").open() as file:
        scores = {row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in csv.DictReader(file)}
    assert scores == {"anna": (8, 8), "ben": (3, 8)}


def nbgrader(course: Path, *arguments: str) -> None:
    """Run nbgrader in a course. It starts programs of its environment by their names."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [sys.executable, "-m", "nbgrader", *arguments]
    done = subprocess.run(
        command, cwd=course, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
