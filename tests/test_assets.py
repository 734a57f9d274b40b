"""What ships belongs together: the pocket's files, the example clips, and the classifier made from both."""

from __future__ import annotations

from pathlib import Path

import pytest

from calm_core import CalmClassifier, load_backbone, readers
from calm_core.backbones import POCKET_FOLDER
from calm_core.extraction import origin_of
from calm_core.options import NEUTRAL_PROMPT
from calm_core.studio import Studio
from calm_core.workspace import Workspace

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "assets" / "examples"
ESC10 = ROOT.parent / "shared" / "data" / "esc10"
MOST_POCKET_BYTES = 16 * 2**20


def test_the_pocket_is_small_enough_to_ship() -> None:
    assert (POCKET_FOLDER / "model.safetensors").stat().st_size < MOST_POCKET_BYTES
    assert not [p for p in POCKET_FOLDER.rglob("*") if p.suffix in {".bin", ".pt", ".pkl"}]


def test_the_example_classifier_is_what_the_example_clips_teach(studio: Studio) -> None:
    """Fails when weights, prompt or preprocessing changed without `make examples`."""
    backbone = load_backbone("pocket", "cpu")
    shipped = CalmClassifier.load(EXAMPLES / "example.safetensors", origin=origin_of(backbone, NEUTRAL_PROMPT))
    workspace = studio.add(Workspace(), readers.read(EXAMPLES / "support"))
    assert all(check.reason == "" for check in workspace.checks)
    learned = studio.learn(workspace, backbone, ladder=False)
    assert shipped.class_names == learned.model.class_names
    assert float((shipped.weights - learned.model.weights).abs().max()) < 1e-3
    queries = readers.read_unlabelled([EXAMPLES / "queries"]).clips
    found = studio.predict(shipped, queries, backbone)
    right = [p.label == p.name.rsplit(" ", 1)[0] for p in found]
    assert sum(right) >= 6, [(p.name, p.label) for p in found]


@pytest.mark.skipif(not ESC10.is_dir(), reason="the real recordings of ESC-10 are not beside the project (../shared/data/esc10)")
def test_real_recordings_are_told_apart(studio: Studio) -> None:
    """ESC-10, 5 shots, folds apart: a check of the whole chain, not the reported figure (README)."""
    found, left_out = studio.evaluate(readers.read(ESC10), load_backbone("pocket", "cpu"), shots=[5], episodes=5, by_folds=True)
    accuracy = {row.method: row.accuracy for row in found.results}
    assert (found.n_test, left_out) == (400, ())
    assert accuracy["calm"] >= 0.5
    assert accuracy["calm"] > accuracy["best_head"]
