"""Choose what a classification head learns from: the backbone's features, or also the classes that it knows.

A backbone that was trained to tell many classes apart has a classifier of its own. Its logits are a linear map of the
features, which stretches the directions that distinguish these classes. This helps with few natural photos, while
drawings and handwriting need the features. A head on linear maps of the features can be written as a head on the
features, so the stored model is the same for every choice. Logits alone are not a candidate: with two images per label,
held-out images chose them where they were worse.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from customlabels_nb.evaluation.arrays import FloatArray
from customlabels_nb.training.classification import FittedHead, fit_head
from customlabels_nb.training.multi_label import fit_multi_label_head
from customlabels_nb.training.temperature import losses, standard_error

#: Largest number of images for which logits are tried. With more, the features alone are as good.
MOST_IMAGES = 200
#: Factor applied to the logits, so that they have about the same spread as the features.
_SCALE = 0.3
#: Number of standard errors by which the held-out log-loss must be lower than that of the features alone.
_CLEARLY = 3.0

FEATURES, BOTH = "features", "both"


def fit_best_head(
    features: npt.NDArray[np.float32],
    truth: npt.NDArray[np.generic],
    n_labels: int,
    *,
    classifier: npt.NDArray[np.float32] | None = None,
    random_state: int = 0,
) -> FittedHead:
    """Fit a head on features, or on features and the logits of the backbone's classifier.

    Logits are added if the held-out log-loss is lower by more than three standard errors. They are not tried if an
    image can have several labels, because they were not better there.

    Parameters
    ----------
    features : ndarray of float32, shape (n, d)
        Pooled features from the backbone.
    truth : array of int, shape (n,), or of bool, shape (n, k)
        Index of each image's label, or a mask of each image's labels.
    classifier : ndarray of float32, shape (c, d), optional
        Weights of the backbone's classifier. By default, and for more than :data:`MOST_IMAGES` images, only features
        are used.

    Returns
    -------
    FittedHead
        Head on the features, whatever was chosen. Its ``inputs`` name the choice.

    Raises
    ------
    InputError, NotEnoughDataError
        See :func:`fit_head` and :func:`fit_multi_label_head`.
    """
    if truth.ndim == 2:
        return fit_multi_label_head(features, truth, random_state=random_state)
    plain = fit_head(features, truth, n_labels, random_state=random_state)
    if classifier is None or plain.out_of_fold is None or len(features) > MOST_IMAGES:
        return plain
    # a constant added to all logits of an image says nothing about the image
    to_logits = _SCALE * (classifier - classifier.mean(axis=0)).astype(np.float64)
    both = np.vstack([np.eye(features.shape[1]), to_logits])
    head = fit_head(features @ both.T, truth, n_labels, random_state=random_state)
    gain = _held_out_losses(plain, truth) - _held_out_losses(head, truth)
    if gain.mean() <= _CLEARLY * standard_error(gain):
        return plain
    note = (
        f"The head uses the classes that the backbone knows beside its features: held-out log-loss {head.log_loss:.3f} "
        f"instead of {plain.log_loss:.3f}."
    )
    return replace(head, weight=(head.weight @ both).astype(np.float32), inputs=BOTH, notes=(*head.notes, note))


def _held_out_losses(head: FittedHead, truth: npt.NDArray[np.generic]) -> FloatArray:
    """Compute the log-loss of each image that was held out once."""
    assert head.out_of_fold is not None
    known = ~np.isnan(head.out_of_fold).any(axis=1)
    return losses(np.log(np.clip(head.out_of_fold[known], np.finfo(np.float64).tiny, 1)), truth[known])
