"""Tests of the rules for manifests, of the report, files and repairs."""
