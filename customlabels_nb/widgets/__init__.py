"""Jupyter widgets, each a small Python class with a JavaScript file of the same name."""
