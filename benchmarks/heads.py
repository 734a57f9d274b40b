"""How fast the tab Heads answers, at 32 x 32 heads, 10 classes and 20 clips of each: server time, page time, and bytes per figure.

    python benchmarks/heads.py [--layers 32] [--heads 32] [--classes 10] [--clips 20]

Server time is that of the calls themselves. Page time is what a visitor waits in a browser on the same machine: from the click on Learn,
all vectors being known, until the maps are drawn, which the page doesn't let wait for the comparison with simpler methods; and, that being
stopped, from switching a head off until the new accuracy stands there. The vectors there are a fake backbone's.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.page import CHROMIUM, OneBackbone, home, opened, told, tones
from calm_core import figures, readers
from calm_core.backbones.fake import FakeBackbone
from calm_core.classifier import CalmClassifier, Refit
from calm_core.inspection import Workbench, class_similarity, layer_profile
from calm_core.options import ExtractOptions, FitOptions
from calm_core.vectors import HeadVectors

HEAD_DIM = 128
MOST_KB = 300


def server(layers: int, heads: int, classes: int, clips: int) -> None:
    """Times the calls, and weighs the figures that they give."""
    rng, truth = np.random.default_rng(0), np.arange(classes * clips) % classes
    x = rng.normal(size=(len(truth), layers, heads, HEAD_DIM)).astype(np.float32)
    x[:, layers // 2, : heads // 4, :classes] += 3 * np.eye(classes, dtype=np.float32)[truth][:, None]
    labels = [f"class {c}" for c in truth]
    refits: list[Refit] = []
    model = told("fit, held-out clips and chance level", lambda: CalmClassifier.fit(x, labels, options=FitOptions(), keep=refits.append))
    names, r = model.class_names, model.reliability
    maps = told("reliability maps", lambda: figures.reliability_maps(r, names, judged=model.judged, above=model.above_chance))
    bench = Workbench(model, HeadVectors(x, np.arange(len(truth))), labels, refits)
    card = told("card of a head", lambda: bench.card(layers // 2, 0))
    on = np.ones((layers, heads), dtype=bool)
    on[layers // 2, 0] = False
    told("first toggle of a head", lambda: bench.with_heads(on))
    on[layers // 2, 1] = False
    told("next toggle", lambda: bench.with_heads(on))
    told("top-k", lambda: bench.with_heads(on, replace(model.options, top_k=20)))
    told("first other tau", lambda: bench.with_heads(on, replace(model.options, tau=0.1)))
    told("next other tau", lambda: bench.with_heads(on, replace(model.options, tau=0.2)))
    curve = told("ablation curve", bench.ablation)
    clip_names = [f"clip {i}.wav" for i in range(len(truth))]
    similarity, order = class_similarity(model.weights.numpy())
    mel, hz = -80 * rng.random((64, 3000)), np.linspace(50, 8000, 64)  # 30 s
    windows = rng.dirichlet(np.ones(classes), 3600)  # an hour
    drawn = {
        "maps": maps,
        "heads in order": figures.sorted_reliability(r[:, :, 0], names[0], 0.1),
        "layers": figures.layer_profile(*layer_profile(r[:, :, 0].numpy()), names[0]),
        "card: reliability": figures.head_reliability(names, card.reliability, card.low, card.high, 0),
        "card: confusion": figures.confusion_matrix(card.confusion, names),
        "card: clips": figures.clip_map(card.map, card.explained, card.truth.tolist(), names, clip_names),
        "difference": figures.difference_map(r, names, 0, 1),
        "similarity": figures.class_similarity(similarity, names, order),
        "ablation": figures.ablation_curve(curve.kept, curve.best_first, curve.worst_first, curve.random, 1 / classes),
        "contributions": figures.contribution_map(model.explain(x[:1])[0][:, :, 0], "what each head said"),
        "listening map": figures.listening_map(mel, 30.0, hz, 0.04 * np.arange(750), rng.dirichlet(np.ones(750)), 1 / 750),
        "timeline": figures.class_curves(np.arange(3601.0), windows, names, 0.8, windows.max(1) < 0.5),
    }
    for name, figure in drawn.items():
        size = len(figure.to_json()) / 1000
        print(f"{name:<52}{size:9.1f} kB{f', above {MOST_KB} kB' if size > MOST_KB else ''}")


def page(layers: int, heads: int, classes: int, clips: int) -> None:
    """Times what a visitor waits for."""
    from playwright.sync_api import expect

    with home() as folder:
        sounds = tones(folder / "sounds", classes, clips)
        studio = OneBackbone(FakeBackbone(layers, heads, HEAD_DIM))
        studio.vectors(readers.read_folder(sounds).clips, studio.fake, ExtractOptions())
        with opened(studio) as tab:
            tab.locator("#clips-zip input[type=file]").set_input_files(shutil.make_archive(str(sounds), "zip", sounds))
            expect(tab.locator("#clips-progress")).to_contain_text("Added")
            tab.get_by_role("tab", name="Learn").click()

            def learn() -> None:
                tab.locator("#learn-button").click()
                tab.get_by_role("tab", name="Heads").click()
                tab.wait_for_function(
                    "n => document.querySelector('#heads-maps .js-plotly-plot')?.data.filter((t) => t.type === 'heatmap').length === n",
                    arg=classes,
                )

            def toggle(left: int) -> None:
                tab.locator("#if-switch").click()
                expect(tab.locator("#if-result")).to_contain_text(f"with {left} of")

            told("page: from Learn, vectors known, to maps drawn", learn)
            expect(tab.locator("#head-card")).to_be_visible()
            tab.get_by_role("tab", name="Learn").click()
            tab.locator("#learn-compare-stop").click()
            expect(tab.locator("#learn-comparing")).to_contain_text("stopped")
            tab.get_by_role("tab", name="Heads").click()
            told("page: first toggle to new accuracy", lambda: toggle(layers * heads - 1))
            told("page: next toggle to new accuracy", lambda: toggle(layers * heads))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("layers", 32), ("heads", 32), ("classes", 10), ("clips", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    size = vars(parser.parse_args())
    server(**size)
    if CHROMIUM:
        page(**size)
    else:
        print("page times were not measured: there is no chromium here")


if __name__ == "__main__":
    main()
