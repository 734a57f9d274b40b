"""How far a classifier's confidence can be believed: what it promised beside what came true on clips it never saw.

Asks the classifier as anybody would; knows head vectors and labels, no files and no audio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap
from sklearn.metrics import roc_auc_score

from . import confidence
from .classifier import CalmClassifier
from .options import FitOptions
from .vectors import HeadVectors

Index = NDArray[np.int64]

FLIPPED = 0.1  # share of support labels changed to see whether they are flagged
BOOTSTRAP_RESAMPLES = 9999


@dataclass(frozen=True, slots=True)
class Measured:
    """A mean over episodes with its 95 % bootstrap interval."""

    value: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, slots=True)
class TrustResult:
    """How far one method's confidence can be believed at one number of shots; all None where its support is too small to calibrate.

    calibration_error: expected calibration error of the test clips of all episodes together.
    coverage, set_size: of the prediction sets at confidence.COVERAGE; nothing: share of empty ones, which say "none of these".
    unknown_nothing, unknown_auroc: with one class left out of the support, the share of empty sets among its test clips, and how well
    the largest p-value tells them from the test clips of the other classes.
    flags_right, flags_found: with FLIPPED of the support labels changed, the share of the flagged clips whose label was, and the
    share of the changed ones that were flagged.
    """

    method: str
    shots: int
    predictions: int
    calibration_error: float | None = None
    coverage: Measured | None = None
    set_size: Measured | None = None
    nothing: Measured | None = None
    unknown_nothing: Measured | None = None
    unknown_auroc: Measured | None = None
    flags_right: Measured | None = None
    flags_found: Measured | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One episode: confidence and correctness of every test clip (Q,), and the episode's share of everything in `TrustResult`."""

    confidence: NDArray[np.float32]
    correct: NDArray[np.bool_]
    shares: dict[str, float]  # NaN where an episode can't say


def try_out(
    heads: HeadVectors, labels: Sequence[str], support: Index, test: Index, options: FitOptions, left_out: str, rng: np.random.Generator
) -> Outcome | None:
    """One episode on clips (by number); left_out: the class that the support is once robbed of. None where nothing is calibrated."""
    names = np.asarray(labels)
    model = CalmClassifier.fit(heads.clips(support), names[support].tolist(), options=options, null=False)
    found = model.predict(heads.clips(test))
    if found.probabilities is None or found.p_values is None:
        return None
    truth = np.searchsorted(model.class_names, names[test])
    sets = found.p_values > 1 - confidence.COVERAGE
    shares = {"coverage": sets[np.arange(len(test)), truth].mean(), "set_size": sets.sum(1).mean(), "nothing": (~sets.any(1)).mean()}
    shares |= _unknown(heads, names, support, test, options, left_out) | _flags(heads, names, support, options, rng)
    return Outcome(found.probabilities.max(1), found.indices == truth, {name: float(value) for name, value in shares.items()})


def summary(method: str, shots: int, outcomes: Sequence[Outcome | None], seed: int) -> TrustResult:
    """All episodes of one method as one row."""
    done = [outcome for outcome in outcomes if outcome is not None]
    if not done:
        return TrustResult(method, shots, 0)
    sure, right = np.concatenate([o.confidence for o in done]), np.concatenate([o.correct for o in done])
    shares = {name: np.array([o.shares[name] for o in done]) for name in done[0].shares}
    told = {name: values[np.isfinite(values)] for name, values in shares.items()}
    measured = {name: mean_with_interval(values, seed) for name, values in told.items() if len(values)}
    return TrustResult(method, shots, len(sure), confidence.calibration_error(sure, right), **measured)


def mean_with_interval(values: NDArray[np.float64], seed: int) -> Measured:
    """Mean over at least one episode; without spread the interval is the mean itself."""
    mean = float(values.mean())
    if len(values) < 2 or np.ptp(values) == 0:
        return Measured(mean, mean, mean)
    found = bootstrap((values,), np.mean, n_resamples=BOOTSTRAP_RESAMPLES, method="percentile", rng=np.random.default_rng(seed))
    return Measured(mean, float(found.confidence_interval.low), float(found.confidence_interval.high))


def _unknown(
    heads: HeadVectors, names: NDArray[np.str_], support: Index, test: Index, options: FitOptions, left_out: str
) -> dict[str, float]:
    known = support[names[support] != left_out]
    foreign = names[test] == left_out
    nothing = {"unknown_nothing": np.nan, "unknown_auroc": np.nan}
    if len(set(names[known])) < 2 or foreign.all() or not foreign.any():
        return nothing
    found = CalmClassifier.fit(heads.clips(known), names[known].tolist(), options=options, null=False).predict(heads.clips(test))
    if found.p_values is None:
        return nothing
    best = found.p_values.max(1)
    return {
        "unknown_nothing": float((best[foreign] <= 1 - confidence.COVERAGE).mean()),
        "unknown_auroc": float(roc_auc_score(foreign, -best)),
    }


def _flags(heads: HeadVectors, names: NDArray[np.str_], support: Index, options: FitOptions, rng: np.random.Generator) -> dict[str, float]:
    labels = names[support].copy()
    classes = np.unique(labels)
    changed = rng.choice(len(labels), round(FLIPPED * len(labels)), replace=False)
    for i in changed:
        labels[i] = rng.choice(classes[classes != labels[i]])
    if not len(changed) or len(np.unique(labels)) < len(classes):
        return {"flags_right": np.nan, "flags_found": np.nan}
    model = CalmClassifier.fit(heads.clips(support), labels.tolist(), options=options, null=False)
    flagged = np.array([s.clip for s in model.suspicious], dtype=np.int64)
    hits = np.isin(flagged, changed).sum()
    return {"flags_right": hits / len(flagged) if len(flagged) else np.nan, "flags_found": hits / len(changed)}
