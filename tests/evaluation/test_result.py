"""Tests of the result of an evaluation."""

import pandas as pd

import customlabels_nb as cl
from customlabels_nb.datasets.reviewed import SEEN


def test_a_note_counts_test_images_that_were_labelled_with_a_model_s_help() -> None:
    truth = pd.DataFrame({"image": list("abcd"), "label": ["cat", "dog", "cat", "dog"]})
    tags = [["prelabelled"], ["night"], ["prelabel-corrected", SEEN], []]
    images = pd.DataFrame({"image": list("abcd"), "tags": tags})
    found = cl.evaluate(truth, truth.assign(confidence=0.9), images)
    assert "2 of 4 test images were labelled while a model's predictions were shown. The metrics may be too good." in (
        found.notes
    )
    assert "1 of 4 test images were corrected after seeing predictions. The metrics may be too good." in found.notes
    for own in (images.assign(tags=[[]] * 4), images.assign(tags="prelabelled"), images[["image"]]):
        assert not any("were" in note for note in cl.evaluate(truth, truth.assign(confidence=0.9), own).notes)
