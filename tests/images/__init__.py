"""Tests of opening, decoding and drawing images."""
