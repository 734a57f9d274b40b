"""The long jobs of the tab Review, as handlers: to open a project, to fill it, to listen to it, to take its labels to the tab Learn."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from calm_core.dataset import Clip, Dataset
from calm_core.errors import DataError
from calm_core.importing import MAX_RECORDING_S, checked, cut, read_clips, read_pool
from calm_core.labelling import Labelling
from calm_core.library.project import Project
from calm_core.library.records import Entry, NewClip
from calm_core.library.shelf import open_project

from . import intake, review_words, words
from .bench import Bench, Said
from .folder_drop import place, received_files
from .jobs import Cancel, Progress
from .learn import Learning, LearnTab
from .messages import told
from .page import Page, computing
from .session import MAX_VISITOR_BYTES, MAX_VISITOR_CLIPS, MAX_VISITOR_RECORDING_S, Desk

WINDOW_S = 5.0  # of a long recording; what most bird and machine tools use lies between 3 and 10
Working = Iterator[tuple[Any, str]]


@dataclass(frozen=True, slots=True)
class ReviewJobs:
    """Handlers of (desk, bench, ...) that yield (desk, progress) until the job is done; tab: learns from labels that are carried there."""

    page: Page
    tab: LearnTab

    def _labelling(self, project: Project, backbone: str) -> Labelling:
        return Labelling(project, self.page.studio, backbone)

    def _listening(self, bench: Bench, progress: Progress, cancelled: Cancel, afresh: bool) -> None:
        work = bench.require()
        if work.unheard:
            progress(0, work.unheard, f"listening to {words.count(work.unheard, 'clip')}")
        work.prepare(progress=progress, cancelled=cancelled)
        bench.look(afresh)

    def _working(self, desk: Desk, work: Callable[[Progress, Cancel], None]) -> Working:
        for shown, _, text in computing(desk, work):
            yield shown, text

    def _opening(
        self, desk: Desk, bench: Bench, backbone: str, project: Callable[[], Project], fill: Callable[[Labelling], Said] | None = None
    ) -> Working:
        def run(progress: Progress, cancelled: Cancel) -> None:
            progress(0, 1, f"opening the project with the backbone “{words.backbone_title(backbone)}”")
            bench.put(self._labelling(project(), backbone))
            if fill is not None:
                bench.whole(fill)
            self._listening(bench, progress, cancelled, afresh=True)

        yield from self._working(desk, run)

    def _adding(self, desk: Desk, bench: Bench, read: Callable[[Path], Sequence[NewClip]], paths: Sequence[Path] = ()) -> Working:
        def run(progress: Progress, cancelled: Cancel) -> None:
            afresh = bench.clip is None
            with desk.new_folder(intake.bytes_needed(paths)) as into:
                progress(0, 1, "reading")
                new = read(into)
                require_room(bench.public, bench.require().now.entries, new)
                good, bad = checked(new, progress=lambda done, total, _: progress(done, total, "checking"))
                bench.whole(lambda work: Said("added", review_words.clips_added(work.add_checked(good, bad))))
                shutil.rmtree(into, ignore_errors=True)  # the project has its own copies
            self._listening(bench, progress, cancelled, afresh)

        yield from self._working(desk, run)

    @told
    def start_project(self, desk: Desk, bench: Bench, backbone: str, name: str, begins: bool) -> Working:
        def fill(work: Labelling) -> Said:
            clips = intake.for_project(desk.session.workspace) if begins else ()
            require_room(bench.public, (), clips)
            return Said("added", review_words.clips_added(work.add(Dataset(clips)))) if clips else Said()

        yield from self._opening(desk, bench, backbone, lambda: Project.create(bench.root, name or ""), fill)

    @told
    def open_listed(self, desk: Desk, bench: Bench, backbone: str, id: str | None) -> Working:
        if not id or bench.public:
            raise DataError("no project is chosen; choose one from the list.")
        yield from self._opening(desk, bench, backbone, lambda: open_project(bench.root, id))

    @told
    def open_link(self, desk: Desk, bench: Bench, backbone: str, request: gr.Request) -> Iterator[tuple[Any, str, Any]]:
        id = request.query_params.get("project") if request else None
        if id and bench.labelling is None:
            for shown, text in self._opening(desk, bench, backbone, lambda: open_project(bench.root, id)):
                yield shown, text, gr.Tabs(selected="review")
        else:
            yield gr.skip(), gr.skip(), gr.skip()

    @told
    def bring_back(self, desk: Desk, bench: Bench, backbone: str, path: str) -> Working:
        def run(progress: Progress, cancelled: Cancel) -> None:
            with desk.new_folder(intake.bytes_needed([Path(path)])) as into:
                progress(0, 1, "reading the project")
                new = read_clips(Path(path), into)
                require_room(bench.public, (), new)
                good, bad = checked(new, progress=lambda done, total, _: progress(done, total, "checking"))
                if not good:
                    raise DataError(f"{Path(path).name!r} holds no clip that can be used; choose a ZIP that was exported here.")
                bench.put(self._labelling(Project.create(bench.root, review_words.project_name(Path(path).stem)), backbone))
                bench.whole(lambda work: Said("imported", review_words.clips_added(work.add_checked(good, bad))))
                shutil.rmtree(into, ignore_errors=True)
            self._listening(bench, progress, cancelled, afresh=True)

        yield from self._working(desk, run)

    @told
    def bring_in(self, desk: Desk, bench: Bench, path: str) -> Working:
        source = Path(path)
        if source.suffix.lower() == ".zip":
            yield from self._adding(desk, bench, lambda into: read_clips(source, into), [source])
            return
        bench.whole(lambda work: Said("imported", f"labels of {words.count(work.take_labels(source), 'clip')} from {source.name}."))
        yield gr.skip(), ""

    @told
    def add_files(self, desk: Desk, bench: Bench, paths: list[str]) -> Working:
        given = [Path(path) for path in paths]
        yield from self._adding(desk, bench, lambda into: read_pool(given, into), given)

    @told
    def add_folder(self, desk: Desk, bench: Bench, value: Any) -> Working:
        yield from self._adding(desk, bench, lambda into: read_pool([place(received_files(value), into)]))

    @told
    def add_recording(self, desk: Desk, bench: Bench, path: str, window_s: float | None) -> Working:
        longest = MAX_VISITOR_RECORDING_S if bench.public else MAX_RECORDING_S
        yield from self._adding(desk, bench, lambda into: cut(Path(path), window_s or WINDOW_S, into, max_seconds=longest), [Path(path)])

    @told
    def add_from_clips(self, desk: Desk, bench: Bench) -> Working:
        clips = intake.for_project(desk.session.workspace)
        if not clips:
            raise DataError("the tab Clips has no labelled clips; add some there first.")

        def run(progress: Progress, cancelled: Cancel) -> None:
            require_room(bench.public, bench.require().now.entries, clips)
            bench.whole(lambda work: Said("added", review_words.clips_added(work.add(Dataset(clips)))))
            self._listening(bench, progress, cancelled, afresh=False)

        yield from self._working(desk, run)

    @told
    def carry(self, desk: Desk, bench: Bench, backbone: str, *settings: Any) -> Learning:
        entries = bench.require().now.entries

        def run(progress: Progress, _: Cancel) -> None:
            progress(0, 1, "taking the labelled clips to the tab Clips")
            needs = sum(path.stat().st_size for path in {entry.path for entry in intake.labelled(entries)})
            check = partial(self.page.studio.add, progress=lambda done, total, _: progress(done, total, "checking"))
            desk.add(lambda into: intake.from_labels(entries, into), check, needs, instead=True)

        for shown, text in self._working(desk, run):
            yield shown, gr.skip(), text
        yield from self.tab.learn(desk, backbone, *settings)

    @told
    def listen_again(self, desk: Desk, bench: Bench) -> Working:
        yield from self._working(desk, lambda progress, cancelled: self._listening(bench, progress, cancelled, afresh=True))

    @told
    def listen_with(self, desk: Desk, bench: Bench, backbone: str) -> Working:
        def run(progress: Progress, cancelled: Cancel) -> None:
            progress(0, 1, f"loading the backbone “{words.backbone_title(backbone)}”")
            self.page.studio.backbone(backbone)  # first: where it can't be had, the project stays with the other one
            bench.require().listen_with(backbone)
            self._listening(bench, progress, cancelled, afresh=True)

        yield from self._working(desk, run)

    @told
    def ask_model(self, desk: Desk, bench: Bench) -> Working:
        yield from self._working(desk, lambda progress, cancelled: bench.require().ask(progress=progress, cancelled=cancelled))


def require_room(public: bool, here: Sequence[Entry], new: Sequence[NewClip | Clip]) -> None:
    """Raises DataError where a visitor's project would grow too large; a person's own disk is their own business."""
    if not public:
        return
    used = sum(entry.path.stat().st_size for entry in here) + sum(clip.path.stat().st_size for clip in new if clip.path.is_file())
    if len(here) + len(new) > MAX_VISITOR_CLIPS or used > MAX_VISITOR_BYTES:
        raise DataError(
            f"that would make {len(here) + len(new)} clips of {used / 1024**3:.1f} GiB; at most {MAX_VISITOR_CLIPS} clips of "
            f"{MAX_VISITOR_BYTES / 1024**3:.0f} GiB fit into a project here. Add fewer, or run CALM Studio on your own computer."
        )
