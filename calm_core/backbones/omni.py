"""The thinkers of Qwen2.5-Omni and Qwen3-Omni: sound, and the pictures of a video beside its sound.

Their own processors can't be made without torchvision, so tokenizer and feature extractor are used directly, with the chat format of
both families. Their feature extractor's window is 300 s: here the mel is as long as the clip, with silence behind it for the last frame.

A video is given as transformers' processors give one whose sound is used: its tokens and those of the sound take turns, and their
positions are times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers.models.qwen2_5_omni.processing_qwen2_5_omni import _get_feat_extract_output_lengths as audio_tokens_2_5
from transformers.models.qwen3_omni_moe.processing_qwen3_omni_moe import _get_feat_extract_output_lengths as audio_tokens_3
from transformers.utils.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from ..audio import PICTURES_PER_S
from .chat import ChatBackbone, Prepared

Array = NDArray[np.float32]

HOPS_BEHIND = 4  # of silence behind the clip, so that its last frame holds no reflection
MIN_FRAMES = 9  # of mel, 0.09 s: at least one audio token in both families


class OmniBackbone(ChatBackbone):
    """A Seeing backbone (see base.py): what both families do alike.

    audio_marks: before the sound, in place of it, behind it; levels: mean and deviation that pictures are normalised with; deepstack:
    whether what is seen also enters deeper layers.
    """

    system: ClassVar[str]
    audio_marks: ClassVar[tuple[str, str, str]]
    levels: ClassVar[tuple[list[float], list[float]]]
    deepstack: ClassVar[bool]

    def _window_s(self) -> float:
        return 30.0  # as the other families: longer clips are cut into windows that vote

    def _text(self, prompt: str) -> str:
        system = f"<|im_start|>system\n{self.system}<|im_end|>\n" if self.system else ""
        return f"{system}<|im_start|>user\n{''.join(self.audio_marks)}{prompt}<|im_end|>\n<|im_start|>assistant\n"

    def _audio_tokens(self, frames: int) -> int:
        """Audio embeddings of so many frames of mel."""
        raise NotImplementedError

    def _turns(self, times: Tensor) -> Tensor:
        """What orders the tokens of pictures and sound, by the time of each in positions; pictures first where it is the same."""
        raise NotImplementedError

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

    @property
    def side_step(self) -> int:
        """See Seeing: so many pixels become one token."""
        vision = self.model.config.vision_config
        return int(vision.patch_size * vision.spatial_merge_size)

    def prepare_video(self, waveform: Array, pictures: NDArray[np.uint8], prompt: str) -> Prepared:
        """See Seeing.prepare_video."""
        config, heard = self.model.config, self.prepare(waveform, prompt)
        patches, grid = self._patches(pictures)
        step_s = config.vision_config.temporal_patch_size / PICTURES_PER_S
        sound = (heard.ids == self._audio_token).nonzero().flatten()
        times = torch.arange(int(grid[0])) * step_s * config.position_id_per_seconds
        seen_at = times.repeat_interleave(int(grid[1:].prod()) // config.vision_config.spatial_merge_size**2)
        tokens = torch.cat([torch.full_like(seen_at, config.video_token_id), torch.full(sound.shape, self._audio_token)]).long()
        turns = self._turns(torch.cat([seen_at, torch.arange(len(sound))]))
        start, end = int(sound[0]), int(sound[-1]) + 1
        opening, closing = (torch.tensor([mark]) for mark in (config.vision_start_token_id, config.vision_end_token_id))
        before = [heard.ids[: start - 1], opening, heard.ids[start - 1 : start]]  # the sound's own marks stay next to the tokens
        behind = [heard.ids[end : end + 1], closing, heard.ids[end + 1 :]]
        ids = torch.cat([*before, tokens[turns.argsort(stable=True)], *behind])
        positions, _ = self.model.get_rope_index(
            ids[None],
            video_grid_thw=grid[None],
            attention_mask=torch.ones_like(ids)[None],
            use_audio_in_video=True,
            audio_seqlens=heard.features["feature_attention_mask"].sum(-1),
            second_per_grids=torch.tensor([step_s]),
        )
        seen = {"pixel_values_videos": patches, "video_grid_thw": grid[None], "positions": positions[:, 0]}
        return Prepared(ids, {**heard.features, **seen})

    def _patches(self, pictures: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        """Pictures (n, height, width, 3) as the vision encoder takes them: (patches, values), and their grid (time, down, across)."""
        vision = self.model.config.vision_config
        step, size, merge = vision.temporal_patch_size, vision.patch_size, vision.spatial_merge_size
        behind = -len(pictures) % step  # the last picture stays on
        pictures = np.concatenate([pictures, pictures[-1:].repeat(behind, axis=0)])
        grid = torch.tensor([len(pictures) // step, pictures.shape[1] // size, pictures.shape[2] // size])
        mean, deviation = (torch.tensor(level) for level in self.levels)
        levels = (torch.from_numpy(pictures) / 255 - mean) / deviation
        blocks = levels.view(int(grid[0]), step, int(grid[1]) // merge, merge, size, int(grid[2]) // merge, merge, size, 3)
        return blocks.permute(0, 2, 5, 3, 6, 8, 1, 4, 7).reshape(int(grid.prod()), -1), grid

    def _embed(self, clips: Sequence[Prepared]) -> tuple[Tensor, Tensor, dict[str, Any]]:
        embeddings, lengths, beside = super()._embed(clips)
        showing = {i: clip for i, clip in enumerate(clips) if "positions" in clip.features}
        if not showing:
            return embeddings, lengths, beside
        videos = [torch.cat([clip.features[name] for clip in showing.values()]) for name in ("pixel_values_videos", "video_grid_thw")]
        shown = self.model.get_video_features(*(self._placed(part) for part in videos))
        # Positions are counted where nothing is shown; elsewhere they are (time, row, column).
        positions = torch.arange(embeddings.shape[1], dtype=torch.float).repeat(3, len(clips), 1)
        places = torch.zeros(embeddings.shape[:2], dtype=torch.bool)
        for i, clip in showing.items():
            positions[:, i, : len(clip.ids)] = clip.features["positions"]
            places[i, : len(clip.ids)] = clip.ids == self.model.config.video_token_id
        places = places.to(embeddings.device)
        embeddings[places] = torch.cat(shown.pooler_output).to(embeddings.dtype)
        beside = {"position_ids": positions.to(embeddings.device)}
        if self.deepstack:
            deeper = [torch.cat(layer).to(embeddings.dtype) for layer in shown.deepstack_features]
            beside |= {"visual_pos_masks": places, "deepstack_visual_embeds": deeper}
        return embeddings, lengths, beside


class Qwen25OmniBackbone(OmniBackbone):
    """Qwen2_5OmniThinkerForConditionalGeneration."""

    version = "qwen2_5_omni/1"
    system = "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and visual inputs, as well as generating text and speech."  # noqa: E501 (the family's own words)
    audio_marks = ("<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>")
    levels = (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD)
    deepstack = False

    def _audio_tokens(self, frames: int) -> int:
        return int(audio_tokens_2_5(frames))

    def _turns(self, times: Tensor) -> Tensor:
        config = self.model.config
        return times // (config.position_id_per_seconds * config.seconds_per_chunk)


class Qwen3OmniBackbone(OmniBackbone):
    """Qwen3OmniMoeThinkerForConditionalGeneration."""

    version = "qwen3_omni/1"
    system = ""
    audio_marks = ("<|audio_start|>", "<|audio_pad|>", "<|audio_end|>")
    levels = ([0.5] * 3, [0.5] * 3)
    deepstack = True

    def _audio_tokens(self, frames: int) -> int:
        return int(audio_tokens_3(torch.tensor(frames), self.model.config.audio_config.n_window))

    def _turns(self, times: Tensor) -> Tensor:
        return times
