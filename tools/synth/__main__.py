"""Writes clean and recorded examples of every family, for listening.

python -m tools.synth --out DIR
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soundfile

from . import FAMILIES, SAMPLE_RATE_HZ, augment, render


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.synth", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--per-family", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for row, family in enumerate(FAMILIES):
        for take in range(options.per_family):
            rng = np.random.default_rng([options.seed, row, take])
            clean = render(family, rng)
            stem = f"{family.replace(' ', '_')}_{take}"
            soundfile.write(options.out / f"{stem}.wav", clean, SAMPLE_RATE_HZ)
            soundfile.write(options.out / f"{stem}_recorded.wav", augment(clean, rng), SAMPLE_RATE_HZ)


if __name__ == "__main__":
    main()
