"""Widgets: one small Python class and one JavaScript file of the same name each."""
