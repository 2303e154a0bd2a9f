"""Hide a package that takes 3 s to import in each process that imports jsonschema, which has no check of IRIs then."""

raise ImportError("not needed by the tests")
