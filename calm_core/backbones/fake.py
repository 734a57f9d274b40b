"""A backbone for tests: no network inside, deterministic, honest about its calls.

Its heads hear simple things: head (l, h) is a fixed random projection of the clip's log energies in a few frequency bands,
so different sounds really give different vectors. `calls` and `windows_seen` count the work, so that a test can prove that a
cache saved a forward pass.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .base import HeadShape, check_answers, check_layers

Array = NDArray[np.float32]

N_BANDS = 24


class FakeBackbone:
    """A Backbone (see base.py) that needs neither weights nor time."""

    def __init__(self, layers: int = 4, heads: int = 8, head_dim: int = 16, seed: int = 0) -> None:
        self.id, self.revision, self.preprocessing, self.device = "fake", f"seed-{seed}", "fake/1", "cpu"
        self.shape = HeadShape(layers, heads, head_dim)
        self.sample_rate_hz, self.window_s, self.tokens_per_s = 16_000, 5.0, 12.5
        self._projection = np.random.default_rng(seed).normal(size=(layers, heads, head_dim, N_BANDS)).astype(np.float32)
        self.calls = 0
        self.windows_seen = 0
        self._counting = threading.Lock()

    def prepare(self, waveform: Array, prompt: str) -> Array:
        """See Backbone.prepare; the prompt turns the bands, so that another prompt gives other vectors."""
        return np.roll(_band_energies(waveform), sum(prompt.encode()) % N_BANDS)

    def read(self, prepared: Sequence[Array], layers: int | None = None) -> Array:
        """See Backbone.read."""
        projection = self._projection[: check_layers(layers, self.shape)]
        with self._counting:
            self.calls += 1
            self.windows_seen += len(prepared)
        return np.einsum("lhdb,nb->nlhd", projection, np.stack(prepared), dtype=np.float32)

    def extract(self, waveforms: Sequence[Array], prompt: str, layers: int | None = None) -> Array:
        """See Backbone.extract."""
        return self.read([self.prepare(waveform, prompt) for waveform in waveforms], layers)

    def answer(self, waveforms: Sequence[Array], prompt: str) -> list[str]:  # noqa: ARG002
        """See Answering.answer: names the loudest band, whatever the prompt."""
        return [f"band {_band_energies(w).argmax()}" for w in waveforms]

    def sample_answers(self, waveforms: Sequence[Array], prompt: str, samples: int = 8, seed: int = 0) -> list[list[str]]:  # noqa: ARG002
        """See Answering.sample_answers: the loudest band, and now and then its neighbour."""
        moves = np.random.default_rng(seed).choice([0, 0, 0, 1], size=samples)
        return [[f"band {(_band_energies(w).argmax() + m) % N_BANDS}" for m in moves] for w in waveforms]

    def answer_likelihoods(self, waveforms: Sequence[Array], prompt: str, answers: Sequence[str]) -> Array:
        """See Answering.answer_likelihoods: each text is a fixed random direction in the bands; its own answer is the likeliest."""
        check_answers(answers)
        directions = np.stack([np.random.default_rng(list(a.encode())).normal(size=N_BANDS) for a in answers])
        bands = np.stack([_band_energies(w) for w in waveforms])
        likelihoods = -np.logaddexp(0, -(bands @ directions.T))
        likelihoods[np.array([[a == own for a in answers] for own in self.answer(waveforms, prompt)])] = 0
        return likelihoods.astype(np.float32)


def _band_energies(waveform: Array) -> Array:
    """Log energy (N_BANDS,) in equal bands of the power spectrum, about its mean: loudness doesn't count."""
    spectrum = np.abs(np.fft.rfft(waveform, n=4096)) ** 2
    energies = np.log1p(np.array([band.mean() for band in np.array_split(spectrum, N_BANDS)]))
    return (energies - energies.mean()).astype(np.float32)
