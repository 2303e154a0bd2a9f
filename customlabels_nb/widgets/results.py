"""The results screen: translates between the page and an exploration of an evaluation.

Numbers are computed in the page, from arrays that it gets once; the kernel gives pictures and does what changes things.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import pandas as pd
import traitlets
from markupsafe import Markup

from customlabels_nb._utils.files import expand_home, write_whole
from customlabels_nb._utils.rendering import data_url, render
from customlabels_nb.errors import CustomLabelsError, ImageError, InputError, NotAllowedError
from customlabels_nb.evaluation.exploring import Exploration, Filter, Position
from customlabels_nb.evaluation.exploring.exploration import changed_images, judged_by
from customlabels_nb.evaluation.exploring.packing import (
    TestPictures,
    advice_as_json,
    as_buffers,
    comparison_as_json,
    default_name,
    pack,
    summary_as_json,
)
from customlabels_nb.images.thumbnails import THUMBNAIL_SIZES
from customlabels_nb.labeling.project_actions import ProjectActions
from customlabels_nb.widgets._base import STATIC, Handler, MessageHandler, join_modules, join_styles
from customlabels_nb.widgets.static_fallback import display_with_fallback, static_picture

_STILL_IMAGES = 16
_MOST_VIEWED = 24


@dataclass(frozen=True)
class About:
    """What the screen says of what was evaluated.

    Attributes
    ----------
    name, project : str
    details : dict
        See :class:`customlabels_nb.project.report.Report`.
    training : callable, optional
        ``training()`` gives the number of training images by label, or None.
    root : Path, optional
        The folder under which relative paths of images lie.
    writers : dict
        ``page`` and ``files``: what writes the results to a file, or to a folder.
    """

    name: str
    project: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    training: Callable[[], Mapping[str, int] | None] | None = None
    root: Path | None = None
    writers: Mapping[str, Callable[[str], Any]] = field(default_factory=dict)

    def training_counts(self) -> dict[str, int] | None:
        """The number of training images by label, where it is known."""
        counts = None if self.training is None else self.training()
        return None if counts is None else dict(counts)


class Results(MessageHandler, anywidget.AnyWidget):
    """Numbers, test images and thresholds that move together; made by :meth:`.Report.show`.

    Other cells can read and steer it: ``selected``, ``thresholds``, ``set_thresholds``, ``set_iou_threshold``,
    ``set_filter``, ``select``, ``figures``, ``per_label``, ``confusion_matrix``, ``rows``; ``observe`` follows
    ``selection`` and ``position``.

    Attributes
    ----------
    selection : tuple of str
        The images that are selected.
    position : dict
        Where the sliders stand: ``mode``, ``one``, ``own``, ``overlap``.
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
        self._seen: object = None  # the moment of the project at which truth was looked at
        self._differ = 0
        self._below: Any = None
        self._box = ipywidgets.VBox([self])
        self.position = exploration.position.to_dict()
        own: dict[str, Handler] = {
            "hello": self._hello,
            "moved": self._moved,
            "filter": self._filtered,
            "select": self._select,
            "intervals": self._intervals,
            "advice": self._advice,
            "keep": self._keep,
            "fix": self._fix,
            "close": self._close,
            "changed": self._changed,
            "refresh": self._refresh,
            "add": self._add,
            "versions": self._versions,
            "compare": self._compare,
            "export": self._export,
        }
        self.handlers = {kind: partial(self._alone, handler) for kind, handler in own.items()}
        self.handlers |= {"thumbs": self._thumbs, "view": self._view, "training": self._training}
        self.on_msg(self.answer)

    # -- for other cells ----------------------------------------------------------------------------
    @property
    def thresholds(self) -> dict[str, float]:
        """The threshold of each label as the sliders stand; cross-validated: the means of the folds'."""
        return self.exploration.thresholds

    @property
    def metrics(self) -> dict[str, float]:
        """F1, precision, recall and the other means as the sliders stand."""
        return self.exploration.metrics

    figures = metrics

    @property
    def per_label(self) -> pd.DataFrame:
        """The table of labels as the sliders stand."""
        return self.exploration.per_label

    @property
    def confusion_matrix(self) -> Any:
        """What is taken for what as the sliders stand."""
        return self.exploration.confusion_matrix

    @property
    def shown(self) -> list[str]:
        """The images that the filter shows, in its order."""
        return [self.exploration.names[at] for at in self.exploration.choose()]

    @property
    def selected(self) -> pd.DataFrame:
        """The selected images, else those that are shown: their columns, true and predicted labels, counts."""
        return self.exploration.table(self._selected())

    @property
    def rows(self) -> pd.DataFrame:
        """What is right and wrong on these images, one row a label or box."""
        return self.exploration.rows(self._selected())

    def _selected(self) -> list[int]:
        if self.selection:
            return [self.exploration.place[name] for name in self.selection]
        found: list[int] = self.exploration.choose().tolist()
        return found

    def select(self, images: Sequence[str]) -> None:
        """Select these images."""
        self.selection = tuple(self._known(images))
        self.send({"push": "select", "images": list(self.selection)})

    def set_thresholds(self, thresholds: float | Mapping[str, float] | str | None = None) -> None:
        """Move the thresholds: None for each label's assumed one, a number for all, by label, or "cross-validated"."""
        with self._lock:
            self._tell_position(self.exploration.set_thresholds(thresholds))

    def set_iou_threshold(self, iou_threshold: float) -> None:
        """Match boxes from another intersection over union on.

        Parameters
        ----------
        iou_threshold : float
            Above 0, up to 1.
        """
        with self._lock:
            self._tell_position(self.exploration.set_iou_threshold(iou_threshold))

    def set_overlap(self, overlap: float) -> None:
        """Move the IoU threshold; another name of :meth:`set_iou_threshold`."""
        self.set_iou_threshold(overlap)

    def set_filter(self, **change: Any) -> None:
        """Show other images; without arguments, all mistakes.

        Parameters
        ----------
        **change
            Fields of :class:`customlabels_nb.evaluation.exploring.Filter`, such as ``show="fp", label="pear"``; the
            others stay as they are. None removes ``label``, ``pair``, ``slice`` or ``images``.

        Raises
        ------
        InputError
            If there is no such filter, or it can't have that value.
        """
        with self._lock:
            try:
                asked = replace(self.exploration.filter, **change) if change else Filter()
            except TypeError as error:
                raise InputError(f"{str(error).split()[-1]} is nothing to filter by; see help(set_filter).") from error
            self.exploration.filter = self.exploration.check(asked)
            groups = {name: mask.nonzero()[0].tolist() for name, mask in self.exploration.groups.items()}
            self.send({"push": "filter", "filter": asked.to_dict(), "groups": groups})

    def keep_thresholds(self) -> None:
        """Make the thresholds as they stand the version's own: ``detect`` uses them from now on.

        Raises
        ------
        NotAllowedError
            If the report is no version's.
        """
        with self._lock:
            actions = self._actions_for(
                "keep_thresholds", "There is no version whose thresholds could be kept: use them in model.detect(…)."
            )
            actions.keep_thresholds(self.thresholds)

    def judge_again(self) -> list[str]:
        """Judge by the truth as it is in the project now; gives the test images whose truth has changed."""
        with self._lock:
            changed = self._judge_again()
            self.send({"push": "renew"})
            return changed

    def close(self) -> None:
        """End the screen, and what it opened below."""
        if self._below is not None:
            self._below.close()
        self._box.close()
        super().close()

    def _actions_for(self, name: str, refusal: str) -> ProjectActions:
        """The actions, if the one of this name is possible."""
        if self._actions is None or name not in self._actions.can:
            raise NotAllowedError(refusal)
        return self._actions

    def _known(self, images: Sequence[str]) -> list[str]:
        for name in images:
            if name not in self.exploration.place:
                raise InputError(f"The image {name!r} is no test image of this evaluation.")
        return list(dict.fromkeys(images))

    def _tell_position(self, position: Position) -> None:
        self.position = position.to_dict()
        self.send({"push": "position", "position": self.position})

    # -- display ------------------------------------------------------------------------------------
    def _ipython_display_(self) -> None:
        """Display a still picture for the saved notebook, and the widget, which hides it."""
        at = self.exploration.choose(Filter("all"))[:_STILL_IMAGES].tolist()
        rows = self.exploration.table(at)
        captions = [
            f"{name}: {true or 'nothing'}, predicted {said or 'nothing'}"
            for name, true, said in zip(rows["image"], rows["true"], rows["predicted"], strict=True)
        ]
        markup = static_picture(self._pictures.thumbnails(at, 160), captions, self._fallback_text())
        display_with_fallback(self._box, markup)

    def _fallback_text(self) -> str:
        metrics = self.exploration.metrics
        return (
            f"{self._about.name}: F1 {metrics['f1']:.3f}, precision {metrics['precision']:.3f}, recall "
            f"{metrics['recall']:.3f} on {len(self.exploration.names):,} test images; the most confident mistakes come "
            "first. Run this cell to look around."
        )

    # -- what the page asks for ---------------------------------------------------------------------
    def _alone(self, handler: Handler, content: dict[str, Any], buffers: list[Any]) -> Any:
        with self._lock:
            return handler(content, buffers)

    def _hello(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        content, sent = _packed(self.exploration, self._about, self._actions)
        content["facts"] |= {
            "writes": {name: default_name(name, self._about.name) for name in self._about.writers},
            "selection": list(self.selection),
        }
        return content, sent

    def _moved(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        self.exploration.move_to(Position.from_dict(content["position"]))
        self.position = self.exploration.position.to_dict()
        return {}

    def _filtered(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        self.exploration.filter = self.exploration.check(Filter(**content["filter"]))
        return {}

    def _select(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        self.selection = tuple(self.exploration.names[int(at)] for at in content["images"])
        return {}

    def _intervals(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        self._moved(content, buffers)
        return {"intervals": self.exploration.intervals()}

    def _advice(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        return _advice_as_json(self.exploration)

    def _training(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        return {"counts": self._about.training_counts()}

    def _thumbs(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        at = [int(one) for one in content["images"]][:200]
        found = self._pictures.thumbnails(at, int(content["pixels"]))
        sent = [data for data in found if isinstance(data, bytes)]
        said: list[int | str] = []
        for data in found:
            said.append(data.reason if isinstance(data, ImageError) else sum(isinstance(one, int) for one in said))
        return {"thumbs": said, "sizes": [self._pictures.size(one) for one in at]}, sent

    def _view(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        view = self._pictures.view(int(content["image"]))
        size = [round(view.width / view.scale), round(view.height / view.scale)]
        return {"mime": view.mime, "size": size}, [view.data]

    def _keep(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        self.exploration.move_to(Position.from_dict(content["position"]))
        self.keep_thresholds()
        return {"thresholds": self.thresholds}

    def _fix(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        actions = self._actions_for("open_images", "There is no project whose labels could be put right.")
        at = [int(one) for one in content["images"]]
        names = [self.exploration.names[one] for one in at]
        before, self._below = self._below, actions.open_images(names)
        self._box.children = (self, self._below)
        if before is not None:
            before.close()
        return {"count": len(names)}

    def _close(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        before, self._below = self._below, None
        self._box.children = (self,)
        if before is not None:
            before.close()
        return {}

    def _changed(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        """How many test images have another truth by now; looked at only after something was done."""
        actions = self._actions
        if actions is None or "truth_now" not in actions.can:
            return {"count": 0}
        moment = actions.last_action()
        if moment != self._seen:
            self._seen, self._differ = moment, len(changed_images(self.exploration.evaluation, *actions.truth_now()))
        return {"count": self._differ}

    def _refresh(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        self._judge_again()
        return self._hello({}, [])

    def _judge_again(self) -> list[str]:
        actions = self._actions_for("truth_now", "There is no project whose labels could have changed.")
        before = self.exploration
        now = actions.truth_now()
        changed = changed_images(before.evaluation, *now)
        self.exploration = Exploration(judged_by(before.evaluation, *now), name=before.name)
        self._seen = None
        with_labels = before.filter.label is None and before.filter.pair is None
        try:
            self.exploration.move_to(before.position)
            self.exploration.filter = self.exploration.check(before.filter) if with_labels else Filter()
        except CustomLabelsError:  # a label or group that isn't there any more
            self.exploration.filter = Filter()
        self.position = self.exploration.position.to_dict()
        return changed

    def _add(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        actions = self._actions_for("add_to_train", "There is no project whose training images these could be.")
        names = [self.exploration.names[int(at)] for at in content["images"]]
        return {"count": actions.add_to_train(names, content.get("label") or None)}

    def _versions(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        return {"names": self._actions.versions() if self._actions else []}

    def _compare(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        name = content.get("name")
        other = None
        if name is not None:
            actions = self._actions_for("versions", "There is no other version to compare with.")
            other = actions.evaluation_of(str(name))
        self.exploration.compare_with(other, str(name))
        groups = {group: mask.nonzero()[0].tolist() for group, mask in self.exploration.compared.items()}
        return {"comparison": comparison_as_json(self.exploration), "groups": groups}

    def _export(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        writer = self._about.writers.get(str(content.get("what")))
        if writer is None:
            raise InputError(f"what={content.get('what')!r} can't be written; choose of {list(self._about.writers)!r}.")
        path = str(content.get("path") or "").strip()
        if not path or "\0" in path:
            raise InputError(f"path={path!r} names no file or folder.")
        path = expand_home(path)
        try:
            writer(path)
        except OSError as error:
            raise InputError(f"{path!r} can't be written: {error}") from error
        return {"written": str(Path(path).absolute())}


def write_results_file(
    path: str | os.PathLike[str], exploration: Exploration, about: About, *, images: int = 100, pixels: int = 320
) -> Path:
    """Write the screen with its data, its code and the pictures of the worst images to one file.

    Parameters
    ----------
    path : path
        A file of that name is replaced, whole or not at all.
    exploration : Exploration
    about : About
    images : int
        How many pictures; the most confident mistakes come first.
    pixels : int
        Their longest side, rounded up to one of 160, 320 and 640.

    Raises
    ------
    InputError
        If ``images`` or ``pixels`` can't be, or ``path`` is a folder.
    """
    for name, value, most in (("images", images, 100_000), ("pixels", pixels, THUMBNAIL_SIZES[-1])):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise InputError(f"{name}={value!r} is no whole number from 0 to {most:,}.")
    target = Path(path)
    if target.is_dir():
        raise InputError(f"path={str(path)!r} is a folder; name a file in it, such as 'results.html'.")
    text = render(
        "results.html",
        title=about.name,
        styles=Markup(join_styles("shared/base.css", "shared/tiles.css", "results.css")),
        content=Markup(_as_script(_content(exploration, about, images, pixels))),
        code=Markup(join_modules(STATIC / "results" / "page.js")),
    )
    write_whole(target, text.encode("utf-8"))
    return target


def _packed(
    exploration: Exploration, about: About, actions: ProjectActions | None = None
) -> tuple[dict[str, Any], list[bytes]]:
    """What a page begins with: facts, names and types of arrays, and the arrays' bytes."""
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
    }
    return {"facts": facts, "arrays": described}, buffers


def _advice_as_json(exploration: Exploration) -> dict[str, Any]:
    suspects = exploration.groups["suspects"].nonzero()[0].tolist()
    return {"items": advice_as_json(exploration), "suspects": suspects}


def _content(exploration: Exploration, about: About, images: int, pixels: int) -> dict[str, object]:
    content, buffers = _packed(exploration, about)
    return {
        **content,
        "buffers": [base64.b64encode(buffer).decode("ascii") for buffer in buffers],
        "training": about.training_counts(),
        "advice": _advice_as_json(exploration),
        "pictures": _pictures(exploration, about, images, pixels),
    }


def _pictures(exploration: Exploration, about: About, images: int, pixels: int) -> list[list[object]]:
    """Position, picture as a data URI, and size of the images that come first, as far as they can be read."""
    known = TestPictures(exploration.evaluation.images, about.root)
    worst = exploration.choose(Filter("all"))[:images].tolist()
    found = known.thumbnails(worst, pixels)
    return [
        [at, data_url(data), known.size(at)] for at, data in zip(worst, found, strict=True) if isinstance(data, bytes)
    ]


def _as_script(content: object) -> str:
    """JSON that can't end the element it stands in, whatever names hold."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
