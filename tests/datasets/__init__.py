"""Tests of datasets as values."""
