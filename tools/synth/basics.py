"""The common ground: units, types, random draws, and the curves that shape everything else.

Conventions of all these rooms: a `Range` is drawn from, once per sound; `n` and `m` count samples, of the whole sound and of one event
in it; every draw comes from the generator passed in, in a fixed order, so a seed is a sound: moving a draw changes all sounds after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
NYQUIST_HZ = SAMPLE_RATE_HZ / 2

Rng = np.random.Generator
Wave = NDArray[np.floating]  # inside a family either precision; render and augment hand out float32
Range = tuple[float, float]
Synth = Callable[[Rng, int], Wave]
Knots = Sequence[float] | NDArray

# ------------------------------------------------------------------------------------------------ draws


def uni(rng: Rng, span: Range) -> float:
    return float(rng.uniform(*span))


def log_uni(rng: Rng, span: Range) -> float:
    return float(np.exp(rng.uniform(np.log(span[0]), np.log(span[1]))))


def near(rng: Rng, value: float, octaves: float) -> float:
    """`value` detuned by a normal number of octaves: how one animal's calls differ from each other."""
    return float(value * 2 ** (octaves * rng.standard_normal()))


def pick(rng: Rng, *options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


# ------------------------------------------------------------------------------------------------ curves


def samples(seconds: float) -> int:
    return max(32, int(seconds * SAMPLE_RATE_HZ))


def seconds_axis(n: int) -> Wave:
    return np.arange(n, dtype=np.float32) / np.float32(SAMPLE_RATE_HZ)


def silence(n: int) -> Wave:
    return np.zeros(n, dtype=np.float32)


def unit(wave: Wave) -> Wave:
    """`wave` at unit power."""
    return wave / (wave.std() + 1e-9)


def curve(n: int, knots: Knots) -> Wave:
    """Straight lines through evenly spaced knots."""
    return np.interp(np.linspace(0, len(knots) - 1, n), np.arange(len(knots)), knots).astype(np.float32)


def wander(rng: Rng, n: int, rate_hz: float) -> Wave:
    """Slow unit-variance drift with about `rate_hz` turns a second."""
    return curve(n, rng.standard_normal(int(n / SAMPLE_RATE_HZ * rate_hz) + 2))


def decay(n: int, t60_s: float) -> Wave:
    return np.exp(np.float32(-6.9 / t60_s) * seconds_axis(n))


def swell(n: int, attack: float, release: float, power: float = 1.0) -> Wave:
    """Rise over the fraction `attack`, fall over `release`, flat between."""
    x = np.linspace(0, 1, n, dtype=np.float32)
    shape = np.minimum(np.minimum(x / max(attack, 1e-3), (1 - x) / max(release, 1e-3)), 1)
    return shape if power == 1.0 else shape ** np.float32(power)
