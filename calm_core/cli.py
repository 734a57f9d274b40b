"""The command line: argparse -> studio -> text or one JSON object. Wiring only.

Results go to stdout, progress and remarks to stderr. Exit codes: 0 done, 1 a CalmError (one clear line), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from . import __version__, export, importing, labelling, readers, report
from .active import DEFAULT_ORDER, ORDERS
from .backbones import DEFAULT_BACKBONE, HUB_PREFIX, backbone_row, offered
from .classifier import CalmClassifier
from .confidence import COVERAGE, Proportion
from .dataset import ClipCheck
from .doctor import examine
from .errors import BackboneError, BundleError, CalmError, DataError, OptionError, ProjectError
from .library.project import Project
from .library.records import Entry, Judgement, Snapshot, count_clips, newly_judged
from .library.shelf import projects_home
from .library.storage import holds_project
from .options import NEUTRAL_PROMPT, ExtractOptions, FitOptions, Pooling, ReliabilitySource, Scheme, listed_prompt
from .studio import ClipPrediction, Doubt, Learned, Studio
from .timeline import CONFIDENCE, WINDOW_S, timeline
from .trust import TrustResult
from .workspace import Workspace


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        result, text = arguments.run(arguments)
    except CalmError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; what was finished is kept.", file=sys.stderr)
        return 1
    print(json.dumps(_json_safe(result), allow_nan=False) if arguments.json else text)
    return 0


def build_parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--backbone",
        type=_backbone_id,
        metavar="ID",
        help=f"default {DEFAULT_BACKBONE}; see 'backbones'; {HUB_PREFIX}OWNER/NAME takes another audio-language model of the hub",
    )
    common.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps")
    common.add_argument("--prompt", help=f"the question asked about every clip; default {NEUTRAL_PROMPT!r}")
    common.add_argument("--json", action="store_true", help="one JSON object on stdout")
    method = argparse.ArgumentParser(add_help=False)
    default = FitOptions()
    method.add_argument(
        "--list-classes", action="store_true", help="ask with all class names listed, in place of --prompt; the classifier remembers it"
    )
    method.add_argument("--video", action="store_true", help="show the pictures of videos, too, to a backbone that sees")
    method.add_argument("--tau", type=float, default=default.tau, help="temperature of a head's posterior (default %(default)s)")
    method.add_argument("--tau-w", type=float, default=default.tau_w, help="temperature of the weights over heads (default %(default)s)")
    method.add_argument("--scheme", choices=get_args(Scheme), default=default.scheme, help="what makes a head reliable on a clip")
    method.add_argument(
        "--reliability",
        choices=[r for r in get_args(ReliabilitySource) if r != "holdout"],
        default=default.reliability,
        help="which clips judge the heads",
    )
    method.add_argument("--top-k", type=int, help="heads kept per class (default all)")
    method.add_argument("--pooling", choices=get_args(Pooling), default=default.pooling, help="sum votes or their logarithms")
    method.add_argument("--centre", action="store_true", help="subtract the mean of the support vectors first")
    method.add_argument("--whiten", type=float, help="divide out how clips vary within a class, shrunk by this share (default: don't)")
    method.add_argument("--trust", type=float, default=default.trust, help="0 equal weights to 1 learned ones (default %(default)s)")
    method.add_argument("--auto", action="store_true", help="choose all but shrinkage and reliability on the support clips alone")
    method.add_argument(
        "--shrinkage", type=float, default=default.shrinkage, help="alpha; pulls reliability to its mean (default %(default)s)"
    )

    parser = argparse.ArgumentParser(
        prog="python -m calm_core", description="CALM Studio: few-shot audio classification that shows its reasons."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    fit = commands.add_parser("fit", parents=[common, method], help="learn a classifier from a folder, ZIP or CSV of labelled clips")
    fit.add_argument("data", type=Path, metavar="DIR", help="class folders, a .zip of them, or a .csv with file_name,label")
    fit.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="where to save it, for example owls.safetensors")
    fit.add_argument("--report", type=Path, metavar="FILE", help="also write a report, one HTML file that opens without a network")
    fit.set_defaults(run=_fit)

    predict = commands.add_parser("predict", parents=[common], help="ask a saved classifier about clips")
    predict.add_argument("model", type=Path, metavar="FILE", help="a saved classifier")
    predict.add_argument("clips", type=Path, nargs="+", metavar="CLIP", help="audio files or folders")
    predict.set_defaults(run=_predict)

    told = commands.add_parser("report", parents=[common], help="write a saved classifier's report: one HTML file, no network needed")
    told.add_argument("model", type=Path, metavar="FILE", help="a saved classifier")
    told.add_argument("clips", type=Path, nargs="*", metavar="CLIP", help="audio files or folders whose answers and reasons to include")
    told.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="where to write it, for example owls.html")
    told.set_defaults(run=_report)

    over = commands.add_parser("timeline", parents=[common], help="hear a long recording window by window; events as labels")
    over.add_argument("model", type=Path, metavar="FILE", help="a saved classifier")
    over.add_argument("recording", type=Path, metavar="RECORDING", help="an audio file of up to an hour")
    over.add_argument("--window", type=float, help=f"seconds heard at once (default {WINDOW_S:g})")
    over.add_argument("--hop", type=float, help="seconds from one window to the next (default half a window)")
    over.add_argument("--confidence", type=float, default=CONFIDENCE, help="from which on a window is an event (default %(default)s)")
    over.add_argument("-o", "--output", type=Path, metavar="FILE", help="write labels: .txt for Audacity, .tsv for Raven")
    over.set_defaults(run=_timeline)

    evaluate = commands.add_parser("evaluate", parents=[common, method], help="measure CALM and the other methods on a labelled data set")
    evaluate.add_argument("data", type=Path, metavar="DIR", help="class folders, a .zip of them, or a .csv with file_name,label")
    evaluate.add_argument("--shots", type=int, nargs="+", default=[5], help="support clips per class (default 5); several numbers allowed")
    evaluate.add_argument("--episodes", type=int, default=20, help="random draws of support clips (default %(default)s)")
    evaluate.add_argument("--seed", type=int, default=0, help="of the random draws (default %(default)s)")
    evaluate.add_argument(
        "--multiple-choice",
        action="store_true",
        help="ask each clip with four options, one its class, as the paper does: it leaks the answer, so only to repeat its figures",
    )
    evaluate.add_argument("--folds", action="store_true", help="support and test from different folds of metadata.csv")
    evaluate.set_defaults(run=_evaluate)

    label = commands.add_parser("label", parents=[common], help="label a pool of clips with a saved classifier: a CSV with confidences")
    label.add_argument("model", type=Path, metavar="FILE", help="a saved classifier")
    label.add_argument("clips", type=Path, nargs="+", metavar="CLIP", help="audio files or folders")
    label.add_argument("-o", "--output", type=Path, required=True, metavar="CSV")
    label.add_argument("--above", type=float, default=0.0, help="leave the label empty below this confidence (default %(default)s)")
    label.set_defaults(run=_label)

    simulate = commands.add_parser("simulate", parents=[common, method], help="measure what an order of labelling is worth")
    simulate.add_argument("data", type=Path, metavar="DIR", help="labelled clips; with a column fold, test clips are from another fold")
    orders = f"separated by commas, the last is compared with (default {DEFAULT_ORDER},random): {', '.join(ORDERS)}"
    simulate.add_argument("--order", default=f"{DEFAULT_ORDER},random", metavar="ORDERS", help=orders)
    simulate.add_argument("--start", type=int, default=2, help="labelled clips per class to start from (default %(default)s)")
    simulate.add_argument("--labels", type=int, default=100, help="labels in all at the end (default %(default)s)")
    simulate.add_argument("--seeds", type=int, default=20, help="repetitions (default %(default)s)")
    simulate.set_defaults(run=_simulate)

    bring = commands.add_parser("import", parents=[common], help="make a labelling project of clips, or add clips or labels to one")
    bring.add_argument("data", type=Path, metavar="DATA", help="folder, .zip, .csv, tasks.json; or labels: .csv, Audacity or Raven .txt")
    bring.add_argument("--project", type=Path, metavar="DIR", help="an existing project (default: a new one)")
    bring.add_argument("--recording", default="", help="the recording that an Audacity label track is of")
    bring.add_argument("--unlabelled", action="store_true", help="all audio of a folder, as a pool without labels")
    bring.set_defaults(run=_import)

    exporting = commands.add_parser("export", parents=[common], help="write a labelling project's labels in another tool's format")
    exporting.add_argument("project", type=Path, metavar="DIR", help="a project's folder")
    exporting.add_argument("--format", choices=list(_WRITERS), default="csv", help="default %(default)s")
    exporting.add_argument(
        "-o", "--output", type=Path, required=True, metavar="PATH", help="a file, or a new folder for formats of several"
    )
    exporting.add_argument(
        "--labels-only", action="store_true", help="no predictions beside the labels in csv and label-studio: no model listens"
    )
    exporting.set_defaults(run=_export)

    backbones = commands.add_parser("backbones", parents=[common], help="list the audio-language models")
    backbones.set_defaults(run=_backbones)
    doctor = commands.add_parser("doctor", parents=[common], help="say what works on this machine and what to install")
    doctor.set_defaults(run=_doctor)
    return parser


def _fit(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    options, output, studio = _fit_options(arguments), arguments.output, Studio()
    _require_place(output)
    if arguments.report is not None:
        _require_place(arguments.report)
    with TemporaryDirectory(prefix="calm-") as unpacked:
        workspace = studio.add(Workspace(), readers.read(arguments.data, Path(unpacked)), progress=_progress)
        _report_left_out(workspace.checks, workspace.ignored)
        learned = studio.learn(
            workspace,
            studio.backbone(arguments.backbone or DEFAULT_BACKBONE, arguments.device),
            options=options,
            extract_options=_extract_options(arguments, sorted(set(workspace.labels))),
            ladder=arguments.report is not None,
            progress=_progress,
        )
        model = learned.model
        model.save(output)
        if arguments.report is not None:  # it holds sounds, which may lie unpacked here
            report.write(arguments.report, learned, bundle=output.name)
    doubts = [_doubt_in_words(doubt) for doubt in learned.doubts]
    for note in (*model.warnings, *learned.advice, *doubts):
        print(f"note: {note}", file=sys.stderr)
    result = {
        "model": str(output),
        "classes": workspace.class_counts,
        "held_out": {"how": model.held_out.how, **_proportion(learned.accuracy)},
        "class_accuracy": {name: _proportion(found) for name, found in learned.class_accuracy.items()},
        "calibrated": model.temperature is not None,
        "options": model.options.to_dict(),
        "warnings": [*model.warnings, *learned.advice],
        "suspicious": [
            {"file": d.clip.name, "given": d.given, "predicted": d.predicted, "probability": d.probability} for d in learned.doubts
        ],
        "left_out": _left_out(workspace.checks),
    }
    counts = ", ".join(f"{name} {count}" for name, count in workspace.class_counts.items())
    text = f"learned {len(learned.clips)} clips ({counts})\n{model.held_out.how} accuracy {learned.accuracy}\nsaved {output}"
    return result, text


def _doubt_in_words(doubt: Doubt) -> str:
    return (
        f"is {doubt.clip.name} labelled rightly? It is given as {doubt.given!r}; by the other clips it sounds like {doubt.predicted!r} "
        f"(probability of {doubt.given!r}: {max(1, round(100 * doubt.probability))} %)."
    )


def _predict(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    model = CalmClassifier.load(arguments.model)
    found = _answers(arguments, model)
    rows, lines = [], []
    for p in found:
        row: dict[str, Any] = {"file": str(p.path), "label": p.label or None, "confidence": p.confidence, "error": p.error or None}
        if p.error:
            print(f"not predicted: {p.error}", file=sys.stderr)
        else:
            row["prediction_set"] = p.prediction_set  # None: too few clips to give one; empty: none of the classes
            row["scores"] = dict(zip(model.class_names, p.scores.tolist(), strict=True))
            sure = "not calibrated" if p.confidence is None else f"{100 * p.confidence:.0f} %"
            lines.append("\t".join([p.name, p.label, sure, *_set_in_words(p)]))
        rows.append(row)
    if found and not lines:
        raise CalmError(f"none of the {len(found)} clips could be predicted; the reasons stand above.")
    if model.calibration_note:
        print(f"note: {model.calibration_note}", file=sys.stderr)
    result = {"model": str(arguments.model), "classes": list(model.class_names), "coverage": COVERAGE, "predictions": rows}
    return result, "\n".join(lines)


def _set_in_words(p: ClipPrediction) -> list[str]:
    """A column with the classes that can't be ruled out; none where no clip gets one, which a note says once."""
    return [] if p.prediction_set is None else [f"{100 * COVERAGE:.0f} %: {', '.join(p.prediction_set) or 'none of these'}"]


def _answers(arguments: argparse.Namespace, model: CalmClassifier) -> tuple[ClipPrediction, ...]:
    """What a saved classifier says of the clips that were named."""
    studio = Studio()
    own = model.origin.backbone if model.origin else DEFAULT_BACKBONE
    if arguments.backbone not in (None, own):  # said before a large backbone is loaded
        raise BundleError(
            f"{arguments.model.name} was learned with the backbone {own!r}, not {arguments.backbone!r}; leave --backbone out."
        )
    clips = readers.read_unlabelled(arguments.clips)
    _report_left_out((), clips.ignored)
    backbone = studio.backbone(arguments.backbone or own, arguments.device)
    return studio.predict(model, clips.clips, backbone, prompt=arguments.prompt, progress=_progress)


def _report(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    _require_place(arguments.output)
    model = CalmClassifier.load(arguments.model)
    answers = _answers(arguments, model) if arguments.clips else ()
    report.write(arguments.output, Learned(model), answers, bundle=arguments.model.name)
    return {"model": str(arguments.model), "report": str(arguments.output)}, f"wrote {arguments.output}"


def _timeline(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    model, output = CalmClassifier.load(arguments.model), arguments.output
    if output is not None and output.suffix not in (".txt", ".tsv"):
        raise DataError(f"{output.name} should end in .txt (Audacity) or .tsv (Raven).")
    if output is not None:
        _require_place(output)
    backbone = Studio().backbone(arguments.backbone or (model.origin.backbone if model.origin else DEFAULT_BACKBONE), arguments.device)
    found = timeline(model, arguments.recording, backbone, window_s=arguments.window, hop_s=arguments.hop, progress=_progress)
    events = found.events(arguments.confidence)
    regions = [export.Region(e.start_s, e.end_s, e.label, arguments.recording.name) for e in events]
    if output is not None and output.suffix == ".txt":
        output.write_text(export.audacity_track(regions), encoding="utf-8")
    elif output is not None:
        export.raven_table(regions, backbone.sample_rate_hz / 2, [e.confidence for e in events]).to_csv(output, sep="\t", index=False)
    lines = [f"{e.start_s:.2f}\t{e.end_s:.2f}\t{e.label}\t{100 * e.confidence:.0f} %" for e in events]
    result = {"recording": str(arguments.recording), "seconds": found.seconds, "windows": len(found.begins_s)}
    return {**result, "events": [asdict(e) for e in events]}, "\n".join(lines or [f"no event above {arguments.confidence:g}"])


def _evaluate(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    options, studio = _fit_options(arguments), Studio()
    if arguments.multiple_choice and (arguments.list_classes or arguments.prompt is not None):
        raise OptionError("--multiple-choice makes its own prompts; leave out --prompt and --list-classes.")
    with TemporaryDirectory(prefix="calm-") as unpacked:
        data = readers.read(arguments.data, Path(unpacked))
        found, left_out = studio.evaluate(
            data,
            studio.backbone(arguments.backbone or DEFAULT_BACKBONE, arguments.device),
            shots=arguments.shots,
            episodes=arguments.episodes,
            seed=arguments.seed,
            by_folds=arguments.folds,
            multiple_choice=arguments.multiple_choice,
            options=options,
            extract_options=_extract_options(arguments, data.class_names),
            progress=_progress,
        )
    _report_left_out(left_out, ())
    lines = [f"{found.n_test} clips tested, {found.episodes} episodes, seed {found.seed}, {found.protocol}"]
    lines += [
        f"{r.shots:>3} shots  {r.accuracy:6.1%}  [{r.ci_low:6.1%}, {r.ci_high:6.1%}]  {r.method:<20} {r.title}" for r in found.results
    ]
    lines += [_trust_line(t) for t in found.trust if t.calibration_error is not None]
    return {**found.to_dict(), "left_out": _left_out(left_out)}, "\n".join(lines)


def _trust_line(t: TrustResult) -> str:
    parts = {
        "calibration error": t.calibration_error,
        "90 % sets: coverage": t.coverage and t.coverage.value,
        "mean size": t.set_size and t.set_size.value,
        "AUROC of an unknown class": t.unknown_auroc and t.unknown_auroc.value,
        "10 % wrong labels: found": t.flags_found and t.flags_found.value,
        "flags right": t.flags_right and t.flags_right.value,
    }
    return f"{t.shots:>3} shots  {t.method:<10} " + ", ".join(f"{name} {value:.2f}" for name, value in parts.items() if value is not None)


def _label(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    _require_place(arguments.output)
    studio, model = Studio(), CalmClassifier.load(arguments.model)
    clips = readers.read_unlabelled(arguments.clips)
    _report_left_out((), clips.ignored)
    backbone = studio.backbone(arguments.backbone or (model.origin.backbone if model.origin else DEFAULT_BACKBONE), arguments.device)
    found = studio.predict(model, clips.clips, backbone, prompt=arguments.prompt, progress=_progress)
    entries, opinions = [], {}
    for i, p in enumerate(found):
        said = Judgement()
        if p.error:
            print(f"not predicted: {p.error}", file=sys.stderr)
        else:
            chances = p.scores if p.probabilities is None else p.probabilities
            opinions[i] = export.Opinion(p.label, p.confidence, dict(zip(model.class_names, chances.tolist(), strict=True)))
            if p.confidence is None or p.confidence >= arguments.above:
                said = Judgement(p.label, "positive", "machine", p.confidence)
        entries.append(Entry(i, p.path, _sha256(p.path), p.name, None, None, None, None, None, None, None, said))
    export.write_csv(entries, arguments.output, opinions)
    if model.calibration_note:
        print(f"note: {model.calibration_note}", file=sys.stderr)
    labelled = sum(entry.label is not None for entry in entries)
    result = {"output": str(arguments.output), "clips": len(entries), "labelled": labelled, "not_predicted": len(entries) - len(opinions)}
    return result, f"labelled {labelled} of {len(entries)} clips; wrote {arguments.output}"


def _sha256(path: Path) -> str:
    """By which `import` knows a clip again; "" for a file that can't be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # the table has a row for it all the same, which says that it was not predicted
        return ""


def _simulate(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    orders = [name.strip() for name in arguments.order.split(",")]
    if wrong := [name for name in orders if name not in ORDERS]:
        raise DataError(f"there is no order {wrong[0]!r}; choose from {', '.join(ORDERS)}.")
    studio = Studio()
    with TemporaryDirectory(prefix="calm-") as unpacked:
        data = readers.read(arguments.data, Path(unpacked))
        found, left_out = labelling.simulate(
            studio,
            data,
            studio.backbone(arguments.backbone or DEFAULT_BACKBONE, arguments.device),
            orders=orders,
            start=arguments.start,
            budget=arguments.labels,
            seeds=arguments.seeds,
            options=_fit_options(arguments),
            extract_options=_extract_options(arguments, data.class_names),
            progress=_progress,
        )
    _report_left_out(left_out, ())
    lines = [f"{found.n_clips} clips, {found.n_classes} classes, {found.seeds} seeds, {found.protocol}"]
    for curve in found.curves:
        steps = sorted({0, len(curve.labels) // 4, len(curve.labels) // 2, 5 * len(curve.labels) // 8, len(curve.labels) - 1})
        shown = "  ".join(f"{curve.labels[i]}: {curve.accuracy[i]:.1%} [{curve.ci_low[i]:.1%}, {curve.ci_high[i]:.1%}]" for i in steps)
        reached = curve.labels_to_reach(found.target)
        lines.append(f"{curve.order:<10} {shown}  reaches {found.target:.1%} with {reached or 'no number of'} labels")
    return {**found.to_dict(), "left_out": _left_out(left_out)}, "\n".join(lines)


def _import(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    source = arguments.data
    if not source.exists():
        raise DataError(f"{source.name!r} doesn't exist; check the path {str(source)!r}.")
    if arguments.project is not None:
        _require_project(arguments.project)
    if arguments.project is not None and source.suffix.lower() in (".csv", ".tsv", ".txt"):
        with Project(arguments.project) as project:
            told = importing.read_labels(source, project.snapshot().entries, arguments.recording)
            project.judge(told, f"labels of {count_clips(len(told))} from {source.name}")
            return _imported(project, 0, len(told), ())
    with TemporaryDirectory(prefix="calm-") as unpacked:
        clips = importing.read_pool([source], Path(unpacked)) if arguments.unlabelled else importing.read_clips(source, Path(unpacked))
        good, left_out = importing.checked(clips, progress=_progress)
        _report_left_out(left_out, ())
        if not good:
            raise DataError(f"none of the {len(clips)} clips can be used; the reasons stand above.")
        with Project(arguments.project) if arguments.project else Project.create(projects_home(), source.stem) as project:
            before, added = project.snapshot(), len(project.add(good))
            return _imported(project, added, newly_judged(before, project.snapshot()), left_out)


def _require_project(folder: Path) -> None:
    if not holds_project(folder):
        raise ProjectError(f"there is no project in {str(folder)!r}; `import` without --project makes one and says where.")


def _imported(project: Project, added: int, relabelled: int, left_out: Sequence[ClipCheck]) -> tuple[dict[str, Any], str]:
    now = project.snapshot()
    result = {"project": str(project.folder), "added": added, "relabelled": relabelled, "clips": len(now.entries)}
    labelled = sum(entry.state == "positive" for entry in now.entries)
    here = f"labels of {count_clips(relabelled)} that were here" if relabelled else ""
    done = ", ".join(part for part in (f"added {count_clips(added)}" if added or not here else "", here) if part)
    text = f"{done}; {count_clips(len(now.entries))}, {labelled} with a label, in project {project.folder}"
    return {**result, "classes": now.class_counts, "left_out": _left_out(left_out)}, text


def _export(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    output = arguments.output
    _require_project(arguments.project)
    if arguments.format in _FILES:
        _require_place(output)
    else:
        export.require_new_folder(output)
    with Project(arguments.project) as project:
        now, opinions = project.snapshot(), _opinions(project, arguments) if arguments.format in _OPINIONATED else {}
        _WRITERS[arguments.format](now, output, opinions)
    written = sum(export.has_place(entry, arguments.format) for entry in now.entries)
    result = {"project": str(arguments.project), "format": arguments.format, "output": str(output), "clips": written}
    rest = f" ({len(now.entries) - written} without a label that it takes)" if written < len(now.entries) else ""
    text = f"wrote {count_clips(written)} as {arguments.format} to {output}{rest}"
    return {**result, "predicted": len(opinions)}, text + (f", {len(opinions)} of them with a prediction" if opinions else "")


def _opinions(project: Project, arguments: argparse.Namespace) -> dict[int, export.Opinion]:
    """What a classifier of the project's labels says about its clips; nothing where they are of fewer than two classes."""
    if arguments.labels_only or sum(count > 0 for count in project.snapshot().class_counts.values()) < 2:
        return {}
    asking = ExtractOptions() if arguments.prompt is None else ExtractOptions(prompt=arguments.prompt)
    chosen = arguments.backbone or DEFAULT_BACKBONE
    work = labelling.Labelling(project, Studio(), chosen, device=arguments.device, extract_options=asking)
    work.prepare(progress=_progress)
    return work.opinions()


_FILES = ("csv", "raven")  # formats of one file; the others fill a new folder
_OPINIONATED = ("csv", "label-studio")  # formats with a place for predictions
_WRITERS: dict[str, Callable[[Snapshot, Path, dict[int, export.Opinion]], None]] = {
    "csv": lambda now, output, said: export.write_csv(now.entries, output, said),
    "audiofolder": lambda now, output, _: export.write_audiofolder(now.entries, output, "metadata"),
    "class-folders": lambda now, output, _: export.write_audiofolder(now.entries, output, "folders"),
    "audacity": lambda now, output, _: export.write_audacity(now.entries, output),
    "raven": lambda now, output, _: export.write_raven(now.entries, output),
    "label-studio": lambda now, output, said: export.write_label_studio(now.entries, now.class_names, output, said),
}


def _backbones(_: argparse.Namespace) -> tuple[dict[str, Any], str]:
    rows = [{**asdict(row), "lacks": row.lacks} for row in offered()]
    for each in rows:
        del each["hidden"]
    lines = [
        f"{row.id:<26}{row.heads:>8} heads  {row.memory_gb:>5} GB  {row.window_s:>3} s  {row.licence:<22}{row.hears:<12}{row.title}"
        + (f" ({row.lacks})" if row.lacks else "")
        for row in offered()
    ]
    result = {"backbones": rows, "default": DEFAULT_BACKBONE}
    return result, "\n".join(lines)


def _doctor(_: argparse.Namespace) -> tuple[dict[str, Any], str]:
    findings = examine()
    lines = [
        f"{'ok' if f.ok else 'MISSING' if f.needed else 'absent':<8}{f.name:<26}{f.value}{'  -> ' + f.advice if f.advice else ''}"
        for f in findings
    ]
    return {"ok": all(f.ok for f in findings if f.needed), "findings": [asdict(f) for f in findings]}, "\n".join(lines)


def _backbone_id(text: str) -> str:
    try:
        return backbone_row(text).id
    except BackboneError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _fit_options(arguments: argparse.Namespace) -> FitOptions:
    return FitOptions(**{field.name: getattr(arguments, field.name) for field in fields(FitOptions)})


def _extract_options(arguments: argparse.Namespace, class_names: Sequence[str]) -> ExtractOptions:
    if arguments.list_classes:
        if arguments.prompt is not None:
            raise OptionError("--list-classes makes its own prompt; leave out --prompt.")
        return ExtractOptions(prompt=listed_prompt(class_names), video=arguments.video)
    return ExtractOptions(prompt=NEUTRAL_PROMPT if arguments.prompt is None else arguments.prompt, video=arguments.video)


def _require_place(output: Path) -> None:
    """Raises DataError where no file can be written there: before the work is done, not after."""
    if not output.resolve().parent.is_dir() or output.is_dir():
        raise DataError(f"can't write {output}; give a file name in a folder that exists.")


def _progress(done: int, total: int, what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{done}/{total} {what}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def _report_left_out(checks: Sequence[ClipCheck], ignored: Sequence[tuple[str, str]]) -> None:
    for check in checks:
        if check.reason:
            print(f"{'left out' if not check.usable else 'note'}: {check.reason}", file=sys.stderr)
    for name, why in ignored:
        print(f"ignored: {name} ({why})", file=sys.stderr)


def _left_out(checks: Sequence[ClipCheck]) -> list[dict[str, str]]:
    return [{"file": c.clip.name, "status": str(c.status), "reason": c.reason} for c in checks if not c.usable]


def _proportion(found: Proportion) -> dict[str, Any]:
    low, high = found.interval
    return {"accuracy": found.value, "n": found.n, "ci_low": low, "ci_high": high}


def _json_safe(value: Any) -> Any:
    """NaN, which JSON can't say, becomes null."""
    if isinstance(value, dict):
        return {key: _json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_safe(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
