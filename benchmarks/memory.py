"""Extra memory of predicting at VGGSound size: 15,000 queries x 1,024 heads x 309 classes, vectors stored as float16.

    python benchmarks/memory.py [--queries 15000]

All posteriors at once would be 19.5 GB. Prints the peak growth of this process while it predicts, beyond the vectors it holds.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.fit import HEAD_DIM, HEADS, LAYERS, TAU, peak_mib, start_peak_mib
from calm_core import algorithm
from calm_core.options import FitOptions

CLASSES = 309


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=15_000)
    count = parser.parse_args().queries
    rng = np.random.default_rng(0)
    some = rng.standard_normal((500, LAYERS, HEADS, HEAD_DIM), dtype=np.float32).astype(np.float16)
    queries = torch.from_numpy(np.resize(some, (count, LAYERS, HEADS, HEAD_DIM)))
    centroids = algorithm.unit(torch.from_numpy(rng.standard_normal((CLASSES, LAYERS, HEADS, HEAD_DIM), dtype=np.float32)))
    weights = torch.full((LAYERS, HEADS, CLASSES), 1 / (LAYERS * HEADS))
    fitted = algorithm.Fitted(algorithm.plain_frame(queries), centroids, weights, weights, torch.ones(CLASSES))
    held, start = start_peak_mib(), time.perf_counter()
    scores = algorithm.scores(queries, fitted, FitOptions(tau=TAU))
    assert scores.shape == (count, CLASSES)
    size = f"{count} queries x {LAYERS * HEADS} heads x {CLASSES} classes"
    print(f"{size}: {peak_mib() - held:.0f} MiB extra, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
