"""Convert datasets to and from other libraries in memory, with one module per library that is imported on demand."""
