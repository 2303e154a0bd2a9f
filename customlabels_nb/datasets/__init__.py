"""Read, filter, split, validate and write datasets."""
