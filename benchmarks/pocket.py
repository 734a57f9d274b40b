"""How good and how fast a pocket is, on generated clips that it has not heard: what the choice between pockets is made by.

    python benchmarks/pocket.py [FOLDER ...]        (default: the embedded pocket)

Few-shot episodes of 10 families drawn from all, on held-out generated clips under fresh recording conditions; what the held-out accuracy
on the support clips, which people are shown, says beside the accuracy on other clips; and the time of the head vectors as a ratio
to that of MFCC statistics on the same clips. Real recordings choose nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from calm_core.backbones import POCKET_FOLDER
from calm_core.backbones.loading import from_folder
from calm_core.baselines import LADDER, Support, fit_and_score, mfcc_statistics
from calm_core.classifier import CalmClassifier
from calm_core.options import NEUTRAL_PROMPT, FitOptions
from tools import synth

SEED = 20_000_003  # far from the training seeds
PER_FAMILY, SHOTS, WAYS, EPISODES = 10, 5, 10, 40
METHODS = ("calm_auto", "calm", "uniform", "concat", "probe")
BATCH = 8


def clips() -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(SEED)
    families = np.repeat(np.arange(len(synth.FAMILIES)), PER_FAMILY)
    return [synth.augment(synth.render(list(synth.FAMILIES)[f], rng), rng) for f in families], families


def measure(folder: Path, waves: list[np.ndarray], families: np.ndarray) -> None:
    pocket = from_folder("pocket", "qwen2_audio", folder, "0", "cpu", torch.float32)
    start = time.perf_counter()
    vectors = np.concatenate([pocket.extract(waves[i : i + BATCH], NEUTRAL_PROMPT) for i in range(0, len(waves), BATCH)])
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    for wave in waves[:100]:
        mfcc_statistics(wave, synth.SAMPLE_RATE_HZ)
    mfcc_seconds = (time.perf_counter() - start) * len(waves) / 100
    x, rng = torch.from_numpy(vectors), np.random.default_rng(SEED)
    hits: dict[str, list[float]] = {method: [] for method in METHODS}
    shown: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for _ in range(EPISODES):
        ways = rng.choice(len(synth.FAMILIES), WAYS, replace=False)
        rows = np.concatenate([rng.permutation(np.flatnonzero(families == f)) for f in ways]).reshape(WAYS, PER_FAMILY)
        support, queries = rows[:, :SHOTS].ravel(), rows[:, SHOTS:].ravel()
        labels = torch.arange(WAYS).repeat_interleave(SHOTS)
        learned = Support(x[support], labels, torch.arange(len(labels)), WAYS, FitOptions())
        truth = np.repeat(np.arange(WAYS), PER_FAMILY - SHOTS)
        for rung in LADDER:
            if rung.method in METHODS:
                hits[rung.method].append((fit_and_score(rung, learned, x[queries]).argmax(1) == truth).mean())
        for auto, pairs in shown.items():
            model = CalmClassifier.fit(x[support], [str(y) for y in labels.tolist()], options=FitOptions(auto=auto))
            found = np.array([int(label) for label in model.predict(x[queries]).labels])
            pairs.append((float(model.held_out.correct.mean()), float((found == truth).mean())))
    s = pocket.shape
    print(
        f"{folder}: {s.layers} x {s.heads} heads, {1000 * seconds / len(waves):.1f} ms per clip, {seconds / mfcc_seconds:.1f}x MFCC's time"
    )
    print(
        f"  {SHOTS} shots, {WAYS} of {len(synth.FAMILIES)} families, {EPISODES} episodes; accuracy in % with the 95 % interval of the mean:"
    )
    for method, accuracies in hits.items():
        print(f"  {method:<10} {_mean(accuracies)}")
    for auto, pairs in shown.items():
        told, true = np.array(pairs).T
        name = "tuned" if auto else "paper"
        print(f"  {name}: held out on the support {_mean(told)}, on other clips {_mean(true)}, flattery {_mean(told - true)}")


def _mean(values: Sequence[float]) -> str:
    return f"{100 * np.mean(values):.1f} +- {196 * np.std(values) / len(values) ** 0.5:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, default=[POCKET_FOLDER])
    folders = parser.parse_args().folders
    waves, families = clips()
    for folder in folders:
        measure(folder, waves, families)


if __name__ == "__main__":
    main()
