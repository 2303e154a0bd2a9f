"""Keep functions readable: decisions are tables and lists of rules, not chains of conditions."""

from __future__ import annotations

from radon.complexity import cc_visit

from tests.conftest import ROOT

_PACKAGE = ROOT / "customlabels_nb"
_MOST_COMPLEX = 15
#: Functions that may be more complex because they are tables of cases, with the reason.
_TABLES_OF_CASES: dict[str, str] = {}


def test_no_function_is_too_complex_to_read() -> None:
    complexity = {
        f"{path.relative_to(_PACKAGE).as_posix()}:{block.fullname}": block.complexity
        for path in _PACKAGE.rglob("*.py")
        for block in cc_visit(path.read_text(encoding="utf-8"))
        if block.letter in "FM"
    }
    too_complex = {name: number for name, number in complexity.items() if number > _MOST_COMPLEX}
    assert too_complex.keys() == _TABLES_OF_CASES.keys(), too_complex
    assert len(_TABLES_OF_CASES) <= 15
