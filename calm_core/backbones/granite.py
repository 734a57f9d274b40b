"""Granite Speech: a conformer, a Q-Former and a Granite language model that hears through a LoRA adapter of the checkpoint (peft).

Its feature extractor wants torchaudio, each build of which runs beside one kind of torch only; here torch computes the same spectrogram.
Its chat template tells the model today's date where no system message stands: the same clip would get other vectors every day, so one
with a fixed date stands there, in the words that the family was trained with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import BatchFeature, GraniteSpeechFeatureExtractor
from transformers.audio_utils import mel_filter_bank
from transformers.feature_extraction_sequence_utils import SequenceFeatureExtractor

from .chat import ChatBackbone, Prepared

SYSTEM = (
    "Knowledge Cutoff Date: April 2024.\nToday's Date: December 19, 2024.\n"
    "You are Granite, developed by IBM. You are a helpful AI assistant"
)
DYNAMIC_RANGE = 8.0  # powers of ten below a clip's loudest point, all that is kept


class GraniteSounds(GraniteSpeechFeatureExtractor):
    """The family's feature extractor without torchaudio: arguments and results are its parent's, for one clip at a time."""

    def __init__(
        self,
        sampling_rate: int = 16_000,
        n_fft: int = 512,
        win_length: int = 400,
        hop_length: int = 160,
        n_mels: int = 80,
        projector_window_size: int = 15,
        projector_downsample_rate: int = 5,
        padding_value: float = 0.0,
        **kwargs: Any,
    ) -> None:
        n_mels = kwargs.pop("feature_size", None) or n_mels
        # Past the parent, whose own __init__ asks for torchaudio.
        SequenceFeatureExtractor.__init__(self, n_mels, sampling_rate, padding_value, **kwargs)
        self.sampling_rate = sampling_rate
        self.melspec_kwargs = {"n_fft": n_fft, "win_length": win_length, "hop_length": hop_length}
        self.projector_window_size, self.projector_downsample_rate = projector_window_size, projector_downsample_rate

    def __call__(self, audios: Any, device: str | None = "cpu") -> BatchFeature:
        """audios: one waveform (n,), or a list of one -> input_features (1, frames / 2, 2 n_mels) and how many embeddings follow."""
        waveforms, samples = self._get_audios_and_audio_lengths(audios)
        features = self._extract_mel_spectrograms(waveforms, device)
        return BatchFeature({"input_features": features, "audio_embed_sizes": self._get_num_audio_features(samples)})

    def _extract_mel_spectrograms(self, audio: Tensor, device: str | None = "cpu") -> Tensor:
        # torchaudio.transforms.MelSpectrogram with its defaults: power 2, reflected ends, HTK mels without normalisation.
        n_fft, hop, length = (self.melspec_kwargs[name] for name in ("n_fft", "hop_length", "win_length"))
        window = torch.hann_window(length, device=device)
        spectrum = torch.stft(audio.to(device).float(), n_fft, hop, length, window, return_complex=True).abs().square()
        top_hz = self.sampling_rate / 2
        filters = mel_filter_bank(n_fft // 2 + 1, self.feature_size, 0.0, top_hz, self.sampling_rate, norm=None, mel_scale="htk")
        mel = spectrum.transpose(1, 2) @ torch.from_numpy(filters).to(spectrum)
        mel = mel.clamp(min=1e-10).log10()
        mel = torch.maximum(mel, mel.amax((1, 2), keepdim=True) - DYNAMIC_RANGE) / 4 + 1
        return mel[:, : mel.shape[1] // 2 * 2].reshape(len(mel), -1, 2 * self.feature_size)


class GraniteSpeechBackbone(ChatBackbone):
    """GraniteSpeechForConditionalGeneration."""

    version = "granite_speech/1"

    def _messages(self, prompt: str) -> list[dict[str, Any]]:
        return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"{self.processor.audio_token}{prompt}"}]

    def _audio_options(self, waveform: Any) -> dict[str, Any]:  # noqa: ARG002
        return {}

    def _encode(self, clips: Sequence[Prepared]) -> list[Tensor]:
        return [self.model.get_audio_features(self._placed(clip.features["input_features"])).pooler_output[0] for clip in clips]
