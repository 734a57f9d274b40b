"""Which clip to label next: orders of a pool by what an answer would teach. Pure functions on arrays; the same seed gives the same order.

    P pool clips, n labelled clips, C classes, F features

Distances are between clips' head vectors, each head weighted by its reliability: two clips are near where the heads that matter hear them
alike. At 1,024 heads x 128 a clip has 131,072 numbers, too many for all pairs of 2,000 clips, so `sketch` turns each head by a fixed
random projection into a few numbers, MAX_FEATURES in all: distances are sums over so many heads that the projections' errors average
out (Johnson and Lindenstrauss), the sketch is made once for a project, and weights that change with every answer only scale it.
Distances in the space of class scores would be cheaper still, but with two classes they say little more than the margin does.

Knows no files, no labels' names and no model.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics.pairwise import euclidean_distances

from .errors import OptionError

Array = NDArray[np.float32]
Index = NDArray[np.int64]

Order = Literal["useful", "uncertain", "entropy", "diverse", "confident", "balanced", "random"]
ORDERS: tuple[Order, ...] = get_args(Order)
DEFAULT_ORDER: Order = "useful"

MAX_FEATURES = 4096  # of a sketch: 2,000 clips take 33 MB, all their distances to 200 labelled clips 3 GFLOP
NEIGHBOURS = 10  # of a clip in the pool, for its density
_SEED_OF_PROJECTIONS = 0


def sketch(vectors: Array, clip_of_row: Index) -> Array:
    """Clips as (clips, heads, f): every head's unit vector, projected where L * H * D is above MAX_FEATURES, averaged over windows.

    vectors (W, L, H, D), clip_of_row (W,).
    """
    rows = vectors.reshape(len(vectors), -1, vectors.shape[-1])
    _, heads, head_dim = rows.shape
    small = max(1, min(head_dim, MAX_FEATURES // heads))
    found = np.zeros((int(clip_of_row.max()) + 1, heads, small), np.float32)
    rng = np.random.default_rng(_SEED_OF_PROJECTIONS)
    project = rng.normal(size=(heads, head_dim, small)).astype(np.float32) / np.sqrt(small) if small < head_dim else None
    for clip, row in zip(clip_of_row, rows, strict=True):  # row by row, for all unit vectors at once would double the memory
        unit = row.astype(np.float32) / np.maximum(np.linalg.norm(row, axis=-1, keepdims=True), np.finfo(np.float32).tiny)
        found[clip] += unit if project is None else np.einsum("hd,hdf->hf", unit, project)
    return found / np.bincount(clip_of_row).astype(np.float32)[:, None, None]


def weighted(sketches: Array, weights: Array) -> Array:
    """Features (clips, F) of sketches (clips, heads, f), whose distances count every head by its weight (heads,)."""
    return (sketches * np.sqrt(weights / weights.sum())[:, None]).reshape(len(sketches), -1)


def margin(probabilities: Array) -> Array:
    """How unsure, (P,), 0 to 1: one less the lead of the best class over the second, of probabilities (P, C)."""
    best = np.partition(probabilities, -2, axis=1)
    return 1 - (best[:, -1] - best[:, -2])


def entropy(probabilities: Array) -> Array:
    """How unsure over all classes, (P,), in nats."""
    return -(probabilities * np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))).sum(1)


def novelty(pool: Array, labelled: Array) -> Array:
    """Distance (P,) of pool features (P, F) to the nearest labelled ones (n, F): what greedy k-center picks the largest of."""
    return euclidean_distances(pool, labelled).min(1) if len(labelled) else np.ones(len(pool), np.float32)


def typicality(sketches: Array) -> Array:
    """How typical each clip is, (clips,): one over the mean distance to its NEIGHBOURS nearest others, all heads counting alike.

    All pairs are costly, so this is done once for a pool: the weights that change with every answer have no part in it.
    """
    pool = sketches.reshape(len(sketches), -1)
    k = min(NEIGHBOURS, len(pool) - 1)
    if k < 1:
        return np.ones(len(pool), np.float32)
    distances = np.partition(euclidean_distances(pool), k, axis=1)[:, : k + 1]  # the clip itself is one of them, at 0
    return k / np.maximum(distances.sum(1), np.finfo(np.float32).tiny)


def rank(
    order: Order,
    probabilities: Array,
    pool: Array,
    labelled: Array,
    counts: Index,
    *,
    typical: Array,
    seed: int = 0,
) -> Index:
    """The pool's clips, best first, (P,). Ties keep the pool's order.

    probabilities (P, C); pool (P, F), labelled (n, F) features; counts (C,) labels per class; typical (P,): `typicality`. The orders:

    useful: unsure x unlike what is labelled x typical of what isn't; uncertain: least margin; entropy; diverse: k-center; confident:
    surest first, for confirming quickly; balanced: surest of the classes with the fewest labels; random.
    Raises OptionError for another order.
    """
    if order == "useful":
        value = margin(probabilities) * novelty(pool, labelled) * typical
    elif order == "uncertain":
        value = margin(probabilities)
    elif order == "entropy":
        value = entropy(probabilities)
    elif order == "diverse":
        value = novelty(pool, labelled)
    elif order == "confident":
        value = probabilities.max(1)
    elif order == "balanced":
        value = probabilities.max(1) - counts[probabilities.argmax(1)]
    elif order == "random":
        value = np.random.default_rng(seed).random(len(probabilities))
    else:
        raise OptionError(f"there is no order {order!r}; choose one of {', '.join(ORDERS)}.")
    return np.argsort(-value, kind="stable")
