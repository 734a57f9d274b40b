"""Labels as Label Studio tasks, and back: a person's as annotations, a machine's as predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from xml.sax.saxutils import quoteattr

from ..errors import DataError
from ..library.records import Entry, Judgement, NewClip
from .files import copy_clip, file_names, new_folder
from .rows import KEPT, Opinion, file_inside, judgement, new_clip

AUDIO_KEY, NAME_KEY, TO_NAME = "audio", "label", "audio"  # as the Label Studio config calls them


def label_studio(
    entries: Sequence[Entry], files: Mapping[int, str], opinions: Mapping[int, Opinion] | None = None, *, model_version: str = "calm"
) -> list[dict[str, Any]]:
    """Label Studio tasks: a person's labels as annotations, a machine's as predictions. files: each clip's address in `data.audio`."""
    tasks = []
    for entry in entries:
        said, opinion = entry.judgement, (opinions or {}).get(entry.id)
        kept = {"name": entry.name, "state": said.state, "judge": said.judge, "label": said.label, "judge_confidence": said.confidence}
        kept |= {"fold": entry.fold, "group": entry.group, "recording": entry.recording, "start_s": entry.start_s, "end_s": entry.end_s}
        task: dict[str, Any] = {"data": {AUDIO_KEY: files[entry.id], **{"calm_" + key: v for key, v in kept.items() if v is not None}}}
        if said.state == "positive" and said.judge == "person":
            task["annotations"] = [{"result": [_choice(str(said.label))]}]
        guesses = [(str(said.label), said.confidence)] if said.state == "positive" and said.judge == "machine" else []
        guesses += [(opinion.label, opinion.confidence)] if opinion and not guesses else []
        if guesses:
            task["predictions"] = [
                {"model_version": model_version, **({} if sure is None else {"score": sure}), "result": [_choice(label)]}
                for label, sure in guesses
            ]
        tasks.append(task)
    return tasks


def label_studio_config(class_names: Sequence[str]) -> str:
    """The labelling interface that the tasks are made for, as XML."""
    choices = "\n".join(f"    <Choice value={quoteattr(name)}/>" for name in class_names)
    return (
        f'<View>\n  <Audio name="{TO_NAME}" value="${AUDIO_KEY}"/>\n'
        f'  <Choices name="{NAME_KEY}" toName="{TO_NAME}" choice="single" showInline="true">\n{choices}\n  </Choices>\n</View>\n'
    )


def read_label_studio(path: Path, root: Path | None = None) -> tuple[NewClip, ...]:
    """Clips of tasks that we wrote, or that Label Studio exported as JSON from them: an annotation made there goes before ours.

    Files are those named in data.audio below `root`, by default the file's folder. Raises DataError for anything else.
    """
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))
        found = [(task["data"][AUDIO_KEY], task["data"], task.get("annotations") or []) for task in tasks]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, TypeError, KeyError) as error:
        raise DataError(f"{path.name!r} isn't a list of Label Studio audio tasks ({error}); export it as JSON.") from error
    clips = []
    for address, data, answers in found:
        file = file_inside(root or path.parent, str(address), path.name)
        kept = {key: _text(data.get("calm_" + key)) for key in (*KEPT, "label")}
        said = judgement(kept["label"], kept["state"], kept["judge"], kept["judge_confidence"], path.name)
        chosen = [r["value"]["choices"][0] for a in answers for r in a.get("result", []) if r.get("type") == "choices"]
        if chosen and not (said.state == "positive" and said.label == chosen[-1]):
            said = Judgement(str(chosen[-1]), "positive", "person")
        clips.append(new_clip(file, kept["name"] or PurePosixPath(str(address)).name, said, kept, path.name))
    return tuple(clips)


def write_label_studio(
    entries: Sequence[Entry], class_names: Sequence[str], into: Path, opinions: Mapping[int, Opinion] | None = None
) -> None:
    """tasks.json, config.xml and the clips, in the new or empty folder `into`: to be served to Label Studio as local files."""
    new_folder(into)
    files = {clip: f"audio/{name}" for clip, name in file_names(entries).items()}
    for entry in entries:
        copy_clip(entry, into / files[entry.id])
    tasks = json.dumps(label_studio(entries, files, opinions), ensure_ascii=False, indent=1)
    (into / "tasks.json").write_text(tasks, encoding="utf-8")
    (into / "config.xml").write_text(label_studio_config(class_names), encoding="utf-8")


def _choice(label: str) -> dict[str, Any]:
    return {"from_name": NAME_KEY, "to_name": TO_NAME, "type": "choices", "value": {"choices": [label]}}


def _text(value: Any) -> str:
    return "" if value is None else str(value)
