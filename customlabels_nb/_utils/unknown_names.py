"""Tell what to use instead of a name that does not exist: the nearest one, or ours for that of another library.

The same for the arguments of a call.
"""

from __future__ import annotations

import difflib
import inspect
import os
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, cast, get_args, get_origin

from customlabels_nb._utils.arguments import surrogate_error
from customlabels_nb._utils.text import one_line
from customlabels_nb.errors import ArgumentError, CustomLabelsError, StoreError, UnknownNameError

_Function = TypeVar("_Function", bound=Callable[..., Any])
_BY_WRONG_TYPES = (AttributeError, IndexError, KeyError, StoreError, TypeError, ValueError)
_WORDS = {str: "text", int: "an integer", float: "a number", bool: "True or False", NoneType: "None", None: "None"}

#: What people type first who know fastai, FiftyOne, Ultralytics, supervision, scikit-learn or pandas: for each class,
#: our expression, and the names of the other libraries that it replaces. "cl" is the package, "Runnable" all models.
SYNONYMS = {
    "cl": {
        "cl.load_model(folder)": "YOLO load_learner load",
        "cl.read_dataset(path)": "ClassificationDataset DetectionDataset ImageDataLoaders load_dataset",
        "cl.evaluate(truth, predictions)": "MeanAveragePrecision",
        "cl.examples.create(name)": "load_zoo_dataset untar_data",
        "project.train()": "Learner cnn_learner train vision_learner",
        "project.label()": "annotate label launch_app",
        "project.distribute()": "train_test_split",
        "report.confusion_matrix": "ConfusionMatrix confusion_matrix",
        "report.per_label": "classification_report",
        "report.show()": "ClassificationInterpretation Interpretation",
        "model.detect(image).draw()": "BoundingBoxAnnotator BoxAnnotator LabelAnnotator",
        "model.detect(image).table": "Detection Detections predict",
    },
    "Project": {
        "project.add_images(folder)": "add_dir add_images_dir add_sample add_samples",
        "project.distribute()": "random_split split train_test_split",
        "project.embedding_model": "features",
        "project.label()": "launch_app show view",
        "project.remove(split, images)": "delete_images delete_samples drop remove_image remove_images",
        "project.train_set.images": "df files image images photos",
        "project.labels": "categories classes classes_ names",
        "project.model().detect(image)": "detect predict",
        "project.model().evaluate()": "evaluate score val",
        "project.train()": "fine_tune fit",
        "project.train_set.plot()": "plot",
        "project.train_set.show_batch()": "show_batch",
        "project.train_set.to(format, path)": "export to",
    },
    "Dataset": {
        "cl.evaluate(truth, predictions)": "evaluate_classifications evaluate_detections",
        "dataset.concat(other)": "add_samples merge merge_samples",
        "dataset.filter(where)": "exclude filter_labels match match_labels match_tags query select where",
        "dataset.images": "columns compute_metadata data df get_field_schema iloc info loc "
        "shape size to_dataframe to_pandas view",
        "dataset.images.head()": "first head last tail",
        "dataset.images.sample(frac=1)": "shuffle",
        "dataset.images.sort_values(by)": "sort_by sort_values",
        "dataset.label_counts": "count_values value_counts",
        "dataset.labels": "categories class_names classes distinct names",
        "dataset.sample(n)": "take",
        "dataset.show_batch()": "show",
        "dataset.split()": "random_split train_test_split",
        "dataset.to(format, path)": "as_coco as_folder_structure as_pascal_voc as_yolo export save to_csv to_json",
        "len(dataset)": "count",
        "model.detect_many(dataset)": "apply_model",
        "project.crops()": "to_evaluation_patches to_patches",
    },
    "Report": {
        "report.confusion_matrix.confusions()": "most_confused",
        "report.metric('f1')": "f1 f1_score",
        "report.metric('mean_average_precision')": "mAP map50",
        "report.metric('precision')": "mp precision",
        "report.metric('recall')": "mr recall",
        "report.per_label": "ap_class_index class_result classification_report maps print_report report support "
        "to_dataframe to_df to_frame to_pandas",
        "report.plot_precision_recall()": "plot_pr_curve plot_pr_curves",
        "report.show()": "plot_results plot_top_losses show_results top_losses",
        "report.summary": "accuracy box metrics results results_dict score",
        "report.to(folder)": "export save to_csv",
    },
    "Runnable": {
        "model.labels": "classes classes_ names",
        "model.detect(image)": "predict",
        "model.detect(image, threshold=0)": "predict_proba",
        "model.detect_many(images)": "get_preds predict_many transform",
        "model.detect_video(video)": "track",
        "model.evaluate(dataset)": "score val validate",
        "model.evaluate(dataset).show()": "show_results",
        "model.export(format, path)": "save save_pretrained",
        "model.start(device)": "cpu cuda eval to",
        "project.train()": "fine_tune fit fit_one_cycle lr_find train",
    },
    "Detection": {
        "detection.draw()": "annotate plot show",
        "detection.draw().save(path)": "save",
        "detection.response": "to_json tojson",
        "detection.table": "boxes class_id class_names conf confidence labels masks names probs summary to_df xyxy",
    },
}  # fmt: skip

#: Arguments of other libraries, and ours for them.
_ARGUMENTS = {
    "batch": "batch_size", "conf": "threshold", "epoch": "budget", "epochs": "budget", "imgsz": "input_size",
    "iou": "iou_threshold", "model": "backbone", "path": "source", "seed": "random_state",
    "test_size": "test_fraction", "time": "budget",
}  # fmt: skip


def unknown_name(
    subject: str,
    name: str,
    known: Iterable[str],
    synonyms: Iterable[str] = (),
    *,
    kind: str = "attribute",
    other: str = "",
) -> UnknownNameError:
    """Return the error for a name that ``subject`` does not have.

    It names our expression for that of another library, from the first of the ``synonyms`` (keys of :data:`SYNONYMS`)
    that has it, or the nearest ``known`` name, or says ``other``.
    """
    if subject == "Project" and name in ("commit", "save"):
        other = "Every change is saved at once. project.pack('project.zip') makes a copy."
    pairs = (pair for key in synonyms for pair in SYNONYMS.get(key, {}).items())
    hint = next((f"Use {ours}." for ours, theirs in pairs if name in theirs.split()), None)
    if hint is None:
        near = difflib.get_close_matches(name, known, 1, 0.75)
        hint = f"Did you mean {near[0]!r}?" if near else other
    return UnknownNameError(f"{subject} has no {kind} {name!r}. {hint}".rstrip())


def names_arguments(function: _Function) -> _Function:
    """Let a call whose arguments do not fit the function raise an error that names them.

    Their types are compared with the annotations only after the call failed.
    """

    @wraps(function)
    def call(*values: Any, **options: Any) -> Any:
        __tracebackhide__ = True  # IPython leaves this frame out
        try:
            return function(*values, **options)
        except UnicodeEncodeError as error:
            if error.reason != "surrogates not allowed":  # as when a terminal cannot show a name
                raise
            raise surrogate_error(error) from error
        except _BY_WRONG_TYPES as error:
            if isinstance(error, CustomLabelsError) and type(error) not in (ArgumentError, StoreError):
                raise
            if type(error) is TypeError and (error.__traceback__ is None or error.__traceback__.tb_next is None):
                raise _wrong_call(function, options, str(error)) from None
            if wrong := _wrong_argument(function, values, options):
                raise ArgumentError(wrong) from error
            raise

    return cast(_Function, call)


def _wrong_argument(function: Callable[..., Any], values: Iterable[Any], options: Mapping[str, Any]) -> str:
    """Describe the first argument whose type is not its annotation, or return an empty text."""
    signature = inspect.signature(function)
    for name, value in signature.bind(*values, **options).arguments.items():
        try:
            wanted = eval(signature.parameters[name].annotation, function.__globals__)  # noqa: S307 (our own code)
            is_right = _fits(value, wanted)
        except (NameError, TypeError):  # only type checkers know the name, or can check it, or none is stated
            continue
        if not is_right:
            *others, last = dict.fromkeys(map(_words, get_args(wanted) if _is_union(wanted) else [wanted]))
            kinds = f"{', '.join(others)} or {last}" if others else last
            return f"{name}={one_line(reprlib.repr(value))} must be {kinds}."
    return ""


def _is_union(wanted: Any) -> bool:
    return get_origin(wanted) in (Union, UnionType)


def _fits(value: Any, wanted: Any) -> bool:
    origin, parts = get_origin(wanted) or wanted, get_args(wanted)
    if _is_union(wanted):
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return isinstance(value, str | int | None) and value in parts
    if origin is bool:
        return type(value).__name__ in ("bool", "bool_")
    if origin in (Iterable, Sequence) and hasattr(value, "__iter__"):  # also arrays
        return not (parts and isinstance(value, list | tuple)) or all(_fits(item, parts[0]) for item in value)
    kind = {int: Integral, float: Real, None: NoneType}.get(origin, origin)
    return not isinstance(kind, type) or isinstance(value, kind)


def _words(wanted: Any) -> str:
    if wanted in _WORDS:
        return _WORDS[wanted]
    origin, parts = get_origin(wanted) or wanted, get_args(wanted)
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if origin in (Iterable, Sequence):
        return f"a list of {'texts' if parts == (str,) else _words(parts[0])}" if len(parts) == 1 else "a list"
    return "a path" if origin is os.PathLike else str(getattr(origin, "__name__", origin))


def _wrong_call(function: Callable[..., Any], options: Iterable[str], reason: str) -> ArgumentError:
    parameters = [
        each
        for each in inspect.signature(function).parameters.values()
        if each.name != "self" and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    names = [each.name for each in parameters]
    unknown = next((name for name in options if name not in names), None)
    if unknown is None:
        shown = ", ".join(each.name if each.default is each.empty else f"{each.name}=…" for each in parameters)
        call = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]
        return ArgumentError(f"{reason}. Call it as {call}({shown}).")
    near = [_ARGUMENTS[unknown]] if _ARGUMENTS.get(unknown) in names else difflib.get_close_matches(unknown, names, 1)
    hint = f"Did you mean {near[0]!r}?" if near else f"It takes {', '.join(names) or 'none'}."
    return ArgumentError(f"{function.__qualname__}() has no argument {unknown!r}. {hint}")


class NameHints:
    """Base class of objects whose unknown attributes and arguments raise an error that names what to use instead."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__module__.startswith("customlabels_nb."):
            for name, value in list(vars(cls).items()):
                if inspect.isfunction(value) and (name == "__init__" or not name.startswith("_")):
                    setattr(cls, name, names_arguments(value))

    if not TYPE_CHECKING:  # for editors, an unknown attribute is an error

        def __getattr__(self, name: str) -> Any:
            own = type(self)
            if name.startswith("_") or hasattr(own, name):  # of Python and notebooks, or a property failed: its error
                return object.__getattribute__(self, name)
            known = (known for known in dir(self) if not known.startswith("_"))
            raise unknown_name(own.__name__, name, known, [base.__name__ for base in own.__mro__])
