"""Frozen options, checked once where they are made. Knows no audio, no tensors, no model.

The letters are those of the CALM paper (arXiv 2602.07077): tau is the temperature of one head's posterior, tau_w that of
the weights over heads.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self, get_args

from .errors import OptionError

Scheme = Literal["margin_clamped", "margin", "probability", "brier"]
ReliabilitySource = Literal["leave_one_out", "resubstitution", "holdout"]
Pooling = Literal["linear", "log"]

NEUTRAL_PROMPT = "What sound is this? Answer with the class name."
MULTIPLE_CHOICE_OPTIONS = 4  # of the paper's protocol, the truth among them
EACH_ITS_OWN = "(each clip its own question)"  # stands for the prompt of vectors of several, such as multiple-choice ones
MULTIPLE_CHOICE_MARK = "each clip asked with four options of which one is its class, as in the paper, which leaks the answer"


def listed_prompt(class_names: Sequence[str]) -> str:
    """The question with all class names listed. Raises OptionError for fewer than two."""
    if len(class_names) < 2:
        raise OptionError(f"a prompt that lists the classes needs at least two; given: {', '.join(class_names) or 'none'}.")
    return f"What sound is this? Answer with one of these: {', '.join(class_names)}."


def multiple_choice_prompt(truth: str, class_names: Sequence[str], seed: int) -> str:
    """The paper's question about one clip: four options in random order, of which one is the truth.

    It leaks the answer to the features, so it serves for repeating the paper's protocol alone; mark every figure made with it. seed: of
    this clip. Raises OptionError where truth isn't among the classes or there are fewer than four.
    """
    if truth not in class_names or len(class_names) < MULTIPLE_CHOICE_OPTIONS:
        raise OptionError(
            f"a multiple-choice prompt needs {MULTIPLE_CHOICE_OPTIONS} classes with the truth among them; truth {truth!r}, "
            f"classes: {', '.join(class_names) or 'none'}. Use the neutral prompt."
        )
    rng = random.Random(seed)
    options = [truth, *rng.sample([name for name in class_names if name != truth], MULTIPLE_CHOICE_OPTIONS - 1)]
    rng.shuffle(options)
    lettered = "".join(f"\n{letter}. {name}" for letter, name in zip("ABCD", options, strict=True))
    return f"What sound is this? Choose one of these:{lettered}\nAnswer with the letter."


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How a classifier learns from head vectors; the defaults are the released CALM values with leave-one-out reliability.

    tau: temperature of the per-head class posteriors, > 0.
    tau_w: temperature of the weights over heads, > 0; smaller trusts the best heads more.
    scheme: how one clip's posterior is scored for reliability (`algorithm.reliability_values`).
    reliability: which clips judge the heads.
    top_k: keep only this many heads per class, or None for all.
    shrinkage: alpha >= 0, pulls a class's reliability towards its mean over heads, the more the fewer clips it has.
    pooling: how heads' posteriors become a score: "linear" (paper) sums w p, "log" sums w log p (a product of experts).
    centre: subtract the mean of all support vectors from every vector first, head by head.
    whiten: None (paper), or 0 < whiten <= 1: first bring vectors to unit length, centre them, and divide out how they vary within the
    classes (pooled covariance of all heads together, shrunk by this share towards the same in all directions; 1 divides nothing out).
    trust: 1 (paper) votes with the learned weights, 0 with equal ones, between with their mixture.
    auto: choose all but shrinkage and source of reliability by the likelihood of left-out support clips (`selection.choose`);
    a fitted model's options hold what was chosen.
    """

    tau: float = 0.07
    tau_w: float = 1.0
    scheme: Scheme = "margin_clamped"
    reliability: ReliabilitySource = "leave_one_out"
    top_k: int | None = None
    shrinkage: float = 0.0
    pooling: Pooling = "linear"
    centre: bool = False
    whiten: float | None = None
    trust: float = 1.0
    auto: bool = False

    def __post_init__(self) -> None:
        """Raises OptionError for any value outside its domain."""
        for name in ("tau", "tau_w"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise OptionError(f"{name} is {value}; it must be a finite number above 0, for example 0.07.")
        if not (math.isfinite(self.shrinkage) and self.shrinkage >= 0):
            raise OptionError(f"shrinkage is {self.shrinkage}; it must be a finite number, 0 or above.")
        if self.top_k is not None and self.top_k < 1:
            raise OptionError(f"top_k is {self.top_k}; it must be at least 1, or None to keep every head.")
        if self.whiten is not None and not 0 < self.whiten <= 1:
            raise OptionError(f"whiten is {self.whiten}; it must be above 0 and at most 1, for example 0.2, or None to leave it out.")
        if not 0 <= self.trust <= 1:
            raise OptionError(f"trust is {self.trust}; it must be between 0 (equal weights) and 1 (learned weights).")
        _require_choice("pooling", self.pooling, get_args(Pooling))
        _require_choice("scheme", self.scheme, get_args(Scheme))
        _require_choice("reliability", self.reliability, get_args(ReliabilitySource))

    @property
    def paper(self) -> Self:
        """The same with what the paper fixes: linear pooling, neither centring nor whitening, learned weights; nothing chosen."""
        return replace(self, auto=False, pooling="linear", centre=False, whiten=None, trust=1.0)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        unknown = sorted(set(values) - set(cls.__dataclass_fields__))
        if unknown:
            raise OptionError(f"unknown fit option {unknown[0]!r}; the options are {', '.join(cls.__dataclass_fields__)}.")
        return cls(**values)


@dataclass(frozen=True, slots=True)
class ExtractOptions:
    """How head vectors are read from a backbone.

    prompt: the question asked about every clip; part of the vector key and of a fitted model.
    batch_size: most windows in one forward pass; token_budget: most tokens in it, pads included, which bounds the memory that it takes
    beyond the weights (a CPU runs two side by side). Both None for what suits the device. The budget is halved when memory runs out; a
    single window is tried whatever it needs.
    video: show the pictures of clips that are videos to a backbone that sees (`backbones.Seeing`), beside their sound; part of the vector
    key and of a fitted model too.
    """

    prompt: str = NEUTRAL_PROMPT
    batch_size: int | None = None
    token_budget: int | None = None
    video: bool = False

    def __post_init__(self) -> None:
        """Raises OptionError for an empty prompt, or a batch size or token budget below 1."""
        if not self.prompt.strip():
            raise OptionError("the prompt is empty; ask a question about the sound, for example " + repr(NEUTRAL_PROMPT))
        for name in ("batch_size", "token_budget"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"{name} is {value}; it must be at least 1, or None for what suits the device.")


def _require_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise OptionError(f"{name} is {value!r}; choose one of {', '.join(allowed)}.")
