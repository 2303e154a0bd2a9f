"""Choose what a classification head learns from: the backbone's features, its own classes, or both.

A backbone that was trained to tell many classes apart has a classifier of its own. Its logits are a linear map of the
features, which stretches the directions that distinguish these classes. With few natural photos, a head on the logits
often needs fewer images than one on the features, while drawings and handwriting need the features. A head on linear
maps of the features can be written as a head on the features, so the stored model is the same for every choice.
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
_CLEARLY = 2.0

FEATURES, LOGITS, BOTH = "features", "logits", "both"
_IN_WORDS = {LOGITS: "the classes that the backbone knows", BOTH: "its features and the classes that it knows"}


def fit_best_head(
    features: npt.NDArray[np.float32],
    truth: npt.NDArray[np.generic],
    n_labels: int,
    *,
    classifier: npt.NDArray[np.float32] | None = None,
    seed: int = 0,
) -> FittedHead:
    """Fit a head on features, on the logits of the backbone's classifier, or on both.

    Features are used unless the held-out log-loss of another choice is lower by more than two standard errors. If an
    image can have several labels, features are always used, because logits were not better there.

    Parameters
    ----------
    features : ndarray of float32, shape (n, d)
        Pooled features from the backbone.
    truth : array of int, shape (n,), or of bool, shape (n, k)
        Index of each image's label, or a mask of each image's labels.
    n_labels : int
        Number of labels.
    classifier : ndarray of float32, shape (c, d), optional
        Weights of the backbone's classifier. By default, and for more than :data:`MOST_IMAGES` images, only features
        are used.
    seed : int
        Random seed for the cross-validation folds.

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
        return fit_multi_label_head(features, truth, seed=seed)
    plain = fit_head(features, truth, n_labels, seed=seed)
    if classifier is None or plain.out_of_fold is None or len(features) > MOST_IMAGES:
        return plain
    # a constant added to all logits of an image says nothing about the image
    to_logits = _SCALE * (classifier - classifier.mean(axis=0)).astype(np.float64)
    maps = {LOGITS: to_logits, BOTH: np.vstack([np.eye(features.shape[1]), to_logits])}
    found = {name: fit_head(features @ own.T, truth, n_labels, seed=seed) for name, own in maps.items()}
    first = _held_out_losses(plain, truth)
    for name, head in sorted(found.items(), key=lambda one: float(one[1].log_loss or 0.0)):
        gain = first - _held_out_losses(head, truth)
        if gain.mean() > _CLEARLY * standard_error(gain):
            note = f"The head uses {_IN_WORDS[name]}: held-out log-loss {head.log_loss:.3f} instead of "
            return replace(
                head,
                weight=(head.weight @ maps[name]).astype(np.float32),
                inputs=name,
                notes=(*head.notes, f"{note}{plain.log_loss:.3f} with its features alone."),
            )
    return plain


def _held_out_losses(head: FittedHead, truth: npt.NDArray[np.generic]) -> FloatArray:
    """Compute the log-loss of each image that was held out once."""
    assert head.out_of_fold is not None
    known = ~np.isnan(head.out_of_fold).any(axis=1)
    return losses(np.log(np.clip(head.out_of_fold[known], np.finfo(np.float64).tiny, 1)), truth[known])
