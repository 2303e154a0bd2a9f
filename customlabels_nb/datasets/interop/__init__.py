"""Datasets to and from other libraries, in memory: one module each, loaded when it is asked for."""
