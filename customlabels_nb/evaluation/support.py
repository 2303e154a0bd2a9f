"""How many images there are of each label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from customlabels_nb.evaluation.result import Evaluation

if TYPE_CHECKING:
    from customlabels_nb.evaluation.evaluation_files import TrainingSet


def images_by_label(training: Evaluation | TrainingSet) -> dict[str, int]:
    """The number of images that have each label; labels without any may be missing.

    Parameters
    ----------
    training : Evaluation, or something with the table ``annotations``
        Of the training images, say. Annotations without a label (images that show nothing) don't count.
    """
    if isinstance(training, Evaluation):
        counts = training.outcomes.test_images.tolist()
        return dict(zip(training.outcomes.labels, counts, strict=True))
    labelled = training.annotations[["image", "label"]].dropna().drop_duplicates()
    return {str(label): int(count) for label, count in labelled["label"].value_counts().items()}
