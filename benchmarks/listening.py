"""Does the listening map look at the sound that decides? Clips with one telling event among distractors.

    python benchmarks/listening.py [--clips 60] [--backbone pocket]

Each clip of 4 s holds one event of 0.5 s, of the family that it is named for, at a random second; beside it, as loud and as long, three
events of families that every class has alike, and hiss. A classifier learns from other such clips. Scored is the share of the attention
that falls within 0.25 s of the telling event: of the reliable heads, weighted for the predicted class as the page does it, beside all
heads alike and one head drawn at random, beside the share that even attention would have, and beside what the distractors get.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from calm_core.backbones import load_backbone
from calm_core.backbones.attending import Attending
from calm_core.classifier import CalmClassifier
from calm_core.confidence import Proportion
from calm_core.options import NEUTRAL_PROMPT, FitOptions
from calm_core.reasons import listening
from tools import synth

FAMILIES = ("dog bark", "church bell", "siren", "rain")
DISTRACTORS = ("clap", "footsteps", "crow caw", "whistle")
SECONDS, EVENT_S, NEAR_S, SHOTS, HISS, SEED, BATCH = 4.0, 0.5, 0.25, 8, 0.005, 20_000_004, 8


def clip(family: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Hiss with one event of the family and three distractors, none touching another; and when they begin, the event first (4,) in s."""
    rate = synth.SAMPLE_RATE_HZ
    wave = HISS * rng.standard_normal(round(SECONDS * rate)).astype(np.float32)
    slots = rng.permutation(4)  # of a second each; an event lies anywhere in its own
    begins = slots + rng.uniform(0, SECONDS / 4 - EVENT_S, 4)
    for name, begin in zip((family, *rng.choice(DISTRACTORS, 3, replace=False)), begins, strict=True):
        event = synth.render(str(name), rng, EVENT_S)
        at = round(begin * rate)
        wave[at : at + len(event)] += 0.1 * event / max(float(np.sqrt(np.mean(event**2))), 1e-6)
    return wave, begins


def near(share: np.ndarray, step_s: float, begin_s: float) -> tuple[float, float]:
    """How much of the attention (T,) falls within NEAR_S of an event, and how much would if it were even."""
    middles = step_s * (np.arange(len(share)) + 0.5)
    inside = (middles >= begin_s - NEAR_S) & (middles < begin_s + EVENT_S + NEAR_S)
    return float(share[inside].sum()), float(inside.mean())


def in_words(found: Sequence[float], even: Sequence[float]) -> str:
    """Mean with its 95 % interval, and how often it is more than even."""
    reach = 1.96 * np.std(found, ddof=1) / np.sqrt(len(found))
    more = Proportion(int(np.sum(np.array(found) > np.array(even))), len(found))
    return f"{100 * np.mean(found):5.1f} % +- {100 * reach:3.1f}   more than even: {more}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--backbone", default="pocket")
    arguments = parser.parse_args()
    backbone, rng = load_backbone(arguments.backbone, "cpu"), np.random.default_rng(SEED)
    if not isinstance(backbone, Attending):
        sys.exit(f"the backbone {backbone.id!r} can't say where it looks.")

    def drawn(n: int) -> tuple[list[np.ndarray], list[str], list[np.ndarray]]:
        labels = [FAMILIES[i % len(FAMILIES)] for i in range(n)]
        waves, begins = zip(*(clip(label, rng) for label in labels), strict=True)
        return list(waves), labels, list(begins)

    waves, labels, _ = drawn(SHOTS * len(FAMILIES))
    support = np.concatenate([backbone.extract(waves[i : i + BATCH], NEUTRAL_PROMPT) for i in range(0, len(waves), BATCH)])
    model = CalmClassifier.fit(support, labels, options=FitOptions(), null=False)
    shape = model.weights.shape[:2]
    scores: dict[str, list[float]] = {"reliable heads": [], "all heads alike": [], "one head at random": [], "distractors, each": []}
    evens, known = [], []
    waves, labels, begins = drawn(arguments.clips)
    for wave, label, (begin, *others) in zip(waves, labels, begins, strict=True):
        (attention,) = backbone.attention([wave], NEUTRAL_PROMPT)
        found = model.predict(backbone.extract([wave], NEUTRAL_PROMPT))
        known.append(found.labels[0] == label)
        drawn_head = np.zeros(shape, dtype=np.float32)
        drawn_head.ravel()[rng.integers(drawn_head.size)] = 1
        weights = model.weights[:, :, found.indices[0]].numpy()
        step_s = backbone.audio_token_s
        for name, each in zip(scores, (weights, np.ones(shape, np.float32), drawn_head), strict=False):
            scores[name].append(near(listening(attention, each), step_s, begin)[0])
        share = listening(attention, weights)
        scores["distractors, each"].append(float(np.mean([near(share, step_s, other)[0] for other in others])))
        evens.append(near(share, step_s, begin)[1])
    print(f"{backbone.id} {backbone.revision}, {len(waves)} clips of {SECONDS:g} s, one event of {EVENT_S:g} s of {len(FAMILIES)} families")
    print(f"recognised            {Proportion(int(sum(known)), len(known))}")
    print(f"within {NEAR_S:g} s of the event; even attention: {100 * np.mean(evens):.1f} %")
    for name, mass in scores.items():
        print(f"{name:<22}{in_words(mass, evens)}")
    ahead = np.array(scores["reliable heads"]) - np.array(scores["one head at random"])
    print(f"reliable less random  {100 * ahead.mean():+5.1f} % +- {196 * ahead.std(ddof=1) / np.sqrt(len(ahead)):.1f}")


if __name__ == "__main__":
    main()
