"""Drawings with matplotlib: each takes an Axes or makes one, and returns it.

``matrix`` and ``comparison`` draw plain tables, for the values that draw themselves; the others draw an evaluation.
"""
