"""Sentences about how far predictions can be trusted, and what they lack."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from customlabels_nb._utils.text import counted

_TARGET = 0.95  # of trust, before a training has one
_SHARE = 4  # images that are labelled for each check image
_ROUND = 50


def trust_text(run: Mapping[str, Any], left: int | None) -> str:
    """Say how far the predictions of a training can be trusted, or what they lack. ``left`` images are unlabelled.

    It is empty if there is nothing to predict, or nothing was predicted. The note of the run then says why.
    """
    promise, needed, target = run["promise"], run["needed"], f"{run['target']:.0%}"
    items, right, wanted = (run["evidence"][name] for name in ("items", "right", "wanted"))
    if promise:
        return (
            f"Of {promise['shown']:,} predictions on check images that are sure enough to be shown, "
            f"{promise['right']:,} are right: with 95 % confidence at least {promise['bound']:.1%} are."
        )
    if left == 0 or (right is None and items >= wanted):
        return ""
    if needed and left is not None and needed > left:
        return f"Too few images are left to trust predictions at {target}: that needs {needed:,} labels."
    if items < wanted:
        text = f"{items:,} of at least {counted(wanted, 'check image')} are labelled."
    else:
        text = f"The model predicts {right:,} of {counted(items, 'check image')} right, which is too few for {target}."
    more = f"about {counted(needed, 'more label')} in the queue 'assist'" if needed else "fewer errors"
    return f"{text} To be trusted at {target}, predictions need {more}."


def few_images_text(images: int, evidence: Mapping[str, Any] | None) -> str:
    """Say that predictions cannot be trusted in time if there are so few training images, or return an empty text."""
    from customlabels_nb.assist.guarantee import fewest_items  # scipy takes half a second to import

    wanted = evidence["wanted"] if evidence else fewest_items(_TARGET)
    least = ceil(_SHARE * wanted / _ROUND) * _ROUND
    if images >= least:
        return ""
    return (
        f" With fewer than about {least:,} training images, this queue will not help: predictions need {wanted:,} "
        "labelled check images without an error to be trusted, and most images are labelled by then."
    )
