"""Chooses tau, tau_w, pooling, centring and trust by the leave-one-out likelihood of the support clips, and of nothing else.

One pass over the leave-one-out similarities serves the whole grid: a posterior is computed once for each temperature, and every
choice that follows is a sum over heads. The judges of a clip's own class leave that clip's group out as well (r^-i in closed
form); that the other clips' centroids still hold it is neglected here. The accuracy that people are shown comes from literal refits
(`confidence.held_out_scores`), but with the options chosen once, on all clips; benchmarks/RESULTS.md measures what that flatters.

Knows tensors and options; knows no audio and no names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import torch
from torch import Tensor

from . import algorithm
from .confidence import MIN_CALIBRATION_CLIPS
from .options import FitOptions, Pooling

TAUS = (0.03, 0.05, 0.07, 0.1, 0.2, 0.3)
TAU_WS = (2.0, 1.0, 0.5)
TRUSTS = (0.25, 0.5, 0.75, 1.0)  # and 0: equal weights
POOLINGS: tuple[Pooling, ...] = ("linear", "log")
TEMPERATURES = tuple(2.0 ** (i / 2) for i in range(-10, 7))  # of the calibrated likelihood, 0.03 to 8

# Where too few clips can be left out to choose by: pooled and centred as an earlier trial on ESC-10 found best, equal weights.
UNINFORMED: dict[str, Any] = {"pooling": "log", "centre": True, "tau": 0.1, "trust": 0.0}


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One point of the grid: its options and the held-out loss of every clip, (clips,) in nats."""

    options: FitOptions
    losses: Tensor


def choose(vectors: Tensor, labels: Tensor, n_classes: int, options: FitOptions, groups: Tensor | None = None) -> FitOptions:
    """The options with the best leave-one-out likelihood on support vectors (N, L, H, D), labels and groups (N,).

    Stable by the one-standard-error rule: the least trust in learned weights whose loss, clip by clip, is within one standard error of
    the best. Scheme, top_k, shrinkage and source of reliability stay as they are. With fewer than MIN_CALIBRATION_CLIPS clips
    that can be left out, UNINFORMED.
    """
    groups = torch.arange(len(labels)) if groups is None else torch.unique(groups, return_inverse=True)[1]
    found = list(_candidates(vectors, labels, n_classes, options, groups))
    if not found or len(found[0].losses) < MIN_CALIBRATION_CLIPS:
        return replace(options, **UNINFORMED)
    best = min(found, key=lambda c: float(c.losses.mean()))
    for trust in (0.0, *TRUSTS):
        rival = min((c for c in found if c.options.trust == trust), key=lambda c: float(c.losses.mean()))
        excess = rival.losses - best.losses
        if excess.mean() <= excess.std() / len(excess) ** 0.5:
            return rival.options
    return best.options


def _candidates(vectors: Tensor, labels: Tensor, n_classes: int, options: FitOptions, groups: Tensor) -> Iterator[Candidate]:
    for centre in (False, True):
        sums = {tau: _Sums(labels, groups, n_classes, replace(options, tau=tau, centre=centre)) for tau in TAUS}
        for _, sims in algorithm.leave_one_out_similarities(vectors, labels, n_classes, groups, centre=centre):
            for tau in TAUS:
                sums[tau].add(sims)
        for tau in TAUS:
            yield from sums[tau].candidates()


class _Sums:
    """Sums over heads, for one temperature and centring, of which every pooling, tau_w and trust are made."""

    def __init__(self, labels: Tensor, groups: Tensor, n_classes: int, options: FitOptions) -> None:
        self.labels, self.groups, self.options = labels, groups, options
        self.membership = algorithm.one_hot(labels, n_classes)
        self.in_group = algorithm.one_hot(groups, int(groups.max()) + 1)
        self.able = torch.ones(len(labels), dtype=torch.bool)
        shape = (len(labels), n_classes)
        self.heads = 0
        self.equal = {pooling: torch.zeros(shape) for pooling in POOLINGS}
        self.votes = {key: torch.zeros(shape) for key in product(POOLINGS, TAU_WS)}
        self.weight = {tau_w: torch.zeros(shape) for tau_w in TAU_WS}

    def add(self, sims: Tensor) -> None:
        """Adds a few heads' leave-one-out cosines (heads, N, C)."""
        rows = torch.arange(len(self.labels))
        self.able = ~torch.isneginf(sims[0, rows, self.labels])
        self.heads += len(sims)
        log_p = torch.log_softmax(sims / self.options.tau, dim=-1).clamp_min(-1e4)  # -inf for a class that is left empty
        opinion = {"linear": log_p.exp(), "log": log_p}
        values = algorithm.reliability_values(opinion["linear"], self.labels, self.options.scheme).where(self.able, 0)
        count, total = self.able.float() @ self.membership, values @ self.membership  # (C,), (heads, C)
        r = total / count.clamp_min(1)
        # The same mean for a clip's own class, without the clip's group: (heads, N).
        mine = self.membership[:, self.labels].T * self.in_group[:, self.groups].T * self.able
        others = (count[self.labels] - mine.sum(1)).clamp_min(1)
        r_own = (total[:, self.labels] - values @ mine.T) / others
        for tau_w in TAU_WS:
            w = _unnormalised(r, tau_w, self.options).unsqueeze(1).expand(-1, len(rows), -1).clone()
            w[:, rows, self.labels] = _unnormalised(r_own, tau_w, self.options)
            self.weight[tau_w] += w.sum(0)
            for pooling in POOLINGS:
                self.votes[pooling, tau_w] += (w * opinion[pooling]).sum(0)
        for pooling in POOLINGS:
            self.equal[pooling] += opinion[pooling].sum(0)

    def candidates(self) -> Iterator[Candidate]:
        for pooling in POOLINGS:
            equal = self.equal[pooling] / self.heads
            yield self._candidate(equal, pooling=pooling, trust=0.0)
            for tau_w, trust in product(TAU_WS, TRUSTS):
                weight = self.weight[tau_w]
                learned = torch.where(weight > 0, self.votes[pooling, tau_w] / weight.clamp_min(1e-30), equal)
                yield self._candidate(trust * learned + (1 - trust) * equal, pooling=pooling, trust=trust, tau_w=tau_w)

    def _candidate(self, scores: Tensor, **chosen: Any) -> Candidate:
        """Scores (N, C) as the loss of every clip (its windows averaged) at the best temperature."""
        clips, first = self.in_group[self.able].sum(0) > 0, self.in_group.argmax(0)
        mean = (self.in_group.T @ scores / self.in_group.sum(0)[:, None])[clips]
        truth = self.labels[first][clips]
        logits = mean if chosen["pooling"] == "log" else mean.clamp_min(1e-30).log()
        losses = _smoothed_loss(logits / torch.tensor(TEMPERATURES)[:, None, None], truth)
        return Candidate(replace(self.options, **chosen), losses[losses.mean(1).argmin()])


def _unnormalised(r: Tensor, tau_w: float, options: FitOptions) -> Tensor:
    return r.clamp_min(0) ** (1 / tau_w) if options.scheme == "margin_clamped" else torch.exp(r / tau_w)


def _smoothed_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy (temperatures, n) of logits (temperatures, n, C) against targets smoothed as in confidence.fit_temperature."""
    _, n, classes = logits.shape
    log_p = torch.log_softmax(logits, dim=-1)
    hit = log_p[:, torch.arange(n), truth]
    others = (log_p.sum(-1) - hit) / (classes - 1)
    return -((n + 1) * hit + others) / (n + 2)
