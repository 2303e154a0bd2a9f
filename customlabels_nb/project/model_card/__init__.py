"""A version's model card: what it is, what it learnt from, how well it does, and what it can't."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from customlabels_nb._utils.files import write_whole
from customlabels_nb._utils.rendering import render
from customlabels_nb.errors import InputError
from customlabels_nb.evaluation import Evaluation
from customlabels_nb.images.reading import local_path
from customlabels_nb.project.model_card.card_facts import gather
from customlabels_nb.project.model_card.document import Block, to_html, to_markdown
from customlabels_nb.project.model_card.sections import sections
from customlabels_nb.store import VersionRecord

CARD = "card.md"


@dataclass(frozen=True, eq=False)
class ModelCard:
    """A card; a notebook shows it, and ``print(card)`` gives its Markdown.

    Attributes
    ----------
    name : str
        Of the version.
    blocks : sequence of Block
        What stands in it.
    """

    name: str
    blocks: Sequence[Block]

    @property
    def text(self) -> str:
        """The card as Markdown, as GitHub renders it. The same version gives the same text."""
        return to_markdown(self.blocks)

    def to(self, path: str | os.PathLike[str]) -> Path:
        """Write the card, in place of a file that is there: whole or not at all.

        Parameters
        ----------
        path : path
            A file, as a page of HTML if it ends in ``.html``; or a folder, for a file ``card.md`` in it.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        InputError
            If it can't be written.
        """
        target = local_path(path, "path")
        target = target / CARD if target.is_dir() else target
        if target.suffix.lower() in (".html", ".htm"):
            text = render("model_card_page.html", title=self.name, blocks=self.blocks)
        else:
            text = self.text
        try:
            write_whole(target, text.encode())
        except OSError as error:
            raise InputError(f"path={str(target)!r} can't be written: {error.strerror or error}.") from error
        return target

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return to_html(self.blocks)


def make_card(
    folder: Path, root: Path, record: VersionRecord, project: str, *, evaluated: Evaluation | None = None
) -> ModelCard:
    """The card of the version in ``folder``, from what lies there: no model is run, and no image opened.

    Parameters
    ----------
    folder, root : Path
        Of the version, and of its project.
    record : VersionRecord
    project : str
        The project's name.
    evaluated : Evaluation, optional
        The version's evaluation at assumed thresholds, where that is at hand already.

    Raises
    ------
    ArtifactError
        If there is no model in the folder.
    """
    return ModelCard(record.name, sections(gather(folder, root, record, project, evaluated)))
