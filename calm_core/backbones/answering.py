"""Text from a language model that has read its prompt: greedy and sampled answers, and how likely given answers are.

Knows tokens, logits and the cache of keys and values; knows no audio, no processor and no model family. The prompt is read once; every
answer goes on from its cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from ..errors import BackboneError

MAX_ANSWER_TOKENS = 32  # a class name or a caption; what is longer is cut
MAX_CANDIDATES = 64  # answers scored in one pass


class Decoder(Protocol):
    """The language model with its head: token ids (N, t) at positions (N, t) after a cache -> logits (N, t, vocabulary) float32.

    mask: (N, cached + t), 1 for what may be attended to; None where nothing is padded.
    """

    def __call__(self, ids: Tensor, positions: Tensor, mask: Tensor | None, cache: DynamicCache) -> Tensor: ...


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Prompts that were read, padded on the right. cache: keys and values of all tokens, pads included, and what is said next is added.

    lengths: (N,) real tokens of each prompt; logits: (N, vocabulary) float32 of the first answer token.
    """

    cache: DynamicCache
    lengths: Tensor
    logits: Tensor

    def row(self, i: int, copies: int) -> DynamicCache:
        """The cache of one prompt without its pads, several times. Raises BackboneError where a layer keeps no keys of all tokens."""
        n, cache = int(self.lengths[i]), DynamicCache()
        for number, layer in enumerate(self.cache.layers):
            if type(layer) is not DynamicLayer or layer.keys is None or layer.values is None:
                raise BackboneError(
                    f"layer {number} keeps a {type(layer).__name__}, not all its keys and values; this model's answers can't be compared."
                )
            keys, values = (kept[i : i + 1, :, :n].expand(copies, -1, -1, -1) for kept in (layer.keys, layer.values))
            cache.update(keys, values, number)
        return cache

    def repeated(self, copies: int) -> Reading:
        """Every prompt several times in a row. Uses up this reading's cache."""
        self.cache.batch_repeat_interleave(copies)
        return Reading(self.cache, self.lengths.repeat_interleave(copies), self.logits.repeat_interleave(copies, 0))


def generate(decoder: Decoder, reading: Reading, ends: Sequence[int], uniforms: Tensor | None = None) -> list[list[int]]:
    """Answers as token ids, without their end. Uses up the reading's cache.

    ends: tokens of which any ends an answer. uniforms: None for the likeliest token each time, else (N, MAX_ANSWER_TOKENS) numbers
    in [0, 1) that draw the tokens from the model's distribution, so that a row's answer doesn't depend on its neighbours.
    """
    device, lengths = reading.logits.device, reading.lengths.to(reading.logits.device)
    stop = torch.tensor(ends, device=device)
    # Between a row's prompt and its answer lie the pads of its batch: masked, and not counted in positions.
    mask = (torch.arange(reading.cache.get_seq_length(), device=device) < lengths[:, None]).long()
    logits, said = reading.logits, list[Tensor]()
    finished = torch.zeros(len(logits), dtype=torch.bool, device=device)
    for step in range(MAX_ANSWER_TOKENS):
        token = logits.argmax(-1) if uniforms is None else _draw(logits, uniforms[:, step])
        finished |= torch.isin(token, stop)
        said.append(torch.where(finished, -1, token))
        if finished.all() or step == MAX_ANSWER_TOKENS - 1:
            break
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        logits = decoder(token[:, None], (lengths + step)[:, None], mask, reading.cache)[:, -1]
    return [[t for t in row if t >= 0] for row in torch.stack(said, 1).tolist()]


def mean_log_likelihoods(decoder: Decoder, reading: Reading, candidates: Sequence[Sequence[int]], ends: Sequence[int]) -> Tensor:
    """(N, A) float32 on the CPU: the mean log-likelihood per token of each candidate answer, its end counted as one more token.

    Where several tokens can end an answer, their probabilities are added.
    """
    device, first = reading.logits.device, reading.logits.log_softmax(-1)
    found = torch.empty(len(first), len(candidates))
    for start in range(0, len(candidates), MAX_CANDIDATES):
        part = candidates[start : start + MAX_CANDIDATES]
        sizes = torch.tensor([len(tokens) for tokens in part], device=device)
        ids = torch.zeros(len(part), int(sizes.max()), dtype=torch.long, device=device)  # padded on the right: causality hides the pads
        for a, tokens in enumerate(part):
            ids[a, : len(tokens)] = torch.tensor(tokens)
        real = torch.arange(ids.shape[1], device=device) < sizes[:, None]
        for i in range(len(first)):
            positions = (reading.lengths[i].to(device) + torch.arange(ids.shape[1], device=device)).expand_as(ids)
            after = decoder(ids, positions, None, reading.row(i, len(part))).log_softmax(-1)  # of what follows each token
            follows = torch.cat([first[i].expand(len(part), 1, -1), after[:, :-1]], dim=1)
            said = follows.gather(-1, ids[..., None])[..., 0].masked_fill(~real, 0).sum(1)
            end = after[torch.arange(len(part), device=device), sizes - 1][:, list(ends)].logsumexp(-1)
            found[i, start : start + len(part)] = ((said + end) / (sizes + 1)).cpu()
    return found


def _draw(logits: Tensor, uniform: Tensor) -> Tensor:
    """One token per row (N,): the first whose cumulated probability exceeds the row's uniform number."""
    cumulated = logits.cpu().double().softmax(-1).cumsum(-1)  # on the CPU: not every device counts in float64, which draws want
    drawn = torch.searchsorted(cumulated, uniform.cpu()[:, None] * cumulated[:, -1:], right=True)[:, 0]
    return drawn.clamp(max=logits.shape[-1] - 1).to(logits.device)
