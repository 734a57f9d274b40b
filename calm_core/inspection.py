"""Questions to a fitted model about its heads: what one head knows, what if some were switched off.

Works on the support clips' vectors that the model was learned from, without a forward pass. Knows no audio, no figure and no page.
Every number about a support clip comes from models without that clip: `Workbench` has what every head heard in the classifier's own
held-out refits, and so can vote anew with other heads at the cost of a sum.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from scipy.stats import t
from torch import Tensor

from . import algorithm, confidence
from .classifier import CalmClassifier, Refit
from .confidence import HeldOut, Progress, Proportion, mean_by_group
from .errors import DataError
from .options import FitOptions
from .vectors import HeadVectors

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
Index = NDArray[np.int64]

RESAMPLES = 1000  # of the bootstrap over a head's judging clips
INTERVAL = (0.025, 0.975)
ALIKE = 0.01  # share of a weight
KEEP_BYTES = 256 * 2**20  # of the judges' similarities that one workbench may keep; beyond, every other tau computes them again
RANDOM_ORDERS = 5  # in which the ablation drops heads
ABLATION_POINTS = 16


@dataclass(frozen=True, slots=True, eq=False)
class HeadCard:
    """What one head (layer and head counted from 0) makes of the support clips, each heard without itself.

    reliability, low, high (C,): as in the map, with a 95 % bootstrap interval over the clips that judged, NaN below two of them;
    truth (N,); votes (N, C): the head's posteriors; similarity (N, C): cosines with the class centroids; both NaN where a clip was
    the only one of its class. confusion (C, C): truth in rows. map (N, 2): the clips along the two directions in which this head's
    vectors vary most, and explained (2,): which share of the variance they hold.
    """

    layer: int
    head: int
    class_names: tuple[str, ...]
    reliability: Array
    low: Array
    high: Array
    truth: Index
    votes: Array
    similarity: Array
    map: Array
    explained: Array

    @property
    def valid(self) -> Mask:
        return np.isfinite(self.votes.sum(1))

    @property
    def voted(self) -> Index:
        """The class that the head chose for every clip, -1 where it couldn't."""
        return np.where(self.valid, np.nan_to_num(self.votes, nan=-1.0).argmax(1), -1)

    @property
    def confusion(self) -> Index:
        counts = np.zeros((len(self.class_names),) * 2, dtype=np.int64)
        np.add.at(counts, (self.truth[self.valid], self.voted[self.valid]), 1)
        return counts

    def recognised(self, class_index: int) -> Proportion:
        """How many clips of a class the head alone recognises."""
        mine = self.valid & (self.truth == class_index)
        return Proportion(int((self.voted[mine] == class_index).sum()), int(mine.sum()))

    def nearest(self, class_index: int) -> Index:
        """The clips that could be judged, from the most to the least like a class in this head's ears."""
        order = np.argsort(-np.nan_to_num(self.similarity[:, class_index], nan=-np.inf), kind="stable")
        return order[self.valid[order]]


@dataclass(frozen=True, slots=True, eq=False)
class Ablation:
    """Held-out accuracy as heads are dropped. kept (P,) heads that still vote; the others (P,) shares from 0 to 1.

    best_first, worst_first: dropped in the order of their mean reliability, as each refit knows it; random: the mean over
    RANDOM_ORDERS, random_low and random_high their extremes.
    """

    kept: Index
    best_first: Array
    worst_first: Array
    random: Array
    random_low: Array
    random_high: Array


def layer_profile(reliability: Array) -> tuple[Array, Array, Array]:
    """Mean reliability (L,) of the heads of each layer, from (L, H), and its 95 % t interval, (L,) and (L,), over these heads."""
    L, H = reliability.shape
    mean = reliability.mean(1)
    if H < 2:
        return mean, np.full(L, np.nan, np.float32), np.full(L, np.nan, np.float32)
    reach = t.ppf(INTERVAL[1], H - 1) * reliability.std(1, ddof=1) / np.sqrt(H)
    least = min(0.0, float(reliability.min()))  # of the scale; a mean can't lie beyond its ends
    return mean, np.clip(mean - reach, least, 1.0).astype(np.float32), np.clip(mean + reach, least, 1.0).astype(np.float32)


def class_similarity(weights: Array) -> tuple[Array, Index]:
    """Which classes are told by the same heads: cosines (C, C) of the classes' weights (L, H, C), and the order of a dendrogram.

    The weights are taken about the equal weight, so that 0 means nothing in common; a class whose heads count the same, but for ALIKE of
    their weight, gets 0: what is left of it would be chance.
    """
    w = weights.reshape(-1, weights.shape[-1]).astype(np.float64)
    equal = w.mean(0)
    w = w - equal
    length = np.linalg.norm(w, axis=0)
    w = np.divide(w, length, out=np.zeros_like(w), where=length > ALIKE * equal * np.sqrt(len(w)))
    similarity = np.clip(w.T @ w, -1.0, 1.0)
    np.fill_diagonal(similarity, 1.0)
    if len(similarity) < 3:
        return similarity.astype(np.float32), np.arange(len(similarity))
    distance = squareform(1.0 - similarity, checks=False)
    return similarity.astype(np.float32), leaves_list(linkage(distance, "average", optimal_ordering=True)).astype(np.int64)


class Workbench:
    """A model and the clips that it was learned from, to be asked "what if". Answers one thread at a time."""

    def __init__(self, model: CalmClassifier, heads: HeadVectors, labels: Sequence[str], refits: Sequence[Refit]) -> None:
        """labels: one a clip, of the model's classes; refits: what `CalmClassifier.fit` gave to `keep`. The vectors aren't copied.

        Raises DataError where clips, labels and model don't belong together, or the refits are of another number of clips.
        """
        if len(labels) != heads.n_clips:
            raise DataError(f"{len(labels)} labels for {heads.n_clips} clips; give exactly one for each.")
        if unknown := sorted(set(labels) - set(model.class_names)):
            raise DataError(f"the label {unknown[0]!r} is none of the model's classes {', '.join(model.class_names)}.")
        if heads.shape[1:] != tuple(model.centroids.shape[1:]):
            raise DataError(f"the clips have heads {heads.shape[1:]}, the model {tuple(model.centroids.shape[1:])}.")
        if model.options.reliability == "holdout":
            raise DataError("this model's heads were judged by held-out clips, which are not kept; learn with leave-one-out reliability.")
        heard, needed = sum(refit.asked.shape[1] for refit in refits), int(model.held_out.valid[heads.clip_of_row].sum())
        if heard != needed:
            raise DataError(f"the refits heard {heard} left-out rows, the model was tested on {needed}; give those that its fit kept.")
        self.model, self.heads = model, heads
        position = {name: i for i, name in enumerate(model.class_names)}
        self.truth: Index = np.array([position[label] for label in labels], dtype=np.int64)
        self._x, self._groups = torch.from_numpy(heads.values), torch.from_numpy(heads.clip_of_row)
        self._y = torch.from_numpy(self.truth[heads.clip_of_row])
        self._shape = heads.shape[1:3]
        self._alone = threading.RLock()
        self._refits = tuple(refits)
        # Reliability of every refit, and last of the model, by tau and scheme: the model's own, and the latest others.
        self._own = (model.options.tau, model.options.scheme)
        fits: list[Refit | CalmClassifier] = [*refits, model]
        self._judged = {self._own: [_before_shrinkage(each, model.options.shrinkage) for each in fits]}
        self._judges: list[tuple[Tensor, Tensor]] = []
        self._whitened: Tensor | None = None  # of `_left_out`
        self._said: dict[tuple[float, str], list[Tensor]] = {}  # `_voices`, of the latest tau alone

    # What one head knows ---------------------------------------------------------------------------------------------------

    def card(self, layer: int, head: int) -> HeadCard:
        """The card of a head, counted from 0. Raises DataError where there is no such head."""
        L, H = self._shape
        if not (0 <= layer < L and 0 <= head < H):
            raise DataError(f"there is no head {head + 1} in layer {layer + 1}; the backbone has {L} layers of {H} heads.")
        options = self.model.options
        x = self._x[:, layer : layer + 1, head : head + 1]
        sims = self._left_out(layer, head)
        p = algorithm.posteriors(sims, options.tau)
        able = ~torch.isneginf(sims[0, torch.arange(len(self._y)), self._y])
        values = algorithm.reliability_values(p, self._y, options.scheme)[0]
        clip_values, votes, similarity = (
            mean_by_group(np.where(able.numpy().reshape(-1, *[1] * (found.ndim - 1)), found, np.nan), self.heads.clip_of_row)
            for found in (values.numpy(), p[0].numpy(), sims[0].numpy())
        )
        low, high = self._bootstrap(clip_values)
        directions, explained = _principal_axes(mean_by_group(algorithm.unit(x[:, 0, 0].float()).numpy(), self.heads.clip_of_row))
        return HeadCard(
            layer,
            head,
            self.model.class_names,
            self.model.reliability[layer, head].numpy(),
            low,
            high,
            self.truth,
            votes,
            similarity,
            directions,
            explained,
        )

    def _left_out(self, layer: int, head: int) -> Tensor:
        """The head's cosines (1, N, C) with every clip left out. A whitening is one of all heads: then they are all asked, once."""
        C, options = len(self.model.class_names), self.model.options
        if options.whiten is None:
            alone = self._x[:, layer : layer + 1, head : head + 1]
            ((_, sims),) = algorithm.leave_one_out_similarities(alone, self._y, C, self._groups, options)
            return sims
        with self._alone:
            if self._whitened is None:
                found = algorithm.leave_one_out_similarities(self._x, self._y, C, self._groups, options)
                self._whitened = torch.cat([sims for _, sims in found])
        return self._whitened[layer * self._shape[1] + head].unsqueeze(0)

    def _bootstrap(self, values: Array) -> tuple[Array, Array]:
        """The 95 % interval (C,), (C,) of the means of values (N,), NaN where not judged, drawn clip by clip within each class."""
        C, options = len(self.model.class_names), self.model.options
        low, high = np.full(C, np.nan, np.float32), np.full(C, np.nan, np.float32)
        rng = np.random.default_rng(0)
        for c in range(C):
            mine = values[(self.truth == c) & np.isfinite(values)]
            if len(mine) > 1:
                means = mine[rng.integers(len(mine), size=(RESAMPLES, len(mine)))].mean(1)
                keep = len(mine) / (len(mine) + options.shrinkage)
                towards = float(self.model.reliability[:, :, c].mean())  # shrinking leaves the mean over heads as it is
                low[c], high[c] = np.quantile(keep * means + (1 - keep) * towards, INTERVAL)
        return low, high

    # What if ---------------------------------------------------------------------------------------------------------------

    def with_heads(self, on: Mask | None = None, options: FitOptions | None = None, progress: Progress | None = None) -> CalmClassifier:
        """The model if only the heads `on` (L, H) voted, None for all, with other options (tau, top_k and so on), None for its own.

        It votes, and was tested on its support clips, exactly as one refitted on the vectors of these heads alone; only a whitening,
        which is one of all heads together, still hears the others. Its `chance` is unknown where tau or scheme is another one; the first
        such one takes a while, of which progress is told. Raises DataError where no head is on, or where the options ask for other
        centring, whitening or judges, which need another fit.
        """
        mine = self.model.options
        options = replace(options or mine, auto=False)
        if (options.centre, options.whiten, options.reliability) != (mine.centre, mine.whiten, mine.reliability):
            raise DataError("centring, whitening and the source of reliability can't be changed on a fitted model; learn again with them.")
        chosen = np.ones(self._shape, dtype=bool) if on is None else np.asarray(on, dtype=bool)
        if chosen.shape != self._shape:
            raise DataError(f"on has the shape {chosen.shape}; needed is one answer for each of {self._shape} heads.")
        if not chosen.any():
            raise DataError("every head is switched off; leave at least one on.")
        with self._alone:
            return self._with_heads(chosen, options, progress)

    def _with_heads(self, chosen: Mask, options: FitOptions, progress: Progress | None) -> CalmClassifier:
        mask = torch.from_numpy(chosen.ravel())
        *_, whole = self._reliability(options, progress)
        held_out = self._vote([mask] * len(self._refits), options)
        reliability, chance = self.model.reliability, self.model.chance
        if (options.tau, options.scheme) != self._own:
            reliability = algorithm.shrink(whole[0].view(*self._shape, -1), whole[1], options.shrinkage)
            chance = torch.full_like(chance, torch.nan)
        return replace(
            self.model,
            options=options,
            reliability=reliability,
            weights=_weights(whole, mask, options).view(*self._shape, -1),
            chance=chance,
            held_out=held_out,
            temperature=confidence.fit_temperature(held_out, options.pooling),
        )

    def ablation(self, points: int = ABLATION_POINTS, seed: int = 0) -> Ablation:
        """How accuracy falls as heads are dropped, best first, worst first and at random; from all heads down to one."""
        with self._alone:
            return self._ablation(points, seed)

    def _ablation(self, points: int, seed: int) -> Ablation:
        total, options, rng = self._shape[0] * self._shape[1], replace(self.model.options, top_k=None), np.random.default_rng(seed)
        kept = np.unique(np.geomspace(1, total, min(points, total)).round().astype(np.int64))[::-1]
        # By mean reliability over the classes as each refit knows it: its left-out clips have no say in the order.
        best_first = [torch.argsort(-r.mean(1), stable=True) for r, _ in self._reliability(options)[:-1]]
        random = [torch.from_numpy(rng.permutation(total)) for _ in range(RANDOM_ORDERS)]

        def accuracies(orders: list[Tensor]) -> Array:
            found = []
            for n in kept:
                masks = [torch.zeros(total, dtype=torch.bool).index_fill_(0, order[total - n :], True) for order in orders]
                found.append(confidence.accuracy(self._vote(masks, options)).value)
            return np.array(found, dtype=np.float32)

        drawn = np.stack([accuracies([order] * len(best_first)) for order in random])
        worst_first = [order.flip(0) for order in best_first]
        return Ablation(kept, accuracies(best_first), accuracies(worst_first), drawn.mean(0, dtype=np.float32), drawn.min(0), drawn.max(0))

    # Refits ----------------------------------------------------------------------------------------------------------------

    def _vote(self, masks: Sequence[Tensor], options: FitOptions) -> HeldOut:
        """Held-out scores where refit i counts only the heads masks[i] (heads,)."""
        turns = iter(zip(self._refits, self._reliability(options)[:-1], self._voices(options), masks, strict=True))
        C = len(self.model.class_names)

        def replay(_fit_rows: Index, test_rows: Index) -> tuple[Array, Array]:
            refit, judged, voices, mask = next(turns)
            w = _weights(judged, mask, options)
            nothing = 0.0 if options.pooling == "linear" else confidence.LEAST_LOG  # as in CalmClassifier.fit
            scores = np.full((len(test_rows), C), nothing, dtype=np.float32)
            familiarity = np.full_like(scores, -1.0)
            on = w.any(1)
            scores[:, refit.present] = (voices[on] * w[on, None]).sum(0).numpy()
            familiarity[:, refit.present] = (refit.asked[on] * w[on, None]).sum(0).numpy()
            return scores, familiarity

        cost = float(self._x.numel()) * C  # as in CalmClassifier.fit: it decides the folds
        return confidence.held_out_scores(self._y.numpy(), self.heads.clip_of_row, C, replay, cost=cost)

    def _voices(self, options: FitOptions) -> list[Tensor]:
        """What every head adds to the votes of each refit's left-out rows, before its weight, (heads, rows, C')."""
        key = (options.tau, options.pooling)
        if key not in self._said:
            self._said = {key: [algorithm.pooled(refit.asked, options) for refit in self._refits]}
        return self._said[key]

    def _reliability(self, options: FitOptions, progress: Progress | None = None) -> list[tuple[Tensor, Tensor]]:
        """Reliability (heads, C') at options.tau of every refit and, last, of the model, before shrinkage, and how many clips judged
        each class (C',)."""
        key = (options.tau, options.scheme)
        if key not in self._judged:
            found = []
            for sims, labels in self._judging(progress):
                C = sims.shape[-1]
                r, judged = algorithm.reliabilities(_in_chunks(sims), labels, torch.Size((len(sims), 1)), C, [key])[key]
                found.append((r[:, 0], judged))
            self._judged = {self._own: self._judged[self._own], key: found}
        return self._judged[key]

    def _judging(self, progress: Progress | None) -> Iterator[tuple[Tensor, Tensor]]:
        """What the judges of every refit, and last of the model, heard: similarities (heads, rows, C') and their classes (rows,)."""
        if self._judges:
            yield from self._judges
            return
        rows_of = [torch.from_numpy(refit.rows) for refit in self._refits] + [torch.arange(len(self._y))]
        few = 4 * self.model.weights.numel() * sum(map(len, rows_of)) <= KEEP_BYTES
        found = []
        for turn, rows in enumerate(rows_of):
            if progress:
                progress(turn, len(rows_of), "testing every head anew")
            heard = self._similarities(rows)
            if few:
                found.append(heard)
            yield heard
        self._judges = found

    def _similarities(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Similarities (heads, rows, C') by which these rows judge the heads, as in `algorithm.fit`, and their classes (rows,)."""
        present, labels = torch.unique(self._y[rows], return_inverse=True)
        x, C, options = self._x[rows], len(present), self.model.options
        if options.reliability == "resubstitution":
            frame = algorithm.support_frame(x, labels, C, options)
            found = algorithm.similarities(x, algorithm.class_centroids(x, labels, C, frame), frame)
        else:
            found = algorithm.leave_one_out_similarities(x, labels, C, self._groups[rows], options)
        return torch.cat([sims for _, sims in found]), labels


def _before_shrinkage(found: Refit | CalmClassifier, alpha: float) -> tuple[Tensor, Tensor]:
    """Reliability (heads, C) with `algorithm.shrink` undone, which leaves the mean over heads as it is, and judges (C,)."""
    r, judged = found.reliability.flatten(0, 1), found.judged
    keep = (judged / (judged + alpha)).clamp_min(torch.finfo(torch.float32).tiny) if alpha else torch.ones(len(judged))
    return torch.where(judged > 0, r.mean(0) + (r - r.mean(0)) / keep, r), judged


def _in_chunks(sims: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """A few heads at a time, so that what is made of them stays in the processor's cache."""
    step = max(1, algorithm.CHUNK_ELEMENTS // max(1, sims[0].numel()))
    for start in range(0, len(sims), step):
        yield slice(start, min(start + step, len(sims))), sims[start : start + step]


def _weights(found: tuple[Tensor, Tensor], mask: Tensor, options: FitOptions) -> Tensor:
    """Weights (heads, C) from reliability (heads, C) and counts of judges (C,) where only the masked heads (heads,) vote, else 0."""
    r, judged = found
    on = algorithm.shrink(r[mask].unsqueeze(0), judged, options.shrinkage)
    w = torch.zeros_like(r)
    w[mask] = algorithm.head_weights(on, options)[0]
    return w


def _principal_axes(points: Array) -> tuple[Array, Array]:
    """Points (N, D) along their two principal axes, (N, 2), and the share of the variance on each (2,); zeros where there is none."""
    centred = points.astype(np.float64) - points.mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    along, variance = np.zeros((len(points), 2)), np.zeros(2)
    n = min(2, len(s))
    # A direction has no sign of its own: the longest arm points to the right (or up), so that a repeat looks the same.
    arms = u[:, :n] * s[:n]
    along[:, :n] = arms * np.sign(arms[np.abs(arms).argmax(0), np.arange(n)])
    variance[:n] = s[:n] ** 2 / max(float((s**2).sum()), 1e-30)
    return along.astype(np.float32), variance.astype(np.float32)
