"""Fit and predict at paper size against plain loops: time and peak memory, all measured in this run.

    python benchmarks/fit.py                 # 10 classes x 20 clips, then 309 classes x 20 clips
    python benchmarks/fit.py --small --json

1,024 heads of 128 dimensions. Each variant runs in a process of its own on the same vectors, so that its peak memory is its own;
"memory" is what the process grew by over holding the vectors. The variants:

    ours            calm_core.algorithm
    per-head loop   head by head in NumPy, vectorised over clips, leave-one-out in closed form: the best that a plain loop can do
    literal loop    head by head and clip by clip, every left-out centroid a mean of its own, as the formulas read; only its fit,
                    measured on LITERAL_HEADS heads and scaled to all
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from calm_core import algorithm
from calm_core.options import FitOptions

LAYERS, HEADS, HEAD_DIM = 32, 32, 128
SIZES = ((10, 20, 200), (309, 20, 500))  # classes, clips per class, queries
LITERAL_HEADS = 8
TAU = 0.07


def vectors(classes: int, per_class: int, queries: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Support (N, L, H, D), labels (N,), queries (Q, L, H, D): noisy class means, the same in every process."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), per_class)
    shape = (LAYERS, HEADS, HEAD_DIM)
    support = rng.standard_normal((len(labels), *shape), dtype=np.float32)
    for c in range(classes):
        support[labels == c] += 0.5 * rng.standard_normal(shape, dtype=np.float32)
    return support, labels, support[rng.integers(len(labels), size=queries)] + 1


def ours(support: np.ndarray, labels: np.ndarray, queries: np.ndarray, lap: Callable[[str], None]) -> np.ndarray:
    options = FitOptions(tau=TAU)
    fitted = algorithm.fit(torch.from_numpy(support), torch.from_numpy(labels), int(labels.max()) + 1, options)
    lap("fit")
    scores = algorithm.scores(torch.from_numpy(queries), fitted, options)
    lap("predict")
    return scores.numpy()


def per_head_loop(support: np.ndarray, labels: np.ndarray, queries: np.ndarray, lap: Callable[[str], None]) -> np.ndarray:
    classes, rows = labels.max() + 1, np.arange(len(labels))
    count = np.bincount(labels)
    centroids = np.zeros((LAYERS, HEADS, classes, HEAD_DIM), np.float32)
    weights = np.zeros((LAYERS, HEADS, classes), np.float32)

    def posteriors(cosines: np.ndarray) -> np.ndarray:
        e = np.exp((cosines - cosines.max(1, keepdims=True)) / TAU)
        return e / e.sum(1, keepdims=True)

    for layer in range(LAYERS):
        for head in range(HEADS):
            x = support[:, layer, head]
            unit = x / np.linalg.norm(x, axis=1, keepdims=True)
            total = np.stack([x[labels == c].sum(0) for c in range(classes)])
            mu = total / np.linalg.norm(total, axis=1, keepdims=True)
            cosines = unit @ mu.T
            left = (total[labels] - x) / (count[labels] - 1)[:, None]
            cosines[rows, labels] = (unit * left).sum(1) / np.linalg.norm(left, axis=1)
            p = posteriors(cosines)
            p_true = p[rows, labels].copy()
            p[rows, labels] = -1
            margin = np.maximum(0, p_true - p.max(1))
            centroids[layer, head] = mu
            weights[layer, head] = np.bincount(labels, margin) / count
    weights /= weights.sum((0, 1))
    lap("fit")
    scores = np.zeros((len(queries), classes), np.float32)
    for layer in range(LAYERS):
        for head in range(HEADS):
            q = queries[:, layer, head]
            q = q / np.linalg.norm(q, axis=1, keepdims=True)
            scores += posteriors(q @ centroids[layer, head].T) * weights[layer, head]
    lap("predict")
    return scores


def literal_loop(support: np.ndarray, labels: np.ndarray, _queries: np.ndarray, lap: Callable[[str], None]) -> None:
    classes = np.unique(labels)
    for head in range(LITERAL_HEADS):
        x = support[:, 0, head]
        margins = np.zeros(len(x))
        centroids = np.stack([x[labels == c].mean(0) for c in classes])
        for i in range(len(x)):
            left = labels == labels[i]
            left[i] = False
            mu = centroids.copy()
            mu[labels[i]] = x[left].mean(0)
            cosines = mu @ x[i] / np.linalg.norm(mu, axis=1) / np.linalg.norm(x[i])
            e = np.exp((cosines - cosines.max()) / TAU)
            p = e / e.sum()
            margins[i] = max(0, p[labels[i]] - np.delete(p, labels[i]).max())
    lap("fit")


VARIANTS = {"ours": ours, "per-head loop": per_head_loop, "literal loop": literal_loop}


def measure(variant: str, size: tuple[int, int, int], answer: multiprocessing.Queue) -> None:
    """One variant in this process: seconds per stage, peak memory beyond the vectors in MiB, and its scores."""
    data = vectors(*size)
    held = start_peak_mib()
    start, laps = time.perf_counter(), {}

    def lap(name: str) -> None:
        nonlocal start
        laps[name] = time.perf_counter() - start
        start = time.perf_counter()

    scores = VARIANTS[variant](*data, lap)
    answer.put((laps, peak_mib() - held, scores))


def start_peak_mib() -> float:
    """Forgets the peak memory so far (Linux only) and returns what is held now, in MiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_mib()


def peak_mib() -> float:
    """Peak resident memory of this process since `start_peak_mib`, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--small", action="store_true", help="only 10 classes x 20 clips")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    table = []
    for size in SIZES[: 1 if arguments.small else None]:
        found = {}
        for variant in VARIANTS:
            answer = context.Queue()
            process = context.Process(target=measure, args=(variant, size, answer))
            process.start()
            found[variant] = answer.get()
            process.join()
        (mine, my_memory, scores), (loop, loop_memory, expected) = found["ours"], found["per-head loop"]
        literal = found["literal loop"][0]["fit"] * LAYERS * HEADS / LITERAL_HEADS
        table.append(
            {
                "classes": size[0],
                "clips_per_class": size[1],
                "queries": size[2],
                "fit_s": mine["fit"],
                "fit_over_literal_loop": literal / mine["fit"],
                "fit_over_per_head_loop": loop["fit"] / mine["fit"],
                "predict_s": mine["predict"],
                "predict_over_per_head_loop": loop["predict"] / mine["predict"],
                "memory_mib": my_memory,
                "loop_memory_mib": loop_memory,
                "largest_score_difference": float(np.abs(scores - expected).max()),
            }
        )
    if arguments.json:
        print(json.dumps(table))
        return
    for row in table:
        print(
            f"{row['classes']} classes x {row['clips_per_class']} clips, {row['queries']} queries: "
            f"fit {row['fit_s']:.2f} s, {row['fit_over_literal_loop']:.0f}x the literal loop's speed, "
            f"{row['fit_over_per_head_loop']:.2f}x the per-head loop's; "
            f"predict {row['predict_s']:.2f} s, {row['predict_over_per_head_loop']:.2f}x the per-head loop's; "
            f"extra memory {row['memory_mib']:.0f} MiB, {row['memory_mib'] - row['loop_memory_mib']:+.0f} MiB to the per-head loop's; "
            f"largest score difference {row['largest_score_difference']:.1e}"
        )


if __name__ == "__main__":
    main()
