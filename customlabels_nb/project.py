"""A project: the facade over its datasets, labels, versions and history."""

from __future__ import annotations

import os
from typing import Any

from customlabels_nb import screens
from customlabels_nb import tables as t
from customlabels_nb.errors import (
    Cancelled,
)
from customlabels_nb.events import Events, progress_bars, say
from customlabels_nb.images import local_path
from customlabels_nb.labeling import Query, ReviewQuery
from customlabels_nb.locations import (
    Place,
    check_tags,
    new_version_name,
)
from customlabels_nb.model import Model, require_confirmation
from customlabels_nb.packing import Packed, pack
from customlabels_nb.project_data import ProjectData
from customlabels_nb.project_facts import find_version
from customlabels_nb.project_life import delete_project, refuse_if_busy, rename_project


class Project(ProjectData):
    """Datasets, labels and model versions that belong together, in one folder.

    Made by :func:`create_project` and :func:`load_project`. Every change is one transaction with a line in
    ``history``.
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._models: dict[str, Model] = {}

    # -- labelling ----------------------------------------------------------------------------------
    def label(
        self,
        split: str = t.TRAIN,
        *,
        mode: str = "grid",
        page_size: int = 24,
        sort: str = "random",
        seed: int = 0,
        widget: Any = None,
    ) -> Any:
        """Label images in the notebook: pages of thumbnails, keys 1–9, every label stored at once.

        Parameters
        ----------
        split : {"train", "test"}
        mode : {"grid", "single"}
            Pages of thumbnails, or one image at a time for the keyboard.
        page_size : {4, 6, 9, 24, 48, 100}
        sort : {"random", "name", "added", "uncertainty", "similarity"}
            Random order, the default, guards against bias.
        seed : int
            Of the random order.
        widget : class or widget, optional
            A labeller of ipyannotations in place of the gallery, such as ``ipyannotations.images.ClassLabeller``.

        Returns
        -------
        Gallery
            A widget that other cells can read and steer: ``selected``, ``set_filter(…)``, ``observe``.
        """
        query = Query(sort=sort, seed=seed)
        if widget is not None:
            return screens.plug_in(self._place, t.check_split(split), widget, query=query)
        return screens.open_gallery(
            self._place, t.check_split(split), dataset=self._dataset, query=query, page_size=page_size, mode=mode
        )

    def annotate(self, split: str = t.TRAIN, *, sort: str = "added", seed: int = 0) -> Any:
        """Draw boxes and polygons in the notebook; what is drawn is stored at once.

        Parameters
        ----------
        split : {"train", "test"}
        sort : {"added", "name", "random", "uncertainty", "similarity"}
        seed : int
            Of the random order.

        Returns
        -------
        Annotator
            A widget that other cells can read and steer: ``data``, ``selected``, ``display(image)``, ``set_filter(…)``.
        """
        query = Query(sort=sort, seed=seed)
        return screens.open_annotator(self._place, t.check_split(split), dataset=self._dataset, query=query)

    def dashboard(self) -> Any:
        """How labelling is going: progress, labels, who works how quickly, what waits, what training would say, export.

        It follows what is done in other cells and by other people. A click on a bar opens a gallery below with exactly
        the images that it counts.

        Returns
        -------
        Dashboard
            A widget that other cells can read and steer: ``figures`` (tables), ``show_images("train", label="apple")``,
            ``gallery``.
        """
        return screens.open_dashboard(
            self._place, dataset=self._dataset, check=lambda events: self.check(progress=False, events=events)
        )

    def history_panel(self) -> Any:
        """Who did what when, as a widget that takes actions back; ``project.history`` has it as a table."""
        return screens.open_history_panel(self._place)

    def review(
        self,
        split: str = t.TRAIN,
        *,
        label: str | None = None,
        show: str = "to_review",
        sort: str = "doubt",
        page_size: int = 24,
    ) -> Any:
        """Look through what was labelled: approve (Enter), correct (1–9) or reject (Delete), each stored at once.

        What is approved or corrected gets the tag "reviewed" and status "labelled"; whoever changes its labels later
        takes the tag away. What is rejected loses its labels and is unlabelled again; the history has them.

        Parameters
        ----------
        split : {"train", "test"}
        label : str, optional
            Only images with this label; "" for those that have none.
        show : {"to_review", "disagrees", "needs_review", "reviewed", "all"}
            "disagrees": what is to be reviewed and a model says another label for.
        sort : {"doubt", "name", "newest", "added", "random"}
            "doubt" puts first what a model is surest that it is labelled wrongly.
        page_size : {4, 6, 9, 24, 48, 100}

        Returns
        -------
        Review
            A widget that other cells can read and steer: ``selected``, ``progress``, ``set_filter(…)``, ``observe``,
            ``approve()``, ``correct(label)``, ``reject()``.
        """
        query = ReviewQuery(label=label, show=show, sort=sort)
        return screens.open_review(
            self._place, t.check_split(split), dataset=self._dataset, query=query, page_size=page_size
        )

    @property
    def instructions(self) -> str:
        """What people who label are told; set it to change that, also from the gallery."""
        return self.record.instructions

    @instructions.setter
    def instructions(self, text: str) -> None:
        self._store.set_project(self._action("set instructions"), instructions=text)

    # -- models -------------------------------------------------------------------------------------
    def train(
        self,
        name: str | None = None,
        *,
        seed: int = 0,
        device: str | None = None,
        tags: dict[str, str] | None = None,
        progress: bool = True,
        events: Events | None = None,
    ) -> Model:
        """Train a version on the training set and test it on the test set; distributes first if there is none.

        Parameters
        ----------
        name : str, optional
            ``<project>.<date>T<time>`` unless it is given.
        seed : int
            The same seed on the same images gives the same model on CPU.
        device : str, optional
            "cuda", "mps" or "cpu"; the first of these that is here unless it is given.
        tags : dict, optional
            Key → value, both text.
        progress : bool
            Show bars.
        events : Events, optional
            Gets the progress; ``events.cancel()`` from another thread stops the run.

        Raises
        ------
        NotEnoughDataError, NotAllowedError
            Before anything is trained, with the reason.
        """
        from customlabels_nb.training.plan import check_task_can_be_trained, plan_classification, set_aside
        from customlabels_nb.training.run import TrainingOptions, train_version

        options, version = TrainingOptions(seed=seed, device=device), new_version_name(self._place, name)
        check_task_can_be_trained(self.task)
        tags = check_tags(tags or {})
        if not self._store.statistics(t.TEST).total_entries:
            plan_classification(*set_aside(self.train_set))
            say(f"There is no test set yet: {self.distribute()}")
        try:
            with progress_bars(events or Events(), show=progress) as stream:
                datasets = self.train_set, self.test_set
                train_version(self._store, self.root, version, *datasets, options, stream, tags=tags)
        except (KeyboardInterrupt, Cancelled):
            say(f"Stopped: project.model({version!r}).resume() goes on.")
            raise
        model = self._models.setdefault(version, Model(self._place, version))
        model.evaluate().to(model.folder / "evaluation")
        return model

    def model(self, name: str = "latest") -> Model:
        """A version by its name, by the name it was published under, or the latest whose training is complete."""
        found = find_version(self._store, name)
        return self._models.setdefault(found, Model(self._place, found))

    # -- its life -----------------------------------------------------------------------------------
    def pack(
        self,
        path: str | os.PathLike[str],
        *,
        images: bool = True,
        versions: bool = True,
        progress: bool = True,
        events: Events | None = None,
    ) -> Packed:
        """Write all of it to a zip file, for ``cl.unpack_project`` elsewhere: a class, a colleague, an archive.

        Images that lie elsewhere are copied into it, remote ones stay URLs. Of a team's database the zip has a copy in
        a file, never its address.

        Parameters
        ----------
        path : path
            The file, which is replaced if it is there.
        images, versions : bool
            Take the pictures and the trained models along.
        """
        target = local_path(path, "path").absolute()
        with progress_bars(events or Events(), show=progress) as stream:
            return pack(self._place, target, images=images, versions=versions, events=stream)

    def rename(self, name: str) -> None:
        """Rename the project and its folder; its models go along. Refused while a version trains or runs."""
        rename_project(self._place, name, self._action("rename project"))

    def delete(self, *, confirm: bool = False) -> None:
        """Delete the project with its datasets and versions, for ever; asks unless ``confirm=True``.

        Images are only deleted where they lie in the project's own folder (uploads and copies). Refused, with the
        reason, while a version trains or runs.
        """
        refuse_if_busy(self._store, "deleted")
        require_confirmation(
            f"Delete the project {self.name!r} with its {len(self._store.versions())} versions?", confirm
        )
        delete_project(self._place)

    def close(self) -> None:
        """Stop running models and give the database back."""
        for model in self._models.values():
            model.stop()
        self._store.close()
