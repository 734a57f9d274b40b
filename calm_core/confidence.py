"""How far to trust a classifier: scores of clips it did not see, intervals, calibrated confidence, prediction sets, suspicious labels,
and what reliability chance alone gives.

Works on scores and class indices alone; knows no audio, no backbone, no method: `held_out_scores` and `chance_level` take any
function that fits and scores, or judges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from .options import Pooling

Array = NDArray[np.float32]
Index = NDArray[np.int64]
Progress = Callable[[int, int, str], None]  # done, total, what
FitAndAsk = Callable[[Index, Index], tuple[Array, Array]]  # (rows to fit on, rows to ask) -> scores, familiarity, both (rows to ask, C)
Judge = Callable[[Index], Array]  # labels (N,) -> reliability (L, H, C)

MIN_CALIBRATION_CLIPS = 10  # below this a temperature says more about luck than about the classifier
REFIT_BUDGET = 5e9  # multiply-adds that held-out scoring may cost: seconds on two cores
MIN_FOLDS, MAX_FOLDS = 5, 50  # up to MAX_FOLDS clips every clip is left out on its own
TEMPERATURE_RANGE = (1e-2, 1e2)
COVERAGE = 0.9  # of prediction sets
NULL_QUANTILE = 0.95  # of reliability under permuted labels: a head above it is unlikely to be luck
MIN_PERMUTATIONS, NULL_SAMPLES = 20, 2000  # permutations at least; and so many that (permutations x heads) reach NULL_SAMPLES
SUSPICION = 0.08  # a label whose calibrated held-out probability is below this is suspicious; chosen on generated clips
ECE_BINS = 10
RESAMPLES, Z_95 = 10_000, 1.96
LEAST_LOG = float(np.log(np.finfo(np.float32).tiny))


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Scores of every support clip by a classifier that was fitted without it.

    truth (G,) class indices; scores, familiarity (G, C), one row a clip (its windows averaged); a row of NaN where the clip was
    the only one of its class, so that no classifier without it knows the class. folds: how many refits were made.
    """

    truth: Index
    scores: Array
    familiarity: Array
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
    """hits out of n, with a 95 % interval: the bootstrap's, over clips.

    An end of it that is 0 or 100 %, which a handful of clips can't show, is Wilson's instead: five right of five aren't 100 % for sure.
    """

    hits: int
    n: int

    @property
    def value(self) -> float:
        return self.hits / self.n if self.n else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        if not self.n:
            return (0.0, 1.0)
        resampled = np.random.default_rng(0).binomial(self.n, self.value, RESAMPLES)  # n draws from n clips, with replacement
        low, high = np.quantile(resampled / self.n, (0.025, 0.975))
        wilson_low, wilson_high = self._wilson
        return float(low if 0 < low < 1 else wilson_low), float(high if 0 < high < 1 else wilson_high)

    @property
    def _wilson(self) -> tuple[float, float]:
        n, p = self.n, self.value
        middle, reach = p + Z_95**2 / (2 * n), Z_95 * (p * (1 - p) / n + Z_95**2 / (4 * n**2)) ** 0.5
        low, high = np.clip([middle - reach, middle + reach], 0, 1 + Z_95**2 / n) / (1 + Z_95**2 / n)
        return float(low), float(high)

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
    labels: Index, groups: Index, n_classes: int, refit: FitAndAsk, *, cost: float = 0.0, progress: Progress | None = None
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
    result, near = np.full((2, n_clips, n_classes), np.nan, dtype=np.float32)
    for fold in range(folds):
        if progress:
            progress(fold, folds, "testing on clips it has not heard")
        test_rows = np.flatnonzero(fold_of_clip[clip_of_row] == fold)
        fit_rows = np.flatnonzero(fold_of_clip[clip_of_row] != fold)
        known = np.isin(labels[test_rows], labels[fit_rows])
        test_rows = test_rows[known]
        if len(test_rows) and len(np.unique(labels[fit_rows])) > 1:
            clips = np.unique(clip_of_row[test_rows])
            result[clips], near[clips] = (mean_by_group(found, clip_of_row[test_rows]) for found in refit(fit_rows, test_rows))
    return HeldOut(truth, result, near, folds)


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


def p_values(scores: Array, familiarity: Array, held_out: HeldOut, pooling: Pooling = "linear") -> Array | None:
    """Cross-conformal p-values (Q, C) of every class for scores and familiarity (Q, C); None with fewer than MIN_CALIBRATION_CLIPS
    valid clips.

    A clip conforms to a class as far as it leads (its log score less the best other one) and as it is familiar, whichever ranks
    lower among the held-out clips and their own classes. p is the share of held-out clips, this one counted in, that conform no
    better to their class (Vovk 2015, "Cross-conformal predictors"). The set {c: p > 1 - coverage} holds the true class with
    about that probability for clips like the support clips; an empty one says "none of these".
    """
    valid = held_out.valid
    if valid.sum() < MIN_CALIBRATION_CLIPS:
        return None
    own = np.arange(int(valid.sum())), held_out.truth[valid]
    known_lead, known_near = leads(held_out.scores[valid], pooling)[own], held_out.familiarity[valid][own]
    n = len(known_lead)
    rank_lead, rank_near = _at_most(known_lead, known_lead), _at_most(known_near, known_near)
    asked_lead, asked_near = _at_most(known_lead, leads(scores, pooling)), _at_most(known_near, familiarity)
    # Counted in, the asked clip ranks at lower + 1 in its worse respect, and lifts by one the rank of the clips above it. In the respect
    # in which it is worse, clips up to `lower` conform no better; in the other, up to one more.
    lower = np.minimum(asked_lead, asked_near)
    ranks = np.arange(n + 1)[:, None]
    no_better = {
        (more_lead, more_near): ((rank_lead <= ranks + more_lead) | (rank_near <= ranks + more_near)).sum(1)
        for more_lead, more_near in ((0, 0), (1, 0), (0, 1))
    }
    count = np.where(
        asked_lead > lower, no_better[1, 0][lower], np.where(asked_near > lower, no_better[0, 1][lower], no_better[0, 0][lower])
    )
    return ((1 + count) / (1 + n)).astype(np.float32)


def prediction_set(class_names: Sequence[str], scores: Array, p_values: Array, coverage: float = COVERAGE) -> tuple[str, ...]:
    """One clip's classes that can't be ruled out at this coverage, by its scores and p-values (C,): the likeliest first, () for none."""
    return tuple(class_names[c] for c in np.argsort(-scores, kind="stable") if p_values[c] > 1 - coverage)


def _at_most(known: NDArray, values: NDArray) -> Index:
    """How many of known (n,) are no greater, for every one of values of any shape."""
    return np.searchsorted(np.sort(known), values, side="right")


def leads(scores: Array, pooling: Pooling = "linear") -> NDArray[np.float64]:
    """Every class's log score less the best of the other classes', (Q, C): positive for the predicted class alone."""
    logs = log_scores(scores, pooling)
    best, rows = logs.argmax(1), np.arange(len(logs))
    rest = logs.copy()
    rest[rows, best] = -np.inf
    others = np.repeat(logs.max(1, keepdims=True), logs.shape[1], axis=1)
    others[rows, best] = rest.max(1)
    return logs - others


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A support clip (its number) whose label the others contradict: given and predicted class, calibrated probability of the given."""

    clip: int
    given: int
    predicted: int
    probability: float


def suspicious(held_out: HeldOut, temperature: float | None, pooling: Pooling = "linear") -> tuple[Suspicion, ...]:
    """Clips whose held-out probability of their own label is below SUSPICION, least probable first; none without a calibration.

    A bound on the label and not on the rival, because a clip may resemble two classes and still be neither by its label.
    """
    if temperature is None:
        return ()
    clips = np.flatnonzero(held_out.valid)
    p = probabilities(held_out.scores[clips], temperature, pooling)
    given, predicted = held_out.truth[clips], p.argmax(1)
    own = p[np.arange(len(clips)), given]
    doubtful = [i for i in np.argsort(own, kind="stable") if own[i] < SUSPICION and predicted[i] != given[i]]
    return tuple(Suspicion(int(clips[i]), int(given[i]), int(predicted[i]), float(own[i])) for i in doubtful)


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What was promised beside what came true, in ECE_BINS equal bins of confidence: counts (B,) of clips, hits (B,) of right ones,
    confidence (B,) their mean, NaN in an empty bin."""

    counts: Index
    hits: Index
    confidence: NDArray[np.float64]

    @property
    def edges(self) -> NDArray[np.float64]:
        """Of the bins, (B + 1,)."""
        return np.arange(len(self.counts) + 1) / len(self.counts)

    @property
    def proportions(self) -> tuple[Proportion, ...]:
        return tuple(Proportion(int(hits), int(n)) for hits, n in zip(self.hits, self.counts, strict=True))

    @property
    def overall(self) -> tuple[float, float]:
        """Mean confidence, and the share that was right."""
        n = max(1, int(self.counts.sum()))
        return float(np.nansum(self.confidence * self.counts) / n), float(self.hits.sum() / n)

    @property
    def error(self) -> float:
        """Expected calibration error: the mean gap of confidence and accuracy, every bin by its clips."""
        gap = np.nan_to_num(self.confidence * self.counts) - self.hits
        return float(np.abs(gap).sum() / max(1, int(self.counts.sum())))


def calibration(confidence: NDArray, correct: NDArray) -> Calibration:
    """Bins (Q,) confidences and whether they were right."""
    which = np.minimum((np.asarray(confidence) * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    counts, hits = (np.bincount(which, weights=w, minlength=ECE_BINS).astype(np.int64) for w in (None, np.asarray(correct, np.float64)))
    total = np.bincount(which, weights=np.asarray(confidence, np.float64), minlength=ECE_BINS)
    return Calibration(counts, hits, np.divide(total, counts, out=np.full(ECE_BINS, np.nan), where=counts > 0))


def calibration_error(confidence: NDArray, correct: NDArray) -> float:
    """Expected calibration error of (Q,) confidences in ECE_BINS equal bins: the mean gap of confidence and accuracy."""
    return calibration(confidence, correct).error


def chance_level(labels: Index, groups: Index, judge: Judge, n_heads: int, *, cost: float = 0.0, seed: int = 0) -> Array:
    """The NULL_QUANTILE of each class's reliability, (C,), where labels say nothing: they are permuted from clip to clip.

    judge gives the reliability (L, H, C) of given labels; all n_heads heads of a class and all permutations are pooled. cost:
    multiply-adds of one judgement, of which REFIT_BUDGET allows so many, but at least MIN_PERMUTATIONS.
    """
    _, first, clip_of_row = np.unique(groups, return_index=True, return_inverse=True)
    wanted = max(MIN_PERMUTATIONS, -(-NULL_SAMPLES // n_heads))
    permutations = min(wanted, max(MIN_PERMUTATIONS, int(REFIT_BUDGET // max(cost, 1.0))))
    rng = np.random.default_rng(seed)
    drawn = [judge(rng.permutation(labels[first])[clip_of_row]) for _ in range(permutations)]
    return np.quantile(np.stack(drawn), NULL_QUANTILE, axis=(0, 1, 2)).astype(np.float32)
