"""Tests of how the package is laid out and what its modules import."""
