"""The use-cases end to end on the fake backbone: collect, learn, predict, evaluate, with bad clips among the good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from calm_core import readers, selection
from calm_core.backbones.fake import FakeBackbone
from calm_core.classifier import CalmClassifier
from calm_core.confidence import HeldOut
from calm_core.dataset import Clip, Dataset
from calm_core.errors import BundleError, Cancelled, DataError, OptionError
from calm_core.extraction import origin_of
from calm_core.options import EACH_ITS_OWN, ExtractOptions, FitOptions
from calm_core.studio import Learned, Studio, spectrogram
from calm_core.workspace import Workspace

from .conftest import RATE_HZ, TONES_HZ, tone

Write = Callable[..., Path]


@pytest.fixture
def workspace(studio: Studio, class_folders: Path) -> Workspace:
    return studio.add(Workspace(), readers.read(class_folders))


def test_learn_and_predict(studio: Studio, workspace: Workspace, fake_backbone: FakeBackbone, tmp_path: Path, write_wav: Write) -> None:
    assert workspace.class_counts == dict.fromkeys(sorted(TONES_HZ), 4)
    steps: list[tuple[int, int, str]] = []
    learned = studio.learn(workspace, fake_backbone, progress=lambda *step: steps.append(step))
    assert learned.accuracy.value == 1.0
    assert learned.confusion.tolist() == (4 * np.eye(3, dtype=int)).tolist()
    assert [row.method for row in learned.ladder][:3] == ["calm_auto", "calm", "uniform"]
    assert {(6, 12, f"class {name}") for name in TONES_HZ} & set(steps)

    silent = write_wav(tmp_path / "silent.wav", np.zeros(RATE_HZ, np.float32))
    queries = [write_wav(tmp_path / "low.wav", tone(210, 0.7, seed=50)), silent, write_wav(tmp_path / "high.wav", tone(3100, 0.7, seed=51))]
    found = studio.predict(learned.model, readers.read_unlabelled(queries).clips, fake_backbone)
    assert [p.label for p in found] == ["low", "", "high"]
    assert "silent.wav" in found[1].error
    assert found[0].confidence is not None
    assert [p.prediction_set for p in found] == [("low",), None, ("high",)]
    np.testing.assert_allclose(found[0].contributions.sum((0, 1)), found[0].scores, rtol=1e-4)
    np.testing.assert_allclose(found[0].evidence.sum(-1), 0, atol=1e-6)


def test_nothing_is_learned_from_what_was_left_out(studio: Studio, workspace: Workspace, fake_backbone: FakeBackbone) -> None:
    out = [check.clip for check in workspace.of_class("low")[:2]]
    without = workspace.excluding(out)
    assert without.class_counts == {"high": 4, "low": 2, "mid": 4}
    assert [check.clip.name for check in without.left_out] == [clip.name for clip in out]
    assert len(studio.learn(without, fake_backbone, ladder=False).clips) == 10
    moved = without.relabelled([check.clip for check in without.left_out], "mid")
    assert (moved.class_counts, len(moved.left_out)) == (without.class_counts, 2)
    assert without.excluding([check.clip for check in without.left_out], excluded=False) == workspace


def test_tuned_on_the_clips_the_scores_stay_votes(studio: Studio, workspace: Workspace, fake_backbone: FakeBackbone) -> None:
    learned = studio.learn(workspace, fake_backbone, options=FitOptions(auto=True), ladder=False)
    assert learned.model.options.pooling == "log"  # 12 clips, all told apart: nothing speaks for the paper's sum
    found = studio.predict(learned.model, [check.clip for check in workspace.checks[:3]], fake_backbone)
    for p in found:
        assert 0 <= p.scores.min() <= p.scores.max() <= 1
        assert learned.model.class_names[int(p.scores.argmax())] == p.label
        np.testing.assert_allclose(np.exp(p.contributions.sum((0, 1))), p.scores, rtol=1e-4)


class Shallow(FakeBackbone):
    """Only its first two layers hear anything. Notes how many layers it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._projection[2:] = 0
        self.asked: list[int | None] = []

    def read(self, prepared, layers=None):  # type: ignore[no-untyped-def]
        self.asked.append(layers)
        return super().read(prepared, layers)


def test_a_sparse_model_leaves_the_backbone_behind_its_deepest_head(
    studio: Studio, workspace: Workspace, tmp_path: Path, write_wav: Write
) -> None:
    """With the answers, the reasons and the sets of the whole pass; and the part that was read never passes for the whole."""
    backbone = Shallow()
    learned = studio.learn(workspace, backbone, options=FitOptions(top_k=3), ladder=False)
    assert learned.model.layers == 2
    queries = [Clip(write_wav(tmp_path / f"{hz}.wav", tone(hz, seed=hz)), f"{hz}.wav", None) for hz in (210, 950, 3100)]
    part = studio.predict(learned.model, queries, backbone)
    assert backbone.asked[-1] == 2
    whole = studio.vectors(queries, backbone, ExtractOptions())
    assert backbone.asked[-1] is None  # what was read of the clips before wasn't taken for the whole
    found = learned.model.predict(whole)
    assert [p.label for p in part] == found.labels == ["low", "mid", "high"]
    assert [p.prediction_set for p in part] == found.sets()
    np.testing.assert_array_equal([p.scores for p in part], found.scores)
    np.testing.assert_array_equal([p.probabilities for p in part], found.probabilities)
    np.testing.assert_array_equal([p.contributions for p in part], learned.model.explain(whole))

    heads = part[0].heads
    assert heads is not None
    everything = studio.learn(workspace, backbone, options=FitOptions(scheme="brier"), ladder=False).model
    assert everything.layers == 4
    assert studio.learn(workspace, backbone, options=FitOptions(top_k=3, whiten=0.2), ladder=False).model.layers == 4
    with pytest.raises(DataError, match="only the first 2 layers, the classifier asks heads up to layer 4"):
        everything.predict(heads)
    with pytest.raises(DataError, match="only the first 2 layers; extract them whole"):
        CalmClassifier.fit(studio.vectors(queries, backbone, ExtractOptions(), layers=2), ["a", "b", "c"])


def test_the_comparison_is_the_same_when_it_comes_later(
    studio: Studio, workspace: Workspace, fake_backbone: FakeBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was chosen on the clips isn't chosen again."""
    at_once = studio.learn(workspace, fake_backbone, options=FitOptions(auto=True))
    later = studio.learn(workspace, fake_backbone, options=FitOptions(auto=True), ladder=False)
    assert later.ladder == ()
    monkeypatch.setattr("calm_core.selection.choose", lambda *_, **__: pytest.fail("chosen twice"))
    assert studio.compare(later, fake_backbone) == at_once.ladder
    assert at_once.ladder[0].accuracy == later.accuracy.value
    with pytest.raises(Cancelled, match="comparing with simpler methods"):
        studio.compare(later, fake_backbone, cancelled=iter([False] * 13 + [True]).__next__)
    with pytest.raises(DataError, match="without the clips"):
        studio.compare(Learned(later.model), fake_backbone)


def test_learning_again_makes_no_forward_pass(studio: Studio, workspace: Workspace, fake_backbone: FakeBackbone) -> None:
    studio.learn(workspace, fake_backbone, ladder=False)
    seen = fake_backbone.windows_seen
    studio.learn(workspace, fake_backbone)
    assert fake_backbone.windows_seen == seen


def test_bad_clips_cost_only_themselves(studio: Studio, workspace: Workspace, tmp_path: Path, write_wav: Write) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"not sound at all")
    clipped = np.clip(10 * tone(500), -1, 1)
    more = [Clip(broken, "owl/broken.wav", "owl"), Clip(write_wav(tmp_path / "loud.wav", clipped), "owl/loud.wav", "owl")]
    grown = studio.add(workspace, Dataset(tuple(more), (("notes.txt", "not audio"),)))
    by_name = {check.clip.name: check for check in grown.checks}
    assert str(by_name["owl/broken.wav"].status) == "unreadable"
    assert by_name["owl/loud.wav"].usable
    assert grown.class_counts["owl"] == 1
    assert grown.ignored == (("notes.txt", "not audio"),)
    assert len(grown.usable) == 13


def test_one_class_cannot_learn_and_says_what_to_do(studio: Studio, workspace: Workspace, fake_backbone: FakeBackbone) -> None:
    one = Workspace(tuple(check for check in workspace.checks if check.clip.label == "low"))
    assert not one.can_learn
    with pytest.raises(DataError, match="At least two classes"):
        studio.learn(one, fake_backbone)


def test_cancel_stops_between_batches(studio: Studio, workspace: Workspace, fake_backbone: FakeBackbone) -> None:
    with pytest.raises(Cancelled):
        studio.learn(workspace, fake_backbone, cancelled=lambda: True)


@pytest.mark.parametrize("phase", ["testing ways to weigh the heads", "testing on clips it has not heard"])
def test_cancel_stops_in_every_phase_of_learning(studio: Studio, workspace: Workspace, fake_backbone: FakeBackbone, phase: str) -> None:
    said: list[str] = []
    with pytest.raises(Cancelled, match="while learning"):
        studio.learn(
            workspace,
            fake_backbone,
            options=FitOptions(auto=True),
            progress=lambda _done, _total, what: said.append(what),
            cancelled=lambda: phase in said,
        )
    assert said.count(phase) == 1


def test_cancel_stops_a_comparison_while_it_chooses(
    studio: Studio, workspace: Workspace, fake_backbone: FakeBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = studio.learn(workspace, fake_backbone, ladder=False)
    began, ended, choose = Event(), Event(), selection.choose

    def watched(*args: Any, **keywords: Any) -> FitOptions:
        began.set()
        found = choose(*args, **keywords)
        ended.set()
        return found

    monkeypatch.setattr(selection, "choose", watched)
    with pytest.raises(Cancelled, match="comparing with simpler methods"):
        studio.compare(learned, fake_backbone, cancelled=began.is_set)
    assert began.is_set()
    assert not ended.is_set()


def test_a_model_of_another_backbone_or_prompt_is_refused(studio: Studio, workspace: Workspace, fake_backbone: FakeBackbone) -> None:
    learned = studio.learn(workspace, fake_backbone, ladder=False)
    clips = [check.clip for check in workspace.checks[:1]]
    with pytest.raises(BundleError, match="revision"):
        studio.predict(learned.model, clips, FakeBackbone(seed=1))
    with pytest.raises(BundleError, match="prompt"):
        studio.predict(learned.model, clips, fake_backbone, prompt="Which bird?")


def test_multiple_choice_is_marked_and_no_model_of_it_answers(
    studio: Studio, class_folders: Path, write_wav: Write, fake_backbone: FakeBackbone
) -> None:
    for i in range(4):
        write_wav(class_folders / "top" / f"{i}.wav", tone(6000 + 50 * i, seed=i))
    data = readers.read(class_folders)
    asked: list[str] = []

    class Questioned(FakeBackbone):
        def prepare(self, waveform, prompt):  # type: ignore[no-untyped-def]
            asked.append(prompt)
            return super().prepare(waveform, prompt)

    found, _ = studio.evaluate(data, Questioned(), shots=[2], episodes=2, multiple_choice=True)
    assert "four options of which one is its class, as in the paper, which leaks the answer" in found.protocol
    assert "zero_shot" not in {row.method for row in found.results}
    assert len(asked) == 16
    assert all(prompt.startswith("What sound is this? Choose one of these:\nA. ") for prompt in asked)
    studio.evaluate(data, Questioned(), shots=[2], episodes=2, seed=1, multiple_choice=True)
    assert len(asked) == 16  # the same sound is asked the same

    origin = origin_of(fake_backbone, EACH_ITS_OWN)
    vectors = studio.vectors(data.clips, fake_backbone, ExtractOptions(), prompts=asked)
    assert vectors.origin == origin
    model = CalmClassifier.fit(vectors, [str(clip.label) for clip in data.clips], null=False)
    with pytest.raises(BundleError, match="a question of its own"):
        studio.predict(model, data.clips[:1], fake_backbone)


def test_multiple_choice_needs_four_classes(studio: Studio, class_folders: Path, fake_backbone: FakeBackbone) -> None:
    with pytest.raises(OptionError, match="needs 4 classes"):
        studio.evaluate(readers.read(class_folders), fake_backbone, shots=[2], episodes=2, multiple_choice=True)


def test_evaluate_by_folds_never_mixes_them(studio: Studio, class_folders: Path, fake_backbone: FakeBackbone) -> None:
    rows = [f"{path.relative_to(class_folders)},{path.parent.name},{path.stem}" for path in sorted(class_folders.glob("*/*.wav"))]
    (class_folders / "metadata.csv").write_text("file_name,label,fold\n" + "\n".join(rows))
    data = readers.read(class_folders)
    found, left_out = studio.evaluate(data, fake_backbone, shots=[1, 2], episodes=4, by_folds=True)
    assert (found.n_test, found.n_classes, left_out) == (12, 3, ())
    assert {row.shots for row in found.results} == {1, 2}
    assert all(0 <= row.ci_low <= row.accuracy <= row.ci_high <= 1 for row in found.results)
    again, _ = studio.evaluate(data, fake_backbone, shots=[1, 2], episodes=4, by_folds=True)
    assert again.results == found.results
    with pytest.raises(DataError, match="independent clips"):
        studio.evaluate(data, fake_backbone, shots=[4], episodes=1, by_folds=True)
    with pytest.raises(DataError, match="at least 1"):
        studio.evaluate(data, fake_backbone, shots=[1], episodes=0)


def test_folds_that_are_not_there_are_asked_for(studio: Studio, class_folders: Path, fake_backbone: FakeBackbone) -> None:
    with pytest.raises(DataError, match="has no fold"):
        studio.evaluate(readers.read(class_folders), fake_backbone, shots=[1], episodes=1, by_folds=True)


def test_spectrogram_shows_the_tone_at_its_frequency(tmp_path: Path, write_wav: Write) -> None:
    found = spectrogram(write_wav(tmp_path / "a.wav", tone(1000, 1.0, noise=0.0)))
    loudest = found.frequencies_hz[found.decibels.mean(1).argmax()]
    assert abs(loudest - 1000) < 80
    assert found.seconds == pytest.approx(1.0)
    assert found.decibels.max() == 0


def test_a_wrong_label_is_doubted_until_it_is_mended(studio: Studio, workspace: Workspace, fake_backbone: FakeBackbone) -> None:
    wrong = next(check.clip for check in workspace.checks if check.clip.label == "low")
    learned = studio.learn(workspace.relabelled([wrong], "high"), fake_backbone, ladder=False)
    (doubt,) = learned.doubts
    assert (doubt.clip, doubt.given, doubt.predicted) == (replace(wrong, label="high"), "high", "low")
    assert 0 < doubt.probability < 0.1
    mended = workspace.relabelled([wrong], "high").relabelled([doubt.clip], doubt.predicted)
    assert mended == workspace
    assert studio.learn(mended, fake_backbone, ladder=False).doubts == ()


def learned_with(truth: list[int], predicted: list[int], names: tuple[str, ...]) -> Learned:
    """What learning gives where held-out clips of these classes were taken for those."""
    scores = np.eye(len(names), dtype=np.float32)[predicted]

    class Model:
        class_names = names
        held_out = HeldOut(np.array(truth), scores, scores, len(truth))

    return Learned(Model())


def test_numbers_that_say_nothing_are_named_with_what_to_record() -> None:
    learned = learned_with([0] * 6 + [1] * 3 + [2] * 2, [0] * 6 + [1] * 3 + [2, 0], ("bat", "owl", "wren"))
    (line,) = learned.advice
    assert "‘wren’ (1 of 2 right, which fits anything from 9 % to 91 %), ‘owl’ (3 of 3 right" in line
    assert "Record more of ‘wren’ first" in line
    assert "‘bat’" not in line
    assert learned_with([0] * 6 + [1] * 6, [0] * 6 + [1] * 6, ("bat", "owl")).advice == ()
    (line,) = learned_with([0] * 6 + [1] * 3, [0] * 6 + [1] * 3, ("bat", "owl", "wren")).advice
    assert "how well this class is recognised: ‘owl’" in line
    assert "Record more of ‘wren’ first" in line  # it has no test at all


def test_of_many_vague_classes_the_vaguest_are_named() -> None:
    names = tuple(f"c{i}" for i in range(6))
    (line,) = learned_with([0, 1, 2, 3, 4, 5] * 2, [0, 1, 2, 3, 4, 5] * 2, names).advice
    assert "‘c2’" in line
    assert "‘c3’" not in line
    assert "3 more classes" in line
