"""The thinkers of Qwen2.5-Omni and Qwen3-Omni, for sound alone.

Their own processors can't be made without torchvision, so tokenizer and feature extractor are used directly, with the chat format of
both families. Their feature extractor's window is 300 s: here the mel is as long as the clip, with silence behind it for the last frame.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.models.qwen2_5_omni.processing_qwen2_5_omni import _get_feat_extract_output_lengths as audio_tokens_2_5
from transformers.models.qwen3_omni_moe.processing_qwen3_omni_moe import _get_feat_extract_output_lengths as audio_tokens_3

from .chat import ChatBackbone, Prepared

Array = NDArray[np.float32]

HOPS_BEHIND = 4  # of silence behind the clip, so that its last frame holds no reflection
MIN_FRAMES = 9  # of mel, 0.09 s: at least one audio token in both families


class Qwen25OmniBackbone(ChatBackbone):
    """Qwen2_5OmniThinkerForConditionalGeneration."""

    version = "qwen2_5_omni/1"
    system = "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and visual inputs, as well as generating text and speech."  # noqa: E501 (the family's own words)
    audio_marks = ("<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>")

    def _window_s(self) -> float:
        return 30.0  # as the other families: longer clips are cut into windows that vote

    def _text(self, prompt: str) -> str:
        system = f"<|im_start|>system\n{self.system}<|im_end|>\n" if self.system else ""
        return f"{system}<|im_start|>user\n{''.join(self.audio_marks)}{prompt}<|im_end|>\n<|im_start|>assistant\n"

    def _audio_tokens(self, frames: int) -> int:
        return int(audio_tokens_2_5(frames))

    def prepare(self, waveform: Array, prompt: str) -> Prepared:
        hop = self._extractor.hop_length
        waveform = np.pad(waveform, (0, max(0, MIN_FRAMES * hop - len(waveform))))
        found = self._extractor(
            [waveform],
            sampling_rate=self.sample_rate_hz,
            padding="max_length",
            max_length=len(waveform) + HOPS_BEHIND * hop,
            return_attention_mask=True,
            return_tensors="pt",
        )
        mark = self.audio_marks[1]
        text = self._text(prompt).replace(mark, mark * self._audio_tokens(int(found["attention_mask"].sum())))
        ids = self.processor.tokenizer(text, return_tensors="pt")["input_ids"][0]
        return Prepared(ids, {"input_features": found["input_features"], "feature_attention_mask": found["attention_mask"]})


class Qwen3OmniBackbone(Qwen25OmniBackbone):
    """Qwen3OmniMoeThinkerForConditionalGeneration."""

    version = "qwen3_omni/1"
    system = ""
    audio_marks = ("<|audio_start|>", "<|audio_pad|>", "<|audio_end|>")

    def _audio_tokens(self, frames: int) -> int:
        return int(audio_tokens_3(torch.tensor(frames), self.model.config.audio_config.n_window))
