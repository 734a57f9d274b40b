"""Trains the pocket backbone: a small Qwen2-Audio-architecture model, from scratch, on generated sounds only.

    python tools/train_pocket.py --out assets/pocket --clips 100000 --seed 0

Every training example is a fresh sound of `tools/synth/` under fresh recording conditions, asked about in the chat format,
answered by its family and attributes measured from the waveform ("dog bark; bright; sparse; ..."). Beside the caption's loss stands
one on the heads themselves (`HeadVote`): they are trained for the vote that CALM holds. No recording is used, and the
families `synth.HELD_OUT` are never heard: pockets are compared on them. Beside the weights stand the processor, the configuration of
this run, its log and its loss curve. Needs no accelerator; uses one when there.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, IterableDataset
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    WhisperFeatureExtractor,
)

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a script: `tools` and `calm_core` are found from the repository root

from calm_core.backbones.base import find_projections  # noqa: E402
from calm_core.options import NEUTRAL_PROMPT  # noqa: E402
from tools import synth  # noqa: E402

WINDOW_S = 5
HOP = 320  # samples, 20 ms: half Whisper's frame rate, so half the work; a token of the language model lasts 80 ms
N_FFT = 512
N_MELS = 64
SPECIAL = {
    "audio_token": "<|AUDIO|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
    "im_start_token": "<|im_start|>",
    "im_end_token": "<|im_end|>",
}
PROMPTS = (NEUTRAL_PROMPT, "What is this sound?", "What do you hear?", "Describe the sound.")
PROMPT_SHARES = (0.7, 0.1, 0.1, 0.1)
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>\n"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


LOG_COLUMNS = ("clips", "seconds", "caption_loss", "vote_loss", "head_loss", "held_out_family_accuracy")


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """One run. clips: sounds generated and seen, each once, by which the schedule goes; stop_after: end earlier all the same."""

    clips: int = 100_000
    stop_after: int = 0  # clips; 0: at the schedule's end
    seed: int = 0
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup: float = 0.03  # share of the run
    ema_half_life: float = 0.02  # of the averaged weights, as a share of the run
    whole_window: float = 0.7  # share of clips that fill the window; the others are 0.5 to 5 s long
    overheard: float = 0.2  # share of clips with another family's sound faintly behind
    masked: float = 0.5  # share of clips with a band and a stretch of their spectrogram blanked (SpecAugment, arXiv 1904.08779)
    vote: float = 1.0  # weight of the heads' joint vote beside the caption
    each_head: float = 0.3  # weight of every head's own guess beside the caption
    tau: float = 0.1  # of a head's posterior in the vote
    encoder_layers: int = 3
    layers: int = 4
    heads: int = 16
    head_dim: int = 16
    width: int = 128
    workers: int = 1


def build_processor() -> Qwen2AudioProcessor:
    """The true processor of the family with a byte-level tokenizer whose merges make each caption word one token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000, min_frequency=1, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    words = [*synth.FAMILIES, *(w for words in synth.ATTRIBUTE_WORDS.values() for w in words), *PROMPTS, "system user assistant"]
    tokenizer.train_from_iterator([f"{w}; {w}; {w}" for w in words], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<|endoftext|>", eos_token="<|im_end|>", extra_special_tokens=SPECIAL, padding_side="right"
    )
    extractor = WhisperFeatureExtractor(
        feature_size=N_MELS, sampling_rate=synth.SAMPLE_RATE_HZ, hop_length=HOP, n_fft=N_FFT, chunk_length=WINDOW_S
    )
    return Qwen2AudioProcessor(extractor, fast, chat_template=CHAT_TEMPLATE)


def build_model(options: TrainOptions, processor: Qwen2AudioProcessor) -> Qwen2AudioForConditionalGeneration:
    tokenizer = processor.tokenizer
    config = Qwen2AudioConfig(
        audio_config={
            "model_type": "qwen2_audio_encoder",
            "num_mel_bins": N_MELS,
            "encoder_layers": options.encoder_layers,
            "encoder_attention_heads": 4,
            "encoder_ffn_dim": 4 * options.width,
            "d_model": options.width,
            "max_source_positions": processor.feature_extractor.nb_max_frames // 2,
        },
        text_config={
            "model_type": "qwen2",
            "vocab_size": len(tokenizer),
            "hidden_size": options.width,
            "intermediate_size": 3 * options.width,
            "num_hidden_layers": options.layers,
            "num_attention_heads": options.heads,
            "num_key_value_heads": options.heads,
            "head_dim": options.head_dim,
            "max_position_embeddings": 512,
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "bos_token_id": None,
        },
        audio_token_index=tokenizer.convert_tokens_to_ids(SPECIAL["audio_token"]),
        tie_word_embeddings=False,
    )
    torch.manual_seed(options.seed)
    return Qwen2AudioForConditionalGeneration(config)


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    features: Tensor  # (N_MELS, frames of the whole window)
    frames: int  # that hold sound
    tokens: list[int]  # prompt with its audio tokens, then the answer
    n_prompt: int
    family: str


class GeneratedSounds(IterableDataset[Example]):
    """An endless stream of fresh examples; `first_seed` and the worker's number fix it."""

    def __init__(self, options: TrainOptions, processor: Qwen2AudioProcessor, first_seed: int) -> None:
        self.options, self.processor, self.first_seed = options, processor, first_seed

    def __iter__(self) -> Iterator[Example]:
        info = torch.utils.data.get_worker_info()
        if info:
            torch.set_num_threads(1)
        rng = np.random.default_rng([self.first_seed, info.id if info else 0])
        while True:
            for family in rng.permutation(synth.TRAINED):
                yield self.example(str(family), rng)

    def example(self, family: str, rng: np.random.Generator) -> Example:
        seconds = WINDOW_S if rng.random() < self.options.whole_window else rng.uniform(0.5, WINDOW_S)
        clean = synth.render(family, rng, seconds)
        if rng.random() < self.options.overheard:
            other = synth.render(str(rng.choice(synth.TRAINED)), rng, seconds)
            clean = clean + other * np.float32(10 ** (-rng.uniform(12, 30) / 20) * np.linalg.norm(clean) / (np.linalg.norm(other) + 1e-9))
        wave = synth.augment(clean, rng)
        answer = "; ".join([family, *synth.attributes(wave).values()])
        prompt = PROMPTS[rng.choice(len(PROMPTS), p=PROMPT_SHARES)]
        message = [{"role": "user", "content": [{"type": "audio"}, {"type": "text", "text": prompt}]}]
        text = self.processor.apply_chat_template(message, add_generation_prompt=True, tokenize=False)
        inputs = self.processor(text=[text], audio=[wave], sampling_rate=synth.SAMPLE_RATE_HZ, return_tensors="pt")
        tokens = inputs["input_ids"][0].tolist()
        answer_tokens = self.processor.tokenizer(answer + SPECIAL["im_end_token"])["input_ids"]
        features, frames = inputs["input_features"][0], int(inputs["feature_attention_mask"].sum())
        if rng.random() < self.options.masked:
            blank(features, frames, rng)
        return Example(features, frames, [*tokens, *answer_tokens], len(tokens), family)


def blank(features: Tensor, frames: int, rng: np.random.Generator) -> None:
    """Sets a band of up to a fifth of the mel bands and a stretch of up to a fifth of the frames to the quietest value, in place."""
    quiet = features.min()
    for axis, size in enumerate((N_MELS, frames)):
        width = int(rng.integers(size // 5 + 1))
        features.narrow(axis, int(rng.integers(size - width + 1)), width).fill_(quiet)


def collate(examples: list[Example]) -> dict[str, Any]:
    """Pads on the right; targets are -100 everywhere but on the answers."""
    longest = max(len(e.tokens) for e in examples)
    ids = torch.zeros(len(examples), longest, dtype=torch.long)
    targets = torch.full_like(ids, -100)
    frame = torch.arange(examples[0].features.shape[1])
    for i, e in enumerate(examples):
        ids[i, : len(e.tokens)] = torch.tensor(e.tokens)
        targets[i, e.n_prompt - 1 : len(e.tokens) - 1] = torch.tensor(e.tokens[e.n_prompt :])
    return {
        "input_ids": ids,
        "input_features": torch.stack([e.features for e in examples]),
        "feature_attention_mask": torch.stack([(frame < e.frames).long() for e in examples]),
        "targets": targets,
        "n_prompt": torch.tensor([e.n_prompt for e in examples]),
        "family": torch.tensor([synth.TRAINED.index(e.family) for e in examples]),
    }


class HeadVote(torch.nn.Module):
    """What the head vectors are made for, CALM's vote, with learned centroids and weights that only training knows.

    A head's posterior is the softmax over its cosines to the families' centroids; the vote is sum over heads of w p with one
    column of weights a family. The logarithm comes after the sum: some heads must know each family, not all of them, so heads
    may specialise. `each_head` asks a little of every head as well, that none goes deaf.
    """

    def __init__(self, options: TrainOptions) -> None:
        super().__init__()
        heads = options.layers * options.heads
        self.tau = options.tau
        self.centroids = torch.nn.Parameter(torch.randn(heads, len(synth.TRAINED), options.head_dim))
        self.weights = torch.nn.Parameter(torch.zeros(heads, len(synth.TRAINED)))  # softmax over heads gives w

    def forward(self, vectors: Tensor, family: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of the vote and of the single heads for vectors (L * H, N, D) and families (N,)."""
        cosines = F.normalize(vectors, dim=-1) @ F.normalize(self.centroids, dim=-1).transpose(1, 2)
        log_p = torch.log_softmax(cosines / self.tau, dim=-1)  # (L * H, N, families)
        log_votes = torch.logsumexp(log_p + torch.log_softmax(self.weights, dim=0).unsqueeze(1), dim=0)
        each = -log_p[:, torch.arange(len(family)), family].mean()
        return F.cross_entropy(log_votes, family), each


def losses(model: Any, projections: list[torch.nn.Linear], vote: HeadVote, batch: dict[str, Any], device: str) -> Tensor:
    """The losses (3,) of the caption's answer tokens, of the heads' vote, and of every head on its own."""
    inputs = {k: batch[k].to(device) for k in ("input_ids", "input_features", "feature_attention_mask")}
    last = batch["n_prompt"].to(device) - 1
    rows = torch.arange(len(last), device=device)
    seen: list[Tensor] = []
    hooks = [p.register_forward_pre_hook(lambda _, args: seen.append(args[0][rows, last])) for p in projections]
    try:
        hidden = model.model(**inputs, attention_mask=None, use_cache=False).last_hidden_state
    finally:
        for hook in hooks:
            hook.remove()
    targets = batch["targets"].to(device)
    asked = targets != -100
    caption = F.cross_entropy(model.lm_head(hidden[asked]).float(), targets[asked])
    vectors = torch.stack(seen, 1).unflatten(-1, (-1, vote.centroids.shape[-1])).flatten(1, 2).transpose(0, 1)  # (L * H, N, D)
    return torch.stack([caption, *vote(vectors.float(), batch["family"].to(device))])


@torch.inference_mode()
def family_accuracy(model: Any, batches: list[dict[str, Any]], device: str) -> float:
    """Share of held-out generated clips whose first answer token is right."""
    model.eval()
    right, total = 0, 0
    for batch in batches:
        inputs = {k: batch[k].to(device) for k in ("input_ids", "input_features", "feature_attention_mask")}
        hidden = model.model(**inputs, attention_mask=None, use_cache=False).last_hidden_state
        rows, last = torch.arange(len(hidden)), batch["n_prompt"] - 1
        guess = model.lm_head(hidden[rows, last.to(device)]).argmax(-1).cpu()
        right += int((guess == batch["targets"][rows, last]).sum())
        total += len(guess)
    model.train()
    return right / total


class Muon(torch.optim.Optimizer):
    """Muon (Jordan et al., 2024): momentum, made orthogonal, at the length of AdamW's steps. Matrices of one shape go together.

    torch.optim.Muon does the same one matrix at a time in bfloat16: 2 s a step on a CPU without bfloat16 units, this 0.13 s.
    """

    def __init__(self, matrices: Iterable[torch.nn.Parameter], lr: float, weight_decay: float, momentum: float = 0.95) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # noqa: ARG002 (the base class has it)
        for group in self.param_groups:
            of_shape: dict[torch.Size, list[Tensor]] = {}
            for parameter in group["params"]:
                of_shape.setdefault(parameter.shape, []).append(parameter)
            for shape, alike in of_shape.items():
                gradient = torch.stack([parameter.grad for parameter in alike])
                average = self.state[alike[0]].setdefault("average", torch.zeros_like(gradient))
                average.lerp_(gradient, 1 - group["momentum"])
                steps = orthogonal(gradient.lerp(average, group["momentum"])) * (0.2 * max(shape) ** 0.5)
                for parameter, step in zip(alike, steps, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"]).sub_(step, alpha=group["lr"])


def orthogonal(matrices: Tensor) -> Tensor:
    """Matrices (n, a, b) with their singular values brought near 1, by five Newton-Schulz steps of Muon's quintic."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = F.normalize(matrices.mT if tall else matrices, dim=(-2, -1))
    for _ in range(5):
        gram = x @ x.mT
        x = 3.4445 * x + (2.0315 * gram @ gram - 4.775 * gram) @ x
    return x.mT if tall else x


def build_optimisers(model: torch.nn.Module, vote: HeadVote, options: TrainOptions) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers: by it the first 12,000 clips taught what AdamW took 18,000 for. AdamW for all else."""
    matrices = {name: p for name, p in model.named_parameters() if p.ndim == 2 and "layers." in name}
    others = [p for name, p in model.named_parameters() if name not in matrices] + list(vote.parameters())
    return [
        Muon(matrices.values(), options.learning_rate, options.weight_decay),
        torch.optim.AdamW(others, lr=options.learning_rate, weight_decay=options.weight_decay, betas=(0.9, 0.98)),
    ]


def train(options: TrainOptions, out: Path, device: str) -> None:
    processor = build_processor()
    model = build_model(options, processor).to(device).train()
    projections, _ = find_projections(model.get_decoder(), options.layers, options.heads)
    vote = HeadVote(options).to(device)
    steps = math.ceil(options.clips / options.batch)
    decay = 0.5 ** (1 / max(1.0, options.ema_half_life * steps))
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
    optimisers = build_optimisers(model, vote, options)

    def schedule(step: int) -> float:
        done = (step + 1) / steps
        return min(done / options.warmup, 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))

    schedulers = [torch.optim.lr_scheduler.LambdaLR(optimiser, schedule) for optimiser in optimisers]
    loader = DataLoader(
        GeneratedSounds(options, processor, options.seed),
        options.batch,
        collate_fn=collate,
        num_workers=options.workers,
        prefetch_factor=4 if options.workers else None,
    )
    held_out = iter(GeneratedSounds(options, processor, options.seed + 1_000_003))
    held_batches = [collate([next(held_out) for _ in range(64)]) for _ in range(8)]
    out.mkdir(parents=True, exist_ok=True)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(synth.TRAINED)} families, {steps} steps on {device}")
    with open(out / "training_log.csv", "w", newline="") as file:
        log = csv.writer(file)
        log.writerow(LOG_COLUMNS)
        share = torch.tensor([1.0, options.vote, options.each_head], device=device)
        start, running = time.monotonic(), np.zeros(3)
        for step, batch in zip(range(1, steps + 1), loader, strict=False):
            parts = losses(model, projections, vote, batch, device)
            loss = share @ parts
            for optimiser in optimisers:
                optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for stepped in (*optimisers, *schedulers):
                stepped.step()
            averaged.update_parameters(model)
            now = parts.detach().double().cpu().numpy()
            running = now if step == 1 else 0.98 * running + 0.02 * now
            last = step == steps or 0 < options.stop_after <= step * options.batch
            if step % max(1, steps // 40) == 0 or last:
                accuracy = family_accuracy(averaged.module, held_batches, device)
                row = [step * options.batch, round(time.monotonic() - start), *running.round(4).tolist(), round(accuracy, 4)]
                log.writerow(row)
                file.flush()
                print(*row, flush=True)
                averaged.module.to(torch.float32).save_pretrained(out)  # a stopped run leaves usable weights
            if last:
                break
    processor.save_pretrained(out)
    (out / "train_options.json").write_text(json.dumps(asdict(options), indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    for name, default in asdict(TrainOptions()).items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(default), default=default)
    arguments = vars(parser.parse_args())
    out, device = arguments.pop("out"), arguments.pop("device")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the workers are forked
    train(TrainOptions(**arguments), out, device)


if __name__ == "__main__":
    main()
