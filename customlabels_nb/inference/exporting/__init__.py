"""Export trained models to ONNX and PyTorch files for other programs."""
