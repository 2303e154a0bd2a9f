"""Convert datasets to and from other libraries in memory, with one module per library, imported on demand."""
