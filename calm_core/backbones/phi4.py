"""Phi-4-multimodal: a conformer and a Phi-4 language model that hears through the checkpoint's LoRA adapter for speech (peft).

Its own processor can't be made without torchvision, so tokenizer and feature extractor are used directly, with the family's chat format.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .chat import ChatBackbone, Prepared

Array = NDArray[np.float32]


class Phi4MultimodalBackbone(ChatBackbone):
    """Phi4MultimodalForCausalLM."""

    version = "phi4_multimodal/1"

    def _audio_token_id(self) -> int:
        return int(self.model.config.audio_config.audio_token_id)

    def _text(self, prompt: str) -> str:
        return f"<|user|>{self.processor.tokenizer.convert_ids_to_tokens(self._audio_token)}{prompt}<|end|><|assistant|>"

    def prepare(self, waveform: Array, prompt: str) -> Prepared:
        features = self._extractor([waveform], sampling_rate=self.sample_rate_hz, return_tensors="pt")
        ids = self.processor.tokenizer(self._text(prompt), return_tensors="pt")["input_ids"][0]
        return Prepared(ids.repeat_interleave(torch.where(ids == self._audio_token, features["audio_embed_sizes"], 1)), dict(features))

    def _encode(self, clips: Sequence[Prepared]) -> list[Tensor]:
        # transformers gives the embeddings merged into those of the text: here into nothing, and then taken out again.
        encoded = []
        for clip in clips:
            ids = clip.ids[None].to(self.model.device)
            nothing = torch.zeros(*ids.shape, self.model.config.hidden_size, device=ids.device, dtype=self.model.dtype)
            features = {name: self._placed(value) for name, value in clip.features.items()}
            encoded.append(self.model.model.embed_tokens_extend.audio_embed(ids, nothing, **features)[ids == self._audio_token])
        return encoded
