"""Matplotlib plots of evaluations.

Each function draws on the Axes passed to it, or on a new figure, and returns the Axes. ``matrix`` and ``comparison``
plot arrays and tables, so that ``ConfusionMatrix`` and ``Comparison`` can use them. The other modules plot an
``Evaluation``.
"""
