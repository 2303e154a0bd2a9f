"""Training: from features and labels to a model."""
