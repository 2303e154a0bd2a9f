"""How images are imported."""

from __future__ import annotations

from dataclasses import dataclass

from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError


@dataclass(frozen=True)
class ImportOptions:
    """Options of an import; :meth:`customlabels_nb.project.project.Project.add_images` describes them.

    Raises
    ------
    InputError
        If a value is not one of those allowed, or both ``label`` and ``auto_label`` are given.
    """

    split: str = t.TRAIN
    auto_label: bool = False
    label: str | None = None
    copy: bool = False
    on_leak: str = "report"
    duplicates: str = "skip"
    verify: bool = False

    def __post_init__(self) -> None:
        for argument, allowed in (
            ("split", t.SPLITS),
            ("on_leak", ("report", "keep")),
            ("duplicates", ("skip", "keep")),
        ):
            value = getattr(self, argument)
            if value not in allowed:
                raise InputError(f"{argument}={value!r} is not known; use one of {allowed!r}.")
        if self.label is not None and self.auto_label:
            raise InputError("Give either label= or auto_label=True, not both.")
