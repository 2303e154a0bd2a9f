"""Inference engines: PyTorch, PyTorch in bfloat16, and ONNX Runtime."""
