"""What an order of labelling is worth: a person's labels are given one by one in that order, and test clips tell the accuracy.

Nothing here reads a test clip's label but the accuracy. Knows head vectors and labels; knows no audio and no project.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from . import active
from .active import Order
from .errors import Cancelled, DataError
from .extraction import Cancel, Progress
from .options import FitOptions
from .relearning import Relearner
from .splits import split_support
from .vectors import HeadVectors

Array = NDArray[np.float32]
Index = NDArray[np.int64]

BOOTSTRAP_RESAMPLES = 4999
TEST_FOLDS = 5  # without official folds, one fifth of the clips is held out for testing


@dataclass(frozen=True, slots=True)
class LabelCurve:
    """Accuracy on test clips, mean over seeds with its 95 % bootstrap interval, against the number of labels."""

    order: Order
    labels: tuple[int, ...]
    accuracy: tuple[float, ...]
    ci_low: tuple[float, ...]
    ci_high: tuple[float, ...]

    def labels_to_reach(self, accuracy: float) -> int | None:
        """The fewest labels with which the mean is at least `accuracy`, None where it never is."""
        return next((labels for labels, value in zip(self.labels, self.accuracy, strict=True) if value >= accuracy), None)

    def labels_to_stay(self, accuracy: float) -> int | None:
        """The fewest labels from which the mean is never again below `accuracy`, None where it ends below: less of it is luck."""
        below = [labels for labels, value in zip(self.labels, self.accuracy, strict=True) if value < accuracy]
        return next((labels for labels in self.labels if not below or labels > below[-1]), None)


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a simulation found. target: accuracy of the reference order (the last one given) when all labels are given."""

    curves: tuple[LabelCurve, ...]
    reference: Order
    target: float
    start_per_class: int
    seeds: int
    n_clips: int
    n_classes: int
    protocol: str

    def to_dict(self) -> dict[str, Any]:
        rows = [
            {**asdict(c), "labels_to_reach_target": c.labels_to_reach(self.target), "labels_to_stay_there": c.labels_to_stay(self.target)}
            for c in self.curves
        ]
        return {**asdict(self), "curves": rows}


def simulate(
    heads: HeadVectors,
    labels: Sequence[str],
    *,
    orders: Sequence[Order] = ("useful", "random"),
    start: int = 2,
    budget: int = 100,
    seeds: int = 20,
    groups: Sequence[Hashable] | None = None,
    folds: Sequence[str] | None = None,
    options: FitOptions | None = None,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> Simulation:
    """Starts from `start` clips per class and labels the pool in each order up to `budget` labels, the starting ones among them.

    labels, groups, folds: one per clip. With folds, seed s tests on the whole of fold s mod F; without, on a fifth of the clips, drawn by
    class. Clips of one group are never on both sides. All orders of one seed start from the same clips.
    Raises DataError where the clips are too few, Cancelled between seeds.
    """
    names = sorted(set(labels))
    if seeds < 1 or start < 1 or not orders:
        raise DataError(f"seeds is {seeds}, start {start}, and {len(orders)} orders; at least 1 of each is needed.")
    if budget <= start * len(names):
        raise DataError(f"{budget} labels are no more than the {start * len(names)} to start from; give a larger budget.")
    groups = list(range(len(labels))) if groups is None else list(groups)
    sketches = active.sketch(heads.values, heads.clip_of_row)
    found: dict[Order, list[list[float]]] = {order: [] for order in orders}
    splits = _test_clips(labels, groups, folds, seeds)
    for seed, test in enumerate(splits):
        # A group that reaches into the test fold is left out of the pool altogether.
        heard = {groups[i] for i in test}
        usable = np.array([i for i in range(len(labels)) if groups[i] not in heard])
        rng = np.random.default_rng([seed, start])
        of_usable = [labels[i] for i in usable]
        first = usable[split_support(of_usable, [groups[i] for i in usable], start, rng, min_rest=0)[0]]
        for order in orders:
            if cancelled and cancelled():
                raise Cancelled(f"stopped after {seed} of {seeds} seeds; the head vectors are kept.")
            run = _label(heads, labels, names, sketches, first, usable, test, order, min(budget, len(usable)), options, seed)
            found[order].append(list(run))
        if progress:
            progress(seed + 1, seeds, "seeds")
    # Where the last fold has fewer clips to label, the curves end with the shortest.
    length = min(len(run) for runs in found.values() for run in runs)
    steps = tuple(range(start * len(names), start * len(names) + length))
    curves = []
    for order, runs in found.items():
        values = np.array([run[:length] for run in runs])
        low, high = _interval_of_mean(values)
        curves.append(LabelCurve(order, steps, *(tuple(row.tolist()) for row in (values.mean(0), low, high))))
    protocol = "test clips from another fold than the pool" if folds is not None else "a fifth of the clips held out, drawn by class"
    return Simulation(tuple(curves), orders[-1], curves[-1].accuracy[-1], start, seeds, len(labels), len(names), protocol)


def _test_clips(labels: Sequence[str], groups: Sequence[Hashable], folds: Sequence[str] | None, seeds: int) -> Iterator[Index]:
    """Test clips of every seed."""
    if folds is not None:
        fold_names = sorted(set(folds))
        if len(fold_names) < 2:
            raise DataError("found a single fold; at least two are needed in metadata.csv, or leave the column out.")
        for seed in range(seeds):
            yield np.flatnonzero([fold == fold_names[seed % len(fold_names)] for fold in folds])
        return
    by_class = Counter(label for label, _ in set(zip(labels, groups, strict=True)))
    if min(by_class.values()) < TEST_FOLDS:
        few = min(by_class, key=lambda name: by_class[name])
        raise DataError(f"class {few!r} has {by_class[few]} independent clips; a simulation needs at least {TEST_FOLDS} of each class.")
    number = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    for seed in range(seeds):
        cut = StratifiedGroupKFold(TEST_FOLDS, shuffle=True, random_state=seed // TEST_FOLDS)
        parts = list(cut.split(np.zeros(len(labels)), list(labels), [number[group] for group in groups]))
        yield parts[seed % TEST_FOLDS][1]


def _interval_of_mean(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % bootstrap interval of the mean over seeds, of values (seeds, labels): all columns by the same draws of seeds."""
    draws = np.random.default_rng(0).integers(len(values), size=(BOOTSTRAP_RESAMPLES, len(values)))
    counts = np.apply_along_axis(np.bincount, 1, draws, minlength=len(values))
    low, high = np.percentile(counts @ values / len(values), (2.5, 97.5), axis=0)
    return low, high


def _label(
    heads: HeadVectors,
    labels: Sequence[str],
    names: Sequence[str],
    sketches: Array,
    first: Index,
    usable: Index,
    test: Index,
    order: Order,
    budget: int,
    options: FitOptions | None,
    seed: int,
) -> Iterator[float]:
    """Accuracy on test clips with the first clips labelled, and after each further label."""
    relearner = Relearner(heads, options)
    typical_of_usable = active.typicality(sketches[usable])
    given: list[str | None] = [None] * len(labels)
    for i in first:
        given[i] = labels[i]
    truth = np.array([names.index(labels[i]) for i in test])
    while True:
        found = relearner.relearn(given)
        yield float((found.scores[test].argmax(1) == truth).mean())
        labelled = np.flatnonzero([label is not None for label in given])
        if len(labelled) >= budget:
            return
        pool = np.setdiff1d(usable, labelled)
        typical = typical_of_usable[np.searchsorted(usable, pool)]
        best = found.queue(order, sketches, pool, labelled, typical=typical, seed=seed * len(labels) + len(labelled))[0]
        given[best] = labels[best]
