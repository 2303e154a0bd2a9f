"""What a dataset asks of the project that it was read from; the project stands above it and says how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from customlabels_nb.datasets.import_reports import RefreshReport
from customlabels_nb.errors import NotAllowedError
from customlabels_nb.images.image_grid import ContactSheet


class ReadFromProject(Protocol):
    """What the methods here need of a dataset."""

    name: str

    @property
    def origin(self) -> Any:
        """The dataset, as it was read from a project, that this one comes from; None if it comes from none."""


class ProjectRequests:
    """A dataset's methods that its project answers."""

    #: The project's, on the dataset that was read from it.
    refresher: Callable[[], RefreshReport] | None = None
    batch_maker: Callable[..., ContactSheet] | None = None

    def refresh(self: ReadFromProject) -> RefreshReport:
        """Let the project look at this dataset's sources again (``project.refresh``); the value stays as it is.

        Raises
        ------
        NotAllowedError
            If it is no project's.
        """
        if self.origin is None or self.origin.refresher is None:
            raise NotAllowedError(f"{self.name!r} is not a project's: project.refresh() looks at sources again.")
        report: RefreshReport = self.origin.refresher()
        return report

    def show_batch(
        self: ReadFromProject, n: int = 9, *, augmented: bool = True, kind: str | None = None, seed: int = 0
    ) -> ContactSheet:
        """What a model sees of these images in training, with the boxes or labels that it is told.

        Parameters
        ----------
        n : int
            How many, up to 100.
        augmented : bool
            Changed by chance as in training; otherwise as when the model is used.
        kind : {"single-label", "multi-label", "detection", "brands"}, optional
            Of the model; what training would choose unless it is given.
        seed : int
            Decides which images and which changes.

        Returns
        -------
        ContactSheet
            Shows itself in a notebook; ``.tiles``, ``.draw()``.

        Raises
        ------
        NotAllowedError
            If the dataset was not read from a project.
        InputError
            If an argument can't be used.
        NotEnoughDataError
            If no image is labelled in the way that the model needs, or none can be read.
        """
        if self.origin is None or self.origin.batch_maker is None:
            raise NotAllowedError(
                f"{self.name!r} is not a project's: import it, and project.train_set.show_batch() shows what is "
                "learnt from."
            )
        sheet: ContactSheet = self.origin.batch_maker(self, n=n, augmented=augmented, kind=kind, seed=seed)
        return sheet
