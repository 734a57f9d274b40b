"""What shapes a wave once it sounds: filters that move, and the fixed resonances of a body."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from .basics import NYQUIST_HZ, Range, Rng, Wave, curve, log_uni, unit
from .sources import white

HOP = 256  # 16 ms; time-varying filters move in frames of two hops
BIN_HZ = np.linspace(0, NYQUIST_HZ, HOP + 1, dtype=np.float32)  # of such a frame's spectrum


def n_frames(n: int) -> int:
    return -(-n // HOP) + 1


def morph(wave: Wave, gains: Wave) -> Wave:
    """Time-varying filter by overlap-add; gains, shape (n_frames(len(wave)), HOP + 1)."""
    n, frames = len(wave), len(gains)
    blocks = np.zeros((frames + 1, HOP), dtype=np.float32)
    blocks.ravel()[HOP : HOP + n] = wave
    window = np.sin(np.pi * np.arange(2 * HOP, dtype=np.float32) / (2 * HOP))
    framed = irfft(rfft(np.concatenate([blocks[:-1], blocks[1:]], 1) * window) * gains) * window
    blocks[:] = 0
    blocks[:-1] += framed[:, :HOP]
    blocks[1:] += framed[:, HOP:]
    return blocks.ravel()[HOP : HOP + n]


def resonances(centres_hz: NDArray, widths_hz: NDArray, heights: NDArray | float = 1.0) -> Wave:
    """Sum of one-pole peaks; arguments broadcast to shape (frames, peaks), result (frames, HOP + 1)."""
    centres, widths, heights = np.broadcast_arrays(
        np.asarray(centres_hz, np.float32), np.asarray(widths_hz, np.float32), np.float32(heights)
    )
    total = np.zeros((len(centres), HOP + 1), dtype=np.float32)
    for c, w, h in zip(centres.T, widths.T, heights.T, strict=True):
        total += h[:, None] / (1 + np.square((BIN_HZ - c[:, None]) / w[:, None]))
    return total


def body(rng: Rng, wave: Wave, span_hz: Range, count: int = 4, floor: float = 0.05, q: Range = (2, 15)) -> Wave:
    """Fixed random resonances: the box, pipe or housing that a source sits in."""
    size = next_fast_len(len(wave) + 512, real=True)
    hz = np.linspace(0, NYQUIST_HZ, size // 2 + 1, dtype=np.float32)
    gain = np.full(len(hz), floor, dtype=np.float32)
    for _ in range(count):
        centre = log_uni(rng, span_hz)
        gain += np.float32(rng.uniform(0.2, 1)) / (1 + np.square((hz - np.float32(centre)) * np.float32(log_uni(rng, q) / centre)))
    return irfft(rfft(wave, size) * gain, size)[: len(wave)]


def sweep_noise(rng: Rng, n: int, centre_hz: Wave, width: float, floor: float = 0.01) -> Wave:
    """Noise through a band whose centre follows a curve; `width` is relative to the centre."""
    c = curve(n_frames(n), centre_hz)[:, None]
    return unit(morph(white(rng, n), floor + resonances(c, width * c)))
