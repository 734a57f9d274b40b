"""What all audio-language models share: the processor's inputs -> embeddings -> the decoder -> the last valid token's head vectors.

Works for any transformers model whose processor takes text and audio, whose chat template places the audio, and whose audio encoder is
reached by `get_audio_features`; a family overrides only what differs. Every clip is encoded by itself, so no padding of the encoder
reaches it; the embeddings are merged here and the decoder alone runs over the batch, padded on the right without a mask:
causality hides the pads from every real token.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase, SequenceFeatureExtractor

from ..errors import BackboneError
from ..hooks import capture_heads
from .answering import MAX_ANSWER_TOKENS, Reading, generate, mean_log_likelihoods
from .base import check_answers, check_layers, find_projections, one_out_of_memory, turns

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One clip with its prompt as the model takes it, on the CPU. ids: (T,), the audio token in place of every audio embedding;
    features: what the audio encoder wants, each with a batch axis of 1."""

    ids: Tensor
    features: dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class SoundProcessor:
    """The parts that sound needs of a processor that can't be made without those for images."""

    feature_extractor: SequenceFeatureExtractor
    tokenizer: PreTrainedTokenizerBase


class ChatBackbone:
    """An Answering backbone (see base.py) over a transformers model with its processor."""

    version: ClassVar[str] = "chat/1"  # of the adapter's own steps; changes whenever the vectors change
    default_window_s: ClassVar[float] = 30.0  # where the feature extractor names none
    tokens_per_s = 25.0  # of Whisper's encoder with its frames halved twice; none of the families makes more

    def __init__(self, id: str, revision: str, model: PreTrainedModel, processor: Any, device: str) -> None:
        """Raises BackboneError where the model lacks something that reading its heads needs, and says what."""
        self.id, self.revision, self.device = id, revision, device
        self.model, self.processor = model.eval(), processor
        model.to(device=torch.device(device))  # type: ignore[call-arg]  # transformers wraps nn.Module.to
        self._turn = turns(device)
        text = model.config.get_text_config(decoder=True)
        self._decoder: nn.Module = model.get_decoder()
        self._projections, self.shape = find_projections(self._decoder, text.num_hidden_layers, text.num_attention_heads)
        self._extractor: Any = getattr(processor, "feature_extractor", None) or getattr(processor, "audio_processor", None)
        if self._extractor is None:
            raise BackboneError(f"{id}: its processor {type(processor).__name__} has no part for audio; choose an audio-language model.")
        if type(self)._text is ChatBackbone._text and not getattr(processor, "chat_template", None):
            raise BackboneError(f"{id}: it has no chat template to place audio and question in; choose an audio-language model.")
        self.sample_rate_hz = int(self._extractor.sampling_rate)
        self.window_s = self._window_s()
        self._audio_token = self._audio_token_id()
        # dtype and attention implementation change the last digits, so they are part of the key.
        self.preprocessing = f"{self.version} {str(model.dtype).removeprefix('torch.')} {model.config._attn_implementation}"

    def extract(self, waveforms: Sequence[Array], prompt: str, layers: int | None = None) -> Array:
        """See Backbone.extract."""
        return self.read([self.prepare(waveform, prompt) for waveform in waveforms], layers)

    @torch.inference_mode()
    def read(self, prepared: Sequence[Prepared], layers: int | None = None) -> Array:
        """See Backbone.read."""
        wanted = self._projections[: check_layers(layers, self.shape)]
        with self._turn, one_out_of_memory():
            embeddings, lengths, beside = self._embed(prepared)
            with capture_heads(wanted, self.shape.heads, self._placed(lengths - 1), then_stop=True) as capture:
                self._decoder(inputs_embeds=embeddings, attention_mask=None, use_cache=False, **beside)
            return capture.vectors().numpy()

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

    # What a family may do in its own way.

    def _window_s(self) -> float:
        """Longest clip that the model takes in one piece, in seconds."""
        return float(getattr(self._extractor, "chunk_length", None) or self.default_window_s)

    def _audio_token_id(self) -> int:
        """The token that stands for one audio embedding."""
        token = getattr(self.model.config, "audio_token_id", None)
        if token is None:
            raise BackboneError(f"{self.id}: its configuration names no audio_token_id; this model can't be read.")
        return int(token)

    def _messages(self, prompt: str) -> list[dict[str, Any]]:
        """What is said, as the model's chat template takes it."""
        return [{"role": "user", "content": [{"type": "audio", "audio_url": ""}, {"type": "text", "text": prompt}]}]

    def _text(self, prompt: str) -> str:
        """The whole prompt with the place of the audio marked, by the model's own chat template."""
        text = str(self.processor.apply_chat_template(self._messages(prompt), add_generation_prompt=True, tokenize=False))
        if prompt.strip() not in text:
            raise BackboneError(f"{self.id}: its chat template leaves the question out; this model takes none, choose another backbone.")
        return text

    def _audio_options(self, waveform: Array) -> dict[str, Any]:  # noqa: ARG002
        """Keywords for the processor about one waveform (n,)."""
        return {"sampling_rate": self.sample_rate_hz}

    def prepare(self, waveform: Array, prompt: str) -> Prepared:
        """See Backbone.prepare: one clip through the processor."""
        inputs = self.processor(text=[self._text(prompt)], audio=[waveform], return_tensors="pt", **self._audio_options(waveform))
        ids = inputs.pop("input_ids")[0]
        return Prepared(ids, {name: value for name, value in inputs.items() if name != "attention_mask"})

    def _encode(self, clips: Sequence[Prepared]) -> list[Tensor]:
        """The audio embeddings (n, E) of each clip."""
        wanted = inspect.signature(self.model.get_audio_features).parameters
        return [
            self.model.get_audio_features(
                **{name: self._placed(value) for name, value in {"input_ids": clip.ids[None], **clip.features}.items() if name in wanted}
            ).pooler_output.flatten(0, -2)
            for clip in clips
        ]

    # What is the same for all.

    def _placed(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.model.device, self.model.dtype if tensor.is_floating_point() else tensor.dtype)

    def _embed(self, clips: Sequence[Prepared]) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Embeddings (N, T, E), padded on the right, the length of each row (N,), and what else the decoder takes, by name."""
        encoded = self._encode(clips)
        for clip, audio in zip(clips, encoded, strict=True):
            if (count := int((clip.ids == self._audio_token).sum())) != len(audio) or not count:
                raise BackboneError(
                    f"{self.id}: a clip's prompt has {count} places for {len(audio)} audio embeddings; "
                    "the model's files don't belong together, download them again."
                )
        ids = nn.utils.rnn.pad_sequence([clip.ids for clip in clips], batch_first=True).to(self.model.device)
        lengths = torch.tensor([len(clip.ids) for clip in clips])
        real = torch.arange(ids.shape[1]) < lengths[:, None]
        places = (ids == self._audio_token) & real.to(ids.device)
        # The audio token may lie outside the decoder's vocabulary; what is looked up in its place is overwritten.
        embeddings = self.model.get_input_embeddings()(ids.masked_fill(places, 0))
        embeddings[places] = torch.cat(encoded).to(embeddings.dtype)
        return embeddings, lengths, {}

    @contextmanager
    def _reading(self, waveforms: Sequence[Array], prompt: str) -> Iterator[Reading]:
        """The prompts, read; inside, an accelerator is this thread's alone."""
        with torch.inference_mode(), self._turn, one_out_of_memory():
            embeddings, lengths, beside = self._embed([self.prepare(waveform, prompt) for waveform in waveforms])
            read = self._decoder(inputs_embeds=embeddings, attention_mask=None, use_cache=True, **beside)
            yield Reading(read.past_key_values, lengths, self._logits(read.last_hidden_state[torch.arange(len(lengths)), lengths - 1]))

    def _decode(self, ids: Tensor, positions: Tensor, mask: Tensor | None, cache: DynamicCache) -> Tensor:
        """See answering.Decoder."""
        embeddings = self.model.get_input_embeddings()(ids)
        read = self._decoder(inputs_embeds=embeddings, position_ids=positions, attention_mask=mask, past_key_values=cache, use_cache=True)
        return self._logits(read.last_hidden_state)

    def _logits(self, hidden: Tensor) -> Tensor:
        head = self.model.get_output_embeddings()
        if head is None:
            raise BackboneError(f"{self.id} has no language-model head; it can't answer, only its heads can be read.")
        return head(hidden).float()

    @property
    def _ends(self) -> list[int]:
        """Tokens that end an answer: a chat model's checkpoint often has two."""
        configured = getattr(self.model.generation_config, "eos_token_id", None)
        listed = configured if isinstance(configured, list | tuple) else [configured]
        return sorted({token for token in (*listed, self.processor.tokenizer.eos_token_id) if token is not None})

    def _texts(self, tokens: Sequence[Sequence[int]]) -> list[str]:
        return [self.processor.tokenizer.decode(list(t), skip_special_tokens=True).strip() for t in tokens]
