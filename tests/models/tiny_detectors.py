"""Tiny D-FINE and RF-DETR models with random weights, of the real classes, in folders like those of the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: Side of images that each of them can take.
SIDES = {"d_fine": 64, "rf_detr": 128}


def tiny_config(family: str, n_labels: int = 3) -> Any:
    """Return the configuration of a model with 0.1 to 0.3 million parameters."""
    from transformers import DFineConfig, HGNetV2Config, RfDetrConfig, RfDetrDinov2Config

    if family == "d_fine":
        backbone = HGNetV2Config(
            embedding_size=8,
            hidden_sizes=[16, 24, 32, 48],
            depths=[1, 1, 1, 1],
            stem_channels=[3, 8, 8],
            stage_in_channels=[8, 16, 24, 32],
            stage_mid_channels=[8, 8, 8, 8],
            stage_out_channels=[16, 24, 32, 48],
            stage_num_blocks=[1, 1, 1, 1],
            stage_numb_of_layers=[1, 1, 1, 1],
            stage_light_block=[False] * 4,
            stage_kernel_size=[3] * 4,
            stage_downsample=[False, True, True, True],
            out_indices=[2, 3, 4],
        )
        return DFineConfig(
            backbone_config=backbone,
            encoder_hidden_dim=64,
            encoder_in_channels=[24, 32, 48],
            encoder_ffn_dim=32,
            encoder_attention_heads=4,
            d_model=64,
            decoder_in_channels=[64, 64, 64],
            decoder_ffn_dim=32,
            decoder_layers=2,
            decoder_attention_heads=4,
            num_queries=20,
            num_denoising=10,
            max_num_bins=16,
            lqe_hidden_dim=16,
            depth_mult=0.34,
            hidden_expansion=0.5,
            num_labels=n_labels,
        )
    dinov2 = RfDetrDinov2Config(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=128,
        patch_size=16,
        num_windows=2,
        out_features=["stage2", "stage4"],
    )
    return RfDetrConfig(
        backbone_config=dinov2,
        d_model=32,
        decoder_ffn_dim=64,
        decoder_layers=2,
        decoder_self_attention_heads=2,
        decoder_cross_attention_heads=2,
        decoder_n_points=2,
        num_queries=30,
        group_detr=1,
        c2f_num_blocks=1,
        num_labels=n_labels,
    )


def write_tiny_detector(family: str, folder: Path) -> Path:
    """Save a model with three labels to a folder, and return the folder."""
    import torch
    from transformers import DFineForObjectDetection, RfDetrForObjectDetection

    torch.manual_seed(0)
    kind = {"d_fine": DFineForObjectDetection, "rf_detr": RfDetrForObjectDetection}[family]
    model = kind(tiny_config(family))
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d):  # the default is too small without trained batch norms
            torch.nn.init.kaiming_normal_(layer.weight)
    model.save_pretrained(folder)
    return folder
