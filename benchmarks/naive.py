"""Head vectors the way of the released code, written by us from its description: the measure of `benchmarks/extraction.py`.

One clip at a time, its mel padded to 30 s; inputs and outputs of every layer's output projection kept for all tokens; logits of the whole
vocabulary at every position; the accelerator's cache emptied around every pass; and, by default, every deterministic pass repeated
20 times and averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import librosa
import numpy as np
import torch

from calm_core.backbones.chat import ChatBackbone

TRIALS = 20  # the released default


def extract(backbone: ChatBackbone, paths: Sequence[Path], prompt: str, trials: int = 1) -> np.ndarray:
    """Head vectors (N, L, H, D) float32 of audio files by a backbone's own model and processor."""
    waveforms = (librosa.load(path, sr=backbone.sample_rate_hz)[0] for path in paths)
    return np.stack([np.mean([_one_pass(backbone, waveform, prompt) for _ in range(trials)], axis=0) for waveform in waveforms])


def _one_pass(backbone: ChatBackbone, waveform: np.ndarray, prompt: str) -> np.ndarray:
    empty_cache()
    inputs = backbone.processor(
        text=[backbone._text(prompt)], audio=[waveform], sampling_rate=backbone.sample_rate_hz, return_tensors="pt", padding=True
    ).to(backbone.device)
    inputs["input_features"] = inputs["input_features"].to(backbone.model.dtype)
    kept: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def keep(layer: int):  # type: ignore[no-untyped-def]
        def hook(_module: torch.nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            kept[layer] = (args[0].detach().clone(), output.detach().clone())

        return hook

    hooks = [projection.register_forward_hook(keep(layer)) for layer, projection in enumerate(backbone._projections)]
    try:
        with torch.no_grad():
            backbone.model(**inputs, use_cache=True)
    finally:
        for hook in hooks:
            hook.remove()
    empty_cache()
    every_token = torch.stack([kept[layer][0] for layer in range(len(kept))])  # (L, 1, tokens, H * D)
    vectors = every_token[:, 0, -1].float().cpu().unflatten(-1, (backbone.shape.heads, -1)).numpy()
    kept.clear()
    empty_cache()
    return vectors


def empty_cache() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
