"""Real architectures at toy size: random weights, the family's own config, processor and chat format, nothing downloaded.

Processors are the true ones over Whisper's true feature extractor (with few mel bins and short windows, for speed) and a byte-level
tokenizer without merges that knows the family's special tokens.
"""

from __future__ import annotations

import json
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from mistral_common.tokens.tokenizers.base import SpecialTokens
from mistral_common.tokens.tokenizers.tekken import Tekkenizer
from peft import LoraConfig
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, WhisperFeatureExtractor, WhisperTokenizer

from calm_core.backbones import load_backbone
from calm_core.backbones.chat import ChatBackbone, SoundProcessor
from calm_core.backbones.granite import GraniteSounds, GraniteSpeechBackbone
from calm_core.backbones.omni import OmniBackbone, Qwen3OmniBackbone, Qwen25OmniBackbone
from calm_core.backbones.phi4 import Phi4MultimodalBackbone
from calm_core.backbones.qwen3_asr import Qwen3AsrBackbone
from calm_core.backbones.trimmed import MIN_FRAMES, AudioFlamingoBackbone, MusicFlamingoBackbone, Qwen2AudioBackbone, TrimmedBackbone
from calm_core.backbones.voxtral import VoxtralBackbone
from calm_core.backbones.whisper import WhisperBackbone

MELS, WINDOW_S = 16, 3
BYTES = {character: i for i, character in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
# ChatML, as in the Qwen families and what descends from them; `AUDIO` is the family's own placeholder.
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}"
    "{% if part['type'] == 'audio' %}AUDIO{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Qwen3-ASR's: of the user only the sound, of the system only the text.
QWEN3_ASR = (
    "<|im_start|>system\n{% for message in messages if message['role'] == 'system' %}{% for part in message['content'] %}"
    "{{ part['text'] }}{% endfor %}{% endfor %}<|im_end|>\n<|im_start|>user\n{% for message in messages %}"
    "{% for part in message['content'] if part['type'] == 'audio' %}AUDIO{% endfor %}{% endfor %}<|im_end|>\n"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Granite's: a system message of today's date where none is given, and contents that are texts.
GRANITE = (
    "{% if messages[0]['role'] != 'system' %}<|start_of_role|>system<|end_of_role|>"
    "{{ strftime_now('%B %d, %Y') }}<|end_of_text|>\n{% endif %}"
    "{% for message in messages %}<|start_of_role|>{{ message['role'] }}<|end_of_role|>"
    "{{ message['content'] }}<|end_of_text|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}"
)
# Grouped keys and values, and head_dim that is not hidden size / heads.
DECODER = {
    "hidden_size": 32,
    "head_dim": 12,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": None,
    "bos_token_id": None,
}
WHISPER_ENCODER = {
    "num_mel_bins": MELS,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "d_model": 16,
    "max_source_positions": 50 * WINDOW_S,
}


def tokenizer(**special: str) -> PreTrainedTokenizerFast:
    """Every byte is a token; the special tokens follow."""
    bytewise = Tokenizer(models.BPE(vocab=BYTES, merges=[]))
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=bytewise,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        extra_special_tokens={"im_start_token": "<|im_start|>", **special},
    )


def build(model_class: type, config: Any, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    model = model_class(config)
    # Fresh weights are so small that all clips look alike; larger ones make the comparisons of tests mean something.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(3)
    return model


def extractor(window_s: int = WINDOW_S) -> WhisperFeatureExtractor:
    return WhisperFeatureExtractor(feature_size=MELS, chunk_length=window_s)


def qwen2_audio() -> Qwen2AudioBackbone:
    pocket = load_backbone("pocket", "cpu")
    assert isinstance(pocket, Qwen2AudioBackbone)
    tokens, template = pocket.processor.tokenizer, pocket.processor.chat_template
    processor = transformers.Qwen2AudioProcessor(extractor(), tokens, chat_template=template)
    config = transformers.Qwen2AudioConfig(
        audio_config={"model_type": "qwen2_audio_encoder", **WHISPER_ENCODER},
        text_config={"model_type": "qwen2", "vocab_size": len(tokens), **DECODER},
        audio_token_index=processor.audio_token_id,
    )
    return Qwen2AudioBackbone("tiny", "0", build(transformers.Qwen2AudioForConditionalGeneration, config), processor, "cpu")


def audio_flamingo() -> AudioFlamingoBackbone:
    tokens = tokenizer(audio_token="<sound>")
    processor = transformers.AudioFlamingo3Processor(extractor(), tokens, chat_template=CHATML.replace("AUDIO", "<sound>"))
    config = transformers.AudioFlamingo3Config(
        audio_config={"model_type": "audioflamingo3_encoder", **WHISPER_ENCODER},
        text_config={"model_type": "qwen2", "vocab_size": len(tokens), **DECODER},
        audio_token_id=processor.audio_token_id,
    )
    return AudioFlamingoBackbone("tiny", "0", build(transformers.AudioFlamingo3ForConditionalGeneration, config), processor, "cpu")


def music_flamingo() -> MusicFlamingoBackbone:
    tokens = tokenizer(audio_token="<sound>", audio_bos_token="<|sound_bos|>", audio_eos_token="<|sound_eos|>")
    processor = transformers.MusicFlamingoProcessor(extractor(), tokens, chat_template=CHATML.replace("AUDIO", "<sound>"))
    config = transformers.MusicFlamingoConfig(
        audio_config={"model_type": "audioflamingo3_encoder", **WHISPER_ENCODER},
        text_config={"model_type": "qwen2", "vocab_size": len(tokens), **DECODER},
        audio_token_id=processor.audio_token_id,
        audio_bos_token_id=processor.audio_bos_token_id,
        audio_eos_token_id=processor.audio_eos_token_id,
        rope_parameters={"rope_type": "default", "rope_theta": 1200.0, "partial_rotary_factor": 0.5},
    )
    return MusicFlamingoBackbone("tiny", "0", build(transformers.MusicFlamingoForConditionalGeneration, config), processor, "cpu")


def qwen2_5_omni() -> Qwen25OmniBackbone:
    names = {"audio": "AUDIO", "audio_bos": "audio_bos", "audio_eos": "audio_eos", "image": "IMAGE", "video": "VIDEO"}
    names |= {"vision_bos": "vision_bos", "vision_eos": "vision_eos"}
    tokens = tokenizer(**{f"{name}_token": f"<|{token}|>" for name, token in names.items()})
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [1, 1, 2]}
    config = transformers.Qwen2_5OmniThinkerConfig(
        audio_config={**WHISPER_ENCODER, "output_dim": 32, "n_window": 20},
        vision_config={"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 32},
        text_config={**DECODER, "head_dim": 8, "vocab_size": len(tokens), "rope_parameters": rope},
        audio_token_index=tokens.convert_tokens_to_ids("<|AUDIO|>"),
        image_token_index=tokens.convert_tokens_to_ids("<|IMAGE|>"),
        video_token_index=tokens.convert_tokens_to_ids("<|VIDEO|>"),
        vision_start_token_id=tokens.convert_tokens_to_ids("<|vision_bos|>"),
        vision_end_token_id=tokens.convert_tokens_to_ids("<|vision_eos|>"),
        audio_start_token_id=tokens.convert_tokens_to_ids("<|audio_bos|>"),
        audio_end_token_id=tokens.convert_tokens_to_ids("<|audio_eos|>"),
    )
    model = build(transformers.Qwen2_5OmniThinkerForConditionalGeneration, config)
    return Qwen25OmniBackbone("tiny", "0", model, SoundProcessor(extractor(300), tokens), "cpu")


def qwen3_omni() -> Qwen3OmniBackbone:
    names = {"audio": "audio_pad", "audio_bos": "audio_start", "audio_eos": "audio_end", "video": "video_pad"}
    names |= {"vision_bos": "vision_start", "vision_eos": "vision_end"}
    tokens = tokenizer(**{f"{name}_token": f"<|{token}|>" for name, token in names.items()})
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 2, 2]}
    vision = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_heads": 2,
        "out_hidden_size": 32,
        "deepstack_visual_indexes": [0],
    }
    config = transformers.Qwen3OmniMoeThinkerConfig(
        audio_config={**WHISPER_ENCODER, "output_dim": 32, "downsample_hidden_size": 8},
        vision_config=vision,
        text_config={
            **DECODER,
            "vocab_size": len(tokens),
            "rope_parameters": rope,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 16,
        },
        audio_token_id=tokens.convert_tokens_to_ids("<|audio_pad|>"),
        audio_start_token_id=tokens.convert_tokens_to_ids("<|audio_start|>"),
        audio_end_token_id=tokens.convert_tokens_to_ids("<|audio_end|>"),
        vision_start_token_id=tokens.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokens.convert_tokens_to_ids("<|vision_end|>"),
        image_token_id=9_998,
        video_token_id=tokens.convert_tokens_to_ids("<|video_pad|>"),
    )
    model = build(transformers.Qwen3OmniMoeThinkerForConditionalGeneration, config)
    return Qwen3OmniBackbone("tiny", "0", model, SoundProcessor(extractor(300), tokens), "cpu")


def glm_asr() -> ChatBackbone:
    tokens = tokenizer(audio_token="<|pad|>")
    processor = transformers.GlmAsrProcessor(extractor(4), tokens, chat_template=CHATML.replace("AUDIO", "<|pad|>"))
    config = transformers.GlmAsrConfig(
        audio_config={
            "model_type": "glmasr_encoder",
            "num_mel_bins": MELS,
            "hidden_size": 16,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 200,
        },
        text_config={"model_type": "llama", "vocab_size": len(tokens), "eos_token_id": tokens.eos_token_id, **DECODER},
        audio_token_id=processor.audio_token_id,
    )
    return ChatBackbone("tiny", "0", build(transformers.GlmAsrForConditionalGeneration, config), processor, "cpu")


def qwen3_asr() -> Qwen3AsrBackbone:
    tokens = tokenizer(audio_token="<|audio_pad|>", audio_bos_token="<|audio_start|>", audio_eos_token="<|audio_end|>")
    template = QWEN3_ASR.replace("AUDIO", "<|audio_start|><|audio_pad|><|audio_end|>")
    features = transformers.Qwen3ASRFeatureExtractor(feature_size=MELS)
    processor = transformers.Qwen3ASRProcessor(features, tokens, chat_template=template)
    encoder = {name: value for name, value in WHISPER_ENCODER.items() if name != "max_source_positions"}
    config = transformers.Qwen3ASRConfig(
        audio_config={"model_type": "qwen3_asr_encoder", **encoder, "output_dim": 32, "downsample_hidden_size": 8},
        text_config={"model_type": "qwen3", "vocab_size": len(tokens), **DECODER},
        audio_token_id=processor.audio_token_id,
        eos_token_id=tokens.eos_token_id,
    )
    return Qwen3AsrBackbone("tiny", "0", build(transformers.Qwen3ASRForConditionalGeneration, config), processor, "cpu")


def voxtral() -> VoxtralBackbone:
    """Its tokenizer is a file of Mistral's format in which every byte is a token."""
    names = [SpecialTokens(token["token_str"]).value for token in Tekkenizer.DEPRECATED_SPECIAL_TOKENS]
    names += [*(f"<SPECIAL_{i}>" for i in range(len(names), 24)), "[AUDIO]", "[BEGIN_AUDIO]"]  # these two are 24 and 25 in the hub's models
    names += [token.value for token in SpecialTokens if token.value not in names]
    sizes = {"num_vocab_tokens": 256, "default_vocab_size": 256 + len(names), "default_num_special_tokens": len(names)}
    content = {
        "config": {"pattern": r"\s+|\S+", "version": "v7", **sizes},
        "vocab": [{"rank": i, "token_bytes": b64encode(bytes([i])).decode(), "token_str": None} for i in range(256)],
        "special_tokens": [{"rank": i, "token_str": name, "is_control": True} for i, name in enumerate(names)],
        "audio": {
            "sampling_rate": 16_000,
            "frame_rate": 12.5,
            "chunk_length_s": 4.0,
            "audio_encoding_config": {"num_mel_bins": MELS, "hop_length": 160, "window_size": 400},
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tekken.json"
        path.write_text(json.dumps(content))
        tokens = transformers.MistralCommonBackend(tokenizer_path=path)
    config = transformers.VoxtralConfig(
        audio_config={
            "model_type": "voxtral_encoder",
            "num_mel_bins": MELS,
            "hidden_size": 16,
            "intermediate_size": 64,  # four positions of the encoder make one audio token
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_source_positions": 200,
        },
        text_config={"model_type": "llama", "vocab_size": len(tokens), **DECODER},
        audio_token_id=24,
    )
    processor = transformers.VoxtralProcessor(extractor(4), tokens)
    return VoxtralBackbone("tiny", "0", build(transformers.VoxtralForConditionalGeneration, config), processor, "cpu")


def with_lora(model: Any, *projections: str) -> Any:
    """The model with a random LoRA adapter on some of its decoder's projections."""
    torch.manual_seed(1)
    targets = rf".*layers\.\d+\.(self_attn|mlp)\.({'|'.join(projections)})"
    model.add_adapter(LoraConfig(r=2, target_modules=targets, init_lora_weights=False))
    return model


def granite_speech() -> GraniteSpeechBackbone:
    tokens = tokenizer(audio_token="<|audio|>", start_of_role="<|start_of_role|>", end_of_role="<|end_of_role|>")
    tokens.chat_template = GRANITE
    processor = transformers.GraniteSpeechProcessor(GraniteSounds(n_mels=MELS), tokens, chat_template=GRANITE)
    encoder = {"input_dim": 2 * MELS, "num_layers": 2, "hidden_dim": 16, "num_heads": 2, "output_dim": 8, "context_size": 40}
    queries = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "encoder_hidden_size": 16}
    config = transformers.GraniteSpeechConfig(
        encoder_config=encoder,
        projector_config={"model_type": "blip_2_qformer", **queries},
        text_config={"model_type": "granite", "vocab_size": len(tokens), "eos_token_id": tokens.eos_token_id, **DECODER},
        audio_token_index=tokens.convert_tokens_to_ids("<|audio|>"),
    )
    model = with_lora(build(transformers.GraniteSpeechForConditionalGeneration, config), "q_proj", "v_proj")
    return GraniteSpeechBackbone("tiny", "0", model, processor, "cpu")


def phi4_multimodal() -> Phi4MultimodalBackbone:
    tokens = tokenizer(audio_token="<|audio|>", user="<|user|>", end="<|end|>", assistant="<|assistant|>")
    audio = {"hidden_size": 16, "intermediate_size": 32, "num_blocks": 2, "num_attention_heads": 2, "input_size": MELS}
    width = {"ext_pw_out_channel": 16, "depthwise_separable_out_channel": 16, "nemo_conv_channels": 8}
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "feature_layer": -1}
    config = transformers.Phi4MultimodalConfig(
        audio_config={**audio, **width, "audio_token_id": tokens.convert_tokens_to_ids("<|audio|>")},
        vision_config={**vision, "image_token_id": 9_999},
        **DECODER,
        vocab_size=len(tokens),
        eos_token_id=tokens.eos_token_id,
    )
    projections = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
    model = with_lora(build(transformers.Phi4MultimodalForCausalLM, config), *projections)
    sounds = transformers.Phi4MultimodalFeatureExtractor(feature_size=MELS)
    return Phi4MultimodalBackbone("tiny", "0", model, SoundProcessor(sounds, tokens), "cpu")


def whisper() -> WhisperBackbone:
    tokens = WhisperTokenizer(vocab=BYTES)
    words = ["<|startofprev|>", "<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|translate|>", "<|notimestamps|>"]
    tokens.add_special_tokens({"additional_special_tokens": words})
    processor = transformers.WhisperProcessor(extractor(), tokens)
    config = transformers.WhisperConfig(
        vocab_size=len(tokens),
        num_mel_bins=MELS,
        d_model=16,
        encoder_layers=2,
        encoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_layers=2,
        decoder_attention_heads=4,
        decoder_ffn_dim=32,
        max_source_positions=50 * WINDOW_S,
        max_target_positions=100,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
        decoder_start_token_id=1,
    )
    model = build(transformers.WhisperForConditionalGeneration, config)
    model.generation_config.is_multilingual = True
    return WhisperBackbone("tiny", "0", model, processor, "cpu")


FAMILIES = {
    "qwen2_audio": qwen2_audio,
    "audioflamingo3": audio_flamingo,
    "musicflamingo": music_flamingo,
    "qwen2_5_omni": qwen2_5_omni,
    "qwen3_omni": qwen3_omni,
    "glmasr": glm_asr,
    "qwen3_asr": qwen3_asr,
    "voxtral": voxtral,
    "granite_speech": granite_speech,
    "phi4_multimodal": phi4_multimodal,
    "whisper": whisper,
}


def whole_inputs(backbone: ChatBackbone, waveform: np.ndarray, prompt: str) -> dict[str, torch.Tensor]:
    """What transformers' own full forward pass takes for one clip: the processor's inputs over the whole window, nothing trimmed."""
    if isinstance(backbone, OmniBackbone):
        whole = backbone._extractor([waveform], sampling_rate=16_000, return_attention_mask=True, return_tensors="pt")
        features = {"input_features": whole["input_features"], "feature_attention_mask": whole["attention_mask"]}
        ids = backbone.prepare(waveform, prompt).ids
    else:
        prepared = backbone.prepare(waveform, prompt)
        if isinstance(backbone, TrimmedBackbone):
            shortest = MIN_FRAMES * backbone._extractor.hop_length
            prepared = ChatBackbone.prepare(backbone, np.pad(waveform, (0, max(0, shortest - len(waveform)))), prompt)
        ids, features = prepared.ids, prepared.features
    return {"input_ids": ids[None], "attention_mask": torch.ones_like(ids)[None], **features}
