"""The CALM method on one page: centroids -> posteriors -> reliability -> weights -> scores.

Source: "CALM: Class-Conditional Sparse Attention Vectors for Large Audio-Language Models", arXiv 2602.07077.
Pure functions on tensors, read from top to bottom in the order the data flows. Knows no files, no devices, no labels' names.

    N support clips (windows), Q queries, L layers, H heads, D head dimension, C classes
    vectors (N, L, H, D) -> frame -> centroids (C, L, H, D) -> posteriors p (heads, Q, C)
                         -> reliability r, weights w (L, H, C) -> scores s (Q, C)

Heads don't meet before the vote (but in a whitening, which is ours), so the work goes through a few heads at a time, with the heads
as the first axis: what is made on the way stays in the processor's cache, and memory stays bounded however many clips and classes
there are.
All arithmetic is float32 whatever the vectors were stored in: bfloat16 cosines step by 0.004 near 1, which at tau = 0.03 is
0.13 in logit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from .errors import DataError
from .options import FitOptions, Scheme

CHUNK_ELEMENTS = 2**20  # of one (heads, rows, max(C, D)) temporary: 4 MiB in float32
WHITENING_FOLDS = 5
WHITENING_RANK = 256  # directions at most: a paper-sized whitener stays below 140 MB however many clips there are
CHUNK_ROWS = 2**13  # queries scored together: bounds a chunk of a single head


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What vectors are seen from before anything else: centre (L, H, D) is taken away, zeros in the paper. With a whitener U
    (R, L, H, D) vectors are first of unit length, and what is left, x, becomes x - (x . U) U, over all heads together.
    """

    centre: Tensor
    whitener: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What is learned.

    frame: what vectors are seen from; centroids (C, L, H, D) of unit length per head; reliability and weights (L, H, C);
    judged (C,): how many clips judged each class.
    """

    frame: Frame
    centroids: Tensor
    reliability: Tensor
    weights: Tensor
    judged: Tensor


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
    frame = support_frame(vectors, labels, n_classes, options)
    mu = class_centroids(vectors, labels, n_classes, frame)
    if options.reliability == "leave_one_out":
        judges = leave_one_out_similarities(vectors, labels, n_classes, groups, options)
    elif options.reliability == "resubstitution":
        judges = similarities(vectors, mu, frame)
    elif holdout is not None:
        judges, labels = similarities(holdout[0], mu, frame), holdout[1]
    else:
        raise DataError("reliability 'holdout' needs held-out clips; give some, or use 'leave_one_out'.")
    asked = options.tau, options.scheme
    r, judged = reliabilities(judges, labels, mu.shape[1:3], n_classes, [asked])[asked]
    r = shrink(r, judged, options.shrinkage)
    return Fitted(frame, mu, r, head_weights(r, options), judged)


def ask(vectors: Tensor, fitted: Fitted, options: FitOptions) -> tuple[Tensor, Tensor]:
    """Scores and familiarity, both (Q, C), of vectors (Q, L, H, D), in one pass over the heads.

    Score: the reliability-weighted vote s = sum over heads of w p, or of w log p (step 7). Scores are no probabilities.
    Familiarity: sum over heads of w cosine, how near a clip is to the class where its reliable heads look. The vote compares the
    classes with each other; familiarity doesn't, so it alone can say that a clip belongs to none of them (ours, not the paper's).
    """
    w = fitted.weights.flatten(0, 1)  # (L * H, C)
    votes, near = torch.zeros(len(vectors), w.shape[1]), torch.zeros(len(vectors), w.shape[1])
    rows_of = zip(votes.split(CHUNK_ROWS), near.split(CHUNK_ROWS), vectors.split(CHUNK_ROWS), strict=True)
    for vote, cosine, rows in rows_of:
        for heads, sims in similarities(rows, fitted.centroids, fitted.frame):
            vote += torch.einsum("hqc,hc->qc", pooled(sims, options), w[heads])
            cosine += torch.einsum("hqc,hc->qc", sims, w[heads])
    return votes, near


def scores(vectors: Tensor, fitted: Fitted, options: FitOptions) -> Tensor:
    """The scores (Q, C) of `ask` alone."""
    return ask(vectors, fitted, options)[0]


def contributions(vectors: Tensor, fitted: Fitted, options: FitOptions) -> Tensor:
    """Every head's part of the score, (Q, L, H, C): summed over L and H it is `scores`."""
    L, H, C = fitted.weights.shape
    p = torch.cat([pooled(sims, options) for _, sims in similarities(vectors, fitted.centroids, fitted.frame)])
    return p.view(L, H, len(vectors), C).permute(2, 0, 1, 3) * fitted.weights


def pooled(sims: Tensor, options: FitOptions) -> Tensor:
    """What a head adds to the vote, before its weight: p, or log p where posteriors are pooled as a product of experts."""
    return torch.log_softmax(sims / options.tau, dim=-1) if options.pooling == "log" else posteriors(sims, options.tau)


# Step 1: centroids, and cosines to them ------------------------------------------------------------------------------------


def unit(x: Tensor) -> Tensor:
    """x in float32 with unit length along its last axis; a zero vector stays zero and so is equally far from every class."""
    return F.normalize(x.float(), dim=-1)


def support_frame(vectors: Tensor, labels: Tensor, n_classes: int, options: FitOptions) -> Frame:
    """What options say that vectors are seen from, learned from support vectors (N, L, H, D) and labels (N,)."""
    if options.whiten is None:
        return Frame(vectors.mean(0, dtype=torch.float32) if options.centre else plain_frame(vectors).centre)
    N, L, H, D = vectors.shape
    membership = one_hot(labels, n_classes)
    share = membership / membership.sum(0).clamp_min(1)

    def within_classes() -> Iterator[tuple[slice, Tensor, Tensor]]:
        for heads, x in _few_heads(vectors, n_classes):
            x = unit(x)
            yield heads, x, x - membership @ (share.T @ x)

    # All heads together have more dimensions than there are clips: the covariance within classes has its eigenvectors from the clips'
    # inner products. Eigenvalues are shrunk towards their mean; a direction that no clip differs in keeps the share of the mean alone.
    centre, inner = torch.empty(L * H, D), torch.zeros(N, N)
    for heads, x, within in within_classes():
        centre[heads] = x.mean(1)
        inner += torch.einsum("hnd,hmd->nm", within, within)
    values, clips = torch.linalg.eigh(inner)
    mean = values.sum() / (N - (membership.sum(0) > 0).sum()).clamp_min(1)
    told = (values > 1e-5 * values[-1].clamp_min(1e-30)) & (torch.arange(N) >= N - WHITENING_RANK)
    values, clips = values[told], clips[:, told]
    damping = 1 - (options.whiten / ((1 - options.whiten) * values / mean + options.whiten)).sqrt()
    mix = (clips * (damping / values).sqrt()).T  # of the clips, (R, N)
    whitener = torch.empty(len(mix), L * H, D)
    for heads, _, within in within_classes():
        whitener[:, heads] = (mix @ within).transpose(0, 1)
    return Frame(centre.view(L, H, D), whitener.view(-1, L, H, D))


def plain_frame(vectors: Tensor) -> Frame:
    """The paper's: vectors (N, L, H, D) are taken as they are."""
    return Frame(torch.zeros(vectors.shape[1:]))


def class_centroids(vectors: Tensor, labels: Tensor, n_classes: int, frame: Frame) -> Tensor:
    """Centroids mu (C, L, H, D): the mean of a class's vectors (N, L, H, D) seen from the frame, then of unit length per head."""
    if n_classes < 2:
        raise DataError(f"found {n_classes} class; add clips of at least one more class, two are the least that can be told apart.")
    if (empty := (torch.bincount(labels, minlength=n_classes) == 0).nonzero().flatten()).numel():
        raise DataError(f"class number {int(empty[0])} has no clip; add at least one clip or remove the class.")
    _, L, H, D = vectors.shape
    membership = one_hot(labels, n_classes)
    mu = torch.empty(n_classes, L * H, D)
    for heads, x in heads_first(vectors, n_classes, frame):
        mu[:, heads] = unit(class_totals(x, membership)).transpose(0, 1)
    if not torch.isfinite(mu).all():
        raise DataError("the head vectors hold NaN or infinite values; extract them again, in float32 if they were in float16.")
    return mu.view(n_classes, L, H, D)


def class_totals(x: Tensor, membership: Tensor) -> Tensor:
    """Sums (heads, C, D) of each class's vectors x (heads, N, D); the sum and the mean have the same direction."""
    return membership.T @ x


def similarities(vectors: Tensor, centroids: Tensor, frame: Frame) -> Iterator[tuple[slice, Tensor]]:
    """Yields (heads, cosines (heads, Q, C)) of vectors (Q, L, H, D), seen from the frame, with unit centroids (C, L, H, D)."""
    mu = centroids.flatten(1, 2).transpose(0, 1)  # (L * H, C, D)
    for heads, x in heads_first(vectors, len(centroids), frame):
        yield heads, unit(x) @ mu[heads].transpose(1, 2)


def leave_one_out_similarities(
    vectors: Tensor, labels: Tensor, n_classes: int, groups: Tensor | None = None, options: FitOptions | None = None
) -> Iterator[tuple[slice, Tensor]]:
    """Yields (heads, cosines (heads, N, C)) with each clip's whole group taken out of the centroids it is compared with.

    Closed form on raw sums, mu^-g = sum_c - sum_g: exactly the centroids of a refit without the group. A class that the
    group leaves empty gets the cosine -inf, and so the posterior 0. With options.centre, the centre too is that of the refit.
    A whitening is learned without the clip's fold, one of WHITENING_FOLDS: one that had met the clip would know it by heart as soon
    as there are about as many dimensions as clips.
    """
    groups = torch.arange(len(labels)) if groups is None else torch.unique(groups, return_inverse=True)[1]
    if options is None or options.whiten is None:
        centre = options is not None and options.centre
        frame = Frame(vectors.mean(0, dtype=torch.float32)) if centre else plain_frame(vectors)
        yield from _left_out_similarities(vectors, labels, n_classes, groups, frame, centre)
        return
    fold_of = deal(labels, groups, WHITENING_FOLDS)
    others = [fold_of != fold for fold in range(WHITENING_FOLDS)]
    frames = [support_frame(vectors[other], labels[other], n_classes, options) for other in others]
    by_fold = [_left_out_similarities(vectors, labels, n_classes, groups, frame, centre=False) for frame in frames]
    for chunks in zip(*by_fold, strict=True):
        heads, sims = chunks[0]
        for other, (_, found) in zip(others, chunks, strict=True):
            sims[:, ~other] = found[:, ~other]
        yield heads, sims


def deal(labels: Tensor, groups: Tensor, folds: int) -> Tensor:
    """A fold (N,) for every row, whole groups together, dealt class by class; groups (N,) are numbers."""
    groups = torch.unique(groups, return_inverse=True)[1]
    first = one_hot(groups, int(groups.max()) + 1).argmax(0)
    dealt = torch.empty(len(first), dtype=torch.long)
    dealt[labels[first].argsort(stable=True)] = torch.arange(len(first)) % folds
    return dealt[groups]


def _left_out_similarities(
    vectors: Tensor, labels: Tensor, n_classes: int, groups: Tensor, frame: Frame, centre: bool
) -> Iterator[tuple[slice, Tensor]]:
    """`leave_one_out_similarities` seen from one frame; with centre the frame's centre is the mean, and each group's is corrected."""
    membership = one_hot(labels, n_classes)
    count, group_size = membership.sum(0), torch.bincount(groups)
    # A part is what one group adds to one class; clips (entries) are compared with the class without the part.
    parts, part_of = torch.unique(torch.stack([groups, labels]), dim=1, return_inverse=True)
    of_group, of_class = parts
    left = count[of_class] - torch.bincount(part_of)
    clip, part = (groups[:, None] == of_group).nonzero(as_tuple=True)
    for heads, x in heads_first(vectors, n_classes, frame):
        total = class_totals(x, membership)
        part_sum = torch.zeros(len(x), len(of_class), x.shape[-1]).index_add_(1, part_of, x)
        remainder = total[:, of_class] - part_sum
        if centre:
            # Seen from the mean of all, the mean without group g lies at shift_g = -sum_g / (N - n_g): every vector and every
            # class mean a is taken from there, |a - shift|^2 written out, for there is one such centroid per clip and class.
            mean = total / count[:, None]
            rest = (len(labels) - group_size).clamp_min(1)
            shift = -torch.zeros(len(x), len(rest), x.shape[-1]).index_add_(1, groups, x) / rest[:, None]
            remainder = remainder / left.clamp_min(1)[:, None] - shift[:, of_group]
            shift = shift[:, groups]
            directions = unit(x - shift)
            inner = directions @ mean.transpose(1, 2) - torch.linalg.vecdot(directions, shift).unsqueeze(-1)
            length = mean.square().sum(-1).unsqueeze(1) - 2 * shift @ mean.transpose(1, 2) + shift.square().sum(-1, keepdim=True)
            sims = inner / length.clamp_min(torch.finfo(torch.float32).tiny).sqrt()
        else:
            directions = unit(x)
            sims = directions @ unit(total).transpose(1, 2)
        cosine = torch.linalg.vecdot(directions[:, clip], unit(remainder)[:, part])
        sims[:, clip, of_class[part]] = cosine.masked_fill(left[part] == 0, -torch.inf)
        yield heads, sims


# Step 2: posteriors --------------------------------------------------------------------------------------------------------


def posteriors(sims: Tensor, tau: float) -> Tensor:
    """Class posteriors of every head on its own, p (heads, Q, C) = softmax over C of cosine / tau."""
    return torch.softmax(sims / tau, dim=-1)


# Steps 3 and 4: reliability ------------------------------------------------------------------------------------------------


def reliability_values(p: Tensor, labels: Tensor, scheme: Scheme) -> Tensor:
    """How right each head was about each clip, (heads, N), from posteriors p (heads, N, C) and the true classes (N,).

    margin_clamped: max(0, p_true - best other), clamped per clip (the paper's choice); margin: the same without the clamp;
    probability: p_true; brier: 2 p_true - sum of p^2.
    """
    truth = labels.expand(p.shape[:2]).unsqueeze(-1)
    p_true = p.gather(-1, truth).squeeze(-1)
    if scheme == "probability":
        return p_true
    if scheme == "brier":
        return 2 * p_true - p.square().sum(-1)
    margin = p_true - p.scatter(-1, truth, -1.0).amax(-1)
    return margin.clamp_min(0.0) if scheme == "margin_clamped" else margin


def reliabilities(
    judges: Iterator[tuple[slice, Tensor]], labels: Tensor, shape: torch.Size, n_classes: int, asked: Sequence[tuple[float, Scheme]]
) -> dict[tuple[float, Scheme], tuple[Tensor, Tensor]]:
    """For every (tau, scheme) the reliability r (L, H, C), the class means of `reliability_values`, and how many clips judged each
    class (C,), in one pass over the judges' similarities.

    A clip whose own class is empty without it can't judge; a class that nobody judged has reliability 0 on every head.
    """
    asked = list(dict.fromkeys(asked))
    r, judged = {key: torch.empty(shape.numel(), n_classes) for key in asked}, torch.zeros(n_classes)
    membership = one_hot(labels, n_classes)
    for heads, sims in judges:
        able = ~torch.isneginf(sims[0, torch.arange(len(labels)), labels])
        judged = able.float() @ membership
        for tau in dict.fromkeys(tau for tau, _ in asked):
            p = posteriors(sims, tau)
            for scheme in (scheme for of, scheme in asked if of == tau):
                r[tau, scheme][heads] = reliability_values(p, labels, scheme).where(able, 0) @ membership / judged.clamp_min(1)
    return {key: (values.view(*shape, n_classes), judged.long()) for key, values in r.items()}


def shrink(r: Tensor, count: Tensor, alpha: float) -> Tensor:
    """Pulls r (L, H, C) towards its mean over heads: n/(n + alpha) r + alpha/(n + alpha) mean(r), n judging clips."""
    keep = count / (count + alpha) if alpha else torch.ones(len(count))  # 0/0 for a class that nobody judged
    return keep * r + (1 - keep) * r.mean((0, 1))


# Steps 5 and 6: weights ----------------------------------------------------------------------------------------------------


def head_weights(r: Tensor, options: FitOptions) -> Tensor:
    """Weights w (L, H, C) from reliability; each class's column sums to 1 over all heads.

    With top_k, heads tied with the k-th are kept too, so that no order of heads decides. A column that is zero everywhere
    gives uniform weights. With trust below 1 the weights are mixed with uniform ones over the heads kept.
    """
    flat = r.flatten(0, 1)  # (L * H, C)
    kept = torch.ones_like(flat, dtype=torch.bool)
    if options.top_k is not None and options.top_k < len(flat):
        least = flat.topk(options.top_k, dim=0).values[-1]
        kept = flat >= least
        if options.scheme == "margin_clamped":
            kept &= (flat > 0) | (flat.amax(0) <= 0)  # heads tied at nothing are not among the best k, unless none knows anything
    if options.scheme == "margin_clamped":
        best = flat.amax(0)  # dividing by the best head first keeps small powers from underflowing
        w = torch.where(kept, (flat / torch.where(best > 0, best, 1.0)) ** (1 / options.tau_w), 0.0)
        w = torch.where(best > 0, w, kept.float())
        w = w / w.sum(0)
    else:
        w = torch.softmax((flat / options.tau_w).masked_fill(~kept, -torch.inf), dim=0)
    w = options.trust * w + (1 - options.trust) * kept / kept.sum(0)
    return w.view_as(r)


# Chunks ----------------------------------------------------------------------------------------------------------------------


def heads_first(vectors: Tensor, n_classes: int, frame: Frame) -> Iterator[tuple[slice, Tensor]]:
    """Yields (heads, x (heads, N, D) float32): a few of the L * H heads of vectors (N, L, H, D), seen from the frame, at a time."""
    origin = frame.centre.flatten(0, 1).unsqueeze(1)
    if frame.whitener is None:
        for heads, x in _few_heads(vectors, n_classes):
            yield heads, x - origin[heads]
        return
    directions = frame.whitener.flatten(1, 2).transpose(0, 1)  # (L * H, R, D)
    along = torch.zeros(len(vectors), directions.shape[1])
    for heads, x in _few_heads(vectors, n_classes):
        along += torch.einsum("hnd,hrd->nr", unit(x) - origin[heads], directions[heads])
    for heads, x in _few_heads(vectors, n_classes):
        yield heads, unit(x) - origin[heads] - along @ directions[heads]


def _few_heads(vectors: Tensor, n_classes: int) -> Iterator[tuple[slice, Tensor]]:
    """`heads_first` of the vectors as they are."""
    flat = vectors.flatten(1, 2)
    N, count, D = flat.shape
    step = max(1, CHUNK_ELEMENTS // max(1, N * max(D, n_classes)))
    for start in range(0, count, step):
        heads = slice(start, min(start + step, count))
        yield heads, flat[:, heads].transpose(0, 1).contiguous().float()


def one_hot(labels: Tensor, n_classes: int) -> Tensor:
    """Indicator matrix (N, C) in float32."""
    return F.one_hot(labels, n_classes).float()
