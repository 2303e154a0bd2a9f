"""Tiny detectors that read descriptions, with random weights, of the real classes, in folders like those of the Hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SIDE = 32
WORDS = ["a", "photo", "of", "red", "blue", "screw", "nut", "cat"]
_FIRST = 2_000  # number of the first word: the separators have fixed numbers
_SPECIAL = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, ".": 1012, "?": 1029}


def write_tiny_owlv2(folder: Path, *, random_state: int = 0) -> Any:
    """Save a model, its image processor and a tokenizer of a few words to a folder, and return the model."""
    import torch
    from transformers import Owlv2Config, Owlv2ForObjectDetection, Owlv2ImageProcessor

    torch.manual_seed(random_state)
    sizes = {"intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**sizes, "hidden_size": 16, "vocab_size": 3_000, "max_position_embeddings": 16}
    vision = {**sizes, "hidden_size": 32, "image_size": SIDE, "patch_size": 4}
    model = Owlv2ForObjectDetection(Owlv2Config(text_config=text, vision_config=vision, projection_dim=16)).eval()
    for head in (model.class_head, model.box_head):  # so that there are boxes of several sizes and of both labels
        for name, values in head.named_parameters():
            torch.nn.init.normal_(values, std=0.5 if name == "dense0.weight" else 0.1)
    model.save_pretrained(folder)
    Owlv2ImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    _write_tokenizer(folder)
    return model


def write_tiny_grounding_dino(folder: Path, *, kind: str = "MMGroundingDino", random_state: int = 0) -> Any:
    """Save a Grounding DINO or MM Grounding DINO as :func:`write_tiny_owlv2` does, and return it."""
    import torch
    import transformers

    torch.manual_seed(random_state)
    backbone = transformers.SwinConfig(
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
        image_size=64,
        out_features=["stage2", "stage3", "stage4"],
    )
    bert = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = getattr(transformers, f"{kind}Config")(
        backbone_config=backbone,
        text_config={**bert, "model_type": "bert", "vocab_size": 3_000},
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=20,
        max_text_len=32,
        num_feature_levels=4,
    )
    model = getattr(transformers, f"{kind}ForObjectDetection")(config).eval()
    model.save_pretrained(folder)
    processor = transformers.GroundingDinoImageProcessor(size={"shortest_edge": 96, "longest_edge": 160})
    processor.save_pretrained(folder)
    _write_tokenizer(folder)
    return model


def _write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(WordLevel({**_SPECIAL, **{word: _FIRST + i for i, word in enumerate(WORDS)}}, unk_token="[UNK]"))
    words.pre_tokenizer = BertPreTokenizer()
    ends: Any = [("[CLS]", _SPECIAL["[CLS]"]), ("[SEP]", _SPECIAL["[SEP]"])]
    words.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=words, **names).save_pretrained(folder)


def write_fake_owlv2(folder: Path, *, side: int = 64) -> Path:
    """Write the files of an OWLv2 model that are read before its network is loaded, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_type": "owlv2", "vision_config": {"image_size": side}}
    (folder / "config.json").write_text(json.dumps(config))
    facts = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    (folder / "preprocessor_config.json").write_text(json.dumps(facts))
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder
