"""CalmClassifier: what goes in and comes out, calibration, and files that are whole or clearly refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from calm_core import CalmClassifier, FitOptions, HeadVectors
from calm_core.errors import BundleError, CalmError, DataError
from calm_core.vectors import Origin

NAMES = ["bat", "owl", "wren"]
ORIGIN = Origin("fake", "seed-0", "What is it?", "1")


def case(per_class: int = 5, seed: int = 0, noise: float = 1.0) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    means = np.random.default_rng(99).normal(size=(3, 2, 4, 8))
    labels = [name for name in NAMES for _ in range(per_class)]
    x = np.stack([means[NAMES.index(name)] for name in labels]) + noise * rng.normal(size=(len(labels), 2, 4, 8))
    return x.astype(np.float32), labels


def test_arrays_tensors_and_head_vectors_give_the_same_model() -> None:
    x, labels = case()
    array = CalmClassifier.fit(x, labels)
    tensor = CalmClassifier.fit(torch.from_numpy(x), labels)
    vectors = CalmClassifier.fit(HeadVectors(x, np.arange(len(x))), labels)
    for other in (tensor, vectors):
        assert torch.equal(other.weights, array.weights)
    assert array.class_names == tuple(NAMES)
    assert array.centroids.shape == (3, 2, 4, 8)
    assert array.reliability.shape == array.weights.shape == (2, 4, 3)


def test_prediction_and_explanation_agree() -> None:
    x, labels = case()
    model = CalmClassifier.fit(x, labels)
    found = model.predict(x)
    assert found.scores.shape == (15, 3)
    assert found.labels == labels
    assert found.confidence is not None
    assert found.probabilities is not None
    np.testing.assert_allclose(found.probabilities.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(found.confidence, found.probabilities.max(1))
    parts = model.explain(x)
    assert parts.shape == (15, 2, 4, 3)
    np.testing.assert_allclose(parts.sum((1, 2)), found.scores, atol=1e-5)


def test_windows_of_a_clip_are_averaged_and_left_out_together() -> None:
    x, labels = case()
    windows = np.repeat(x, 2, axis=0) + 0.01 * np.random.default_rng(1).normal(size=(30, 2, 4, 8)).astype(np.float32)
    clip = np.repeat(np.arange(15), 2)
    by_clip = CalmClassifier.fit(HeadVectors(windows, clip), labels)
    by_groups = CalmClassifier.fit(windows, [labels[i] for i in clip], groups=[f"clip {i}" for i in clip])
    assert torch.equal(by_clip.weights, by_groups.weights)
    assert len(by_clip.held_out.truth) == 15
    found = by_clip.predict(HeadVectors(windows, clip))
    np.testing.assert_allclose(found.scores, by_clip.predict(windows).scores.reshape(15, 2, 3).mean(1), atol=1e-6)
    # Left out one window at a time, each clip's twin would judge it: far too good.
    twins_apart = CalmClassifier.fit(windows, [labels[i] for i in clip])
    assert twins_apart.reliability.mean() > by_clip.reliability.mean()


def test_held_out_scores_are_literal_refits() -> None:
    x, labels = case(per_class=3)
    model = CalmClassifier.fit(x, labels)
    assert model.held_out.how == "leave-one-out"
    for i in (0, 4, 8):
        rest = [j for j in range(9) if j != i]
        refitted = CalmClassifier.fit(x[rest], [labels[j] for j in rest])
        np.testing.assert_allclose(model.held_out.scores[i], refitted.predict(x[i : i + 1]).scores[0], atol=1e-6)


def test_few_clips_give_no_confidence_and_say_so() -> None:
    x, labels = case(per_class=2)
    found = CalmClassifier.fit(x, labels).predict(x)
    assert found.confidence is None
    assert "needs at least 10" in found.note


def test_confidence_on_noise_is_not_near_certain() -> None:
    x, labels = case(per_class=6, noise=6.0)
    model = CalmClassifier.fit(x, labels)
    found = model.predict(np.random.default_rng(3).normal(size=(200, 2, 4, 8)))
    assert found.confidence is not None
    assert found.confidence.mean() < 0.7


def test_one_clip_in_a_class_is_warned_about_and_uniform() -> None:
    x, labels = case()
    model = CalmClassifier.fit(x[:11], labels[:11])
    assert "no second clip of class 'wren'" in model.warnings[0]
    np.testing.assert_allclose(model.weights[..., 2], 1 / 8)
    assert model.held_out.valid.tolist() == [True] * 10 + [False]


def test_holdout_and_class_order() -> None:
    x, labels = case(per_class=8)
    model = CalmClassifier.fit(
        x[::2], labels[::2], options=FitOptions(reliability="holdout"), holdout=(x[1::2], labels[1::2]), class_names=["wren", "owl", "bat"]
    )
    assert model.class_names == ("wren", "owl", "bat")
    assert model.predict(x[1::2]).labels == labels[1::2]


def test_save_and_load_is_exact(tmp_path: Path) -> None:
    x, labels = case()
    model = CalmClassifier.fit(HeadVectors(x, np.arange(15), ORIGIN), labels, options=FitOptions(tau=0.03, tau_w=0.5, top_k=4))
    model.save(tmp_path / "owls.safetensors")
    again = CalmClassifier.load(tmp_path / "owls.safetensors", origin=ORIGIN)
    assert (again.class_names, again.options, again.origin) == (model.class_names, model.options, model.origin)
    assert again.temperature == model.temperature
    np.testing.assert_array_equal(again.predict(x).scores, model.predict(x).scores)
    np.testing.assert_array_equal(again.held_out.scores, model.held_out.scores)


def test_damaged_foreign_and_edited_files_are_refused(tmp_path: Path) -> None:
    x, labels = case()
    path = tmp_path / "owls.safetensors"
    CalmClassifier.fit(x, labels).save(path)
    whole = path.read_bytes()

    with pytest.raises(BundleError, match="no file"):
        CalmClassifier.load(tmp_path / "gone.safetensors")
    for cut in (0, 5, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(BundleError, match="not a whole safetensors file"):
            CalmClassifier.load(path)
    path.write_bytes(b"RIFF" + whole[4:])
    with pytest.raises(BundleError):
        CalmClassifier.load(path)
    save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(BundleError, match="not a CALM classifier"):
        CalmClassifier.load(path)
    path.write_bytes(whole[:-4] + bytes(b ^ 1 for b in whole[-4:]))
    with pytest.raises(BundleError, match="checksum"):
        CalmClassifier.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"format_version": 99}, "format version 99"), ({"class_names": ["a", "b", "c"]}, "checksum"), (None, "damaged"), ([], "damaged")],
)
def test_edited_headers_are_refused(tmp_path: Path, change: object, message: str) -> None:
    x, labels = case()
    path = tmp_path / "owls.safetensors"
    CalmClassifier.fit(x, labels).save(path)
    size = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]["calm-classifier"])
    text = json.dumps({**header, **change}) if isinstance(change, dict) else "{" if change is None else json.dumps(change)
    save_file(load_file(path), path, metadata={"calm-classifier": text})
    with pytest.raises(BundleError, match=message):
        CalmClassifier.load(path)


def test_another_backbone_or_prompt_is_refused(tmp_path: Path) -> None:
    x, labels = case()
    model = CalmClassifier.fit(HeadVectors(x, np.arange(15), ORIGIN), labels)
    model.save(tmp_path / "m.safetensors")
    other = replace(ORIGIN, prompt="How loud is it?")
    with pytest.raises(BundleError, match="prompt: 'What is it\\?' / 'How loud is it\\?'"):
        CalmClassifier.load(tmp_path / "m.safetensors", origin=other)
    with pytest.raises(BundleError, match="backbone"):
        model.predict(HeadVectors(x, np.arange(15), replace(ORIGIN, backbone="whisper")))


HOLDOUT = FitOptions(reliability="holdout")
N15 = np.arange(15)
OTHER = HeadVectors(case()[0], N15, replace(ORIGIN, prompt="How loud is it?"))


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    x, labels = case()
    with pytest.raises(BundleError, match="choose a folder that exists"):
        CalmClassifier.fit(x, labels).save(tmp_path / "gone" / "m.safetensors")


def test_parts_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    """Edited by someone who knows how to renew the checksum."""
    x, labels = case()
    model = CalmClassifier.fit(x, labels)
    replace(model, class_names=("bat", "owl")).save(tmp_path / "m.safetensors")
    with pytest.raises(BundleError, match="another shape"):
        CalmClassifier.load(tmp_path / "m.safetensors")


def test_wrong_shapes_and_labels_are_named() -> None:
    x, labels = case()
    model = CalmClassifier.fit(x, labels)
    calls = [
        (lambda: CalmClassifier.fit(x, labels[:-1]), "14 labels for 15 clips"),
        (lambda: CalmClassifier.fit(x, ["owl"] * 15), "at least one more class"),
        (lambda: CalmClassifier.fit(x, labels, class_names=["bat", "owl"]), "'wren' is none of the classes"),
        (lambda: CalmClassifier.fit(x[:, 0], labels), "shape"),
        (lambda: model.predict(x[:, :1]), "the classifier \\(2, 4, 8\\)"),
        (lambda: model.predict(np.full_like(x, np.nan)), "NaN"),
        (lambda: model.predict(HeadVectors(x, np.arange(15)), groups=[1] * 15), "already know"),
        (lambda: CalmClassifier.fit(x, labels, groups=[1, 2]), "clip numbers"),
        (lambda: CalmClassifier.fit(x, labels, groups=[0, 1, 2, 3, 4] * 3), "more than one class"),
        (lambda: CalmClassifier.fit(x, labels, holdout=(x, labels)), "reliability is 'leave_one_out'"),
        (lambda: CalmClassifier.fit(x, labels, options=HOLDOUT, holdout=(x * np.nan, labels)), "NaN"),
        (lambda: CalmClassifier.fit(HeadVectors(x, N15, ORIGIN), labels, options=HOLDOUT, holdout=(OTHER, labels)), "prompt"),
    ]
    for call, message in calls:
        with pytest.raises(DataError, match=message):
            call()
    assert issubclass(DataError, CalmError)


def test_sets_rule_out_what_does_not_fit() -> None:
    x, labels = case(per_class=10)
    found = CalmClassifier.fit(x, labels, null=False).predict(x)
    sets = found.sets()
    assert sets is not None
    assert sum(label in known for label, known in zip(labels, sets, strict=True)) >= 27
    assert np.mean([len(known) for known in sets]) < 1.5
    assert found.sets(coverage=0.0) == [()] * 30  # p-values are at most 1
    foreign = np.random.default_rng(5).normal(size=(200, 2, 4, 8)).astype(np.float32)
    nothing = CalmClassifier.fit(x, labels, null=False).predict(foreign).sets()
    assert nothing is not None
    assert np.mean([not known for known in nothing]) > 0.9
    assert CalmClassifier.fit(*case(per_class=2), null=False).predict(x).sets() is None


def test_a_wrong_label_is_suspicious() -> None:
    x, labels = case(per_class=10)
    assert CalmClassifier.fit(x, labels, null=False).suspicious == ()
    labels[3] = "owl"  # is a bat
    (flag,) = CalmClassifier.fit(x, labels, null=False).suspicious
    assert (flag.clip, NAMES[flag.given], NAMES[flag.predicted]) == (3, "owl", "bat")


def test_only_heads_that_know_something_are_above_chance() -> None:
    marked = np.zeros((4, 8, 2))
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(24, 4, 8, 16)).astype(np.float32)
        labels = ["a", "b"] * 12
        x[:, 2, 3] += np.resize([2.0, -2.0], 24)[:, None]  # one head alone tells a from b
        marked += CalmClassifier.fit(x, labels).above_chance
    assert (marked[2, 3] == 20).all()
    others = np.delete(marked.reshape(32, 2), 2 * 8 + 3, axis=0)
    assert others.mean() / 20 == pytest.approx(0.05, abs=0.02)
    model = CalmClassifier.fit(x, labels, null=False)
    assert not model.above_chance.any()
    assert model.chance.isnan().all()
