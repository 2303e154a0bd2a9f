"""Hold datasets as values: read, filter, split, check and write them."""
