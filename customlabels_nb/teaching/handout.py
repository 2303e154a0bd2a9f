"""Write the copies of lab notebooks for students and teachers, with the metadata of nbgrader.

The cells of an exercise are tagged with its number:

- ``answer_3``: code in which students replace ``...``
- ``check_3``: code that checks the answer (see :class:`customlabels_nb.teaching.exercises.Exercises`)
- ``solution_3``: Markdown with an explanation, and the solution in a ``python`` block

The tag ``score`` is for the cell that counts the right answers. The heading of an exercise can end with its time:
``### Exercise 3: precision · 4 minutes``.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from customlabels_nb._utils.files import write_errors
from customlabels_nb._utils.text import counted, first_line, one_line
from customlabels_nb._utils.unknown_names import names_arguments
from customlabels_nb.datasets.formats.staging import staged
from customlabels_nb.errors import InputError
from customlabels_nb.images.locations import local_path
from customlabels_nb.quickstart import notebooks_folder

STUDENT, SOLUTION = "student", "solution"
_TAG = re.compile(r"(answer|check|solution)_(.+)", re.DOTALL)
_MINUTES = re.compile(r"^#+ .*· (\d{1,4}) minutes?$", re.MULTILINE)
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\((?!\w+:)(?:[^)\s]*/)?([^)/\s]+)\.ipynb(?:#[^)\s]*)?\)")
_CELL_TYPES = {"answer": "code", "check": "code", "solution": "markdown"}
_CONFIG = f'''# Makes this folder a course of nbgrader. In this folder: nbgrader generate_assignment NAME --force
c = get_config()
c.CourseDirectory.source_directory = "{SOLUTION}"
c.CourseDirectory.release_directory = "{STUDENT}"
c.ClearSolutions.code_stub = {{"python": ""}}
c.Execute.timeout = 180  # seconds for a cell: with nbgrader's 30, a busy computer takes points from right answers
'''


@dataclass(frozen=True)
class HandoutReport:
    """Result of :func:`write_handout` for one lab.

    Attributes
    ----------
    name : str
        Name of the notebook without its suffix, and of its folder.
    student, solution : Path
        The copies for students and teachers.
    exercises : int
        Number of exercises, each worth one point.
    minutes : int
        Time for all exercises together, 0 if the notebook does not say.
    """

    name: str
    student: Path
    solution: Path
    exercises: int
    minutes: int

    def __str__(self) -> str:
        time = f", {counted(self.minutes, 'minute')}" if self.minutes else ""
        return f"{one_line(self.name)}: {counted(self.exercises, 'exercise')}{time}"


@names_arguments
def write_handout(
    folder: str | os.PathLike[str], notebooks: Iterable[str | os.PathLike[str]] = ()
) -> tuple[HandoutReport, ...]:
    """Write a student's copy and a solution copy of lab notebooks to a new folder, which is a course of nbgrader.

    The student's copy has no solutions and no outputs, and its checks are collapsed and locked. The solution copy has
    the solutions in the cells of the answers.

    Parameters
    ----------
    folder : path
        Folder to create, for ``student/NAME/NAME.ipynb`` and ``solution/NAME/NAME.ipynb``.
    notebooks : iterable of path
        Lab notebooks with tagged cells, as :mod:`customlabels_nb.teaching.handout` describes. By default, the labs of
        this package.

    Returns
    -------
    tuple of HandoutReport
        The labs, with the paths of both copies.

    Raises
    ------
    InputError
        If ``folder`` exists and is not empty, or cannot be written, or if a notebook cannot be read, has no exercises
        or lacks cells. Nothing is written then.

    Examples
    --------
    >>> labs = cl.teaching.write_handout("course")
    >>> print(labs[0])
    08_teaching_lab: 10 exercises, 35 minutes
    >>> labs[0].student.as_posix()
    'course/student/08_teaching_lab/08_teaching_lab.ipynb'
    """
    import nbformat

    target = local_path(folder, "folder")
    with write_errors(f"folder={os.fspath(folder)!r}"):
        if os.path.lexists(target) and not (target.is_dir() and not any(target.iterdir())):
            raise InputError(
                f"folder={os.fspath(folder)!r} is a file, or a folder that is not empty. Choose a new folder."
            )
        labs = [(path.stem, notebook, _exercises(notebook, path)) for path, notebook in _chosen(notebooks).items()]
        target.mkdir(parents=True, exist_ok=True)
        written = []
        with staged(target) as files:
            for name, notebook, count in labs:
                for cell in notebook.cells:
                    if cell.cell_type == "markdown":
                        cell.source = _with_links(cell.source, {stem for stem, _, _ in labs})
                student, solution = (target / kind / name / f"{name}.ipynb" for kind in (STUDENT, SOLUTION))
                files.write(student, nbformat.writes(_student_copy(notebook)).encode())
                files.write(solution, nbformat.writes(_solution_copy(notebook)).encode())
                minutes = sum(int(time) for cell in notebook.cells for time in _MINUTES.findall(cell.source))
                written.append(HandoutReport(name, student, solution, count, minutes))
            files.write(target / "nbgrader_config.py", _CONFIG.encode())
    return tuple(written)


def _chosen(notebooks: Iterable[str | os.PathLike[str]]) -> dict[Path, Any]:
    """Read the chosen notebooks, or the labs of this package."""
    if isinstance(notebooks, str | bytes) or not isinstance(notebooks, Iterable):
        raise InputError(f"notebooks={notebooks!r} must be a list of paths.")
    paths = [local_path(path, "notebooks") for path in notebooks]
    names = Counter(path.stem.casefold() for path in paths)
    for path in paths:
        if names[path.stem.casefold()] > 1 or not path.name.removesuffix(".ipynb").strip("."):
            raise InputError(f"{str(path)!r} has the name of another notebook, or no name. Rename it.")
    if paths:
        return {path: _read(path) for path in paths}
    packaged = {path: _read(path) for path in sorted(notebooks_folder().glob("*.ipynb"))}
    return {path: notebook for path, notebook in packaged.items() if any(_tagged(notebook))}


def _read(path: Path) -> Any:
    import nbformat

    try:
        if path.exists() and not path.is_file():
            raise InputError(f"The notebook {str(path)!r} is not a file.")
        notebook = nbformat.convert(nbformat.reader.reads(path.read_text("utf-8")), 4)
        nbformat.validate(notebook)  # nbformat.read only logs what is invalid
        nbformat.writes(notebook).encode()  # raises an error for lone surrogates
    except InputError:
        raise
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise InputError(f"The notebook {str(path)!r} {reason}.") from error
    except Exception as error:  # nbformat raises errors of many types for damaged files
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise InputError(f"{str(path)!r} is not a Jupyter notebook ({reason}). Save it in JupyterLab first.") from error
    return notebook


def _tagged(notebook: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield the kind, the number and the cell of every tag of an exercise."""
    for cell in notebook.cells:
        for tag in cell.metadata.get("tags", ()):
            if match := _TAG.fullmatch(tag):
                yield match[1], match[2], cell


def _exercises(notebook: Any, path: Path) -> int:
    """Return the number of exercises, or raise InputError if their cells are not as described above."""
    tagged = list(_tagged(notebook))
    cells: dict[tuple[str, str], list[Any]] = {}
    for kind, number, cell in tagged:
        cells.setdefault((kind, number), []).append(cell)
    if not cells:
        raise InputError(f"{str(path)!r} has no exercises. Tag their cells answer_1, check_1, solution_1 and so on.")
    numbers = [str(number) for number in range(1, len({number for _, number in cells}) + 1)]
    wrong = [
        f"a cell tagged {f'{kind}_{number}'[:40]!r}, expected numbers from 1 to {len(numbers)}"
        for kind, number in cells
        if number not in numbers
    ][:1]
    if len({id(cell) for _, _, cell in tagged}) < len(tagged):
        wrong.append("a cell with several of these tags")
    expected = [(kind, number) for number in numbers for kind in _CELL_TYPES]
    wrong = wrong or list(filter(None, (_problem(*tag, cells.get(tag, [])) for tag in expected)))
    if wrong:
        raise InputError(f"{str(path)!r} has {'; '.join(wrong)}.")
    return len(numbers)


def _problem(kind: str, number: str, cells: list[Any]) -> str | None:
    """Describe what is wrong with the cells that have a tag of an exercise, or return None."""
    cell_type = _CELL_TYPES[kind]
    if len(cells) != 1 or cells[0].cell_type != cell_type:
        return f"{counted(len(cells), 'cell')} tagged {kind}_{number}, expected one {cell_type} cell"
    if kind == "solution" and not _BLOCK.search(cells[0].source):
        return f"no ```python block in the cell tagged solution_{number}"
    return None


def _with_links(text: str, labs: Collection[str]) -> str:
    """Point links to the copies of these labs. Those to other notebooks are left out, with their items of a list."""

    def point(link: re.Match[str]) -> str:
        return f"[{link[1]}](../{link[2]}/{link[2]}.ipynb)" if unquote(link[2]) in labs else link[1]

    def stays(line: str) -> bool:
        linked = {unquote(name) for _, name in _LINK.findall(line)}
        return linked.issubset(labs) or not line.lstrip().startswith(("- ", "* "))

    return _LINK.sub(point, "\n".join(filter(stays, text.split("\n"))))


def _student_copy(notebook: Any) -> Any:
    copy = _graded_copy(notebook)
    for cell in copy.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return copy


def _solution_copy(notebook: Any) -> Any:
    """Return a copy with the solutions between the marks that nbgrader removes, and the outputs of other cells."""
    solutions = {number: cell.source for kind, number, cell in _tagged(notebook) if kind == "solution"}
    copy = _graded_copy(notebook)
    for kind, number, cell in _tagged(copy):
        if kind == "answer":
            code = "\n".join(_BLOCK.findall(solutions[number])).strip()
            text = re.sub(r"</?(?:details|summary)>", "", _BLOCK.sub("", solutions[number]))
            lines = [line for part in text.splitlines() for line in textwrap.wrap(part, 100)]
            remarks = "".join(f"# {line}\n" for line in lines)
            cell.source += f"\n### BEGIN SOLUTION\n{remarks}{code}\n### END SOLUTION"
        cell.outputs, cell.execution_count = [], None
    return copy


def _graded_copy(notebook: Any) -> Any:
    """Return a copy without the cells of solutions, with collapsed checks and nbgrader's metadata."""
    copy = deepcopy(notebook)
    copy.metadata.pop("sources", None)
    solutions = {id(cell) for kind, _, cell in _tagged(copy) if kind == "solution"}
    copy.cells = [cell for cell in copy.cells if id(cell) not in solutions]
    for kind, number, cell in _tagged(copy):
        _mark(cell, f"{kind}_{number}", "" if kind == "answer" else f"# Run this cell to check answer {number}\n")
    for cell in copy.cells:
        if "score" in cell.metadata.get("tags", ()):
            _mark(cell, "score", "# Run this cell to count the right answers\n", points=0)
    return copy


def _mark(cell: Any, name: str, shown: str, *, points: int = 1) -> None:
    """Set the metadata of an answer, a check or the score (nbgrader's schema 3).

    A collapsed cell shows its first line, which is therefore a comment and no part of the solution. Answers have none.
    """
    solution = not shown
    grade = not solution and points > 0
    cell.metadata["nbgrader"] = {
        "schema_version": 3,
        "grade_id": name,
        "grade": grade,
        "solution": solution,
        "locked": not solution,
        "task": False,
        **({"points": points} if grade else {}),
    }
    cell.metadata["deletable"] = False
    if not solution:
        cell.source = shown + cell.source
        cell.metadata["editable"] = False
        cell.metadata["jupyter"] = {**cell.metadata.get("jupyter", {}), "source_hidden": True}
