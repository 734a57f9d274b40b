"""Qwen2-Audio, Audio Flamingo 3, Music Flamingo: Whisper's encoder with an average pool, run over the clip instead of its whole window.

transformers' own encoders take 30 s of mel frames whatever the clip's length, with the silence behind it masked. Here the mel and the
encoder stop soon after the clip, with equal results (a test holds them to transformers' own). What makes it exact:

- With L = ceil(samples / hop) frames of sound, both convolutions look at the two frames behind the clip, which hold silence and are
  not zero: the mel has L + 2 frames.
- The mel's last frame reflects what comes before it, so the audio is padded with silence well past the last frame kept.
- Positions from ceil(L / 2) on are masked as keys in the full encoder: here they are cut off, or masked in a batch of several lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.models.musicflamingo.modeling_musicflamingo import apply_rotary_time_emb

from ..errors import BackboneError
from .attending import attention_modules, last_token_attention
from .base import one_out_of_memory
from .chat import ChatBackbone, Prepared

Array = NDArray[np.float32]

MIN_FRAMES = 7  # of mel: the encoder makes ((7 - 1) // 2 + 1 - 2) // 2 + 1 = 2 audio tokens of them, the least that transformers takes
FRAMES_BEHIND = 2  # that the convolutions see
HOPS_BEHIND = 3  # of silence behind the last frame, so that it holds no reflection


class TrimmedBackbone(ChatBackbone):
    """An Answering backbone (see base.py) whose audio tower is conv, conv, positions, layers, average pool, layer norm."""

    def __init__(self, id: str, revision: str, model: PreTrainedModel, processor: Any, device: str) -> None:
        """Raises BackboneError where processor and encoder don't agree on the window."""
        frames = 2 * model.config.audio_config.max_source_positions
        if (made := processor.feature_extractor.nb_max_frames) != frames:
            raise BackboneError(
                f"{id}: the processor makes {made} frames, the encoder takes {frames}; "
                "the model's files don't belong together, download them again."
            )
        super().__init__(id, revision, model, processor, device)

    @property
    def audio_token_s(self) -> float:
        """See Attending: the encoder halves the frames of the log-mel spectrogram twice."""
        return 4 * self._extractor.hop_length / self.sample_rate_hz

    @torch.inference_mode()
    def attention(self, waveforms: Sequence[Array], prompt: str) -> list[Array]:
        """See Attending.attention."""
        modules = attention_modules(self._decoder, self._projections)
        clips = [self.prepare(waveform, prompt) for waveform in waveforms]
        with self._turn, one_out_of_memory():
            embeddings, lengths, beside = self._embed(clips)
            with last_token_attention(modules, lengths - 1) as layers:
                self._decoder(inputs_embeds=embeddings, attention_mask=None, use_cache=False, **beside)
        weights = torch.stack(layers, dim=1).cpu().numpy()  # (batch, L, H, tokens)
        places = [(clip.ids == self._audio_token).nonzero().flatten().numpy() for clip in clips]
        return [rows[..., at] for rows, at in zip(weights, places, strict=True)]

    def prepare(self, waveform: Array, prompt: str) -> Prepared:
        hop, most = self._extractor.hop_length, self._extractor.nb_max_frames
        frames = min(max(-(-len(waveform) // hop), MIN_FRAMES), most)
        kept = min(frames + FRAMES_BEHIND, most)
        mel = self._extractor(
            [waveform],
            sampling_rate=self.sample_rate_hz,
            padding="max_length",
            max_length=min(kept + HOPS_BEHIND, most) * hop,
            return_tensors="pt",
        )["input_features"][..., :kept]
        places = self.processor.replace_audio_token({"num_audio_tokens": [_audio_tokens(_after_conv(frames))]}, audio_idx=0)
        text = self._text(prompt).replace(self.processor.audio_token, places)
        ids = self.processor.tokenizer(text, return_tensors="pt")["input_ids"][0]
        return Prepared(ids, {"input_features": mel, "frames": torch.tensor([frames])})

    def _encode(self, clips: Sequence[Prepared]) -> list[Tensor]:
        mel = torch.zeros(len(clips), clips[0].features["input_features"].shape[1], max(_mel_frames(clip) for clip in clips))
        for row, clip in zip(mel, clips, strict=True):
            row[:, : _mel_frames(clip)] = clip.features["input_features"][0]
        positions = [_after_conv(int(clip.features["frames"])) for clip in clips]
        pooled = self._pooled(self.model.model.audio_tower, self._placed(mel), positions)
        return [audio[: _audio_tokens(n)] for audio, n in zip(self.model.model.multi_modal_projector(pooled), positions, strict=True)]

    def _pooled(self, tower: Any, mel: Tensor, positions: Sequence[int]) -> Tensor:
        """The audio tower's output (N, tokens, E) of mel (N, bins, frames); positions: those of each row that hold sound."""
        longest = max(positions)
        hidden = nn.functional.gelu(tower.conv2(nn.functional.gelu(tower.conv1(mel)))).permute(0, 2, 1)[:, :longest]
        hidden = hidden + tower.embed_positions.weight[:longest]
        mask = None
        if min(positions) < longest:
            silent = torch.arange(longest, device=mel.device) >= torch.tensor(positions, device=mel.device)[:, None]
            mask = hidden.new_zeros(len(mel), 1, longest, longest).masked_fill_(silent[:, None, None], torch.finfo(mel.dtype).min)
        for layer in tower.layers:
            hidden = layer(hidden, mask)
        return tower.layer_norm(tower.avg_pooler(hidden.permute(0, 2, 1)).permute(0, 2, 1))


class Qwen2AudioBackbone(TrimmedBackbone):
    """Qwen2AudioForConditionalGeneration: the hub's 7B models and the embedded pocket."""

    version = "qwen2_audio/1"  # trimming changed the last digits only


class AudioFlamingoBackbone(TrimmedBackbone):
    """AudioFlamingo3ForConditionalGeneration."""

    version = "audioflamingo3/1"


class MusicFlamingoBackbone(TrimmedBackbone):
    """MusicFlamingoForConditionalGeneration: the same encoder; its embeddings are turned by the time at which they sound."""

    version = "musicflamingo/1"

    def _pooled(self, tower: Any, mel: Tensor, positions: Sequence[int]) -> Tensor:
        pooled = super()._pooled(tower, mel, positions)
        step_s = 4 * self.model.config.audio_frame_step  # the second convolution and the pool halve the frames
        times = (torch.arange(pooled.shape[1], device=pooled.device, dtype=torch.float32) * step_s).expand(len(pooled), -1)
        return apply_rotary_time_emb(pooled, *self.model.model.pos_emb(times, seq_len=pooled.shape[1]))


def _mel_frames(clip: Prepared) -> int:
    return clip.features["input_features"].shape[-1]


def _after_conv(frames: int) -> int:
    """Positions that hold sound after the second convolution, which halves them."""
    return (frames - 1) // 2 + 1


def _audio_tokens(positions: int) -> int:
    """Audio embeddings after the average pool."""
    return (positions - 2) // 2 + 1
