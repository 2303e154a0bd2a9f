"""Label, train, evaluate and run custom image models inside a Jupyter notebook.

>>> import customlabels_nb as cl
>>> cl.__version__
'0.1.0'

Names are resolved when they are first used: importing the package loads neither torch nor pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "CustomLabelsError",
    "Dataset",
    "Events",
    "Model",
    "Project",
    "Report",
    "TensorBoardListener",
    "backbones",
    "create_project",
    "doctor",
    "errors",
    "evaluate",
    "examples",
    "from_huggingface",
    "from_ipyannotations",
    "from_supervision",
    "list_projects",
    "load_model",
    "load_project",
    "read_dataset",
    "read_evaluation_snapshot",
    "read_evaluation_summary",
    "unpack_project",
    "validate_manifest",
]

_HOMES = {
    "CustomLabelsError": "errors",
    "Dataset": "dataset",
    "Events": "events",
    "Model": "model",
    "Project": "project",
    "Report": "report",
    "TensorBoardListener": "training.tensorboard",
    "backbones": "models.catalogue",
    "create_project": "projects",
    "doctor": "checkup",
    "evaluate": "report",
    "from_huggingface": "reading",
    "from_ipyannotations": "reading",
    "from_supervision": "reading",
    "list_projects": "projects",
    "load_model": "loaded_model",
    "load_project": "projects",
    "unpack_project": "projects",
    "read_dataset": "reading",
    "read_evaluation_snapshot": "report",
    "read_evaluation_summary": "report",
    "validate_manifest": "reading",
}
_MODULES = frozenset({"errors", "examples"})

if TYPE_CHECKING:
    from customlabels_nb import errors, examples
    from customlabels_nb.checkup import doctor
    from customlabels_nb.dataset import Dataset
    from customlabels_nb.errors import CustomLabelsError
    from customlabels_nb.events import Events
    from customlabels_nb.loaded_model import load_model
    from customlabels_nb.model import Model
    from customlabels_nb.models.catalogue import backbones
    from customlabels_nb.project import Project
    from customlabels_nb.projects import create_project, list_projects, load_project, unpack_project
    from customlabels_nb.reading import (
        from_huggingface,
        from_ipyannotations,
        from_supervision,
        read_dataset,
        validate_manifest,
    )
    from customlabels_nb.report import Report, evaluate, read_evaluation_snapshot, read_evaluation_summary
    from customlabels_nb.training.tensorboard import TensorBoardListener


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"customlabels_nb.{name}")
    if name in _HOMES:
        value = getattr(import_module(f"customlabels_nb.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'customlabels_nb' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__"})
