"""When do class-conditional weights win? By the number of heads, the share of deaf ones, and the shots; planted heads, then the pocket's.

    python benchmarks/study.py

Planted heads of 16 dimensions hear 10 classes through noise. Generalists hear all of them; specialists hear 2 each and noise for the
others; deaf heads hear noise alone. The pocket's heads listen to generated clips of the families it was never trained on, some of
its heads taken out or deaf ones put beside them. Prints accuracy in % (mean over episodes) as tables.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import pocket
from calm_core.baselines import LADDER, Support, fit_and_score
from calm_core.options import FitOptions

METHODS = ("uniform", "grw", "calm", "calm_auto")
CLASSES, QUERIES, HEAD_DIM, EPISODES = 10, 10, 16, 10
HEARS = 2  # classes that a specialist hears
LOUDNESS = 0.5  # length of a class's mean per dimension, in standard deviations of the noise
SHOTS = (5, 20)


def planted(heads: int, deaf: float, special: bool, rng: np.random.Generator, clips: int) -> tuple[torch.Tensor, np.ndarray]:
    """Vectors (CLASSES * clips, 1, heads, HEAD_DIM) and their classes."""
    y = np.repeat(np.arange(CLASSES), clips)
    means = LOUDNESS * rng.standard_normal((CLASSES, heads, HEAD_DIM))
    means[:, : round(deaf * heads)] = 0
    if special:
        hears = rng.random((CLASSES, heads)).argsort(0) < HEARS
        means *= hears[:, :, None]
    x = means[y] + rng.standard_normal((len(y), heads, HEAD_DIM))
    return torch.from_numpy(x[:, None].astype(np.float32)), y


def accuracies(x: torch.Tensor, y: np.ndarray, shots: int, rng: np.random.Generator) -> dict[str, float]:
    """Every method's accuracy on QUERIES clips a class, learned from `shots` others."""
    rows = np.stack([rng.permutation(np.flatnonzero(y == c)) for c in range(CLASSES)])
    support, queries = rows[:, :shots].ravel(), rows[:, shots : shots + QUERIES].ravel()
    learned = Support(x[support], torch.from_numpy(y[support]), torch.arange(len(support)), CLASSES, FitOptions())
    return {
        rung.method: float((fit_and_score(rung, learned, x[queries]).argmax(1) == y[queries]).mean())
        for rung in LADDER
        if rung.method in METHODS
    }


def row(name: str, shots: int, episodes: Iterator[dict[str, float]]) -> str:
    found = list(episodes)
    cells = [f"{100 * np.mean([episode[method] for episode in found]):.1f}" for method in METHODS]
    gain = np.array([episode["calm"] - episode["uniform"] for episode in found])
    interval = 196 * gain.std(ddof=1) / len(gain) ** 0.5
    return f"| {name} | {shots} | {' | '.join(cells)} | {100 * gain.mean():+.1f} +- {interval:.1f} |"


def planted_rows() -> Iterator[str]:
    for special, heads, deaf, shots in product((False, True), (32, 256), (0.0, 0.5, 0.9), SHOTS):
        name = f"{heads} {'specialists' if special else 'generalists'}, {deaf:.0%} deaf"
        rngs = [np.random.default_rng([seed, heads, shots]) for seed in range(EPISODES)]
        yield row(name, shots, (accuracies(*planted(heads, deaf, special, rng, shots + QUERIES), shots, rng) for rng in rngs))


def pocket_rows() -> Iterator[str]:
    vectors, families = pocket.held_out_vectors()
    heads = vectors.shape[1] * vectors.shape[2]
    for kept, deaf, shots in product((8, heads), (0, 4 * heads), SHOTS):

        def episode(seed: int, kept: int = kept, deaf: int = deaf, shots: int = shots) -> dict[str, float]:
            rng = np.random.default_rng([seed, kept, deaf, shots])
            ways = rng.choice(len(np.unique(families)), CLASSES, replace=False)
            chosen = np.concatenate([np.flatnonzero(families == f) for f in ways])
            x = vectors[chosen].reshape(len(chosen), 1, heads, -1)[:, :, rng.choice(heads, kept, replace=False)]
            noise = rng.standard_normal((len(chosen), 1, deaf, x.shape[-1])).astype(np.float32)
            y = np.repeat(np.arange(CLASSES), np.bincount(families)[ways])
            return accuracies(torch.from_numpy(np.concatenate([x, noise], axis=2)), y, shots, rng)

        yield row(f"{kept} of the pocket's heads, {deaf} deaf ones beside", shots, map(episode, range(EPISODES)))


def main() -> None:
    print(f"| heads | shots | {' | '.join(METHODS)} | calm less uniform |")
    print(f"|---|---|{'---|' * len(METHODS)}---|")
    for line in (*planted_rows(), *pocket_rows()):
        print(line, flush=True)


if __name__ == "__main__":
    main()
