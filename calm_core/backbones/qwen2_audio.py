"""Qwen2-Audio: the hub's 7B models and the embedded pocket, through transformers' own classes and processor."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from transformers import AutoProcessor, DynamicCache, Qwen2AudioForConditionalGeneration
from transformers.utils.logging import disable_progress_bar

from ..errors import BackboneError
from ..hooks import capture_heads
from .answering import MAX_ANSWER_TOKENS, Reading, generate, mean_log_likelihoods
from .attending import attention_modules, last_token_attention
from .base import check_answers, find_projections, one_out_of_memory

Array = NDArray[np.float32]

MIN_FRAMES = 7  # of the log-mel spectrogram: the encoder makes ((7 - 1) // 2 + 1 - 2) // 2 + 1 = 2 audio tokens of them


class Qwen2AudioBackbone:
    """An Answering backbone (see base.py) over Qwen2AudioForConditionalGeneration."""

    def __init__(self, id: str, revision: str, model: Qwen2AudioForConditionalGeneration, processor, device: str) -> None:  # type: ignore[no-untyped-def]
        text = model.config.get_text_config()
        self.id, self.revision, self.device = id, revision, device
        self._alone = threading.Lock()
        self.model, self.processor = model.eval(), processor
        model.to(device=torch.device(device))  # type: ignore[call-arg]  # transformers wraps nn.Module.to
        self._projections, self.shape = find_projections(model.get_decoder(), text.num_hidden_layers, text.num_attention_heads)
        extractor, frames = processor.feature_extractor, 2 * model.config.audio_config.max_source_positions  # type: ignore[union-attr]
        self.sample_rate_hz, self.window_s = int(extractor.sampling_rate), float(extractor.chunk_length)
        if extractor.nb_max_frames != frames:
            raise BackboneError(
                f"{id}: the processor makes {extractor.nb_max_frames} frames, the encoder takes {frames}; "
                "the model's files don't belong together, download them again."
            )
        # 1: version of this adapter's own steps; change it whenever the vectors change.
        self.preprocessing = f"qwen2_audio/1 {str(model.dtype).removeprefix('torch.')} {model.config._attn_implementation}"

    @classmethod
    def from_pretrained(
        cls, id: str, source: str | Path, revision: str, device: str, dtype: torch.dtype, download: str | None = None
    ) -> Qwen2AudioBackbone:
        """Loads from a folder, or from the hub at a pinned revision. Raises BackboneError with what to do where that fails."""
        where = {"local_files_only": True} if download is None else {"revision": download}
        if download is None:
            disable_progress_bar()  # of a load that takes milliseconds
        try:
            processor = AutoProcessor.from_pretrained(source, trust_remote_code=False, **where)
            model = Qwen2AudioForConditionalGeneration.from_pretrained(
                source, dtype=dtype, attn_implementation="sdpa", trust_remote_code=False, use_safetensors=True, **where
            )
        except (OSError, ValueError, SafetensorError) as error:
            raise BackboneError(
                f"can't load backbone {id!r} from {source}: {str(error).splitlines()[0]} "
                "Check the network and free disk space, or use the embedded backbone 'pocket'."
            ) from error
        return cls(id, revision, model, processor, device)

    @torch.inference_mode()
    def extract(self, waveforms: Sequence[Array], prompt: str) -> Array:
        """See Backbone.extract."""
        inputs = self._inputs(waveforms, prompt)
        last = inputs.pop("attention_mask").sum(1) - 1
        # The hooks sit on the one model that all threads share: two passes at once would capture each other's rows.
        with self._alone, one_out_of_memory(), capture_heads(self._projections, self.shape.heads, last) as capture:
            # `.model` skips the language-model head. No mask: rows are padded on the right, causality hides the pads from every
            # real token, and attention keeps its fast causal path.
            self.model.model(**inputs, attention_mask=None, use_cache=False)
        return capture.vectors().numpy()

    @property
    def audio_token_s(self) -> float:
        """See Attending: the encoder halves the frames of the log-mel spectrogram twice."""
        return 4 * self.processor.feature_extractor.hop_length / self.sample_rate_hz

    @torch.inference_mode()
    def attention(self, waveforms: Sequence[Array], prompt: str) -> list[Array]:
        """See Attending.attention."""
        modules = attention_modules(self.model.get_decoder(), self._projections)
        inputs = self._inputs(waveforms, prompt)
        last = inputs.pop("attention_mask").sum(1) - 1
        with self._alone, one_out_of_memory(), last_token_attention(modules, last) as layers:
            self.model.model(**inputs, attention_mask=None, use_cache=False)
        is_audio = inputs["input_ids"] == self.model.config.audio_token_id
        weights = torch.stack(layers, dim=1)  # (batch, L, H, tokens)
        return [rows[..., audio].cpu().numpy() for rows, audio in zip(weights, is_audio, strict=True)]

    def answer(self, waveforms: Sequence[Array], prompt: str) -> list[str]:
        """See Answering.answer."""
        with self._reading(waveforms, prompt) as reading:
            return self._texts(generate(self._decode, reading, self._ends))

    def sample_answers(self, waveforms: Sequence[Array], prompt: str, samples: int = 8, seed: int = 0) -> list[list[str]]:
        """See Answering.sample_answers. The same random numbers serve every clip, so batches don't matter."""
        if samples < 1:
            raise BackboneError(f"samples is {samples}; at least 1 answer is needed.")
        uniforms = torch.rand(samples, MAX_ANSWER_TOKENS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        with self._reading(waveforms, prompt) as reading:
            found = self._texts(generate(self._decode, reading.repeated(samples), self._ends, uniforms.repeat(len(waveforms), 1)))
        return [found[i : i + samples] for i in range(0, len(found), samples)]

    def answer_likelihoods(self, waveforms: Sequence[Array], prompt: str, answers: Sequence[str]) -> Array:
        """See Answering.answer_likelihoods."""
        check_answers(answers)
        candidates = [self.processor.tokenizer(answer, add_special_tokens=False)["input_ids"] for answer in answers]
        with self._reading(waveforms, prompt) as reading:
            return mean_log_likelihoods(self._decode, reading, candidates, self._ends).numpy()

    @contextmanager
    def _reading(self, waveforms: Sequence[Array], prompt: str) -> Iterator[Reading]:
        """The prompts, read; inside, this thread alone uses the model."""
        with torch.inference_mode(), self._alone, one_out_of_memory():
            inputs = self._inputs(waveforms, prompt)
            lengths = inputs.pop("attention_mask").sum(1)
            read = self.model.model(**inputs, attention_mask=None, use_cache=True)
            last = read.last_hidden_state[torch.arange(len(lengths)), lengths - 1]
            yield Reading(read.past_key_values, lengths, self.model.lm_head(last).float())

    def _decode(self, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor | None, cache: DynamicCache) -> torch.Tensor:
        """See answering.Decoder."""
        read = self.model.get_decoder()(input_ids=ids, position_ids=positions, attention_mask=mask, past_key_values=cache, use_cache=True)
        return self.model.lm_head(read.last_hidden_state).float()

    @property
    def _ends(self) -> list[int]:
        """Tokens that end an answer: a chat model's checkpoint often has two."""
        configured = self.model.generation_config.eos_token_id
        listed = configured if isinstance(configured, list) else [configured]
        return sorted({token for token in (*listed, self.processor.tokenizer.eos_token_id) if token is not None})

    def _texts(self, tokens: Sequence[Sequence[int]]) -> list[str]:
        return [self.processor.tokenizer.decode(list(t), skip_special_tokens=True).strip() for t in tokens]

    def _inputs(self, waveforms: Sequence[Array], prompt: str) -> dict[str, torch.Tensor]:
        """Model inputs on the device, rows padded on the right."""
        message = [{"role": "user", "content": [{"type": "audio", "audio_url": ""}, {"type": "text", "text": prompt}]}]
        text = self.processor.apply_chat_template(message, add_generation_prompt=True, tokenize=False)
        # transformers takes a batch without two audio tokens in a row for its old, unexpanded input format.
        least = MIN_FRAMES * self.processor.feature_extractor.hop_length
        inputs = self.processor(
            text=[text] * len(waveforms),
            audio=[np.pad(w, (0, max(0, least - len(w)))) for w in waveforms],
            sampling_rate=self.sample_rate_hz,
            padding=True,
            padding_side="right",
            return_tensors="pt",
        )
        inputs["input_features"] = inputs["input_features"].to(self.model.dtype)
        return {name: tensor.to(self.device) for name, tensor in inputs.items()}
