"""The ladder: every method that CALM is shown beside, on the same vectors and the same clips.

Each rung is a function (support vectors, labels, groups, options) -> scorer; a scorer turns vectors (Q, L, H, D) into
non-negative scores (Q, C), higher is better. Works on tensors only; `mfcc_statistics` alone reads a waveform, so that the rung
without any neural network can be put on the same ladder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from . import algorithm, selection
from .confidence import Progress
from .options import FitOptions

Array = NDArray[np.float32]
Scorer = Callable[[Tensor], Tensor]

SAV_HEADS = 20  # arXiv 2412.00142, section 3
PROBE_C = 1.0  # inverse strength of the L2 penalty, scikit-learn's default
N_MFCC = 20
TIE_BREAK = 1e-4  # times a margin of at most 1: less than one clip's share of the accuracy


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
    features: Literal["heads", "mfcc", "answers"] = "heads"


def calm(support: Support) -> Scorer:
    """CALM as the paper has it (arXiv 2602.07077), at the user's tau, tau_w, scheme, top_k and shrinkage."""
    return fitted_vote(support, support.options.paper)


def calm_auto(support: Support) -> Scorer:
    """CALM with all options but shrinkage chosen by the likelihood of left-out support clips (`selection.choose`)."""
    return fitted_vote(support, tuned(support))


def tuned(support: Support, progress: Progress | None = None) -> FitOptions:
    """What `selection.choose` makes of the user's options on these clips."""
    asked = _judged_inside(support.options)
    return selection.choose(support.vectors, support.labels, support.n_classes, asked, support.groups, progress=progress)


def uniform(support: Support) -> Scorer:
    """Soft vote of all heads with equal weights."""
    return _vote_with(support, torch.ones(*support.vectors.shape[1:3], support.n_classes))


def top_k_uniform(support: Support) -> Scorer:
    """Soft vote with equal weights of each class's 20 most reliable heads (as many as SAV takes)."""
    options = replace(support.options.paper, top_k=SAV_HEADS)
    return _vote_with(support, (algorithm.head_weights(_reliability(support), options) > 0).float())


def grw(support: Support) -> Scorer:
    """One class-agnostic weight per head: CALM's weights of the reliability averaged over the classes."""
    r = _reliability(support)
    return _vote_with(support, algorithm.head_weights(r.mean(-1, keepdim=True).expand_as(r), support.options.paper))


def random_reliability(support: Support) -> Scorer:
    """Control: weights drawn at random; whatever it reaches isn't due to the learned weights."""
    shape = (*support.vectors.shape[1:3], support.n_classes)
    return _vote_with(support, torch.rand(shape, generator=torch.Generator().manual_seed(0)))


def best_head(support: Support) -> Scorer:
    """The single head with the best leave-one-out accuracy, ties broken by its mean margin."""
    margin = _reliability(support, scheme="margin").mean(-1)
    best = (_head_accuracy(support) + TIE_BREAK * margin).flatten().argmax()
    weights = torch.nn.functional.one_hot(best, margin.numel()).float().view(*margin.shape, 1)
    return _vote_with(support, weights.expand(*margin.shape, support.n_classes))


def sav(support: Support) -> Scorer:
    """Sparse attention vectors (arXiv 2412.00142): the 20 heads most accurate on the support clips, by majority vote."""
    frame = algorithm.plain_frame(support.vectors)
    centroids = algorithm.class_centroids(support.vectors, support.labels, support.n_classes, frame)
    hits = _hits(algorithm.similarities(support.vectors, centroids, frame), support.labels)
    chosen = hits.topk(min(SAV_HEADS, len(hits))).indices
    picked = centroids.flatten(1, 2)[:, chosen, None]  # (C, heads, 1, D)

    def score(vectors: Tensor) -> Tensor:
        voters = vectors.flatten(1, 2)[:, chosen, None]
        votes = torch.cat(
            [sims.argmax(-1) for _, sims in algorithm.similarities(voters, picked, algorithm.plain_frame(voters))]
        )  # (heads, Q)
        return torch.nn.functional.one_hot(votes, support.n_classes).float().mean(0)

    return score


def concatenated(support: Support) -> Scorer:
    """Nearest class centroid of all heads concatenated, each head of unit length."""
    directions = algorithm.unit(algorithm.one_hot(support.labels, support.n_classes).T @ algorithm.unit(support.vectors).flatten(1))
    return lambda vectors: 1 + algorithm.unit(algorithm.unit(vectors).flatten(1)) @ directions.T


def probe(support: Support) -> Scorer:
    """Linear probe: logistic regression with an L2 penalty on all features.

    The rotation to at most N components changes nothing for an L2 penalty and makes 100,000 features affordable.
    """
    model = make_pipeline(StandardScaler(), PCA(), LogisticRegression(C=PROBE_C, max_iter=1000))
    model.fit(support.vectors.flatten(1).double().numpy(), support.labels.numpy())
    return lambda vectors: torch.from_numpy(model.predict_proba(vectors.flatten(1).double().numpy()))


def zero_shot(_: Support) -> Scorer:
    """The backbone's own answer, nothing learned: per class the likelihood of its name as the answer, (Q, 1, 1, C)."""
    return lambda likelihoods: likelihoods[:, 0, 0].exp()


LADDER: tuple[Rung, ...] = (
    Rung("calm_auto", "CALM, tuned on your clips", calm_auto),
    Rung("calm", "CALM, as in the paper", calm),
    Rung("uniform", "All heads, equal votes", uniform),
    Rung("topk_uniform", "Best 20 heads per class, equal votes", top_k_uniform),
    Rung("grw", "One weight per head", grw),
    Rung("sav", "SAV: best 20 heads, majority", sav),
    Rung("best_head", "Best single head", best_head),
    Rung("concat", "Nearest centroid, all heads joined", concatenated),
    Rung("probe", "Linear probe on all heads", probe),
    Rung("mfcc", "MFCC + logistic regression (no network)", probe, features="mfcc"),
    Rung("zero_shot", "Zero-shot: the model's own answer", zero_shot, features="answers"),
    Rung("random_reliability", "Control: random head weights", random_reliability),
)


def fit_and_score(rung: Rung, support: Support, queries: Tensor) -> Array:
    """Scores (Q, C) of queries by one rung; a class without a support clip scores 0, but for the rung that learns nothing."""
    if rung.features == "answers":
        return rung.fit(support)(queries).float().numpy()
    present, compact = torch.unique(support.labels, return_inverse=True)
    scorer = rung.fit(replace(support, labels=compact, n_classes=len(present)))
    scores = torch.zeros(len(queries), support.n_classes)
    scores[:, present] = scorer(queries).float()
    return scores.numpy()


def mfcc_statistics(samples: Array, sample_rate_hz: int) -> Array:
    """Mean and standard deviation over time of 20 MFCCs, and that of their slopes, (1, 1, 60): shaped like one head's vector."""
    mfcc = librosa.feature.mfcc(y=samples, sr=sample_rate_hz, n_mfcc=N_MFCC, n_fft=min(1024, len(samples)))
    slope = librosa.feature.delta(mfcc, mode="nearest")  # the mode that takes clips of a few frames
    return np.concatenate([mfcc.mean(1), mfcc.std(1), slope.std(1)]).astype(np.float32)[None, None]


def _judged_inside(options: FitOptions) -> FitOptions:
    """The ladder is given support clips alone, so a holdout isn't there to judge."""
    return replace(options, reliability="leave_one_out") if options.reliability == "holdout" else options


def fitted_vote(support: Support, options: FitOptions) -> Scorer:
    """The method as options say, learned from the support."""
    options = _judged_inside(options)
    fitted = algorithm.fit(support.vectors, support.labels, support.n_classes, options, support.groups)

    def score(vectors: Tensor) -> Tensor:
        votes = algorithm.scores(vectors, fitted, options)
        return votes.exp() if options.pooling == "log" else votes

    return score


def _reliability(support: Support, **changes: Any) -> Tensor:
    """Reliability (L, H, C) by the paper's choices."""
    options = replace(_judged_inside(support.options.paper), **changes)
    return algorithm.fit(support.vectors, support.labels, support.n_classes, options, support.groups).reliability


def _vote_with(support: Support, raw: Tensor) -> Scorer:
    """Linear soft vote with weights (L, H, C) made to sum to 1 over heads; a column that is zero everywhere becomes uniform."""
    raw = torch.where(raw.sum((0, 1)) > 0, raw, 1.0)
    frame = algorithm.plain_frame(support.vectors)
    centroids = algorithm.class_centroids(support.vectors, support.labels, support.n_classes, frame)
    fitted = algorithm.Fitted(frame, centroids, raw, raw / raw.sum((0, 1)), torch.zeros(support.n_classes))
    return lambda vectors: algorithm.scores(vectors, fitted, support.options.paper)


def _head_accuracy(support: Support) -> Tensor:
    """Leave-one-out accuracy (L, H) of every head on its own."""
    judges = algorithm.leave_one_out_similarities(support.vectors, support.labels, support.n_classes, support.groups)
    return _hits(judges, support.labels).view(support.vectors.shape[1:3]) / len(support.labels)


def _hits(judges: Iterator[tuple[slice, Tensor]], labels: Tensor) -> Tensor:
    """How many clips each head alone gets right, (L * H,)."""
    return torch.cat([(sims.argmax(-1) == labels).sum(1) for _, sims in judges])
