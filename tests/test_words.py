"""What the page says: clips, answers, doubts and numbers in words, every name that a visitor chose escaped."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import app
from calm_core.classifier import CalmClassifier
from calm_core.confidence import HeldOut
from calm_core.dataset import Clip
from calm_core.evaluation import MethodResult
from calm_core.inspection import Ablation
from calm_core.options import FitOptions
from calm_core.studio import ClipPrediction, Doubt, Learned, Studio
from calm_core.vectors import HeadVectors
from calm_ui import clip_words, head_words, learn_words, predict_words, words
from calm_ui.intake import from_class
from calm_ui.session import Answers, Current, Desk

from .desks import clips_of, wav


def test_names_are_escaped_in_html(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.add(lambda into: from_class("<img src=x>", [wav(tmp_path / "a.wav", 300)], None, into), Studio().add)
    checks = desk.session.workspace.checks
    for said in (clip_words.class_cards(desk.session.workspace, 4, lambda _: ""), clip_words.class_title("<img src=x>", checks)):
        assert "<img" not in said
        assert "&lt;img" in said
    assert "<img" not in clip_words.tiles([replace(checks[0], clip=replace(checks[0].clip, name="<img>"))], 0, 24, lambda _: "")
    assert "<img" not in clip_words.clip_title(desk.session.workspace.checks[0])
    assert "<img" not in words.bullets(desk.session.workspace.advice)


def test_a_class_shows_some_of_its_clips_at_a_time(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    clips_of(tmp_path, desk, 300, 700, 900)
    checks = desk.session.workspace.of_class("owl")
    shown = clip_words.tiles(checks, 2, 2, lambda path: f"picture of {path.name}")
    assert ("900.wav" in shown, "700.wav" in shown, "tick these 1 of 3" in shown) == (True, False, True)
    assert clip_words.clip_key(checks[2].clip) in shown
    assert "tick all" in clip_words.tiles(checks, 0, 24, lambda _: "")
    assert "No clip of this class" in clip_words.tiles([], 0, 24, lambda _: "")
    card = clip_words.class_cards(desk.session.workspace, 2, lambda path: f"picture of {path.name}")
    assert card.count("<img") == 2
    assert "+1</small>" in card
    assert "+" not in clip_words.class_cards(desk.session.workspace, 3, lambda _: "")
    assert len({clip_words.clip_key(check.clip) for check in checks}) == 3
    assert clip_words.clip_key(checks[0].clip) != clip_words.clip_key(replace(checks[0].clip, label="bat"))


def test_only_what_was_learned_from_clips_here_can_be_corrected(tmp_path: Path) -> None:
    desk, row = Desk(tmp_path), ClipPrediction("a.wav", tmp_path / "a.wav", label="owl")
    for label, hz in (("owl", 300), ("bat", 700)):
        desk.add(lambda into, hz=hz, label=label: from_class(label, [wav(tmp_path / f"{hz}.wav", hz)], None, into), Studio().add)
    here, there = Current(Learned(None), "clips"), Current(Learned(None), "example")
    assert predict_words.no_correction(here, desk.session.workspace, row) == ""
    assert "learn first" in predict_words.no_correction(there, desk.session.workspace, row)
    assert "nothing to correct" in predict_words.no_correction(here, desk.session.workspace, replace(row, error="silent"))
    desk.clear()
    assert "learn first" in predict_words.no_correction(here, desk.session.workspace, row)
    assert "Learn again" not in learn_words.stale(Current(Learned(None, clips=(row,)), "clips"), desk.session.workspace)


@pytest.mark.parametrize(("judges", "said"), [("leave_one_out", "had not seen"), ("resubstitution", "it learned from")])
def test_the_heads_caption_says_which_clips_judged_them(judges: str, said: str) -> None:
    class Model:
        options = FitOptions(auto=False, reliability=judges)
        class_names = ("owl", "bat")
        reliability = torch.tensor([[[0.98, 0.2], [0.99, 0.9]]])

    current = Current(Learned(Model()), "clips")
    assert said in head_words.heads_caption(current)
    assert "All heads know ‘owl’ about equally well" in head_words.heads_caption(current)
    assert "had not seen" in head_words.heads_caption(None)


# ---- answers ----


NAMES = ("bat", "owl", "wren")


def answered(prediction_set: tuple[str, ...] | None, label: str = "owl") -> ClipPrediction:
    """An answer of 80 % 'owl', or of the label."""
    share = np.full(3, 0.1, np.float32)
    share[NAMES.index(label)] = 0.8
    few = prediction_set is None
    return ClipPrediction(
        "a.wav", Path("a.wav"), "", label, None if few else 0.8, share, None if few else share, prediction_set, "few" if few else ""
    )


@pytest.mark.parametrize(
    ("prediction_set", "cell", "sentence"),
    [
        (("owl",), "only owl", "Of the known classes only ‘owl’ fits."),
        (("owl", "wren"), "owl, wren", "It fits ‘owl’ or ‘wren’; in nine cases of ten the right class is among those that fit."),
        (("owl", "bat", "wren"), "any of them", "It could be any of the known classes: none can be ruled out."),
        (("wren", "bat"), "wren, bat", "Odd for ‘owl’, though closest to it; it fits ‘wren’ or ‘bat’."),
    ],
)
def test_what_else_a_clip_could_be(prediction_set: tuple[str, ...], cell: str, sentence: str) -> None:
    row = answered(prediction_set)
    assert predict_words.prediction_rows([row], NAMES)[0][2:5] == ["owl", "80\u202f%", cell]
    assert "<b>‘owl’</b> with 80\u202f% confidence" in predict_words.answer(row, NAMES)
    assert sentence in predict_words.answer(row, NAMES)


def test_none_of_the_classes_promises_nothing() -> None:
    row = answered(())
    assert predict_words.prediction_rows([row], NAMES)[0][2:5] == ["owl?", "", "none of these"]  # no 80 % beside it
    said = predict_words.answer(row, NAMES)
    assert "None of the known classes?" in said
    assert "closest is ‘owl’" in said
    assert "80\u202f%" not in said


def test_without_a_calibration_the_reason_is_given_once() -> None:
    class Model:
        calibration_note = "only 6 clips can be tested"

    row = answered(None)
    assert predict_words.prediction_rows([row], NAMES)[0][2:5] == ["owl", "", ""]
    assert "you said wren; now one of your clips" in predict_words.prediction_rows([row], NAMES, {0: "wren"})[0][-1]
    assert "fits" not in predict_words.answer(row, NAMES)
    assert "few" not in predict_words.answer(row, NAMES)
    assert "only 6 clips" in predict_words.about_answers(Answers(Current(Learned(Model()), "file"), (row, row)))


def test_the_example_is_not_taken_for_the_visitors_own() -> None:
    example = app.example()
    assert example is not None
    own = replace(example, source="file")
    for say in (learn_words.headline, head_words.which_heads, predict_words.asked):
        assert "This is an example, not yours" in say(example)
        assert "add recordings in the tab Clips" in say(example)
        assert "an example" not in say(own)
    row = answered(("owl",))
    assert predict_words.older(Answers(example, (row,)), example) == "The example classifier gave these answers, not one of yours."
    assert predict_words.older(Answers(own, (row,)), own) == ""
    assert "Press Predict to ask the present one" in predict_words.older(Answers(example, (row,)), own)


def test_names_in_sets_are_escaped() -> None:
    row = replace(answered(("owl", "wren")), prediction_set=("owl", "<b>"))
    assert "&lt;b&gt;" in predict_words.answer(row, NAMES)


# ---- labels in doubt ----


def test_a_doubt_is_settled_by_relabelling_removing_or_confirming(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    clips_of(tmp_path, desk, 300, 700, 900)
    clips = tuple(check.clip for check in desk.session.workspace.usable)

    class Doubtful(Learned):
        @property
        def doubts(self) -> tuple[Doubt, ...]:
            return tuple(Doubt(clip, "owl", "bat", 0.004) for clip in clips)

    current = Current(Doubtful(None, clips=clips), "clips")
    first, second, third = current.doubts(desk.session)
    assert learn_words.doubt_rows([first]) == [[1, "owl/300.wav", "owl", "bat", "below 1\u202f%"]]
    assert "you call it ‘owl’" in learn_words.doubt_question(first)

    desk.confirm(first.clip)
    assert not current.clips_changed(desk.session.workspace)
    desk.relabel([second.clip], "bat")
    assert desk.session.workspace.class_counts == {"bat": 1, "owl": 2}
    assert current.clips_changed(desk.session.workspace)
    assert "Learn again" in learn_words.stale(current, desk.session.workspace)
    desk.remove([third.clip])
    assert current.doubts(desk.session) == ()
    assert learn_words.decided("relabelled", second, 0) == words.progress(
        "owl/700.wav is now one of your ‘bat’ clips. That was the last one."
    )
    assert desk.clear().session.confirmed == frozenset()


def test_names_in_doubts_are_escaped() -> None:
    doubt = Doubt(Clip(Path("a.wav"), "<i>.wav", "<b>"), "<b>", "<u>", 0.01)
    for said in (learn_words.doubt_question(doubt), learn_words.decided("relabelled", doubt, 1)):
        assert "<i>" not in said
        assert "<u>" not in said


# ---- confidence beside the truth ----


def believed(probability: float, right: int, n: int) -> Learned:
    """What learning gives where each of n held-out clips got this probability, and the first ones were right."""
    scores = np.tile(np.array([probability, 1 - probability], np.float32), (n, 1))
    truth = np.array([0] * right + [1] * (n - right))

    class Model:
        class_names = ("bat", "owl")
        held_out = HeldOut(truth, scores, scores, n)
        temperature, options, calibration_note = 1.0, FitOptions(), ""

    return Learned(Model())


@pytest.mark.parametrize(
    ("right", "said"), [(9, "about what it keeps"), (4, "promises too much"), (12, "promises too little"), (11, "so few clips can't tell")]
)
def test_whether_the_confidence_kept_its_promise(right: int, said: str) -> None:
    learned = believed(0.75, right, 12)
    text = learn_words.calibration_text(learned)
    assert said in text
    assert f"75\u202f% sure on average, and right {words.percent(right / 12)}" in text
    assert f"truth are {abs(75 - 100 * right / 12):.0f} percentage points apart" in text
    assert [row[:3] for row in learn_words.calibration_rows(learned)] == [["70\u202f% to 80\u202f%", 12, words.percent(right / 12)]]


@pytest.mark.parametrize(
    ("best", "said"),
    [
        ([0.8, 0.9, 0.5], "even rises, from 80\u202f% to 90\u202f% with 2 heads left"),
        ([0.8, 0.78, 0.5], "is still 78\u202f% (with all 80\u202f%)"),
        ([0.8, 0.6, 0.5], "falls from 80\u202f% to 60\u202f%"),
    ],
)
def test_the_curve_of_dropping_heads_is_put_into_words(best: list[float], said: str) -> None:
    others = [np.array([0.8, 0.7, 0.5], np.float32)] * 4
    assert said in head_words.dropped(Ablation(np.array([4, 2, 1]), np.array(best, np.float32), *others))


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert [head_words.signed(value) for value in (-0.004, 0.004, -0.07, 0.41)] == ["0.00", "0.00", "−0.07", "+0.41"]


def test_the_best_simpler_method_is_named_beside_the_classifier() -> None:
    labels = [name for name in ("bat", "owl") for _ in range(6)]
    vectors = np.tile(np.eye(2, dtype=np.float32)[np.repeat([0, 1], 6)][:, None, None], (1, 1, 2, 1))
    learned = Learned(CalmClassifier.fit(vectors, labels, null=False))
    rungs = [
        MethodResult("calm", "CALM", None, 1.0, 0.8, 1.0),
        MethodResult("probe", "A probe", None, 0.75, 0.5, 0.9),
        MethodResult("mfcc", "MFCC", None, 0.5, 0.3, 0.7),
    ]
    said = learn_words.verdict(learned, rungs)
    assert "Of 2 simpler methods the best on these clips, ‘A probe’, recognises 75\u202f%; your classifier 100\u202f%." in said
    assert "too few" in said
    assert learn_words.CHOOSE not in said
    assert "too few" not in learn_words.verdict(learned, rungs[::2])
    assert learn_words.verdict(learned, ()) == ""


def test_what_is_not_calibrated_gets_the_reason_and_no_table() -> None:
    class Model:
        held_out, temperature, calibration_note = believed(0.75, 9, 12).model.held_out, None, "only 6 clips can be tested"

    assert "Only 6 clips" in learn_words.calibration_text(Learned(Model()))
    assert learn_words.calibration_rows(Learned(Model())) == []


def test_answers_read_from_fewer_layers_than_the_heads_asked_are_explained() -> None:
    class Model:
        layers = 7

    heads = HeadVectors(np.zeros((1, 8, 2, 2), np.float32), np.arange(1), layers=5)
    rows = [ClipPrediction("a.wav", Path("a.wav"), heads=heads)]
    assert "the layers up to 5" in head_words.too_shallow(rows, Model())
    assert "go up to layer 7" in head_words.too_shallow(rows, Model())
    assert head_words.too_shallow([replace(rows[0], heads=replace(heads, layers=7))], Model()) == ""
    assert head_words.too_shallow([replace(rows[0], heads=replace(heads, layers=None))], Model()) == ""
