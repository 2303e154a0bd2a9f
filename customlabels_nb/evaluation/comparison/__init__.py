"""Compare evaluations: metrics, confidence intervals of the differences, fixed and broken images."""
