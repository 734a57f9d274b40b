"""Voxtral: Whisper's encoder, a projector and a Mistral language model, whose prompts mistral-common writes (an optional package).

Its processor takes sound through chat messages alone, as a sound file in base64: a WAV of float32 loses nothing. The encoder masks
nothing, so every clip is heard with the silence behind it up to the window, as the model was trained.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Sequence

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from .chat import ChatBackbone, Prepared

Array = NDArray[np.float32]


class VoxtralBackbone(ChatBackbone):
    """VoxtralForConditionalGeneration."""

    version = "voxtral/1"

    def _text(self, prompt: str) -> str:
        return prompt  # mistral-common puts the sound and its marks before it, in tokens

    def prepare(self, waveform: Array, prompt: str) -> Prepared:
        file = io.BytesIO()
        soundfile.write(file, waveform, self.sample_rate_hz, format="WAV", subtype="FLOAT")
        sound = {"type": "audio", "base64": b64encode(file.getvalue()).decode()}
        inputs = self.processor.apply_chat_template(
            [{"role": "user", "content": [sound, {"type": "text", "text": self._text(prompt)}]}],
            processor_kwargs={"pad_to_multiple_of": self._extractor.n_samples, "max_source_positions": self._extractor.nb_max_frames},
        )
        return Prepared(inputs["input_ids"][0], {"input_features": inputs["input_features"]})

    def _encode(self, clips: Sequence[Prepared]) -> list[Tensor]:
        mel = torch.cat([clip.features["input_features"] for clip in clips])  # one window each, all of one length
        return list(self.model.get_audio_features(self._placed(mel)).pooler_output.chunk(len(clips)))
