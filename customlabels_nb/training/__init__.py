"""Train models: classifiers and detectors, from a labelled dataset to a saved model version."""
