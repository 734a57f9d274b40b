"""CalmClassifier: a fitted CALM model that predicts, explains itself, and travels as one file.

Knows head vectors and class names; knows no audio and no backbone beyond the name written in its `Origin`.
A fitted object can't be unfitted: the only ways to one are `fit` and `load`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from . import algorithm, confidence, selection
from .confidence import COVERAGE, HeldOut, Progress, mean_by_group, prediction_set
from .errors import BundleError, DataError, OptionError
from .options import EACH_ITS_OWN, FitOptions
from .vectors import HeadVectors, Origin

FORMAT = "calm-classifier"
FORMAT_VERSION = 3  # 2: chance; 3: a whitening over all heads together
NOT_FINITE = "the head vectors hold NaN or infinite values; extract them again, in float32 if they were in float16."

Array = NDArray[np.float32]
Vectors = HeadVectors | NDArray | Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """One row per clip.

    labels: the class with the highest score; scores: (Q, C) reliability-weighted votes, NOT probabilities;
    probabilities: (Q, C) calibrated on held-out support clips; p_values: (Q, C) of `confidence.p_values`; both None where there were
    too few clips, with the reason in `note`.
    """

    class_names: tuple[str, ...]
    scores: Array
    probabilities: Array | None
    p_values: Array | None = None
    note: str = ""

    @property
    def indices(self) -> NDArray[np.int64]:
        return self.scores.argmax(1)

    @property
    def labels(self) -> list[str]:
        return [self.class_names[i] for i in self.indices]

    @property
    def confidence(self) -> Array | None:
        """Calibrated probability (Q,) of each predicted label; None where there were too few clips to calibrate."""
        if self.probabilities is None:
            return None
        return self.probabilities[np.arange(len(self)), self.indices]

    def sets(self, coverage: float = COVERAGE) -> list[tuple[str, ...]] | None:
        """The classes that can't be ruled out at this coverage, one tuple a clip, the likeliest first; an empty one means "none of
        these". None where there were too few clips to calibrate.
        """
        if self.p_values is None:
            return None
        return [prediction_set(self.class_names, s, p, coverage) for s, p in zip(self.scores, self.p_values, strict=True)]

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True, eq=False)
class Refit:
    """One of the fits that score left-out clips, as far as questions about its heads need it again.

    rows: those that it was fitted on; present (C',): the classes that these have; reliability (L, H, C') and judged (C',): as in
    `algorithm.Fitted`; asked (L * H, left-out rows, C'): cosines with its centroids.
    """

    rows: NDArray[np.int64]
    present: NDArray[np.int64]
    reliability: Tensor
    judged: Tensor
    asked: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class CalmClassifier:
    """A fitted model. class_names in the order of C.

    frame: what vectors are seen from first (`algorithm.Frame`); centroids (C, L, H, D) unit length; reliability, weights (L, H, C).

    judged (C,): how many clips judged each class. chance (C,): the reliability that heads reach in one case of twenty where labels
    say nothing (`confidence.chance_level`), NaN where that was not asked for. temperature: calibration, None if too few clips.
    held_out: the scores of the support clips by models fitted without them. warnings: what a user should know about this fit.
    """

    class_names: tuple[str, ...]
    frame: algorithm.Frame
    centroids: Tensor
    reliability: Tensor
    weights: Tensor
    judged: Tensor
    chance: Tensor
    options: FitOptions
    held_out: HeldOut
    temperature: float | None
    origin: Origin | None

    @classmethod
    def fit(
        cls,
        vectors: Vectors,
        labels: Sequence[str],
        *,
        options: FitOptions | None = None,
        groups: Sequence[Any] | None = None,
        holdout: tuple[Vectors, Sequence[str]] | None = None,
        class_names: Sequence[str] | None = None,
        null: bool = True,
        progress: Progress | None = None,
        keep: Callable[[Refit], None] | None = None,
    ) -> Self:
        """Learns from vectors (N, L, H, D), an array, tensor or `HeadVectors`, and one label per clip.

        groups: for plain arrays, rows with equal values (windows of one clip) are left out together. holdout: vectors and
        labels that judge the heads with FitOptions(reliability="holdout"). class_names: order of the classes, by default
        sorted. null: also measure the `chance` level of the reliability map. progress: told of each step of choosing the options and of
        each refit that scores left-out clips; whatever it raises ends the fit. keep: given each of these refits, in order. Raises
        DataError where shapes, labels or classes don't fit.
        """
        options = options or FitOptions()
        rows = as_head_vectors(vectors, groups)
        if not rows.holds(rows.shape[1]):
            raise DataError(f"these head vectors hold only the first {rows.layers} layers; extract them whole to learn from them.")
        row_labels = _labels_per_row(rows, labels, groups)
        names = tuple(class_names) if class_names is not None else tuple(sorted(set(row_labels)))
        truth = _class_indices(row_labels, names)
        if len(set(zip(rows.clip_of_row.tolist(), truth.tolist(), strict=True))) > rows.n_clips:
            raise DataError("a group holds rows of more than one class; a group is the windows of one clip, which has one label.")
        judges = _judges(holdout, rows, names, options)
        x, y, g = torch.from_numpy(rows.values), torch.from_numpy(truth), torch.from_numpy(rows.clip_of_row)
        if options.auto:
            # Chosen once, on all clips: choosing anew in every refit below would cost fifty times as much. What that flatters the
            # held-out accuracy by is measured in benchmarks/RESULTS.md.
            options = selection.choose(x, y, len(names), options, g, progress=progress)
        fitted = algorithm.fit(x, y, len(names), options, g, judges)

        def refit(fit_rows: NDArray[np.int64], test_rows: NDArray[np.int64]) -> tuple[Array, Array]:
            present, compact = np.unique(truth[fit_rows], return_inverse=True)
            part = algorithm.fit(x[fit_rows], torch.from_numpy(compact), len(present), options, g[fit_rows], _without(judges, present))
            nothing = 0.0 if options.pooling == "linear" else confidence.LEAST_LOG  # a vote for a class without a clip
            scores = np.full((len(test_rows), len(names)), nothing, dtype=np.float32)
            familiarity = np.full_like(scores, -1.0)  # the least cosine
            asked = x[test_rows]
            scores[:, present], familiarity[:, present] = (found.numpy() for found in algorithm.ask(asked, part, options))
            if keep:
                heard = torch.cat([cosines for _, cosines in algorithm.similarities(asked, part.centroids, part.frame)])
                keep(Refit(fit_rows, present, part.reliability, part.judged, heard))
            return scores, familiarity

        def judge(permuted: NDArray[np.int64]) -> Array:
            return algorithm.fit(x, torch.from_numpy(permuted), len(names), options, g, judges).reliability.numpy()

        cost = float(x.numel()) * len(names)
        held_out = confidence.held_out_scores(truth, rows.clip_of_row, len(names), refit, cost=cost, progress=progress)
        chance = np.full(len(names), np.nan, np.float32)
        if null:
            chance = confidence.chance_level(truth, rows.clip_of_row, judge, rows.shape[1] * rows.shape[2], cost=cost)
        return cls(
            class_names=names,
            frame=fitted.frame,
            centroids=fitted.centroids,
            reliability=fitted.reliability,
            weights=fitted.weights,
            judged=fitted.judged,
            chance=torch.from_numpy(chance),
            options=options,
            held_out=held_out,
            temperature=confidence.fit_temperature(held_out, options.pooling),
            origin=rows.origin,
        )

    @property
    def layers(self) -> int:
        """How many layers, from the first, a clip to predict must be read in: up to the last with a head that has a vote; all of them
        where vectors are whitened, for a whitening is one of all heads together.
        """
        if self.frame.whitener is not None:
            return len(self.weights)
        return int(self.weights.any(-1).any(-1).nonzero().max()) + 1

    @property
    def prompt(self) -> str:
        """The question that was asked about the support clips, and so is about every new one. Raises BundleError where there is none."""
        if self.origin is None:
            raise BundleError(
                "this classifier was fitted on vectors of unknown origin, so it can't be asked about audio; learn it from clips."
            )
        if self.origin.prompt == EACH_ITS_OWN:
            raise BundleError(
                "this classifier was fitted on clips that were each asked a question of its own, as multiple choice does; a new clip has "
                "none; learn it again with one question for all."
            )
        return self.origin.prompt

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know before trusting the model."""
        found = [
            f"no second clip of class {name!r} could judge its heads, so all of them count the same; add clips of it."
            for name, judged in zip(self.class_names, self.judged.tolist(), strict=True)
            if judged == 0
        ]
        if self.options.reliability == "resubstitution":
            found.append("the clips judged the heads that learned from them, which flatters every head; prefer leave-one-out.")
        if self.temperature is None:
            found.append(self.calibration_note)
        return tuple(found)

    @property
    def above_chance(self) -> NDArray[np.bool_]:
        """Which cells (L, H, C) of the reliability map are above `chance`; the others could be luck. None is where it wasn't measured."""
        return (self.reliability > self.chance).numpy()

    @property
    def suspicious(self) -> tuple[confidence.Suspicion, ...]:
        """Support clips, by number, whose label the others contradict."""
        return confidence.suspicious(self.held_out, self.temperature, self.options.pooling)

    @property
    def calibration_note(self) -> str:
        """Why there is no calibrated confidence; empty where there is one."""
        if self.temperature is not None:
            return ""
        valid, least = int(self.held_out.valid.sum()), confidence.MIN_CALIBRATION_CLIPS
        return f"only {valid} clips can be tested on a model that has not seen them; confidence needs at least {least}, add clips."

    def predict(self, vectors: Vectors, *, groups: Sequence[Any] | None = None) -> Prediction:
        """Scores every clip; a clip of several windows (HeadVectors or groups) gets the mean of its windows' scores.

        With groups, rows come out in the order in which each group first appears. Raises BundleError where the vectors
        were made with another backbone or prompt, DataError for other head shapes.
        """
        rows = self._checked(vectors, groups)
        votes, near = algorithm.ask(torch.from_numpy(rows.values), self._fitted, self.options)
        if not torch.isfinite(votes).all():  # looked for here, for the scores are far fewer than the vectors
            raise DataError(NOT_FINITE)
        scores, familiarity = mean_by_group(votes.numpy(), rows.clip_of_row), mean_by_group(near.numpy(), rows.clip_of_row)
        pooling = self.options.pooling
        probabilities = None if self.temperature is None else confidence.probabilities(scores, self.temperature, pooling)
        p_values = confidence.p_values(scores, familiarity, self.held_out, pooling)
        return Prediction(self.class_names, scores, probabilities, p_values, self.calibration_note)

    def explain(self, vectors: Vectors, *, groups: Sequence[Any] | None = None) -> Array:
        """Contribution of every head to every class's score, (Q, L, H, C); summed over L and H it is `predict().scores`."""
        rows = self._checked(vectors, groups)
        per_row = algorithm.contributions(torch.from_numpy(rows.values), self._fitted, self.options).numpy()
        return mean_by_group(per_row, rows.clip_of_row)

    def save(self, path: str | Path) -> None:
        """Writes one safetensors file whose JSON header holds names, options, origin and a checksum.

        Raises BundleError where the file can't be written.
        """
        header: dict[str, Any] = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "class_names": list(self.class_names),
            "options": self.options.to_dict(),
            "temperature": self.temperature,
            "folds": self.held_out.folds,
            "origin": asdict(self.origin) if self.origin else None,
        }
        tensors = {
            "centre": self.frame.centre,
            "centroids": self.centroids,
            "reliability": self.reliability,
            "weights": self.weights,
            "judged": self.judged,
            "chance": self.chance,
            "held_out_truth": torch.from_numpy(self.held_out.truth),
            "held_out_scores": torch.from_numpy(self.held_out.scores),
            "held_out_familiarity": torch.from_numpy(self.held_out.familiarity),
        }
        if self.frame.whitener is not None:
            tensors["whitener"] = self.frame.whitener
        tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
        header["sha256"] = _checksum(header, tensors)
        try:
            save_file(tensors, Path(path), metadata={FORMAT: json.dumps(header)})
        except (OSError, SafetensorError) as error:
            raise BundleError(f"can't write the classifier to {path} ({error}); choose a folder that exists and may be written.") from error

    @classmethod
    def load(cls, path: str | Path, *, origin: Origin | None = None) -> Self:
        """Reads what `save` wrote. origin: what the caller's vectors are made with; a model of another origin is refused.

        Raises BundleError for a file that is missing, truncated, foreign, edited, of another format version or origin.
        """
        path = Path(path)
        header, tensors = _read_bundle(path)
        if header.get("format_version") != FORMAT_VERSION:
            raise BundleError(
                f"{path.name} has the format version {header.get('format_version')}, this program reads {FORMAT_VERSION}; "
                "fit it again or use the CALM Studio version that wrote it."
            )
        if header.pop("sha256", None) != _checksum(header, tensors):
            raise BundleError(f"{path.name} was changed after it was saved (checksum differs); save it again from the original project.")
        try:
            model = cls(
                class_names=tuple(header["class_names"]),
                frame=algorithm.Frame(tensors["centre"], tensors["whitener"] if header["options"]["whiten"] is not None else None),
                centroids=tensors["centroids"],
                reliability=tensors["reliability"],
                weights=tensors["weights"],
                judged=tensors["judged"],
                chance=tensors["chance"],
                options=FitOptions.from_dict(header["options"]),
                held_out=HeldOut(
                    tensors["held_out_truth"].numpy(),
                    tensors["held_out_scores"].numpy(),
                    tensors["held_out_familiarity"].numpy(),
                    header["folds"],
                ),
                temperature=header["temperature"],
                origin=Origin(**header["origin"]) if header["origin"] else None,
            )
        except (KeyError, TypeError, OptionError) as error:
            raise BundleError(f"{path.name} is a CALM classifier with a missing or unknown part ({error}); save it again.") from error
        model._require_whole(path.name)
        if origin is not None:
            model.require_origin(origin)
        return model

    def _require_whole(self, name: str) -> None:
        """Raises BundleError where the parts of a file that says it is whole don't fit each other."""
        C, L, H, D = len(self.class_names), *self.centroids.shape[-3:]
        expected = {"centroids": (C, L, H, D), "reliability": (L, H, C), "weights": (L, H, C)}
        expected |= {"judged": (C,), "chance": (C,)}
        wrong = [part for part, shape in expected.items() if tuple(getattr(self, part).shape) != shape]
        wrong += [
            f"held-out {part}" for part in ("scores", "familiarity") if getattr(self.held_out, part).shape != (len(self.held_out.truth), C)
        ]
        if wrong:
            raise BundleError(f"{name} holds {wrong[0]} of another shape than its classes; save it again.")

    def require_origin(self, origin: Origin) -> None:
        """Raises BundleError where vectors of that origin don't belong to this model."""
        if self.origin is not None and (differ := self.origin.differences(origin)):
            raise BundleError(
                f"this classifier doesn't fit these clips' head vectors (classifier / clips): {'; '.join(differ)}. "
                "Choose the classifier's backbone and prompt, or learn again with the present ones."
            )

    @property
    def _fitted(self) -> algorithm.Fitted:
        return algorithm.Fitted(self.frame, self.centroids, self.reliability, self.weights, self.judged)

    def _checked(self, vectors: Vectors, groups: Sequence[Any] | None) -> HeadVectors:
        rows = as_head_vectors(vectors, groups)
        if rows.origin is not None:
            self.require_origin(rows.origin)
        if rows.shape[1:] != tuple(self.centroids.shape[1:]):
            raise DataError(
                f"the vectors have (layers, heads, head_dim) {rows.shape[1:]}, the classifier {tuple(self.centroids.shape[1:])}; "
                "extract them with the backbone that the classifier was fitted with."
            )
        if not rows.holds(self.layers):
            raise DataError(
                f"these head vectors hold only the first {rows.layers} layers, the classifier asks heads up to layer {self.layers}; "
                "extract them with at least as many."
            )
        return rows


def as_head_vectors(vectors: Vectors, groups: Sequence[Any] | None) -> HeadVectors:
    """Any accepted form of vectors as HeadVectors, without a copy where that can be; groups are numbered as they first appear."""
    if isinstance(vectors, HeadVectors):
        if groups is not None:
            raise DataError("these vectors already know their clips; leave out groups, or pass np.asarray(vectors) with your own.")
        return vectors
    if isinstance(vectors, Tensor):
        vectors = vectors.detach().cpu()
        vectors = (vectors.float() if vectors.dtype == torch.bfloat16 else vectors).numpy()  # NumPy has no bfloat16
    array = np.asarray(vectors)
    if array.dtype not in (np.float16, np.float32):
        array = array.astype(np.float32)
    if groups is None:
        return HeadVectors(array, np.arange(len(array)))
    number = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    return HeadVectors(array, np.array([number[group] for group in groups], dtype=np.int64))


def _judges(
    holdout: tuple[Vectors, Sequence[str]] | None, support: HeadVectors, names: tuple[str, ...], options: FitOptions
) -> tuple[Tensor, Tensor] | None:
    """Held-out vectors and class indices, checked against the support clips and the options; None where there are none."""
    if holdout is None:
        return None
    if options.reliability != "holdout":
        raise DataError(f"held-out clips were given, but reliability is {options.reliability!r}; choose 'holdout' or leave them out.")
    held = as_head_vectors(holdout[0], None)
    if held.shape[1:] != support.shape[1:]:
        raise DataError(f"held-out vectors have heads {held.shape[1:]}, support vectors {support.shape[1:]}; use one backbone for both.")
    if held.origin and support.origin and (differ := support.origin.differences(held.origin)):
        raise DataError(f"support and held-out vectors (support / held out) differ in {'; '.join(differ)}; extract both alike.")
    if not np.isfinite(held.values).all():
        raise DataError(NOT_FINITE)
    return torch.from_numpy(held.values), torch.from_numpy(_class_indices(_labels_per_row(held, holdout[1], None), names))


def _labels_per_row(rows: HeadVectors, labels: Sequence[str], groups: Sequence[Any] | None) -> list[str]:
    """Labels given per clip (HeadVectors) or per row (arrays with groups) as one per row."""
    needed = len(rows.values) if groups is not None else rows.n_clips
    if len(labels) != needed:
        raise DataError(f"{len(labels)} labels for {needed} {'rows' if groups is not None else 'clips'}; give exactly one for each.")
    names = [str(label) for label in labels]
    return names if groups is not None else [names[clip] for clip in rows.clip_of_row]


def _class_indices(labels: Sequence[str], names: tuple[str, ...]) -> NDArray[np.int64]:
    position = {name: i for i, name in enumerate(names)}
    if unknown := sorted(set(labels) - set(position)):
        raise DataError(f"the label {unknown[0]!r} is none of the classes {', '.join(names)}; add it to them or mend the label.")
    return np.array([position[label] for label in labels], dtype=np.int64)


def _without(judges: tuple[Tensor, Tensor] | None, present: NDArray[np.int64]) -> tuple[Tensor, Tensor] | None:
    """The held-out judges of the present classes only, with their class indices made compact."""
    if judges is None:
        return None
    vectors, labels = judges
    keep = torch.isin(labels, torch.from_numpy(present))
    return vectors[keep], torch.searchsorted(torch.from_numpy(present), labels[keep])


def _read_bundle(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError as error:
        raise BundleError(f"there is no file {path}; give the path of a saved CALM classifier.") from error
    except (SafetensorError, OSError) as error:
        raise BundleError(f"{path.name} is not a whole safetensors file ({error}); download or save the classifier again.") from error
    if FORMAT not in metadata:
        raise BundleError(f"{path.name} is a safetensors file but not a CALM classifier; choose a file that CALM Studio saved.")
    try:
        header = json.loads(metadata[FORMAT])
    except json.JSONDecodeError as error:
        raise BundleError(f"the header of {path.name} is damaged ({error}); save the classifier again.") from error
    if not isinstance(header, dict):
        raise BundleError(f"the header of {path.name} is damaged (not a table); save the classifier again.")
    return header, tensors


def _checksum(header: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        array = tensors[name].numpy()
        digest.update(f"{name}{array.dtype}{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()
