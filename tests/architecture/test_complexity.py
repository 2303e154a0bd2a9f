"""Keep functions readable: decisions are tables and lists of rules, not chains of conditions."""

from __future__ import annotations

from radon.complexity import cc_visit
from radon.visitors import Function

from tests.conftest import ROOT

_PACKAGE = ROOT / "customlabels_nb"
_MOST_COMPLEX = 15
#: Functions that are more complex together with the functions in them, none of which is so alone, and why.
_MORE_TOGETHER = {
    "datasets/validation/subjects.py:ManifestOnDisk.repaired": "has the function that measures images",
    "endpoints/rekognition/version_operations.py:describe_project_versions": "has the filter of versions",
    "images/outlining.py:find_mask_outline": "has the rule for parts and holes that are kept",
    "labeling/ipyannotations_adapter.py:plug_into": "has a handler for each event of the widget",
    "store/undo.py:_with_labels": "has the rule for labels of shapes",
    "training/detector_recipe.py:train_detector": "has the function that predicts the time of validation",
    "widgets/label_manager.py:label_handlers": "is a table of handlers",
}


def _together(block: Function) -> int:
    return int(block.complexity + sum(map(_together, block.closures)))


def _alone(block: Function) -> int:
    return max(block.complexity, *map(_alone, block.closures), 0)


def test_no_function_is_too_complex_to_read() -> None:
    functions = {
        f"{path.relative_to(_PACKAGE).as_posix()}:{block.fullname}": block
        for path in _PACKAGE.rglob("*.py")
        for block in cc_visit(path.read_text(encoding="utf-8"))
        if block.letter in "FM"
    }
    assert {name: _alone(block) for name, block in functions.items() if _alone(block) > _MOST_COMPLEX} == {}
    together = {name: _together(block) for name, block in functions.items() if _together(block) > _MOST_COMPLEX}
    assert together.keys() == _MORE_TOGETHER.keys(), together
