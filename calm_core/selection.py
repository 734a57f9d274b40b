"""Chooses the method's options by the likelihood of left-out support clips, and of nothing else.

First tau, tau_w, pooling, trust and what vectors are seen from (as they are, centred or whitened) together; then, with the best of
these, the scheme, how many heads are kept, and again tau_w and trust. The support clips are left out in FOLDS; what has not met them is
asked, head weights included, by a whole grid of options in one pass over the similarities. Leaving out a clip's own centroid alone is not
enough: two clips that a head finds alike make it reliable by each other, and then vote for each other, which flatters few heads and
sharp weights most. The accuracy that people are shown comes from literal refits
(`confidence.held_out_scores`), but with the options chosen once, on all clips; benchmarks/RESULTS.md measures what that flatters.

Knows tensors and options; knows no audio and no names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, get_args

import torch
from torch import Tensor

from . import algorithm
from .confidence import LEAST_LOG, MIN_CALIBRATION_CLIPS, Progress
from .options import FitOptions, Pooling, Scheme

TAUS = (0.03, 0.05, 0.07, 0.1, 0.2, 0.3)
TAU_WS = (2.0, 1.0, 0.5)
TRUSTS = (0.0, 0.25, 0.5, 0.75, 1.0)
FRAMES: tuple[dict[str, Any], ...] = ({}, {"centre": True}, {"whiten": 0.2}, {"whiten": 0.5})
TOP_KS = (5, 10, 20, 40, 100, 300)  # as the authors tried; all heads besides
FOLDS = 5
CHOOSING = "testing ways to weigh the heads"  # what its progress says
TEMPERATURES = tuple(2.0 ** (i / 2) for i in range(-10, 7))  # of the calibrated likelihood, 0.03 to 8


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One point of the grid: its options and the held-out loss of every clip, (clips,) in nats."""

    options: FitOptions
    losses: Tensor

    @property
    def simplicity(self) -> tuple[bool, float]:
        """Sorts the simple first: all heads before chosen ones, equal weights before learned ones."""
        return self.options.top_k is not None, self.options.trust


def choose(
    vectors: Tensor,
    labels: Tensor,
    n_classes: int,
    options: FitOptions,
    groups: Tensor | None = None,
    *,
    progress: Progress | None = None,
) -> FitOptions:
    """The options with the best held-out likelihood on support vectors (N, L, H, D), labels and groups (N,).

    Stable by the one-standard-error rule: the simplest ones (all heads, least trust in learned weights) whose loss, clip by clip, is
    within one standard error of the best. A top_k that is asked for stays; shrinkage and source of reliability do as well. With fewer
    than MIN_CALIBRATION_CLIPS clips that can be left out, all stay as asked. progress: told of each fold of each grid; whatever it raises
    ends the choice.
    """
    groups = torch.arange(len(labels)) if groups is None else torch.unique(groups, return_inverse=True)[1]
    support = _Support(vectors, labels, n_classes, groups)
    if support.testable < MIN_CALIBRATION_CLIPS:
        return options
    found: list[Candidate] = []
    steps = range(FOLDS * (len(FRAMES) + 1))
    step = iter(steps)

    def before_fold() -> None:
        if progress:
            progress(next(step), len(steps), CHOOSING)

    for frame in FRAMES:
        seen = replace(options, **{"centre": False, "whiten": None} | frame)
        values = product(TAUS, get_args(Pooling), TAU_WS)
        found += support.candidates([replace(seen, tau=tau, tau_w=tau_w, pooling=pooling) for tau, pooling, tau_w in values], before_fold)
    best = min(found, key=_mean_loss).options
    heads = vectors.shape[1] * vectors.shape[2]
    kept = [options.top_k] if options.top_k else [None, *(k for k in TOP_KS if k < heads)]
    second = [replace(best, scheme=scheme, top_k=k, tau_w=w) for scheme, k, w in product(get_args(Scheme), kept, TAU_WS)]
    return _simplest_of_the_best([*found, *support.candidates(second, before_fold)])


def _equal(options: FitOptions) -> FitOptions:
    """With equal weights of the heads kept; tau_w doesn't matter then."""
    return replace(options, trust=0.0, tau_w=TAU_WS[0])


def _mean_loss(candidate: Candidate) -> float:
    return float(candidate.losses.mean())


def _simplest_of_the_best(found: Sequence[Candidate]) -> FitOptions:
    best = min(found, key=_mean_loss)
    for simplicity in sorted({candidate.simplicity for candidate in found}):
        rival = min((c for c in found if c.simplicity == simplicity), key=_mean_loss)
        excess = rival.losses - best.losses
        if excess.mean() <= excess.std() / len(excess) ** 0.5:
            return rival.options
    return best.options


@dataclass(frozen=True, slots=True, eq=False)
class _Support:
    """The support clips, and what every option would have said about each of them unseen; groups numbered from 0."""

    vectors: Tensor
    labels: Tensor
    n_classes: int
    groups: Tensor

    @property
    def testable(self) -> int:
        """Clips whose class keeps another clip without them."""
        clips = algorithm.one_hot(self.groups, int(self.groups.max()) + 1).argmax(0)
        of_class = self.labels[clips]
        return int((torch.bincount(of_class)[of_class] > 1).sum())

    def candidates(self, grid: Sequence[FitOptions], before_fold: Callable[[], None] = lambda: None) -> Iterator[Candidate]:
        """Every option of the grid, all seen from one frame, at every trust."""
        asked = dict.fromkeys(o for options in grid for o in (_equal(options), replace(options, trust=1.0)))
        votes = {o: torch.full((len(self.labels), self.n_classes), LEAST_LOG if o.pooling == "log" else 0.0) for o in asked}
        able = torch.zeros(len(self.labels), dtype=torch.bool)
        fold_of = algorithm.deal(self.labels, self.groups, FOLDS)
        for fold in range(FOLDS):
            before_fold()
            learned = fold_of != fold
            present = torch.unique(self.labels[learned])
            rows = (~learned & torch.isin(self.labels, present)).nonzero().flatten()
            if len(rows) and len(present) > 1:
                able[rows] = True
                for options, scores in self._without(rows, learned, present, list(asked)).items():
                    votes[options][rows[:, None], present] = scores
        for options, trust in product(grid, TRUSTS):
            scores = trust * votes[replace(options, trust=1.0)] + (1 - trust) * votes[_equal(options)]
            yield self._candidate(replace(options, trust=trust), scores, able)

    def _without(self, rows: Tensor, learned: Tensor, present: Tensor, grid: Sequence[FitOptions]) -> dict[FitOptions, Tensor]:
        """Scores (rows, present classes) of the clips in rows by every option, learned from the others."""
        vectors, labels, groups = self.vectors[learned], torch.searchsorted(present, self.labels[learned]), self.groups[learned]
        seen, n_classes = grid[0], len(present)
        reliability = algorithm.reliabilities(
            algorithm.leave_one_out_similarities(vectors, labels, n_classes, groups, seen),
            labels,
            vectors.shape[1:3],
            n_classes,
            [(o.tau, o.scheme) for o in grid],
        )
        weights = {}
        for options in grid:
            r, judged = reliability[options.tau, options.scheme]
            weights[options] = algorithm.head_weights(algorithm.shrink(r, judged, options.shrinkage), options).flatten(0, 1)
        frame = algorithm.support_frame(vectors, labels, n_classes, seen)
        centroids = algorithm.class_centroids(vectors, labels, n_classes, frame)
        scores = {options: torch.zeros(len(rows), n_classes) for options in grid}
        for heads, sims in algorithm.similarities(self.vectors[rows], centroids, frame):
            for tau, pooling in dict.fromkeys((o.tau, o.pooling) for o in grid):
                opinion = algorithm.pooled(sims, replace(seen, tau=tau, pooling=pooling))
                for options in (o for o in grid if (o.tau, o.pooling) == (tau, pooling)):
                    scores[options] += torch.einsum("hnc,hc->nc", opinion, weights[options][heads])
        return scores

    def _candidate(self, options: FitOptions, scores: Tensor, able: Tensor) -> Candidate:
        """Scores (N, C) as the loss of every clip (its windows averaged) at the best temperature."""
        in_group = algorithm.one_hot(self.groups, int(self.groups.max()) + 1)
        clips, first = in_group[able].sum(0) > 0, in_group.argmax(0)
        mean = (in_group.T @ scores / in_group.sum(0)[:, None])[clips]
        logits = mean if options.pooling == "log" else mean.clamp_min(1e-30).log()
        losses = _smoothed_loss(logits / torch.tensor(TEMPERATURES)[:, None, None], self.labels[first][clips])
        return Candidate(options, losses[losses.mean(1).argmin()])


def _smoothed_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy (temperatures, n) of logits (temperatures, n, C) against targets smoothed as in confidence.fit_temperature."""
    _, n, classes = logits.shape
    log_p = torch.log_softmax(logits, dim=-1)
    hit = log_p[:, torch.arange(n), truth]
    others = (log_p.sum(-1) - hit) / (classes - 1)
    return -((n + 1) * hit + others) / (n + 2)
