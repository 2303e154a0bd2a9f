"""Tests of the project. ``python -m tests`` provides what they need and runs every check."""
