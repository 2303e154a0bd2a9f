"""Image classifier with a backbone and a linear head."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from customlabels_nb.errors import InputError


class ImageClassifier(nn.Module):
    """Classifier from normalised float images (n, 3, side, side) to logits (n, k)."""

    def __init__(self, backbone: nn.Module, features: int, n_labels: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(features, n_labels)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.backbone(images))
        return logits

    def set_head(self, weight: npt.ArrayLike, bias: npt.ArrayLike) -> None:
        """Replace the head's weights, shape (k, features), and biases, shape (k,)."""
        new = [torch.as_tensor(np.asarray(values, dtype=np.float32)) for values in (weight, bias)]
        for parameter, values in zip((self.head.weight, self.head.bias), new, strict=True):
            if values.shape != parameter.shape:
                raise InputError(
                    f"The head requires weights of shape {tuple(self.head.weight.shape)} and one bias per row, "
                    f"but got an array of shape {tuple(values.shape)}."
                )
        with torch.no_grad():
            self.head.weight.copy_(new[0])
            self.head.bias.copy_(new[1])


def probabilities(logits: torch.Tensor, activation: str) -> npt.NDArray[np.float64]:
    """Convert logits to float64 confidences, shape (n, k), with ``softmax`` (sum to 1) or ``sigmoid`` (independent)."""
    exact = logits.detach().cpu().double()  # first to the CPU, because MPS has no float64
    if activation == "softmax":
        return np.asarray(exact.softmax(dim=1).numpy(), dtype=np.float64)
    if activation == "sigmoid":
        return np.asarray(exact.sigmoid().numpy(), dtype=np.float64)
    raise InputError(f"Unknown activation {activation!r}. Use 'softmax' or 'sigmoid'.")
