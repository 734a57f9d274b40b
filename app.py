"""CALM Studio's page: puts the parts together and serves them. `python app.py`, then open the printed address."""

from __future__ import annotations

import argparse
import atexit
import logging
import os
import shutil
import signal
import sys
import tempfile
from ipaddress import ip_address
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported: nobody but this server hears of a visit

import gradio as gr

from calm_core import figures
from calm_core.backbones import DEFAULT_BACKBONE
from calm_core.classifier import CalmClassifier
from calm_core.errors import ProjectError
from calm_core.library import shelf
from calm_core.studio import Learned, Studio
from calm_ui.bench import Bench, is_public
from calm_ui.clips import build_clips
from calm_ui.header import build_backbone, build_status, follow_status
from calm_ui.heads import build_heads
from calm_ui.intake import EXAMPLE_MODEL, EXAMPLES
from calm_ui.learn import build_learn
from calm_ui.page import Page
from calm_ui.predict import build_predict
from calm_ui.recording import build_recording
from calm_ui.review import build_review
from calm_ui.session import KEEP_HOURS, Current, Desk, keep_swept
from calm_ui.style import CSS, FIT_PLOTS, THEME

log = logging.getLogger(__name__)

QUEUE_SIZE = 32
VISITORS_REMEMBERED = 500
SWEEP_S = 1800  # uploads are looked through this often, so they go SWEEP_S earlier than promised
SWEEP_VISITORS_S = 60  # and the visitors' folders this often


def build_demo(studio: Studio | None = None, backbone: str = DEFAULT_BACKBONE, shared: bool = False) -> gr.Blocks:
    """The page over a studio, with `backbone` chosen at first; shared: others than this computer's user reach it."""
    keep_s = KEEP_HOURS * 3600
    visitors = Path(tempfile.mkdtemp(prefix="calm-studio-"))
    atexit.register(shutil.rmtree, visitors, ignore_errors=True)
    keep_swept(visitors, keep_s - SWEEP_VISITORS_S, SWEEP_VISITORS_S)
    projects, forgets = shelf.projects_home(), is_public()
    bring_projects(projects)
    if forgets:  # a person's own projects are theirs to delete
        projects.mkdir(parents=True, exist_ok=True)
        keep_swept(projects, keep_s - SWEEP_VISITORS_S, SWEEP_VISITORS_S, shelf.sweep)
    demo: gr.Blocks
    with gr.Blocks(title="CALM Studio", analytics_enabled=False, delete_cache=(SWEEP_S, keep_s - SWEEP_S)) as demo:
        choice = build_backbone(backbone)
        desk = gr.State(Desk(visitors), time_to_live=keep_s, delete_callback=Desk.close)
        current, answers = gr.State(example(), time_to_live=keep_s), gr.State(None, time_to_live=keep_s)
        bench = gr.State(Bench(projects, visitors, forgets or shared, forgets), time_to_live=keep_s, delete_callback=Bench.close)
        status = build_status(forgets)
        with gr.Tabs() as tabs:
            page = Page(studio or Studio(), choice, desk, current, answers, tabs)
            follow_status(status, page, demo, forgets)
            with gr.Tab("Clips", id="clips"):
                clear = build_clips(page, demo)
            with gr.Tab("Learn", id="learn"):
                learn = build_learn(page, bench, demo)
            with gr.Tab("Predict", id="predict"):
                build_predict(page, bench, learn, clear, demo)
                build_recording(page)
            with gr.Tab("Heads", id="heads"):
                build_heads(page, demo)
            with gr.Tab("Review", id="review", elem_id="review-tab"):
                build_review(page, bench, learn, demo)
        tabs.change(None, js=FIT_PLOTS)
    return demo


def bring_projects(projects: Path) -> None:
    """Moves the projects that earlier versions kept in the cache folder, and says so; where it can't be done, the page starts without."""
    try:
        if moved := shelf.move_from_cache(projects):
            log.info("moved %d project%s from the cache folder to %s", len(moved), "s" * (len(moved) > 1), projects)
    except ProjectError as error:
        log.warning("%s", error)


def example() -> Current | None:
    """The classifier that the page opens with, so that the first visitor sees a full heatmap; None where it isn't installed."""
    return Current(Learned(CalmClassifier.load(EXAMPLE_MODEL)), "example", EXAMPLE_MODEL) if EXAMPLE_MODEL.is_file() else None


def reaches_others(host: str, share: bool) -> bool:
    """Whether a page that is served so can be opened from other computers."""
    try:
        return share or (host != "localhost" and not ip_address(host.strip("[]")).is_loopback)
    except ValueError:  # a name: only its network knows
        return True


def launch(demo: gr.Blocks, **options: Any) -> tuple[Any, str, str]:
    """Serves the page with its theme, its limits, and nothing that calls elsewhere."""
    demo.queue(max_size=QUEUE_SIZE, default_concurrency_limit=8)
    return demo.launch(
        theme=THEME,
        css=CSS,
        max_file_size="500mb",
        state_session_capacity=VISITORS_REMEMBERED,
        allowed_paths=[str(EXAMPLES), str(figures.SCRIPT)],
        run_history=False,
        footer_links=["settings"],
        ssr_mode=False,
        **options,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve CALM Studio's page.")
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"), help="address to listen on")
    parser.add_argument("--port", type=int, default=None, help="port; by default the first free one from 7860 on")
    parser.add_argument("--share", action="store_true", help="make a public link, through gradio.live's server")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # an ordinary exit, so that the visitors' files are deleted
    try:
        demo = build_demo(shared=reaches_others(arguments.host, arguments.share))
        launch(demo, server_name=arguments.host, server_port=arguments.port, share=arguments.share)
    except OSError as error:
        if "empty port" not in str(error):  # Gradio's words for a port that is taken
            raise
        where = "every port from 7860 on" if arguments.port is None else f"port {arguments.port}"
        sys.exit(f"CALM Studio can't start: {where} is in use on {arguments.host}. Stop what uses it, or choose another with --port.")


if __name__ == "__main__":
    main()
