"""A file of sound becomes mono float32 samples at the rate a backbone asks for, or a reason why not.

libsndfile reads what it reads exactly; FFmpeg's libraries (inside the PyAV wheel, no program to install) read the rest: phone
recordings, browser recordings, MP3, the sound of a video and, for backbones that see, a few of its pictures. This room knows no model,
no labels and no folders.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path

import av
import numpy as np
import soundfile as sf
import soxr
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.stream import Disposition
from numpy.typing import NDArray

from .errors import AudioError, OptionError

MIN_SECONDS = 0.1
MAX_SECONDS = 600.0
SILENCE_DBFS = -60.0  # RMS about the mean; 0 dBFS is a full-scale square wave
FULL_SCALE = 0.999  # |sample| from here on counts as clipped; 16-bit full scale is 0.99997
CLIPPED_SHARE = 0.01
CUT_SHORT_SHARE = 0.95  # reading less of the stated length than this means damage; encoders' padding stays well above it
PREPROCESSING = "mono-mean soxr-hq 1"  # part of every vector key: change it whenever `load` or `windows` gives other samples
PICTURES_PER_S = 2.0
PICTURE_PIXELS = 224 * 224  # at most, of one picture
PICTURING = "2 pictures/s 224x224 px 1"  # part of the keys of vectors that saw: change it whenever `pictures` gives others
BLOCK_SAMPLES = 1 << 20  # over all channels: 4 MiB of float32 at a time
MAX_CHANNELS = 64  # a large microphone array

AUDIO_SUFFIXES = frozenset(
    {".wav", ".wave", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aiff", ".aif", ".aifc", ".au"}
    | {".snd", ".caf", ".m4a", ".m4b", ".aac", ".ac3", ".amr", ".wma"}  # phones, recorders
    | {".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".webm", ".weba", ".mkv", ".mka", ".avi"}  # videos
)

# Containers that hold their own sound. FFmpeg also knows playlists, scripts and network streams: a file that only looks like
# audio must not make this machine open another file or an address.
_DEMUXERS = "aac,ac3,aiff,amr,asf,au,avi,caf,flac,matroska,mov,mp3,ogg,w64,wav"
_LENGTH_UNKNOWN = 2**62  # frames: from here on no length but libsndfile's "not stated", 2**63 - 1 (FLAC from a streaming encoder)
_NO_STATED_LENGTH = frozenset({"aac", "ac3", "amr", "mp3"})  # bare frames: FFmpeg guesses their length from the bit rate


class ClipStatus(StrEnum):
    """The verdict on one clip: `load` gives all but the last three, which need more than the clip (`dataset.preflight`)."""

    OK = "ok"
    CLIPPED = "clipped"  # usable, with a warning
    EMPTY = "empty"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    SILENT = "silent"
    NOT_FINITE = "not_finite"
    UNREADABLE = "unreadable"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    EXCLUDED = "excluded"  # a person left it out


class ClipError(AudioError):
    """One clip can't be used. The message is for people; `status` and, where they are known, the sizes are for tables."""

    def __init__(
        self,
        message: str,
        status: ClipStatus = ClipStatus.UNREADABLE,
        *,
        seconds: float | None = None,
        sample_rate_hz: int | None = None,
        channels: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.seconds = seconds
        self.sample_rate_hz = sample_rate_hz
        self.channels = channels


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A decoded clip that passed the checks.

    samples: float32, shape (n,), mono at `sample_rate_hz`, full scale 1.0; the level is the file's own, never normalised.
    seconds: length at the source's rate.
    content_id: SHA-256 of the mono samples at the source's rate and of that rate, in hexadecimal. It follows the sound, not the
        file: the same 16-bit samples as WAV and as FLAC share it; a lossy copy doesn't.
    clipped_share: share of the source's mono samples at full scale, 0 to 1.
    """

    samples: NDArray[np.float32]
    sample_rate_hz: int
    source_rate_hz: int
    source_channels: int
    seconds: float
    content_id: str
    clipped_share: float = 0.0

    @property
    def status(self) -> ClipStatus:
        """OK, or CLIPPED above CLIPPED_SHARE."""
        return ClipStatus.CLIPPED if self.clipped_share > CLIPPED_SHARE else ClipStatus.OK

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the clip without making it unusable, in words."""
        if self.status is ClipStatus.OK:
            return ()
        return (f"clipped: {self.clipped_share:.1%} of samples are at full scale; if you can, record again at a lower level",)


def load(path: Path, sample_rate_hz: int | None, *, name: str | None = None, max_seconds: float = MAX_SECONDS) -> Recording:
    """Decode `path` to mono (the mean of its channels), check it, and resample it to `sample_rate_hz` (None keeps the source's rate).

    name: what messages call the clip; the file's name by default.
    max_seconds: longest clip allowed. A longer one is refused by its header where that states the length, and otherwise as soon as
        decoding passes the limit, so that a huge file costs neither time nor memory.

    Raises ClipError (an AudioError) whose `status` tells why: UNREADABLE (missing, 0 bytes, not audio, no sound track, too many
    channels, damaged),
    EMPTY, TOO_SHORT, TOO_LONG, SILENT or NOT_FINITE. Clipping is only a warning.
    """
    who = f"clip {name or path.name!r}"
    try:
        with _open(path, who) as stream:
            source = _read_mono(stream, who, max_seconds)
    except (sf.SoundFileError, av.FFmpegError) as error:
        raise ClipError(f"{who} isn't audio in a known format, or it is damaged; export it as WAV and try again.") from error
    except OSError as error:
        raise ClipError(f"{who} can't be opened ({error.strerror or error}); check that it is there and may be read.") from error
    _check(source, stream, who)

    rate_hz = stream.rate_hz
    target_hz = sample_rate_hz or rate_hz
    samples = source if target_hz == rate_hz else soxr.resample(source, rate_hz, target_hz, quality="HQ")
    return Recording(
        samples=samples,
        sample_rate_hz=target_hz,
        source_rate_hz=rate_hz,
        source_channels=stream.channels,
        seconds=source.size / rate_hz,
        content_id=_content_id(source, rate_hz),
        clipped_share=float(np.mean(np.abs(source) >= FULL_SCALE)),
    )


def pictures(path: Path, side_step: int, seconds: float, *, name: str | None = None) -> NDArray[np.uint8] | None:
    """What a video shows, PICTURES_PER_S from its start: (n, height, width, 3) RGB; None where a file holds sound alone, or a cover.

    side_step: both sides become multiples of it, of at most PICTURE_PIXELS together and about the video's proportions. seconds: how long
    its sound lasts, so n = ceil(seconds * PICTURES_PER_S): a picture stays until the next, the last one to the end. name: as for `load`.
    Raises ClipError where the video can't be decoded.
    """
    who = f"clip {name or path.name!r}"
    n, start = math.ceil(seconds * PICTURES_PER_S), 0.0
    taken: list[NDArray[np.uint8]] = []
    try:
        with path.open("rb", buffering=0) as file:
            if (sound := _open_soundfile(file.fileno())) is not None:
                sound.close()
                return None
            file.seek(0)
            with av.open(file, "r", container_options={"format_whitelist": _DEMUXERS}, metadata_errors="ignore") as container:
                moving = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
                for frame in container.decode(moving[0]) if moving else ():
                    at = frame.time or 0.0
                    start = start if taken else at
                    place = int((at - start) * PICTURES_PER_S)
                    if place >= n:
                        break
                    if place >= len(taken):
                        taken += taken[-1:] * (place - len(taken))
                        height, width = _picture_sides(frame.height, frame.width, side_step)
                        picture = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA").to_ndarray()
                        taken.append(picture.astype(np.uint8, copy=False))
    except av.FFmpegError as error:
        raise ClipError(f"{who}: its pictures can't be decoded; export the video again, or use its sound alone.") from error
    return np.stack(taken + taken[-1:] * (n - len(taken))) if taken else None


def windows(samples: NDArray[np.float32], sample_rate_hz: int, window_s: float) -> list[NDArray[np.float32]]:
    """Cut `samples`, shape (n,), into consecutive windows of `window_s` seconds; the pieces are views, in order, without overlap.

    A clip that fits in one window stays whole, whatever its length. The last piece of a longer clip keeps its own, shorter length:
    padding is the backbone's affair. It is dropped below MIN_SECONDS, too little to hear anything in, so up to that much of the
    end is left out. Raises OptionError if `window_s` is below MIN_SECONDS.
    """
    if not window_s >= MIN_SECONDS:  # written so that NaN is refused too
        raise OptionError(f"the window is {window_s} s long; it must be at least {MIN_SECONDS} s, for example 5.")
    size = round(min(window_s * sample_rate_hz, samples.size + 1))
    if samples.size <= size:
        return [samples]
    pieces = [samples[start : start + size] for start in range(0, samples.size, size)]
    return pieces if pieces[-1].size >= MIN_SECONDS * sample_rate_hz else pieces[:-1]


@dataclass(frozen=True, slots=True)
class _Stream:
    """An opened file: what its header says, and its sound in blocks, float32 of shape (n, channels)."""

    rate_hz: int
    channels: int
    stated_s: float | None  # None where the header doesn't say or only guesses
    blocks: Iterator[NDArray[np.float32]]

    def error(self, message: str, status: ClipStatus, seconds: float | None = None) -> ClipError:
        return ClipError(message, status, seconds=seconds, sample_rate_hz=self.rate_hz, channels=self.channels)


@contextmanager
def _open(path: Path, who: str) -> Iterator[_Stream]:
    with path.open("rb", buffering=0) as file:
        if path.stat().st_size == 0:
            raise ClipError(f"{who} is an empty file (0 bytes); copy or record it again.")
        sound = _open_soundfile(file.fileno())
        if sound is not None:
            with sound:
                yield _Stream(sound.samplerate, sound.channels, sound.frames / sound.samplerate, _soundfile_blocks(sound))
            return
        file.seek(0)
        options = {"format_whitelist": _DEMUXERS}
        with av.open(file, "r", container_options=options, metadata_errors="ignore") as container:
            yield _av_stream(container, who)


def _open_soundfile(descriptor: int) -> sf.SoundFile | None:
    # By descriptor, because from a path libsndfile believes suffixes such as .raw and .vox and then "reads" any bytes as sound.
    try:
        sound = sf.SoundFile(descriptor, closefd=False)
    except sf.LibsndfileError:
        return None
    # Left to FFmpeg: for an MP3 without an index libsndfile guesses the length and stops there, maybe after a third of the clip; and
    # of a sound without a stated length it gives no block.
    if sound.format == "MP3" or sound.frames >= _LENGTH_UNKNOWN:
        sound.close()
        return None
    return sound


def _soundfile_blocks(sound: sf.SoundFile) -> Iterator[NDArray[np.float32]]:
    frames = max(1, BLOCK_SAMPLES // sound.channels)
    while len(block := sound.read(frames, dtype="float32", always_2d=True)):
        yield block


def _av_stream(container: InputContainer, who: str) -> _Stream:
    if not container.streams.audio:
        raise ClipError(f"{who} has no sound track; choose a recording, or a video with sound.")
    audio = container.streams.audio[0]
    frames = container.decode(audio)
    first = next(frames, None)
    if first is None:
        raise ClipError(f"{who} holds no sound (0 samples); record it again.", ClipStatus.EMPTY)

    stated_s = None
    if container.format.name not in _NO_STATED_LENGTH:
        if audio.duration is not None and audio.time_base is not None:
            stated_s = float(audio.duration * audio.time_base)
        elif container.duration is not None and len(container.streams) == 1:  # else it may be the length of the picture
            stated_s = container.duration / av.time_base
    # Rate and channels come from the first frame: an HE-AAC header states half the rate and maybe half the channels.
    return _Stream(first.sample_rate, first.layout.nb_channels, stated_s, _av_blocks(first, frames, who))


def _av_blocks(first: AudioFrame, rest: Iterator[AudioFrame], who: str) -> Iterator[NDArray[np.float32]]:
    # Packed, not planar: PyAV 18.1 crashes in `to_ndarray` on planar frames of 8 channels or more.
    to_float = av.AudioResampler(format="flt", layout=first.layout, rate=first.sample_rate)
    for frame in chain([first], rest):
        if (frame.sample_rate, frame.layout.name) != (first.sample_rate, first.layout.name):
            raise ClipError(f"{who} changes its sample rate or channels midway; export it as WAV and try again.")
        for converted in to_float.resample(frame):  # only the format changes, so nothing is held back for a flush
            yield np.asarray(converted.to_ndarray(), dtype=np.float32).reshape(-1, first.layout.nb_channels)


def _read_mono(stream: _Stream, who: str, max_seconds: float) -> NDArray[np.float32]:
    """The mean of the channels, shape (n,), at the source's rate. Raises ClipError TOO_LONG, or UNREADABLE (cut short, channels)."""
    if stream.channels > MAX_CHANNELS:
        message = f"{who} has {stream.channels} channels; at most {MAX_CHANNELS} are allowed. Export it as mono or stereo and try again."
        raise stream.error(message, ClipStatus.UNREADABLE)
    advice = f"at most {max_seconds:g} s is allowed. Cut it into shorter pieces."
    if stream.stated_s is not None and stream.stated_s > max_seconds:
        message = f"{who} is {stream.stated_s:.1f} s long; {advice}"
        raise stream.error(message, ClipStatus.TOO_LONG, stream.stated_s)

    limit = math.floor(max_seconds * stream.rate_hz)
    blocks: list[NDArray[np.float32]] = []
    n = 0
    for block in stream.blocks:
        with np.errstate(invalid="ignore", over="ignore"):  # NaN and infinity are told apart in _check
            blocks.append(block.mean(axis=1, dtype=np.float32))
        n += len(block)
        if n > limit:
            raise stream.error(f"{who} is longer than {max_seconds:g} s; {advice}", ClipStatus.TOO_LONG)

    seconds = n / stream.rate_hz
    if stream.stated_s is not None and seconds < CUT_SHORT_SHARE * stream.stated_s:
        message = (
            f"{who} is cut short or damaged: {seconds:.2f} s of its {stream.stated_s:.2f} s can be read. Copy it again from its source."
        )
        raise stream.error(message, ClipStatus.UNREADABLE, seconds)
    return np.concatenate(blocks) if blocks else np.empty(0, dtype=np.float32)


def _picture_sides(height: int, width: int, step: int) -> tuple[int, int]:
    """Multiples of `step`, at least one each, of at most PICTURE_PIXELS together."""
    scale = min(1.0, math.sqrt(PICTURE_PIXELS / (height * width)))
    sides = [max(step, math.floor(side * scale / step) * step) for side in (height, width)]
    return sides[0], sides[1]


def _content_id(samples: NDArray[np.float32], rate_hz: int) -> str:
    """As `Recording` tells; without a copy of the samples, which may be hours."""
    digest = hashlib.sha256(f"{rate_hz}:".encode())
    digest.update(np.ascontiguousarray(samples, dtype="<f4").data)
    return digest.hexdigest()


def _check(samples: NDArray[np.float32], stream: _Stream, who: str) -> None:
    """Raises ClipError for mono `samples`, shape (n,) at the source's rate, that no model could learn from."""
    seconds = samples.size / stream.rate_hz
    if samples.size == 0:
        raise stream.error(f"{who} holds no sound (0 samples); record it again.", ClipStatus.EMPTY, seconds)
    if seconds < MIN_SECONDS:
        message = f"{who} is {seconds:.3g} s long; at least {MIN_SECONDS} s is needed. Record a longer one or leave it out."
        raise stream.error(message, ClipStatus.TOO_SHORT, seconds)
    bad = int(np.count_nonzero(~np.isfinite(samples)))
    if bad:
        message = f"{who} has {bad} samples that aren't numbers (NaN or infinity); every sample must be finite. Export it again."
        raise stream.error(message, ClipStatus.NOT_FINITE, seconds)
    rms = float(samples.std(dtype=np.float64))  # about the mean: a recorder's constant offset is no sound
    dbfs = 20 * math.log10(rms) if rms > 0 else -math.inf
    if dbfs < SILENCE_DBFS:
        level = f"its level is {dbfs:.1f} dBFS, at least {SILENCE_DBFS:g} dBFS is needed" if rms > 0 else "it holds no sound at all"
        message = f"{who} is silent: {level}. Record it again, nearer or louder."
        raise stream.error(message, ClipStatus.SILENT, seconds)
