"""Protocols and result tables: every rung of the ladder on the same clips, by episodes or by held-out support clips.

Test clips choose nothing here: all a rung may tune is inside its own fit on support clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix as count_confusions

from . import baselines, confidence
from .baselines import LADDER, Rung, Support, fit_and_score
from .confidence import HeldOut, mean_by_group
from .errors import Cancelled, DataError
from .extraction import Cancel, Progress
from .options import FitOptions
from .splits import split_support
from .trust import Outcome, TrustResult, mean_with_interval, summary, try_out
from .vectors import HeadVectors

Array = NDArray[np.float32]
Index = NDArray[np.int64]

CALIBRATED = {"calm_auto": True, "calm": False}  # the rungs that people get predictions from: is auto on?


@dataclass(frozen=True, slots=True)
class MethodResult:
    """One method at one number of shots: accuracy with its 95 % interval."""

    method: str
    title: str
    shots: int | None  # None: all support clips but those held out
    accuracy: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation found. n_test: distinct clips tested; the intervals are over episodes."""

    n_test: int
    n_clips: int
    n_classes: int
    episodes: int
    seed: int
    protocol: str
    options: FitOptions
    results: tuple[MethodResult, ...]
    trust: tuple[TrustResult, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class LadderFeatures:
    """What the rungs read, row by row the same windows: head vectors, MFCC statistics (W, 1, 1, F), and log-likelihoods of the
    sorted class names as the backbone's answer, (W, 1, 1, C), None where it doesn't answer.
    """

    heads: HeadVectors
    mfcc: Array
    answers: Array | None = None

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The rungs of the ladder that can be climbed with these."""
        return tuple(rung for rung in LADDER if rung.features != "answers" or self.answers is not None)

    def of(self, rung: Rung) -> torch.Tensor:
        chosen = {"heads": self.heads.values, "mfcc": self.mfcc, "answers": self.answers}[rung.features]
        if chosen is None:
            raise DataError(f"the rung {rung.method!r} needs a backbone that answers in words; these features have no answers.")
        return torch.from_numpy(chosen)


def evaluate_episodes(
    features: LadderFeatures,
    labels: Sequence[str],
    *,
    shots: Sequence[int],
    episodes: int,
    seed: int = 0,
    folds: Sequence[str] | None = None,
    options: FitOptions | None = None,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> Evaluation:
    """Repeats: draw `shots` support clips per class, fit every rung, test on clips that the support never saw.

    labels, folds: one per clip. With folds, episode e tests on the whole of fold e mod F and draws its support from the
    others, so that clips of one source recording never stand on both sides; without, it tests on all that was not drawn.
    Raises DataError where a class has too few clips, or episodes or shots are below 1.
    """
    if episodes < 1 or not shots or min(shots) < 1:
        raise DataError(f"episodes is {episodes} and shots {list(shots)}; both must be at least 1.")
    options = options or FitOptions()
    names = sorted(set(labels))
    truth = np.array([names.index(label) for label in labels])
    fold_names = sorted(set(folds)) if folds is not None else []
    if folds is not None and len(fold_names) < 2:
        raise DataError("found a single fold; evaluation by folds needs at least two in metadata.csv, or leave --folds out.")
    accuracies: dict[tuple[str, int], list[float]] = {}
    outcomes: dict[tuple[str, int], list[Outcome | None]] = {}
    tested: set[int] = set()
    for episode in range(episodes):
        for k in shots:
            rng = np.random.default_rng([seed, episode, k])
            pool = np.arange(len(labels))
            if folds is not None:
                in_test = np.array([fold == fold_names[episode % len(fold_names)] for fold in folds])
                pool, test = np.flatnonzero(~in_test), np.flatnonzero(in_test)
            support = pool[split_support([labels[i] for i in pool.tolist()], pool.tolist(), k, rng, min_rest=0 if folds else 1)[0]]
            if folds is None:
                test = np.setdiff1d(pool, support)
            tested.update(test.tolist())
            for rung in features.rungs:
                found = _clip_scores(rung, features, truth, len(names), support, test, options)
                accuracies.setdefault((rung.method, k), []).append(float((found.argmax(1) == truth[test]).mean()))
            for method, auto in CALIBRATED.items():
                chosen = replace(options, auto=True) if auto else options.paper
                left_out = names[episode % len(names)]
                outcome = try_out(features.heads, labels, support, test, chosen, left_out, np.random.default_rng([seed, episode, k]))
                outcomes.setdefault((method, k), []).append(outcome)
        if progress:
            progress(episode + 1, episodes, "episodes")
        if cancelled and cancelled():
            raise Cancelled(f"stopped after {episode + 1} of {episodes} episodes; the head vectors are kept.")
    results = []
    for k in shots:
        for rung in features.rungs:
            mean = mean_with_interval(np.array(accuracies[rung.method, k]), seed)
            results.append(MethodResult(rung.method, rung.title, k, mean.value, mean.ci_low, mean.ci_high))
    protocol = "support and test from different folds" if folds is not None else "random disjoint support and test"
    believed = tuple(summary(method, k, outcomes[method, k], seed) for k in shots for method in CALIBRATED)
    return Evaluation(len(tested), len(labels), len(names), episodes, seed, protocol, options, tuple(results), believed)


def held_out_ladder(
    features: LadderFeatures,
    labels: Sequence[str],
    options: FitOptions | None = None,
    *,
    chosen: FitOptions | None = None,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> tuple[MethodResult, ...]:
    """Every rung's held-out accuracy on the support clips alone, with intervals; labels one per clip.

    chosen: what was chosen on these clips for the rung `calm_auto`, where that is known; to choose again takes long.
    Raises Cancelled between refits, or folds of the choice, where `cancelled()` turned true.
    """
    options = options or FitOptions()
    names = sorted(set(labels))
    row_truth = np.array([names.index(labels[clip]) for clip in features.heads.clip_of_row])
    groups = features.heads.clip_of_row
    results = []

    def stop_if_asked(*_: object) -> None:
        if cancelled and cancelled():
            raise Cancelled("stopped while comparing with simpler methods; the head vectors are kept.")

    for done, rung in enumerate(features.rungs):
        if progress:
            progress(done, len(features.rungs), f"comparing with simpler methods: {rung.title}")
        x = features.of(rung)
        support = Support(x, torch.from_numpy(row_truth), torch.from_numpy(groups), len(names), options)
        if rung.fit is baselines.calm_auto:
            # Chosen once, as CalmClassifier.fit does: anew in every refit would take fifty times as long.
            rung = replace(rung, fit=partial(baselines.fitted_vote, options=chosen or baselines.tuned(support, stop_if_asked)))

        def refit(fit_rows: Index, test_rows: Index, rung: Rung = rung, support: Support = support) -> tuple[Array, Array]:
            found = fit_and_score(rung, support.rows(torch.from_numpy(fit_rows)), support.vectors[test_rows])
            return found, np.zeros_like(found)  # the other rungs know no familiarity, and none is asked for here

        cost = float(features.heads.values.size) * len(names)  # the same for all rungs, so that all get the same folds
        found = confidence.accuracy(confidence.held_out_scores(row_truth, groups, len(names), refit, cost=cost, progress=stop_if_asked))
        results.append(MethodResult(rung.method, rung.title, None, found.value, *found.interval))
    return tuple(results)


def confusion(held_out: HeldOut, n_classes: int) -> Index:
    """Held-out confusion counts (C, C), truth in rows, prediction in columns."""
    return count_confusions(held_out.truth[held_out.valid], held_out.predicted, labels=np.arange(n_classes))


def _clip_scores(
    rung: Rung, features: LadderFeatures, truth: Index, n_classes: int, support: Index, test: Index, options: FitOptions
) -> Array:
    """Scores (test clips, C) of one rung that learned from the support clips; windows of a clip are averaged."""
    x, clip_of_row = features.of(rung), features.heads.clip_of_row
    fit_rows, test_rows = np.flatnonzero(np.isin(clip_of_row, support)), np.flatnonzero(np.isin(clip_of_row, test))
    learned = Support(
        x[fit_rows], torch.from_numpy(truth[clip_of_row[fit_rows]]), torch.from_numpy(clip_of_row[fit_rows]), n_classes, options
    )
    return mean_by_group(fit_and_score(rung, learned, x[test_rows]), clip_of_row[test_rows])
