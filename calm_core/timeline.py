"""A long recording heard window by window: class curves over time, and events above a confidence. Knows no page and no file format.

Windows overlap, so that an event at a border is heard whole in one of them. Vectors of windows aren't stored: they are many, and asked
about once.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import audio
from .backbones import Backbone
from .classifier import CalmClassifier
from .confidence import COVERAGE
from .errors import BundleError, Cancelled, DataError, OptionError
from .extraction import Cancel, Progress, origin_of, saw
from .vectors import HeadVectors

Array = NDArray[np.float32]

MAX_RECORDING_S = 3600.0  # an hour at 16 kHz is 230 MB in memory
WINDOW_S = 2.0  # where the backbone's own window isn't shorter
BATCH = 8
CONFIDENCE = 0.8


@dataclass(frozen=True, slots=True)
class Event:
    """A stretch of a recording with one class; confidence: of its surest window."""

    start_s: float
    end_s: float
    label: str
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """A recording of `seconds` s in windows: begins_s (W,), each window_s long; probabilities (W, C), calibrated for single clips;
    fits (W,): whether the likeliest class can't be ruled out, False for "none of these".
    """

    class_names: tuple[str, ...]
    seconds: float
    window_s: float
    hop_s: float
    begins_s: NDArray[np.float64]
    probabilities: Array
    fits: NDArray[np.bool_]

    def edges_s(self) -> NDArray[np.float64]:
        """Where windows meet, (W + 1,) in s: in the middle of their overlap, for what is in it belongs to both; at the ends of the
        recording at its ends."""
        overlap = (self.begins_s[:-1] + self.window_s - self.begins_s[1:]) / 2
        return np.concatenate([[0.0], self.begins_s[1:] + overlap, [self.seconds]])

    def unlike(self, confidence: float = CONFIDENCE) -> int:
        """How many windows have this confidence or more, and yet fit no class."""
        return int((~self.fits & (self.probabilities.max(1) >= confidence)).sum())

    def events(self, confidence: float = CONFIDENCE, *, unlike: bool = False) -> tuple[Event, ...]:
        """Runs of windows with the same likeliest class at this confidence or above, in time; unlike: also where that class doesn't fit.

        An event ends where its windows meet the next ones (`edges_s`).
        """
        best, sure, edges = self.probabilities.argmax(1), self.probabilities.max(1), self.edges_s().tolist()
        heard = (self.fits | unlike) & (sure >= confidence)
        found: list[Event] = []
        for i in np.flatnonzero(heard).tolist():
            label, p = self.class_names[best[i]], float(sure[i])
            if found and i > 0 and heard[i - 1] and best[i - 1] == best[i]:
                found[-1] = Event(found[-1].start_s, edges[i + 1], label, max(found[-1].confidence, p))
            else:
                found.append(Event(edges[i], edges[i + 1], label, p))
        return tuple(found)


def timeline(
    model: CalmClassifier,
    path: Path,
    backbone: Backbone,
    *,
    window_s: float | None = None,
    hop_s: float | None = None,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> Timeline:
    """Hears a recording in windows of window_s every hop_s seconds, by default WINDOW_S and half of it.

    Raises OptionError for lengths that can't be, DataError for a model without calibration, BundleError where model and backbone don't
    belong together, AudioError where the recording can't be read, Cancelled where `cancelled()` turned true.
    """
    window_s = min(WINDOW_S, backbone.window_s) if window_s is None else window_s
    hop_s = window_s / 2 if hop_s is None else hop_s
    if not audio.MIN_SECONDS <= window_s <= backbone.window_s:
        raise OptionError(f"the window is {window_s:g} s; it must be {audio.MIN_SECONDS:g} to {backbone.window_s:g} s for this backbone.")
    if not 0 < hop_s <= window_s:
        raise OptionError(f"the hop is {hop_s:g} s; it must be above 0 and at most the window, {window_s:g} s, or sound is left out.")
    if saw(model.origin):
        raise BundleError("this classifier was shown the pictures of videos too, and a timeline is of sound alone; learn without them.")
    model.require_origin(origin := origin_of(backbone, model.prompt))
    if model.temperature is None:
        raise DataError(f"a timeline needs calibrated confidence: {model.calibration_note}")
    samples = audio.load(path, backbone.sample_rate_hz, max_seconds=MAX_RECORDING_S).samples
    begins, pieces = _cut(samples, backbone.sample_rate_hz, window_s, hop_s)
    probabilities, fits = [], []
    for start in range(0, len(pieces), BATCH):
        if cancelled and cancelled():
            raise Cancelled(f"stopped after {start} of {len(pieces)} windows.")
        if progress:
            progress(start, len(pieces), f"window at {begins[start]:.0f} s")
        batch = pieces[start : start + BATCH]
        vectors = np.zeros((len(batch), *astuple(backbone.shape)), np.float32)
        vectors[:, : model.layers] = backbone.extract(batch, model.prompt, model.layers)
        found = model.predict(HeadVectors(vectors, np.arange(len(batch)), origin, model.layers))
        assert found.probabilities is not None  # for it is calibrated
        probabilities.append(found.probabilities)
        sets = found.sets(COVERAGE)
        fits += [True] * len(batch) if sets is None else [label in fitting for label, fitting in zip(found.labels, sets, strict=True)]
    seconds = len(samples) / backbone.sample_rate_hz
    return Timeline(model.class_names, seconds, window_s, hop_s, begins, np.concatenate(probabilities), np.array(fits, dtype=bool))


def _cut(samples: Array, rate_hz: int, window_s: float, hop_s: float) -> tuple[NDArray[np.float64], list[Array]]:
    """Windows and their begins (W,) in s; the last one ends with the recording, so that nothing is left out."""
    size, hop = round(window_s * rate_hz), max(1, round(hop_s * rate_hz))
    last = max(0, len(samples) - size)
    starts = [*range(0, last, hop), last]
    return np.array(starts) / rate_hz, [samples[start : start + size] for start in starts]
