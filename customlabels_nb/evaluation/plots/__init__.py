"""Matplotlib plots of evaluations.

Each function draws on the Axes it is given, or on a new figure, and returns the Axes. ``matrix`` and ``comparison``
plot plain tables, so that ``ConfusionMatrix`` and ``Comparison`` can use them. The other modules plot an
``Evaluation``.
"""
