"""The vector store: keys, torn files, the cap, and two processes at once."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from calm_core.errors import DataError
from calm_core.vectors import HeadVectors, Origin, VectorStore, vector_key

ORIGIN = Origin("fake", "1", "What is it?", "a")
VECTORS = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)


def key_number(i: int) -> str:
    return vector_key(np.full(10, i, np.float32), 16_000, ORIGIN)


def test_what_is_put_comes_back_bit_equal(tmp_path: Path) -> None:
    store = VectorStore(tmp_path)
    assert store.get(key_number(0)) is None
    store.put(key_number(0), VECTORS)
    np.testing.assert_array_equal(VectorStore(tmp_path).get(key_number(0)), VECTORS)


def test_the_key_depends_on_audio_rate_and_every_part_of_the_origin() -> None:
    audio = np.zeros(100, np.float32)
    keys = {vector_key(audio, 16_000, ORIGIN), vector_key(audio[:99], 16_000, ORIGIN), vector_key(audio, 8_000, ORIGIN)}
    keys |= {vector_key(audio, 16_000, replace(ORIGIN, **{f.name: "other"})) for f in fields(ORIGIN)}
    assert len(keys) == 3 + len(fields(ORIGIN))
    assert vector_key(np.repeat(audio, 2)[::2], 16_000, ORIGIN) in keys  # a view of the same samples


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped bit", "foreign"])
def test_damaged_files_are_dropped_and_named_in_the_log(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    store = VectorStore(tmp_path)
    store.put(key_number(0), VECTORS)
    (path,) = tmp_path.glob("*/*")
    whole = path.read_bytes()
    flipped = whole[:-1] + bytes([whole[-1] ^ 1])
    path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "flipped bit": flipped, "foreign": b"x" * 500}[damage])
    with caplog.at_level(logging.WARNING):
        assert store.get(key_number(0)) is None
    assert path.name in caplog.text
    assert not path.exists()


def test_the_least_recently_used_go_when_the_cap_is_reached(tmp_path: Path) -> None:
    store = VectorStore(tmp_path)
    for i in range(10):
        store.put(key_number(i), VECTORS)
        (path,) = tmp_path.glob(f"*/{key_number(i)}.*")
        os.utime(path, (i, i))
    size = path.stat().st_size
    store.get(key_number(0))  # used now
    store.cap_bytes = 5 * size
    store.prune()
    left = {i for i in range(10) if store.get(key_number(i)) is not None}
    assert left == {0, 7, 8, 9}  # 0.9 x 5 files, rounded down
    for i in range(20, 40):
        store.put(key_number(i), VECTORS)
    assert sum(p.stat().st_size for p in tmp_path.glob("*/*")) <= 6 * size


def test_many_short_runs_stay_under_the_cap(tmp_path: Path) -> None:
    for i in range(20):
        VectorStore(tmp_path, cap_bytes=2_000).put(key_number(i), VECTORS)
    assert sum(p.stat().st_size for p in tmp_path.glob("*/*")) <= 2_000


def test_a_store_that_may_only_be_read_still_gives_its_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = VectorStore(tmp_path)
    store.put(key_number(0), VECTORS)

    def denied(*_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(os, "utime", denied)
    np.testing.assert_array_equal(store.get(key_number(0)), VECTORS)


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="CALM_HOME"):
        VectorStore(tmp_path / "file").put(key_number(0), VECTORS)


def test_two_processes_write_the_same_keys_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; import numpy as np; from calm_core.vectors import VectorStore\n"
        "store = VectorStore(Path(sys.argv[1]), cap_bytes=40_000)\n"
        "for i in range(200):\n"
        "    key = f'{i % 7:02d}' + 'a' * 20; v = store.get(key)\n"
        "    assert v is None or (v == i % 7).all(), v\n"
        "    store.put(key, np.full((4, 8, 16), i % 7, np.float32))\n"
    )
    jobs = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stderr=subprocess.PIPE) for _ in range(2)]
    for job in jobs:
        _, errors = job.communicate(timeout=60)
        assert job.returncode == 0, errors.decode()
    assert not list(tmp_path.glob("*/*.part"))


def test_head_vectors_check_their_shapes_and_choose_clips() -> None:
    rows = np.arange(5, dtype=np.float32)[:, None, None, None] * np.ones((1, 2, 3, 4), np.float32)
    vectors = HeadVectors(rows, np.array([0, 1, 1, 2, 2]))
    assert vectors.clip(2).values[:, 0, 0, 0].tolist() == [3, 4]
    assert vectors.clip(2).clip_of_row.tolist() == [0, 0]
    assert vectors.clip(2).values.base is not None  # no copy
    assert vectors.n_clips == 3
    assert np.asarray(vectors).shape == (5, 2, 3, 4)
    for bad in (rows[0], rows[:0]):
        with pytest.raises(DataError, match="shape"):
            HeadVectors(bad, np.arange(len(bad)))
    with pytest.raises(DataError, match="one per row"):
        HeadVectors(rows, np.arange(4))
