"""Recording conditions: one clean sound as somebody might have recorded it, in a room, with a microphone, over a bed of noise.

Knows nothing of families or of what the sound is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from .basics import NYQUIST_HZ, SAMPLE_RATE_HZ, Rng, Wave, decay, log_uni, pick, samples, silence, swell, uni, wander
from .sources import gaussian_spectrum, levels, noise, white


def room_spectrum(rng: Rng, size: int) -> NDArray[np.complex64]:
    """Direct sound, a few early reflections and a noise tail that dies exponentially and loses treble."""
    t60 = log_uni(rng, (0.08, 1.2))
    m = min(samples(t60), SAMPLE_RATE_HZ * 4 // 5)
    tail = white(rng, m) * decay(m, t60) * swell(m, 0.02, 0.05)
    tail *= np.float32(log_uni(rng, (0.04, 1.0))) / (np.linalg.norm(tail) + 1e-9)
    reflected = rfft(tail, size) / (1 + np.linspace(0, NYQUIST_HZ / log_uni(rng, (800, 8000)), size // 2 + 1, dtype=np.float32))
    direct = silence(samples(0.04))
    direct[rng.integers(30, len(direct), 6)] = rng.uniform(-0.5, 0.5, 6)
    direct[0] = 1
    return reflected + rfft(direct, size)


def equaliser(rng: Rng, bins: int) -> Wave:
    """Tilt, ripple, and sometimes a narrow channel."""
    hz = np.array([0, 120, 400, 1000, 2500, 5000, 7990.0])
    db = rng.uniform(-5, 5) * np.log2((hz + 100) / 1000) / 2 + uni(rng, (0, 3)) * rng.standard_normal(len(hz))
    gain = levels(bins, list(zip(hz, db, strict=True)))
    channel = rng.random()
    if channel < 0.07:  # telephone
        gain *= levels(bins, ((0, -50), (200, -20), (uni(rng, (250, 450)), 0), (uni(rng, (2800, 3600)), 0), (5000, -45)))
    elif channel < 0.3:  # muffled, or an old lossy file without its top
        corner = log_uni(rng, (2000, 7000))
        gain *= levels(bins, ((0, 0), (corner, 0), (min(corner * uni(rng, (1.1, 2.5)), 7995), -uni(rng, (15, 60)))))
    elif channel < 0.42:  # small loudspeaker or wind-cut switch
        gain *= levels(bins, ((0, -40), (log_uni(rng, (80, 500)), 0)))
    return gain


def bed_spectrum(rng: Rng, size: int) -> NDArray[np.complex64]:
    """Background noise, drawn in the frequency domain of the room."""
    bins, kind = size // 2 + 1, pick(rng, "colour", "colour", "colour", "hum", "babble")
    if kind == "babble":
        return rfft(noise(rng, size, ((60, -20), (250, 0), (700, 0), (4000, -25))) * np.exp(0.7 * wander(rng, size, 6)), size)
    slope = rng.uniform(-7, 1)  # dB an octave: brown -6, pink -3, white 0
    spectrum = gaussian_spectrum(rng, bins) * levels(bins, ((0, -slope * 5), (30, -slope * 5), (7990, slope * 3)))
    if kind == "hum":
        line = (np.arange(1, 13) * pick(rng, 50, 60) * size // SAMPLE_RATE_HZ)[: int(rng.integers(2, 13))]
        partials = rng.random(len(line)) * np.exp(2j * np.pi * rng.random(len(line))) / np.arange(1, len(line) + 1)
        spectrum[line] += np.linalg.norm(spectrum) * partials
    return spectrum


def moved(wave: Wave, rng: Rng) -> Wave:
    """Often the sound starts elsewhere: turned round the clip's end, or shifted with silence following."""
    n = len(wave)
    if rng.random() < 0.4:
        return np.roll(wave, int(rng.integers(n)))
    if rng.random() < 0.3:
        shift = int(rng.uniform(-0.4, 0.4) * n)
        out = silence(n)
        out[max(0, shift) : n + min(0, shift)] = wave[max(0, -shift) : n - max(0, shift)]
        if np.abs(out).max() > 0.1 * np.abs(wave).max():  # else the sound itself fell off the edge
            return out
    return wave


def part_of(wave: Wave, rng: Rng) -> Wave:
    """Zero everything but one stretch with short fades, as when a short recording is padded to length."""
    n = len(wave)
    length = int(n * rng.uniform(0.2, 0.9))
    loud = int(np.argmax(np.abs(wave)))  # the stretch always holds the loudest sample, so the label stays true
    start = int(np.clip(loud - rng.random() * length, 0, n - length))
    out = np.zeros_like(wave)
    out[start : start + length] = wave[start : start + length] * swell(length, 0.01, 0.01)
    return np.roll(out, -start) if rng.random() < 0.6 else out


def recorded(wave: Wave, rng: Rng) -> Wave:
    """Room, bed and equaliser meet in one spectrum: two transforms for the whole recording chain. Peak 1."""
    n = len(wave)
    size = next_fast_len(n + SAMPLE_RATE_HZ * 4 // 5, real=True)
    spectrum = rfft(wave, size)
    if rng.random() < 0.55:
        spectrum *= room_spectrum(rng, size)
    if rng.random() < 0.7:
        bed = bed_spectrum(rng, size)
        frames = wave[: n // 400 * 400].reshape(-1, 400) if n >= 400 else wave[None]
        loud = np.sqrt(np.quantile(np.square(frames).mean(1), 0.95) + 1e-12)  # level of the sound while it sounds, not of its pauses
        snr_db = 5 + 45 * rng.beta(2, 1.2)
        bed_rms = np.linalg.norm(bed) * np.sqrt(2) / size
        spectrum += bed * np.float32(loud * 10 ** (-snr_db / 20) / (bed_rms + 1e-12))
    out = irfft(spectrum * equaliser(rng, len(spectrum)), size)[:n].astype(np.float32)
    return out / (np.abs(out).max() + 1e-9)


def overdriven(wave: Wave, rng: Rng) -> Wave:
    """Seldom cut off at full scale, somewhat more often bent softly."""
    chance = rng.random()
    if chance < 0.1:
        return np.clip(wave * np.float32(uni(rng, (1.2, 4))), -1, 1)
    return np.tanh(np.float32(uni(rng, (1, 4))) * wave) if chance < 0.25 else wave


def augment(wave: Wave, rng: Rng) -> NDArray[np.float32]:
    """The same sound as someone might have recorded it; same length, peak between 0.05 and 1."""
    wave = moved(np.asarray(wave, dtype=np.float32), rng)
    if rng.random() < 0.15:
        wave = part_of(wave, rng)
    out = overdriven(recorded(wave, rng), rng)
    if rng.random() < 0.2:
        out = part_of(out, rng)
    peak = np.abs(out).max()
    if not np.isfinite(peak) or peak < 1e-9:
        out, peak = wave, np.abs(wave).max() + 1e-9
    return (out * np.float32(log_uni(rng, (0.05, 1.0)) / peak)).astype(np.float32)
