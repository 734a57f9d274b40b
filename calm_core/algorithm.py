"""The CALM method on one page: centroids -> posteriors -> reliability -> weights -> scores.

Source: "CALM: Class-Conditional Sparse Attention Vectors for Large Audio-Language Models", arXiv 2602.07077.
Pure functions on tensors, read from top to bottom in the order the data flows. Knows no files, no devices, no labels' names.

    N support clips (windows), Q queries, L layers, H heads, D head dimension, C classes
    vectors (N, L, H, D) -> centroids (C, L, H, D) -> posteriors p (Q, L, H, C)
                         -> reliability r, weights w (L, H, C) -> scores s (Q, C)

All arithmetic is float32 whatever the vectors were stored in: bfloat16 cosines step by 0.004 near 1, which at tau = 0.03 is
0.13 in logit. Everything of shape (queries, L, H, C) is made a chunk at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from .errors import DataError
from .options import FitOptions, Scheme

CHUNK_ELEMENTS = 2**24  # elements of one (queries, L, H, max(C, D)) temporary: 64 MiB in float32; a handful live at once


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What is learned: centroids (C, L, H, D) of unit length per head; reliability and weights (L, H, C); judged (C,) clips."""

    centroids: Tensor
    reliability: Tensor
    weights: Tensor
    judged: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class ClassSums:
    """Raw sums (C, L, H, D) and counts (C,) per class: enough for every centroid, with or without some of its clips."""

    total: Tensor
    count: Tensor

    def centroids(self) -> Tensor:
        return unit(self.total)  # the mean and the sum have the same direction


def fit(
    vectors: Tensor,
    labels: Tensor,
    n_classes: int,
    options: FitOptions,
    groups: Tensor | None = None,
    holdout: tuple[Tensor, Tensor] | None = None,
) -> Fitted:
    """Learns centroids, reliability and weights from vectors (N, L, H, D) and class indices labels (N,) in [0, C).

    groups (N,): rows with one number (the windows of one clip) are left out together. holdout: (vectors, labels) that judge
    the heads when options.reliability is "holdout". Raises DataError for fewer than two classes, a class without a clip,
    or vectors that are not finite.
    """
    groups = torch.arange(len(labels)) if groups is None else groups
    sums = class_sums(vectors, labels, n_classes)
    if options.reliability == "leave_one_out":
        judges = leave_one_out_similarities(vectors, labels, groups, sums)
    else:
        if options.reliability == "holdout":
            if holdout is None:
                raise DataError("reliability 'holdout' needs held-out clips; give some, or use 'leave_one_out'.")
            vectors, labels = holdout
        judges = plain_similarities(vectors, sums.centroids())
    r, judged = mean_reliability(judges, labels, n_classes, options, shape=tuple(vectors.shape[1:3]))
    r = shrink(r, sums.count, options.shrinkage)
    return Fitted(sums.centroids(), r, head_weights(r, options), judged)


def scores(vectors: Tensor, centroids: Tensor, weights: Tensor, tau: float) -> Tensor:
    """Reliability-weighted soft votes s (Q, C) = sum over heads of w p (step 7). Not normalised over classes: no probabilities."""
    votes = [(posteriors(sims, tau) * weights).sum((1, 2)) for _, sims in plain_similarities(vectors, centroids)]
    return torch.cat(votes) if votes else torch.zeros(0, weights.shape[-1])


def contributions(vectors: Tensor, centroids: Tensor, weights: Tensor, tau: float) -> Tensor:
    """Every head's part of the score, (Q, L, H, C): summed over L and H it is `scores`."""
    return posteriors(similarities(vectors, centroids), tau) * weights


# Step 1: centroids, and cosines to them ------------------------------------------------------------------------------------


def unit(x: Tensor) -> Tensor:
    """x in float32 with unit length along its last axis; a zero vector stays zero and so is equally far from every class."""
    return F.normalize(x.float(), dim=-1)


def class_sums(vectors: Tensor, labels: Tensor, n_classes: int) -> ClassSums:
    """Sums the raw vectors (N, L, H, D) of each class."""
    if n_classes < 2:
        raise DataError(f"found {n_classes} class; add clips of at least one more class, two are the least that can be told apart.")
    count = torch.bincount(labels, minlength=n_classes)
    if (empty := (count == 0).nonzero().flatten()).numel():
        raise DataError(f"class number {int(empty[0])} has no clip; add at least one clip or remove the class.")
    total = torch.zeros(n_classes, *vectors.shape[1:], dtype=torch.float32)
    for index in chunks(vectors, n_classes):
        total.index_add_(0, labels[index], vectors[index].float())
    if not torch.isfinite(total).all():
        raise DataError("the head vectors hold NaN or infinite values; extract them again, in float32 if they were in float16.")
    return ClassSums(total, count)


def similarities(vectors: Tensor, centroids: Tensor) -> Tensor:
    """Cosines (Q, L, H, C) of raw vectors (Q, L, H, D) with unit centroids (C, L, H, D)."""
    return torch.einsum("qlhd,clhd->qlhc", unit(vectors), centroids)


def plain_similarities(vectors: Tensor, centroids: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields (index, cosines) a chunk of queries at a time."""
    for index in chunks(vectors, len(centroids)):
        yield index, similarities(vectors[index], centroids)


def leave_one_out_similarities(vectors: Tensor, labels: Tensor, groups: Tensor, sums: ClassSums) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields (index, cosines) with each clip's whole group taken out of the centroids it is compared with.

    Closed form on raw sums, mu^-g = sum_c - sum_g: exactly the centroids of a refit without the group. A class that the
    group leaves empty gets the cosine -inf, and so the posterior 0.
    """
    centroids = sums.centroids()
    for index in group_chunks(vectors, groups, len(centroids)):
        x, sims = vectors[index].float(), similarities(vectors[index], centroids)
        # One row for each class that a group has clips in: what leaving the group out takes from that class.
        part, part_of = torch.unique(torch.stack([groups[index], labels[index]]), dim=1, return_inverse=True)
        part_sum = torch.zeros(part.shape[1], *x.shape[1:]).index_add_(0, part_of, x)
        left = sums.count[part[1]] - torch.bincount(part_of)
        remainder = unit(sums.total[part[1]] - part_sum)
        clip, row = (groups[index][:, None] == part[0]).nonzero(as_tuple=True)
        cosine = torch.einsum("elhd,elhd->elh", unit(x)[clip], remainder[row])
        cosine[left[row] == 0] = -torch.inf
        sims[clip, :, :, part[1, row]] = cosine
        yield index, sims


# Step 2: posteriors --------------------------------------------------------------------------------------------------------


def posteriors(sims: Tensor, tau: float) -> Tensor:
    """Class posteriors of every head on its own, p (Q, L, H, C) = softmax over C of cosine / tau."""
    return torch.softmax(sims / tau, dim=-1)


# Steps 3 and 4: reliability ------------------------------------------------------------------------------------------------


def reliability_values(p: Tensor, labels: Tensor, scheme: Scheme) -> Tensor:
    """How right each head was about each clip, (n, L, H), from posteriors p (n, L, H, C) and the true classes (n,).

    margin_clamped: max(0, p_true - best other), clamped per clip (the paper's choice); margin: the same without the clamp;
    probability: p_true; brier: 2 p_true - sum of p^2.
    """
    truth = labels[:, None, None, None].expand(*p.shape[:3], 1)
    p_true = p.gather(-1, truth).squeeze(-1)
    if scheme == "probability":
        return p_true
    if scheme == "brier":
        return 2 * p_true - p.square().sum(-1)
    margin = p_true - p.scatter(-1, truth, -1.0).amax(-1)
    return margin.clamp_min(0.0) if scheme == "margin_clamped" else margin


def mean_reliability(
    judges: Iterator[tuple[Tensor, Tensor]], labels: Tensor, n_classes: int, options: FitOptions, shape: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Reliability r (L, H, C), the class means of `reliability_values`, and how many clips judged each class (C,).

    A clip whose own class is empty without it can't judge; a class that nobody judged has reliability 0 on every head.
    """
    total, judged = torch.zeros(n_classes, *shape), torch.zeros(n_classes)
    for index, sims in judges:
        own = sims[torch.arange(len(index)), 0, 0, labels[index]]
        can_judge = ~torch.isneginf(own)
        truth = labels[index][can_judge]
        total.index_add_(0, truth, reliability_values(posteriors(sims[can_judge], options.tau), truth, options.scheme))
        judged.index_add_(0, truth, torch.ones(len(truth)))
    return (total / judged.clamp_min(1)[:, None, None]).permute(1, 2, 0).contiguous(), judged.long()


def shrink(r: Tensor, count: Tensor, alpha: float) -> Tensor:
    """Pulls r (L, H, C) towards its mean over heads: n/(n + alpha) r + alpha/(n + alpha) mean(r), n clips in the class."""
    keep = count / (count + alpha)
    return keep * r + (1 - keep) * r.mean((0, 1))


# Steps 5 and 6: weights ----------------------------------------------------------------------------------------------------


def head_weights(r: Tensor, options: FitOptions) -> Tensor:
    """Weights w (L, H, C) from reliability; each class's column sums to 1 over all heads.

    With top_k, heads tied with the k-th are kept too, so that no order of heads decides. A column that is zero everywhere
    gives uniform weights.
    """
    flat = r.flatten(0, 1)  # (L * H, C)
    kept = torch.ones_like(flat, dtype=torch.bool)
    if options.top_k is not None and options.top_k < len(flat):
        kept = flat >= flat.topk(options.top_k, dim=0).values[-1]
    if options.scheme == "margin_clamped":
        best = flat.amax(0)  # dividing by the best head first keeps small powers from underflowing
        w = torch.where(kept, (flat / torch.where(best > 0, best, 1.0)) ** (1 / options.tau_w), 0.0)
        w = torch.where(best > 0, w, kept.float())
        w = w / w.sum(0)
    else:
        w = torch.softmax((flat / options.tau_w).masked_fill(~kept, -torch.inf), dim=0)
    return w.view_as(r)


# Chunks ----------------------------------------------------------------------------------------------------------------------


def rows_per_chunk(vectors: Tensor, n_classes: int) -> int:
    """How many rows keep a (rows, L, H, max(C, D)) temporary within CHUNK_ELEMENTS."""
    _, L, H, D = vectors.shape
    return max(1, CHUNK_ELEMENTS // (L * H * max(D, n_classes)))


def chunks(vectors: Tensor, n_classes: int) -> Iterator[Tensor]:
    """Row numbers of consecutive chunks of vectors (N, L, H, D)."""
    yield from torch.arange(len(vectors)).split(rows_per_chunk(vectors, n_classes))


def group_chunks(vectors: Tensor, groups: Tensor, n_classes: int) -> Iterator[Tensor]:
    """Row numbers of chunks that hold whole groups; a group larger than a chunk is a chunk of its own."""
    limit = rows_per_chunk(vectors, n_classes)
    order = torch.argsort(groups, stable=True)
    sizes = torch.unique_consecutive(groups[order], return_counts=True)[1].tolist()
    start = end = 0
    for size in sizes:
        if end > start and end + size - start > limit:
            yield order[start:end]
            start = end
        end += size
    yield order[start:end]
