"""What computes a running model's answers: torch, torch in bfloat16, or onnxruntime."""
