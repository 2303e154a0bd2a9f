"""Label, train, evaluate and run custom image models inside a Jupyter notebook.

>>> import customlabels_nb as cl
>>> cl.__version__
'1.0.0'

Names are imported lazily, on first use. Importing the package loads neither torch nor pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "1.0.0"

__all__ = [
    "CustomLabelsError",
    "Dataset",
    "Events",
    "MLflowListener",
    "Model",
    "Project",
    "Report",
    "TensorBoardListener",
    "backbones",
    "create_project",
    "detectors",
    "doctor",
    "errors",
    "evaluate",
    "examples",
    "fetch_weights",
    "from_huggingface",
    "from_ipyannotations",
    "from_supervision",
    "list_projects",
    "load_model",
    "load_project",
    "open_results",
    "read_dataset",
    "read_evaluation_snapshot",
    "read_evaluation_summary",
    "settings",
    "teaching",
    "unpack_project",
    "validate_manifest",
    "whoami",
]

_HOMES = {
    "CustomLabelsError": "errors",
    "Dataset": "datasets.dataset",
    "Events": "events",
    "MLflowListener": "training.mlflow",
    "Model": "project.model",
    "Project": "project.project",
    "Report": "project.report",
    "TensorBoardListener": "training.tensorboard",
    "backbones": "models.backbones",
    "create_project": "project.projects",
    "detectors": "models.detectors",
    "doctor": "diagnostics",
    "evaluate": "project.report",
    "fetch_weights": "models.pretrained.weights",
    "from_huggingface": "datasets.loading",
    "from_ipyannotations": "datasets.loading",
    "from_supervision": "datasets.loading",
    "list_projects": "project.projects",
    "load_model": "project.runnable",
    "load_project": "project.projects",
    "open_results": "inference.result_writing",
    "unpack_project": "project.projects",
    "read_dataset": "datasets.loading",
    "read_evaluation_snapshot": "evaluation.evaluation_snapshots",
    "read_evaluation_summary": "evaluation.summary",
    "settings": "user_settings",
    "validate_manifest": "datasets.loading",
    "whoami": "jobs.identity",
}
_MODULES = frozenset({"errors", "examples", "teaching"})

if TYPE_CHECKING:
    from customlabels_nb import errors, examples, teaching
    from customlabels_nb.datasets.dataset import Dataset
    from customlabels_nb.datasets.loading import (
        from_huggingface,
        from_ipyannotations,
        from_supervision,
        read_dataset,
        validate_manifest,
    )
    from customlabels_nb.diagnostics import doctor
    from customlabels_nb.errors import CustomLabelsError
    from customlabels_nb.evaluation.evaluation_snapshots import read_evaluation_snapshot
    from customlabels_nb.evaluation.summary import read_evaluation_summary
    from customlabels_nb.events import Events
    from customlabels_nb.inference.result_writing import open_results
    from customlabels_nb.jobs.identity import whoami
    from customlabels_nb.models.backbones import backbones
    from customlabels_nb.models.detectors import detectors
    from customlabels_nb.models.pretrained.weights import fetch_weights
    from customlabels_nb.project.model import Model
    from customlabels_nb.project.project import Project
    from customlabels_nb.project.projects import create_project, list_projects, load_project, unpack_project
    from customlabels_nb.project.report import Report, evaluate
    from customlabels_nb.project.runnable import load_model
    from customlabels_nb.training.mlflow import MLflowListener
    from customlabels_nb.training.tensorboard import TensorBoardListener
    from customlabels_nb.user_settings import settings


if not TYPE_CHECKING:  # for editors, an unknown name is an error

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return import_module(f"customlabels_nb.{name}")
        if name in _HOMES:
            value = getattr(import_module(f"customlabels_nb.{_HOMES[name]}"), name)
            globals()[name] = value
            return value
        if name.startswith("_"):  # of Python, pytest and notebooks
            raise AttributeError(f"module 'customlabels_nb' has no attribute {name!r}")
        from customlabels_nb._utils.unknown_names import unknown_name

        raise unknown_name("module 'customlabels_nb'", name, __all__, ["cl"])


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__"})
