"""The lower layers, tested by trying to break them."""
