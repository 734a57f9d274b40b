"""How good and how fast a pocket is, on generated clips of families it was never trained on: what pockets are chosen by.

    python benchmarks/pocket.py [FOLDER ...]        (default: the embedded pocket)

Few-shot episodes of 10 of the families `synth.HELD_OUT`, under fresh recording conditions; what the held-out accuracy on the support
clips, which people are shown, says beside the accuracy on other clips; the time of the head vectors as a ratio to that of MFCC
statistics on the same clips, and that of starting up as a ratio to the bare import of torch and transformers. Real recordings
choose nothing.
"""

from __future__ import annotations

import argparse
import subprocess
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

ROOT = Path(__file__).resolve().parents[1]
SEED = 20_000_003  # far from the training seeds
PER_FAMILY, WAYS, EPISODES = 30, 10, 20
SHOTS = (1, 5, 10, 20)
SHOWN_SHOTS = 5  # at which what people are shown is compared with what is true
METHODS = ("calm_auto", "calm", "uniform", "concat", "probe")
BATCH = 8
STARTS = {
    "import torch, transformers": "import torch, transformers",
    "the same and the model's class, which transformers imports when it is first named": "import torch, transformers; "
    "from transformers import Qwen2AudioForConditionalGeneration",
    "load the pocket": "from calm_core.backbones import load_backbone; load_backbone('pocket', 'cpu')",
    "build the page and load the pocket": "from app import build_demo; build_demo(); "
    "from calm_core.backbones import load_backbone; load_backbone('pocket', 'cpu')",
}


def clips() -> tuple[list[np.ndarray], np.ndarray]:
    """Waveforms of PER_FAMILY clips of every held-out family, and the family's number."""
    rng = np.random.default_rng(SEED)
    families = np.repeat(np.arange(len(synth.HELD_OUT)), PER_FAMILY)
    return [synth.augment(synth.render(synth.HELD_OUT[f], rng), rng) for f in families], families


def extract(folder: Path, waves: list[np.ndarray]) -> np.ndarray:
    backbone = from_folder("pocket", "qwen2_audio", folder, "0", "cpu", torch.float32)
    return np.concatenate([backbone.extract(waves[i : i + BATCH], NEUTRAL_PROMPT) for i in range(0, len(waves), BATCH)])


def held_out_vectors() -> tuple[np.ndarray, np.ndarray]:
    """The embedded pocket's vectors (N, L, H, D) of `clips`, and their families (N,)."""
    waves, families = clips()
    return extract(POCKET_FOLDER, waves), families


def measure(folder: Path, waves: list[np.ndarray], families: np.ndarray) -> None:
    start = time.perf_counter()
    x = torch.from_numpy(extract(folder, waves))
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    for wave in waves[:100]:
        mfcc_statistics(wave, synth.SAMPLE_RATE_HZ)
    mfcc_seconds = (time.perf_counter() - start) * len(waves) / 100
    print(
        f"{folder.name}: {x.shape[1]} x {x.shape[2]} heads, {1000 * seconds / len(waves):.1f} ms per clip, "
        f"{seconds / mfcc_seconds:.1f}x MFCC's time"
    )
    print(f"{WAYS} of {len(synth.HELD_OUT)} families never trained on, {EPISODES} episodes; accuracy in %, 95 % interval of the mean:")
    for shots in SHOTS:
        hits: dict[str, list[float]] = {method: [] for method in METHODS}
        shown: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
        for episode in range(EPISODES):
            rng = np.random.default_rng([SEED, episode, shots])
            ways = rng.choice(len(synth.HELD_OUT), WAYS, replace=False)
            rows = np.stack([rng.permutation(np.flatnonzero(families == f)) for f in ways])
            support, queries = rows[:, :shots].ravel(), rows[:, max(SHOTS) :].ravel()
            truth = np.repeat(np.arange(WAYS), PER_FAMILY - max(SHOTS))
            learned = Support(x[support], torch.arange(WAYS).repeat_interleave(shots), torch.arange(len(support)), WAYS, FitOptions())
            for rung in LADDER:
                if rung.method in METHODS:
                    hits[rung.method].append((fit_and_score(rung, learned, x[queries]).argmax(1) == truth).mean())
            for auto, pairs in shown.items():
                if shots == SHOWN_SHOTS:
                    names = [str(y) for y in learned.labels.tolist()]
                    model = CalmClassifier.fit(x[support], names, options=FitOptions(auto=auto), null=False)
                    found = np.array([int(label) for label in model.predict(x[queries]).labels])
                    pairs.append((float(model.held_out.correct.mean()), float((found == truth).mean())))
        print(f"{shots:>3} shots  " + "  ".join(f"{method} {_mean(accuracies)}" for method, accuracies in hits.items()))
        for auto, pairs in shown.items():
            if pairs:
                told, true = np.array(pairs).T
                name = "tuned" if auto else "paper"
                print(f"           {name}: shown {_mean(told)}, true {_mean(true)}, flattery {_mean(told - true)}")


def starts() -> None:
    """Best of three of every start, in a process of its own."""
    best = {}
    for name, code in STARTS.items():
        laps = []
        for _ in range(3):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)
            laps.append(time.perf_counter() - start)
        best[name] = min(laps)
    bare = next(iter(best.values()))
    print("start: " + "; ".join(f"{name} {seconds:.1f} s ({seconds / bare:.2f}x)" for name, seconds in best.items()))


def _mean(values: Sequence[float]) -> str:
    return f"{100 * np.mean(values):.1f} +- {196 * np.std(values, ddof=1) / len(values) ** 0.5:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, default=[POCKET_FOLDER])
    folders = parser.parse_args().folders
    waves, families = clips()
    for folder in folders:
        measure(folder, waves, families)
    starts()


if __name__ == "__main__":
    main()
