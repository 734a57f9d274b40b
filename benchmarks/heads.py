"""How fast the tab Heads answers, at 32 x 32 heads, 10 classes and 20 clips of each: server time, and bytes to the page per figure.

python benchmarks/heads.py [--layers 32] [--heads 32] [--classes 10] [--clips 20]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from calm_core import figures
from calm_core.classifier import CalmClassifier, Refit
from calm_core.inspection import Workbench, class_similarity
from calm_core.options import FitOptions
from calm_core.vectors import HeadVectors

HEAD_DIM = 128


def timed(what: str, work: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    found = work()
    print(f"{what:<48}{time.perf_counter() - start:9.3f} s")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("layers", 32), ("heads", 32), ("classes", 10), ("clips", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    a = parser.parse_args()
    rng, truth = np.random.default_rng(0), np.arange(a.classes * a.clips) % a.classes
    x = rng.normal(size=(len(truth), a.layers, a.heads, HEAD_DIM)).astype(np.float32)
    x[:, a.layers // 2, : a.heads // 4, : a.classes] += 3 * np.eye(a.classes, dtype=np.float32)[truth][:, None]
    labels = [f"class {c}" for c in truth]
    refits: list[Refit] = []
    model = timed("fit, held-out clips and chance level", lambda: CalmClassifier.fit(x, labels, options=FitOptions(), keep=refits.append))
    maps = timed(
        "reliability maps",
        lambda: figures.reliability_maps(model.reliability, model.class_names, judged=model.judged, above=model.above_chance).to_json(),
    )
    bench = Workbench(model, HeadVectors(x, np.arange(len(truth))), labels, refits)
    card = timed("card of a head", lambda: bench.card(a.layers // 2, 0))
    on = np.ones((a.layers, a.heads), dtype=bool)
    timed("first toggle", lambda: bench.with_heads(on))
    on[a.layers // 2, 0] = False
    timed("toggle a head", lambda: bench.with_heads(on))
    timed("top-k", lambda: bench.with_heads(on, replace(model.options, top_k=20)))
    timed("tau", lambda: bench.with_heads(on, replace(model.options, tau=0.1)))
    curve = timed("ablation curve", bench.ablation)
    names = [f"clip {i}.wav" for i in range(len(truth))]
    similarity = class_similarity(model.weights.numpy())
    drawn = {
        "ranks": figures.sorted_reliability(model.reliability[:, :, 0], "class 0", 0.1),
        "difference": figures.difference_map(model.reliability, model.class_names, 0, 1),
        "similarity": figures.class_similarity(similarity[0], model.class_names, similarity[1]),
        "clips": figures.clip_map(card.map, card.explained, card.truth.tolist(), model.class_names, names),
        "ablation": figures.ablation_curve(curve.kept, curve.best_first, curve.worst_first, curve.random, 1 / a.classes),
    }
    for name, size in {"maps": len(maps), **{name: len(figure.to_json()) for name, figure in drawn.items()}}.items():
        print(f"{name:<48}{size / 1000:9.1f} kB")


if __name__ == "__main__":
    main()
