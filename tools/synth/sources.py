"""Where sound begins: noise of any colour, periodic waves, banks of ringing modes, and short grains.

Knows nothing of families, of rooms or of places in time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len

from .basics import NYQUIST_HZ, SAMPLE_RATE_HZ, Range, Rng, Wave, decay, log_uni, samples, seconds_axis, swell, uni, unit

TABLE = 4096  # wavetable entries; nearest look-up then errs by about -60 dB
BLOCK = 256  # samples; `modal` splits its exponents into multiples of it and a rest

Spectrum = Sequence[tuple[float, float]]  # (frequency in Hz, level in dB) corner points

# ------------------------------------------------------------------------------------------------ noise


def levels(bins: int, points: Spectrum) -> Wave:
    """Linear gain on an FFT grid, straight in dB over log frequency."""
    hz = np.linspace(0, NYQUIST_HZ, bins)
    corner_hz, corner_db = np.array(points, dtype=float).T
    return (10 ** (np.interp(np.log(hz + 20), np.log(corner_hz + 20), corner_db) / 20)).astype(np.float32)


def gaussian_spectrum(rng: Rng, bins: int) -> NDArray[np.complex64]:
    return rng.standard_normal(2 * bins, dtype=np.float32).view(np.complex64)


def white(rng: Rng, n: int) -> Wave:
    return rng.standard_normal(n, dtype=np.float32)


def noise(rng: Rng, n: int, points: Spectrum = ((0, 0), (NYQUIST_HZ, 0))) -> Wave:
    """Gaussian noise of unit power, drawn in the spectrum so that its colour costs nothing."""
    size = next_fast_len(n, real=True)
    wave = irfft(gaussian_spectrum(rng, size // 2 + 1) * levels(size // 2 + 1, points), size)[:n]
    return unit(wave).astype(np.float32)


def band(rng: Rng, n: int, low_hz: float, high_hz: float, slope_db: float = 36) -> Wave:
    """Noise between two corners, falling by `slope_db` in the octave outside them."""
    high_hz = min(high_hz, 7900)
    return noise(rng, n, ((low_hz / 4, -2 * slope_db), (low_hz / 2, -slope_db), (low_hz, 0), (high_hz, 0), (2 * high_hz, -slope_db)))


# ------------------------------------------------------------------------------------------------ oscillators and modes


def phase_of(f0: Wave | float, n: int) -> NDArray[np.float64]:
    """Cycles so far; float64, since a float32 running sum would lose the phase within a second."""
    return np.cumsum(np.broadcast_to(np.asarray(f0, dtype=np.float64) / SAMPLE_RATE_HZ, (n,)))


def tone(f0: Wave | float, n: int, start: float = 0.0) -> Wave:
    return np.sin((2 * np.pi) * ((phase_of(f0, n) + start) % 1).astype(np.float32))


def harmonic(f0: Wave | float, n: int, weights: NDArray, rng: Rng | None = None) -> Wave:
    """Periodic wave with the given partial weights; `rng` scrambles the phases. One table per quarter octave of pitch keeps partials
    below the Nyquist without a cut that would follow the pitch and give the synthesis away."""
    if rng is not None:
        weights = weights * np.exp(2j * np.pi * rng.random(len(weights)))
    low, high = max(float(np.min(f0)), 1.0), max(float(np.max(f0)), 1.0)
    count = 1 if high < 1.1 * low else 1 + int(4 * np.log2(high / low))
    spectra = np.zeros((count, TABLE // 2 + 1), dtype=np.complex128)
    for row, top_hz in enumerate(low * 2 ** (np.arange(1, count + 1) / 4) if count > 1 else [high]):
        top = max(1, min(len(weights), int(7950 / top_hz), TABLE // 8))
        spectra[row, 1 : top + 1] = weights[:top]
    tables = irfft(spectra, TABLE)
    tables = (tables / (np.abs(tables).max() + 1e-12)).astype(np.float32)
    index = (phase_of(f0, n) * TABLE).astype(np.int64) & (TABLE - 1)
    if count > 1:
        octaves = np.log2(np.maximum(np.asarray(f0, dtype=np.float32), low) / np.float32(low))
        index += np.minimum((4 * octaves).astype(np.int64), count - 1) * TABLE
    return tables.ravel()[index]


def pulses(f0: Wave | float, n: int, tilt: float) -> Wave:
    """Glottal-like pulse train: partial k has weight k**-tilt."""
    return harmonic(f0, n, np.arange(1, 500, dtype=float) ** -tilt)


def modal(n: int, hz: NDArray, t60_s: NDArray, gain: NDArray) -> Wave:
    """Sum of decaying sines. z**(a*BLOCK+b) = z**(a*BLOCK) * z**b turns the whole bank into one matrix product."""
    keep = hz < 7900
    hz, t60_s, gain = (hz[keep], t60_s[keep], gain[keep]) if keep.any() else (np.array([7000.0]), t60_s[:1], gain[:1])
    log_z = (-6.9 / t60_s + 2j * np.pi * hz) / SAMPLE_RATE_HZ
    blocks = np.exp(np.outer(np.arange(-(-n // BLOCK)) * BLOCK, log_z)) * (-1j * gain)
    return (blocks.astype(np.complex64) @ np.exp(np.outer(log_z, np.arange(BLOCK))).astype(np.complex64)).real.ravel()[:n]


def modes(rng: Rng, kind: str, f0: float, count: int) -> NDArray:
    """Partial frequencies of a struck body: a "string", "bar", "bell" or "skin"; anything else is a plate or box."""
    k = np.arange(1, count + 1)
    if kind == "string":
        return f0 * k * np.sqrt(1 + log_uni(rng, (1e-5, 2e-3)) * k**2)
    if kind == "bar":
        return f0 * ((2 * k + 1) / 3.0112) ** 2 * rng.uniform(0.97, 1.03, count)  # free bar, Fletcher & Rossing eq. 2.64
    if kind == "bell":
        return f0 * np.resize([0.5, 1, 1.19, 1.5, 2, 2.5, 2.66, 3, 4, 5.3, 6.6, 8], count) * rng.uniform(0.98, 1.02, count)
    if kind == "skin":
        return f0 * np.resize([1, 1.59, 2.14, 2.3, 2.65, 2.92, 3.16, 3.5], count) * rng.uniform(0.96, 1.04, count)  # ideal membrane
    return f0 * np.cumsum(np.r_[1, rng.exponential(log_uni(rng, (0.25, 0.9)), count - 1)])  # the modes crowd at random


# ------------------------------------------------------------------------------------------------ grains


def burst_grain(rng: Rng, m: int, hz: Range, octaves: float = 1.0) -> Wave:
    """Short noisy thud or click around a frequency."""
    centre = log_uni(rng, hz)
    return band(rng, m, centre, centre * 2**octaves, 18) * decay(m, uni(rng, (0.3, 1.2)) * m / SAMPLE_RATE_HZ) * swell(m, 0.01, 0.1)


def bubble(hz: float, rise: float) -> Wave:
    """Minnaert bubble: damping grows with pitch, and the pitch climbs as the bubble nears the surface (van den Doel 2005)."""
    rate = 0.13 * hz + 0.0072 * hz**1.5
    m = min(samples(4.5 / rate), 3000)
    t = seconds_axis(m)
    return tone(hz * (1 + rise * rate * t).clip(max=4), m) * np.exp(-rate * t)
