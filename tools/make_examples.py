"""Makes assets/examples: a few generated clips of four classes, queries, and the classifier that the pocket learns from them.

    python tools/make_examples.py        (or: make examples)

Run it again whenever the pocket's weights, the prompt or the bundle's format change; a test says so when they no longer fit.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a script: the rooms are found from the repository root

from calm_core import VectorStore, readers  # noqa: E402
from calm_core.studio import Studio  # noqa: E402
from calm_core.workspace import Workspace  # noqa: E402
from tools import synth  # noqa: E402

EXAMPLES = ROOT / "assets" / "examples"
# Families that the pocket was never trained on: on those it knows, every head is right and the maps show nothing.
CLASSES = {"goose": "goose honk", "lion": "lion roar", "dolphin": "dolphin", "pigeon": "pigeon coo"}
SUPPORT_CLIPS, QUERY_CLIPS = 6, 2  # per class
SECONDS = 4.0
HISS = 0.005  # white noise of a plain recorder, full scale 1
SEED = 7


def write_clips() -> None:
    rng = np.random.default_rng(SEED)
    for folder in ("support", "queries"):
        shutil.rmtree(EXAMPLES / folder, ignore_errors=True)
    for name, family in CLASSES.items():
        for i in range(SUPPORT_CLIPS + QUERY_CLIPS):
            wave = 0.5 * synth.render(family, rng, SECONDS) + HISS * rng.standard_normal(round(SECONDS * synth.SAMPLE_RATE_HZ))
            path = EXAMPLES / "support" / name / f"{i + 1}.ogg" if i < SUPPORT_CLIPS else EXAMPLES / "queries" / f"{name} {i + 1}.ogg"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, wave, synth.SAMPLE_RATE_HZ, format="OGG", subtype="VORBIS")


def learn() -> None:
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(VectorStore(Path(folder)))
        backbone = studio.backbone("pocket", "cpu")
        workspace = studio.add(Workspace(), readers.read(EXAMPLES / "support"))
        learned = studio.learn(workspace, backbone, ladder=False)
        learned.model.save(EXAMPLES / "example.safetensors")
        print(f"{learned.model.held_out.how} accuracy {learned.accuracy}")
        for found in studio.predict(learned.model, readers.read_unlabelled([EXAMPLES / "queries"]).clips, backbone):
            print(found.name, found.label, found.confidence)


if __name__ == "__main__":
    write_clips()
    learn()
