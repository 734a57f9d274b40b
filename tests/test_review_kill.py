"""`kill -9` of the real server in the middle of reviewing: every label that it had acknowledged is there after a restart.

The server's own handlers are driven over HTTP, as a browser does. It is forked from a process that has everything imported, so that a
restart costs about a second. CALM_KILLS sets how often it is killed.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from calm_core.labelling import Labelling
from calm_core.library.project import Project
from calm_core.library.records import NewClip
from calm_core.library.storage import DATABASE
from calm_core.studio import Studio

from .conftest import TONES_HZ, tone

KILLS = int(os.environ.get("CALM_KILLS", "20"))
REVIEWING_S = 0.8  # at most, before it is killed
PATIENCE_S = 60


def serve(port: int, home: str, folder: str) -> None:
    """In the forked process: the real page."""
    os.environ |= {"CALM_HOME": home, "GRADIO_TEMP_DIR": folder}
    import app

    app.launch(app.build_demo(backbone="fake"), server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True)
    time.sleep(600)


class Tab:
    """A page of a visitor, without a browser."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=PATIENCE_S)
        self.busy = threading.Event()  # answers have begun to come
        self.session = f"tab{random.random():.12f}"
        config = self.http.get("/config").json()
        ids = {part["props"].get("elem_id"): part["id"] for part in config["components"]}
        self.ids, self.functions = ids, config["dependencies"]
        self.events = {tuple(target): fn for fn in self.functions for target in fn["targets"]}

    def body(self, elem_id: str, event: str, data: list, event_data: object = None) -> dict:
        fn = self.events[(self.ids[elem_id], event)]
        given = {"data": data, "fn_index": fn["id"], "session_hash": self.session, "event_data": event_data}
        return given | {"trigger_id": self.ids[elem_id]}

    def open(self, project: str) -> None:
        """What the page does when it is loaded with the project's link; waits for the end."""
        opens = (fn for fn in self.functions if any(event == "load" for _, event in fn["targets"]))
        fn = next(fn for fn in opens if self.ids["review-progress"] in fn["outputs"])
        given = {"data": [None, None, "fake"], "fn_index": fn["id"], "session_hash": self.session, "trigger_id": None}
        self.http.post("/gradio_api/queue/join", params={"project": project}, json=given).raise_for_status()
        with self.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.session}) as lines:
            for line in lines.iter_lines():
                if line.startswith("data:") and (message := json.loads(line[5:])).get("msg") == "process_completed":
                    assert message["success"], message
                    return

    def act(self, **what: object) -> str:
        """One key; the answers' HTML."""
        found = self.http.post("/gradio_api/run/predict", json=self.body("review-keys", "submit", [None], what))
        found.raise_for_status()
        return str(found.json()["data"][1])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def project(calm_home: Path, tmp_path: Path, write_wav: Callable[..., Path]) -> str:
    """Three classes of 4 clips and a pool of 30, heard already."""
    with Project.create(calm_home / "projects") as project:
        clips = []
        for name, hz in TONES_HZ.items():
            for i in range(14):
                path = write_wav(tmp_path / f"{name}-{i}.wav", tone(hz * (1 + 0.01 * i), seed=i + round(hz)))
                clips.append(NewClip(path, path.name))
        ids = project.add(clips)
        for c, name in enumerate(TONES_HZ):
            project.label(ids[14 * c : 14 * c + 4], name)
        Labelling(project, Studio(), "fake").prepare()
        return project.id


def test_every_acknowledged_label_survives_kill_9(project: str, calm_home: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["app", "librosa.feature", "librosa.core.spectrum", "sklearn.metrics.pairwise"])
    folder, rng = calm_home / "projects" / project, random.Random(5)
    acknowledged: dict[int, str] = {}
    answers = 0
    for _ in range(KILLS):
        port = free_port()
        server = context.Process(target=serve, args=(port, str(calm_home), str(tmp_path / "uploads")), daemon=True)
        server.start()
        tab = opened(f"http://127.0.0.1:{port}", project)
        in_flight: dict[int, str] = {}
        reviewing = threading.Thread(target=review, args=(tab, rng.randrange(10**6), acknowledged, in_flight))
        reviewing.start()
        assert tab.busy.wait(PATIENCE_S)  # the first clip on show takes long: its picture needs librosa, which nobody imported yet
        time.sleep(rng.uniform(0, REVIEWING_S))
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        server.join()
        reviewing.join(PATIENCE_S)
        answers += len(acknowledged)

        with closing(sqlite3.connect(folder / DATABASE)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        with Project(folder) as again:
            kept = {entry.id: entry.label for entry in again.snapshot().entries}
        # The label in flight may have reached the disk without an answer.
        assert {c: label for c, label in acknowledged.items() if kept[c] not in (label, in_flight.get(c))} == {}
        acknowledged |= {clip: str(kept[clip]) for clip in in_flight if clip in acknowledged}
    assert answers > 0


def review(tab: Tab, seed: int, acknowledged: dict[int, str], in_flight: dict[int, str]) -> None:
    """Answers as fast as the server does, until it is dead: shows a clip, labels it."""
    rng = random.Random(seed)
    while True:
        clip, label = rng.randrange(1, 43), rng.choice(list(TONES_HZ))
        in_flight[clip] = label
        try:
            tab.act(act="show", clip=clip, label="")
            said = tab.act(act="label", clip=clip, label=label)
        except httpx.HTTPError:
            return
        assert re.search(rf"Saved: \S+ is ‘{label}’", said), said
        acknowledged[clip] = label
        in_flight.clear()
        tab.busy.set()


def opened(url: str, project: str) -> Tab:
    """The page, once the server answers."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            tab = Tab(url)
            break
        except httpx.HTTPError:
            assert time.monotonic() < until, "the server doesn't start"
            time.sleep(0.05)
    tab.open(project)
    return tab
