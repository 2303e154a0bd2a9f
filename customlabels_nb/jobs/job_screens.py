"""Types of the screens of labelling jobs. Their widgets are above this package, and have further members."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from customlabels_nb.labeling.session import EditResult


class JobScreen(Protocol):
    """Screen of a job."""

    def close(self) -> None:
        """Close the screen."""


class LabelScreen(JobScreen, Protocol):
    """Gallery or annotator in which a person answers tasks."""

    @property
    def selected(self) -> pd.DataFrame:
        """Table of the selected images."""

    def display(self, image: str) -> None:
        """Show an image."""

    def observe(self, handler: Callable[..., Any], names: Any = ...) -> None:
        """Call ``handler`` when a trait changes."""


class NameScreen(JobScreen, Protocol):
    """Question for a person's name. ``screen`` is what it opened, or None."""

    screen: Any


class ReviewScreen(LabelScreen, Protocol):
    """Review of the images on which people disagree."""

    @property
    def progress(self) -> dict[str, Any]:
        """Numbers of images."""

    def approve(self, images: Sequence[str] | None = None) -> EditResult:
        """Accept the proposed results."""

    def correct(self, label: str, images: Sequence[str] | None = None) -> EditResult:
        """Give images another label."""

    def reject(self, images: Sequence[str] | None = None) -> EditResult:
        """Decide that images have no label."""

    def take(self, number: int, images: Sequence[str] | None = None) -> EditResult:
        """Take the answer with this number."""

    def ask_one_more(self, images: Sequence[str] | None = None) -> EditResult:
        """Ask one more person."""


class DashboardScreen(JobScreen, Protocol):
    """Dashboard of a job."""

    @property
    def totals(self) -> dict[str, Any]:
        """Current numbers of the job."""

    def show_images(self, **link: Any) -> LabelScreen:
        """Open a gallery with the images that a number counts."""
