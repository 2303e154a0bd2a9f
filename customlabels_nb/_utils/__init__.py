"""Utilities for text, files, threads, devices and durations."""
