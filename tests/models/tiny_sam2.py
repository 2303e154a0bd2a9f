"""Tiny SAM 2 models with random weights, of the real classes, in folders like those of the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SIDE = 128


def tiny_config(kind: type, **more: Any) -> Any:
    """Return the configuration of a model with 0.3 million parameters."""
    from transformers import Sam2HieraDetConfig, Sam2VisionConfig
    from transformers.models.sam2.configuration_sam2 import Sam2MaskDecoderConfig, Sam2PromptEncoderConfig

    backbone = Sam2HieraDetConfig(
        hidden_size=12,
        image_size=[SIDE, SIDE],
        blocks_per_stage=[1, 2, 2, 2],
        embed_dim_per_stage=[12, 24, 48, 96],
        num_attention_heads_per_stage=[1, 2, 4, 8],
        window_size_per_stage=[8, 4, 4, 4],
        global_attention_blocks=[4],
    )
    vision = Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[96, 48, 24, 12],
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
        fpn_hidden_size=32,
    )
    prompts = Sam2PromptEncoderConfig(hidden_size=32, image_size=SIDE, mask_input_channels=8)
    decoder = Sam2MaskDecoderConfig(hidden_size=32, mlp_dim=64, num_attention_heads=4, iou_head_hidden_dim=32)
    for part in (backbone, vision, prompts, decoder):
        part.initializer_range = 0.2  # large enough that masks depend on images and prompts
    return kind(
        vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder, initializer_range=0.2, **more
    )


def write_tiny_sam2(folder: Path, *, random_state: int = 0) -> Any:
    """Save a model and its image processor to a folder, and return the model."""
    import torch
    from transformers import Sam2Config, Sam2ImageProcessor, Sam2Model

    torch.manual_seed(random_state)
    model = Sam2Model(tiny_config(Sam2Config)).eval()
    model.save_pretrained(folder)
    Sam2ImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return model
