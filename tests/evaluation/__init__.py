"""Tests of the evaluation and its report."""
