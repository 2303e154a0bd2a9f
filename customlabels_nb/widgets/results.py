"""Results widget: explore an evaluation with threshold sliders, a confusion matrix and the test images.

Metrics are computed in the page from arrays that it receives once. The kernel provides images and applies changes.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import anywidget
import ipywidgets
import pandas as pd
import traitlets
from markupsafe import Markup

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb._utils.files import expand_home, write_errors, write_whole
from customlabels_nb._utils.rendering import data_url, render
from customlabels_nb._utils.text import counted
from customlabels_nb.core.decisions import MOST_CONFIDENT, Decision
from customlabels_nb.core.tables import TEST
from customlabels_nb.errors import (
    ArtifactError,
    CustomLabelsError,
    ImageError,
    InputError,
    ModelNotFoundError,
    NotAllowedError,
)
from customlabels_nb.evaluation.exploring import Exploration, Filter, Position
from customlabels_nb.evaluation.exploring.filtering import BoxMistake
from customlabels_nb.evaluation.exploring.packing import (
    TestPictures,
    advice_as_json,
    as_buffers,
    comparison_as_json,
    default_name,
    pack,
    slices_as_json,
    summary_as_json,
)
from customlabels_nb.evaluation.result import Evaluation
from customlabels_nb.images.locations import local_path
from customlabels_nb.images.thumbnails import THUMBNAIL_SIZES
from customlabels_nb.widgets._base import STATIC, Handler, MessageHandler, join_modules, join_styles
from customlabels_nb.widgets.static_fallback import display_with_fallback, static_picture

if TYPE_CHECKING:  # loads SQLAlchemy, which evaluations without a project do not need
    from customlabels_nb.evaluation.basis import TestSetChanges
    from customlabels_nb.evaluation.confusion import ConfusionMatrix
    from customlabels_nb.labeling.project_actions import ProjectActions

_STILL_IMAGES = 16


@dataclass(frozen=True)
class About:
    """Description of the evaluated model for the widget, with ``details`` as in :class:`.Report`.

    ``training()`` returns the number of training images by label, or None. Relative image paths refer to ``root``.
    ``writers`` are the functions ``page`` and ``files``, which write an evaluation to a file, or to a folder.
    """

    name: str
    project: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    training: Callable[[], Mapping[str, int] | None] | None = None
    root: Path | None = None
    writers: Mapping[str, Callable[[Evaluation, str], Any]] = field(default_factory=dict)

    def training_counts(self) -> dict[str, int] | None:
        """Return the number of training images by label, or None if it is unknown."""
        counts = None if self.training is None else self.training()
        return None if counts is None else dict(counts)


class _PagePosition(NamedTuple):
    """Fields of :class:`~customlabels_nb.evaluation.exploring.Position`, as the page names them."""

    mode: str
    one: float
    own: Mapping[str, float]
    iou_threshold: float | None


class Results(MessageHandler, anywidget.AnyWidget):
    """Widget to explore metrics, test images and thresholds together, created by :meth:`.Report.show`.

    Other cells can read and control it with ``selected``, ``thresholds``, ``set_thresholds``, ``set_iou_threshold``,
    ``set_filter``, ``select``, ``metrics``, ``per_label``, ``confusion_matrix`` and ``rows``. ``observe`` follows
    ``selection`` and ``position``.

    Attributes
    ----------
    selection : tuple of str
        The selected images.
    position : dict
        The state of the sliders: ``mode``, ``one``, ``own``, ``iou_threshold``.
    """

    _esm = join_modules(STATIC / "results.js")
    _css = join_styles("shared/base.css", "shared/tiles.css", "results.css")

    selection = traitlets.Tuple()
    position = traitlets.Dict()

    def __init__(self, exploration: Exploration, about: About, actions: ProjectActions | None = None) -> None:
        super().__init__()
        self.exploration = exploration
        self._about = about
        self._actions = actions
        self._lock = threading.RLock()
        self._pictures = TestPictures(exploration.evaluation.images, about.root)
        self._seen: object = None  # the last action when the test set was compared
        self._changes: TestSetChanges | None = None
        self._below: Any = None
        self._box = ipywidgets.VBox([self])
        self.position = exploration.position.to_dict()
        handlers: dict[str, Handler] = {
            "hello": self._hello,
            "moved": self._moved,
            "filter": self._filtered,
            "select": self._select,
            "intervals": self._intervals,
            "advice": self._advice,
            "slices": self._slices,
            "keep": self._keep,
            "fix": self._fix,
            "crops": self._crops,
            "close": self._close,
            "changed": self._changed,
            "refresh": self._refresh,
            "add": self._add,
            "versions": self._versions,
            "compare": self._compare,
            "export": self._export,
        }
        self.handlers = {kind: self._alone(handler) for kind, handler in handlers.items()}
        self.handlers |= {"thumbs": self._thumbs, "view": self._view, "training": self._training}
        self.on_msg(self.answer)

    # -- for other cells ----------------------------------------------------------------------------
    @property
    def thresholds(self) -> dict[str, float]:
        """Current threshold of each label: the mean of the folds if cross-validated, NaN for "most confident"."""
        return self.exploration.thresholds

    @property
    def metrics(self) -> dict[str, float]:
        """F1, precision, recall and the other averages at the current thresholds, in the chosen slice if there is one.

        Examples
        --------
        >>> widget = report.show()
        >>> widget.set_thresholds(0.0)
        >>> 0 <= widget.metrics["f1"] <= 1
        True
        """
        return self.exploration.metrics

    @property
    def per_label(self) -> pd.DataFrame:
        """Table of metrics by label at the current thresholds, in the chosen slice if there is one."""
        return self.exploration.per_label

    @property
    def confusion_matrix(self) -> ConfusionMatrix:
        """Confusion matrix at the current thresholds, in the chosen slice if there is one."""
        return self.exploration.confusion_matrix

    @property
    def shown(self) -> list[str]:
        """Names of the images that the filter shows, in its order."""
        return [self.exploration.names[position] for position in self.exploration.choose()]

    @property
    def selected(self) -> pd.DataFrame:
        """Table of the selected images, or of all shown images.

        It has the columns of the test images, with ``true``, ``predicted``, ``hits``, ``false_positives`` and
        ``misses`` after ``file``.
        """
        longer = None if self._actions is None else self._actions.longer_files()
        return self.exploration.table(self._selected(), longer)

    @property
    def rows(self) -> pd.DataFrame:
        """Correct and wrong predictions of the selected images, or of all shown images: one row per label or box."""
        return self.exploration.rows(self._selected())

    def _selected(self) -> list[int]:
        if self.selection:
            return [self.exploration.index_of[name] for name in self.selection]
        positions: list[int] = self.exploration.choose().tolist()
        return positions

    def select(self, images: Sequence[str]) -> None:
        """Select images.

        Parameters
        ----------
        images : sequence of str
            Names of test images.

        Examples
        --------
        >>> widget = report.show()
        >>> widget.select(widget.shown[:1])
        >>> len(widget.selected)
        1
        """
        self.selection = tuple(self._checked_images(images))
        self.send({"push": "select", "images": list(self.selection)})

    def set_thresholds(
        self, thresholds: float | Mapping[str, float] | Decision | Literal["cross-validated"] | None = None
    ) -> None:
        """Set the confidence thresholds.

        Parameters
        ----------
        thresholds : float, mapping, str or None
            One number for all labels, a mapping from label to number, "assumed" for each label's assumed threshold,
            "cross-validated", or "most confident" for the most confident label of each image (single-label models).
            None is "most confident" for single-label models and "assumed" for others.

        Examples
        --------
        >>> widget = report.show()
        >>> widget.set_thresholds({"garden": 0.25})
        >>> widget.thresholds["garden"]
        0.25
        """
        with self._lock:
            self._send_position(self.exploration.set_thresholds(thresholds))

    def set_iou_threshold(self, iou_threshold: float) -> None:
        """Set the intersection over union (IoU) from which a predicted box matches a true one.

        Parameters
        ----------
        iou_threshold : float
            Above 0, up to 1.

        Examples
        --------
        >>> report = cl.evaluate(boxes.test_set, boxes.test_set)
        >>> widget = report.show()
        >>> widget.set_iou_threshold(0.75)
        >>> widget.position["iou_threshold"]
        0.75
        """
        with self._lock:
            self._send_position(self.exploration.set_iou_threshold(iou_threshold))

    def set_filter(self, **change: Any) -> None:
        """Filter the images that are shown. Without arguments, all mistakes are shown.

        Parameters
        ----------
        **change
            Fields of :class:`customlabels_nb.evaluation.exploring.Filter`, such as ``show="fp", label="pear"``. The
            other fields do not change. None removes ``label``, ``pair``, ``slice`` or ``images``.

        Raises
        ------
        InputError
            If the filter does not exist, or cannot have that value.

        Examples
        --------
        >>> widget = report.show()
        >>> widget.set_filter(show="all")
        >>> len(widget.shown)
        6
        """
        with self._lock:
            filters = [each.name for each in fields(Filter)]
            if unknown := [name for name in change if name not in filters]:
                raise InputError(f"{unknown[0]!r} is not a filter. The filters are {', '.join(filters)}.")
            chosen = replace(self.exploration.filter, **change) if change else Filter()
            self.exploration.filter = self.exploration.check(chosen)
            groups = {name: mask.nonzero()[0].tolist() for name, mask in self.exploration.groups.items()}
            self.send({"push": "filter", "filter": chosen.to_dict(), "groups": groups})

    def keep_thresholds(self) -> None:
        """Save the current thresholds, or "most confident", in the model version: ``detect`` uses them from now on.

        Raises
        ------
        NotAllowedError
            If the report does not belong to a model version.

        Examples
        --------
        >>> widget = report.show()
        >>> widget.set_thresholds(0.5)
        >>> widget.keep_thresholds()
        """
        with self._lock:
            actions = self._actions_for(
                "keep_thresholds",
                "This report has no model version to save thresholds in. Pass them to model.detect(…) instead.",
            )
            if self.exploration.position.mode == MOST_CONFIDENT:
                actions.keep_thresholds(MOST_CONFIDENT)
            else:
                labels = actions.model_labels
                actions.keep_thresholds({label: value for label, value in self.thresholds.items() if label in labels})

    def judge_again(self) -> list[str]:
        """Evaluate again on the project's test set as it is now, as ``model.evaluate()`` does.

        Returns
        -------
        list of str
            Names of the test images whose ground truth has changed.

        Examples
        --------
        >>> widget = report.show()
        >>> image = project.test_set.images["image"].iloc[0]
        >>> project.update("test", pd.DataFrame({"image": [image], "label": ["garden"]}))
        1
        >>> widget.judge_again() == [image]
        True
        """
        with self._lock:
            changed = self._judge_again()
            self.send({"push": "renew"})
            return changed

    def close(self) -> None:
        """Close the widget and the gallery that it opened below.

        Examples
        --------
        >>> widget = report.show()
        >>> widget.close()
        """
        if self._below is not None:
            self._below.close()
        self._box.close()
        super().close()

    def _actions_for(self, name: str, refusal: str) -> ProjectActions:
        """Return the actions if the one with this name is available."""
        if self._actions is None or name not in self._actions.can:
            raise NotAllowedError(refusal)
        return self._actions

    def _checked_images(self, images: Sequence[str]) -> list[str]:
        for name in images:
            if name not in self.exploration.index_of:
                raise InputError(f"The image {name!r} is not a test image of this evaluation.")
        return list(dict.fromkeys(images))

    def _send_position(self, position: Position) -> None:
        self.position = position.to_dict()
        self.send({"push": "position", "position": self.position})

    # -- display ------------------------------------------------------------------------------------
    def _ipython_display_(self) -> None:
        """Display the widget and a static image for the saved notebook, which the live widget hides."""
        positions = self.exploration.choose(Filter("all"))[:_STILL_IMAGES].tolist()
        rows = self.exploration.table(positions)
        captions = [
            f"{name}: {true or 'nothing'}, predicted {predicted or 'nothing'}"
            for name, true, predicted in zip(rows["image"], rows["true"], rows["predicted"], strict=True)
        ]
        markup = static_picture(self._pictures.thumbnails(positions, 160), captions, self._fallback_text())
        display_with_fallback(self._box, markup)

    def _fallback_text(self) -> str:
        metrics, images = self.exploration.metrics, len(self.exploration.counted.outcomes.images)
        return (
            f"{self._about.name}: F1 {metrics['f1']:.3f}, precision {metrics['precision']:.3f}, recall "
            f"{metrics['recall']:.3f} on {counted(images, 'test image')}, most confident mistakes first. "
            "Run this cell to explore the results."
        )

    # -- requests of the page -----------------------------------------------------------------------
    def _alone(self, handler: Handler) -> Handler:
        @wraps(handler)
        def handle(**fields: Any) -> Any:
            with self._lock:
                return handler(**fields)

        return handle

    def _hello(self) -> Any:
        content, sent = _packed(self.exploration, self._about, self._actions)
        content["facts"] |= {
            "writes": {name: default_name(name, self._about.name) for name in self._about.writers},
            "selection": list(self.selection),
        }
        return content, sent

    def _moved(self, position: _PagePosition) -> Any:
        self.exploration.move_to(Position(*position))
        self.position = self.exploration.position.to_dict()
        return {}

    def _filtered(self, filter: Filter) -> Any:
        self.exploration.filter = self.exploration.check(filter)
        return {}

    def _select(self, images: list[int]) -> Any:
        self.selection = tuple(self._names(images))
        return {}

    def _names(self, images: Sequence[int]) -> list[str]:
        return [self.exploration.names[position] for position in self._places(images)]

    def _places(self, images: Sequence[int]) -> Sequence[int]:
        """Return the numbers of test images if there are images with these numbers."""
        for number in images:
            if not 0 <= number < len(self.exploration.names):
                raise InputError(f"Test image {number} does not exist. The page is outdated: reload it.")
        return images

    def _intervals(self, position: _PagePosition, slice: tuple[str, str] | None = None) -> Any:
        self._moved(position)
        return {"intervals": self.exploration.intervals(slice)}

    def _advice(self) -> Any:
        return _advice_as_json(self.exploration)

    def _slices(self) -> Any:
        return {"items": slices_as_json(self.exploration)}

    def _training(self) -> Any:
        return {"counts": self._about.training_counts()}

    def _thumbs(self, images: list[int], pixels: int) -> Any:
        positions = self._places(images)[:200]
        thumbnails = self._pictures.thumbnails(positions, pixels)
        sent = [data for data in thumbnails if isinstance(data, bytes)]
        answers: list[int | str] = []
        for data in thumbnails:
            answers.append(
                data.reason if isinstance(data, ImageError) else sum(isinstance(item, int) for item in answers)
            )
        return {"thumbs": answers, "sizes": [self._pictures.size(item) for item in positions]}, sent

    def _view(self, image: int) -> Any:
        view = self._pictures.view(*self._places([image]))
        size = [round(view.width / view.scale), round(view.height / view.scale)]
        return {"mime": view.mime, "size": size}, [view.data]

    def _keep(self, position: _PagePosition) -> Any:
        self.exploration.move_to(Position(*position))
        self.keep_thresholds()
        return {"kept": self._actions.kept_thresholds() if self._actions else None}

    def _fix(self, images: list[int], position: _PagePosition, box: list[float] | None = None) -> Any:
        """Open images for correction below, where the annotator selects the ``box`` of the first one."""
        actions, names = self._correcting(position), self._names(images)
        self._show_below(actions.open_images(names, self.exploration.predictions, box=box))
        return {"count": len(names)}

    def _crops(
        self,
        images: list[int],
        position: _PagePosition,
        mistake: BoxMistake,
        label: str | None = None,
        predicted: str | None = None,
    ) -> Any:
        """Open the boxes of these images that have a kind of mistake as crops below."""
        actions, names = self._correcting(position), self._names(images)
        boxes = self.exploration.boxes(mistake, label, predicted)
        boxes = boxes[boxes["image"].isin(names)]
        if boxes.empty:
            raise InputError(f"None of these images has boxes with the mistake {mistake!r}. Choose another one.")
        self._show_below(actions.open_crops(boxes, TEST, seen=self.exploration.predictions))
        return {"count": len(boxes)}

    def _correcting(self, position: _PagePosition) -> ProjectActions:
        self._moved(position)
        return self._actions_for("open_images", "This report has no project whose labels could be corrected.")

    def _show_below(self, screen: Any = None) -> None:
        before, self._below = self._below, screen
        self._box.children = (self,) if screen is None else (self, screen._outermost())
        if before is not None:
            before.close()

    def _close(self) -> Any:
        self._show_below()
        return {}

    def _changed(self) -> Any:
        """Describe how the test set has changed, compared again only after a new action."""
        actions = self._actions
        if actions is None or "evaluate_again" not in actions.can:
            return {"text": ""}
        moment = actions.last_action()
        if moment != self._seen:
            self._seen, self._changes = moment, None
            with suppress(ModelNotFoundError, ArtifactError):  # the version was deleted
                self._changes = actions.changes_since(self.exploration.evaluation)
        return {"text": str(self._changes or "")}

    def _refresh(self) -> Any:
        self._judge_again()
        return self._hello()

    def _judge_again(self) -> list[str]:
        actions = self._actions_for("evaluate_again", "This report has no project whose labels could have changed.")
        before = self.exploration
        changed = list(actions.changes_since(before.evaluation).corrected)
        self.exploration = Exploration(actions.evaluate_again(before.evaluation), name=before.name)
        self._pictures = TestPictures(self.exploration.evaluation.images, self._about.root)
        self._seen = None
        with_labels = before.filter.label is None and before.filter.pair is None
        try:
            if before.earlier is not None:
                self._compare_with(actions.evaluate_again(before.earlier[0]), before.earlier[1])
            if before.position != before.own:
                self.exploration.move_to(before.position)
            self.exploration.filter = self.exploration.check(before.filter) if with_labels else Filter()
        except CustomLabelsError:  # the label or group no longer exists
            self.exploration.filter = Filter()
        self.position = self.exploration.position.to_dict()
        self.selection = tuple(name for name in self.selection if name in self.exploration.index_of)
        return changed

    def _add(self, images: list[int], label: str | None = None) -> Any:
        actions = self._actions_for("add_to_train", "This report has no project to add training images to.")
        return {"count": actions.add_to_train(self._names(images), label or None)}

    def _versions(self) -> Any:
        return {"names": self._actions.versions() if self._actions else []}

    def _compare(self, name: str | None = None) -> Any:
        renewed = False
        if name is None:
            self.exploration.compare_with(None)
        else:
            actions = self._actions_for("versions", "There is no other version to compare with.")
            renewed = actions.changes_since(self.exploration.evaluation).count > 0
            if renewed:
                self._judge_again()
            self._compare_with(actions.evaluation_of(name), name)
        self._send_position(self.exploration.position)
        groups = {group: mask.nonzero()[0].tolist() for group, mask in self.exploration.compared.items()}
        return {"comparison": comparison_as_json(self.exploration), "groups": groups, "renewed": renewed}

    def _compare_with(self, earlier: Evaluation, name: str) -> None:
        changed = self._actions.truth_changed(earlier, self.exploration.evaluation) if self._actions else None
        self.exploration.compare_with(earlier, name, truth_changed=changed)

    def _export(self, what: str, path: str) -> Any:
        writer = self._about.writers.get(what)
        if writer is None:
            raise InputError(f"what={what!r} cannot be exported. Choose one of {list(self._about.writers)!r}.")
        path = expand_home(path.strip())
        if not path:
            raise InputError(f"path={path!r} is not the path of a file or folder.")
        with write_errors(f"path={path!r}"):
            writer(self.exploration.evaluation, path)
        return {"written": str(Path(path).absolute())}


def write_results_file(
    path: str | os.PathLike[str],
    exploration: Exploration,
    about: About,
    *,
    notes: Sequence[str] = (),
    max_images: int = 100,
    pixels: int = 320,
) -> Path:
    """Write the widget with its data, its code and images of the worst mistakes to one HTML file.

    An existing file is replaced atomically. At most ``max_images`` images are written, most confident mistakes first,
    whose longest side is ``pixels``, rounded up to 160, 320 or 640. InputError is raised if one of them is out of
    range, or ``path`` is a folder. ``notes`` are shown above those of the evaluation.
    """
    for name, value, most in (("max_images", max_images, 100_000), ("pixels", pixels, THUMBNAIL_SIZES[-1])):
        check_integer(name, value, 0, most)
    target = local_path(path, "path")
    if target.is_dir():
        raise InputError(f"path={str(path)!r} is a folder. Give a file in it, such as 'results.html'.")
    content, buffers = _packed(exploration, about)
    content["facts"]["notes"][:0] = notes
    content |= {
        "buffers": [base64.b64encode(buffer).decode("ascii") for buffer in buffers],
        "training": about.training_counts(),
        "advice": _advice_as_json(exploration),
        "slices": slices_as_json(exploration),
        "pictures": _pictures(exploration, about, max_images, pixels),
    }
    text = render(
        "results.html",
        title=about.name,
        styles=Markup(join_styles("shared/base.css", "shared/tiles.css", "results.css")),
        content=Markup(_as_script(content)),
        code=Markup(join_modules(STATIC / "results" / "page.js")),
    )
    with write_errors(f"path={str(path)!r}"):
        write_whole(target, text.encode("utf-8"))
    return target


def _packed(
    exploration: Exploration, about: About, actions: ProjectActions | None = None
) -> tuple[dict[str, Any], list[bytes]]:
    """Return the initial content of a page: facts, names and types of arrays, and the arrays' bytes."""
    facts, arrays = pack(exploration)
    described, buffers = as_buffers(arrays)
    facts |= {
        **summary_as_json(exploration, about.project, about.details, actions.facts if actions else {}),
        "can": actions.can if actions else [],
        "writes": {},
        "project_labels": actions.labels() if actions else [],
        "position": exploration.position.to_dict(),
        "filter": exploration.filter.to_dict(),
        "selection": [],
        "comparison": comparison_as_json(exploration),
        "kept": actions.kept_thresholds() if actions and "keep_thresholds" in actions.can else None,
    }
    return {"facts": facts, "arrays": described}, buffers


def _advice_as_json(exploration: Exploration) -> dict[str, Any]:
    suspects = exploration.groups["suspects"].nonzero()[0].tolist()
    return {"items": advice_as_json(exploration), "suspects": suspects}


def _pictures(exploration: Exploration, about: About, images: int, pixels: int) -> list[list[object]]:
    """Return position, data URI and size of the first images. Unreadable images are left out."""
    pictures = TestPictures(exploration.evaluation.images, about.root)
    worst = exploration.choose(Filter("all"))[:images].tolist()
    thumbnails = pictures.thumbnails(worst, pixels)
    return [
        [position, data_url(data), pictures.size(position)]
        for position, data in zip(worst, thumbnails, strict=True)
        if isinstance(data, bytes)
    ]


def _as_script(content: object) -> str:
    """Serialise to JSON that cannot close the script element around it."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
