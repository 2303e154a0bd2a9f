"""Neural networks: backbones, classifiers, detectors, preprocessing, and model files."""
