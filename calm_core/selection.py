"""Chooses the method's options by the leave-one-out likelihood of the support clips, and of nothing else.

First tau, tau_w, pooling, trust and what vectors are seen from (as they are, centred or whitened) together; then, with the best of
these, the scheme, how many heads are kept, and again tau_w and trust. Two passes over the leave-one-out similarities serve a whole
grid: one judges the heads, one counts their votes. The judges of a clip's own class leave that clip's group out as well (r^-i in
closed form); that the other clips' centroids still hold it is neglected here. The accuracy that people are shown comes from literal refits
(`confidence.held_out_scores`), but with the options chosen once, on all clips; benchmarks/RESULTS.md measures what that flatters.

Knows tensors and options; knows no audio and no names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, get_args

import torch
from torch import Tensor

from . import algorithm
from .confidence import MIN_CALIBRATION_CLIPS
from .options import FitOptions, Pooling, Scheme

TAUS = (0.03, 0.05, 0.07, 0.1, 0.2, 0.3)
TAU_WS = (2.0, 1.0, 0.5)
TRUSTS = (0.0, 0.25, 0.5, 0.75, 1.0)
FRAMES: tuple[dict[str, Any], ...] = ({}, {"centre": True}, {"whiten": 0.1}, {"whiten": 0.3})
TOP_KS = (5, 10, 20, 40, 100, 300)  # as the authors tried; all heads besides
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


def choose(vectors: Tensor, labels: Tensor, n_classes: int, options: FitOptions, groups: Tensor | None = None) -> FitOptions:
    """The options with the best leave-one-out likelihood on support vectors (N, L, H, D), labels and groups (N,).

    Stable by the one-standard-error rule: the simplest ones (all heads, least trust in learned weights) whose loss, clip by clip, is
    within one standard error of the best. A top_k that is asked for stays; shrinkage and source of reliability do as well. With fewer
    than MIN_CALIBRATION_CLIPS clips that can be left out, all stay as asked.
    """
    groups = torch.arange(len(labels)) if groups is None else torch.unique(groups, return_inverse=True)[1]
    support = _Support(vectors, labels, n_classes, groups)
    if support.testable < MIN_CALIBRATION_CLIPS:
        return options
    found: list[Candidate] = []
    for frame in FRAMES:
        seen = replace(options, **{"centre": False, "whiten": None} | frame)
        values = product(TAUS, get_args(Pooling), TAU_WS)
        found += support.candidates([replace(seen, tau=tau, tau_w=tau_w, pooling=pooling) for tau, pooling, tau_w in values])
    best = min(found, key=_mean_loss).options
    heads = vectors.shape[1] * vectors.shape[2]
    kept = [options.top_k] if options.top_k else [None, *(k for k in TOP_KS if k < heads)]
    second = [replace(best, scheme=scheme, top_k=k, tau_w=w) for scheme, k, w in product(get_args(Scheme), kept, TAU_WS)]
    return _simplest_of_the_best([*found, *support.candidates(second)])


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

    def candidates(self, grid: Sequence[FitOptions]) -> Iterator[Candidate]:
        """Every option of the grid, all seen from one frame, at every trust."""
        able, reliability = self._judge(grid)
        asked = dict.fromkeys(o for options in grid for o in (_equal(options), replace(options, trust=1.0)))
        votes = self._count(list(asked), reliability)
        for options, trust in product(grid, TRUSTS):
            scores = trust * votes[replace(options, trust=1.0)] + (1 - trust) * votes[_equal(options)]
            yield self._candidate(replace(options, trust=trust), scores, able)

    def _similarities(self, options: FitOptions) -> Iterator[tuple[slice, Tensor]]:
        return algorithm.leave_one_out_similarities(self.vectors, self.labels, self.n_classes, self.groups, options)

    def _judge(self, grid: Sequence[FitOptions]) -> tuple[Tensor, dict[tuple[float, Scheme], tuple[Tensor, Tensor]]]:
        """Which clips can be left out, and for each tau and scheme the reliability (1, heads, C), and that of each clip's own
        class without the clip's group, (1, heads, N).
        """
        rows = torch.arange(len(self.labels))
        membership, in_group = algorithm.one_hot(self.labels, self.n_classes), algorithm.one_hot(self.groups, int(self.groups.max()) + 1)
        wanted = dict.fromkeys((options.tau, options.scheme) for options in grid)
        chunks: dict[tuple[float, Scheme], list[tuple[Tensor, Tensor]]] = {key: [] for key in wanted}
        for _, sims in self._similarities(grid[0]):
            able = ~torch.isneginf(sims[0, rows, self.labels])
            count = able.float() @ membership
            mine = membership[:, self.labels].T * in_group[:, self.groups].T * able  # (N, N): judges of my class in my group
            others = (count[self.labels] - mine.sum(1)).clamp_min(1)
            for tau in dict.fromkeys(tau for tau, _ in wanted):
                p = algorithm.posteriors(sims, tau)
                for scheme in (scheme for of, scheme in wanted if of == tau):
                    values = algorithm.reliability_values(p, self.labels, scheme).where(able, 0)
                    total = values @ membership
                    own = (total[:, self.labels] - values @ mine.T) / others
                    chunks[tau, scheme].append((total / count.clamp_min(1), own))
        found = {}
        for key, parts in chunks.items():
            of_class, of_clip = (torch.cat(part).unsqueeze(0) for part in zip(*parts, strict=True))  # (1, heads, C), (1, heads, N)
            alpha = grid[0].shrinkage
            found[key] = algorithm.shrink(of_class, count, alpha), algorithm.shrink(of_clip, others, alpha)
        return able, found

    def _count(
        self, grid: Sequence[FitOptions], reliability: dict[tuple[float, Scheme], tuple[Tensor, Tensor]]
    ) -> dict[FitOptions, Tensor]:
        """Scores (N, C) of the left-out clips by every option."""
        rows = torch.arange(len(self.labels))
        weights = {o: [algorithm.head_weights(r, o)[0] for r in reliability[o.tau, o.scheme]] for o in grid}
        votes = {o: torch.zeros(len(rows), self.n_classes) for o in grid}
        for heads, sims in self._similarities(grid[0]):
            for tau, pooling in dict.fromkeys((o.tau, o.pooling) for o in grid):
                opinion = algorithm.pooled(sims, replace(grid[0], tau=tau, pooling=pooling)).clamp_min(-1e4)  # a class left empty: -inf
                of_own = opinion[:, rows, self.labels]
                for options in (o for o in grid if (o.tau, o.pooling) == (tau, pooling)):
                    w, w_own = weights[options]
                    said = torch.einsum("hnc,hc->nc", opinion, w[heads])
                    said[rows, self.labels] = torch.linalg.vecdot(of_own, w_own[heads], dim=0)
                    votes[options] += said
        return votes

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
