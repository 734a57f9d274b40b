"""Real architectures at toy size: random weights, the family's own config, processor and chat template, nothing downloaded."""

from __future__ import annotations

import torch
from transformers import Qwen2AudioConfig, Qwen2AudioForConditionalGeneration, WhisperFeatureExtractor

from calm_core.backbones import load_backbone
from calm_core.backbones.qwen2_audio import Qwen2AudioBackbone


def qwen2_audio() -> Qwen2AudioBackbone:
    """Whisper's true frame rate, grouped keys and values, and head_dim that is not hidden size / heads."""
    pocket = load_backbone("pocket", "cpu")
    assert isinstance(pocket, Qwen2AudioBackbone)
    processor = pocket.processor
    extractor = WhisperFeatureExtractor(feature_size=16, chunk_length=3)
    processor = type(processor)(extractor, processor.tokenizer, chat_template=processor.chat_template)
    config = Qwen2AudioConfig(
        audio_config={
            "model_type": "qwen2_audio_encoder",
            "num_mel_bins": 16,
            "encoder_layers": 2,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 32,
            "d_model": 16,
            "max_source_positions": 150,
        },
        text_config={
            "model_type": "qwen2",
            "vocab_size": len(processor.tokenizer),
            "hidden_size": 32,
            "head_dim": 12,
            "intermediate_size": 48,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
        },
        audio_token_index=processor.audio_token_id,
    )
    torch.manual_seed(0)
    return Qwen2AudioBackbone("tiny", "0", Qwen2AudioForConditionalGeneration(config), processor, "cpu")
