"""Extraction proven with a call-counting fake: nothing twice, nothing lost, batches that shrink."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

from calm_core import ExtractOptions, VectorStore, extract, extraction
from calm_core.backbones.fake import FakeBackbone
from calm_core.errors import AudioError, BackboneError, Cancelled, DataError, OptionError
from calm_core.extraction import ClipSource, origin_of
from calm_core.options import EACH_ITS_OWN, listed_prompt, multiple_choice_prompt

from . import tiny_models
from .conftest import tone

Write = Callable[..., Path]


@pytest.fixture
def paths(tmp_path: Path, write_wav: Write) -> list[Path]:
    return [write_wav(tmp_path / f"{i}.wav", tone(150.0 * (i + 1), 0.3 + 0.1 * (i % 4), seed=i)) for i in range(10)]


def test_a_second_run_makes_no_forward_pass_and_is_bit_equal(paths: list[Path], fake_backbone: FakeBackbone) -> None:
    first = extract(paths, fake_backbone)
    calls = fake_backbone.calls
    assert fake_backbone.windows_seen == 10
    second = extract(paths, fake_backbone)
    assert fake_backbone.calls == calls
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(extract(paths[3:4], fake_backbone).values[0], first.values[3])  # a support clip asked about again
    assert first.origin == origin_of(fake_backbone, ExtractOptions().prompt)


def test_rows_come_in_the_order_of_the_clips(paths: list[Path], fake_backbone: FakeBackbone, tmp_path: Path) -> None:
    together = extract(paths, fake_backbone, ExtractOptions(batch_size=4))
    alone = [extract([p], FakeBackbone(), store=VectorStore(tmp_path / "other")).values[0] for p in paths]
    np.testing.assert_allclose(together.values, alone, rtol=1e-5)


def test_another_prompt_is_another_key(paths: list[Path], fake_backbone: FakeBackbone) -> None:
    extract(paths, fake_backbone)
    extract(paths, fake_backbone, ExtractOptions(prompt="Is it a bird?"))
    assert fake_backbone.windows_seen == 20


def test_the_first_layers_alone_never_pass_for_all(paths: list[Path], fake_backbone: FakeBackbone) -> None:
    part = extract(paths, fake_backbone, layers=2)
    assert not part.values[:, 2:].any()
    whole = extract(paths, fake_backbone)
    assert fake_backbone.windows_seen == 20  # the first run's vectors were not taken for whole ones
    np.testing.assert_array_equal(part.values[:, :2], whole.values[:, :2])
    np.testing.assert_array_equal(extract(paths, fake_backbone, layers=3).values[:, :3], whole.values[:, :3])
    assert fake_backbone.windows_seen == 20  # whole ones hold all parts
    with pytest.raises(BackboneError, match="layers is 0"):
        extract(paths, fake_backbone, layers=0)


def test_a_clips_own_prompt_is_asked_and_keyed(paths: list[Path], fake_backbone: FakeBackbone) -> None:
    whole = extract(paths, fake_backbone).values
    other = extract(paths, fake_backbone, ExtractOptions(prompt="Is it a bird?")).values
    assert fake_backbone.windows_seen == 20
    sources = [ClipSource(p, p.name, prompt="Is it a bird?" if i % 2 else None) for i, p in enumerate(paths)]
    mixed = extract(sources, fake_backbone).values
    assert fake_backbone.windows_seen == 20
    np.testing.assert_array_equal(mixed[::2], whole[::2])
    np.testing.assert_array_equal(mixed[1::2], other[1::2])
    fresh = extract(sources, FakeBackbone(), store=VectorStore(paths[0].parent / "fresh"))
    np.testing.assert_allclose(fresh.values, mixed, rtol=1e-5)
    assert fresh.origin == origin_of(fake_backbone, EACH_ITS_OWN)
    assert extract(sources[1::2], fake_backbone).origin == origin_of(fake_backbone, "Is it a bird?")


def test_prompts() -> None:
    assert listed_prompt(["dog", "rain"]) == "What sound is this? Answer with one of these: dog, rain."
    with pytest.raises(OptionError, match="at least two; given: dog"):
        listed_prompt(["dog"])
    names = ["dog", "rain", "owl", "siren", "drum"]
    asked = {multiple_choice_prompt("owl", names, seed) for seed in range(30)}
    assert len(asked) > 20
    assert multiple_choice_prompt("owl", names, 3) == multiple_choice_prompt("owl", names, 3)
    for prompt in asked:
        options = [line[3:] for line in prompt.splitlines()[1:-1]]
        assert len(set(options)) == 4
        assert "owl" in options
    with pytest.raises(OptionError, match="truth 'cat'"):
        multiple_choice_prompt("cat", names, 0)


def test_the_same_audio_twice_is_computed_once(paths: list[Path], fake_backbone: FakeBackbone) -> None:
    vectors = extract([paths[0], paths[0], paths[1]], fake_backbone)
    assert fake_backbone.windows_seen == 2
    np.testing.assert_array_equal(vectors.values[0], vectors.values[1])


def test_long_clips_become_windows_of_one_clip(tmp_path: Path, write_wav: Write, fake_backbone: FakeBackbone) -> None:
    long = write_wav(tmp_path / "long.wav", tone(300, 12.0))
    short = write_wav(tmp_path / "short.wav", tone(300, 1.0))
    vectors = extract([long, short], fake_backbone)
    assert vectors.clip_of_row.tolist() == [0, 0, 0, 1]
    assert vectors.n_clips == 2


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000])
def test_any_sampling_rate_gives_nearly_the_same_vectors(
    tmp_path: Path, write_wav: Write, fake_backbone: FakeBackbone, rate_hz: int
) -> None:
    def sine(rate: int) -> np.ndarray:
        return (0.3 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.float32)

    vectors = extract(
        [write_wav(tmp_path / "a.wav", sine(rate_hz), rate_hz), write_wav(tmp_path / "b.wav", sine(16_000), 16_000)], fake_backbone
    ).values.reshape(2, -1)
    cosine = vectors[0] @ vectors[1] / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[1])
    assert cosine > 0.99


class Hungry(FakeBackbone):
    """Runs out of memory above a number of windows."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.sizes: list[int] = []

    def read(self, prepared, layers=None):  # type: ignore[no-untyped-def]
        if len(prepared) > self.most:
            raise torch.OutOfMemoryError("injected")
        self.sizes.append(len(prepared))
        return super().read(prepared, layers)


def test_out_of_memory_halves_the_batch_and_loses_nothing(paths: list[Path]) -> None:
    hungry = Hungry(most=3)
    vectors = extract(paths, hungry, ExtractOptions(batch_size=8))
    assert sum(hungry.sizes) == 10
    np.testing.assert_allclose(
        vectors.values, extract(paths, FakeBackbone(seed=0), store=VectorStore(paths[0].parent / "s")).values, rtol=1e-5
    )


def test_a_batch_costs_no_more_than_the_token_budget(paths: list[Path]) -> None:
    hungry = Hungry(most=99)
    cost = extraction.tokens(round(0.6 * 16_000), hungry, ExtractOptions().prompt)  # of the longest clip
    extract(paths, hungry, ExtractOptions(token_budget=3 * cost))
    assert sorted(hungry.sizes) == [2, 2, 3, 3]  # of about one size, rather than a small one at last
    extract(paths, hungry, ExtractOptions(token_budget=1), store=VectorStore(paths[0].parent / "other"))  # one at a time, but all of them
    assert hungry.sizes[4:] == [1] * 10


def test_a_single_window_that_does_not_fit_is_named(paths: list[Path]) -> None:
    with pytest.raises(BackboneError, match=r"clip '\d\.wav' doesn't fit"):
        extract(paths, Hungry(most=0))


class Crowded(FakeBackbone):
    """Has memory for one pass at a time: the first two meet, and fail."""

    def __init__(self) -> None:
        super().__init__()
        self.tries, self.both, self.room = count(), threading.Barrier(2, timeout=30), threading.Semaphore(1)

    def read(self, prepared, layers=None):  # type: ignore[no-untyped-def]
        if next(self.tries) < 2:
            self.both.wait()
            raise torch.OutOfMemoryError("injected")
        assert self.room.acquire(blocking=False)
        found = super().read(prepared, layers)
        self.room.release()
        return found


@pytest.mark.usefixtures("six_cores")
def test_passes_that_do_not_fit_side_by_side_run_one_after_the_other(
    paths: list[Path], fake_backbone: FakeBackbone, tmp_path: Path
) -> None:
    found = extract(paths, Crowded(), ExtractOptions(batch_size=1), store=VectorStore(tmp_path / "crowded"))
    np.testing.assert_allclose(found.values, extract(paths, fake_backbone).values, rtol=1e-5)


class Forgetful(FakeBackbone):
    """The first pass fails for want of memory; the next one looks what is left of it."""

    def __init__(self) -> None:
        super().__init__()
        self.device, self.held = "elsewhere", None

    def read(self, prepared, layers=None):  # type: ignore[no-untyped-def]
        if self.held is None:
            held = np.zeros(3)
            self.held = weakref.ref(held)
            raise torch.OutOfMemoryError("injected")
        assert self.held() is None
        return super().read(prepared, layers)


def test_nothing_is_left_of_a_failed_pass_when_less_is_tried(paths: list[Path], fake_backbone: FakeBackbone, tmp_path: Path) -> None:
    found = extract(paths, Forgetful(), store=VectorStore(tmp_path / "forgetful"))
    np.testing.assert_allclose(found.values, extract(paths, fake_backbone).values, rtol=1e-5)


def test_cancel_keeps_what_was_finished_and_the_next_run_goes_on(paths: list[Path], fake_backbone: FakeBackbone) -> None:
    seen: list[tuple[int, int, str]] = []
    with pytest.raises(Cancelled, match="stopped after 6 of 10 clips"):
        extract(
            [ClipSource(p, p.name, "class owl") for p in paths],
            fake_backbone,
            ExtractOptions(batch_size=2),
            progress=lambda *step: seen.append(step),
            cancelled=lambda: len(seen) == 2,
        )
    assert seen == [(2, 10, "class owl"), (4, 10, "class owl"), (6, 10, "class owl")]  # the last was under way when it was stopped
    extract(paths, fake_backbone, ExtractOptions(batch_size=2))
    assert fake_backbone.windows_seen == 10


def test_a_cancel_that_comes_too_late_loses_nothing(paths: list[Path], fake_backbone: FakeBackbone) -> None:
    seen: list[int] = []
    found = extract(paths, fake_backbone, progress=lambda done, *_: seen.append(done), cancelled=lambda: 10 in seen)
    assert found.n_clips == 10


def test_little_is_decoded_at_once(paths: list[Path], fake_backbone: FakeBackbone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = extract(paths, fake_backbone)
    monkeypatch.setattr(extraction, "CHUNK_SECONDS", 0.5)
    steps: list[int] = []
    parts = extract(paths, FakeBackbone(), store=VectorStore(tmp_path / "s"), progress=lambda done, *_: steps.append(done))
    np.testing.assert_allclose(parts.values, whole.values, rtol=1e-5)
    assert steps == sorted(steps)
    assert len(set(steps)) > 3


def test_the_same_sound_in_two_chunks_is_computed_once(
    paths: list[Path], fake_backbone: FakeBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "CHUNK_SECONDS", 0.2)  # every clip is one
    extract([paths[0], paths[0], paths[1], paths[0]], fake_backbone)
    assert fake_backbone.windows_seen == 2


class Squeezed(FakeBackbone):
    """Runs out of memory the second time that it prepares a window."""

    def __init__(self) -> None:
        super().__init__()
        self.tries = count()

    def prepare(self, waveform, prompt):  # type: ignore[no-untyped-def]
        if next(self.tries) == 1:
            raise MemoryError
        return super().prepare(waveform, prompt)


def test_what_failed_for_want_of_memory_is_tried_again(paths: list[Path], fake_backbone: FakeBackbone, tmp_path: Path) -> None:
    found = extract(paths, Squeezed(), ExtractOptions(batch_size=4), store=VectorStore(tmp_path / "squeezed"))
    np.testing.assert_array_equal(found.values, extract(paths, fake_backbone).values)


class SideBySide(FakeBackbone):
    """Prepares two windows at a time, and reads so many batches at a time; notes on how many cores."""

    def __init__(self, device: str, passes: int) -> None:
        super().__init__()
        self.device, self.most = device, threading.Semaphore(passes)
        self.two, self.met = threading.Barrier(2, timeout=30), threading.Barrier(passes, timeout=30)
        self.prepares_on, self.reads_on = set[int](), list[tuple[int, int]]()

    def prepare(self, waveform, prompt):  # type: ignore[no-untyped-def]
        self.prepares_on.add(torch.get_num_threads())
        self.two.wait()
        return super().prepare(waveform, prompt)

    def read(self, prepared, layers=None):  # type: ignore[no-untyped-def]
        assert self.most.acquire(blocking=False)
        self.met.wait()
        self.reads_on.append((len(prepared), torch.get_num_threads()))
        self.most.release()
        return super().read(prepared, layers)


@pytest.fixture
def six_cores() -> Iterator[None]:
    number = torch.get_num_threads()
    torch.set_num_threads(6)
    yield
    torch.set_num_threads(number)


@pytest.mark.usefixtures("six_cores")
@pytest.mark.parametrize(("device", "passes", "share"), [("cpu", 2, 3), ("elsewhere", 1, 6)])
def test_passes_share_a_cpu_and_take_turns_on_an_accelerator(
    paths: list[Path], fake_backbone: FakeBackbone, tmp_path: Path, device: str, passes: int, share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "WORKERS", 2)
    backbone = SideBySide(device, passes)
    found = extract(paths, backbone, ExtractOptions(batch_size=3), store=VectorStore(tmp_path / "s"))
    assert backbone.prepares_on == {1}
    assert sorted(backbone.reads_on) == [(2, share), (2, share), (3, share), (3, share)]
    np.testing.assert_allclose(found.values, extract(paths, fake_backbone).values, rtol=1e-5)


@pytest.mark.usefixtures("six_cores")
def test_a_models_passes_side_by_side_give_what_they_give_alone(paths: list[Path], tmp_path: Path) -> None:
    model = tiny_models.qwen2_audio()
    found = extract(paths, model, ExtractOptions(batch_size=2)).values
    alone = [extract([path], model, store=VectorStore(tmp_path / "alone")).values[0] for path in paths]
    np.testing.assert_allclose(found, alone, atol=1e-4 * np.abs(found).max())


@pytest.mark.usefixtures("six_cores")
def test_a_pass_that_is_alone_has_all_cores(paths: list[Path]) -> None:
    class Alone(FakeBackbone):
        def read(self, prepared, layers=None):  # type: ignore[no-untyped-def]
            assert torch.get_num_threads() == 6
            return super().read(prepared, layers)

    extract(paths[:1], Alone())


class Deaf(FakeBackbone):
    def read(self, prepared, layers=None):  # type: ignore[no-untyped-def]
        return super().read(prepared, layers) * np.nan


def test_vectors_that_are_not_finite_are_never_stored(paths: list[Path]) -> None:
    with pytest.raises(BackboneError, match=r"no finite head vectors for clip '\d\.wav'"):
        extract(paths, Deaf())
    assert np.isfinite(extract(paths, FakeBackbone()).values).all()


class Traced(FakeBackbone):
    """Notes what is prepared and read; a forward pass ends only when the next batch is prepared."""

    def __init__(self, batches: list[int]) -> None:
        super().__init__()
        self.device = "elsewhere"
        self.due = np.cumsum([*batches, 0]).tolist()  # windows that are prepared by the end of each pass
        self.enough = threading.Condition()
        self.prepared: list[int] = []
        self.read_sizes: list[int] = []

    def prepare(self, waveform, prompt):  # type: ignore[no-untyped-def]
        with self.enough:
            self.prepared.append(len(waveform))
            self.enough.notify()
        return super().prepare(waveform, prompt)

    def read(self, prepared, layers=None):  # type: ignore[no-untyped-def]
        self.read_sizes.append(len(prepared))
        due = self.due[min(len(self.read_sizes), len(self.due) - 1)]
        with self.enough:
            assert self.enough.wait_for(lambda: len(self.prepared) >= due, 30)
            assert len(self.prepared) == due  # one batch ahead, no more; each window once
        return super().read(prepared, layers)


def test_the_next_batch_is_prepared_while_one_runs(paths: list[Path], fake_backbone: FakeBackbone, tmp_path: Path) -> None:
    traced = Traced([4, 3, 3])
    found = extract(paths, traced, ExtractOptions(batch_size=4), store=VectorStore(tmp_path / "s"))
    assert traced.read_sizes == [4, 3, 3]
    np.testing.assert_allclose(found.values, extract(paths, fake_backbone).values, rtol=1e-5)


class SlowDisk(VectorStore):
    """Stores nothing before it is told that the second batch is being read."""

    def __init__(self, root: Path, reading: threading.Event) -> None:
        super().__init__(root)
        self.reading = reading

    def put(self, key, vectors):  # type: ignore[no-untyped-def]
        assert self.reading.wait(30)
        super().put(key, vectors)


def test_one_batch_is_stored_while_the_next_runs(paths: list[Path], fake_backbone: FakeBackbone, tmp_path: Path) -> None:
    second = threading.Event()

    class Second(FakeBackbone):
        def read(self, prepared, layers=None):  # type: ignore[no-untyped-def]
            if next(reads) == 1:
                second.set()
            return super().read(prepared, layers)

    reads = count()
    found = extract(paths, Second(), ExtractOptions(batch_size=4), store=SlowDisk(tmp_path / "s", second))
    np.testing.assert_allclose(found.values, extract(paths, fake_backbone).values, rtol=1e-5)
    untouched = FakeBackbone()
    extract(paths, untouched, store=VectorStore(tmp_path / "s"))
    assert untouched.calls == 0  # all of them were stored


@pytest.mark.parametrize(("batch_size", "stopped"), [(10, False), (6, True)])
def test_a_full_disk_is_told_also_of_the_last_batch(
    paths: list[Path], fake_backbone: FakeBackbone, tmp_path: Path, batch_size: int, stopped: bool
) -> None:
    (tmp_path / "file").write_text("")  # where a folder is wanted
    refusing, steps = VectorStore(tmp_path / "file"), list[tuple]()
    with pytest.raises(DataError, match="can't store head vectors in"):
        extract(
            paths,
            fake_backbone,
            ExtractOptions(batch_size=batch_size),
            store=refusing,
            progress=lambda *step: steps.append(step),
            cancelled=lambda: stopped and bool(steps),
        )


def test_what_fails_in_preparing_comes_through_and_leaves_no_thread(paths: list[Path]) -> None:
    class Broken(FakeBackbone):
        def prepare(self, waveform, prompt):  # type: ignore[no-untyped-def]
            if len(waveform) < 6000:
                raise ValueError("a processor's fault")
            return super().prepare(waveform, prompt)

    broken = Broken()
    with pytest.raises(ValueError, match="a processor's fault"):
        extract(paths, broken, ExtractOptions(batch_size=2))
    assert broken.windows_seen > 0
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("prepare", "read", "store"))]


def test_unusable_clips_are_named(tmp_path: Path, write_wav: Write, fake_backbone: FakeBackbone) -> None:
    silent = write_wav(tmp_path / "silent.wav", np.zeros(16_000, np.float32))
    with pytest.raises(AudioError, match=r"silent\.wav"):
        extract([silent], fake_backbone)
    with pytest.raises(DataError, match="no clips"):
        extract([], fake_backbone)
