"""Tests of labelling jobs."""
