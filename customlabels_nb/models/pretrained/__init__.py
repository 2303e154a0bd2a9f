"""Pretrained models that help to label, from the Hugging Face Hub or local folders (extra ``foundation``)."""
