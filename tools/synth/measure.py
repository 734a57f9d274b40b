"""Two words about a waveform, measured from its samples alone: how bright it is, and how much of the time it sounds."""

from __future__ import annotations

import numpy as np
from scipy.fft import rfft

from .basics import NYQUIST_HZ, Wave

CENTROID_HZ = (1650.0, 2700.0)  # thirds of augmented synthetic clips
ACTIVE_SHARE = (0.32, 0.66)  # share of 25-ms frames within ACTIVE_DB of the loudest tenth; thirds as well
ACTIVE_DB = 12.0


def attributes(wave: Wave) -> dict[str, str]:
    """Two words measured from the samples alone."""
    wave = np.asarray(wave, dtype=np.float32)
    frame = min(len(wave), 400)  # 25 ms
    frames = wave[: len(wave) // frame * frame].reshape(-1, frame)
    power = np.square(np.abs(rfft(frames * np.hanning(frame).astype(np.float32)))).sum(0)
    centroid = float(np.sum(np.linspace(0, NYQUIST_HZ, len(power)) * np.sqrt(power)) / (np.sqrt(power).sum() + 1e-12))
    energy = np.square(frames).mean(1)
    active = float(np.mean(energy > np.quantile(energy, 0.9) * 10 ** (-ACTIVE_DB / 10))) if energy.max() > 0 else 0.0
    brightness = "dark" if centroid < CENTROID_HZ[0] else "medium" if centroid < CENTROID_HZ[1] else "bright"
    envelope = "sparse" if active < ACTIVE_SHARE[0] else "varying" if active < ACTIVE_SHARE[1] else "steady"
    return {"brightness": brightness, "envelope": envelope}
