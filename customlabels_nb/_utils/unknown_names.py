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
from customlabels_nb._utils.text import counted, one_line
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
        "project.datasets": "status",
        "project.embedding_model": "features",
        "project.import_dataset(cl.read_dataset(path))": "import_coco import_voc import_yolo",
        "project.label()": "launch_app show view",
        "project.remove(split, images)": "delete_images delete_samples drop remove_image remove_images",
        "project.train_set.images": "df files image images photos",
        "project.labels": "categories classes classes_ names",
        "project.statistics": "describe info summary",
        "project.update(split, project.train_set.relabel(label, where))": "set_label set_labels",
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
        "report.per_image": "predictions",
        "report.per_image.query(\"result != 'true positive'\")": "errors mistakes wrong",
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
        "model.evaluate(dataset).summary": "accuracy",
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

#: Classes whose constructor is for the package, and the expressions that give an object of them.
MADE_BY = {
    "Project": ("cl.create_project(name)", "cl.load_project(name)"),
    "Labels": ("project.labels",),
    "Snapshots": ("project.snapshots",),
    "Model": ("project.train(name)", "project.model(name)"),
    "LoadedModel": ("cl.load_model(folder)",),
    "Report": ("model.evaluate(dataset)", "cl.evaluate(truth, predictions)"),
}
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
            if type(error) is TypeError and not _binds(inspect.signature(function), values, options):
                raise _wrong_call(function, values, options, str(error)) from None
            if wrong := _wrong_argument(function, values, options):
                raise ArgumentError(wrong) from error
            raise

    return cast(_Function, call)


def _checks_first(constructor: _Function, name: str) -> _Function:
    """Let a constructor of the package that gets the arguments of a user raise an error with the calls to use."""
    signature = inspect.signature(constructor)

    @wraps(constructor)
    def call(made: Any, *values: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        values_fit = _binds(signature, (made, *values), options)
        if not values_fit or _wrong_argument(constructor, (made, *values[:1]), {}):
            given = ", ".join([*map(_typed, values), *(f"{word}={_typed(value)}" for word, value in options.items())])
            raise ArgumentError(f"{name}({given}) is not a valid call. Use {' or '.join(MADE_BY[name])}.")
        return constructor(made, *values, **options)

    return cast(_Function, call)


def _binds(signature: inspect.Signature, values: Iterable[Any], options: Mapping[str, Any]) -> bool:
    try:
        signature.bind(*values, **options)
    except TypeError:
        return False
    return True


def _wrong_argument(function: Callable[..., Any], values: Iterable[Any], options: Mapping[str, Any]) -> str:
    """Describe the first argument whose type is not its annotation, or return an empty text."""
    signature = inspect.signature(function)
    for name, value in signature.bind_partial(*values, **options).arguments.items():
        parameter = signature.parameters[name]
        wanted = _wanted(function, parameter)
        for each in value if parameter.kind is parameter.VAR_POSITIONAL else [value]:
            if not _fits(each, wanted):
                *others, last = dict.fromkeys(map(_words, get_args(wanted) if _is_union(wanted) else [wanted]))
                kinds = f"{', '.join(others)} or {last}" if others else last
                calls = " or ".join(call for kind in (*others, last) for call in MADE_BY.get(kind, ()))
                return f"{name}={_shown(each)} must be {kinds}.{calls and f' Use {calls}.'}"
    return ""


def _wanted(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """Return the annotation of a parameter, or Any if none is stated or only type checkers know it."""
    try:
        return eval(parameter.annotation, function.__globals__)  # noqa: S307 (our own code)
    except (NameError, TypeError):
        return Any


def _shown(value: Any) -> str:
    return one_line(reprlib.repr(value))


def _is_union(wanted: Any) -> bool:
    return get_origin(wanted) in (Union, UnionType)


def _fits(value: Any, wanted: Any) -> bool:
    """Return whether a value can be of a type. Only type checkers can tell for some types."""
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
    try:
        return not isinstance(kind, type) or isinstance(value, kind)
    except TypeError:
        return True


def _words(wanted: Any) -> str:
    if wanted in _WORDS:
        return _WORDS[wanted]
    origin, parts = get_origin(wanted) or wanted, get_args(wanted)
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if origin in (Iterable, Sequence):
        return f"a list of {'texts' if parts == (str,) else _words(parts[0])}" if len(parts) == 1 else "a list"
    return "a path" if origin is os.PathLike else str(getattr(origin, "__name__", origin)).removeprefix("Stored")


def _wrong_call(
    function: Callable[..., Any], values: Sequence[Any], options: Mapping[str, Any], reason: str
) -> ArgumentError:
    called, own = function.__qualname__, inspect.signature(function).parameters
    if values and "self" in own:
        called, values = f"{type(values[0]).__name__}.{function.__name__}".removesuffix(".__init__"), values[1:]
    parameters = [p for p in own.values() if p.name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    names = [p.name for p in parameters]
    if unknown := next((name for name in options if name not in names), ""):
        return ArgumentError(f"{called}() has no argument {unknown!r}. {_nearest(unknown, names)}")
    most, call = sum(p.kind is not p.KEYWORD_ONLY for p in parameters), called.rpartition(".")[2]
    hint = f"{call}({', '.join(p.name if p.default is p.empty else f'{p.name}=…' for p in parameters)})"
    if len(values) > most:
        given = counted(len(values), "was given", "were given")
        reason = f"() takes {counted(most, 'argument')}{' by position' * (most < len(names))}, but {given}"
        if most < len(names):
            hint = _call_with_names(function, call, values, options, parameters)
    return ArgumentError(f"{called}(){reason.partition('()')[2]}. Call it as {hint}.")


def _nearest(unknown: str, names: list[str]) -> str:
    known = _ARGUMENTS.get(unknown)
    near = [known] if known in names else difflib.get_close_matches(unknown, names, 1)
    return f"Did you mean {near[0]!r}?" if near else f"It takes {', '.join(names) or 'none'}."


def _call_with_names(
    function: Callable[..., Any],
    call: str,
    values: Sequence[Any],
    options: Mapping[str, Any],
    parameters: list[inspect.Parameter],
) -> str:
    """Show a call in which values that were passed by position have names, or list the names that they can have."""
    most = sum(p.kind is not p.KEYWORD_ONLY for p in parameters)
    given = [_typed(value, p.name) for value, p in zip(values, parameters[:most], strict=False)]
    given += [f"{name}={_typed(value)}" for name, value in options.items()]
    wanted = {p.name: _wanted(function, p) for p in parameters[most:] if p.name not in options}
    choices: list[str] = []
    for value in values[most:]:
        names = _names_for(value, wanted)
        if len(names) == 1:
            del wanted[names[0]]
            given.append(f"{names[0]}={_typed(value)}")
        elif names:
            choices += names
            given.append(f"…={_typed(value)}")
    chosen = f" with one of the names {', '.join(dict.fromkeys(choices))}" if choices else ""
    return f"{call}({', '.join(given)}){chosen}"


def _names_for(value: Any, wanted: Mapping[str, Any]) -> list[str]:
    """Return the arguments that list a word as one of theirs, or else those whose type fits, or else all."""
    words = [name for name, kind in wanted.items() if isinstance(value, str) and value in _literals(kind)]
    return words or [name for name, kind in wanted.items() if _fits(value, kind)] or list(wanted)


def _typed(value: Any, name: str = "…") -> str:
    """Return a value as people type it, or the name of one that is too long to type."""
    return _shown(value) if isinstance(value, str | Real | None) else name


def _literals(wanted: Any) -> list[Any]:
    return [word for part in (wanted, *get_args(wanted)) if get_origin(part) is Literal for word in get_args(part)]


class NameHints:
    """Base class of objects whose unknown attributes and arguments raise an error that names what to use instead."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__module__.startswith("customlabels_nb."):
            for name, value in list(vars(cls).items()):
                if inspect.isfunction(value) and (name == "__init__" or not name.startswith("_")):
                    checks_first = name == "__init__" and cls.__name__ in MADE_BY
                    setattr(cls, name, _checks_first(value, cls.__name__) if checks_first else names_arguments(value))

    if not TYPE_CHECKING:  # for editors, an unknown attribute is an error

        def __getattr__(self, name: str) -> Any:
            own = type(self)
            if name.startswith("_") or hasattr(own, name):  # of Python and notebooks, or a property failed: its error
                return object.__getattribute__(self, name)
            known = (known for known in dir(self) if not known.startswith("_"))
            raise unknown_name(own.__name__, name, known, [base.__name__ for base in own.__mro__])
