"""Does the listening map look where the sound is? Clips with one event at a known second, in hiss.

    python benchmarks/listening.py [--clips 60] [--backbone pocket]

Each clip of 4 s holds one event of 1 s in its first or its second half. A classifier learns the families from other such clips; then
the attention of its reliable heads, weighted for the predicted class, must fall into the event's half more than 50 % of the time.
Said beside it: how often one head drawn at random does, and how much of the attention falls on the event (25 % would be even).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from calm_core.backbones import load_backbone
from calm_core.backbones.attending import Attending
from calm_core.classifier import CalmClassifier
from calm_core.confidence import Proportion
from calm_core.inspection import listening
from calm_core.options import NEUTRAL_PROMPT, FitOptions
from tools import synth

FAMILIES = ("dog bark", "church bell", "siren", "rain")
SECONDS, EVENT_S, SHOTS, HISS, SEED, BATCH = 4.0, 1.0, 8, 0.005, 20_000_004, 8


def clip(family: str, begin_s: float, rng: np.random.Generator) -> np.ndarray:
    """Hiss with one event of the family from begin_s on."""
    rate = synth.SAMPLE_RATE_HZ
    wave = HISS * rng.standard_normal(round(SECONDS * rate)).astype(np.float32)
    event = 0.5 * synth.render(family, rng, EVENT_S)
    begin = round(begin_s * rate)
    wave[begin : begin + len(event)] += event
    return wave


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--backbone", default="pocket")
    arguments = parser.parse_args()
    backbone, rng = load_backbone(arguments.backbone, "cpu"), np.random.default_rng(SEED)
    if not isinstance(backbone, Attending):
        sys.exit(f"the backbone {backbone.id!r} can't say where it looks.")

    def drawn(n: int) -> tuple[list[np.ndarray], list[str], np.ndarray]:
        labels = [FAMILIES[i % len(FAMILIES)] for i in range(n)]
        late = rng.random(n) < 0.5
        begins = np.where(late, rng.uniform(2.0, 3.0, n), rng.uniform(0.0, 1.0, n))
        return [clip(label, begin, rng) for label, begin in zip(labels, begins, strict=True)], labels, begins

    waves, labels, _ = drawn(SHOTS * len(FAMILIES))
    support = np.concatenate([backbone.extract(waves[i : i + BATCH], NEUTRAL_PROMPT) for i in range(0, len(waves), BATCH)])
    model = CalmClassifier.fit(support, labels, options=FitOptions(auto=True), null=False)
    waves, labels, begins = drawn(arguments.clips)
    right, random_right, known, on_event = [], [], [], []
    for wave, label, begin in zip(waves, labels, begins, strict=True):
        (attention,) = backbone.attention([wave], NEUTRAL_PROMPT)
        found = model.predict(backbone.extract([wave], NEUTRAL_PROMPT))
        times = backbone.audio_token_s * np.arange(attention.shape[-1])
        late = times >= SECONDS / 2
        share = listening(attention, model.weights[:, :, found.indices[0]].numpy())
        one = np.zeros(model.weights.shape[:2], dtype=np.float32)
        one[rng.integers(one.shape[0]), rng.integers(one.shape[1])] = 1
        right.append((share[late].sum() > 0.5) == (begin >= 2))
        random_right.append((listening(attention, one)[late].sum() > 0.5) == (begin >= 2))
        on_event.append(float(share[(times >= begin) & (times < begin + EVENT_S)].sum()))
        known.append(found.labels[0] == label)
    print(
        f"{backbone.id} {backbone.revision}, {len(waves)} clips of {SECONDS:g} s with an event of {EVENT_S:g} s, {len(FAMILIES)} families"
    )
    print(f"recognised                         {Proportion(int(sum(known)), len(known))}")
    print(f"reliable heads on the right side   {Proportion(int(sum(right)), len(right))}")
    print(f"one head at random                 {Proportion(int(sum(random_right)), len(random_right))}")
    print(f"attention on the event itself      {100 * np.mean(on_event):.0f} % (even attention: {100 * EVENT_S / SECONDS:.0f} %)")


if __name__ == "__main__":
    main()
