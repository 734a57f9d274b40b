"""Words about a waveform, measured from its samples alone: colour, how much of the time it sounds, pitch, number of events, motion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.signal import find_peaks

from .basics import NYQUIST_HZ, SAMPLE_RATE_HZ, Wave

ATTRIBUTE_WORDS: dict[str, tuple[str, ...]] = {
    "brightness": ("dark", "medium", "bright"),
    "envelope": ("sparse", "varying", "steady"),
    "pitch": ("noisy", "low", "mid", "high"),
    "count": ("once", "few", "many", "unbroken"),
    "motion": ("rising", "falling", "still", "wavering"),
}

# All thresholds are set on five augmented 5-s clips of every family, so that the words of an attribute share them about evenly;
# `noisy` keeps nearly half, since so much of the world is noise.
CENTROID_HZ = (1650.0, 2700.0)
ACTIVE_SHARE = (0.32, 0.66)  # share of 25-ms frames within ACTIVE_DB of the loudest tenth
ACTIVE_DB = 12.0

TONAL = 0.5  # height of the autocorrelation's peak, 1 for a periodic wave
PITCH_HZ = (300.0, 800.0)  # thirds of the tonal clips
LAGS = 320  # samples: pitch is looked for above 50 Hz
OCTAVE_BIAS = 0.9  # the first lag this near to the best is the period; later ones are its multiples

PEAK_DB = 8.0  # an event rises and falls by so much, after smoothing over 75 ms
FLOOR_DB = 24.0  # quieter than the loudest by more is a pause
FEW = 5  # the most events that are still few
PAUSE_DB = 18.0  # all but a twentieth of an unbroken sound is within so much of its loudest moment

TREND = 0.12  # octaves that the centroid climbs over an event
STEADINESS = 1.0  # the climb must be so many times the deviation about the trend
WAVER = 0.2  # octaves, standard deviation about that trend

FRAME = 1024  # 64 ms: two periods of the lowest pitch
HANN = np.hanning(FRAME).astype(np.float32)
HANN_ACF = irfft(np.square(np.abs(rfft(np.pad(HANN, (0, FRAME))))))[:LAGS]
BINS_HZ = np.linspace(0, NYQUIST_HZ, FRAME // 2 + 1, dtype=np.float32)


def word(attribute: str, value: float, bounds: tuple[float, ...], first: int = 0) -> str:
    """The attribute's word for a value between ascending bounds, counting from its word number `first`."""
    return ATTRIBUTE_WORDS[attribute][first + sum(value >= bound for bound in bounds)]


def spectra(wave: Wave) -> Wave:
    """Power spectra of half-overlapping frames, shape (frames, FRAME // 2 + 1); a short wave is padded to one frame."""
    wave = np.pad(wave, (0, max(0, FRAME - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(wave, FRAME)[:: FRAME // 2]
    spectrum = rfft(frames * HANN)
    return np.square(spectrum.real) + np.square(spectrum.imag)


def pitch(power: Wave) -> str:
    """Noisy, or the height of the fundamental: median over frames of the first high peak of the autocorrelation."""
    acf = irfft(power)[:, :LAGS]  # circular, but the window has died out where it wraps
    acf = acf / (acf[:, :1] + 1e-12) * (HANN_ACF[0] / HANN_ACF)
    acf[np.cumsum(acf < 0, axis=1) == 0] = -1  # the lobe round zero says nothing
    best = acf.max(1)
    if np.median(best) < TONAL:
        return "noisy"
    periodic = best >= np.median(best)
    lag = np.argmax(acf[periodic] >= OCTAVE_BIAS * best[periodic, None], axis=1)
    return word("pitch", SAMPLE_RATE_HZ / max(1.0, float(np.median(lag))), PITCH_HZ, 1)


def count(energy: Wave) -> str:
    """Peaks of the envelope; a sound that never pauses is unbroken however it flickers."""
    smooth = np.convolve(energy, np.full(3, 1 / 3), "same") if len(energy) > 2 else energy
    db = np.maximum(10 * np.log10(smooth / smooth.max() + 1e-9), -FLOOR_DB)
    if len(db) > 3 and np.quantile(db, 0.05) > -PAUSE_DB:
        return "unbroken"
    peaks, _ = find_peaks(np.pad(db, 1, constant_values=-FLOOR_DB - PEAK_DB), prominence=PEAK_DB)
    return word("count", len(peaks), (2, FEW + 1))


def motion(power: Wave, sounding: NDArray[np.bool_]) -> str:
    """The trend of the spectral centroid within stretches of sound, pooled over them: repeated falling calls fall."""
    at = np.flatnonzero(sounding)
    if len(at) < 3:
        return "still"
    loud = power[at]
    octave = np.log2(loud @ BINS_HZ / (loud.sum(1) + 1e-12) + 50)
    stretch = np.cumsum(np.diff(at, prepend=at[0]) > 1)
    size = np.bincount(stretch)
    x, y = (v - (np.bincount(stretch, v) / size)[stretch] for v in (at.astype(float), octave))
    slope = float(x @ y / (x @ x + 1e-9))
    climb = slope * float(np.sqrt(12 * np.mean(x * x)))  # over a stretch of typical length: its spread times the root of 12
    rest = float(np.std(y - slope * x))
    if abs(climb) >= max(TREND, STEADINESS * rest):
        return "rising" if climb > 0 else "falling"
    return "wavering" if rest >= WAVER else "still"


def attributes(wave: Wave) -> dict[str, str]:
    """One word for each attribute of ATTRIBUTE_WORDS."""
    wave = np.asarray(wave, dtype=np.float32)
    short = min(len(wave), 400)  # 25 ms
    energy = np.square(wave[: len(wave) // short * short].reshape(-1, short)).mean(1)
    active = float(np.mean(energy > np.quantile(energy, 0.9) * 10 ** (-ACTIVE_DB / 10))) if energy.max() > 0 else 0.0
    power = spectra(wave)
    level = power.sum(1)
    sounding = level > np.quantile(level, 0.9) * 10 ** (-ACTIVE_DB / 10)
    amplitude = np.sqrt(power.sum(0))
    return {
        "brightness": word("brightness", float(BINS_HZ @ amplitude / (amplitude.sum() + 1e-12)), CENTROID_HZ),
        "envelope": word("envelope", active, ACTIVE_SHARE),
        "pitch": pitch(power[sounding]) if sounding.any() else "noisy",
        "count": count(energy) if energy.max() > 0 else "once",
        "motion": motion(power, sounding),
    }
