"""Tests of the rules for manifests, of their report, files and repairs."""
