"""When things happen: grains scattered over a clip, trains of ticks, runs of events, and blows that ring over each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .basics import SAMPLE_RATE_HZ, Range, Rng, Synth, Wave, log_uni, pick, samples, silence, uni
from .sources import bubble, phase_of

LAST_START = 400  # samples, 25 ms: nothing begins later than this before the end
ENDLESS = 10_000  # repetitions: more than fit in any clip


def add_at(out: Wave, wave: Wave, start: int, gain: float = 1.0) -> None:
    """Add `wave` to `out` in place; what reaches beyond the end is cut."""
    wave = wave[: max(0, len(out) - start)]
    out[start : start + len(wave)] += np.float32(gain) * wave


def scatter(rng: Rng, n: int, grains: Sequence[Wave], starts: NDArray, spread_db: float = 8.0) -> Wave:
    """Add short grains at many instants with log-normal loudness; one bincount instead of a loop."""
    length = max(len(g) for g in grains)
    starts = np.asarray(starts, dtype=np.int64)[: max(1, 600_000 // length)]  # a budget: beyond it the ear hears noise anyway
    if not len(starts):
        starts = rng.integers(0, max(1, n // 2), 1)
    bank = np.stack([np.pad(g, (0, length - len(g))) for g in grains])
    gain = 10 ** (spread_db / 20 * rng.standard_normal(len(starts)))
    weights = bank[rng.integers(len(bank), size=len(starts))] * gain[:, None].astype(np.float32)
    return np.bincount((starts[:, None] + np.arange(length)).ravel(), weights.ravel(), n + length)[:n].astype(np.float32)


def poisson(rng: Rng, n: int, rate_hz: float) -> NDArray:
    """Instants that know nothing of each other, `rate_hz` of them a second; at least one."""
    return rng.integers(0, n, max(1, rng.poisson(rate_hz * n / SAMPLE_RATE_HZ)))


def ticks(rng: Rng, rate: Wave, jitter: float = 0.0) -> NDArray:
    """Instants where a pulse train of varying rate fires, each shifted by a random part of a period."""
    phase = phase_of(rate, len(rate)) + rng.random()
    at = np.flatnonzero(np.diff(np.floor(phase)) > 0)
    shift = jitter * rng.standard_normal(len(at)) * SAMPLE_RATE_HZ / np.maximum(rate[at], 1)
    return np.sort(np.clip(at + shift, 0, len(rate) - 1).astype(np.int64))


def pattern(n: int, period_s: float, beats: Sequence[float]) -> NDArray:
    """Instants of a pattern that repeats every `period_s`; beats, as parts of it. In samples, as floats; the last may lie beyond `n`."""
    return (np.arange(0, n / SAMPLE_RATE_HZ, period_s)[:, None] + period_s * np.array(beats)).ravel() * SAMPLE_RATE_HZ


def bubbling(rng: Rng, n: int, rate_hz: float, hz: Range, rise: Range = (0, 0.15)) -> Wave:
    """Bubbles at random instants, `rate_hz` of them a second."""
    grains = [bubble(log_uni(rng, hz), uni(rng, rise)) for _ in range(16)]
    return scatter(rng, n, grains, poisson(rng, n, rate_hz))


def events(
    rng: Rng, n: int, make: Synth, dur_s: Range, gap_s: Range, single: float = 0.25, burst: float = 0.3, loose: float | None = None
) -> Wave:
    """One event, a run of them, or bursts with pauses. Up to three takes are made and reused: life repeats itself, only not exactly.

    single, burst: chances of one event alone, and of pauses within the run. loose: how unlike each other lengths, gaps and levels are.
    """
    out = silence(n)
    mean_dur, mean_gap = log_uni(rng, dur_s), log_uni(rng, gap_s)
    loose = rng.uniform(0.02, 0.5) if loose is None else loose
    alone = rng.random() < single
    room_for = 1 if alone else min(3, 1 + int(n / samples(mean_dur + mean_gap)))
    takes = [make(rng, min(n, samples(mean_dur * np.exp(0.4 * loose * rng.standard_normal())))) for _ in range(room_for)]
    if alone:
        add_at(out, takes[0], int(rng.uniform(0, 0.5) * n * rng.random()))
        return out
    group = int(rng.integers(1, 6)) if rng.random() < burst else ENDLESS
    last = int(rng.geometric(0.15)) if rng.random() < 0.4 else ENDLESS  # the run may stop before the clip does
    at, count = int(rng.uniform(0, 0.2) * n * rng.random()), 0
    while at < n - LAST_START and count < last:
        take = pick(rng, *takes)
        add_at(out, take, at, np.exp(0.5 * loose * rng.standard_normal()))
        count += 1
        pause = mean_gap * np.exp(loose * rng.standard_normal()) + (log_uni(rng, (0.5, 3)) if count % group == 0 else 0)
        at += len(take) + samples(pause)
    return out


def strikes(rng: Rng, n: int, make: Synth, length_s: float, period_s: Range, single: float = 0.25, loose: Range = (0.01, 0.5)) -> Wave:
    """Hits that may ring over each other: onset to onset is `period_s`, unlike `events`, which waits for the end."""
    out = silence(n)
    mean, spread, size = log_uni(rng, period_s), uni(rng, loose), min(n, samples(length_s))
    many = ENDLESS if single == 0 else pick(rng, 2, 3, 5, 8, ENDLESS, ENDLESS, ENDLESS)  # single 0: a mechanism, which does not stop
    at, left = int(rng.uniform(0, 0.25) * n * rng.random()), 1 if rng.random() < single else many
    takes = [make(rng, size) for _ in range(min(3, left))]
    while at < n - LAST_START and left:
        add_at(out, pick(rng, *takes), at, np.exp(0.6 * spread * rng.standard_normal()))
        at, left = at + samples(mean * np.exp(spread * rng.standard_normal())), left - 1
    return out
