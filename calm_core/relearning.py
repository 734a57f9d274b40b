"""Learning again after every answer: the same classifier as a fresh fit, from inner products that are kept between answers.

All that the method needs of the vectors are inner products: of every row x with every class sum S_c, and of class sums with each other.
Leave-one-out and centring are closed forms of them. An answer changes one class sum, so it costs one pass over the vectors, x . w for the
answered clip's w; and as the page knows which clip it shows, `prepare` can make that pass while the person still listens.

    R rows (windows) of all clips, labelled or not; heads = L * H; C classes; x (heads, R, D); inner (C, heads, R)

Classes come first, for a softmax over ten neighbours costs twenty times one over ten planes. Knows head vectors and labels; knows no
audio and no project.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import active, algorithm, confidence
from .active import Order
from .confidence import HeldOut, mean_by_group
from .errors import DataError
from .options import FitOptions, Scheme
from .vectors import HeadVectors

Array = NDArray[np.float32]
Index = NDArray[np.int64]

KEPT_PRODUCTS = 8  # prepared passes that are kept: the clip on show, and those that may follow it
CHUNK_ELEMENTS = 2**17  # of one (C, heads, rows) temporary: 512 KiB in float32, which stays in the cache

Method = TypeVar("Method", bound=Callable[..., Any])
_threads = threading.Lock()
_calls, _before = 0, 1  # calls under way that keep torch to one thread, and how many it had before the first


def _one_thread(method: Method) -> Method:
    """Keeps torch to one thread in the call: its steps are so short that waiting for a second one, where other work shares the cores,
    made 15 ms into 850."""

    @functools.wraps(method)
    def alone(*args: Any, **kwargs: Any) -> Any:
        global _calls, _before
        with _threads:
            _before = _before if _calls else torch.get_num_threads()
            _calls += 1
            torch.set_num_threads(1)
        try:
            return method(*args, **kwargs)
        finally:
            with _threads:
                _calls -= 1
                torch.set_num_threads(_before)

    return alone  # type: ignore[return-value]


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
class _ClassSum:
    """One class: its clips, their sum (heads, D), its squared length (heads,), and every row's inner product and, uncentred, cosine with
    it (heads, R)."""

    members: frozenset[int]
    total: Tensor
    squares: Tensor
    inner: Tensor
    cosines: Tensor | None


class Relearner:
    """The vectors of a project's clips, and what is kept of the latest labels. One user at a time.

    Holds all vectors in float32 and 4 (2 C + 4) bytes for every row and head: at 1,024 heads x 128 and 10 classes 0.6 MB a clip.
    """

    def __init__(self, vectors: HeadVectors, options: FitOptions | None = None) -> None:
        """Raises DataError for vectors that are not finite, for a whitening, and for reliability that isn't leave-one-out."""
        self.options = options or FitOptions()
        if self.options.whiten is not None:
            raise DataError("relearning keeps inner products, and a whitening would change all of them; leave whiten out.")
        if self.options.reliability != "leave_one_out":
            raise DataError(f"relearning judges heads by leave-one-out, not by {self.options.reliability!r}; choose 'leave_one_out'.")
        rows = torch.from_numpy(np.asarray(vectors.values)).flatten(1, 2).float()  # (R, heads, D)
        if not torch.isfinite(rows).all():
            raise DataError("the head vectors hold NaN or infinite values; extract them again, in float32 if they were in float16.")
        if self.options.centre:  # the method doesn't see a shift of all vectors; taken away, it can't drown what is left in rounding
            rows = rows - rows.mean(0)
        self.x = rows.transpose(0, 1).contiguous()
        self.clip_of_row = torch.from_numpy(vectors.clip_of_row)
        self.n_clips = vectors.n_clips
        self.rows_per_clip = torch.bincount(self.clip_of_row, minlength=self.n_clips)
        self.length_squared = torch.linalg.vecdot(self.x, self.x)  # (heads, R)
        self.own = self._own_products()
        self._classes: dict[str, _ClassSum] = {}
        self._products: dict[int, Tensor] = {}

    @_one_thread
    def prepare(self, clip: int) -> None:
        """Does the pass over the vectors that an answer about this clip is going to need."""
        if clip not in self._products:
            self._products[clip] = self._product(self._sum_of([clip]))
            while len(self._products) > KEPT_PRODUCTS:
                del self._products[next(iter(self._products))]

    @_one_thread
    def relearn(self, labels: Sequence[str | None]) -> Relearned:
        """Learns from labels, one per clip, None for a clip without. Raises DataError for fewer than two classes."""
        if len(labels) != self.n_clips:
            raise DataError(f"{len(labels)} labels for {self.n_clips} clips; give exactly one for each, None where there is none.")
        self._follow(labels)
        names = tuple(self._classes)
        if len(names) < 2:
            raise DataError(f"found {len(names)} class; label clips of at least two, fewer can't be told apart.")
        truth = torch.tensor([-1 if label is None else names.index(label) for label in labels])
        row_truth = truth[self.clip_of_row]
        labelled = (row_truth >= 0).nonzero().flatten()
        r, opinions, cosines = self._judge(labelled, row_truth[labelled])
        judged = torch.bincount(row_truth[labelled]) * (self._n_members() > 1)
        r = algorithm.shrink(r.unsqueeze(0), judged, self.options.shrinkage)  # one layer of all heads
        weights = algorithm.head_weights(r, self.options)[0]

        votes, near = torch.empty(len(self.clip_of_row), len(names)), torch.empty(len(self.clip_of_row), len(names))
        by_class = weights.T.unsqueeze(1)
        votes[labelled], near[labelled] = torch.bmm(by_class, opinions).squeeze(1).T, torch.bmm(by_class, cosines).squeeze(1).T
        pool = (row_truth < 0).nonzero().flatten()
        votes[pool], near[pool] = self._ask(pool, weights)
        scores, familiarity = (mean_by_group(found.numpy(), self.clip_of_row.numpy()) for found in (votes, near))
        known = truth.numpy() >= 0
        scores[known & (self._n_members().numpy()[truth.numpy()] == 1)] = np.nan
        held_out = HeldOut(truth.numpy()[known], scores[known], familiarity[known], int(known.sum()))
        temperature = confidence.fit_temperature(held_out, self.options.pooling)
        chances = confidence.probabilities(scores, temperature or 1.0, self.options.pooling)
        p_values = confidence.p_values(scores, familiarity, held_out, self.options.pooling)
        if p_values is not None:
            p_values[known] = np.nan
        return Relearned(names, scores, chances, temperature is not None, r[0], weights, held_out, p_values)

    # ---- sums and inner products -----------------------------------------------------------------------------------------

    def _follow(self, labels: Sequence[str | None]) -> None:
        """Brings the class sums to these labels; what didn't change isn't touched, a renamed class only gets its new name."""
        members: dict[str, set[int]] = {}
        for clip, label in enumerate(labels):
            if label is not None:
                members.setdefault(label, set()).add(clip)
        before = {known.members: known for known in self._classes.values()}
        found = {}
        for name in sorted(members):
            now = frozenset(members[name])
            found[name] = before[now] if now in before else self._changed(self._classes.get(name), now)
        self._classes = found

    def _changed(self, old: _ClassSum | None, members: frozenset[int]) -> _ClassSum:
        """The class with other members: by the products of the few clips that differ, else by one pass with the new sum."""
        if old is not None and len(moved := members ^ old.members) == 1:
            (clip,) = moved
            self.prepare(clip)
            sign = 1 if clip in members else -1
            total, inner = old.total + sign * self._sum_of([clip]), old.inner + sign * self._products[clip]
        else:
            total = self._sum_of(sorted(members))
            inner = self._product(total)
        squares = torch.linalg.vecdot(total, total)
        cosines = None if self.options.centre else _cosines(inner, squares.unsqueeze(-1), self.length_squared)
        return _ClassSum(members, total, squares, inner, cosines)

    def _sum_of(self, clips: Sequence[int]) -> Tensor:
        rows = torch.isin(self.clip_of_row, torch.tensor(clips)).nonzero().flatten().tolist()
        return self.x[:, rows[0]].clone() if len(rows) == 1 else self.x[:, rows].sum(1)

    def _product(self, total: Tensor) -> Tensor:
        """Every row's inner product with total (heads, D): (heads, R)."""
        # NumPy's einsum goes at the speed of the memory here; torch's bmm takes seven times as long.
        return torch.from_numpy(np.einsum("hrd,hd->hr", self.x.numpy(), total.numpy()))

    def _own_products(self) -> Tensor:
        """Every row's inner product with the sum of its own clip's rows, (heads, R); for a clip of one row its squared length."""
        own = self.length_squared.clone()
        for clip in (self.rows_per_clip > 1).nonzero().flatten().tolist():
            rows = (self.clip_of_row == clip).nonzero().flatten()
            own[:, rows] = (self.x[:, rows] @ self._sum_of([clip]).unsqueeze(-1)).squeeze(-1)
        return own

    def _n_members(self) -> Tensor:
        return torch.tensor([len(known.members) for known in self._classes.values()])

    # ---- cosines ---------------------------------------------------------------------------------------------------------

    def _judge(self, rows: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reliability (heads, C), and every head's opinion and cosines (C, heads, rows) of labelled rows that it must not know."""
        membership = algorithm.one_hot(truth, len(self._classes))
        membership = membership * (self._n_members() > 1)[truth, None]  # a class of one clip has nobody to judge for it
        values = torch.empty(len(self.x), len(rows))
        opinions, cosines = (torch.empty(len(self._classes), len(self.x), len(rows)) for _ in range(2))
        for heads, sims in self._held_out_cosines(rows, truth):
            cosines[:, heads] = sims
            sims.div_(self.options.tau)
            p = torch.softmax(sims, dim=0)
            opinions[:, heads] = p if self.options.pooling == "linear" else torch.log_softmax(sims, dim=0)
            values[heads] = _reliability_values(p, truth, self.options.scheme)
        return values @ membership / membership.sum(0).clamp_min(1), opinions, cosines

    def _ask(self, rows: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and familiarity (rows, C) of rows without a label, as `algorithm.ask` gives them."""
        votes, near = torch.zeros(len(self._classes), 1, len(rows)), torch.zeros(len(self._classes), 1, len(rows))
        take = torch.softmax if self.options.pooling == "linear" else torch.log_softmax
        for heads, sims in self._cosines(rows):
            near += torch.bmm(weights[heads].T.unsqueeze(1), sims)
            votes += torch.bmm(weights[heads].T.unsqueeze(1), take(sims / self.options.tau, dim=0))
        return votes.squeeze(1).T, near.squeeze(1).T

    def _cosines(self, rows: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yields (heads, cosines (C, heads, rows)), a few heads at a time."""
        squares, crossed, count = self._squares(), self._crossed(), self._count()[:, None, None]
        for heads in self._chunks(len(rows)):
            if self.options.centre:
                inner, length_squared = self._stack("inner", heads, rows), self.length_squared[heads].index_select(1, rows)
                yield heads, _centred_cosines(inner, squares[:, heads], crossed[:, heads], count, length_squared)
            else:
                yield heads, self._stack("cosines", heads, rows)

    def _held_out_cosines(self, rows: Tensor, truth: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yields (heads, cosines (C, heads, rows)) of labelled rows with centroids, and a centre, that don't contain their clip."""
        count = self._count()
        mine = algorithm.one_hot(truth, len(count)).T.unsqueeze(1)  # (C, 1, n)
        left = count[:, None, None] - mine * self.rows_per_clip[self.clip_of_row[rows]].float()
        empty = left == 0 if bool((left == 0).any()) else None
        own, length_squared = self.own.index_select(1, rows), self.length_squared.index_select(1, rows)
        found = self._held_out_centred(rows, mine, left, own, length_squared) if self.options.centre else None
        for heads, sims in found or self._held_out_uncentred(rows, truth, own, length_squared):
            yield heads, sims if empty is None else sims.masked_fill_(empty, -torch.inf)

    def _held_out_uncentred(self, rows: Tensor, truth: Tensor, own: Tensor, length_squared: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Only the cosine with the clip's own class is another one without it."""
        by_class = torch.argsort(truth, stable=True)
        sizes = torch.bincount(truth).tolist()
        parts = zip(self._classes.values(), rows[by_class].split(sizes), strict=True)
        inner = torch.cat([known.inner.index_select(1, members) for known, members in parts], dim=1)
        inner = inner.index_select(1, torch.argsort(by_class))
        squares = self._squares().squeeze(-1).T.index_select(1, truth)
        squares += self._over_clip(own, rows) - 2 * self._over_clip(inner, rows)
        without = _cosines(inner - own, squares, length_squared).unsqueeze(0)
        index = truth.expand(1, *own.shape)
        for heads in self._chunks(len(rows)):
            yield heads, self._stack("cosines", heads, rows).scatter_(0, index[:, heads], without[:, heads])

    def _held_out_centred(
        self, rows: Tensor, mine: Tensor, left: Tensor, own: Tensor, length_squared: Tensor
    ) -> Iterator[tuple[slice, Tensor]]:
        """Without the clip the centre is another one too, and so are all cosines."""
        squares, crossed = self._squares(), self._crossed()
        for heads in self._chunks(len(rows)):
            inner = self._stack("inner", heads, rows)
            with_classes, with_itself = self._over_clip(inner, rows), self._over_clip(own[heads], rows)
            here = squares[:, heads] + mine * (with_itself - 2 * with_classes)
            across = crossed[:, heads] - with_classes + mine * (with_itself - with_classes.sum(0))
            yield heads, _centred_cosines(inner - mine * own[heads], here, across, left, length_squared[heads])

    def _over_clip(self, products: Tensor, rows: Tensor) -> Tensor:
        """What rows' inner products (..., rows) are for the sum of each row's clip: the sum over the clip's rows."""
        clips, place = torch.unique(self.clip_of_row[rows], return_inverse=True)
        if len(clips) == len(rows):
            return products
        return torch.zeros(*products.shape[:-1], len(clips)).index_add_(-1, place, products)[..., place]

    def _chunks(self, n_rows: int) -> Iterator[slice]:
        step = max(1, CHUNK_ELEMENTS // max(1, n_rows * len(self._classes)))
        for start in range(0, len(self.x) if n_rows else 0, step):
            yield slice(start, min(start + step, len(self.x)))

    def _stack(self, what: str, heads: slice, rows: Tensor) -> Tensor:
        """(C, heads, rows) of the classes' inner products or cosines."""
        found = torch.empty(len(self._classes), heads.stop - heads.start, len(rows))
        for part, known in zip(found, self._classes.values(), strict=True):
            torch.index_select(getattr(known, what)[heads], 1, rows, out=part)
        return found

    def _squares(self) -> Tensor:
        """S_c . S_c of the class sums, (C, heads, 1)."""
        return torch.stack([known.squares for known in self._classes.values()]).unsqueeze(-1)

    def _crossed(self) -> Tensor:
        """S_c . (sum of all class sums), (C, heads, 1); only a centre asks for it."""
        totals = [known.total for known in self._classes.values()]
        if not self.options.centre:
            return torch.zeros(len(totals), len(self.x), 1)
        everything = torch.stack(totals).sum(0)
        return torch.stack([torch.linalg.vecdot(total, everything) for total in totals]).unsqueeze(-1)

    def _count(self) -> Tensor:
        """Rows in each class, (C,)."""
        return torch.stack([self.rows_per_clip[sorted(known.members)].sum() for known in self._classes.values()]).float()


def _cosines(inner: Tensor, squares: Tensor, length_squared: Tensor) -> Tensor:
    """A zero vector is equally far from every class, as in `algorithm.unit`."""
    return inner * torch.rsqrt((squares * length_squared).clamp_min(torch.finfo(torch.float32).tiny))


def _centred_cosines(inner: Tensor, squares: Tensor, crossed: Tensor, count: Tensor, length_squared: Tensor) -> Tensor:
    """Cosines (C, heads, n) of rows x with class sums S_c, both seen from the centre m = sum of all S / N.

    inner: x . S_c; squares: S_c . S_c; crossed: S_c . (sum of all S); count: rows in each class; length_squared (heads, n): x . x.
    """
    n = count.sum(0)
    x_m, s_m, m_m = inner.sum(0) / n, crossed / n, crossed.sum(0) / n**2
    centred = inner - count * x_m - s_m + count * m_m
    return _cosines(centred, squares - 2 * count * s_m + count**2 * m_m, length_squared - 2 * x_m + m_m)


def _reliability_values(p: Tensor, truth: Tensor, scheme: Scheme) -> Tensor:
    """`algorithm.reliability_values` (heads, n) with the classes first: p (C, heads, n), which is used up."""
    index = truth.expand(1, *p.shape[1:])
    p_true = p.gather(0, index)[0]
    if scheme == "probability":
        return p_true
    if scheme == "brier":
        return 2 * p_true - p.square().sum(0)
    margin = p_true - p.scatter_(0, index, -1.0).amax(0)
    return margin.clamp_min(0.0) if scheme == "margin_clamped" else margin
