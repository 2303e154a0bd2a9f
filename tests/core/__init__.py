"""Tests of tables and box geometry."""
