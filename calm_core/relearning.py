"""Learning again after every answer: the same classifier as a fresh fit, from what is kept of every class between answers.

All that the method needs of the vectors are inner products: of every row x with every class sum S_c, and of class sums with each other.
Leave-one-out and centring are closed forms of them. An answer changes one class sum, so it costs one pass over the vectors, x . w for the
answered clip's w; and as the page knows which clip it shows, `prepare` can make that pass while the person still listens. What follows
from the products is kept by class as well, so that only the answered class is computed anew:

    cos_c = x . S_c / (|x| |S_c|)      for a row of the class itself with S_c without the row's clip (leave-one-out)
    e_c = exp((cos_c - 1) / tau)       the same 1 for every class and row: no cosine is larger, so nothing overflows
    p_c = e_c / (sum of all e)         the posterior, softmax over c of cos_c / tau

Where a centre makes all cosines other ones, or a small tau lets e_c underflow (LEAST_TAU), every answer renews all classes.

    R rows (windows) of all clips, labelled or not; heads = L * H; C classes; x (R, heads, D); inner, cosines, e (R, heads) of every class

Knows head vectors and labels; knows no audio and no project.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import active, algorithm, confidence
from .active import Order
from .confidence import HeldOut
from .errors import DataError
from .options import FitOptions, Scheme
from .threads import cores
from .vectors import HeadVectors

Array = NDArray[np.float32]
Index = NDArray[np.int64]

KEPT_PRODUCTS = 8  # prepared passes that are kept: the clip on show, and those that may follow it
CHUNK_ELEMENTS = 2**18  # of one (rows, heads) temporary: 1 MiB in float32, which stays in the cache
LEAST_TAU = 2 / 80  # for e_c: float32 keeps its precision down to exp(-87), and cosines reach from 1 to -1


@dataclass(frozen=True, slots=True, eq=False)
class Relearned:
    """The classifier's opinion of every clip, after the latest answer.

    scores (clips, C): of a labelled clip by a classifier without it, NaN where its class has no other clip; chances (clips, C): the scores
    as probabilities, `calibrated` on the labelled clips or, where they are too few for that, only good for an order; reliability, weights
    (heads, C); held_out: the labelled clips' scores; p_values (clips, C) of the clips without a label, as `confidence.p_values` gives them,
    NaN for the others, None where too few are labelled.
    A left-out clip still counts among the judges of the heads: `CalmClassifier.fit`, which leaves it out of them as well, is stricter.
    """

    class_names: tuple[str, ...]
    scores: Array
    chances: Array
    calibrated: bool
    reliability: Tensor
    weights: Tensor
    held_out: HeldOut
    p_values: Array | None

    @property
    def hits(self) -> tuple[int, int]:
        """Labelled clips that a classifier without them gets right, and how many could be asked."""
        return int(self.held_out.correct.sum()), int(self.held_out.valid.sum())

    def fits(self, clip: int) -> tuple[str, ...] | None:
        """The classes that can't be ruled out for a clip without a label, () for none of them; None for others and with too few labels."""
        if self.p_values is None or not np.isfinite(self.p_values[clip]).all():
            return None
        return confidence.prediction_set(self.class_names, self.scores[clip], self.p_values[clip])

    def queue(self, order: Order, sketches: Array, pool: Index, labelled: Index, *, typical: Array, seed: int = 0) -> Index:
        """The pool, the clip to label next first. sketches: `active.sketch` of all clips; typical (pool,): `active.typicality`."""
        features = active.weighted(sketches, self.weights.mean(1).numpy())
        counts = np.bincount(self.held_out.truth, minlength=len(self.class_names))
        best = active.rank(order, self.chances[pool], features[pool], features[labelled], counts, typical=typical, seed=seed)
        return pool[best]


@dataclass(slots=True, eq=False)
class _Class:
    """One class: its clips, their rows (n,), the sum of these (heads, D), its squared length (heads,), and of every row the inner product
    with the sum and what `_compare` makes of it, the cosine and e (R, heads)."""

    members: frozenset[int]
    rows: Tensor
    total: Tensor
    squares: Tensor
    inner: Tensor
    cosines: Tensor = field(init=False)
    e: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.cosines, self.e = torch.empty_like(self.inner), torch.empty_like(self.inner)


class Relearner:
    """The vectors of a project's clips, and what is kept of the latest labels. One user at a time.

    Holds all vectors in float32, the given array itself if it is that and isn't centred, and at most 4 (3 C + 11) bytes for every row
    and head: at 1,024 heads x 128 and 10 classes 0.7 MB a clip.
    """

    def __init__(self, vectors: HeadVectors, options: FitOptions | None = None) -> None:
        """Raises DataError for vectors that are not finite, for a whitening, and for reliability that isn't leave-one-out."""
        self.options = options or FitOptions()
        if self.options.whiten is not None:
            raise DataError("relearning keeps inner products, and a whitening would change all of them; leave whiten out.")
        if self.options.reliability != "leave_one_out":
            raise DataError(f"relearning judges heads by leave-one-out, not by {self.options.reliability!r}; choose 'leave_one_out'.")
        self.x = torch.from_numpy(np.asarray(vectors.values)).flatten(1, 2).float()  # (R, heads, D)
        if not torch.isfinite(self.x).all():
            raise DataError("the head vectors hold NaN or infinite values; extract them again, in float32 if they were in float16.")
        if self.options.centre:  # the method doesn't see a shift of all vectors; taken away, it can't drown what is left in rounding
            self.x = self.x - self.x.mean(0)
        self.clip_of_row = torch.from_numpy(vectors.clip_of_row)
        self.n_clips = vectors.n_clips
        self.rows_per_clip = torch.bincount(self.clip_of_row, minlength=self.n_clips)
        self.length_squared = _products(self.x, self.x)  # (R, heads)
        self.own = self._own_products()
        self._shift = torch.ones(()).expand_as(self.own)  # what the cosines lose before their exp; below LEAST_TAU the largest of them
        self._classes: dict[str, _Class] = {}
        self._products: dict[int, Tensor] = {}

    @cores(1)  # its steps are short: waiting for a second core that other work holds made 15 ms into 850
    def prepare(self, clip: int) -> None:
        """Does the pass over the vectors that an answer about this clip is going to need."""
        if clip not in self._products:
            self._products[clip] = _products(self.x, self._sum_of([clip]))
            while len(self._products) > KEPT_PRODUCTS:
                del self._products[next(iter(self._products))]

    @cores(1)
    def relearn(self, labels: Sequence[str | None]) -> Relearned:
        """Learns from labels, one per clip, None for a clip without. Raises DataError for fewer than two classes."""
        if len(labels) != self.n_clips:
            raise DataError(f"{len(labels)} labels for {self.n_clips} clips; give exactly one for each, None where there is none.")
        names = tuple(sorted({label for label in labels if label is not None}))
        if len(names) < 2:
            raise DataError(f"found {len(names)} class; label clips of at least two, fewer can't be told apart.")
        self._follow(names, labels)
        classes = list(self._classes.values())
        single = np.array([len(known.members) == 1 for known in classes])
        judged = torch.tensor([len(known.rows) for known in classes]) * torch.from_numpy(~single)
        r = algorithm.shrink(self._judge().unsqueeze(0), judged, self.options.shrinkage)  # one layer of all heads
        weights = algorithm.head_weights(r, self.options)[0]
        scores, familiarity = (self._by_clip(found) for found in self._ask(weights))
        truth = np.array([-1 if label is None else names.index(label) for label in labels])
        known = truth >= 0
        scores[known & single[truth]] = np.nan
        held_out = HeldOut(truth[known], scores[known], familiarity[known], int(known.sum()))
        temperature = confidence.fit_temperature(held_out, self.options.pooling)
        chances = confidence.probabilities(scores, temperature or 1.0, self.options.pooling)
        p_values = confidence.p_values(scores, familiarity, held_out, self.options.pooling)
        if p_values is not None:
            p_values[known] = np.nan
        return Relearned(names, scores, chances, temperature is not None, r[0], weights, held_out, p_values)

    # ---- sums and inner products -----------------------------------------------------------------------------------------

    def _follow(self, names: Sequence[str], labels: Sequence[str | None]) -> None:
        """Brings the classes to these labels; what didn't change isn't touched, a renamed class only gets its new name."""
        members: dict[str, set[int]] = {name: set() for name in names}
        for clip, label in enumerate(labels):
            if label is not None:
                members[label].add(clip)
        before = {known.members: known for known in self._classes.values()}
        classes = {}
        for name in names:
            now = frozenset(members[name])
            classes[name] = before[now] if now in before else self._changed(self._classes.get(name), now)
        self._compare(list(classes.values()), [known for known in classes.values() if known.members not in before])
        self._classes = classes

    def _changed(self, old: _Class | None, members: frozenset[int]) -> _Class:
        """The class with other members: by the products of the few clips that differ, else by one pass with the new sum."""
        if old is not None and len(moved := members ^ old.members) == 1:
            (clip,) = moved
            self.prepare(clip)
            sign = 1 if clip in members else -1
            total, inner = old.total + sign * self._sum_of([clip]), torch.add(old.inner, self._products[clip], alpha=sign)
        else:
            total = self._sum_of(members)
            inner = _products(self.x, total)
        return _Class(members, self._rows_of(members), total, torch.linalg.vecdot(total, total), inner)

    def _rows_of(self, clips: Collection[int]) -> Tensor:
        return torch.isin(self.clip_of_row, torch.tensor(list(clips))).nonzero().flatten()

    def _sum_of(self, clips: Collection[int]) -> Tensor:
        return self.x[self._rows_of(clips)].sum(0)

    def _own_products(self) -> Tensor:
        """Every row's inner product with the sum of its own clip's rows, (R, heads); for a clip of one row its squared length."""
        own = self.length_squared.clone()
        for clip in (self.rows_per_clip > 1).nonzero().flatten().tolist():
            rows = self._rows_of([clip])
            own[rows] = _products(self.x[rows], self._sum_of([clip]))
        return own

    # ---- cosines and their exp -------------------------------------------------------------------------------------------

    def _compare(self, classes: Sequence[_Class], changed: Sequence[_Class]) -> None:
        """Brings cosines and e of all classes up to date, where the sums of some have changed."""
        if self.options.centre:
            self._compare_centred(classes)
        else:
            for known in changed:
                self._compare_uncentred(known)
        if small_tau := self.options.tau < LEAST_TAU:
            self._shift = functools.reduce(torch.maximum, (known.cosines for known in classes))
        for known in classes if self.options.centre or small_tau else changed:
            for chunk in self._chunks():
                torch.sub(known.cosines[chunk], self._shift[chunk], out=known.e[chunk]).div_(self.options.tau).exp_()

    def _compare_uncentred(self, known: _Class) -> None:
        """Without a clip only the cosines of its own class are other ones."""
        for chunk in self._chunks():
            known.cosines[chunk] = _cosines(known.inner[chunk], known.squares, self.length_squared[chunk])
        rows = known.rows
        inner, own = known.inner[rows], self.own[rows]
        without, squares = inner - own, known.squares + own - 2 * inner
        for clip in known.members:
            if self.rows_per_clip[clip] > 1:  # it may be most of its class: the rest is taken before it is squared, or rounding is left
                rest, here = known.total - self._sum_of([clip]), self.clip_of_row[rows] == clip
                without[here], squares[here] = _products(self.x[rows[here]], rest), torch.linalg.vecdot(rest, rest)
        sims = _cosines(without, squares, self.length_squared[rows])
        known.cosines[rows] = sims if len(known.members) > 1 else torch.full_like(sims, -torch.inf)

    def _compare_centred(self, classes: Sequence[_Class]) -> None:
        """Without a clip the centre is another one too, and so are the cosines of all classes."""
        count = torch.tensor([float(len(known.rows)) for known in classes]).view(-1, 1, 1)
        squares = torch.stack([known.squares for known in classes]).unsqueeze(1)
        everything = functools.reduce(torch.add, (known.total for known in classes))
        crossed = torch.stack([torch.linalg.vecdot(known.total, everything) for known in classes]).unsqueeze(1)

        def put(rows: slice | Tensor, sims: Tensor) -> None:
            for known, found in zip(classes, sims, strict=True):
                known.cosines[rows] = found

        for chunk in self._chunks(len(classes)):
            inner = torch.stack([known.inner[chunk] for known in classes])
            put(chunk, _centred_cosines(inner, squares, crossed, count, self.length_squared[chunk]))
        for known, mine in zip(classes, torch.eye(len(classes))[..., None, None], strict=True):  # mine (C, 1, 1)
            rows = known.rows
            inner, own = _select([of.inner for of in classes], rows), self.own[rows]
            with_classes, with_itself = self._over_clip(inner, rows), self._over_clip(own, rows)
            left = count - mine * self.rows_per_clip[self.clip_of_row[rows]].unsqueeze(-1)
            here = squares + mine * (with_itself - 2 * with_classes)
            across = crossed - with_classes + mine * (with_itself - with_classes.sum(0))
            sims = _centred_cosines(inner - mine * own, here, across, left, self.length_squared[rows])
            put(rows, sims.masked_fill_(left == 0, -torch.inf))

    def _over_clip(self, products: Tensor, rows: Tensor) -> Tensor:
        """What rows' inner products (..., rows, heads) are for the sum of each row's clip: the sum over the clip's rows."""
        clips, place = torch.unique(self.clip_of_row[rows], return_inverse=True)
        if len(clips) == len(rows):
            return products
        return torch.zeros(*products.shape[:-2], len(clips), products.shape[-1]).index_add_(-2, place, products).index_select(-2, place)

    # ---- votes -----------------------------------------------------------------------------------------------------------

    def _judge(self) -> Tensor:
        """Reliability (heads, C); a class of one clip has nobody to judge for it."""
        classes = list(self._classes.values())
        r = torch.zeros(self.x.shape[1], len(classes))
        for c, known in enumerate(classes):
            if len(known.members) > 1:
                p = _select([of.e for of in classes], known.rows)
                p /= p.sum(0)
                r[:, c] = _reliability_values(p, c, self.options.scheme).mean(0)
        return r

    def _ask(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and familiarity (R, C) of all rows, as `algorithm.ask` gives them."""
        classes, tau = list(self._classes.values()), self.options.tau
        votes, near = torch.empty(2, len(self.x), len(classes))
        by_class = weights.T.contiguous()
        for chunk in self._chunks():
            total = torch.zeros_like(self.own[chunk])
            for known in classes:
                total += known.e[chunk]
            for c, (known, w) in enumerate(zip(classes, by_class, strict=True)):
                near[chunk, c] = known.cosines[chunk] @ w
                if self.options.pooling == "linear":
                    votes[chunk, c] = (known.e[chunk] / total) @ w
            if self.options.pooling == "log":  # w log p = w cos / tau - w log(sum of all exp(cos / tau))
                votes[chunk] = near[chunk] / tau - (self._shift[chunk] / tau + total.log()) @ weights
        return votes, near

    def _by_clip(self, found: Tensor) -> Array:
        """Means over each clip's rows, (clips, C), of what was found for rows (R, C)."""
        total = torch.zeros(self.n_clips, found.shape[1]).index_add_(0, self.clip_of_row, found)
        return (total / self.rows_per_clip.unsqueeze(-1)).numpy()

    def _chunks(self, planes: int = 1) -> Iterator[slice]:
        """Yields slices of the rows, so few that so many planes of them are CHUNK_ELEMENTS."""
        step = max(1, CHUNK_ELEMENTS // (planes * self.x.shape[1]))
        for start in range(0, len(self.x), step):
            yield slice(start, start + step)


def _products(x: Tensor, others: Tensor) -> Tensor:
    """Inner products (R, heads) of rows x (R, heads, D) with others, (heads, D) or one for every row."""
    return torch.from_numpy(np.vecdot(x.numpy(), others.numpy()))  # NumPy's goes at the speed of the memory, torch's at a ninth of it


def _select(planes: Sequence[Tensor], rows: Tensor) -> Tensor:
    """These rows (n,) of every class's plane (R, heads), (C, n, heads)."""
    found = torch.empty(len(planes), len(rows), planes[0].shape[1])
    for part, plane in zip(found, planes, strict=True):
        torch.index_select(plane, 0, rows, out=part)
    return found


def _cosines(inner: Tensor, squares: Tensor, length_squared: Tensor) -> Tensor:
    """A zero vector is equally far from every class, as in `algorithm.unit`; what is one but for rounding stays in -1 to 1."""
    return (inner * torch.rsqrt((squares * length_squared).clamp_min(torch.finfo(torch.float32).tiny))).clamp_(-1, 1)


def _centred_cosines(inner: Tensor, squares: Tensor, crossed: Tensor, count: Tensor, length_squared: Tensor) -> Tensor:
    """Cosines (C, n, heads) of rows x with class sums S_c, both seen from the centre m = sum of all S / N.

    inner: x . S_c; squares: S_c . S_c; crossed: S_c . (sum of all S); count: rows in each class; length_squared (n, heads): x . x.
    """
    n = count.sum(0)
    x_m, s_m, m_m = inner.sum(0) / n, crossed / n, crossed.sum(0) / n**2
    centred = inner - count * x_m - s_m + count * m_m
    return _cosines(centred, squares - 2 * count * s_m + count**2 * m_m, length_squared - 2 * x_m + m_m)


def _reliability_values(p: Tensor, truth: int, scheme: Scheme) -> Tensor:
    """`algorithm.reliability_values` (n, heads) of rows of one class, with the classes first: p (C, n, heads), which is used up."""
    p_true = p[truth].clone()
    if scheme == "probability":
        return p_true
    if scheme == "brier":
        return 2 * p_true - p.square().sum(0)
    p[truth] = -1.0
    margin = p_true - p.amax(0)
    return margin.clamp_min(0.0) if scheme == "margin_clamped" else margin
