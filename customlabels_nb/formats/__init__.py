"""Formats of datasets on disk: one module each, reader and writer."""
