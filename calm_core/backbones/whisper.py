"""Whisper: a small pretrained choice for laptops. Its heads are those of the decoder, self- and cross-attention of every layer.

Whisper was trained to write down speech; sounds are in its encoder all the same, and its decoder's cross-attention listens there. The
prompt is given as the text said before, which is all that Whisper knows of prompts. It answers no questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from ..errors import BackboneError
from ..hooks import capture_heads
from .base import HeadShape, check_layers, one_out_of_memory, turns

Array = NDArray[np.float32]

ATTENTIONS = ("self_attn", "encoder_attn")  # of a decoder layer, in the order of the heads


class WhisperBackbone:
    """A Backbone (see base.py) over WhisperForConditionalGeneration. Layers 0, 2, 4... are self-attention, 1, 3, 5... cross-attention."""

    version = "whisper/1"
    tokens_per_s = 50.0  # of the encoder, which costs more than the few tokens of the decoder

    def __init__(self, id: str, revision: str, model: PreTrainedModel, processor: Any, device: str) -> None:
        """Raises BackboneError where a decoder layer lacks one of its two attentions."""
        self.id, self.revision, self.device = id, revision, device
        self.model, self.processor = model.eval(), processor
        model.to(device=torch.device(device))  # type: ignore[call-arg]  # transformers wraps nn.Module.to
        self._turn = turns(device)
        self._projections = [p for layer in model.get_decoder().layers for p in (self._projection(layer, a) for a in ATTENTIONS)]
        heads = model.config.decoder_attention_heads
        self.shape = HeadShape(len(self._projections), heads, self._projections[0].in_features // heads)
        tokenizer = processor.tokenizer
        if getattr(model.generation_config, "is_multilingual", False):
            tokenizer.set_prefix_tokens(language="english", task="transcribe")
        self._start = [token for token in tokenizer.prefix_tokens if token is not None]
        self._extractor = processor.feature_extractor
        self.sample_rate_hz, self.window_s = int(self._extractor.sampling_rate), float(self._extractor.chunk_length)
        self.preprocessing = f"{self.version} {str(model.dtype).removeprefix('torch.')} {model.config._attn_implementation}"

    def _projection(self, layer: nn.Module, attention: str) -> nn.Linear:
        found = getattr(getattr(layer, attention, None), "out_proj", None)
        if not isinstance(found, nn.Linear):
            raise BackboneError(
                f"{self.id}: a decoder layer has no {attention}.out_proj; it has {', '.join(name for name, _ in layer.named_children())}."
            )
        return found

    def extract(self, waveforms: Sequence[Array], prompt: str, layers: int | None = None) -> Array:
        """See Backbone.extract."""
        return self.read([self.prepare(waveform, prompt) for waveform in waveforms], layers)

    def prepare(self, waveform: Array, prompt: str) -> tuple[Tensor, Tensor]:
        """See Backbone.prepare. Whisper's encoder masks nothing, so every clip is heard with the silence behind it up to 30 s."""
        mel = self._extractor([waveform], sampling_rate=self.sample_rate_hz, return_tensors="pt")["input_features"]
        return mel, self._ids(prompt)

    @torch.inference_mode()
    def read(self, prepared: Sequence[tuple[Tensor, Tensor]], layers: int | None = None) -> Array:
        """See Backbone.read; all clips of one prompt."""
        wanted = self._projections[: check_layers(layers, self.shape)]
        features, ids = (torch.cat(parts) for parts in zip(*prepared, strict=True))
        last = torch.full((len(ids),), ids.shape[1] - 1, device=self.model.device)
        with self._turn, one_out_of_memory(), capture_heads(wanted, self.shape.heads, last, then_stop=True) as capture:
            self.model.model(
                input_features=features.to(self.model.device, self.model.dtype),
                decoder_input_ids=ids.to(self.model.device),
                use_cache=False,
            )
        return capture.vectors().numpy()

    def _ids(self, prompt: str) -> torch.Tensor:
        """Decoder input (1, T): the prompt as earlier text, then the tokens that start an English transcript."""
        earlier = np.ravel(self.processor.get_prompt_ids(prompt, return_tensors="np"))
        return torch.tensor([[*earlier[: self.model.config.max_target_positions - len(self._start)], *self._start]])
