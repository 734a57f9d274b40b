"""Head vectors per second against the released code's way: same random weights, same clips, one run.

    python benchmarks/extraction.py                      # about 30 M parameters, 5-s clips
    python benchmarks/extraction.py --wall               # by the wall's clock, on an idle machine
    python benchmarks/extraction.py --profile            # where the time goes: mel, encoder, decoder, transfer
    python benchmarks/extraction.py --budgets            # the memory of one batch at three token budgets
    python benchmarks/extraction.py --alternatives       # ways of reading that we don't go
    python benchmarks/extraction.py --size tiny --clips 4

Qwen2-Audio's architecture with random weights in three sizes. The middle one has the 7B model's proportions: its encoder and its head
hold a tenth of its decoder's parameters each. All variants begin with WAV files. Their rounds alternate; of times and of ratios, each of
one round, the median is given, and of ratios the quartiles; the 20 passes are measured once. clock.py says by which clock, limits.py what
the arithmetic floor is.
The variants:

    naive        `benchmarks/naive.py`, one pass per clip; its default repeats each pass 20 times, which is measured on a clip or two
    ours         `calm_core.extraction.extract` into an empty store: batches of the token budget, two of them under way
    in turn      the same batches without a store, every file decoded and every clip prepared when it is its turn
    sparse       ours, stopped after the highest layer of a fitted model of 20 heads in the lower half of the layers
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import soundfile
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from transformers import Qwen2AudioConfig, Qwen2AudioForConditionalGeneration, Qwen2AudioProcessor, WhisperFeatureExtractor

from benchmarks import limits, naive
from benchmarks.clock import clock, timed, wall
from calm_core import audio
from calm_core.backbones import load_backbone, resolve_device
from calm_core.backbones.trimmed import Qwen2AudioBackbone
from calm_core.extraction import CPU_TOKEN_BUDGET, TOKEN_BUDGET, extract, tokens
from calm_core.hooks import HeadCapture
from calm_core.options import NEUTRAL_PROMPT
from calm_core.vectors import VectorStore

RATE_HZ = 16_000
BUDGETS = (4096, 16_384, 65_536)  # tokens
# encoder (width, layers, heads), decoder (width, layers, heads, inner width), vocabulary
SIZES = {
    "tiny": ((32, 1, 2), (64, 4, 4, 128), 2048),
    "30m": ((192, 6, 4), (448, 10, 8, 1408), 6016),
    "7b": ((1280, 32, 20), (4096, 32, 32, 11008), 156_032),
}


def build(size: str, device: str, dtype: torch.dtype) -> Qwen2AudioBackbone:
    """A random Qwen2-Audio with Whisper's 128 mel bins and 30-s window."""
    (e_width, e_layers, e_heads), (width, layers, heads, inner), vocabulary = SIZES[size]
    tokenizer = load_backbone("pocket", "cpu").processor.tokenizer  # type: ignore[attr-defined]
    template = load_backbone("pocket", "cpu").processor.chat_template  # type: ignore[attr-defined]
    processor = Qwen2AudioProcessor(WhisperFeatureExtractor(feature_size=128), tokenizer, chat_template=template)
    config = Qwen2AudioConfig(
        audio_config={
            "model_type": "qwen2_audio_encoder",
            "num_mel_bins": 128,
            "d_model": e_width,
            "encoder_layers": e_layers,
            "encoder_attention_heads": e_heads,
            "encoder_ffn_dim": 4 * e_width,
            "max_source_positions": 1500,
        },
        text_config={
            "model_type": "qwen2",
            "vocab_size": vocabulary,
            "hidden_size": width,
            "intermediate_size": inner,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": heads,
            "pad_token_id": None,
            "bos_token_id": None,
        },
        audio_token_index=processor.audio_token_id,
    )
    torch.manual_seed(0)
    with torch.device(device):
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        model = Qwen2AudioForConditionalGeneration._from_config(config, attn_implementation="sdpa")
        torch.set_default_dtype(before)
    return Qwen2AudioBackbone(size, "random", model, processor, device)


def ours(backbone: Qwen2AudioBackbone, paths: list[Path], layers: int | None = None) -> np.ndarray:
    with TemporaryDirectory() as folder:
        return extract(paths, backbone, store=VectorStore(Path(folder)), layers=layers).values


def in_turn(backbone: Qwen2AudioBackbone, paths: list[Path]) -> np.ndarray:
    """In batches of the token budget, nothing ahead; for clips of one length."""
    waveforms = [audio.load(path, RATE_HZ).samples for path in paths]
    budget = CPU_TOKEN_BUDGET if backbone.device == "cpu" else TOKEN_BUDGET
    size = max(1, budget // tokens(len(waveforms[0]), backbone, NEUTRAL_PROMPT))
    batches = [waveforms[i : i + size] for i in range(0, len(waveforms), size)]
    return np.concatenate([backbone.extract(batch, NEUTRAL_PROMPT) for batch in batches])


def noise(clips: int, seconds: float) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(0, 0.1, round(seconds * RATE_HZ)).astype(np.float32) for _ in range(clips)]


@contextmanager
def written(waveforms: list[np.ndarray]) -> Iterator[list[Path]]:
    """The clips as WAV files."""
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{i}.wav" for i in range(len(waveforms))]
        for path, waveform in zip(paths, waveforms, strict=True):
            soundfile.write(path, waveform, RATE_HZ, subtype="FLOAT")
        yield paths


def measure(
    size: str, clips: int, seconds: float, rounds: int, device: str, dtype: torch.dtype, by: Callable[[], float] = clock
) -> dict[str, Any]:
    backbone = build(size, device, dtype)
    waveforms = noise(clips, seconds)
    lower = backbone.shape.layers // 2
    few = max(1, clips // 8)
    with written(waveforms) as paths:
        variants: dict[str, Callable[[], np.ndarray]] = {
            "naive": lambda: naive.extract(backbone, paths, NEUTRAL_PROMPT),
            "ours": lambda: ours(backbone, paths),
            "in turn": lambda: in_turn(backbone, paths),
            "sparse": lambda: ours(backbone, paths, lower),
        }
        found = {name: run() for name, run in variants.items()}  # warms up, and gives what is compared
        times: dict[str, list[float]] = {name: [] for name in variants}
        for _ in range(rounds):
            for name, run in variants.items():
                times[name].append(timed(run, by) / clips)
        times["naive_20"] = [timed(lambda: naive.extract(backbone, paths[:few], NEUTRAL_PROMPT, naive.TRIALS), by) / few]
    per_clip = {name: statistics.median(each) for name, each in times.items()}
    scale = float(np.abs(found["naive"]).max())
    floor_s, rate = limits.floor_s(backbone, waveforms, by)
    return {
        "size": size,
        "parameters_m": sum(p.numel() for p in backbone.model.parameters()) / 1e6,
        "device": device,
        "dtype": str(dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "clips": clips,
        "seconds": seconds,
        "ms_per_clip": {name: 1000 * value for name, value in per_clip.items()},
        "faster": {
            "than naive, one pass": _ratio(times["naive"], times["ours"]),
            "than naive, its 20 passes": _ratio(times["naive_20"] * rounds, times["ours"]),
            "than naive, sparse model": _ratio(times["naive"], times["sparse"]),
            "than in turn": _ratio(times["in turn"], times["ours"]),
        },
        "clips_per_s": 1 / per_clip["ours"],
        "tokens_per_s": len(backbone.prepare(waveforms[0], NEUTRAL_PROMPT).ids) / per_clip["ours"],
        "matmul_tflops": rate / 1e12,
        "share_of_floor": floor_s / clips / per_clip["ours"],
        "largest_difference": {
            "ours": float(np.abs(found["ours"] - found["naive"]).max()) / scale,
            "sparse": float(np.abs(found["sparse"] - found["naive"])[:, :lower].max()) / scale,
        },
    }


def _ratio(slower: Sequence[float], faster: Sequence[float]) -> tuple[float, float, float]:
    """Of every round: the median, and the quartiles about it."""
    low, median, high = np.quantile(np.divide(slower, faster), [0.25, 0.5, 0.75])
    return float(median), float(low), float(high)


def profile(size: str, clips: int, seconds: float, device: str, dtype: torch.dtype) -> dict[str, float]:
    """Share of `in_turn` in each part, by timing the parts; the rest (merging, cutting into batches) is what they leave."""
    backbone = build(size, device, dtype)
    spent = dict.fromkeys(("decode", "mel and tokens", "encoder", "decoder", "transfer"), 0.0)
    with (
        written(noise(clips, seconds)) as paths,
        _clocked(audio, "load", spent, "decode"),
        _clocked(backbone, "prepare", spent, "mel and tokens"),
        _clocked(backbone, "_encode", spent, "encoder"),
        _clocked(backbone._decoder, "forward", spent, "decoder"),
        _clocked(HeadCapture, "vectors", spent, "transfer"),
    ):
        in_turn(backbone, paths)
        spent |= dict.fromkeys(spent, 0.0)  # that was for warming up
        whole = timed(lambda: in_turn(backbone, paths))
    return {**{name: value / whole for name, value in spent.items()}, "rest": 1 - sum(spent.values()) / whole}


@contextmanager
def _clocked(owner: Any, method: str, spent: dict[str, float], name: str) -> Iterator[None]:
    original = getattr(owner, method)

    def clocked(*args: Any, **kwargs: Any) -> Any:
        start = clock()
        try:
            return original(*args, **kwargs)
        finally:
            spent[name] += clock() - start

    with patch.object(owner, method, clocked):
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="30m")
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--wall", action="store_true", help="by the wall's clock, on an idle machine")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--profile", action="store_true", help="say where the time goes instead")
    instead.add_argument(
        "--budgets", action="store_true", help=f"say what memory batches of {', '.join(map(str, BUDGETS))} tokens take instead"
    )
    instead.add_argument("--alternatives", action="store_true", help="say how fast ways are that we don't go instead")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.wall and (arguments.profile or arguments.budgets or arguments.alternatives):
        parser.error("--wall goes with the comparison alone; leave it out.")
    device = resolve_device(arguments.device)
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    by = wall if arguments.wall else clock
    about = f"{str(dtype).removeprefix('torch.')} on {device}, clips of {arguments.seconds:g} s"
    if arguments.profile:
        found: dict[str, Any] = profile(arguments.size, arguments.clips, arguments.seconds, device, dtype)
        lines = [f"{name:<16}{share:6.1%}" for name, share in found.items()]
    elif arguments.budgets:
        backbone = build(arguments.size, device, dtype)
        found = {str(b): each for b, each in limits.budget_memory(backbone, noise(1, arguments.seconds)[0], BUDGETS).items()}
        lines = [
            f"budget {b:>6}: {clips:4} clips, {mib:7.0f} MiB, {1024 * mib / int(b):5.1f} KiB a token" for b, (clips, mib) in found.items()
        ]
    elif arguments.alternatives:
        found = limits.alternatives(build(arguments.size, device, dtype), noise(arguments.clips, arguments.seconds))
        lines = [f"{name:<12}{value:6.2f}x as fast as ours" for name, value in found.items()]
    else:
        found = measure(arguments.size, arguments.clips, arguments.seconds, arguments.rounds, device, dtype, by)
        lines = [f"{found['parameters_m']:.0f} M parameters"]
        lines += [f"  {name:<10}{value:9.1f} ms per clip" for name, value in found["ms_per_clip"].items()]
        lines += [f"  {ratio:5.1f}x [{low:.1f}, {high:.1f}] faster {name}" for name, (ratio, low, high) in found["faster"].items()]
        lines += [f"  {found['clips_per_s']:.1f} clips/s, {found['tokens_per_s']:.0f} tokens/s"]
        lines += [f"  {found['share_of_floor']:.0%} of the arithmetic floor at {found['matmul_tflops']:.2f} TFLOP/s"]
        lines += [f"  largest difference {max(found['largest_difference'].values()):.1e} of the largest value"]
    print(json.dumps(found) if arguments.json else "\n".join([about, *lines]))


if __name__ == "__main__":
    main()
