"""Running a trained model: on one image, on many."""
