"""The use-cases that page, command line and notebooks share: collect clips, learn, predict, evaluate.

Everything that a person can do goes through here, so that the page and the command line can't drift apart. Holds loaded
backbones and the vector store; holds nobody's clips: those travel in `Workspace`, what was learned in `Learned`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import repeat
from pathlib import Path

import librosa
import numpy as np
from numpy.typing import NDArray

from . import audio, baselines, confidence, evaluation
from .backbones import (
    DEFAULT_BACKBONE,
    Answering,
    Attending,
    Backbone,
    backbone_row,
    free_memory,
    load_backbone,
    needed_gb,
    resolve_device,
    weights_gb,
)
from .classifier import CalmClassifier, Refit
from .confidence import Proportion
from .dataset import Clip, ClipCheck, Dataset, preflight
from .errors import BackboneError, Cancelled, DataError
from .evaluation import Evaluation, LadderFeatures, MethodResult
from .extraction import Cancel, ClipSource, Progress, extract, origin_of, saw
from .inspection import Workbench
from .options import MULTIPLE_CHOICE_MARK, ExtractOptions, FitOptions, multiple_choice_prompt
from .reasons import listening
from .vectors import HeadVectors, VectorStore
from .workspace import Workspace

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
Index = NDArray[np.int64]

SPECTROGRAM_RATE_HZ = 16_000
SPECTROGRAM_BANDS = 64
SPECTROGRAM_RANGE_DB = 80.0
TELLING_WIDTH = 0.5  # an accuracy's 95 % interval wider than this says next to nothing: the class could be heard well or badly
NAMED_AT_MOST = 3  # classes in one sentence


@dataclass(frozen=True, slots=True)
class Doubt:
    """A clip whose label the other clips contradict: the label it was given, what it sounds like to them, and how probable the given
    label is by a classifier that never heard the clip."""

    clip: Clip
    given: str
    predicted: str
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What learning gave: the classifier, the ladder on the same clips, and the clips it was learned from.

    asked: the options before any was chosen on the clips; bench answers what one head knows and what if heads were off. It is None, and
    the ladder empty, for a classifier that was loaded from a file: it travels without the support vectors. The ladder is empty too
    until `Studio.compare` has climbed it.
    """

    model: CalmClassifier
    ladder: tuple[MethodResult, ...] = ()
    clips: tuple[Clip, ...] = ()
    seconds: float = 0.0
    bench: Workbench | None = None
    asked: FitOptions = field(default_factory=FitOptions)

    @property
    def accuracy(self) -> Proportion:
        """Held-out accuracy over all support clips."""
        return confidence.accuracy(self.model.held_out)

    @property
    def class_accuracy(self) -> dict[str, Proportion]:
        return {name: confidence.accuracy(self.model.held_out, i) for i, name in enumerate(self.model.class_names)}

    @property
    def confusion(self) -> Index:
        """Held-out confusion counts (C, C), truth in rows."""
        return evaluation.confusion(self.model.held_out, len(self.model.class_names))

    @property
    def calibration(self) -> confidence.Calibration | None:
        """How sure it was of clips it had not heard, beside how often it was right; None where its confidence isn't calibrated."""
        model, held_out = self.model, self.model.held_out
        if model.temperature is None:
            return None
        found = confidence.probabilities(held_out.scores[held_out.valid], model.temperature, model.options.pooling)
        return confidence.calibration(found.max(1), held_out.correct)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Labels that deserve another look, the least probable first; none for a classifier from a file, whose clips aren't here."""
        if not self.clips:
            return ()
        names = self.model.class_names
        return tuple(Doubt(self.clips[s.clip], names[s.given], names[s.predicted], s.probability) for s in self.model.suspicious)

    @property
    def advice(self) -> tuple[str, ...]:
        """Where the numbers say next to nothing, and which class to record more of; a class without a test is the model's own warning."""
        tested = {name: found for name, found in self.class_accuracy.items() if found.n}
        width = {name: found.interval[1] - found.interval[0] for name, found in tested.items()}
        vague = sorted((name for name in tested if width[name] > TELLING_WIDTH), key=lambda name: -width[name])
        if not vague:
            return ()
        said = [f"‘{name}’ ({_wide(tested[name])})" for name in vague[:NAMED_AT_MOST]]
        if others := len(vague) - len(said):
            said.append(f"{others} more class{'es' * (others > 1)}")
        untested = [name for name in self.class_accuracy if name not in tested]
        which = "this class is" if len(vague) == 1 else "these are"
        return (
            f"Too few clips to tell how well {which} recognised: {', '.join(said)}. "
            f"Record more of ‘{[*untested, *vague][0]}’ first; with ten clips of a class its number begins to mean something.",
        )


@dataclass(frozen=True, slots=True, eq=False)
class ClipPrediction:
    """One clip's answer, or the reason why there is none (`error`).

    scores (C,) weighted votes of the heads, 0 to 1, as geometric means where the model pools logarithms; probabilities (C,)
    calibrated or None; prediction_set: the classes that can't be ruled out at confidence.COVERAGE, the likeliest first, an empty one
    for none of the classes, None where too few clips allow no calibration (why: `note`); heads, model: what it was asked with and by
    whom, from which its reasons are computed when asked for.
    """

    name: str
    path: Path
    error: str = ""
    label: str = ""
    confidence: float | None = None
    scores: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    probabilities: Array | None = None
    prediction_set: tuple[str, ...] | None = None
    note: str = ""
    heads: HeadVectors | None = None
    model: CalmClassifier | None = None

    @property
    def contributions(self) -> Array:
        """Every head's part of the model's score for each class, (L, H, C); for thousands of clips too much to keep."""
        if self.heads is None or self.model is None:
            raise DataError(f"clip {self.name!r} was not predicted, so there are no reasons. {self.error}")
        return self.model.explain(self.heads)[0]

    @property
    def evidence(self) -> Array:
        """What every head said for (above 0) or against (below) each class, (L, H, C): its contribution less its mean over classes."""
        parts = self.contributions
        return parts - parts.mean(-1, keepdims=True)


@dataclass(frozen=True, slots=True, eq=False)
class Listening:
    """Where a clip's answer came from: when each audio token begins (T,) in s, its share (T,) of the heads' attention to the sound, which
    sums to 1, and the clip's length in s.
    """

    begins_s: NDArray[np.float64]
    share: Array
    seconds: float

    def densest(self, seconds: float) -> tuple[float, float, float]:
        """The stretch of this length with the largest share: its begin, its end, its share."""
        seconds = min(seconds, self.seconds)
        inside = [self.share[(self.begins_s >= b) & (self.begins_s < b + seconds)].sum() for b in self.begins_s]
        fits = self.begins_s + seconds <= self.seconds + 0.05
        best = int(np.where(fits, inside, -1.0).argmax())
        begin = float(self.begins_s[best])
        return begin, min(begin + seconds, self.seconds), float(inside[best])


@dataclass(frozen=True, slots=True, eq=False)
class Spectrogram:
    """Log-mel picture of a clip: decibels (bands, frames) below its loudest cell, band centres in Hz, length in seconds."""

    decibels: Array
    frequencies_hz: NDArray[np.float64]
    seconds: float


class Studio:
    """The use-cases over one vector store and the backbones loaded so far; safe to share between threads."""

    def __init__(self, store: VectorStore | None = None) -> None:
        self.store = store or VectorStore()
        self._backbones: dict[tuple[str, str], Backbone] = {}
        self._loading = threading.Lock()

    def backbone(self, id: str = DEFAULT_BACKBONE, device: str = "auto") -> Backbone:
        """A backbone, loaded on first use and kept: embedded ones for good, of the model hub's one on each device, the latest.

        One is released when the next is about to be loaded, past all cheaper reasons to refuse that. A job that still runs on it keeps
        it until it ends; its memory is free after that.
        """
        key = (id, resolve_device(device))
        with self._loading:
            if key not in self._backbones:
                self._backbones[key] = load_backbone(*key, make_room=partial(self._release, *key))
            return self._backbones[key]

    def _release(self, wanted: str, device: str) -> None:
        """Makes room for a backbone of the model hub on its device."""
        need = needed_gb(backbone_row(wanted), device)
        told = f"{wanted!r}, which needs about {need:g} GB" if need else repr(wanted)
        for old in [key for key in self._backbones if key[1] == device and backbone_row(key[0]).repo is not None]:
            held = weights_gb(self._backbones.pop(old))
            free_memory(device)
            log.info("released backbone %r, %.2f GB of %s's memory, for %s", old[0], held, device, told)

    def add(self, workspace: Workspace, dataset: Dataset, *, progress: Progress | None = None) -> Workspace:
        """The workspace with a data set's clips added and everything judged again: a new clip may repeat an old one."""
        clips = [check.clip for check in workspace.checks] + list(dataset.clips)
        return Workspace(preflight(clips, known=workspace.checks, progress=progress), (*workspace.ignored, *dataset.ignored))

    def vectors(
        self,
        clips: Sequence[Clip],
        backbone: Backbone,
        options: ExtractOptions,
        *,
        prompts: Sequence[str] | None = None,
        layers: int | None = None,
        progress: Progress | None = None,
        cancelled: Cancel | None = None,
    ) -> HeadVectors:
        """Head vectors of clips, from the store where they are known.

        prompts: one for each clip, None asks all the options'; layers: see `extraction.extract`.
        """
        sources = [
            ClipSource(clip.path, clip.name, f"class {clip.label}" if clip.label else clip.name, prompt)
            for clip, prompt in zip(clips, prompts or repeat(None, len(clips)), strict=True)
        ]
        return extract(sources, backbone, options, store=self.store, progress=progress, cancelled=cancelled, layers=layers)

    def learn(
        self,
        workspace: Workspace,
        backbone: Backbone,
        *,
        options: FitOptions | None = None,
        extract_options: ExtractOptions | None = None,
        ladder: bool = True,
        progress: Progress | None = None,
        cancelled: Cancel | None = None,
    ) -> Learned:
        """Learns from the usable clips of a workspace; ladder: also `compare` with the other methods.

        Raises DataError where fewer than two classes have a usable clip, Cancelled where `cancelled()` turned true.
        """
        if not workspace.can_learn:
            raise DataError(
                workspace.advice[0] if workspace.advice else "There are no clips to learn from: add some of at least two classes."
            )
        start = time.monotonic()
        clips = tuple(check.clip for check in workspace.usable)
        extracting = extract_options or ExtractOptions()
        heads = self.vectors(clips, backbone, extracting, progress=progress, cancelled=cancelled)

        def watch(done: int, total: int, what: str) -> None:
            if cancelled and cancelled():
                raise Cancelled("stopped while learning; the head vectors are kept.")
            if progress:
                progress(done, total, what)

        refits: list[Refit] = []
        model = CalmClassifier.fit(heads, workspace.labels, options=options, progress=watch, keep=refits.append)
        bench = Workbench(model, heads, workspace.labels, refits)
        learned = Learned(model, (), clips, time.monotonic() - start, bench, options or FitOptions())
        if not ladder:
            return learned
        return replace(learned, ladder=self.compare(learned, backbone, progress=progress, cancelled=cancelled))

    def compare(
        self, learned: Learned, backbone: Backbone, *, progress: Progress | None = None, cancelled: Cancel | None = None
    ) -> tuple[MethodResult, ...]:
        """Every other method's held-out accuracy on the clips that were learned from, beside the classifier's own.

        Takes longer than learning itself. Raises DataError for a classifier that is here without its clips, AudioError where one of
        these is gone, Cancelled where `cancelled()` turned true.
        """
        if learned.bench is None:
            raise DataError("this classifier is here without the clips it was learned from, so no other method can be tried on them.")
        labels = [str(clip.label) for clip in learned.clips]
        asking = ExtractOptions(prompt=learned.model.prompt, video=saw(learned.model.origin))
        features = self._ladder_features(learned.clips, learned.bench.heads, backbone, asking, cancelled)
        chosen = learned.model.options if learned.asked.auto else None
        return evaluation.held_out_ladder(features, labels, learned.asked, chosen=chosen, progress=progress, cancelled=cancelled)

    def predict(
        self,
        model: CalmClassifier,
        clips: Sequence[Clip],
        backbone: Backbone,
        *,
        prompt: str | None = None,
        progress: Progress | None = None,
        cancelled: Cancel | None = None,
    ) -> tuple[ClipPrediction, ...]:
        """One row per clip, in order. A clip that can't be used is a row with its reason; the others are predicted.

        The backbone is left behind the last layer in which a head has a vote, so a sparse model answers sooner.
        prompt: None asks the one the model was fitted with; videos are seen where the model's were. Raises BundleError where the model
        belongs to another backbone or prompt.
        """
        own = model.prompt
        options = ExtractOptions(prompt=own if prompt is None else prompt, video=saw(model.origin))
        model.require_origin(origin_of(backbone, options.prompt, options.video))
        checks = preflight(clips)
        errors = {i: check.reason for i, check in enumerate(checks) if check.content_id is None}
        good = [i for i in range(len(clips)) if i not in errors]
        rows = [ClipPrediction(clip.name, clip.path, errors.get(i, "")) for i, clip in enumerate(clips)]
        if not good:
            return tuple(rows)
        asked = [clips[i] for i in good]
        heads = self.vectors(asked, backbone, options, layers=model.layers, progress=progress, cancelled=cancelled)
        found = model.predict(heads)
        labels, sure, sets = found.labels, found.confidence, found.sets()
        votes = np.exp(found.scores) if model.options.pooling == "log" else found.scores
        for q, i in enumerate(good):
            rows[i] = replace(
                rows[i],
                label=labels[q],
                confidence=None if sure is None else float(sure[q]),
                scores=votes[q],
                probabilities=None if found.probabilities is None else found.probabilities[q],
                prediction_set=None if sets is None else sets[q],
                note=found.note,
                heads=heads.clip(q),
                model=model,
            )
        return tuple(rows)

    def listening(self, row: ClipPrediction, backbone: Backbone) -> Listening:
        """Where in a predicted clip the heads that count for its answer looked.

        Raises BackboneError where the backbone can't say, DataError for a clip without an answer, BundleError for another backbone
        than the one it was predicted with.
        """
        if row.model is None or row.error:
            raise DataError(f"clip {row.name!r} was not predicted, so there is nothing to show. {row.error}")
        if not isinstance(backbone, Attending):
            raise BackboneError(f"the backbone {backbone.id!r} can't say where it looks; choose another one and predict again.")
        row.model.require_origin(origin_of(backbone, row.model.prompt))
        samples = audio.load(row.path, backbone.sample_rate_hz, name=row.name).samples
        windows = audio.windows(samples, backbone.sample_rate_hz, backbone.window_s)
        seen = [backbone.attention([window], row.model.prompt)[0] for window in windows]
        weights = row.model.weights[:, :, row.model.class_names.index(row.label)].numpy()
        starts = np.cumsum([0.0, *(len(window) / backbone.sample_rate_hz for window in windows)])
        step_s = backbone.audio_token_s
        begins = np.concatenate([at + step_s * np.arange(each.shape[-1]) for at, each in zip(starts[:-1], seen, strict=True)])
        return Listening(begins, listening(np.concatenate(seen, axis=-1), weights), float(starts[-1]))

    def evaluate(
        self,
        dataset: Dataset,
        backbone: Backbone,
        *,
        shots: Sequence[int],
        episodes: int,
        seed: int = 0,
        by_folds: bool = False,
        multiple_choice: bool = False,
        options: FitOptions | None = None,
        extract_options: ExtractOptions | None = None,
        progress: Progress | None = None,
        cancelled: Cancel | None = None,
    ) -> tuple[Evaluation, tuple[ClipCheck, ...]]:
        """Episodes over a labelled data set (`evaluation.evaluate_episodes`), and the clips that were left out as unusable.

        multiple_choice: ask about every clip with four options of which one is its class; the protocol says so, and the rung of answers
        in words, which would have four classes to choose from where the others have all, is left out.
        Raises DataError where by_folds is asked for and a clip has no fold, OptionError for multiple choice among fewer than four classes.
        """
        checks = preflight(dataset.clips)
        usable = [check for check in checks if check.usable]
        clips = [check.clip for check in usable]
        if not clips:
            raise DataError(f"none of the {len(checks)} clips can be used; the first: {checks[0].reason}")
        folds = [clip.fold for clip in clips if clip.fold is not None] if by_folds else None
        if folds is not None and len(folds) < len(clips):
            missing = next(clip.name for clip in clips if clip.fold is None)
            raise DataError(f"clip {missing!r} has no fold; add a column 'fold' to metadata.csv, or leave --folds out.")
        prompts = _multiple_choice(usable) if multiple_choice else None
        extracting = extract_options or ExtractOptions()
        heads = self.vectors(clips, backbone, extracting, prompts=prompts, progress=progress, cancelled=cancelled)
        found = evaluation.evaluate_episodes(
            self._ladder_features(clips, heads, backbone, None if multiple_choice else extracting, cancelled),
            [str(clip.label) for clip in clips],
            shots=shots,
            episodes=episodes,
            seed=seed,
            folds=folds,
            options=options,
            progress=progress,
            cancelled=cancelled,
        )
        if multiple_choice:
            found = replace(found, protocol=f"{found.protocol}; {MULTIPLE_CHOICE_MARK}")
        return found, tuple(check for check in checks if not check.usable)

    def _ladder_features(
        self, clips: Sequence[Clip], heads: HeadVectors, backbone: Backbone, asking: ExtractOptions | None, cancelled: Cancel | None
    ) -> LadderFeatures:
        """What the other rungs read of the same windows that the head vectors belong to; asking None: no answers in words."""
        names = sorted({str(clip.label) for clip in clips})
        mfcc, answers = [], []
        for clip in clips:
            if cancelled and cancelled():
                raise Cancelled("stopped before the methods were compared; the clips' head vectors are kept.")
            samples = audio.load(clip.path, backbone.sample_rate_hz, name=clip.name).samples
            windows = audio.windows(samples, backbone.sample_rate_hz, backbone.window_s)
            mfcc += [baselines.mfcc_statistics(window, backbone.sample_rate_hz) for window in windows]
            if asking is not None and isinstance(backbone, Answering):
                asked = [name.replace("_", " ") for name in names]  # folder names, as a model would say them
                answers.append(backbone.answer_likelihoods(windows, asking.prompt, asked)[:, None, None])
        return LadderFeatures(heads, np.stack(mfcc), np.concatenate(answers) if answers else None)


def _multiple_choice(checks: Sequence[ClipCheck]) -> list[str]:
    """The multiple-choice prompt of each usable clip; the same sound among the same classes always gets the same one."""
    names = sorted({str(check.clip.label) for check in checks})
    return [multiple_choice_prompt(str(check.clip.label), names, int(str(check.content_id)[:8], 16)) for check in checks]


def _wide(found: Proportion) -> str:
    low, high = found.interval
    return f"{found.hits} of {found.n} right, which fits anything from {100 * low:.0f} % to {100 * high:.0f} %"


def spectrogram(path: Path) -> Spectrogram:
    """The log-mel picture of a file, for people to look at. Raises AudioError where the clip can't be used."""
    samples = audio.load(path, SPECTROGRAM_RATE_HZ).samples
    power = librosa.feature.melspectrogram(y=samples, sr=SPECTROGRAM_RATE_HZ, n_mels=SPECTROGRAM_BANDS, n_fft=1024, hop_length=160)
    decibels = librosa.power_to_db(power, ref=np.max, top_db=SPECTROGRAM_RANGE_DB)
    centres = librosa.mel_frequencies(SPECTROGRAM_BANDS, fmax=SPECTROGRAM_RATE_HZ / 2)
    return Spectrogram(decibels.astype(np.float32), centres, len(samples) / SPECTROGRAM_RATE_HZ)
