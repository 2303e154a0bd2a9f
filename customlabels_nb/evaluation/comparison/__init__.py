"""Two evaluations on the same test images: figures, labels, and the images that were fixed or broken."""

from customlabels_nb.evaluation.comparison.comparing import Comparison, compare

__all__ = ["Comparison", "compare"]
