"""Tiny SigLIP models with random weights, of the real classes, in folders like those of the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SIDE = 32
WORDS = ["<pad>", "<unk>", "a", "photo", "of", "red", "blue", "screw", "nut", "cat", "grün", "猫"]


def write_tiny_siglip(folder: Path, *, random_state: int = 0) -> Any:
    """Save a model, its image processor and a tokenizer of a few words to a folder, and return the model."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast, SiglipConfig, SiglipImageProcessor, SiglipModel

    torch.manual_seed(random_state)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**sizes, "vocab_size": 32, "max_position_embeddings": 64, "projection_size": 16}
    model = SiglipModel(
        SiglipConfig(text_config=text, vision_config={**sizes, "image_size": SIDE, "patch_size": 8})
    ).eval()
    model.save_pretrained(folder)
    processor = SiglipImageProcessor(
        size={"height": SIDE, "width": SIDE}, image_mean=[0.5, 0.4, 0.3], image_std=[0.5, 0.6, 0.7]
    )
    processor.save_pretrained(folder)
    words = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>")
    tokenizer.save_pretrained(folder)
    return model
