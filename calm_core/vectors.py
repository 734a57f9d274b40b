"""Head vectors in memory (`HeadVectors`) and on disk (`VectorStore`), keyed by content. Knows no labels and no model.

The store is a folder of small safetensors files. A file is written beside its place and renamed, so two processes never see
half of one; it carries the checksum of its bytes, so a torn or altered one is found, dropped and computed again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .errors import DataError

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

DEFAULT_CAP_BYTES = 4 * 2**30
PRUNE_EVERY_BYTES = 64 * 2**20  # looking at the whole folder is slow: it is done after this much was written
PRUNE_TO = 0.9  # share of the cap that pruning leaves, so that it isn't needed again at once


@dataclass(frozen=True, slots=True)
class Origin:
    """What vectors were made with. Vectors of different origins must never meet in one classifier."""

    backbone: str
    revision: str
    prompt: str
    preprocessing: str  # version of decoding, windows, processor, dtype and attention implementation

    def differences(self, other: Origin) -> list[str]:
        """The fields in which two origins differ, each as 'field: ours / theirs'."""
        mine, theirs = asdict(self), asdict(other)
        return [f"{name}: {mine[name]!r} / {theirs[name]!r}" for name in mine if mine[name] != theirs[name]]


@dataclass(frozen=True, slots=True, eq=False)
class HeadVectors:
    """Head vectors of some clips, one row per window.

    values: (W, L, H, D), float32 or float16; clip_of_row: (W,) which clip a window belongs to, 0 .. n_clips - 1 in order;
    origin: None for arrays from elsewhere; layers: how many were read, from the first, the values behind them being zero; None for all.
    """

    values: Array
    clip_of_row: NDArray[np.int64]
    origin: Origin | None = None
    layers: int | None = None

    def __post_init__(self) -> None:
        """Raises DataError where the shapes don't fit."""
        if self.values.ndim != 4 or 0 in self.values.shape:
            raise DataError(f"head vectors have the shape {self.values.shape}; needed is (clips, layers, heads, head_dim), none of them 0.")
        if self.clip_of_row.shape != self.values.shape[:1]:
            raise DataError(f"{len(self.values)} rows of head vectors but {len(self.clip_of_row)} clip numbers; give one per row.")

    def __array__(self, dtype: type | None = None, copy: bool | None = None) -> NDArray:
        return np.array(self.values, dtype=dtype, copy=copy)

    @property
    def n_clips(self) -> int:
        return int(self.clip_of_row.max()) + 1

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def holds(self, layers: int) -> bool:
        """Whether the first so many layers were read."""
        return self.layers is None or self.layers >= layers

    def clip(self, number: int) -> HeadVectors:
        """One clip with all its windows, without a copy."""
        start, end = np.searchsorted(self.clip_of_row, [number, number + 1])
        return HeadVectors(self.values[start:end], self.clip_of_row[start:end] - number, self.origin, self.layers)

    def clips(self, numbers: NDArray[np.integer]) -> HeadVectors:
        """A copy of some clips with all their windows, in the order given and numbered anew."""
        rows = [np.arange(*np.searchsorted(self.clip_of_row, [number, number + 1])) for number in numbers]
        clip_of_row = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
        return HeadVectors(self.values[np.concatenate(rows)], clip_of_row, self.origin, self.layers)


def vector_key(samples: Array, sample_rate_hz: int, origin: Origin) -> str:
    """Key of one window's vectors: its audio and everything that the vectors depend on."""
    digest = hashlib.sha256(np.ascontiguousarray(samples, dtype="<f4").tobytes())
    for part in (str(sample_rate_hz), *asdict(origin).values()):
        digest.update(b"\0" + part.encode())
    return digest.hexdigest()


def calm_home() -> Path:
    """Where CALM Studio keeps what can be made again: the folder CALM_HOME, else the user's cache folder."""
    chosen = os.environ.get("CALM_HOME")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("calm-studio"))


class VectorStore:
    """Vectors (L, H, D) float32 on disk by key; safe for several processes at once; the least recently used go first."""

    def __init__(self, root: Path | None = None, cap_bytes: int = DEFAULT_CAP_BYTES) -> None:
        self.root = root if root is not None else calm_home() / "vectors"
        self.cap_bytes = cap_bytes
        self._written_bytes = PRUNE_EVERY_BYTES  # looked through at the first write: many short runs fill a store too

    def get(self, key: str) -> Array | None:
        """The vectors under key, or None where there are none or their file is damaged (it is then dropped)."""
        path = self._path(key)
        try:
            with safe_open(path, framework="numpy") as file:
                vectors: Array = file.get_tensor("vectors")
                checksum = (file.metadata() or {}).get("sha256")
            if checksum != _checksum(vectors):
                raise SafetensorError("checksum differs")
        except FileNotFoundError:
            return None
        except SafetensorError as error:
            log.warning("dropped damaged vectors %s (%s); they are computed again", path.name, error)
            path.unlink(missing_ok=True)
            return None
        with suppress(OSError):  # a store that may only be read, or a file pruned this moment, still gives its vectors
            os.utime(path)  # recently used
        return vectors

    def put(self, key: str, vectors: Array) -> None:
        """Stores vectors (L, H, D) under key. Raises DataError where the disk refuses."""
        path = self._path(key)
        data = save({"vectors": np.ascontiguousarray(vectors)}, metadata={"sha256": _checksum(vectors)})
        part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
            os.replace(part, path)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise DataError(
                f"can't store head vectors in {self.root}: {error.strerror}; free some space or set CALM_HOME to another folder."
            ) from error
        self._written_bytes += len(data)
        if self._written_bytes > min(PRUNE_EVERY_BYTES, self.cap_bytes):
            self.prune()

    def prune(self) -> None:
        """Deletes the least recently used files until the store is below its cap."""
        self._written_bytes = 0
        files = []
        for path in self.root.glob("*/*"):
            try:
                stat = path.stat()
            except FileNotFoundError:  # another process was faster
                continue
            files.append((stat.st_mtime, stat.st_size, path))
        total = sum(size for _, size, _ in files)
        if total <= self.cap_bytes:
            return
        for _, size, path in sorted(files):
            path.unlink(missing_ok=True)
            total -= size
            if total <= PRUNE_TO * self.cap_bytes:
                return

    def _path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.safetensors"


def _checksum(vectors: Array) -> str:
    return hashlib.sha256(repr(vectors.shape).encode() + np.ascontiguousarray(vectors).tobytes()).hexdigest()
