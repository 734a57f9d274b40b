"""How far to trust a classifier: scores of clips it did not see, intervals, and calibrated confidence.

Works on scores and class indices alone; knows no audio, no backbone, no method: `held_out_scores` takes any function that
fits and scores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import binomtest

from .options import Pooling

Array = NDArray[np.float32]
Index = NDArray[np.int64]
Progress = Callable[[int, int, str], None]  # done, total, what
Refit = Callable[[Index, Index], Array]  # (rows to fit on, rows to score) -> scores (rows to score, C)

MIN_CALIBRATION_CLIPS = 10  # below this a temperature says more about luck than about the classifier
REFIT_BUDGET = 5e9  # multiply-adds that held-out scoring may cost: seconds on two cores
MIN_FOLDS, MAX_FOLDS = 5, 50  # up to MAX_FOLDS clips every clip is left out on its own
TEMPERATURE_RANGE = (1e-2, 1e2)
LEAST_LOG = float(np.log(np.finfo(np.float32).tiny))


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Scores of every support clip by a classifier that was fitted without it.

    truth (G,) class indices, scores (G, C), one row a clip (its windows averaged); a row of NaN where the clip was the
    only one of its class, so that no classifier without it knows the class. folds: how many refits were made.
    """

    truth: Index
    scores: Array
    folds: int

    @property
    def valid(self) -> NDArray[np.bool_]:
        return np.isfinite(self.scores.sum(1))

    @property
    def predicted(self) -> Index:
        """Predicted class indices of the valid clips."""
        return self.scores[self.valid].argmax(1)

    @property
    def correct(self) -> NDArray[np.bool_]:
        return np.equal(self.predicted, self.truth[self.valid])

    @property
    def how(self) -> str:
        return "leave-one-out" if self.folds == len(self.truth) else f"{self.folds}-fold held-out"


@dataclass(frozen=True, slots=True)
class Proportion:
    """hits out of n, with the 95 % Wilson interval."""

    hits: int
    n: int

    @property
    def value(self) -> float:
        return self.hits / self.n if self.n else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        if not self.n:
            return (0.0, 1.0)
        found = binomtest(self.hits, self.n).proportion_ci(method="wilson")
        return float(found.low), float(found.high)

    def __str__(self) -> str:
        if not self.n:
            return "not measured: no class has a second clip"
        low, high = self.interval
        return f"{100 * self.value:.0f} % ({self.hits} of {self.n}; 95 % interval {100 * low:.0f} % to {100 * high:.0f} %)"


def accuracy(held_out: HeldOut, class_index: int | None = None) -> Proportion:
    """Held-out accuracy, over all classes or the clips of one."""
    chosen = slice(None) if class_index is None else held_out.truth[held_out.valid] == class_index
    correct = held_out.correct[chosen]
    return Proportion(int(correct.sum()), len(correct))


def held_out_scores(
    labels: Index, groups: Index, n_classes: int, refit: Refit, *, cost: float = 0.0, progress: Progress | None = None
) -> HeldOut:
    """Scores every group (the windows of one clip, labels (N,), groups (N,)) by literal refits without it.

    cost: multiply-adds of one refit. One refit per group (leave-one-out) for the usual handful of clips; for more than
    MAX_FOLDS, or more than REFIT_BUDGET allows, stratified folds, at least MIN_FOLDS. progress: whatever it raises ends the work.
    """
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    order = np.argsort(first)  # groups in the order of their first row
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    clip_of_row, truth = rank[inverse], labels[np.sort(first)]
    n_clips = len(truth)
    folds = min(n_clips, MAX_FOLDS, max(MIN_FOLDS, int(REFIT_BUDGET // max(cost, 1.0))))
    fold_of_clip = np.empty(n_clips, dtype=np.int64)
    fold_of_clip[np.argsort(truth, kind="stable")] = np.arange(n_clips) % folds  # dealing class by class stratifies
    result = np.full((n_clips, n_classes), np.nan, dtype=np.float32)
    for fold in range(folds):
        if progress:
            progress(fold, folds, "testing on clips that were left out")
        test_rows = np.flatnonzero(fold_of_clip[clip_of_row] == fold)
        fit_rows = np.flatnonzero(fold_of_clip[clip_of_row] != fold)
        known = np.isin(labels[test_rows], labels[fit_rows])
        test_rows = test_rows[known]
        if len(test_rows) and len(np.unique(labels[fit_rows])) > 1:
            clips = np.unique(clip_of_row[test_rows])
            result[clips] = mean_by_group(refit(fit_rows, test_rows), clip_of_row[test_rows])
    return HeldOut(truth, result, folds)


def mean_by_group(values: Array, groups: NDArray) -> Array:
    """Means of the rows of values (N, ...) by group, in sorted order of the groups."""
    _, inverse, count = np.unique(groups, return_inverse=True, return_counts=True)
    total = np.zeros((len(count), *values.shape[1:]))
    np.add.at(total, inverse, values)
    return (total / count.reshape(-1, *[1] * (values.ndim - 1))).astype(np.float32)


def fit_temperature(held_out: HeldOut, pooling: Pooling = "linear") -> float | None:
    """T of softmax(log s / T) by the likelihood of held-out clips; None where fewer than MIN_CALIBRATION_CLIPS are valid.

    Targets are smoothed as in Platt (1999), (n + 1)/(n + 2) for the truth: without it a handful of clips that are all
    right would drive T to zero and every confidence to 100 %.
    """
    scores, truth = held_out.scores[held_out.valid], held_out.truth[held_out.valid]
    n, n_classes = scores.shape
    if n < MIN_CALIBRATION_CLIPS:
        return None
    target = np.full((n, n_classes), 1 / (n + 2) / (n_classes - 1))
    target[np.arange(n), truth] = (n + 1) / (n + 2)
    logits = log_scores(scores, pooling)

    def loss(log_temperature: float) -> float:
        return float(-(target * log_softmax(logits / np.exp(log_temperature), axis=1)).sum())

    found = minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURE_RANGE)), method="bounded")
    return float(np.exp(found.x))


def probabilities(scores: Array, temperature: float, pooling: Pooling = "linear") -> Array:
    """Calibrated class probabilities (Q, C) = softmax(log s / T) of scores (Q, C)."""
    return softmax(log_scores(scores, pooling) / temperature, axis=1).astype(np.float32)


def log_scores(scores: Array, pooling: Pooling = "linear") -> NDArray[np.float64]:
    """log s: scores pooled in the log already are one; those that underflowed to 0 are held at the smallest normal float32."""
    if pooling == "log":
        return scores.astype(np.float64)
    return np.log(np.maximum(scores.astype(np.float64), np.finfo(np.float32).tiny))
