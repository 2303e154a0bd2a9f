"""Fetch remote files and keep them in a cache."""
