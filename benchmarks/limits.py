"""How near extraction is to what the device can do, and what a token budget bounds: parts of `benchmarks/extraction.py`.

The floor: the arithmetic of every clip by itself, trimmed and without padding, at the rate of one large matrix product on the same device
by the same clock. Attention's own products are counted where torch counts them, which it doesn't on a CPU; they are a few per cent.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers import DynamicCache

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.clock import best, clock
from benchmarks.fit import peak_mib, start_peak_mib
from calm_core.backbones.base import free_memory
from calm_core.backbones.chat import ChatBackbone
from calm_core.extraction import tokens
from calm_core.hooks import capture_heads
from calm_core.options import NEUTRAL_PROMPT

SIDES = {"cpu": 1024, "cuda": 8192}  # of the matrices, large enough for the full rate
ROUNDS = 5


def floor_s(backbone: ChatBackbone, waveforms: Sequence[np.ndarray], by: Callable[[], float] = clock) -> tuple[float, float]:
    """Seconds that the arithmetic of these clips takes at the rate of matrix products, and that rate in FLOP/s."""
    with FlopCounterMode(display=False) as counter:
        backbone.read([backbone.prepare(waveforms[0], NEUTRAL_PROMPT)])
    rate = matmul_rate(backbone.device, backbone.model.dtype, by)
    return len(waveforms) * counter.get_total_flops() / rate, rate


def matmul_rate(device: str, dtype: torch.dtype, by: Callable[[], float] = clock) -> float:
    """FLOP/s of one large matrix product."""
    side = SIDES[torch.device(device).type]
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    return 2 * side**3 / best(lambda: a @ b, ROUNDS, by)


def budget_memory(backbone: ChatBackbone, waveform: np.ndarray, budgets: Sequence[int]) -> dict[int, tuple[int, float]]:
    """Clips in one batch of each token budget, and the peak memory in MiB that it takes beyond the weights and its own inputs."""
    found = {}
    for budget in budgets:
        count = max(1, budget // tokens(len(waveform), backbone, NEUTRAL_PROMPT))
        prepared = [backbone.prepare(waveform, NEUTRAL_PROMPT)] * count
        found[budget] = count, _peak_mib(backbone, lambda prepared=prepared: backbone.read(prepared))  # type: ignore[misc]
    return found


def _peak_mib(backbone: ChatBackbone, run: Callable[[], Any]) -> float:
    free_memory(backbone.device)
    if torch.device(backbone.device).type == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    held = start_peak_mib()
    run()
    return peak_mib() - held


def alternatives(backbone: ChatBackbone, waveforms: Sequence[np.ndarray], prefix: int = 20) -> dict[str, float]:
    """How many times as fast the decoder reads one batch in ways that we don't go, against ours.

    compiled: as one graph, by torch.compile, which fuses what isn't a matrix product; prefix kept: with the keys and values of the first
    tokens, which are the same for every clip, from an earlier pass. prefix: their number; Qwen2-Audio's system prompt has about 20.
    """
    with torch.inference_mode():
        embeddings, lengths, _ = backbone._embed([backbone.prepare(waveform, NEUTRAL_PROMPT) for waveform in waveforms])
        constant = torch.randn(1, prefix, embeddings.shape[2]).to(embeddings)
        whole = torch.cat([constant.expand(len(embeddings), -1, -1), embeddings], dim=1)
        kept = backbone._decoder(inputs_embeds=constant, use_cache=True).past_key_values
        eager = best(lambda: _read(backbone._decoder, whole), ROUNDS)
        behind = best(lambda: _read(backbone._decoder, embeddings, _repeated(kept, len(embeddings))), ROUNDS)
    with torch.no_grad():  # torch.compile doesn't take tensors of inference mode
        ordinary, compiled = whole.clone(), torch.compile(backbone._decoder, fullgraph=True, dynamic=False)
        with capture_heads(backbone._projections, backbone.shape.heads, (lengths + prefix - 1).to(whole.device)):
            fused = best(lambda: _read(compiled, ordinary), ROUNDS)
    return {"compiled": eager / fused, "prefix kept": eager / behind}


def _read(decoder: Any, embeddings: Tensor, cache: DynamicCache | None = None) -> None:
    decoder(inputs_embeds=embeddings, attention_mask=None, past_key_values=cache, use_cache=cache is not None)


def _repeated(cache: DynamicCache, copies: int) -> DynamicCache:
    found = DynamicCache()
    for number, layer in enumerate(cache.layers):
        found.update(layer.keys.expand(copies, -1, -1, -1), layer.values.expand(copies, -1, -1, -1), number)
    return found
