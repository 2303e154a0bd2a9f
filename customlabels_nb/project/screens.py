"""Open the labelling widgets of a project, connected to its sessions and files."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from customlabels_nb._utils.arguments import check_fraction
from customlabels_nb._utils.progress_bars import progress_bars
from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError, NotAllowedError, NotEnoughDataError
from customlabels_nb.events import Events
from customlabels_nb.images.locations import local_path
from customlabels_nb.ingest.importer import ImportReport, import_images
from customlabels_nb.ingest.sources import ImportOptions
from customlabels_nb.labeling.action_list import ActionList
from customlabels_nb.labeling.crop_orders import CropOrders
from customlabels_nb.labeling.crops import CropQuery, CropSession
from customlabels_nb.labeling.dashboard import DashboardSession
from customlabels_nb.labeling.drawing import DrawingSession
from customlabels_nb.labeling.label_editing import LabelEditing
from customlabels_nb.labeling.review import CorrectingSession, ReviewQuery, ReviewSession
from customlabels_nb.labeling.session_files import SessionFiles
from customlabels_nb.labeling.similarity import SimilarityOrder
from customlabels_nb.labeling.view import Query
from customlabels_nb.models.backbone import FEATURES, PACKAGED
from customlabels_nb.project.auto_refresh import refresh_if_due
from customlabels_nb.project.label_sources import labels_in
from customlabels_nb.project.location import ProjectLocation
from customlabels_nb.project.progress_display import can_show_widgets
from customlabels_nb.training.plan import describe_plan
from customlabels_nb.user_settings import is_nobody, settings

if TYPE_CHECKING:
    from customlabels_nb.assist.assistant import Assist
    from customlabels_nb.checks import CheckReport
    from customlabels_nb.evaluation.exploring import Exploration
    from customlabels_nb.jobs.job import LabellingJob
    from customlabels_nb.labeling.session import LabellingSession
    from customlabels_nb.widgets.annotator import Annotator
    from customlabels_nb.widgets.dashboard import Dashboard
    from customlabels_nb.widgets.gallery import Gallery
    from customlabels_nb.widgets.history import HistoryPanel
    from customlabels_nb.widgets.job_dashboard import JobDashboard
    from customlabels_nb.widgets.job_labeling import JobAnnotator, JobGallery
    from customlabels_nb.widgets.job_review import JobReview
    from customlabels_nb.widgets.label_manager import LabelManager
    from customlabels_nb.widgets.map import ProjectMap
    from customlabels_nb.widgets.name_question import NameQuestion
    from customlabels_nb.widgets.review import Review
    from customlabels_nb.widgets.verify import Verify


def open_session(
    location: ProjectLocation, split: str, assist: Assist | None = None, **tables: pd.DataFrame | None
) -> CropSession:
    """Create a labelling session for a dataset of the project, without a widget, see :class:`.CropSession`."""
    similar, orders = _similarity(location), CropOrders(location.root, partial(_features_of, location))
    return CropSession(location.store, location.root, split, similar=similar, orders=orders, assist=assist, **tables)


def _wait_for_order(session: LabellingSession, query: Query) -> None:
    """Wait for an order that is computed in the background, for screens that cannot change theirs later."""
    if query.sort not in ("similarity", "text"):
        return
    with progress_bars(Events()) as events:
        while (progress := session.show(query).waiting) is not None:
            events.progress("sorting", *progress)
            time.sleep(_PAUSE)


_PAUSE = 0.1  # seconds


def _similarity(location: ProjectLocation) -> SimilarityOrder:
    return SimilarityOrder(location.root, partial(_features_of, location))


def _features_of(location: ProjectLocation) -> str:
    """Return the name of the network whose features sort images and crops."""
    return location.store.setting(FEATURES) or PACKAGED


def open_gallery(
    location: ProjectLocation,
    split: str,
    query: Query,
    *,
    page_size: int = 24,
    mode: str = "grid",
    assist: Assist | None = None,
    given: pd.DataFrame | None = None,
    seen: pd.DataFrame | None = None,
) -> Gallery:
    """Open the gallery of images, or of crops by a :class:`.CropQuery`: all of them, or a ``given`` table of boxes.

    ``seen`` are the predictions of a report, see :class:`.LabellingSession`.
    """
    from customlabels_nb.widgets.gallery import Gallery

    refresh_if_due(location)
    session = open_session(location, split, assist, given=given, seen=seen)
    shared = {**_shared(location), **_label_handlers(location)}

    def annotator(split: str) -> Annotator:
        return open_annotator(location, split, Query(sort="added"), assist=assist, seen=seen)

    return Gallery(session, query=query, page_size=page_size, mode=mode, annotator=annotator, **shared)


def given_boxes(location: ProjectLocation, boxes: pd.DataFrame, split: str) -> pd.DataFrame:
    """Return a table of boxes as annotations, without boxes of the dataset that were removed or moved since.

    Those of the dataset have a time of creation, or no confidence in a table of predictions. Others are predictions.
    """
    is_known = pd.Series("created" in boxes.columns, index=boxes.index)
    if "confidence" in boxes.columns:
        is_known |= boxes["confidence"].isna()
    if is_known.any():
        _, stored, _ = location.store.tables(split, boxes["image"].unique().tolist())
        places = [pd.MultiIndex.from_frame(part[["image", *t.BOX_COLUMNS]].round(3)) for part in (boxes, stored)]
        boxes = boxes[~is_known | places[0].isin(places[1])]
    return t.normalise_annotations(boxes, annotator=settings.user)


def open_crops(location: ProjectLocation, boxes: pd.DataFrame, split: str, **options: Any) -> Gallery:
    """Open a table of boxes as crops, in the order of their images."""
    given = given_boxes(location, boxes, split)
    return open_gallery(location, split, CropQuery(sort="added"), page_size=48, given=given, **options)


def open_map(location: ProjectLocation, split: str, *, crops: bool, random_state: int, assist: Assist) -> ProjectMap:
    from customlabels_nb.labeling.crop_map import CropMap, CropMapSession
    from customlabels_nb.labeling.image_map import ImageMap, MapSession
    from customlabels_nb.store.extra_columns import dtypes
    from customlabels_nb.widgets.map import ProjectMap

    def columns() -> list[str]:
        with location.store.reading() as connection:
            return list(dtypes(connection))

    refresh_if_due(location)
    features = partial(_features_of, location)
    options: dict[str, Any] = {
        "model": features,
        "images": location.store.images,
        "columns": columns,
        "similar": _similarity(location),
        "random_state": random_state,
    }
    place = (location.store, location.root, split)
    if crops:
        orders = CropOrders(location.root, features)
        image_map: ImageMap = CropMap(CropMapSession(*place, assist=assist), orders, **options)
    else:
        image_map = ImageMap(MapSession(*place, assist=assist), **options)
    return ProjectMap(image_map, screen=partial(_open_counted, location, assist), **_shared(location))


def open_evaluation_map(
    location: ProjectLocation,
    open_images: Callable[[Sequence[str], pd.DataFrame], Any],
    exploration: Exploration,
    name: str,
    random_state: int,
) -> ProjectMap:
    """Open the map of an evaluation's images, whose features the project has."""
    from customlabels_nb.labeling.evaluation_map import EvaluationMap, EvaluationSession
    from customlabels_nb.widgets.map import ProjectMap

    def open_below(_split: str, query: Query) -> Any:
        return open_images(sorted(query.images or ()), exploration.predictions)

    images = exploration.evaluation.images
    image_map = EvaluationMap(
        EvaluationSession(location.store, location.root, exploration),
        model=lambda: location.store.setting(FEATURES) or PACKAGED,
        images=lambda _split: images,
        columns=lambda: [name for name in images if name not in t.IMAGE_COLUMNS],
        similar=_similarity(location),
        random_state=random_state,
    )
    return ProjectMap(image_map, screen=open_below, **{**_shared(location), "project": name})


def open_annotator(
    location: ProjectLocation,
    split: str,
    query: Query,
    *,
    assist: Assist | None = None,
    seen: pd.DataFrame | None = None,
) -> Annotator:
    from customlabels_nb.widgets.annotator import Annotator

    refresh_if_due(location)
    similar = _similarity(location)
    session = DrawingSession(location.store, location.root, split, similar=similar, assist=assist, seen=seen)
    _wait_for_order(session, query)
    return Annotator(session, query=query, **_shared(location), **_label_handlers(location))


def open_test_images(
    location: ProjectLocation,
    images: Sequence[str],
    seen: pd.DataFrame,
    *,
    boxes: bool,
    box: Sequence[float] | None = None,
) -> Gallery | Annotator:
    """Open these test images in the gallery, or in the annotator if ``boxes`` is true, starting with the first one.

    ``seen`` are the predictions to show, and ``box`` the one to select in the annotator.
    """
    query = Query(images=frozenset(images), sort="added")
    screen = (open_annotator if boxes else open_gallery)(location, t.TEST, query, seen=seen)
    if images and screen.session.place_of(images[0]) is not None:
        screen.display(images[0], **({"box": box} if boxes else {}))
    return screen


def open_job(
    location: ProjectLocation, job: LabellingJob, *, mode: str, page_size: int, ask: bool | None = None
) -> JobGallery | JobAnnotator | JobReview | JobDashboard | NameQuestion:
    """Open a screen of a labelling job: "review", "dashboard", or the view of the current person for other modes.

    It asks for the person's name first if ``ask`` is true, by default in notebooks of logins that many people share.
    The dashboard does not ask, because ``job.dashboard()`` has checked that the current name is a manager's. Neither
    does the review if the current name may review.
    """
    from customlabels_nb.jobs.personal_links import refuse_linked_name
    from customlabels_nb.widgets._pages import check_page_size
    from customlabels_nb.widgets.name_question import NameQuestion

    check_page_size("page_size", page_size)
    build = partial(_open_job, location, job, mode=mode, page_size=page_size)
    if ask is None:
        ask = mode != "dashboard" and can_show_widgets() and is_nobody(settings.user)
        if ask and mode == "review":
            ask = settings.user not in set(job.members.query("role != 'labeler' and state != 'removed'")["person"])
    if not ask or location.store.own_role() is not None:
        return build()

    def open_for_entered_name() -> Any:
        refuse_linked_name(location.store, job._id, settings.user)
        return build()

    return NameQuestion(open_for_entered_name, job=job.name)


def _open_job(
    location: ProjectLocation, job: LabellingJob, *, mode: str, page_size: int
) -> JobGallery | JobAnnotator | JobReview | JobDashboard:
    from customlabels_nb.jobs.labeler_session import LabelerSession
    from customlabels_nb.jobs.manager_session import ManagerSession
    from customlabels_nb.jobs.reviewer_session import ReviewerSession
    from customlabels_nb.widgets.job_dashboard import JobDashboard
    from customlabels_nb.widgets.job_labeling import JobAnnotator, JobGallery
    from customlabels_nb.widgets.job_review import JobReview

    refresh_if_due(location)
    if mode == "dashboard":
        review = partial(_open_job, location, job, mode="review", page_size=page_size)
        return JobDashboard(ManagerSession(location.store, location.root, job), partial(open_gallery, location), review)
    shared = _shared(location)
    draws = job.task in ("boxes", "polygons")
    session: ReviewerSession | LabelerSession
    if mode == "review":
        session = reviewer = ReviewerSession(location.store, location.root, job)
        build = partial(JobReview, reviewer, shared["files"], key=f"{shared['key']} {job.name}", page_size=page_size)
    else:
        session = labeler = LabelerSession(
            location.store, location.root, job, batch=page_size if mode == "grid" and not draws else 10
        )
        key = hashlib.sha256(f"{shared['key']}\n{job.name}\n{session.user}".encode()).hexdigest()[:32]
        build = partial(JobAnnotator, labeler, key=key)
        if not draws:
            build = partial(JobGallery, labeler, key=key, mode=mode, page_size=page_size)
    try:
        return build()
    except BaseException:
        session.close()
        raise


def open_review(
    location: ProjectLocation, split: str, query: ReviewQuery, *, page_size: int, assist: Assist | None = None
) -> Review:
    from customlabels_nb.training.stored import cross_fitted_predictions
    from customlabels_nb.widgets.annotator import Annotator
    from customlabels_nb.widgets.review import Review

    refresh_if_due(location)
    cross_fitted = partial(cross_fitted_predictions, location.store, location.root)
    session = ReviewSession(location.store, location.root, split, cross_fitted=cross_fitted, assist=assist)
    if query.label:
        session.check_known(query.label)

    def annotator(split: str) -> Annotator:
        corrections = CorrectingSession(location.store, location.root, split, assist=assist)
        return Annotator(corrections, query=Query(sort="added"), **_shared(location), **_label_handlers(location))

    return Review(session, query=query, page_size=page_size, annotator=annotator, **_shared(location))


def open_verification(
    location: ProjectLocation,
    predictions: Any,
    model: Any,
    *,
    sample: int,
    test_fraction: float,
    random_state: int,
    page_size: int,
    test_precision: Callable[[], float | None],
) -> Verify:
    """Open the verify widget for a sample of predictions, see :meth:`.Project.verify`."""
    from customlabels_nb.labeling.verification import Verification, draw_sample
    from customlabels_nb.widgets.annotator import Annotator
    from customlabels_nb.widgets.verify import Verify

    test_fraction = check_fraction("test_fraction", test_fraction)
    images, predict, key = _predictions_in(predictions, model, location.root)
    name = "predictions" if model is None else model.name
    path = draw_sample(
        location.store, location.root, images, predict, model=name, key=key, sample=sample, random_state=random_state
    )

    def session() -> Verification:
        return Verification(
            location.store, location.root, path, test_fraction=test_fraction, test_precision=test_precision
        )

    def refuse(files: list[str], split: str, label: str | None, on_known: str) -> ImportReport:
        raise NotAllowedError("The sample to verify is fixed. Add images with project.add_images().")

    first, shared = session(), _shared(location)
    shown_location = ProjectLocation(location.root, first.store)
    shared |= {"files": SessionFiles(location.root, dataset=shown_location.dataset, add_images=refuse)}
    shared |= {"key": f"{shared['key']} {path.stem}"}
    return Verify(
        first,
        annotator=lambda: Annotator(session(), query=Query(sort="added"), **shared),
        page_size=page_size,
        **shared,
    )


def _predictions_in(predictions: Any, model: Any, root: Path) -> tuple[list[str], Callable[[], pd.DataFrame], str]:
    """Return the images, a function that returns their predictions, and a text that identifies them."""
    from customlabels_nb.inference.inputs import expand_sources
    from customlabels_nb.inference.outputs import read_json_lines
    from customlabels_nb.inference.result_writing import WrittenDetections

    if isinstance(predictions, WrittenDetections):
        predictions = predictions.path if str(predictions.path).endswith(".jsonl") else predictions.table()
    if isinstance(predictions, str | os.PathLike) and os.fspath(predictions).endswith(".jsonl"):
        images, table = read_json_lines(local_path(predictions, "predictions"))
    elif isinstance(predictions, pd.DataFrame):
        if missing := {"image", "label", "confidence"} - set(predictions):
            raise InputError(f"predictions has no column {min(missing)!r}. Pass the table that detect_many returns.")
        images, table = predictions["image"].unique().tolist(), predictions
    elif model is None:
        raise InputError(
            f"predictions={predictions!r} are images. Pass the model that predicts them: model=project.model()."
        )
    else:
        images = expand_sources(predictions, root=root)
        return images, lambda: model.detect_many(images), "\n".join([model.name, *images])
    if not images:
        raise NotEnoughDataError("predictions has no images, so there is nothing to verify.")
    return images, lambda: table, "\n".join([*images, table.to_csv(index=False)])


def open_label_manager(location: ProjectLocation) -> LabelManager:
    from customlabels_nb.widgets.label_manager import LabelManager

    return LabelManager(LabelEditing(location.store, location.root), labels_in)


def open_dashboard(location: ProjectLocation, *, check: Callable[[Events], CheckReport], assist: Assist) -> Dashboard:
    from customlabels_nb.widgets.dashboard import Dashboard

    def plan() -> list[str]:
        return describe_plan(location.store.project().task, location.dataset(t.TRAIN), location.dataset(t.TEST))

    session = DashboardSession(
        location.store, location.root, dataset=location.dataset, check=check, plan=plan, assist=assist
    )
    boxes = partial(open_crops, location, assist=assist)
    return Dashboard(session, partial(_open_counted, location, assist), boxes)


def _open_counted(location: ProjectLocation, assist: Assist, split: str, query: Query) -> Gallery | Annotator | Review:
    """Open the images behind a number of the dashboard: suspects in the review, queues of boxes in the annotator."""
    if isinstance(query, ReviewQuery):
        return open_review(location, split, query, page_size=24, assist=assist)
    if query.queue is not None and location.store.project().task in ("boxes", "polygons"):
        return open_annotator(location, split, query, assist=assist)
    return open_gallery(location, split, query, assist=assist)


def open_history_panel(location: ProjectLocation) -> HistoryPanel:
    from customlabels_nb.widgets.history import HistoryPanel

    return HistoryPanel(ActionList(location.store, location.root))


def plug_in(location: ProjectLocation, split: str, query: Query, labeller: Any, *, assist: Assist | None = None) -> Any:
    """Connect an ipyannotations labeller (or one with the same interface) to the images of a dataset."""
    from customlabels_nb.labeling.ipyannotations_adapter import plug_into

    session = open_session(location, split, assist)
    _wait_for_order(session, query)
    return plug_into(session, labeller, query)


def session_files(location: ProjectLocation) -> SessionFiles:
    """Create the object through which widgets access the project's images and uploads."""

    def add_images(files: list[str], split: str, label: str | None, on_known: str) -> ImportReport:
        options = ImportOptions(split, label=label, on_known=on_known)
        return import_images(location.store, location.root, files, options)

    return SessionFiles(location.root, dataset=location.dataset, add_images=add_images)


def _shared(location: ProjectLocation) -> dict[str, Any]:
    """Return the arguments shared by all image widgets: files, project name, and a key that all kernels share."""
    project = location.store.project()
    key = hashlib.sha256(f"{location.root}\n{project.created.isoformat()}".encode()).hexdigest()[:32]
    return {"files": session_files(location), "project": project.name, "key": key}


def _label_handlers(location: ProjectLocation) -> dict[str, Any]:
    from customlabels_nb.widgets.label_manager import label_handlers

    return {"label_handlers": label_handlers(LabelEditing(location.store, location.root), labels_in)}
