"""Distribute work over processes on this machine, or over a Ray cluster."""
