"""Zero-shot pseudo-labels: the backbone is asked in words what it hears, several times, and the class that most answers name wins.

The answers are drawn from the model's distribution, so that their agreement says how sure it is. An answer that is empty, or names no
class, counts against the majority, as in the CALM paper. Agreement is not calibrated: a model may be wrong every time.

Knows sounds, class names and a backbone that answers; knows no head vectors and no project.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from . import audio
from .backbones import Answering
from .dataset import Clip
from .errors import BackboneError
from .options import listed_prompt

SAMPLES = 8  # answers for each window of a clip; the paper's number


@dataclass(frozen=True, slots=True)
class Vote:
    """The class that most answers name, "" where none is ahead, and the share of all answers that name it, 0 to 1."""

    label: str
    share: float


def named(answer: str, class_names: Sequence[str]) -> str:
    """The class that an answer names, "" for none: the one named first; of those that begin together ('dog', 'dog bark') the longest."""
    said = f" {_plain(answer)} "
    places = {name: said.find(f" {_plain(name)} ") for name in class_names if _plain(name)}
    found = [name for name, place in places.items() if place >= 0]
    return min(found, key=lambda name: (places[name], -len(name)), default="")


def majority(answers: Sequence[str], class_names: Sequence[str]) -> Vote:
    """The vote of answers. Two classes that are named equally often are no majority."""
    ranked = Counter(filter(None, (named(answer, class_names) for answer in answers))).most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return Vote("", 0.0)
    return Vote(ranked[0][0], ranked[0][1] / len(answers))


def vote(clip: Clip, backbone: Answering, class_names: Sequence[str]) -> Vote:
    """What a backbone says about one clip, all its windows together, when it is asked which of the classes it is; the same every time.

    Clips go one by one, for SAMPLES copies of one fill a batch. Raises OptionError for fewer than two classes, AudioError where the clip
    can't be used, BackboneError where it doesn't fit the device.
    """
    prompt = listed_prompt([_spoken(name) for name in class_names])
    samples = audio.load(clip.path, backbone.sample_rate_hz, name=clip.name).samples
    windows = audio.windows(samples, backbone.sample_rate_hz, backbone.window_s)
    try:
        answers = [answer for window in windows for answer in backbone.sample_answers([window], prompt, SAMPLES)[0]]
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise BackboneError(
            f"{SAMPLES} answers about clip {clip.name!r} don't fit the memory of {backbone.device}; choose a smaller backbone."
        ) from error
    return majority(answers, class_names)


def _spoken(name: str) -> str:
    """A class name as a model would say it: folder names have underscores."""
    return " ".join(re.sub(r"[_-]", " ", name).split())


def _plain(text: str) -> str:
    """Words alone, in small letters."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))
