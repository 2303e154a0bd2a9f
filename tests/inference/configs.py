"""Configuration of a model with four labels, for tests that run no model."""

from __future__ import annotations

from customlabels_nb.models.artifact import ModelConfig
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.backbones import BACKBONES

CONFIG = ModelConfig(
    task="multi-label",
    labels=("a", "b", "c", "d"),
    colors=("#c8553d", "#2f7fc1", "#d49b1a", "#3a9a5b"),
    backbone=PACKAGED,
    input_size=224,
    mean=BACKBONES[PACKAGED].mean,
    std=BACKBONES[PACKAGED].std,
    thresholds={"a": 0.3, "c": 0.9},
)
