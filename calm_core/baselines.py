"""The ladder: every method that CALM is shown beside, on the same vectors and the same clips.

Each rung is a function (support vectors, labels, groups, options) -> scorer; a scorer turns vectors (Q, L, H, D) into
non-negative scores (Q, C), higher is better. Works on tensors only; `mfcc_statistics` alone reads a waveform, so that the rung
without any neural network can be put on the same ladder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from . import algorithm
from .options import FitOptions

Array = NDArray[np.float32]
Scorer = Callable[[Tensor], Tensor]

SAV_HEADS = 20  # arXiv 2412.00142, section 3
PROBE_C = 1.0  # inverse strength of the L2 penalty, scikit-learn's default
N_MFCC = 20


@dataclass(frozen=True, slots=True, eq=False)
class Support:
    """What a rung may learn from: vectors (N, L, H, D), class indices (N,), groups (N,), C classes, the user's options."""

    vectors: Tensor
    labels: Tensor
    groups: Tensor
    n_classes: int
    options: FitOptions

    def rows(self, rows: Tensor) -> Support:
        """The chosen rows; raises nothing, but every class must still have one."""
        return replace(self, vectors=self.vectors[rows], labels=self.labels[rows], groups=self.groups[rows])


@dataclass(frozen=True, slots=True)
class Rung:
    method: str  # as in tables and JSON
    title: str  # as on the page
    fit: Callable[[Support], Scorer]
    features: Literal["heads", "mfcc"] = "heads"


def calm(support: Support) -> Scorer:
    """CALM with the user's options (arXiv 2602.07077)."""
    return _soft_vote(support, _fit(support))


def uniform(support: Support) -> Scorer:
    """Soft vote of all heads with equal weights."""
    return _soft_vote(support, _with_weights(_fit(support), lambda r: torch.ones_like(r)))


def top_k_uniform(support: Support) -> Scorer:
    """Soft vote with equal weights of each class's 20 most reliable heads (as many as SAV takes)."""
    options = replace(support.options, top_k=SAV_HEADS)
    return _soft_vote(support, _with_weights(_fit(support), lambda r: (algorithm.head_weights(r, options) > 0).float()))


def grw(support: Support) -> Scorer:
    """One class-agnostic weight per head: reliability averaged over the classes."""
    return _soft_vote(support, _with_weights(_fit(support), lambda r: r.mean(-1, keepdim=True).expand_as(r)))


def random_reliability(support: Support) -> Scorer:
    """Control: CALM's weights from reliability drawn at random; whatever it reaches isn't due to the learned weights."""
    generator = torch.Generator().manual_seed(0)
    return _soft_vote(support, _with_weights(_fit(support), lambda r: torch.rand(r.shape, generator=generator)))


def best_head(support: Support) -> Scorer:
    """The single head with the best leave-one-out accuracy, ties broken by its mean margin."""
    correct, margin = _head_accuracy(support), _fit(support, scheme="margin").reliability.mean(-1).flatten()
    best = int((correct + 1e-3 * margin).argmax())  # |margin| <= 1 is far below one clip's share for any support of < 1,000 clips
    chosen = torch.zeros(correct.numel())
    chosen[best] = 1.0
    return _soft_vote(support, _with_weights(_fit(support), lambda r: chosen.view(*r.shape[:2], 1).expand_as(r)))


def sav(support: Support) -> Scorer:
    """Sparse attention vectors (arXiv 2412.00142): the 20 heads most accurate on the support clips, by majority vote."""
    centroids = algorithm.class_sums(support.vectors, support.labels, support.n_classes).centroids()
    hits = torch.zeros(support.vectors.shape[1:3])
    for index, sims in algorithm.plain_similarities(support.vectors, centroids):
        hits += (sims.argmax(-1) == support.labels[index, None, None]).sum(0)
    chosen = hits.flatten().topk(min(SAV_HEADS, hits.numel())).indices
    picked = centroids.flatten(1, 2)[:, chosen, None]  # (C, heads, 1, D)

    def score(vectors: Tensor) -> Tensor:
        votes = algorithm.similarities(vectors.flatten(1, 2)[:, chosen, None], picked).argmax(-1).flatten(1)
        return torch.nn.functional.one_hot(votes, support.n_classes).float().mean(1)

    return score


def concatenated(support: Support) -> Scorer:
    """Nearest class centroid of all heads concatenated, each head of unit length."""
    centroids = algorithm.class_sums(algorithm.unit(support.vectors), support.labels, support.n_classes).total
    directions = algorithm.unit(centroids.flatten(1))
    return lambda vectors: 1 + algorithm.unit(algorithm.unit(vectors).flatten(1)) @ directions.T


def probe(support: Support) -> Scorer:
    """Linear probe: logistic regression with an L2 penalty on all features.

    The rotation to at most N components changes nothing for an L2 penalty and makes 100,000 features affordable.
    """
    model = make_pipeline(StandardScaler(), PCA(), LogisticRegression(C=PROBE_C, max_iter=1000))
    model.fit(support.vectors.flatten(1).double().numpy(), support.labels.numpy())
    return lambda vectors: torch.from_numpy(model.predict_proba(vectors.flatten(1).double().numpy()))


LADDER: tuple[Rung, ...] = (
    Rung("calm", "CALM", calm),
    Rung("uniform", "All heads, equal votes", uniform),
    Rung("topk_uniform", "Best 20 heads per class, equal votes", top_k_uniform),
    Rung("grw", "One weight per head", grw),
    Rung("sav", "SAV: best 20 heads, majority", sav),
    Rung("best_head", "Best single head", best_head),
    Rung("concat", "Nearest centroid, all heads joined", concatenated),
    Rung("probe", "Linear probe on all heads", probe),
    Rung("mfcc", "MFCC + logistic regression (no network)", probe, features="mfcc"),
    Rung("random_reliability", "Control: random head weights", random_reliability),
)


def fit_and_score(rung: Rung, support: Support, queries: Tensor) -> Array:
    """Scores (Q, C) of queries by one rung; a class without a support clip scores 0."""
    present, compact = torch.unique(support.labels, return_inverse=True)
    scorer = rung.fit(replace(support, labels=compact, n_classes=len(present)))
    scores = torch.zeros(len(queries), support.n_classes)
    scores[:, present] = scorer(queries).float()
    return scores.numpy()


def mfcc_statistics(samples: Array, sample_rate_hz: int) -> Array:
    """Mean and standard deviation over time of 20 MFCCs and their differences, (1, 1, 80): shaped like one head's vector."""
    mfcc = librosa.feature.mfcc(y=samples, sr=sample_rate_hz, n_mfcc=N_MFCC, n_fft=min(1024, len(samples)))
    change = np.diff(mfcc, axis=1, prepend=mfcc[:, :1])
    both = np.concatenate([mfcc, change])
    return np.concatenate([both.mean(1), both.std(1)]).astype(np.float32)[None, None]


def _fit(support: Support, **changes: object) -> algorithm.Fitted:
    options = replace(support.options, **changes)  # type: ignore[arg-type]
    if options.reliability == "holdout":  # the ladder is given support clips alone
        options = replace(options, reliability="leave_one_out")
    return algorithm.fit(support.vectors, support.labels, support.n_classes, options, support.groups)


def _with_weights(fitted: algorithm.Fitted, weights: Callable[[Tensor], Tensor]) -> algorithm.Fitted:
    """The same centroids with other weights (L, H, C), made from the reliability and normalised over heads."""
    raw = weights(fitted.reliability)
    total = raw.sum((0, 1))
    raw = torch.where(total > 0, raw, torch.ones_like(raw))
    return replace(fitted, weights=raw / raw.sum((0, 1)))


def _soft_vote(support: Support, fitted: algorithm.Fitted) -> Scorer:
    return lambda vectors: algorithm.scores(vectors, fitted, support.options.tau)


def _head_accuracy(support: Support) -> Tensor:
    """Leave-one-out accuracy of every head on its own, flattened (L * H,)."""
    sums = algorithm.class_sums(support.vectors, support.labels, support.n_classes)
    hits = torch.zeros(support.vectors.shape[1:3])
    for index, sims in algorithm.leave_one_out_similarities(support.vectors, support.labels, support.groups, sums):
        hits += (sims.argmax(-1) == support.labels[index, None, None]).sum(0)
    return hits.flatten() / len(support.labels)
