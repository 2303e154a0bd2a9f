"""Tests of the helpers for text, files, threads and durations."""
